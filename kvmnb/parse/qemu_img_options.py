"""The options of qemu-img's verbs, and which argument of the typed call each stands for."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["OTHER_VERBS", "VERBS", "Kind", "Option", "Verb"]


class Kind(enum.Enum):
    """What an option takes, and what becomes of it."""

    SWITCH = enum.auto()
    TEXT = enum.auto()
    FILE = enum.auto()
    SIZE = enum.auto()
    NUMBER = enum.auto()
    PAIRS = enum.auto()
    QUIET = enum.auto()
    """Takes nothing and says nothing about the image: left out without a word."""

    LEFT_OUT = enum.auto()
    """Takes a value that changes the speed at most: left out with a note."""

    REFUSED = enum.auto()

    @property
    def takes_value(self) -> bool:
        """Whether a value follows."""
        return self not in (Kind.SWITCH, Kind.QUIET, Kind.REFUSED)


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Parameters
    ----------
    kind : what it takes
    means : the argument of the typed call; for one that is refused or left out, why
    """

    kind: Kind
    means: str = ""


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    Parameters
    ----------
    names : the arguments that stand without an option, in their order
    needed : how many of them there must be
    options : by their name
    """

    names: tuple[str, ...]
    needed: int
    options: Mapping[str, Option]


def _refused(why: str) -> Option:
    return Option(Kind.REFUSED, why)


_SPEED = Option(Kind.LEFT_OUT, "changes how fast it goes, not what comes of it")
_QUIET = Option(Kind.QUIET)
_OUTPUT = Option(Kind.LEFT_OUT, "the typed call returns values, which show themselves")
_FORMAT = Option(Kind.TEXT, "format")
_SHARE = Option(Kind.SWITCH, "force_share")
_OPTIONS = Option(Kind.PAIRS, "options")
_BACKING = {
    "-b": Option(Kind.FILE, "backing"),
    "-F": Option(Kind.TEXT, "backing_format"),
}

_EVERYWHERE = {
    "--object": _refused("there is no typed call for encrypted images"),
    "--image-opts": _refused("only files are used here; give the file's name alone"),
    "-h": _refused("see help(kvmnb.images.qemu_img)"),
    "--help": _refused("see help(kvmnb.images.qemu_img)"),
}


def _options(**groups: Mapping[str, Option]) -> dict[str, Option]:
    found = dict(_EVERYWHERE)
    for group in groups.values():
        found |= group
    return found


_READ = {
    "-f": _FORMAT,
    "-U": _SHARE,
    "--force-share": _SHARE,
    "--output": _OUTPUT,
}
_LONG = {"-p": _QUIET, "-q": _QUIET, "-t": _SPEED, "-T": _SPEED}

VERBS: Mapping[str, Verb] = {
    "info": Verb(
        ("path",), 1, _options(read=_READ, own={"--backing-chain": Option(Kind.SWITCH, "chain")})
    ),
    "create": Verb(
        ("path", "size"),
        1,
        _options(
            backing=_BACKING,
            own={
                "-f": _FORMAT,
                "-o": _OPTIONS,
                "-q": _QUIET,
                "-u": _refused("a backing file is always looked at"),
            },
        ),
    ),
    "convert": Verb(
        ("source", "target"),
        2,
        _options(
            long=_LONG,
            own={
                "-f": Option(Kind.TEXT, "source_format"),
                "-O": Option(Kind.TEXT, "target_format"),
                "-o": _OPTIONS,
                "-c": Option(Kind.SWITCH, "compress"),
                "-B": Option(Kind.FILE, "backing"),
                "-F": Option(Kind.TEXT, "backing_format"),
                "-l": Option(Kind.TEXT, "snapshot"),
                "-U": _SHARE,
                "--force-share": _SHARE,
                "-m": _SPEED,
                "-r": _SPEED,
                "-S": Option(Kind.LEFT_OUT, "what reads as zeroes is left out, by the 4 KiB"),
                "-W": _QUIET,
                "-C": _QUIET,
                "-n": _refused("a target that is there already is never written to"),
                "--target-image-opts": _EVERYWHERE["--image-opts"],
                "--target-is-zero": _refused("a target is always a new file"),
                "--bitmaps": _refused("there is no typed call for dirty bitmaps"),
                "--salvage": _refused("a source that cannot be read is an error here"),
            },
        ),
    ),
    "resize": Verb(
        ("path", "size"),
        2,
        _options(
            own={
                "-f": _FORMAT,
                "-q": _QUIET,
                "--shrink": Option(Kind.SWITCH, "shrink"),
                "--preallocation": Option(Kind.TEXT, "preallocation"),
            }
        ),
    ),
    "snapshot": Verb(
        ("path",),
        1,
        _options(
            own={
                "-l": Option(Kind.SWITCH, "list"),
                "-c": Option(Kind.TEXT, "create"),
                "-a": Option(Kind.TEXT, "apply"),
                "-d": Option(Kind.TEXT, "delete"),
                "-f": _FORMAT,  # since QEMU 10.1
                "-U": _SHARE,
                "--force-share": _SHARE,
                "-q": _QUIET,
            }
        ),
    ),
    "rebase": Verb(
        ("path",),
        1,
        _options(
            backing=_BACKING,
            long=_LONG,
            own={
                "-f": _FORMAT,
                "-u": Option(Kind.SWITCH, "unsafe"),
                "-c": _refused("there is no typed call that compresses while it rebases"),
                "-U": _refused("an image that a guest has open cannot be changed"),
            },
        ),
    ),
    "commit": Verb(
        ("path",),
        1,
        _options(
            long=_LONG,
            own={
                "-f": _FORMAT,
                "-b": Option(Kind.FILE, "base"),
                "-d": Option(Kind.SWITCH, "keep"),
                "-r": _SPEED,
            },
        ),
    ),
    "check": Verb(
        ("path",),
        1,
        _options(read=_READ, own={"-r": Option(Kind.TEXT, "repair"), "-q": _QUIET, "-T": _SPEED}),
    ),
    "map": Verb(
        ("path",),
        1,
        _options(
            read=_READ,
            own={
                "--start-offset": Option(Kind.SIZE, "start"),
                "-s": Option(Kind.SIZE, "start"),
                "--max-length": Option(Kind.SIZE, "length"),
                "-l": Option(Kind.SIZE, "length"),
            },
        ),
    ),
    "measure": Verb(
        ("path",),
        0,
        _options(
            read=_READ,
            own={
                "-O": Option(Kind.TEXT, "target_format"),
                "-o": _OPTIONS,
                "--size": Option(Kind.SIZE, "size"),
                "-l": _refused("there is no typed call that measures a snapshot"),
            },
        ),
    ),
    "bench": Verb(
        ("path",),
        1,
        _options(
            own={
                "-f": _FORMAT,
                "-c": Option(Kind.NUMBER, "requests"),
                "-d": Option(Kind.NUMBER, "depth"),
                "-s": Option(Kind.SIZE, "buffer"),
                "-S": Option(Kind.SIZE, "step"),
                "-o": Option(Kind.SIZE, "offset"),
                "--pattern": Option(Kind.NUMBER, "pattern"),
                "-w": Option(Kind.SWITCH, "write"),
                "-t": Option(Kind.TEXT, "cache"),
                "-n": Option(Kind.SWITCH, "native"),
                "-i": Option(Kind.TEXT, "aio"),
                "-q": _QUIET,
                "-U": _SHARE,
                "--force-share": _SHARE,
                "--flush-interval": _refused("there is no typed call that flushes in between"),
                "--no-drain": _refused("there is no typed call that flushes in between"),
            }
        ),
    ),
}

OTHER_VERBS = ("amend", "bitmap", "compare", "dd")
"""What qemu-img has beyond these."""
