"""Serial ports, and the private back end that they have unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kvmnb.spec import validate
from kvmnb.spec.value import Value

if TYPE_CHECKING:
    from kvmnb.spec.charbacks import OpenBack

__all__ = ["Private", "Serial"]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Private(Value):
    """What the engine keeps to itself: a socket in the guest's run folder, or libvirt's pty.

    It is what a notebook's console opens, in place of a terminal of ours (``stdio``) or one that
    somebody would have to find (``pty``).
    """


if TYPE_CHECKING:
    CharBack = Private | OpenBack


def check_back(field: str, back: object) -> None:
    """Refuse `back` unless it is the back half of a character device."""
    if not isinstance(back, Private):
        from kvmnb.spec.charbacks import OPEN_BACKS

        validate.kind(field, back, Private, *OPEN_BACKS)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Serial(Value):
    """A serial port; the first is the guest's ``ttyS0``.

    Parameters
    ----------
    back : where its other end is
    model : ``isa``, ``pci`` or ``usb``
    """

    back: CharBack = Private()
    model: Literal["isa", "pci", "usb"] = "isa"

    def __post_init__(self) -> None:
        check_back("serial", self.back)
        validate.choice("serial.model", self.model, ("isa", "pci", "usb"))
