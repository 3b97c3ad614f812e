"""Network cards of a domain XML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kvmnb.compile.libvirt_nics import SOCKETS
from kvmnb.compile.libvirt_tree import Node
from kvmnb.parse.libvirt_disks import furniture
from kvmnb.parse.libvirt_reading import Keep, Reading
from kvmnb.spec import netbacks
from kvmnb.spec.network import NIC, User

if TYPE_CHECKING:
    from kvmnb.spec.network import NetBack

__all__ = ["nic", "pci_address"]

_OWN_NAME = re.compile(r"(vnet|vif|macvtap|macvlan)[0-9]+", re.ASCII)
"""Interfaces that libvirt names by itself and anew at each start (virNetDevGenerateName)."""

_ROLES = {word: role for role, word in SOCKETS.items()}
TYPES = (
    *("user", "ethernet", "bridge", "network", "direct", "hostdev", "vhostuser", "null"),
    *_ROLES,
)
OTHER_TYPES = frozenset({"internal", "vdpa", "vds"})


def nic(reading: Reading, node: Node, arch: str, *, dumped: bool) -> NIC:
    """Return one card; `dumped` says that the places on the bus are libvirt's choice.

    Raises
    ------
    Keep   it is of a kind that no field stands for
    """
    kind = reading.choice(node, "type", {word: word for word in TYPES}, OTHER_TYPES)
    if kind is None:
        reading.fail(node, "<interface> needs type='…'")
    given: dict[str, Any] = {}
    mac = node.child("mac")
    if mac is not None:
        given["mac"] = mac.take("address")
    driver = node.child("driver")
    if driver is not None and kind != "hostdev":
        given["queues"] = reading.number(driver, "queues")
    given["model"] = _model(reading, node, kind, arch)
    link = node.child("link")
    if link is not None and reading.choice(link, "state", {"up": False, "down": True}):
        given["link"] = False
    mtu = node.child("mtu")
    if mtu is not None:
        given["mtu"] = reading.needed(mtu, "size")
    boot = node.child("boot")
    if boot is not None:
        given["bootindex"] = reading.needed(boot, "order")
    for alias in node.all("alias"):
        name = alias.peek("name") or ""
        if name.startswith("ua-") and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name[3:]):
            given["name"] = name[3:]
            alias.drop()
    if not dumped:
        given["address"] = _place(node)
    furniture(reading, node)
    with reading.checked(node):
        given["back"] = _back(reading, node, kind, driver, given.get("queues"))
        return NIC(**given)


def _model(reading: Reading, node: Node, kind: str, arch: str) -> str:
    named = node.child("model")
    word = None if named is None else named.take("type")
    if word is not None:
        return word
    if kind == "hostdev" or arch not in {"x86_64", "i386", "ppc64", "ppc"}:
        return "virtio"
    reading.note(node, "default", "no model is named: libvirt's is rtl8139")
    return "rtl8139"


def _place(node: Node) -> str | None:
    for address in node.all("address"):
        said = address.attributes
        if said.get("type") != "pci" or set(said) - {"type", "domain", "bus", "slot", "function"}:
            return None
        zero = {"0", "0x0", "0x00", "0x0000"}
        slot, function = said.get("slot", ""), said.get("function")
        if said.get("domain", "0") not in zero or said.get("bus", "0") not in zero:
            return None
        if not slot.startswith("0x"):
            return None
        address.drop()
        if function is None:
            return slot[2:].lower()
        return f"{slot[2:]}.{function.removeprefix('0x')}".lower()
    return None


def _back(
    reading: Reading, node: Node, kind: str, driver: Node | None, queues: int | None
) -> NetBack | None:
    source = node.child("source")
    if kind != "ethernet":
        for target in node.all("target"):
            if _OWN_NAME.fullmatch(target.peek("dev") or ""):
                target.drop()
                reading.once(target, "interfaces of the host are named anew at each start")
    if kind == "null":
        return None
    if kind == "user":
        return _user(reading, node, source)
    if kind == "ethernet":
        return _tap(reading, node, driver, queues)
    if source is None:
        reading.fail(node, f"an interface of type {kind!r} needs <source>")
    match kind:
        case "bridge":
            return netbacks.Bridge(_needed(reading, source, "bridge"))
        case "network":
            for name in ("bridge", "portid"):
                if name in source.attributes:
                    source.take(name)
                    reading.once(source, "a network's bridge and port are libvirt's choice")
            name = _needed(reading, source, "network")
            return netbacks.LibvirtNetwork(name=name, portgroup=source.take("portgroup"))
        case "direct":
            words = {word: word for word in ("vepa", "bridge", "private", "passthrough")}
            mode: Any = reading.choice(source, "mode", words) or "vepa"
            return netbacks.Direct(device=_needed(reading, source, "dev"), mode=mode)
        case "vhostuser":
            server = reading.choice(source, "mode", {"server": True, "client": False})
            source.take("type")
            return netbacks.VhostUser(path=_needed(reading, source, "path"), server=bool(server))
        case "hostdev":
            return _hostdev(reading, node, source)
        case _:
            return _socket(reading, source, _ROLES[kind])


def _needed(reading: Reading, node: Node, attribute: str) -> str:
    found = node.take(attribute)
    if found is None:
        reading.fail(node, f"<{node.tag}> needs {attribute}='…'")
    return found


def _user(reading: Reading, node: Node, source: Node | None) -> NetBack:
    backend = node.child("backend")
    if backend is not None and backend.peek("type") == "passt":
        backend.take("type")
        return netbacks.Passt(interface=None if source is None else source.take("dev"))
    networks = node.all("ip")
    for ip in networks[:1]:
        if len(networks) == 1 and ip.peek("family") in {"ipv4", None} and "prefix" in ip.attributes:
            ip.visited = True
            ip.take("family")
            return User(network=f"{_needed(reading, ip, 'address')}/{ip.take('prefix')}")
    return User()


def _tap(reading: Reading, node: Node, driver: Node | None, queues: int | None) -> NetBack:
    given: dict[str, Any] = {"queues": queues}
    target = node.child("target")
    if target is not None:
        name = target.take("dev")
        given["ifname"] = None if name is None or _OWN_NAME.fullmatch(name) else name
    for tag in ("script", "downscript"):
        script = node.child(tag)
        if script is not None:
            given[tag] = _needed(reading, script, "path")
    if driver is not None and driver.peek("name") in {"vhost", "qemu"}:
        given["vhost"] = driver.take("name") == "vhost"
    return netbacks.Tap(**given)


def _socket(reading: Reading, source: Node, role: Any) -> NetBack:
    given: dict[str, Any] = {"host": source.take("address")}
    for local in source.all("local"):
        local.visited = True
        given["local_host"] = local.take("address")
        given["local_port"] = reading.needed(local, "port")
    return netbacks.Socket(role=role, port=reading.needed(source, "port"), **given)


def _hostdev(reading: Reading, node: Node, source: Node) -> NetBack:
    managed = reading.flag(node, "managed") or False
    for address in source.all("address"):
        if address.peek("type") != "pci":
            raise Keep
        address.visited = True
        address.take("type")
        return netbacks.HostNIC(address=pci_address(reading, address), managed=managed)
    raise Keep


def pci_address(reading: Reading, address: Node) -> str:
    """Return a place on the host's PCI bus: ``0000:01:00.0``."""
    parts = [
        reading.hexadecimal(address, name, 0) for name in ("domain", "bus", "slot", "function")
    ]
    return "{:04x}:{:02x}:{:02x}.{:x}".format(*parts)
