"""QEMU's command lines, of any age, as specs: ``qemu-kvm -m 128 -hda disk.img``.

What no field stands for stays verbatim in `DomainSpec.extra_args`. Where such an option refers to
something that became a field, by an id, the reference is written anew with the id that
`kvmnb.compile.qemu` gives it (``disk0``, ``net0``, ``cd0``), so that the guest comes out the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kvmnb.errors import ParseError
from kvmnb.parse.qemu_draft import Draft, suggestion
from kvmnb.parse.qemu_names import NAMES, OLD, REMOVED
from kvmnb.parse.qemu_settle import settle
from kvmnb.parse.qemu_tables import HANDLERS, IGNORED
from kvmnb.parse.result import Note, Parsed, Query
from kvmnb.parse.words import Word, joined, split

__all__ = ["parse_qemu", "program", "query"]


class Program(NamedTuple):
    """A QEMU binary: its name without a path, and the processors that it emulates."""

    name: str
    arch: str


_SYSTEM = re.compile(r"qemu-system-([a-z0-9_]+)")
_ARCHES = {"x86_64", "i386", "aarch64", "arm", "riscv64", "riscv32", "ppc64", "ppc", "s390x"}


def program(word: Word) -> Program | None:
    """Return the QEMU that a command's first word is; ``None`` for any other program."""
    name = word.text.rpartition("/")[2]
    if name in {"qemu", "kvm", "qemu-kvm", "qemu-system"}:
        return Program(name, "x86_64")
    found = _SYSTEM.fullmatch(name)
    return None if found is None else Program(name, found.group(1))


def parse_qemu(line: str | Sequence[str]) -> Parsed:
    """Return the guest that a command line, or an argument list, describes.

    Raises
    ------
    ParseError   it is no QEMU line, QEMU would refuse it, or it only asks QEMU for a list
    """
    text = line if isinstance(line, str) else joined(line)
    words, notes = split(text)
    return parse_words(text, words, notes)


def parse_words(text: str, words: tuple[Word, ...], notes: tuple[Note, ...]) -> Parsed:
    """Return the guest that a line, split already, describes.

    Raises
    ------
    ParseError   as `parse_qemu` does
    """
    if not words:
        raise ParseError(text, 0, "there is no command in it")
    binary = program(words[0])
    if binary is None:
        told = f"{words[0].text[:40]!r} is no QEMU: qemu-kvm, qemu-system-x86_64, …"
        raise ParseError(text, words[0].position, told)
    if binary.arch not in _ARCHES:
        near = suggestion(binary.arch, _ARCHES)
        told = f"no kvmnb guest has processors of {binary.arch[:40]!r}: {near}".rstrip(": ")
        raise ParseError(text, words[0].position, told)
    if (asked := query(text, words)) is not None:
        told = f"this asks QEMU for a list, which {_TABLES[asked.what]} has as a table"
        raise ParseError(text, asked.position, told)
    draft = Draft(text, words[0])
    draft.notes.extend(notes)
    if binary.arch == "i386":
        draft.said.add("32 bits")
    elif binary.arch != "x86_64":
        draft.fields["arch"] = binary.arch
    draft.run_dir = _run_dir(words)
    _options(draft, words)
    spec = settle(draft, binary.name)
    return Parsed(text=text, spec=spec, notes=tuple(sorted(draft.notes, key=_position)))


def _position(note: Note) -> int:
    return note.position


_OWN = re.compile(r"socket,id=qmp,path=((?:[^,]|,,)*)/qmp\.sock,server=on,wait=off")


def _run_dir(words: tuple[Word, ...]) -> str | None:
    """Return the run folder of the engine that wrote the line; ``None`` if none did."""
    for word in words:
        if word.text.startswith("socket,id=qmp,") and (found := _OWN.fullmatch(word.text)):
            return found.group(1).replace(",,", ",")
    return None


# ---- option by option


def _options(draft: Draft, words: tuple[Word, ...]) -> None:
    index, screen = 1, False
    while index < len(words):
        option = words[index]
        if screen and not _engine_end(words, index):
            _verbatim(draft, words[index:])
            return
        index += 1
        if not option.text.startswith("-") or option.text == "-":
            _image(draft, option)
            continue
        name = _name(draft, option)
        value = None
        if NAMES[name]:
            if index == len(words):
                raise draft.refused(option.position, f"-{name} is followed by a value")
            value = words[index]
            index += 1
        _one(draft, name, option, value)
        screen = screen or (draft.run_dir is not None and name == "display")


_END = {"-vnc", "-spice", "-k", "-S", "-incoming"}
_OWN_SECRET = re.compile(r"secret,id=(?:vnc\d*|spice)-secret,file=")


def _engine_end(words: tuple[Word, ...], index: int) -> bool:
    """Whether the engine's own part of its line goes on: after the screen comes what was kept."""
    option = words[index].text
    value = words[index + 1].text if index + 1 < len(words) else ""
    if option == "-device":
        return re.search(r",id=video\d+(,|\Z)", value) is not None
    return option in _END or (option == "-object" and _OWN_SECRET.match(value) is not None)


def _verbatim(draft: Draft, words: Sequence[Word]) -> None:
    for word in words:
        draft.kept.append((word.position, (word.text,)))
    text = " ".join(word.text for word in words)
    told = "no field stands for it; QEMU gets it as it is"
    draft.note(words[0].position, text, "kept", told)


_MEANT = {
    "mem": "m", "memory": "m", "ram": "m", "cpus": "smp", "vcpus": "smp", "disk": "hda",
    "iso": "cdrom", "network": "nic", "kvm": "enable-kvm",
}  # fmt: skip
"""What people write who know what they want, and not what QEMU calls it."""


def _name(draft: Draft, option: Word) -> str:
    """Return an option's name as QEMU's list has it.

    Raises
    ------
    ParseError   QEMU never had it, or it is written in a way that QEMU does not know
    """
    name = option.text.removeprefix("-").removeprefix("-")
    if name in NAMES:
        return name
    head, equals, rest = name.partition("=")
    if equals and head in NAMES:
        told = f"QEMU wants a space, not an equals sign: -{head} {rest[:40]}"
        raise draft.refused(option.at(len(option.text) - len(rest) - 1), told)
    meant = _MEANT.get(name.lower(), name)
    near = suggestion(meant, NAMES).replace("did you mean '", "did you mean '-")
    raise draft.refused(
        option.position, f"QEMU has no option {option.text[:40]!r}; {near}".rstrip("; ")
    )


def _one(draft: Draft, name: str, option: Word, value: Word | None) -> None:
    if name in REMOVED:
        from kvmnb.parse.qemu_old import removed

        removed(draft, option, value)
        return
    if name in OLD:
        version, today = OLD[name]
        told = f"-{name} is gone from QEMU {version}" + (f"; there: {today}" if today else "")
        draft.note(option.position, option.text, "old", told)
    if name in IGNORED and draft.run_dir is None:
        draft.ignore(option, value, IGNORED[name])
        return
    handler: Callable[[Draft, Word, Word], None] | None = HANDLERS.get(name)
    if handler is None:
        if name not in {"nodefaults", "no-user-config", "sandbox"}:
            draft.keep(option, value)
        elif name == "nodefaults":
            draft.said.add("nodefaults")
        elif draft.run_dir is None:
            draft.ignore(option, value, "the engine gives it to every guest, or its own")
        return
    handler(draft, option, value)  # type: ignore[arg-type]


def _image(draft: Draft, word: Word) -> None:
    """A word that belongs to no option is the first hard disk's image."""
    if not word.text:
        raise draft.refused(word.position, "an empty word is no image")
    if word.text.strip("[]") in {"...", "....", "\u2026"}:
        draft.note(word.position, word.text, "ignored", "it stands for options that are not shown")
        return
    if "image" in draft.said:
        told = "a second word without an option; the first one is the disk image already"
        raise draft.refused(word.position, told)
    draft.said.add("image")
    from kvmnb.parse.qemu_drives import short_drive

    short_drive(draft, Word("-hda", word.position, word.position), word)


# ---- lists that QEMU is asked for

_TABLES = {
    "machines": "host.machines",
    "cpus": "host.cpus",
    "nics": "host.nics",
    "devices": "host.devices",
    "version": "the repr of Host()",
    "help": "the manual of QEMU; for one option, layers() of a guest,",
    "netdevs": "the repr of Host()",
    "chardevs": "the repr of Host()",
    "accelerators": "the repr of Host()",
    "displays": "the repr of Host()",
    "objects": "host.devices",
    "audio": "the repr of Host()",
    "other": "the manual of QEMU",
}

_LISTS = {
    "M": "machines", "machine": "machines", "cpu": "cpus", "device": "devices", "nic": "nics",
    "net": "nics", "netdev": "netdevs", "chardev": "chardevs", "accel": "accelerators",
    "display": "displays", "object": "objects", "audiodev": "audio", "audio": "audio",
    "soundhw": "audio", "watchdog": "devices", "vga": "devices", "tpmdev": "devices",
    "d": "other", "trace": "other", "drive": "other", "global": "other",
}  # fmt: skip
_MODEL = re.compile(r"(?:nic|user|tap|bridge|socket)?,?(?:.*,)?model=(\?|help)", re.DOTALL)


def query(text: str, words: tuple[Word, ...]) -> Query | None:
    """Return what a line asks QEMU to list, in place of running a guest; ``None`` if nothing."""
    index = 1
    while index < len(words):
        option = words[index]
        name = option.text.removeprefix("-").removeprefix("-")
        index += 1
        if not option.text.startswith("-") or name not in NAMES:
            continue
        if name in {"version", "h", "help", "audio-help"}:
            what = {"version": "version", "audio-help": "audio"}.get(name, "help")
            return Query(what=what, text=text, position=option.position)
        if name == "dump-vmstate":  # QEMU writes the list and ends
            return Query(what="other", text=text, position=option.position)
        if not NAMES[name] or index == len(words):
            continue
        value = words[index]
        index += 1
        asked = value.text in {"?", "help"} or value.text.endswith((",?", ",help"))
        asked = asked or (name in {"net", "nic"} and _MODEL.fullmatch(value.text) is not None)
        if name == "device" and re.fullmatch(r"[\w.-]+,(\?|help)", value.text):
            asked = True
        if asked and name in _LISTS:
            return Query(what=_LISTS[name], text=text, position=option.position)
    return None
