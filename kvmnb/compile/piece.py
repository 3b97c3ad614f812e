"""One piece of a compiled text, with the field of the spec that it speaks of."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Half", "Piece"]

Half = Literal["front", "back", ""]


class Piece(NamedTuple):
    """A few words of a command, or one element of XML, that mean one thing.

    The three compilers yield pieces, and their texts are made of these alone. So whatever bears
    the same `field` in two of the texts is the same thing in two languages.

    Parameters
    ----------
    field : of the spec: ``"memory"``, ``"disks[0]"``, ``"nics[1]"``; ``"runtime"`` for what the
        engine adds for itself
    half : of a device: what the guest sees, or what the host provides; ``""`` for what has none
    words : the option and its value, or one element's text
    """

    field: str
    half: Half
    words: tuple[str, ...]
