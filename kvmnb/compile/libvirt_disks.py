"""Disks, CD-ROMs and floppies as elements of domain XML, with the controllers they need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from kvmnb.compile.libvirt_board import Item
from kvmnb.compile.libvirt_places import Place, drive_address, places
from kvmnb.compile.libvirt_words import SCSI, USB, own_bus
from kvmnb.compile.libvirt_xml import Element, name_of, path_of, refused, server_of
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, Floppy, NewFile

if TYPE_CHECKING:
    from types import SimpleNamespace

    from kvmnb.spec.diskbacks import FarBack, Server
    from kvmnb.spec.domain import DomainSpec
    from kvmnb.spec.platform import ExtraXML
    from kvmnb.spec.storage import DiskBack

__all__ = ["controllers", "disks", "needs_usb", "on_usb"]

FORMATS = frozenset({"qcow2", "raw", "vmdk", "vdi", "vpc", "qed"})
"""Formats of disks that libvirt 9.0 knows too (storagecommon.rng); it has no word for vhdx."""

BLOCKS = ("logical_block_size", "physical_block_size")
"""Options of a disk that libvirt has words for (libvirt, "Hard drives", blockio)."""

NOT_HERE = {
    "nvme": "libvirt 9.0 has no NVMe disks; use bus='virtio'",
    "mtd": "libvirt has no flash memory as a disk; use bus='virtio'",
}


def disks(spec: DomainSpec, *, seeded: bool) -> Iterator[Item]:
    """Yield every drive of a settled spec, in the order in which the guest finds them.

    Parameters
    ----------
    seeded : the last CD-ROM is what tells the guest what to make of itself
    """
    for index, disk in enumerate(spec.disks):
        if disk.bus in NOT_HERE:
            refused(f"disks[{index}].bus", NOT_HERE[disk.bus])
        if disk.bus == "ide" and own_bus(spec.machine) != "ide":
            refused(f"disks[{index}].bus", f"{spec.machine} has no IDE; use bus='sata'")
    where = layout(spec)
    cdroms = where[len(spec.disks) :]
    for index, disk in enumerate(spec.disks):
        field = f"disks[{index}]"
        yield Item("devices", field, _disk(field, disk, where[index]))
    for index, cdrom in enumerate(spec.cdroms):
        last = index == len(spec.cdroms) - 1
        field = "cloud_init" if seeded and last else f"cdroms[{index}]"
        if cdrom.bus == "ide" and own_bus(spec.machine) != "ide":
            refused(f"{field}.bus", f"{spec.machine} has no IDE; use bus='sata'")
        yield Item("devices", field, _cdrom(field, cdrom, cdroms[index]))
    for index, floppy in enumerate(spec.floppies):
        field = f"floppies[{index}]"
        yield Item("devices", field, _floppy(field, floppy, index))


def layout(spec: DomainSpec) -> tuple[Place, ...]:
    """Return the places of all disks, then of all CD-ROMs."""
    own = own_bus(spec.machine)
    wanted = [(disk.bus, disk.index) for disk in spec.disks]
    wanted += [(cdrom.bus or own, cdrom.index) for cdrom in spec.cdroms]
    return places(wanted)


def controllers(spec: DomainSpec) -> Iterator[Item]:
    """Yield the controllers that libvirt would not add by itself, or would choose another of."""
    if spec.usb is not None:
        yield Item(
            "devices", "usb", Element("controller", type="usb", index=0, model=USB[spec.usb])
        )
    elif not (needs_usb(spec) or any(map(on_usb, spec.extra_xml))):
        yield Item("devices", "usb", Element("controller", type="usb", index=0, model="none"))
    scsi = [place for place in layout(spec) if place.bus == "scsi"]
    count = 1 + max((drive_address("scsi", place.number)[0] for place in scsi), default=0)
    if scsi or spec.scsi != "virtio":
        for index in range(count):
            model = Element("controller", type="scsi", index=index, model=SCSI[spec.scsi])
            yield Item("devices", "scsi", model)


_ON_USB = re.compile(
    r"<redirdev\b|<smartcard\b|<(?:controller|hostdev)\b[^>]*\stype\s*=\s*['\"]usb['\"]"
    r"|<(?:disk|input)\b.*\sbus\s*=\s*['\"]usb['\"]",
    re.DOTALL,
)


def on_usb(extra: ExtraXML) -> bool:
    """Return whether a device that no field stands for is, or hangs on, a USB controller."""
    return extra.parent == "devices" and _ON_USB.match(extra.xml.lstrip()) is not None


def needs_usb(spec: DomainSpec | SimpleNamespace) -> bool:
    """Return whether a device of the guest's hangs on a USB controller."""
    if any(drive.bus == "usb" for drive in (*spec.disks, *spec.cdroms)):
        return True
    if any(serial.model == "usb" for serial in spec.serials):
        return True
    if any(each.bus == "usb" for each in spec.inputs):
        return True
    if any(sound.model == "usb" for sound in spec.sounds):
        return True
    return any(type(device).__name__ == "HostUSB" for device in spec.hostdevs)


def _disk(field: str, disk: Disk, place: Place) -> Element:
    blocks = {}
    for name, value in disk.options:
        if name not in BLOCKS or name in blocks or not value.isdecimal():
            refused(f"{field}.options.{name}", "as an option of QEMU's: extra_args '-set …'")
        blocks[name] = value
    kind, source = _source(f"{field}.back", disk.back)
    fat = kind == "dir"
    if fat and not disk.readonly and disk.bus not in {"ide", "sata"}:
        refused(f"{field}.readonly", "libvirt gives folders to guests read-only: readonly=True")
    cache = None if disk.cache == "writeback" else disk.cache
    return Element(
        "disk",
        Element(
            "driver",
            name="qemu",
            type="fat" if fat else _format(f"{field}.format", disk.format),
            cache=cache,
            io=disk.aio,
            discard=disk.discard,
        ),
        source,
        Element("target", dev=place.dev, bus=disk.bus),
        Element("blockio", more=blocks) if blocks else None,
        Element("readonly") if disk.readonly or fat else None,
        Element("shareable") if disk.shared else None,
        Element("transient") if disk.snapshot else None,
        None if disk.serial is None else _serial(f"{field}.serial", disk.serial),
        None if disk.bootindex is None else Element("boot", order=disk.bootindex),
        _address(place),
        type=kind,
        device="disk",
    )


def _serial(field: str, serial: str) -> Element:
    return Element("serial", text=name_of(field, "serial", serial))


def _cdrom(field: str, cdrom: CDROM, place: Place) -> Element:
    for name, _ in cdrom.options:
        refused(f"{field}.options.{name}", "as an option of QEMU's: extra_args '-set …'")
    kind, source = _named(f"{field}.back", cdrom.back)
    if kind == "dir":
        refused(f"{field}.back", "a folder is a disk with a FAT file system, not a CD-ROM")
    return Element(
        "disk",
        Element("driver", name="qemu", type="raw"),
        source,
        Element("target", dev=place.dev, bus=place.bus),
        Element("readonly"),
        None if cdrom.bootindex is None else Element("boot", order=cdrom.bootindex),
        _address(place),
        type=kind,
        device="cdrom",
    )


def _floppy(field: str, floppy: Floppy, index: int) -> Element:
    kind, source = _named(f"{field}.back", floppy.back)
    if kind == "dir":
        refused(f"{field}.back", "libvirt has folders as hard disks only")
    return Element(
        "disk",
        Element("driver", name="qemu", type=_format(f"{field}.format", floppy.format)),
        source,
        Element("target", dev="fda" if index == 0 else "fdb", bus="fdc"),
        Element("readonly") if floppy.readonly else None,
        Element("transient") if floppy.snapshot else None,
        type=kind,
        device="floppy",
    )


def _format(field: str, format: str | None) -> str | None:
    if format is not None and format not in FORMATS:
        refused(field, f"libvirt 9.0 knows no {format} images; qemu-img convert makes a qcow2")
    return format


def _address(place: Place) -> Element | None:
    if not place.addressed:
        return None
    controller, bus, unit = drive_address(place.bus, place.number)
    return Element("address", type="drive", controller=controller, bus=bus, target=0, unit=unit)


def _named(field: str, back: DiskBack | None) -> tuple[str, Element | None]:
    return ("file", None) if back is None else _source(field, back)


def _source(field: str, back: DiskBack) -> tuple[str, Element]:
    if isinstance(back, ExistingFile):
        return "file", Element("source", file=path_of(field, back.path))
    if isinstance(back, (CatalogueImage, NewFile)):
        refused(field, "its file has to be made first")
    return _far(field, back)


def _far(field: str, back: FarBack) -> tuple[str, Element]:
    from kvmnb.spec import diskbacks

    match back:
        case diskbacks.BlockDevice():
            return "block", Element("source", dev=path_of(field, back.path))
        case diskbacks.Server():
            return "network", _server(field, back)
        case diskbacks.Volume():
            if back.name is None or back.size_bytes is not None:
                refused(f"{field}.size_bytes", "make it first: virsh vol-create-as POOL NAME SIZE")
            return "volume", Element("source", pool=back.pool, volume=back.name)
        case diskbacks.FatFolder():
            if back.writable:
                refused(f"{field}.writable", "libvirt's folders are read-only")
            if back.bits is not None:
                refused(f"{field}.bits", "libvirt leaves the file allocation table to QEMU")
            return "dir", Element("source", dir=path_of(field, back.path))
        case _:
            assert_never(back)


def _server(field: str, back: Server) -> Element:
    if back.protocol == "ssh":
        refused(f"{field}.protocol", "libvirt 9.0 reads no disks by SSH; nbd, https and iscsi do")
    if back.user is not None:
        refused(f"{field}.user", "libvirt keeps passwords as secrets: extra_xml <auth> in <disk>")
    source = Element("source", protocol=back.protocol)
    if back.name or back.protocol != "nbd":
        source.attributes["name"] = back.name
    if back.socket is not None:
        socket = path_of(f"{field}.socket", back.socket)
        source.children.append(Element("host", transport="unix", socket=socket))
    elif back.host is not None:
        host = server_of(f"{field}.host", back.host)
        source.children.append(Element("host", name=host, port=back.port))
    elif back.port is not None:
        refused(f"{field}.port", "a port goes with a host")
    return source
