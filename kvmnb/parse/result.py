"""What a parser returns: the spec, and what a reader should know of the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.value import Value

if TYPE_CHECKING:
    from kvmnb.compile.virt_install import Invocation

__all__ = ["HostCommand", "Kind", "MonitorCommand", "Note", "Parsed", "Query"]

Kind = Literal["removed", "old", "mended", "kept", "changed", "default", "ignored"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Note(Value):
    """Something that a reader should know of a text that was read.

    Parameters
    ----------
    position : index into the text, in characters, of what it is about
    text : the word or element that it is about, as written
    kind : ``removed``: today's program refuses it; ``old``: it still works, and is written in
        another way today; ``mended``: a slip that was put right; ``kept``: no field stands for
        it, and it stays verbatim; ``changed``: it means something else here, and why;
        ``default``: the text does not say it, the program does it all the same;
        ``ignored``: it has no effect on the guest
    message : one sentence: what it meant, since when it is gone, what it is today
    """

    position: int
    text: str
    kind: Kind
    message: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Parsed(Value):
    """What a command line or an XML text describes.

    Parameters
    ----------
    text : what was read
    spec : the guest it describes
    notes : in the order of the text
    invocation : how virt-install is run, which is what the rest of its lines says; ``None`` for
        other texts
    """

    text: str
    spec: DomainSpec
    notes: tuple[Note, ...] = ()
    invocation: Invocation | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Query(Value):
    """A line that asks QEMU for a list, and runs no guest.

    Parameters
    ----------
    what : ``machines cpus nics devices netdevs chardevs accelerators displays objects audio``,
        ``version``, ``help`` or ``other``
    text : what was read
    position : index into the text, in characters, of the option that asks
    """

    what: str
    text: str
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class MonitorCommand(Value):
    """A command for QEMU's monitor.

    Parameters
    ----------
    text : what was read
    verb : its first word, such as ``info`` or ``migrate``
    args : the words after it
    qmp : the command of QMP's that does the same; ``None`` where none does alone
    qmp_args : that command's arguments, as ``(name, value)``
    """

    text: str
    verb: str
    args: tuple[str, ...] = ()
    qmp: str | None = None
    qmp_args: tuple[tuple[str, str | int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class HostCommand(Value):
    """A command for the host itself, which is shown and never run from here.

    Parameters
    ----------
    text : what was read
    words : the program and its arguments
    notes : what was mended
    """

    text: str
    words: tuple[str, ...]
    notes: tuple[Note, ...] = ()
