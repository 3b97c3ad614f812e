"""What the words of a QEMU command mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from kvmnb.compile.piece import Piece
from kvmnb.explain.entry import Entry, Explained, Key, say
from kvmnb.explain.qemu_backs import BACK_KEYS, BACKS
from kvmnb.explain.qemu_devices import DEVICE_KEYS, DEVICES
from kvmnb.explain.qemu_options import KEYS, OPTIONS
from kvmnb.explain.sections import SECTIONS

__all__ = ["KEPT", "explain_qemu"]

KEPT = "Kept verbatim: no field stands for it."

_WHOLE = frozenset(
    {
        *("-kernel", "-initrd", "-append", "-dtb", "-bios", "-incoming", "-uuid", "-k", "-vga"),
        *("-watchdog-action", "-mem-path", "-pidfile", "-D", "-d", "-L", "-set", "-runas"),
    }
)
"""Options whose value is one word, whatever signs are in it."""

_PART = re.compile(r"(?:[^,]|,,)+|,")
_SIZE = re.compile(r"(\d+)([KMGT])")
_BINARY = Entry("The program.", "", SECTIONS["std"])
_UNKNOWN = Entry("", "", None)


def explain_qemu(piece: Piece) -> Iterator[Explained]:
    """Yield each option of a piece, explained; what is not known has no section."""
    if piece.field.startswith("extra_args"):
        kept = tuple(Key(word, "", KEPT) for word in piece.words)
        yield Explained(piece.field, piece.half, piece.words, KEPT, "", SECTIONS["std"], kept)
        return
    for words in _options(piece.words):
        if not words[0].startswith("-"):
            yield _explained(piece, words, _BINARY, {}, (Key(words[0], "", _BINARY.meaning),))
            continue
        option, value = words[0], words[1] if len(words) > 1 else ""
        keys, values = _keys(piece, option, value)
        entry, meaning = _entry(option, values)
        head = Key(option, "", meaning)
        if option in _WHOLE:
            keys = [Key(value, piece.half, meaning)]
        shown = (head, Key(" ", ""), *keys) if len(words) > 1 else (head,)
        yield _explained(piece, words, entry, values, shown)


def _explained(
    piece: Piece, words: Sequence[str], entry: Entry, values: Mapping[str, str], keys: Sequence[Key]
) -> Explained:
    meaning = say(entry.meaning, values)
    section = entry.section
    return Explained(
        piece.field, piece.half, tuple(words), meaning, entry.default, section, tuple(keys)
    )


def _options(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    rest = list(words)
    while rest:
        # a value may begin with a hyphen, so an option takes the next word if there is one
        taken = 2 if rest[0].startswith("-") else 1
        yield tuple(rest[:taken])
        del rest[:taken]


def _entry(option: str, values: Mapping[str, str]) -> tuple[Entry, str]:
    """Return the entry of an option, or that of the device or back half that it makes."""
    general = OPTIONS.get(option, _UNKNOWN)
    kind = values.get("driver") if option == "-blockdev" else values.get("head")
    kind = values.get("qom-type", kind) if option == "-object" else kind
    kind = values.get("driver", kind) if option == "-device" else kind
    if option == "-device":
        return DEVICES.get(kind or "", _UNKNOWN), "A device, as the guest sees it."
    if option in BACKS:
        return BACKS[option].get(kind or "", _UNKNOWN), _BACK_HALF[option]
    named = OPTIONS.get(f"{option} {values.get('kind') or kind}", general)
    return named, say(named.meaning, values)


_BACK_HALF = {
    "-blockdev": "A block node: where a disk's bytes are, or how they are read.",
    "-netdev": "Where a network card's frames go.",
    "-chardev": "The other end of a port or a monitor.",
    "-object": "Something that devices use.",
    "-audiodev": "What plays a sound card's sound.",
    "-tpmdev": "What is behind a TPM.",
    "-fsdev": "A folder of the host.",
}


def _keys(piece: Piece, option: str, value: str) -> tuple[list[Key], dict[str, str]]:
    """Return the parts of a value, each with what it says, and its keys and their values."""
    values = {"value": value}
    if option in _WHOLE:
        return [], values
    keys: list[Key] = []
    for found in _PART.finditer(value):
        part = found[0]
        key, equals, inner = part.partition("=")
        inner = inner.replace(",,", ",")
        if part == ",":
            keys.append(Key(",", ""))
            continue
        if not equals:
            values.setdefault("head", part.replace(",,", ","))
            keys.append(Key(part, piece.half, _head(option, part)))
            continue
        values[key] = _size(inner)
        if option == "-global":
            values |= {"kind": key, "setting": inner}
            values["driver"], _, values["property"] = key.rpartition(".")
        known = _known(option, key)
        meaning = say(known.meaning, {"value": values[key]}) if known else ""
        if not known and option in {"-cpu", "-global"}:
            meaning = f"{key} is {inner}"
        keys.append(Key(part, piece.half, meaning, known.default if known else ""))
    if option == "-vnc":
        values["where"] = values.get("vnc", values.get("head", "")).removeprefix("unix:")
    return keys, values


def _known(option: str, key: str) -> Entry | None:
    for name in (f"{option} {key}", f"{_ALIKE.get(option)} {key.removeprefix('file.')}"):
        found = KEYS.get(name) or BACK_KEYS.get(name)
        if found is not None:
            return found
    return DEVICE_KEYS.get(key) if option == "-device" else BACK_KEYS.get(key)


_ALIKE = {"-drive": "-blockdev"}
"""Options that take another's keys too, and those of the node under it after ``file.``."""


def _head(option: str, word: str) -> str:
    if option == "-cpu" and word[0] in "+-":
        return f"the model {'gets' if word[0] == '+' else 'loses'} {word[1:]}"
    if option == "-device":
        return "the kind of device"
    return ""


def _size(value: str) -> str:
    found = _SIZE.fullmatch(value)
    return f"{found[1]} {found[2]}iB" if found else value
