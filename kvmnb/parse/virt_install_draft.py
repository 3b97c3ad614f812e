"""What is read of a virt-install line so far, before it is a description of a guest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from kvmnb.compile.virt_install_extra import SECTIONS, TAGS, Grown, supported
from kvmnb.errors import ParseError, SpecError
from kvmnb.parse.result import Kind, Note
from kvmnb.spec.platform import ExtraXML

__all__ = ["Draft"]

Made = TypeVar("Made")


class Draft:
    """The fields that a line has said, and what else there is to know of it.

    Parameters
    ----------
    text : the line
    notes : those on its words
    """

    def __init__(self, text: str, notes: list[Note]) -> None:
        self.text, self.notes = text, notes
        self.fields: dict[str, Any] = {}
        self.memory: dict[str, Any] = {}
        self.cpu: dict[str, Any] = {}
        self.boot: dict[str, Any] = {}
        self.clock: dict[str, Any] = {}
        self.firmware: dict[str, Any] = {}
        self.cells: dict[int, dict[str, Any]] = {}
        self.invocation: dict[str, Any] = {}
        # of storage, and of what depends on it, only the end of the line tells all defaults
        self.disks: list[dict[str, Any]] = []
        self.cdroms: list[dict[str, Any]] = []
        self.floppies: list[dict[str, Any]] = []
        self.nics: list[dict[str, Any]] = []
        self.sounds: list[tuple[int, str | None, str | None]] = []
        self.audio: dict[str, str] = {}
        self.lists: dict[str, list[Any]] = {}
        self.said: dict[str, int] = {}
        self.silenced: set[str] = set()
        self.disk_order: list[dict[str, Any]] = []
        self.extras: list[ExtraXML] = []
        self.grown: dict[str, Grown] = {}

    def note(self, position: int, text: str, kind: Kind, message: str) -> None:
        """Add a note."""
        self.notes.append(Note(position=position, text=text, kind=kind, message=message))

    def default(self, message: str) -> None:
        """Note what the line does not say, and virt-install does all the same."""
        self.note(0, self.text[:12], "default", message)

    def fail(self, position: int, reason: str) -> NoReturn:
        """Raise that the line cannot be read."""
        raise ParseError(self.text, position, reason)

    def make(
        self, position: int, kind: Callable[..., Made], /, *values: Any, **fields: Any
    ) -> Made:
        """Return a part of the description; what it refuses is said of `position`."""
        try:
            return kind(*values, **fields)
        except SpecError as error:
            self.fail(position, str(error))

    def add(self, field: str, part: Any) -> str:
        """Append a part to one of the description's tuples; return the part's own field."""
        parts = self.lists.setdefault(field, [])
        parts.append(part)
        return f"{field}[{len(parts) - 1}]"

    def keep_sub(self, field: str, written: str) -> None:
        """Keep a sub-option of a device, verbatim."""
        self.invocation.setdefault("devices", []).append((field, written))

    def grow(self, place: str, key: str, value: str | None) -> bool:
        """Write an element for a sub-option of `place`; return whether there is one for it.

        Parameters
        ----------
        place : a device's own field, such as ``disks[0]``, or an option about a section
        """
        base = place.partition("[")[0]
        tag, option = TAGS.get(base, (SECTIONS.get(base, ""), base))
        today = supported(option, key)
        if not tag or today is None or value is None:
            return False
        if place not in self.grown:
            self.grown[place] = Grown(option, tag)
        self.grown[place].add(today, value)
        return True

    def extra(self, parent: str, xml: str) -> None:
        """Add an element that no field stands for."""
        self.extras.append(self.make(0, ExtraXML, parent=parent, xml=xml))

    def all_extras(self) -> list[ExtraXML]:
        """Return all elements that no field stands for, those that grew last."""
        found = list(self.extras)
        for place, grown in self.grown.items():
            if place in SECTIONS:
                parent, texts = SECTIONS[place], grown.texts()
            else:
                parent, texts = place.replace("[", ".").removesuffix("]"), [grown.text()]
            found += [self.make(0, ExtraXML, parent=parent, xml=xml) for xml in texts]
        return found

    def keep_words(self, *words: str) -> None:
        """Keep an option, verbatim."""
        if len(words) > 1 and words[1].startswith("-"):
            words = ("=".join(words),)
        self.invocation.setdefault("kept", []).extend(words)
