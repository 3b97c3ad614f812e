"""A command line to look at, and to paste."""

from __future__ import annotations

import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from kvmnb.display.command import Command

ARGUMENT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


def as_bash_reads(text: str) -> list[bytes]:
    """Return the words that bash makes of `text`.

    Should a word not be quoted after all, nothing comes of it: a restricted bash with an empty
    search path runs no program and redirects nothing.
    """
    script = f"args=({text}); printf '%s\\0' \"${{args[@]}}\""
    done = subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-r", "-f", "-c", script],
        capture_output=True,
        check=True,
        timeout=60,
        cwd="/proc",
        env={"PATH": "/nonexistent", "LC_ALL": "C.UTF-8"},
    )
    return done.stdout.split(b"\0")[:-1]


def encoded(argv):
    return [argument.encode("utf-8", "surrogateescape") for argument in argv]


@settings(max_examples=100, deadline=None)
@given(st.lists(ARGUMENT, min_size=1, max_size=8))
def test_its_text_pasted_into_bash_is_the_same_command(harmless, argv):
    text = Command(argv).text
    assert harmless(text)
    assert as_bash_reads(text) == encoded(argv)


def test_a_file_name_that_is_not_utf8_can_be_pasted_too():
    argv = ("qemu", "-kernel", "/tmp/\udcff\x1b[31m'x")
    assert as_bash_reads(Command(argv).text) == encoded(argv)


def test_the_command_of_a_real_spec_has_one_option_a_line(host):
    command = host.vm("it's, <b>bold").mem(64).accel("tcg").nic().command()
    first, *lines = command.text.split(" \\\n")
    assert first == command.argv[0]
    assert all(line.startswith("  -") for line in lines)
    assert len(lines) == sum(argument.startswith("-") for argument in command.argv[1:])
    assert as_bash_reads(command.text) == encoded(command.argv)


def test_a_value_that_looks_like_an_option_stays_with_its_option():
    assert Command(("qemu", "-append", "-x", "-S")).text == "qemu \\\n  -append -x \\\n  -S"


def test_it_is_the_sequence_of_its_arguments():
    command = Command(["qemu", "-m", "64"])
    assert list(command) == ["qemu", "-m", "64"]
    assert command[0] == "qemu"
    assert len(command) == 3
    assert command == Command(("qemu", "-m", "64"))
    assert {command: 1}[Command(("qemu", "-m", "64"))] == 1
    assert repr(command) == command.text


@given(st.lists(ARGUMENT, min_size=1, max_size=6))
def test_its_html_is_its_text_quoted(read_html, argv):
    command = Command(argv)
    assert read_html(command._repr_html_()) == command.text
