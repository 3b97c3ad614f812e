"""Further devices of a domain XML: TPM, shares, passthrough, balloon and so on."""

from __future__ import annotations

from typing import Any

from kvmnb.compile.libvirt_tree import Node
from kvmnb.compile.libvirt_words import SECURITY
from kvmnb.parse.libvirt_disks import furniture
from kvmnb.parse.libvirt_nics import pci_address
from kvmnb.parse.libvirt_reading import Keep, Reading
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.peripherals import (
    TPM,
    WATCHDOG_ACTIONS,
    WATCHDOG_MODELS,
    HostDevice,
    HostPCI,
    HostUSB,
    Mediated,
    Share,
    Vsock,
    Watchdog,
)

__all__ = ["balloon", "hostdev", "rng", "share", "tpm", "vsock", "watchdog"]

_SECURITY = {word: ours for ours, word in SECURITY.items()}
VIRTIO = ("virtio", "virtio-transitional", "virtio-non-transitional")


def _virtio(reading: Reading, node: Node, *more: str) -> str:
    """Return the model; one with a word of its own is left to be kept, and added again."""
    words = {word: word for word in (*VIRTIO, *more)}
    model = reading.choice(node, "model", words)
    if model is None:
        reading.fail(node, f"<{node.tag}> needs model='virtio'")
    if model not in {"virtio", "none"}:
        node.taken.discard("model")
    return model


def share(reading: Reading, node: Node) -> Share:
    """Return one ``<filesystem>``."""
    others = frozenset({"file", "block", "bind", "template", "ram"})
    reading.choice(node, "type", {"mount": True}, others)
    source, target, driver = node.child("source"), node.child("target"), node.child("driver")
    if source is None or target is None:
        reading.fail(node, "<filesystem> needs <source dir='…'> and <target dir='…'>")
    words = {"virtiofs": "virtiofs", "path": "9p"}
    others = frozenset({"handle", "loop", "nbd", "ploop"})
    kind: Any = "9p" if driver is None else reading.choice(driver, "type", words, others) or "9p"
    folder, tag = source.take("dir"), target.take("dir")
    if folder is None or tag is None:
        raise Keep
    mode = reading.choice(node, "accessmode", _SECURITY) or "passthrough"
    furniture(reading, node)
    if kind == "virtiofs" and node.all("readonly"):
        raise Keep
    given: dict[str, Any] = {"source": folder, "tag": tag, "kind": kind}
    if kind == "9p":
        given["security"] = mode
    if node.child("readonly") is not None:
        given["readonly"] = True
    with reading.checked(node):
        return Share(**given)


def tpm(reading: Reading, node: Node) -> TPM:
    """Return the ``<tpm>``."""
    words = {"tpm-tis": "tis", "tpm-crb": "crb"}
    others = frozenset({"tpm-spapr", "spapr-tpm-proxy"})
    model: Any = reading.choice(node, "model", words, others) or "tis"
    backend = node.child("backend")
    if backend is None:
        reading.fail(node, "<tpm> needs <backend type='…'>")
    given: dict[str, Any] = {"model": model}
    kinds = {word: word for word in ("emulator", "passthrough", "external")}
    match reading.choice(backend, "type", kinds):
        case "emulator":
            version = reading.choice(backend, "version", {"1.2": "1.2", "2.0": "2.0"})
            given["version"] = version or "2.0"
        case "passthrough":
            device = backend.child("device")
            path = None if device is None else device.take("path")
            given["device"] = path or "/dev/tpm0"
        case "external":
            source = backend.child("source")
            if source is None or source.peek("path") is None:
                raise Keep
            given["socket"] = source.take("path")
            source.take("type")
            source.take("mode")
        case _:
            reading.fail(backend, "<backend> needs type='emulator' or 'passthrough'")
    furniture(reading, node)
    with reading.checked(node):
        return TPM(**given)


def hostdev(reading: Reading, node: Node) -> HostDevice:
    """Return one ``<hostdev>``."""
    reading.choice(node, "mode", {"subsystem": True}, frozenset({"capabilities"}))
    kinds = {word: word for word in ("pci", "usb", "mdev")}
    kind = reading.choice(
        node, "type", kinds, frozenset({"scsi", "scsi_host", "storage", "misc", "net"})
    )
    source = node.child("source")
    if source is None or kind is None:
        reading.fail(node, "<hostdev> needs type='…' and <source>")
    address = next(iter(source.all("address")), None)
    with reading.checked(node):
        match kind:
            case "pci" if address is not None:
                address.visited = True
                device: HostDevice = HostPCI(
                    address=pci_address(reading, address),
                    managed=reading.flag(node, "managed") or False,
                )
                for driver in node.all("driver"):
                    if driver.attributes == {"name": "vfio"}:
                        driver.drop()
            case "usb":
                device = _usb(reading, node, source, address)
            case "mdev" if address is not None and node.peek("model") == "vfio-pci":
                node.take("model")
                if node.take("managed") is not None:
                    reading.once(node, "the host makes and keeps mediated devices")
                address.visited = True
                device = Mediated(uuid=address.take("uuid") or "")
            case _:
                raise Keep
    furniture(reading, node)
    return device


def _usb(reading: Reading, node: Node, source: Node, address: Node | None) -> HostUSB:
    vendor, product = source.child("vendor"), source.child("product")
    if node.take("managed") is not None:
        reading.once(node, "USB devices always come back to the host")
    if vendor is not None and product is not None:
        if address is not None:
            address.drop()
        return HostUSB(
            vendor=reading.hexadecimal(vendor, "id"), product=reading.hexadecimal(product, "id")
        )
    if address is None:
        raise Keep
    address.visited = True
    return HostUSB(
        bus=reading.hexadecimal(address, "bus"), device=reading.hexadecimal(address, "device")
    )


def watchdog(reading: Reading, node: Node) -> Watchdog:
    """Return the ``<watchdog>``."""
    models = {word: word for word in WATCHDOG_MODELS}
    model = reading.choice(node, "model", models, frozenset({"diag288", "itco"}))
    action = reading.choice(node, "action", {word: word for word in WATCHDOG_ACTIONS})
    if model is None:
        reading.fail(node, "<watchdog> needs model='i6300esb' or 'ib700'")
    furniture(reading, node)
    return Watchdog(model, action or "reset")


def balloon(reading: Reading, node: Node) -> Balloon | None:
    """Return the ``<memballoon>``, or ``None`` for one that says there is none."""
    if _virtio(reading, node, "none", "xen") == "none":
        node.drop()
        return None
    stats = node.child("stats")
    period = 0 if stats is None else reading.number(stats, "period") or 0
    deflate = reading.flag(node, "autodeflate") or False
    reporting = reading.flag(node, "freePageReporting") or False
    furniture(reading, node)
    with reading.checked(node):
        return Balloon(stats_s=period, deflate_on_oom=deflate, free_page_reporting=reporting)


def rng(reading: Reading, node: Node) -> RNG:
    """Return one ``<rng>``."""
    _virtio(reading, node)
    backend = node.child("backend")
    if backend is None:
        reading.fail(node, "<rng> needs <backend model='…'>")
    kinds = {word: word for word in ("random", "builtin")}
    given: dict[str, Any] = {"source": "builtin"}
    if reading.choice(backend, "model", kinds, frozenset({"egd"})) != "builtin":
        given["source"] = backend.text if backend.text.strip() else "/dev/urandom"
    rate = node.child("rate")
    if rate is not None:
        given["max_bytes"] = reading.needed(rate, "bytes")
        given["period_ms"] = reading.number(rate, "period") or 1000
    furniture(reading, node)
    with reading.checked(node):
        return RNG(**given)


def vsock(reading: Reading, node: Node) -> Vsock:
    """Return the ``<vsock>``."""
    if "model" in node.attributes:
        _virtio(reading, node)
    cid = node.child("cid")
    address = None
    if cid is not None:
        auto = reading.flag(cid, "auto")
        number = reading.number(cid, "address")
        address = None if auto else number
    furniture(reading, node)
    with reading.checked(node):
        return Vsock(address)
