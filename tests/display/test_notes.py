"""What a reader should know of a text, and the places in it."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from kvmnb.display.notes import KINDS, Notes
from kvmnb.parse.result import Kind, Note

LINE = "qemu-kvm -m 128\n  -usbdevice tablet -vnc :1"


def note(word, kind="old", message="it is gone", text=LINE):
    return Note(position=text.index(word), text=word, kind=kind, message=message)


def test_every_kind_of_note_has_a_sign_and_a_meaning():
    assert set(KINDS) == set(get_args(Kind))


def test_the_word_that_a_note_is_about_is_pointed_at_in_its_line():
    notes = Notes([note("-usbdevice"), note(":1", "changed", "127.0.0.1 only")], LINE)
    assert repr(notes).splitlines() == [
        "qemu-kvm -m 128",
        "  -usbdevice tablet -vnc :1",
        "  ^1                     ^2",
        " 1 old -usbdevice: it is gone",
        " 2 changed :1: 127.0.0.1 only",
    ]


def test_two_notes_in_one_place_stand_beside_each_other():
    notes = Notes([note("-m"), note("-m")], LINE)
    assert repr(notes).splitlines()[1] == "         ^1^2"


def test_notes_without_their_text_name_the_words(read_html):
    notes = Notes([note("-usbdevice")])
    assert repr(notes) == " 1 old -usbdevice: it is gone"
    assert "-usbdevice" in read_html(notes._repr_html_())


def test_the_words_are_marked_in_html_and_the_text_stays_whole(read_html):
    notes = Notes([note("-usbdevice"), note(":1")], LINE)
    assert "qemu-kvm -m 128\n  -usbdevice 1 tablet -vnc :1 2" in read_html(notes._repr_html_())


def test_they_are_a_tuple_and_a_table():
    notes = Notes([note("-m")], LINE)
    assert isinstance(notes, tuple)
    assert [each.text for each in notes] == ["-m"]
    assert list(notes.to_pandas()["kind"]) == ["old"]


def test_no_note_is_no_news(read_html):
    assert repr(Notes([])) == ""
    assert read_html(Notes([])._repr_html_()) == "nothing to note"


@given(
    st.text(),
    st.lists(st.tuples(st.integers(0, 40), st.text(), st.sampled_from(sorted(KINDS))), max_size=4),
)
def test_hostile_text_is_shown_and_not_obeyed(read_html, harmless, text, found):
    notes = Notes(
        [Note(position=at, text=word, kind=kind, message=word) for at, word, kind in found], text
    )
    assert harmless(repr(notes))
    read_html(notes._repr_html_())
