"""What is known of a guest while its command line is read: fields so far, open ends, notes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from kvmnb.errors import ParseError, SpecError
from kvmnb.parse.qemu_options import Given, Options, doubled
from kvmnb.parse.result import Kind, Note
from kvmnb.parse.words import Word
from kvmnb.spec.domain import DomainSpec

__all__ = ["Draft", "Entry", "keep_property", "suggestion"]

T = TypeVar("T")

_SIZE = re.compile(r"(\d{1,20})(?:\.(\d{1,20}))?([bBkKmMgGtTpPeE]?)", re.ASCII)
_SHIFTS = {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}
_ON = {"on", "yes", "true", "y"}
_OFF = {"off", "no", "false", "n"}


class Entry:
    """One option of the line that is understood only together with others.

    Attributes
    ----------
    option, word : the option's name with one dash, and its value as it stands
    at : where the option stands
    options : its keys and values
    used : whether fields of the spec say it all; else it stays verbatim
    message : why it stays
    """

    __slots__ = ("at", "message", "option", "options", "used", "word")

    def __init__(self, option: Word, word: Word, options: Options) -> None:
        self.option = "-" + option.text.lstrip("-")
        self.word, self.options = word, options
        self.at = option.position
        self.used, self.message = False, ""


class Draft:
    """A spec in the making.

    Attributes
    ----------
    binary : the QEMU that the line calls, where defaults are noted
    fields : of the spec, by name
    parts : of its parts (``memory cpu boot clock``), by part and field, with their places
    run_dir : of the engine that wrote the line; ``None`` for a line of anybody else's
    """

    def __init__(self, text: str, binary: Word) -> None:
        self.text, self.binary, self.notes = text, binary, list[Note]()
        self.fields: dict[str, Any] = {}
        self.parts: dict[str, dict[Any, Any]] = {}
        self.places: dict[str, int] = {}
        self.lists: dict[str, list[Any]] = {}
        self.entries: list[Entry] = []
        self.kept: list[tuple[int, tuple[str, ...]]] = []
        self.run_dir: str | None = None
        self.said: set[str] = set()
        self.renamed: dict[str, str] = {}
        self.keymap: Word | None = None
        self.kvm_asked = ""

    # ---- what goes wrong, and what a reader should know

    def refused(self, position: int, reason: str) -> ParseError:
        """Return the error that stops reading here."""
        # an empty value at the end stands behind the last character
        return ParseError(self.text, max(0, min(position, len(self.text) - 1)), reason)

    def note(self, position: int, text: str, kind: Kind, message: str) -> None:
        """Tell a reader something of the text."""
        self.notes.append(Note(position=position, text=text, kind=kind, message=message))

    def free_place(self, options: Options) -> Given | None:
        """Take out where on PCI a device is, if only the board's layout says so.

        Returns
        -------
        What was there; ``None`` for nothing
        """
        bus = options.get("bus")
        bridges: dict[str, object] = self.parts.get("bridges", {})
        if bus is None or bus in {"pci.0", "pcie.0"} or bus in bridges:
            options.take("multifunction")
            place = options.take("bus")
            return options.take("addr") or place
        return None

    def keep(self, option: Word, value: Word | None, message: str = "") -> None:
        """Take an option into the spec verbatim."""
        words = ("-" + option.text.lstrip("-"),) + (() if value is None else (value.text,))
        self.kept.append((option.position, words))
        told = message or "no field stands for it; QEMU gets it as it is"
        self.note(option.position, " ".join(words), "kept", told)

    def ignore(self, option: Word, value: Word | None, message: str) -> None:
        """Tell that an option has no effect on the guest."""
        text = option.text if value is None else f"{option.text} {value.text}"
        self.note(option.position, text, "ignored", message)

    # ---- fields

    def part(self, name: str, at: int, **fields: Any) -> None:
        """Set fields of one of the spec's parts."""
        self.parts.setdefault(name, {}).update(fields)
        for field in fields:
            self.places[f"{name}.{field}"] = at
        self.places[name] = at

    def add(self, field: str, value: object) -> None:
        """Append to one of the spec's tuples."""
        self.lists.setdefault(field, []).append(value)

    def made(self, at: int, make: Callable[..., T], /, *args: Any, **fields: Any) -> T:
        """Return a part of the spec, or say where in the line its values are wrong.

        Raises
        ------
        ParseError   the part refuses a value
        """
        try:
            return make(*args, **fields)
        except SpecError as error:
            at = self.places.get(error.field, at)
            raise self.refused(at, f"{error.field}: {error.reason}") from error

    # ---- values

    def number(self, given: Given | Word, what: str, least: int = 0, most: int = 1 << 63) -> int:
        """Return a whole number, decimal or with ``0x``."""
        value, at = _of(given)
        found = re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}|\d{1,20}", value, re.ASCII)
        if found is None:
            raise self.refused(at, f"{what} must be a whole number, not {value[:40]!r}")
        number = int(value, 16) if value[:2] in {"0x", "0X"} else int(value)
        if not least <= number <= most:
            raise self.refused(at, f"{what} must be from {least} to {most}")
        return number

    def switch(self, given: Given, what: str) -> bool:
        """Return whether something is on."""
        if given.value in _ON:
            return True
        if given.value in _OFF:
            return False
        raise self.refused(given.value_at, f"{what} is on or off, not {given.value[:40]!r}")

    def bytes_(self, given: Given | Word, what: str, unit: str = "b") -> int:
        """Return a size in bytes; what has no suffix counts in `unit`s."""
        value, at = _of(given)
        if re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}", value):
            return int(value, 16)
        found = _SIZE.fullmatch(value)
        if found is None:
            hint = "a number with k, M, G or T"
            if re.fullmatch(r"[\d.]+ ?[kKmMgGtT]i?[bB]", value):
                hint = "QEMU's suffixes are single letters: k, M, G, T"
            raise self.refused(at, f"{what}: {value[:40]!r} is no size: {hint}")
        whole, fraction, suffix = found.groups()
        shift = _SHIFTS[(suffix or unit).lower()]
        size = int(whole) << shift
        if fraction:
            size += (int(fraction) << shift) // int("1" + "0" * len(fraction))
        return size

    def mib(self, given: Given | Word, what: str, unit: str = "m") -> int:
        """Return a size in MiB, refusing what is not a whole number of them."""
        size = self.bytes_(given, what, unit)
        if size % (1 << 20):
            raise self.refused(_of(given)[1], f"{what} must be a whole number of MiB")
        return size >> 20

    def choice(self, given: Given | Word, what: str, allowed: Iterable[str]) -> str:
        """Return one of a few words; the error names a near miss."""
        value, at = _of(given)
        words = tuple(allowed)
        if value in words:
            return value
        raise self.refused(at, f"{what}: {suggestion(value, words)}one of: {', '.join(words)}")

    # ---- the end

    def spec(self) -> DomainSpec:
        """Return what was read, with nothing in it that the line does not say."""
        fields: dict[str, Any] = {
            **dict.fromkeys(("balloon", "rng", "vmgenid")),
            **dict.fromkeys(("serials", "displays", "videos"), ()),
            "agent": False,
            **self.fields,
            **{field: tuple(values) for field, values in self.lists.items()},
        }
        kept = [words for _, words in sorted(self.kept, key=lambda item: item[0])]
        fields["extra_args"] = tuple(word for words in kept for word in words)
        try:
            return DomainSpec(**fields)
        except SpecError as error:
            raise self.refused(
                self._place(error.field), f"{error.field}: {error.reason}"
            ) from error

    def _place(self, field: str) -> int:
        return self.places.get(field, self.places.get(field.split(".")[0], 0))


def _of(given: Given | Word) -> tuple[str, int]:
    if isinstance(given, Word):
        return given.text, given.position
    return given.value, given.value_at


def suggestion(value: str, words: Iterable[str]) -> str:
    """Return ``did you mean …?`` where there is a near miss."""
    near = difflib.get_close_matches(value[:60], list(words), n=1, cutoff=0.65)
    return f"did you mean {near[0]!r}? " if near else ""


def keep_property(draft: Draft, at: int, key: str, value: str) -> None:
    """Keep a property of the board as a ``-machine`` of its own; QEMU joins it with the first."""
    words = ("-machine", f"{key}={doubled(value)}")
    draft.kept.append((at, words))
    draft.note(at, words[1], "kept", "no field stands for it; QEMU gets it as it is")
