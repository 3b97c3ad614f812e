"""Sentences with gaps, and the tables they stand in."""

from __future__ import annotations

import pytest

from kvmnb.compile.piece import Piece
from kvmnb.explain.entry import entries, say
from kvmnb.explain.sections import SECTIONS
from kvmnb.explain.targets import explained


def meaning(target, *words, field="memory", half=""):
    (row,) = explained(target, [Piece(field, half, words)])
    return row.meaning


@pytest.mark.parametrize(
    ("sentence", "values", "said"),
    [
        ("{size} of memory", {"size": "128 MiB"}, "128 MiB of memory"),
        ("a[ at {b}]", {}, "a"),
        ("a[ at {b}]", {"b": "c"}, "a at c"),
        ("{a?on:yes;off:no}", {"a": "on"}, "yes"),
        ("{a?on:yes;*:it is =}", {"a": "so"}, "it is so"),
        ("{a?on:yes}", {"a": "so"}, "so"),
        ("the file {a/}", {"a": "/x/y.img"}, "the file y.img"),
        ("{a}", {"a": "{b} [c] \\1"}, "{b} [c] \\1"),
    ],
)
def test_a_gap_is_filled_with_its_value(sentence, values, said):
    assert say(sentence, values) == said


def test_a_line_may_go_on_below_and_name_several_words():
    found = entries("a, b | one\n    two | none | std\n")
    assert found["a"] == found["b"] == ("one two", "none", SECTIONS["std"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-m", "size=128M"), "128 MiB of memory."),
        (("-m", "size=1G,slots=2,maxmem=4G"), "1 GiB of memory, and room for up to 4 GiB in 2"),
        (("-smp", "1"), "1 vCPU."),
        (("-cpu", "max,+aes"), "of a model with everything"),
        (("-netdev", "bridge,id=net0,br=br1"), "the host's bridge br1"),
        (("-device", "no-such-device,id=x"), ""),
        (("-kernel", "/boot/a,b=c"), "the kernel a,b=c"),
    ],
)
def test_a_sentence_names_the_value(words, said):
    assert said in meaning("qemu", *words)


def test_a_doubled_comma_is_one_of_the_value():
    assert "x,y.img" in meaning("qemu", "-blockdev", "driver=file,filename=/x,,y.img")


def test_words_that_no_field_stands_for_say_so():
    for target in ("qemu", "libvirt"):
        field = "extra_args[0]" if target == "qemu" else "extra_xml[0]"
        said = meaning(target, "<odd/>", field=field)
        assert said == "Kept verbatim: no field stands for it."


def test_each_half_of_an_element_is_told_apart():
    text = "<disk type='file' device='disk'><source file='/a'/><target dev='vda' bus='ide'/></disk>"
    (row,) = explained("libvirt", [Piece("disks[0]", "", (text,))])
    halves = {key.text: key.half for key in row.keys if key.half}
    assert halves["<source"] == halves["type='file'"] == "back"
    assert halves["<target"] == halves["bus='ide'"] == halves["device='disk'"] == "front"


def test_each_half_of_an_option_of_virt_install_is_told_apart():
    words = ("--disk", r"path=/a\,b,bus=virtio")
    (row,) = explained("virt-install", [Piece("disks[0]", "", words)])
    halves = {key.text: key.half for key in row.keys if key.half}
    assert halves == {r"path=/a\,b": "back", "bus=virtio": "front"}
    assert "a,b" in row.meaning


def test_text_that_is_no_xml_is_explained_as_nothing_and_kept_whole():
    for text in ("", "no element", "<a b='>'", "<!-- <a> -->", "</a></b>", "<a><b></a>"):
        for row in explained("libvirt", [Piece("memory", "", (text,))]):
            assert "".join(key.text for key in row.keys) == text
