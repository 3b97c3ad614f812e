"""Doors through user-mode networking: from the host into the guest, and the other way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["Forward", "GuestForward"]

PROTOCOLS = ("tcp", "udp")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Forward(Value):
    """A port of the host that leads into the guest (QEMU manual, ``hostfwd=``).

    Parameters
    ----------
    host_port : on the host
    guest_port : in the guest
    protocol : ``"tcp"`` or ``"udp"``
    host_address : where it listens; QEMU itself would listen on every address
    guest_address : ``None`` for the first address that DHCP gives out
    """

    host_port: int
    guest_port: int
    protocol: Literal["tcp", "udp"] = "tcp"
    host_address: str = "127.0.0.1"
    guest_address: str | None = None

    def __post_init__(self) -> None:
        validate.port("nic.hostfwd", self.host_port)
        validate.port("nic.hostfwd", self.guest_port)
        validate.choice("nic.hostfwd", self.protocol, PROTOCOLS)
        validate.host("nic.hostfwd", self.host_address)
        validate.optional(validate.host, "nic.hostfwd", self.guest_address)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class GuestForward(Value):
    """An address of the guest's network that leads to the host (QEMU manual, ``guestfwd=``).

    Parameters
    ----------
    address, port : where the guest connects to; an address of the user network
    target : ``"tcp:127.0.0.1:7"``, or ``"cmd:PROGRAM"``, which QEMU runs for each connection
    """

    address: str
    port: int
    target: str

    def __post_init__(self) -> None:
        validate.host("nic.guestfwd", self.address)
        validate.port("nic.guestfwd", self.port)
        if not validate.text("nic.guestfwd", self.target):
            raise SpecError("nic.guestfwd", self.target, "must name what it leads to")
