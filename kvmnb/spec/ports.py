"""Further character devices: parallel ports, virtio consoles and channels, monitors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.chardev import Private, check_back
from kvmnb.spec.value import Value

if TYPE_CHECKING:
    from kvmnb.spec.chardev import CharBack

__all__ = ["Channel", "Console", "Monitor", "Parallel"]

CHANNEL_NAME_LIMIT = 63
"""Characters of a virtio-serial port's name that a guest sees (virtio specification, 5.3)."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Parallel(Value):
    """A parallel port; the first is the guest's ``lp0``."""

    back: CharBack = Private()

    def __post_init__(self) -> None:
        check_back("parallel", self.back)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Console(Value):
    """A virtio console; the first is the guest's ``hvc0``."""

    back: CharBack = Private()

    def __post_init__(self) -> None:
        check_back("console", self.back)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Channel(Value):
    """A virtio-serial port that the guest finds by its name, below ``/dev/virtio-ports``."""

    name: str
    back: CharBack = Private()

    def __post_init__(self) -> None:
        name = validate.text("channel", self.name)
        if not name or not name.isprintable() or len(name) > CHANNEL_NAME_LIMIT:
            raise SpecError(
                "channel", name, f"a name has 1 to {CHANNEL_NAME_LIMIT} printable characters"
            )
        if name == "org.qemu.guest_agent.0" and isinstance(self.back, Private):
            raise SpecError("channel", name, "is the guest agent's: use agent=True")
        check_back("channel.back", self.back)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Monitor(Value):
    """A monitor of QEMU's, besides those that the engine keeps for itself.

    Parameters
    ----------
    back : where it can be reached
    mode : ``hmp`` for people, ``qmp`` for programs
    """

    back: CharBack = Private()
    mode: Literal["hmp", "qmp"] = "hmp"

    def __post_init__(self) -> None:
        check_back("monitor", self.back)
        validate.choice("monitor.mode", self.mode, ("hmp", "qmp"))
