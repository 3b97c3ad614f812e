"""Network cards as virt-install's ``--network``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from kvmnb.compile.piece import Piece
from kvmnb.compile.virt_install_words import Pairs, differing, joined, option, refused
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.netbacks import (
    VDE,
    Bridge,
    Dgram,
    Direct,
    HostNIC,
    LibvirtNetwork,
    Passt,
    Socket,
    Stream,
    Tap,
    VhostUser,
)
from kvmnb.spec.network import NIC, User

if TYPE_CHECKING:
    from kvmnb.spec.network import NetBack

__all__ = ["networks"]

_PLAIN = User()
_QEMU_ONLY = "it is QEMU's own; libvirt has no word for it"


def networks(spec: DomainSpec, more: dict[str, list[str]]) -> Iterator[Piece]:
    """Yield the options for all NICs, or that there is none: virt-install would add one."""
    for index, nic in enumerate(spec.nics):
        field = f"nics[{index}]"
        text = ",".join([_nic(nic, field), *more.get(field, ())])
        yield option(field, "--network", text)
    if not spec.nics:
        yield option("nics", "--network", "none")


def _nic(nic: NIC, field: str) -> str:
    hint = "libvirt names, and sets up, the device itself; QEMU takes it"
    differing(field, nic, {"vectors": None, "options": ()}, hint)
    slot, _, function = (nic.address or "").partition(".")
    has_place = nic.address is not None
    pairs: Pairs = [
        *_back(nic.back, nic, field),
        ("model", nic.model),
        ("mac", nic.mac),
        ("mtu.size", nic.mtu),
        ("link.state", None if nic.link else "down"),
        ("boot.order", nic.bootindex),
        ("alias.name", None if nic.name is None else f"ua-{nic.name}"),
        ("address.type", "pci" if has_place else None),
        ("address.slot", f"0x{slot}" if has_place else None),
        ("address.function", f"0x{function}" if function else None),
    ]
    return joined(None, pairs)


def _back(back: NetBack | None, nic: NIC, field: str) -> Pairs:
    queues: Pairs = (("driver.queues", nic.queues),)
    match back:
        case None:
            return (("type", "null"), *queues)
        case User():
            for name in User.__dataclass_fields__:
                if getattr(back, name) != getattr(_PLAIN, name):
                    hint = "libvirt's user network is QEMU's with its defaults"
                    refused(f"{field}.back.{name}", hint)
            return (("type", "user"), *queues)
        case Bridge():
            differing(f"{field}.back", back, {"helper": None}, "libvirt needs no helper")
            return (("bridge", back.name), *queues)
        case LibvirtNetwork():
            return (("network", back.name), ("source.portgroup", back.portgroup), *queues)
        case Direct():
            source = (("source", back.device), ("source.mode", back.mode))
            return (("type", "direct"), *source, *queues)
        case Tap():
            return _tap(back, nic, field)
        case Passt():
            # known to virt-install 5.0 and later
            return (
                ("type", "user"),
                ("backend.type", "passt"),
                ("source.dev", back.interface),
                *queues,
            )
        case VhostUser():
            return (
                ("type", "vhostuser"),
                ("source.type", "unix"),
                ("source.path", back.path),
                ("source.mode", "server" if back.server else "client"),
                *queues,
            )
        case HostNIC():
            return refused(f"{field}.back", f"give it as a host device: --hostdev {back.address}")
        case Socket() | Stream() | Dgram() | VDE():
            return refused(f"{field}.back", _QEMU_ONLY)
        case _:
            assert_never(back)


def _tap(back: Tap, nic: NIC, field: str) -> Pairs:
    hint = "libvirt's XML has it, virt-install has no option for it"
    none = {"script": None, "downscript": None, "fd": None, "vnet_hdr": None}
    differing(f"{field}.back", back, none, hint)
    if back.queues != nic.queues:
        refused(f"{field}.back.queues", "libvirt has one number for both: the NIC's queues too")
    driver = None if back.vhost is None else "vhost" if back.vhost else "qemu"
    return (
        ("type", "ethernet"),
        ("target.dev", back.ifname),
        ("driver.name", driver),
        ("driver.queues", nic.queues),
    )
