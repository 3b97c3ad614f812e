"""A guest's output is fit to be shown, however it is cut into pieces."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb.display.escapes import HELD_LIMIT, Tamed


def tamed(*pieces: bytes) -> str:
    each = Tamed()
    return "".join(each.feed(piece) for piece in pieces) + each.end()


@pytest.mark.parametrize(
    ("wrote", "shown"),
    [
        ("a\tb\r\nc\n", "a\tb\r\nc\n"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[38:5:9mred\x1b[m", "\x1b[38:5:9mred\x1b[m"),
        ("\x1b[31mred", "\x1b[31mred\x1b[0m"),
        ("\x1b[2J\x1b[1;1Ha\x1b[6n\x1b[?1049h\x1b[>4;2mb", "ab"),
        ("\x1b]0;title\x07a\x1b]52;c;aGk=\x1b\\b\x1bPq\x1b\\c", "abc"),
        ("\x1bca\x1b(Bb\x1b7", "ab"),
        ("a\x07b\x08c\x00d\x7fe\x9b31mf", "abcde31mf"),
        ("\x1b]0;no end\nnext", "\nnext"),
        ("txt\u202eexe", "txt\\u202eexe"),
        ("\x1b\x1b[2J[31mx", "[31mx"),
        ("héllo", "héllo"),
    ],
)
def test_colours_stay_and_nothing_else_that_a_terminal_obeys(wrote, shown):
    assert tamed(wrote.encode()) == shown
    assert tamed(*(bytes([byte]) for byte in wrote.encode())) == shown


@given(st.lists(st.text("\x1b[]P\\;:0mJ\x07\x9b\nab ?>(", max_size=12)))
def test_no_pieces_whatever_make_an_escape_sequence(pieces):
    shown = tamed(*(piece.encode() for piece in pieces))
    assert "\x1b" not in re.sub(r"\x1b\[[0-9;:]*m", "", shown)
    assert not set(shown) & set("\x07\x9b")


def test_a_sequence_without_end_holds_no_more_back_than_a_little():
    each = Tamed()
    assert len(each.feed(b"\x1b]" + b"x" * 10 * HELD_LIMIT)) >= 9 * HELD_LIMIT


def test_bytes_that_are_no_text_are_marked():
    assert tamed(b"a\xffb") == "a\ufffdb"
