"""What a parser returns: the spec, and what a reader should know of the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.value import Value

__all__ = ["Kind", "Note", "Parsed"]

Kind = Literal["removed", "old", "mended", "kept", "changed", "default", "ignored"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
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


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Parsed(Value):
    """What a command line or an XML text describes.

    Parameters
    ----------
    text : what was read
    spec : the guest it describes
    notes : in the order of the text
    """

    text: str
    spec: DomainSpec
    notes: tuple[Note, ...] = ()
