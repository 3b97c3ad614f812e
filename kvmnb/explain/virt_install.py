"""What the options of virt-install mean."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kvmnb.compile.piece import Half, Piece
from kvmnb.explain.entry import Entry, Explained, Key, say
from kvmnb.explain.virt_install_options import HALVES, KEYS, OPTIONS

__all__ = ["explain_virt_install"]

_WHOLE = frozenset(
    {
        *("--name", "--cdrom", "--extra-args", "--connect", "--arch", "--machine", "--virt-type"),
        *("--qemu-commandline", "--initrd-inject", "--wait", "--autoconsole", "--check"),
    }
)
"""Options whose value is one word, whatever signs are in it."""

_PART = re.compile(r"(?:[^,\\]|\\.)+|,", re.S)
_NUMBER = re.compile(r"\d+$")
_UNKNOWN = Entry("", "", None)


def explain_virt_install(piece: Piece) -> Iterator[Explained]:
    """Yield a piece's option, explained; what is not known has no section."""
    words = piece.words
    option, value, tied = words[0], words[1] if len(words) > 1 else "", ""
    if len(words) == 1 and "=" in option:
        (option, _, value), tied = option.partition("="), "="
    entry = OPTIONS.get(option, _UNKNOWN)
    values = {"value": value}
    keys = []
    if option not in _WHOLE:
        keys = [_key(option, found[0], values) for found in _PART.finditer(value)]
    meaning = say(entry.meaning, values)
    if option in _WHOLE:
        keys = [Key(value, "", meaning)]
    between = (Key(tied or " ", ""),) if value else ()
    shown = (Key(option, "", meaning), *between, *keys)
    yield Explained(piece.field, piece.half, words, meaning, entry.default, entry.section, shown)


def _key(option: str, part: str, values: dict[str, str]) -> Key:
    if part == ",":
        return Key(",", "")
    key, equals, inner = part.partition("=")
    inner = re.sub(r"\\(.)", r"\1", inner, flags=re.S)
    if not equals:
        values.setdefault("head", re.sub(r"\\(.)", r"\1", part, flags=re.S))
        return Key(part, _half(option, ""))
    values[key] = inner
    first = _NUMBER.sub("0", key.split(".")[0])  # boot1.dev is known as boot0
    known = KEYS.get(f"{option} {key}") or KEYS.get(f"{option} {first}")
    if known is None:
        return Key(part, _half(option, key))
    return Key(part, _half(option, key), say(known.meaning, {"value": inner}), known.default)


def _half(option: str, key: str) -> Half:
    if option not in HALVES:
        return ""
    return "front" if key.split(".")[0] in HALVES[option] else "back"
