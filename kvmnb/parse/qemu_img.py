"""A qemu-img line that somebody brings, as the typed call that does the same.

``qemu-img create -f qcow2 -o size=60G /images/win7.img`` is the call ``create`` of
`kvmnb.images.qemu_img` with ``path="/images/win7.img", size="64424509440B", format="qcow2"``.
The options are those of the QEMU manual's page on qemu-img, 2.0 to 10.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kvmnb.errors import ParseError
from kvmnb.parse.qemu_img_options import OTHER_VERBS, VERBS, Kind, Option, Verb
from kvmnb.parse.result import Note
from kvmnb.spec.value import Value

__all__ = ["ImageCommand", "WordLike", "parse_qemu_img"]

Argument = str | int | bool | tuple[tuple[str, str], ...] | None


class WordLike(Protocol):
    """A word that knows where it stands in the text."""

    @property
    def text(self) -> str:
        """Without quotes and escapes."""

    @property
    def position(self) -> int:
        """Index into the text, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class ImageCommand(Value):
    """What a qemu-img line asks for.

    Parameters
    ----------
    text : what was read
    verb : the call of `kvmnb.images.qemu_img`; of snapshots ``"snapshot.create"`` and so on
    arguments : of that call, as ``(name, value)``
    notes : what a reader should know, in the order of the text
    """

    text: str
    verb: str
    arguments: tuple[tuple[str, Argument], ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def keywords(self) -> dict[str, object]:
        """The arguments as the call takes them."""
        return {
            name: dict(value) if isinstance(value, tuple) else value
            for name, value in self.arguments
        }


def parse_qemu_img(line: str | Sequence[WordLike], text: str | None = None) -> ImageCommand:
    """Return the typed call that a qemu-img line stands for. Nothing is looked at or run.

    Parameters
    ----------
    line : the line, or its words, ``qemu-img`` first
    text : with words: what they are the words of, to which their positions belong

    Raises
    ------
    ParseError   no qemu-img line, an option that is unknown or for which there is no typed call
    """
    notes: tuple[Note, ...] = ()
    words: Sequence[WordLike]
    if isinstance(line, str):
        from kvmnb.parse.words import split

        text = line
        words, notes = split(line)
    else:
        words = line
        text = " ".join(word.text for word in words) if text is None else text
    for word in words:
        if "\0" in word.text:
            raise ParseError(text, word.position, "a NUL character cannot stand in a command")
    if not words or words[0].text.rpartition("/")[2] != "qemu-img":
        at = words[0].position if words else 0
        raise ParseError(text, at, "a qemu-img line begins with qemu-img")
    if len(words) < 2:
        raise ParseError(text, len(text), f"which verb? There are {', '.join(VERBS)}")
    name = words[1].text
    if name in OTHER_VERBS:
        raise ParseError(
            text, words[1].position, f"there is no typed call for {name}; run it in a terminal"
        )
    if name not in VERBS:
        raise ParseError(
            text, words[1].position, f"{_near(name, VERBS)}the verbs are {', '.join(VERBS)}"
        )
    reader = _Reader(text, VERBS[name], words[2:], list(notes))
    reader.read()
    return _READERS.get(name, _called)(name, reader)


def _near(given: str, known: Sequence[str] | Mapping[str, object]) -> str:
    import difflib

    near = difflib.get_close_matches(given, list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


class _Reader:
    """Sorts a verb's words into options and names, as getopt does (glibc manual, "Getopt")."""

    def __init__(self, text: str, verb: Verb, words: Sequence[WordLike], notes: list[Note]) -> None:
        self.text, self.verb, self.notes = text, verb, notes
        self.found: dict[str, Argument] = {}
        self.at: dict[str, int] = {}
        self.names: list[WordLike] = []
        self._rest = [*words]

    def refused(self, position: int, reason: str) -> ParseError:
        return ParseError(self.text, position, reason)

    def read(self) -> None:
        """Sort all words; afterwards the arguments are in `found`."""
        self._sort()
        allowed = self.verb.names
        if len(self.names) > len(allowed):
            extra = self.names[len(allowed)]
            raise self.refused(extra.position, f"one too many; a name is {' and '.join(allowed)}")
        if len(self.names) < self.verb.needed:
            missing = allowed[len(self.names)]
            raise self.refused(len(self.text), f"the {missing} is missing")
        for name, word in zip(allowed, self.names, strict=False):
            if name != "size":
                self.found[name] = self.file(word.text, word.position)
                continue
            sign = word.text[:1] if word.text[:1] in "+-" else ""
            size = self.bytes_of(word.text[len(sign) :], word.position)
            self.found[name] = f"{sign}{size}B"

    def pairs(self, argument: str) -> tuple[tuple[str, str], ...]:
        """Return what was found of an argument that is ``(key, value)`` pairs."""
        found = self.found.get(argument)
        return found if isinstance(found, tuple) else ()

    def _sort(self) -> None:
        while self._rest:
            word = self._rest.pop(0)
            if word.text == "--":
                self.names += self._rest
                break
            # a size such as -10G is none of getopt's options either
            if not word.text.startswith("-") or word.text == "-" or self._is_change(word.text):
                self.names.append(word)
            elif word.text.startswith("--"):
                self._long(word)
            else:
                self._short(word)

    def _is_change(self, text: str) -> bool:
        return "size" in self.verb.names and re.fullmatch(r"-[\d.]+[bkKMGTPE]?", text) is not None

    def _long(self, word: WordLike) -> None:
        name, equals, value = word.text.partition("=")
        option = self._known(name, word.position)
        if not option.kind.takes_value:
            if equals:
                raise self.refused(word.position, f"{name} takes no value")
            self._put(option, name, word.position, "")
        elif equals:
            self._put(option, name, word.position, value)
        else:
            self._put(option, name, *self._value(name, word.position))

    def _short(self, word: WordLike) -> None:
        letters = word.text[1:]
        while letters:
            name, letters = f"-{letters[0]}", letters[1:]
            option = self._known(name, word.position)
            if not option.kind.takes_value:
                self._put(option, name, word.position, "")
            elif letters:  # -fqcow2
                self._put(option, name, word.position, letters)
                return
            else:
                self._put(option, name, *self._value(name, word.position))

    def _known(self, name: str, position: int) -> Option:
        option = self.verb.options.get(name)
        if option is None:
            raise self.refused(
                position, f"{_near(name, self.verb.options)}there is no option {name} here"
            )
        if option.kind is Kind.REFUSED:
            raise self.refused(position, f"{name}: {option.means}")
        return option

    def _value(self, name: str, position: int) -> tuple[int, str]:
        if not self._rest:
            raise self.refused(position, f"{name} needs a value")
        word = self._rest.pop(0)
        return word.position, word.text

    def _put(self, option: Option, name: str, position: int, value: str) -> None:
        if option.kind is Kind.QUIET:
            return
        if option.kind is Kind.LEFT_OUT:
            self.notes.append(
                Note(position=position, text=name, kind="ignored", message=option.means)
            )
            return
        self.at[option.means] = position
        match option.kind:
            case Kind.SWITCH:
                self.found[option.means] = True
            case Kind.SIZE:
                size = self.bytes_of(value, position)
                # an offset of zero is none to the typed calls
                self.found[option.means] = f"{size}B" if size else None
            case Kind.NUMBER:
                if re.fullmatch(r"\d{1,18}", value, re.ASCII) is None:
                    raise self.refused(position, f"{name} needs a whole number")
                self.found[option.means] = int(value)
            case Kind.FILE:
                # an empty one means none (qemu-img rebase -b "")
                self.found[option.means] = value and self.file(value, position)
            case Kind.PAIRS:
                pairs = dict(self.pairs(option.means)) | self.key_values(value, position)
                self.found[option.means] = tuple(pairs.items())
            case _:
                self.found[option.means] = value

    def bytes_of(self, value: str, position: int) -> int:
        """Return a size in bytes, which a bare number is, too (QEMU util/cutils.c)."""
        found = re.fullmatch(r"(\d{1,19})(?:\.(\d{1,9}))?([bkmgtpe]?)", value, re.I | re.ASCII)
        if found is None:
            raise self.refused(position, "not a size such as 1048576, 512K, 60G")
        whole, part, unit = found.groups()
        scale: int = 1 << 10 * "bkmgtpe".index(unit.lower() or "b")
        size = int(whole) * scale + int(part or 0) * scale // int("1" + "0" * len(part or ""))
        if size >= 1 << 63:
            raise self.refused(position, "above what QEMU can count (8 EiB)")
        return size

    def file(self, name: str, position: int) -> str:
        """Return a name that is one of a file's."""
        if re.match(r"[^:/]*:", name) and not name.startswith("file:"):
            raise self.refused(position, "only files are used here, no servers and no json:…")
        if not name.removeprefix("file:"):
            raise self.refused(position, "not a file's name")
        return name.removeprefix("file:")

    def key_values(self, value: str, position: int) -> dict[str, str]:
        """Return ``key=value,…``, in which a doubled comma is one (QEMU manual, "Invocation")."""
        pairs = {}
        for part in value.replace(",,", "\0").split(","):
            key, equals, content = part.replace("\0", ",").partition("=")
            if re.fullmatch(r"[a-z0-9_.-]+", key) is None:
                raise self.refused(position, "not key=value,key=value,…")
            pairs[key] = content if equals else "on"
        return pairs


# -- from what was found to the call --------------------------------------------------------------


def _called(verb: str, reader: _Reader) -> ImageCommand:
    return ImageCommand(
        text=reader.text,
        verb=verb,
        arguments=tuple(reader.found.items()),
        notes=tuple(sorted(reader.notes, key=lambda note: note.position)),
    )


def _default(reader: _Reader, argument: str, value: str, option: str) -> None:
    """Write down what qemu-img does where the line does not say it, and kvmnb would not."""
    if argument not in reader.found:
        reader.found[argument] = value
        end = len(reader.text)
        told = f"without {option}, qemu-img takes {value}"
        reader.notes.append(Note(position=end, text=option, kind="default", message=told))


def _info(verb: str, reader: _Reader) -> ImageCommand:
    return _called("chain" if reader.found.pop("chain", False) else verb, reader)


def _create(verb: str, reader: _Reader) -> ImageCommand:
    pairs = dict(reader.pairs("options"))
    at = reader.at.get("options", 0)
    if "size" in pairs:
        size = f"{reader.bytes_of(pairs.pop('size'), at)}B"
        reader.found.setdefault("size", size)
    if "backing_file" in pairs:
        reader.found.setdefault("backing", reader.file(pairs.pop("backing_file"), at))
    if "backing_fmt" in pairs:
        reader.found.setdefault("backing_format", pairs.pop("backing_fmt"))
    reader.found.pop("options", None)
    if pairs:
        reader.found["options"] = tuple(pairs.items())
    _default(reader, "format", "raw", "-f")
    return _called(verb, reader)


def _convert(verb: str, reader: _Reader) -> ImageCommand:
    snapshot = reader.found.get("snapshot")
    if isinstance(snapshot, str) and snapshot.startswith("snapshot."):
        pairs = reader.key_values(snapshot, reader.at["snapshot"])
        if [*pairs] != ["snapshot.name"]:
            raise reader.refused(reader.at["snapshot"], "name the snapshot: snapshot.name=…")
        reader.found["snapshot"] = pairs["snapshot.name"]
    _default(reader, "target_format", "raw", "-O")
    return _called(verb, reader)


def _measure(verb: str, reader: _Reader) -> ImageCommand:
    if ("path" in reader.found) == ("size" in reader.found):
        raise reader.refused(len(reader.text), "give an image or --size, one of them")
    _default(reader, "target_format", "raw", "-O")
    return _called(verb, reader)


def _snapshot(verb: str, reader: _Reader) -> ImageCommand:
    actions = [name for name in ("list", "create", "apply", "delete") if name in reader.found]
    if len(actions) > 1:
        raise reader.refused(reader.at[actions[1]], "one of -l, -c, -a and -d at a time")
    action = actions[0] if actions else "list"  # as qemu-img has it
    name = reader.found.pop(action, None)
    if action != "list":
        reader.found["name"] = name
        if reader.found.pop("force_share", None):
            raise reader.refused(
                reader.at["force_share"], "an image that a guest has open cannot be changed"
            )
    return _called(f"{verb}.{action}", reader)


def _rebase(verb: str, reader: _Reader) -> ImageCommand:
    if "backing" not in reader.found:
        raise reader.refused(len(reader.text), "-b is missing: the file to stand on, or ''")
    reader.found["backing"] = reader.found["backing"] or None
    return _called(verb, reader)


def _bench(verb: str, reader: _Reader) -> ImageCommand:
    if reader.found.pop("native", False):
        reader.found.setdefault("aio", "native")
    return _called(verb, reader)


_READERS: dict[str, Callable[[str, _Reader], ImageCommand]] = {
    "info": _info,
    "create": _create,
    "convert": _convert,
    "measure": _measure,
    "snapshot": _snapshot,
    "rebase": _rebase,
    "bench": _bench,
}
