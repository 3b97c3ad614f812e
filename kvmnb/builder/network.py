"""The verb for network cards."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kvmnb.builder.base import Builder, existing_file
from kvmnb.compile.qemu import NIC_MODELS
from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.network import NIC, User

if TYPE_CHECKING:
    from typing import Self

    from kvmnb.spec.forwards import Forward
    from kvmnb.spec.network import NetBack

    Forwards = str | Forward | Mapping[int, int] | Iterable[str | Forward]

__all__ = ["NetworkVerbs"]

NETS = ("user", "none", "tap", "bridge")
"""Back ends that a word is enough for."""

_FORWARD = re.compile(
    r"(?:(tcp|udp):)?(?:([0-9.]*):)?(\d{1,5})[:-](?:([0-9.]+):)?(\d{1,5})", re.ASCII
)


class NetworkVerbs(Builder):
    """Whom the guest talks to."""

    __slots__ = ()

    def nic(
        self,
        model: str = "virtio",
        *,
        net: str | NetBack | None = "user",
        mac: str | None = None,
        network: str | None = None,
        host: str | None = None,
        dhcpstart: str | None = None,
        dns: str | None = None,
        tftp: str | os.PathLike[str] | None = None,
        bootfile: str | None = None,
        hostfwd: Forwards = (),
        name: str | None = None,
        address: str | None = None,
        vectors: int | None = None,
        queues: int | None = None,
        mtu: int | None = None,
        bootindex: int | None = None,
        link: bool = True,
        options: Iterable[tuple[str, str]] = (),
    ) -> Self:
        """Add a network card.

        Parameters
        ----------
        model : ``virtio e1000 e1000e rtl8139 pcnet vmxnet3`` … (QEMU's ``-net nic,model=?``)
        net : ``"user"``: QEMU's own NAT, which needs no rights; ``"none"``, ``"tap"``,
            ``"bridge"``; or a back end such as ``Tap(ifname="tap0")``
        mac : six octets; derived from host and guest where not given
        network, host, dhcpstart, dns, tftp, bootfile : of the user network: its addresses, and
            the folder and file that a guest can start from over TFTP
        hostfwd : ports of the host that lead into the guest: ``"2222:22"``,
            ``"udp:127.0.0.1:5353:53"``, ``{8080: 80}``, or several of them
        name : what the monitor calls it
        address : its place on the PCI bus
        vectors, queues, mtu : of a virtio card
        bootindex : its turn among the devices that the firmware tries, from 1
        link : whether its cable is plugged in
        options : further properties of QEMU's front device, as ``(name, value)``
        """
        devices = self._facts.devices
        offered = tuple(word for word, device in NIC_MODELS.items() if device in devices)
        if validate.text("nic.model", model) not in {NIC_MODELS[word] for word in offered}:
            validate.choice("nic.model", model, offered)
        asked: dict[str, Any] = {
            "network": network,
            "host": host,
            "dhcpstart": dhcpstart,
            "dns": dns,
            "tftp": None if tftp is None else existing_file("nic.tftp", tftp, folder=True),
            "bootfile": bootfile,
            "forwards": _forwards(hostfwd) or None,
        }
        nic = NIC(
            model=model,
            back=_back(net, {key: value for key, value in asked.items() if value is not None}),
            mac=mac,
            name=name,
            address=address,
            vectors=vectors,
            queues=queues,
            mtu=mtu,
            bootindex=bootindex,
            link=link,
            options=tuple(options),
        )
        return self._with(nics=(*self.spec.nics, nic))


def _back(net: str | NetBack | None, asked: dict[str, Any]) -> NetBack | None:
    if net == "user":
        return User(**asked)
    if asked:
        raise SpecError(f"nic.{next(iter(asked))}", net, "belongs to net='user'")
    if net is None or net == "none":
        return None
    if isinstance(net, str):
        validate.choice("nic.net", net, NETS)
        from kvmnb.spec.netbacks import Bridge, Tap

        return Tap() if net == "tap" else Bridge()
    return net


def _forwards(given: Forwards) -> tuple[Forward, ...]:
    if not given:
        return ()
    from kvmnb.spec.forwards import Forward

    if isinstance(given, Mapping):
        return tuple(
            Forward(host_port=host_port, guest_port=guest_port)
            for host_port, guest_port in given.items()
        )
    if isinstance(given, (str, Forward)):
        given = (given,)
    return tuple(each if isinstance(each, Forward) else _forward(each) for each in given)


def _forward(text: str) -> Forward:
    from kvmnb.spec.forwards import Forward

    found = _FORWARD.fullmatch(validate.text("nic.hostfwd", text))
    if found is None:
        raise SpecError("nic.hostfwd", text, "write HOST:GUEST or tcp:127.0.0.1:HOST:GUEST")
    protocol, host_address, host_port, guest_address, guest_port = found.groups()
    return Forward(
        protocol="udp" if protocol == "udp" else "tcp",
        host_address=host_address or "127.0.0.1",
        host_port=int(host_port),
        guest_address=guest_address,
        guest_port=int(guest_port),
    )
