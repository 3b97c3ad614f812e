"""Network cards: the front that the guest sees, the back that carries its frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

if TYPE_CHECKING:
    from kvmnb.spec.forwards import Forward, GuestForward
    from kvmnb.spec.netbacks import HostBack

__all__ = ["NIC", "User"]


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class User(Value):
    """QEMU's built-in user-mode network (SLIRP): needs no rights, hides the guest behind NAT.

    Parameters
    ----------
    network : the guest's network, such as ``"10.0.2.0/24"``
    host, dns : what the gateway and the name server are called in it
    dhcpstart : the first of the 16 addresses that are given out
    hostname : what the guest is told its name is
    domain : what the guest is told its domain is
    search : domains that the guest shall search
    tftp : a folder that is served by TFTP
    bootfile : the file of it that a guest shall start from
    smb : a folder that is served by SMB, where the host has Samba
    forwards : ports of the host that lead into the guest
    guest_forwards : addresses of the network that lead to something on the host
    restricted : the guest reaches nothing but the network's own services
    ipv4, ipv6 : whether it carries them; ``None`` for QEMU's default, which is both
    """

    network: str | None = None
    host: str | None = None
    dhcpstart: str | None = None
    dns: str | None = None
    hostname: str | None = None
    domain: str | None = None
    search: tuple[str, ...] = ()
    tftp: str | None = None
    bootfile: str | None = None
    smb: str | None = None
    forwards: tuple[Forward, ...] = ()
    guest_forwards: tuple[GuestForward, ...] = ()
    restricted: bool = False
    ipv4: bool | None = None
    ipv6: bool | None = None

    def __post_init__(self) -> None:
        for field in ("host", "dhcpstart", "dns", "hostname", "domain"):
            validate.optional(validate.host, f"nic.{field}", getattr(self, field))
        if self.network is not None:
            network = validate.text("nic.network", self.network)
            if "/" not in network:
                raise SpecError("nic.network", network, "write it with its size: 10.0.2.0/24")
            validate.host("nic.network", network.replace("/", "."))
        for domain in validate.texts("nic.search", self.search):
            validate.host("nic.search", domain)
        for field in ("tftp", "bootfile", "smb"):
            validate.optional(validate.path, f"nic.{field}", getattr(self, field))
        validate.parts("nic.forwards", self.forwards, "forwards", "Forward")
        validate.parts("nic.guest_forwards", self.guest_forwards, "forwards", "GuestForward")
        validate.switch("nic.restricted", self.restricted)
        validate.optional(validate.switch, "nic.ipv4", self.ipv4)
        validate.optional(validate.switch, "nic.ipv6", self.ipv6)


if TYPE_CHECKING:
    NetBack = User | HostBack


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class NIC(Value):
    """A network card as the guest sees it, and the back end that carries its frames.

    Parameters
    ----------
    model : ``"virtio"`` or another word of `kvmnb.compile.nics.NIC_MODELS`
    back : where the frames go; ``None`` for a card whose cable hangs loose
    mac : six octets; ``None`` lets the host derive one under 52:54:00 that no guest of its
        own bears
    name : what the monitor calls it; ``None`` for ``net0``, ``net1`` and so on
    address : its place on the PCI bus, such as ``"5"`` or ``"5.0"``, in hexadecimal
    vectors : MSI-X vectors of a virtio card; 0 switches MSI-X off
    queues : pairs of queues of a virtio card
    mtu : that the guest is told, in bytes
    bootindex : its turn among the devices that the firmware tries, from 1
    link : whether the cable is plugged in at the start
    options : further properties of QEMU's front device, as ``(name, value)``
    """

    model: str = "virtio"
    back: NetBack | None = User()
    mac: str | None = None
    name: str | None = None
    address: str | None = None
    vectors: int | None = None
    queues: int | None = None
    mtu: int | None = None
    bootindex: int | None = None
    link: bool = True
    options: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        validate.text("nic.model", self.model)
        if self.back is not None and not isinstance(self.back, User):
            from kvmnb.spec.netbacks import HOST_BACKS

            validate.kind("nic.back", self.back, User, *HOST_BACKS)
        if self.mac is not None:
            object.__setattr__(self, "mac", validate.mac("nic.mac", self.mac))
        if self.name is not None:
            validate.word("nic.name", self.name)
        if self.address is not None and not _ADDRESS.fullmatch(
            validate.text("nic.address", self.address)
        ):
            raise SpecError("nic.address", self.address, "a slot is 0 to 1f, its function 0 to 7")
        if self.vectors is not None:
            validate.number("nic.vectors", self.vectors, 0, 2048)
        if self.queues is not None:
            validate.positive("nic.queues", self.queues, 256)
        if self.mtu is not None:
            validate.number("nic.mtu", self.mtu, 68, 65535)
        if self.bootindex is not None:
            validate.positive("nic.bootindex", self.bootindex, 1 << 30)
        validate.switch("nic.link", self.link)
        validate.pairs("nic.options", self.options)


_ADDRESS = re.compile(r"[01]?[0-9a-f](\.[0-7])?", re.ASCII)
