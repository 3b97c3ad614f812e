"""One word's entry: a sentence with gaps for the values, a default, a section of a manual.

Entries are kept as lines of ``name | sentence | default | section``; an indented line goes on
with the one above. In a sentence ``{key}`` is a
value, ``{key?on:words;off:other words}`` chooses by it (``*`` for any other value, ``=`` for
the value itself), ``{key/}`` is the last part of a path, and what stands in square brackets is
left out where one of its values is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from kvmnb.compile.piece import Half
from kvmnb.explain.sections import SECTIONS, Section

__all__ = ["Entry", "Explained", "Key", "entries", "say"]


class Entry(NamedTuple):
    """What is known of one option, device, element, or key.

    Parameters
    ----------
    meaning : a sentence with gaps
    default : what holds where the word is not said; ``""`` where nothing does
    section : of the manual; ``None`` for a key, which is described where its option is
    """

    meaning: str
    default: str
    section: Section | None


class Key(NamedTuple):
    """One part of a text, and what it says.

    Parameters
    ----------
    text : as it stands in the text
    half : of a device that it belongs to; ``""`` where it has none
    meaning : a sentence; ``""`` for the signs between the words
    default : what holds where it is not said
    """

    text: str
    half: Half
    meaning: str = ""
    default: str = ""


class Explained(NamedTuple):
    """A piece of a text, explained.

    Parameters
    ----------
    field, half, words : as in the `Piece`
    meaning : one sentence
    default : what would be without it; ``""`` for nothing
    section : where the manual describes it
    keys : the parts of the text, in order; their texts together are the whole text
    """

    field: str
    half: Half
    words: tuple[str, ...]
    meaning: str
    default: str
    section: Section | None
    keys: tuple[Key, ...] = ()


def entries(text: str) -> dict[str, Entry]:
    """Return the entries of such lines by name; a name may be several, with commas between."""
    found = {}
    for line in text.replace("\n    ", " ").strip().splitlines():
        names, meaning, *rest = (part.strip() for part in line.split("|"))
        default = rest[0] if rest else ""
        section = SECTIONS[rest[1]] if len(rest) > 1 else None
        for name in names.split(", "):
            found[name] = Entry(meaning, default, section)
    return found


_GAP = re.compile(r"\{([^{}?]+)(?:\?([^{}]*))?\}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")

UNKNOWN = "…"
"""What stands for a value that a sentence speaks of and a text does not have."""


def say(sentence: str, values: Mapping[str, str]) -> str:
    """Return the sentence with its gaps filled."""

    def optional(found: re.Match[str]) -> str:
        keys = [gap[1].rstrip("/") for gap in _GAP.finditer(found[1])]
        return found[1] if all(key in values for key in keys) else ""

    def filled(found: re.Match[str]) -> str:
        value = values.get(found[1].rstrip("/"), UNKNOWN)
        if found[1].endswith("/"):
            return value.rstrip("/").rpartition("/")[2] or value
        if found[2] is None:
            return value
        choices = dict(choice.split(":", 1) for choice in found[2].split(";"))
        return choices.get(value, choices.get("*", "=")).replace("=", value)

    return _GAP.sub(filled, _OPTIONAL.sub(optional, sentence))
