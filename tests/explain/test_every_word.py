"""Every word that the three compilers can write is explained."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings

from kvmnb.explain.entry import UNKNOWN
from kvmnb.explain.layers import TARGETS, layers, said
from kvmnb.explain.targets import explained
from kvmnb.spec.domain import DomainSpec
from tests.compile.made import runtime
from tests.spec.strategies import domains

MANUALS = ("https://www.qemu.org/docs/", "https://libvirt.org/", "https://github.com/virt-manager/")


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=60, deadline=None)
@given(spec=domains())
def test_every_word_has_a_meaning_and_a_section_of_a_manual(target, spec):
    for each in explained(target, said(spec, runtime(spec), target).pieces):
        assert each.section is not None, each.words
        assert each.section.url.startswith(MANUALS)
        assert each.meaning, each.words


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=60, deadline=None)
@given(spec=domains())
@example(spec=DomainSpec(name="-"))
def test_every_key_has_a_meaning(target, spec):
    given = {f"{key}={value}" for part in (*spec.disks, *spec.nics) for key, value in part.options}
    for each in explained(target, said(spec, runtime(spec), target).pieces):
        for key in each.keys:
            tied = key.text == "="  # between an option and a value that looks like one
            if (
                "=" in key.text
                and not tied
                and not each.field.startswith(("extra", "machine_options"))
            ):
                named = key.meaning or key.text in given or _whole(each.words)
                assert named or target == "libvirt", (each.words, key.text)


def _whole(words):
    """Return whether a value is one word, whatever signs are in it."""
    return len(words) == 2 and words[0] in {
        *("-kernel", "-initrd", "-append", "-dtb", "-incoming", "--name", "--extra-args"),
        *("--cdrom",),
    }


@settings(max_examples=40, deadline=None)
@given(spec=domains())
def test_no_sentence_speaks_of_a_value_that_is_not_there(spec):
    for target, each in zip(TARGETS, layers(spec, runtime(spec)).said, strict=True):
        for row in explained(target, each.pieces):
            assert UNKNOWN not in row.meaning, row.words


@settings(max_examples=40, deadline=None)
@given(spec=domains())
def test_the_keys_together_are_the_text(spec):
    for target, each in zip(TARGETS, layers(spec, runtime(spec)).said, strict=True):
        for row in explained(target, each.pieces):
            assert "".join(key.text for key in row.keys) == " ".join(row.words)
