"""Further devices as elements of domain XML: TPM, shares, passthrough, balloon and so on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from kvmnb.compile.libvirt_board import Item
from kvmnb.compile.libvirt_nics import pci_address
from kvmnb.compile.libvirt_words import SECURITY
from kvmnb.compile.libvirt_xml import Element, path_of, refused

if TYPE_CHECKING:
    from kvmnb.spec.devices import RNG, Balloon
    from kvmnb.spec.domain import DomainSpec
    from kvmnb.spec.peripherals import TPM, HostDevice, Share, Vsock

__all__ = ["devices", "shares", "tpm"]


def shares(spec: DomainSpec) -> Iterator[Item]:
    """Yield folders of the host that the guest mounts."""
    for index, share in enumerate(spec.shares):
        field = f"shares[{index}]"
        yield Item("devices", field, _share(field, share))


def _share(field: str, share: Share) -> Element:
    virtiofs = share.kind == "virtiofs"
    if share.socket is not None:
        refused(f"{field}.socket", "libvirt starts virtiofsd itself, for the folder: leave it out")
    if virtiofs and share.readonly:
        refused(f"{field}.readonly", "libvirt 9.0 shares folders by virtiofs writable only")
    if share.security not in SECURITY:
        refused(f"{field}.security", "libvirt maps by extended attributes: mapped-xattr")
    return Element(
        "filesystem",
        Element("driver", type="virtiofs") if virtiofs else None,
        Element("source", dir=path_of(f"{field}.source", share.source)),
        Element("target", dir=share.tag),
        Element("readonly") if share.readonly else None,
        type="mount",
        accessmode="passthrough" if virtiofs else SECURITY[share.security],
    )


def tpm(tpm: TPM) -> Item:
    """Return the trusted platform module."""
    emulated = tpm.socket is None and tpm.device is None
    if not emulated and tpm.version != "2.0":
        refused("tpm.version", "the module that is there already has its own")
    if tpm.device is not None:
        device = Element("device", path=path_of("tpm.device", tpm.device))
        backend = Element("backend", device, type="passthrough")
    elif tpm.socket is not None:
        path = path_of("tpm.socket", tpm.socket)
        source = Element("source", type="unix", mode="connect", path=path)
        backend = Element("backend", source, type="external")
    else:
        backend = Element("backend", type="emulator", version=tpm.version)
    return Item("devices", "tpm", Element("tpm", backend, model=f"tpm-{tpm.model}"))


def devices(spec: DomainSpec) -> Iterator[Item]:
    """Yield what comes last in libvirt's order: passthrough, watchdog, balloon, entropy, vsock."""
    for index, device in enumerate(spec.hostdevs):
        yield Item("devices", f"hostdevs[{index}]", _hostdev(device))
    if spec.watchdog is not None:
        model, action = spec.watchdog.model, spec.watchdog.action
        yield Item("devices", "watchdog", Element("watchdog", model=model, action=action))
    yield Item("devices", "balloon", _balloon(spec.balloon))
    if spec.rng is not None:
        yield Item("devices", "rng", _rng(spec.rng))
    if spec.vsock is not None:
        yield Item("devices", "vsock", _vsock(spec.vsock))


def _hostdev(device: HostDevice) -> Element:
    from kvmnb.spec import peripherals

    match device:
        case peripherals.HostPCI():
            source = Element("source", pci_address(device.address))
            return Element("hostdev", source, mode="subsystem", type="pci", managed=device.managed)
        case peripherals.HostUSB():
            if device.vendor is not None:
                source = Element(
                    "source",
                    Element("vendor", id=f"0x{device.vendor:04x}"),
                    Element("product", id=f"0x{device.product:04x}"),
                )
            else:
                place = Element("address", bus=device.bus, device=device.device)
                source = Element("source", place)
            return Element("hostdev", source, mode="subsystem", type="usb")
        case peripherals.Mediated():
            source = Element("source", Element("address", uuid=device.uuid))
            return Element("hostdev", source, mode="subsystem", type="mdev", model="vfio-pci")
        case _:
            assert_never(device)


def _balloon(balloon: Balloon | None) -> Element:
    if balloon is None:
        # unsaid, libvirt would add one
        return Element("memballoon", model="none")
    return Element(
        "memballoon",
        Element("stats", period=balloon.stats_s) if balloon.stats_s else None,
        model="virtio",
        autodeflate="on" if balloon.deflate_on_oom else None,
        freePageReporting="on" if balloon.free_page_reporting else None,
    )


def _rng(rng: RNG) -> Element:
    if rng.source == "builtin":
        backend = Element("backend", model="builtin")
    else:
        backend = Element("backend", model="random", text=path_of("rng.source", rng.source))
    rate = None
    if rng.max_bytes is not None:
        rate = Element("rate", bytes=rng.max_bytes, period=rng.period_ms)
    return Element("rng", rate, backend, model="virtio")


def _vsock(vsock: Vsock) -> Element:
    if vsock.cid is None:
        return Element("vsock", Element("cid", auto=True), model="virtio")
    return Element("vsock", Element("cid", auto=False, address=vsock.cid), model="virtio")
