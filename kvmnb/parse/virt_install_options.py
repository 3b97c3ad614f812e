"""virt-install's options: which there are, and which of them the words of a line are."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kvmnb.errors import ParseError
from kvmnb.parse.result import Note
from kvmnb.parse.words import Word
from kvmnb.spec.value import Value

__all__ = ["Given", "read"]

Takes = Literal["value", "nothing", "perhaps"]

_VALUED = (
    *("name", "memory", "ram", "vcpus", "cpu", "metadata", "xml", "uuid", "description"),
    *("cdrom", "location", "extra-args", "initrd-inject", "install", "reinstall", "boot"),
    *("init", "idmap", "os-variant", "osinfo", "os-type", "disk", "network", "graphics"),
    *("controller", "input", "serial", "parallel", "channel", "console", "hostdev"),
    *("host-device", "filesystem", "soundhw", "audio", "watchdog", "video", "smartcard"),
    *("redirdev", "memballoon", "tpm", "rng", "panic", "shmem", "memdev", "vsock", "iommu"),
    *("iothreads", "seclabel", "security", "keywrap", "cputune", "numatune", "memtune"),
    *("blkiotune", "memorybacking", "features", "clock", "pm", "events", "resource"),
    *("sysinfo", "qemu-commandline", "launchSecurity", "launchsecurity", "file", "file-size"),
    *("bridge", "mac", "vncport", "vnclisten", "keymap", "virt-type", "arch", "machine"),
    *("autoconsole", "check", "connect", "cpuset"),
)
_BARE = (
    *("pxe", "import", "livecd", "nonsparse", "nodisks", "nonetworks", "vnc", "sdl"),
    *("nographics", "hvm", "paravirt", "container", "accelerate", "noapic", "noacpi"),
    *("autostart", "transient", "destroy-on-exit", "noautoconsole", "noreboot", "force"),
    *("dry-run", "debug", "quiet", "prompt", "check-cpu", "help", "version"),
)
_PERHAPS = ("sound", "unattended", "cloud-init", "wait", "print-xml", "print-step")

OPTIONS: dict[str, Takes] = {
    **{f"--{name}": "value" for name in _VALUED},
    **{f"--{name}": "nothing" for name in _BARE},
    **{f"--{name}": "perhaps" for name in _PERHAPS},
}
"""The long options, those of old versions included, and whether a value follows."""

SHORT = {
    "-n": "--name", "-r": "--ram", "-u": "--uuid", "-c": "--cdrom", "-l": "--location",
    "-x": "--extra-args", "-f": "--file", "-s": "--file-size", "-w": "--network",
    "-b": "--bridge", "-m": "--mac", "-k": "--keymap", "-v": "--hvm", "-p": "--paravirt",
    "-q": "--quiet", "-d": "--debug", "-h": "--help",
}  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Given(Value):
    """One option of a line.

    Parameters
    ----------
    name : in full, such as ``--network``
    written : as it stands in the line
    word : that it stands in
    value : ``None`` where there is none
    home : the word that the value stands in
    offset : index into that word of the value's first character
    """

    name: str
    written: str
    word: Word
    value: str | None = None
    home: Word
    offset: int = 0

    @property
    def position(self) -> int:
        """Where the option stands in the text."""
        return self.word.position

    def at(self, index: int) -> int:
        """Return where the character `index` of the value stands in the text."""
        return self.home.at(self.offset + index)


def read(text: str, words: Sequence[Word], notes: list[Note]) -> list[Given]:
    """Return the options that `words` are, as Python's argparse reads them for virt-install.

    Raises
    ------
    ParseError   an option that there is none of, that fits several, or that lacks its value
    """
    given: list[Given] = []
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word.text.startswith("--"):
            written, sign, tied = word.text.partition("=")
            name = _long(text, written, word, notes)
            offset = len(written) + 1
        elif word.text.startswith("-") and len(word.text) > 1:
            index -= 1
            index = _short(text, words, index, given)
            continue
        else:
            if not word.text.strip():
                continue
            raise ParseError(text, word.position, _stray(word, given))
        takes = OPTIONS[name]
        if sign:
            if takes == "nothing":
                raise ParseError(text, word.at(offset - 1), f"{name} takes no value")
            given.append(
                Given(name=name, written=written, word=word, value=tied, home=word, offset=offset)
            )
            continue
        follows = words[index] if index < len(words) else None
        if takes == "nothing" or (takes == "perhaps" and not _is_value(follows)):
            given.append(Given(name=name, written=written, word=word, home=word))
            continue
        if follows is None or not _is_value(follows):
            raise ParseError(text, word.position, f"{name} needs a value")
        index += 1
        given.append(Given(name=name, written=written, word=word, value=follows.text, home=follows))
    return given


def _is_value(word: Word | None) -> bool:
    """Return whether argparse would take a word for an option's value."""
    if word is None:
        return False
    return not word.text.startswith("-") or word.text == "-" or " " in word.text or _number(word)


def _number(word: Word) -> bool:
    return word.text[1:].replace(".", "", 1).isdecimal()


def _long(text: str, written: str, word: Word, notes: list[Note]) -> str:
    if written in OPTIONS:
        return written
    mended = written.replace("_", "-")
    if mended in OPTIONS:
        _mend(notes, word, written, f"it is written {mended}")
        return mended
    fitting = [name for name in OPTIONS if len(mended) > 2 and name.startswith(mended)]
    if len(fitting) == 1:
        _mend(notes, word, written, f"short for {fitting[0]}, as long as no other begins so")
        return fitting[0]
    if fitting:
        raise ParseError(text, word.position, f"{written} could be {', '.join(fitting)}")
    near = difflib.get_close_matches(mended.lower()[:40], OPTIONS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ParseError(text, word.position, f"virt-install has no option {written[:40]!r}{hint}")


def _mend(notes: list[Note], word: Word, written: str, message: str) -> None:
    notes.append(Note(position=word.position, text=written, kind="mended", message=message))


def _short(text: str, words: Sequence[Word], index: int, given: list[Given]) -> int:
    """Read ``-n NAME``, ``-nNAME``, ``-n=NAME`` or ``-vd``; return the index behind it."""
    word, letters = words[index], 1
    index += 1
    while letters < len(word.text):
        written = "-" + word.text[letters]
        name = SHORT.get(written)
        if name is None:
            known = " ".join(sorted(SHORT))
            reason = f"virt-install has no option {written!r}; short ones are {known}"
            raise ParseError(text, word.at(letters), reason)
        letters += 1
        if OPTIONS[name] == "nothing":
            given.append(Given(name=name, written=written, word=word, home=word))
            continue
        if letters < len(word.text):
            offset = letters + word.text.startswith("=", letters)
            value, home = word.text[offset:], word
        elif index < len(words) and _is_value(words[index]):
            value, home, offset = words[index].text, words[index], 0
            index += 1
        else:
            raise ParseError(text, word.position, f"{written} needs a value")
        given.append(
            Given(name=name, written=written, word=word, value=value, home=home, offset=offset)
        )
        break
    return index


def _stray(word: Word, given: list[Given]) -> str:
    if given and given[-1].value is not None:
        return f"{given[-1].name} has its value already; quote a value that has spaces"
    return f"virt-install takes options only; {word.text[:40]!r} belongs to none"
