"""Network cards as ``<interface>`` elements of domain XML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from kvmnb.compile.libvirt_board import Item
from kvmnb.compile.libvirt_xml import Element, name_of, path_of, refused, server_of
from kvmnb.spec.network import NIC, User

if TYPE_CHECKING:
    from kvmnb.spec.domain import DomainSpec
    from kvmnb.spec.netbacks import HostBack, Socket

__all__ = ["nics", "pci_address"]

_NETWORK = re.compile(r"([0-9.]+)/([0-9]{1,2})", re.ASCII)

PLAIN = User()

USER_HINTS = {
    "host": "its addresses are libvirt's choice",
    "dhcpstart": "its addresses are libvirt's choice",
    "dns": "its addresses are libvirt's choice",
    "hostname": "a libvirt network has DHCP with names: LibvirtNetwork()",
    "domain": "a libvirt network has DHCP with names: LibvirtNetwork()",
    "search": "a libvirt network has DHCP with names: LibvirtNetwork()",
    "tftp": "a libvirt network serves TFTP: <tftp root=…/> in virsh net-edit",
    "bootfile": "a libvirt network names it: <bootp file=…/> in virsh net-edit",
    "smb": "share the folder itself: shares=(Share(…),)",
    "forwards": "passt forwards ports: back=Passt(), and <portForward> in extra_xml",
    "guest_forwards": "a guestfwd channel does it: <channel> in extra_xml",
    "restricted": "an isolated libvirt network is closed too: LibvirtNetwork(…)",
    "ipv4": "libvirt's user network always carries both",
    "ipv6": "libvirt's user network always carries both",
}


def nics(spec: DomainSpec) -> Iterator[Item]:
    """Yield every card, in order."""
    for index, nic in enumerate(spec.nics):
        field = f"nics[{index}]"
        yield Item("devices", field, _nic(field, nic))


def _nic(field: str, nic: NIC) -> Element:
    for name, _ in nic.options:
        refused(f"{field}.options.{name}", "as an option of QEMU's: extra_args '-set …'")
    if nic.vectors is not None:
        refused(f"{field}.vectors", "libvirt works them out from the queues")
    attributes, parts, driver = _back(f"{field}.back", nic)
    own_model = attributes["type"] == "hostdev" and nic.model == "virtio"
    if nic.queues is not None:
        driver["queues"] = str(nic.queues)
    named = {part.tag: part for part in parts}
    return Element(
        "interface",
        None if nic.mac is None else Element("mac", address=nic.mac),
        named.get("source"),
        named.get("ip"),
        named.get("script"),
        named.get("downscript"),
        named.get("target"),
        None if own_model else Element("model", type=name_of(f"{field}.model", "model", nic.model)),
        named.get("backend"),
        Element("driver", more=driver) if driver else None,
        None if nic.link else Element("link", state="down"),
        None if nic.mtu is None else Element("mtu", size=nic.mtu),
        None if nic.bootindex is None else Element("boot", order=nic.bootindex),
        None if nic.name is None else _alias(f"{field}.name", nic.name),
        None if nic.address is None else _address(nic.address),
        more=attributes,
    )


def _alias(field: str, name: str) -> Element:
    return Element("alias", name="ua-" + name_of(field, "alias", name))


def _address(address: str) -> Element:
    slot, dot, function = address.partition(".")
    return Element(
        "address",
        type="pci",
        domain="0x0000",
        bus="0x00",
        slot=f"0x{slot}",
        function=f"0x{function}" if dot else None,
    )


def pci_address(address: str) -> Element:
    """Return the place of a device of the host's, such as ``0000:01:00.0``."""
    domain, bus, place = address.split(":")
    slot, function = place.split(".")
    return Element(
        "address",
        domain=f"0x{domain}",
        bus=f"0x{bus}",
        slot=f"0x{slot}",
        function=f"0x{function}",
    )


Parts = tuple[dict[str, str], tuple[Element, ...], dict[str, str]]
"""An interface's attributes, its elements, and attributes of its ``<driver>``."""


def _back(field: str, nic: NIC) -> Parts:
    match nic.back:
        case None:
            return {"type": "null"}, (), {}
        case User():
            return {"type": "user"}, _user(field, nic.back), {}
        case _:
            return _host_back(field, nic, nic.back)


def _user(field: str, back: User) -> tuple[Element, ...]:
    for name, hint in USER_HINTS.items():
        if getattr(back, name) != getattr(PLAIN, name):
            refused(f"{field}.{name}", hint)
    if back.network is None:
        return ()
    found = _NETWORK.fullmatch(back.network)
    if found is None or int(found[2]) > 32:
        refused(f"{field}.network", "libvirt wants IPv4 with a prefix here, such as 10.0.2.0/24")
    address = server_of(f"{field}.network", found[1], only_ipv4=True)
    return (Element("ip", family="ipv4", address=address, prefix=found[2]),)


def _host_back(field: str, nic: NIC, back: HostBack) -> Parts:
    from kvmnb.spec import netbacks

    match back:
        case netbacks.Tap():
            return _tap(field, nic, back)
        case netbacks.Bridge():
            if back.helper is not None:
                refused(f"{field}.helper", "libvirt joins the bridge itself, or by QEMU's helper")
            name = name_of(f"{field}.name", "bridge", back.name)
            return {"type": "bridge"}, (Element("source", bridge=name),), {}
        case netbacks.Socket():
            return _socket(field, back)
        case netbacks.Stream() | netbacks.Dgram():
            return refused(field, "libvirt has QEMU's older sockets: back=Socket(…)")
        case netbacks.VDE():
            return refused(field, "libvirt joins no VDE switch; a bridge does as well")
        case netbacks.Passt():
            interface = back.interface
            source = None if interface is None else Element("source", dev=_device(field, interface))
            backend = Element("backend", type="passt")
            return {"type": "user"}, (backend, *((source,) if source is not None else ())), {}
        case netbacks.VhostUser():
            mode = "server" if back.server else "client"
            source = Element("source", type="unix", path=path_of(field, back.path), mode=mode)
            return {"type": "vhostuser"}, (source,), {}
        case netbacks.LibvirtNetwork():
            source = Element("source", network=back.name, portgroup=back.portgroup)
            return {"type": "network"}, (source,), {}
        case netbacks.Direct():
            source = Element("source", dev=_device(field, back.device), mode=back.mode)
            return {"type": "direct"}, (source,), {}
        case netbacks.HostNIC():
            place = pci_address(back.address)
            place.attributes = {"type": "pci", **place.attributes}
            managed = "yes" if back.managed else "no"
            return {"type": "hostdev", "managed": managed}, (Element("source", place),), {}
        case _:
            assert_never(back)


def _device(field: str, name: str) -> str:
    return name_of(field, "device", name)


def _tap(field: str, nic: NIC, back: object) -> Parts:
    from kvmnb.spec.netbacks import Tap

    assert isinstance(back, Tap)
    if back.fd is not None:
        refused(f"{field}.fd", "libvirt opens the tap itself: give its name")
    if back.vnet_hdr is not None:
        refused(f"{field}.vnet_hdr", "libvirt switches it on for virtio cards by itself")
    if back.queues != nic.queues:
        refused(f"{field}.queues", "libvirt gives card and tap the same number: set both")
    parts = []
    for tag, path in (("script", back.script), ("downscript", back.downscript)):
        if path is not None:
            if "\n" in path or "\r" in path:
                refused(f"{field}.{tag}", "libvirt's paths have no line breaks")
            parts.append(Element(tag, path=path))
    if back.ifname is not None:
        parts.append(Element("target", dev=_device(f"{field}.ifname", back.ifname)))
    driver = {} if back.vhost is None else {"name": "vhost" if back.vhost else "qemu"}
    return {"type": "ethernet"}, tuple(parts), driver


SOCKETS = {"listen": "server", "connect": "client", "mcast": "mcast", "udp": "udp"}


def _socket(field: str, back: Socket) -> Parts:
    host = None
    if back.host is not None:
        host = server_of(f"{field}.host", back.host, only_ipv4=True)
    source = Element("source", address=host, port=back.port)
    if back.role == "mcast" and back.local_host is not None:
        refused(f"{field}.local_host", "libvirt leaves it to the host's routes")
    if back.role == "udp":
        if back.local_host is None:
            refused(f"{field}.local_host", "libvirt wants an address; 0.0.0.0 is every one")
        local = server_of(f"{field}.local_host", back.local_host, only_ipv4=True)
        source.children.append(Element("local", address=local, port=back.local_port))
    return {"type": SOCKETS[back.role]}, (source,), {}
