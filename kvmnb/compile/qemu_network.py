"""Network cards as -netdev (the back) and -device (the front)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kvmnb.compile.nics import nic_device
from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.piece import Piece
from kvmnb.compile.qemu_layout import Layout
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.network import NIC, User

if TYPE_CHECKING:
    from kvmnb.compile.qemu_netbacks import Spawned

__all__ = ["cards", "spawns"]

_PLAIN = User()

_OWN_KEYS = frozenset({"id", "netdev", "mac", "addr", "vectors", "mq", "host_mtu", "bootindex"})


def spawns(spec: DomainSpec) -> frozenset[Spawned]:
    """Return which kinds of programs QEMU itself has to start for `spec`: most guests need none.

    Its sandbox would end it at the attempt (QEMU manual, -sandbox spawn= and elevateprivileges=).
    """
    found: set[Spawned] = set()
    if spec.incoming is not None and spec.incoming.startswith("exec:"):
        found.add("plain")
    for nic in spec.nics:
        if nic.back is not None and nic.back != _PLAIN:
            from kvmnb.compile.qemu_netbacks import spawns_for

            found |= spawns_for(nic.back)
    if spec.extra_args:
        from kvmnb.compile.qemu_netbacks import spawns_kept

        found |= spawns_kept(spec.extra_args)
    return frozenset(found)


def card_name(index: int, nic: NIC) -> str:
    """Return what QEMU calls a card, and its back."""
    return nic.name or f"net{index}"


def cards(spec: DomainSpec, layout: Layout) -> Iterator[Piece]:
    """Yield the options for all network cards of `spec`."""
    for index, (nic, mac) in enumerate(zip(spec.nics, layout.runtime.macs, strict=True)):
        field, id = f"nics[{index}]", card_name(index, nic)
        if nic.name is not None and not _well_formed(nic.name):
            reason = "QEMU's names start with a letter and hold letters, digits and '-._' only"
            raise SpecError("nic.name", nic.name, reason)
        if not nic.link:
            hint = f"no option of QEMU's says so; once the guest runs: set_link {id} off"
            raise Unsupported("qemu", f"{field}.link", hint)
        if (nic.queues or 1) > 1 and type(nic.back).__name__ not in {"Tap", "VhostUser"}:
            hint = "only a tap and a switch of vhost-user have more queues than one pair"
            raise Unsupported("qemu", f"{field}.queues", hint)
        if nic.back == _PLAIN:
            yield Piece(field, "back", ("-netdev", str(Opts("user", id=id))))
        elif nic.back is not None:
            from kvmnb.compile import qemu_netbacks

            if qemu_netbacks.passed_through(nic.back):
                yield qemu_netbacks.host_card(nic, field, id, layout)
                continue
            yield from qemu_netbacks.netdev(nic, field, id, layout)
        netdev = None if nic.back is None else id
        yield layout.device(
            field, nic_device(nic.model), _front(nic, field), id=id, netdev=netdev, mac=mac
        )


def _well_formed(name: str) -> bool:
    return name[0].isalpha() and name.isascii() and not set(name) & set(":+")


def _front(nic: NIC, field: str) -> dict[str, Value]:
    virtio = nic.model.startswith("virtio")
    for name in ("vectors", "queues", "mtu"):
        if getattr(nic, name) is not None and not virtio:
            raise Unsupported("qemu", f"{field}.{name}", "only a virtio card has it to set")
    for key, _ in nic.options:
        if key in _OWN_KEYS:
            raise SpecError("nic.options", key, "has a field of its own, or is the compiler's")
    vectors = nic.vectors
    if vectors is None and nic.queues is not None:
        # one for each queue of a pair, one for the control queue, one for changes of the link
        vectors = 2 * nic.queues + 2
    return {
        "addr": nic.address,
        "mq": None if nic.queues is None else nic.queues > 1,
        "vectors": vectors,
        "host_mtu": nic.mtu,
        "bootindex": nic.bootindex,
        **dict(nic.options),
    }
