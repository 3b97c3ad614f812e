"""Disks, CD-ROMs and floppies as -blockdev (the back) and -device (the front)."""

from __future__ import annotations

from collections.abc import Iterator

from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.piece import Piece
from kvmnb.compile.qemu_layout import Layout
from kvmnb.compile.qemu_places import Places
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, NewFile

__all__ = ["blockdevs", "drives"]

# cache=  →  (cache.direct, cache.no-flush, write-cache)      QEMU manual, -drive cache=
CACHE = {
    "writeback": (False, False, True),
    "none": (True, False, True),
    "writethrough": (False, False, False),
    "directsync": (True, False, False),
    "unsafe": (False, True, True),
}

CONTROLLERS = {"sata": "ich9-ahci", "sd": "sdhci-pci"}
"""Buses that need a controller of their own, which is named after the bus. Devices bear the names
under which QEMU lists them: ``ahci`` is another word for ``ich9-ahci`` that no list has."""

SCSI_CONTROLLERS = {
    "virtio": "virtio-scsi-pci",
    "lsi": "lsi53c895a",
    "megasas": "megasas",
    "mptsas": "mptsas1068",
    "pvscsi": "pvscsi",
}

_FRONT = {
    "virtio": "virtio-blk-pci",
    "ide": "ide-hd",
    "sata": "ide-hd",
    "scsi": "scsi-hd",
    "nvme": "nvme",
    "usb": "scsi-hd",
    "sd": "sd-card",
}

_OWN_KEYS = frozenset(
    {"id", "drive", "bus", "unit", "scsi-id", "lun", "serial", "bootindex", "share-rw"}
    | {"write-cache", "discard"}
)


def drives(spec: DomainSpec, layout: Layout) -> Iterator[Piece]:
    """Yield the options for all disks, CD-ROMs and floppies of `spec`."""
    seed = (CDROM(_seed(layout)),) if spec.cloud_init is not None else ()
    if not (spec.disks or spec.cdroms or seed or spec.floppies):
        return
    cdroms = (*spec.cdroms, *seed)
    places = Places(spec, cdroms, layout)
    for bus in places.buses:
        yield from _controller(bus, layout)
    for index, disk in enumerate(spec.disks):
        yield from _disk(disk, index, places, layout)
    for index, cdrom in enumerate(cdroms):
        seeded = index == len(spec.cdroms)
        field = "cloud_init" if seeded else f"cdroms[{index}]"
        yield from _cdrom(cdrom, field, index, places, layout)
    if spec.floppies:
        from kvmnb.compile.qemu_backs import floppies

        yield from floppies(spec, layout)


def _seed(layout: Layout) -> ExistingFile:
    if layout.runtime.seed is None:
        hint = "its ISO is written when the guest is started; this text was made without one"
        raise Unsupported("qemu", "cloud_init", hint)
    return ExistingFile(layout.runtime.seed)


def _controller(bus: str, layout: Layout) -> Iterator[Piece]:
    if bus == "usb":
        yield from layout.usb()
    elif bus == "scsi":
        yield from layout.controller("scsi", SCSI_CONTROLLERS[layout.spec.scsi], "scsi-bus")
    elif bus in CONTROLLERS:
        yield from layout.controller("disks", CONTROLLERS[bus], f"{bus}-bus")


def _disk(disk: Disk, index: int, places: Places, layout: Layout) -> Iterator[Piece]:
    id, field = f"disk{index}", f"disks[{index}]"
    if disk.bus == "mtd":
        raise Unsupported("qemu", f"{field}.bus", "boards for PCs have no flash for disks; virtio")
    if disk.bus == "sd":
        _check_card(disk, field)
    yield from blockdevs(disk, field, id, layout)
    if disk.bus == "usb":
        # not usb-storage: it has a write cache whatever it is told (QEMU 7.2)
        yield layout.device(field, "usb-bot", id=f"{id}-usb", bus="usb-bus.0")
    place = places.disk(index, id)
    serial = disk.serial if disk.serial is not None else place.pop("serial", None)
    more: dict[str, Value] = {
        **place,
        "serial": serial,
        "bootindex": disk.bootindex,
        "share-rw": disk.shared or None,
        "write-cache": None if disk.bus == "sd" else CACHE[disk.cache][2],
        **options("disk", disk.options),
    }
    yield layout.device(field, _FRONT[disk.bus], more, id=id, drive=id)


def options(field: str, given: tuple[tuple[str, str], ...]) -> dict[str, Value]:
    """Return further properties of a device, none of which may be one that a field stands for."""
    for key, _ in given:
        if key in _OWN_KEYS:
            raise SpecError(f"{field}.options", key, "has a field of its own, or is the compiler's")
    return dict(given)


def _check_card(disk: Disk, field: str) -> None:
    lacking = {
        "cache": disk.cache in {"writethrough", "directsync"},
        "readonly": disk.readonly,
        "serial": disk.serial is not None,
        "bootindex": disk.bootindex is not None,
        "shared": disk.shared,
    }
    for name, asked in lacking.items():
        if asked:
            raise Unsupported("qemu", f"{field}.{name}", "an SD card has none; use virtio")


def _cdrom(cdrom: CDROM, field: str, index: int, places: Places, layout: Layout) -> Iterator[Piece]:
    id = f"cd{index}"
    bus, place = places.cdrom(index, id)
    if cdrom.back is not None:
        yield from blockdevs(cdrom, field, id, layout)
    if bus == "usb":
        yield layout.device(field, "usb-bot", id=f"{id}-usb", bus="usb-bus.0")
    more: dict[str, Value] = {
        **place,
        "bootindex": cdrom.bootindex,
        **options("cdrom", cdrom.options),
    }
    front = "scsi-cd" if bus in {"scsi", "usb"} else "ide-cd"
    yield layout.device(field, front, more, id=id, drive=id if cdrom.back is not None else None)


def blockdevs(part: Disk | CDROM, field: str, id: str, layout: Layout) -> Iterator[Piece]:
    """Yield the back half of a drive: where its bytes are, and over it their format."""
    path, format = _file(part, field, id, layout)
    if path is None:
        from kvmnb.compile.qemu_backs import far_blockdevs

        yield from far_blockdevs(part, field, id)
        return
    if isinstance(part, Disk):
        direct, no_flush, _ = CACHE[part.cache]
        readonly, aio, discard = part.readonly, part.aio, part.discard
    else:
        direct, no_flush, readonly, aio, discard = False, False, True, None, None
    yield from stacked(
        field,
        id,
        {"driver": "file", "filename": path},
        format,
        (direct, no_flush, readonly),
        aio=aio,
        discard=discard,
    )


def stacked(
    field: str,
    id: str,
    protocol: dict[str, Value],
    format: str,
    modes: tuple[bool, bool, bool],
    *,
    aio: str | None = None,
    discard: str | None = None,
    snapshot: bool = False,
) -> Iterator[Piece]:
    """Yield two nodes, ``ID-file`` that reaches the bytes, and ``ID`` that reads their format.

    With `snapshot` they are one ``-drive``, the only option by which QEMU itself makes an overlay.

    Parameters
    ----------
    modes : no host page cache; no flushes; read-only
    """
    direct, no_flush, readonly = modes
    more: dict[str, Value] = {
        "cache.direct": direct,
        "cache.no-flush": no_flush,
        "read-only": readonly,
        "discard": discard,
    }
    if snapshot:
        below = {f"file.{key}": value for key, value in {**protocol, "aio": aio}.items()}
        drive = Opts(None, {**below, **more, "snapshot": True}, if_="none", id=id, format=format)
        yield Piece(field, "back", ("-drive", str(drive)))
        return
    file: dict[str, Value] = {**protocol, "node-name": f"{id}-file", **more, "aio": aio}
    disk: dict[str, Value] = {"node-name": id, **more}
    yield Piece(field, "back", ("-blockdev", str(Opts(None, file))))
    upper = Opts(None, disk, driver=format, file=f"{id}-file")
    yield Piece(field, "back", ("-blockdev", str(upper)))


def _file(part: Disk | CDROM, field: str, id: str, layout: Layout) -> tuple[str | None, str]:
    """Return the file that the part's bytes are in and its format; no file for a far back."""
    runtime, back = layout.runtime, part.back
    if isinstance(part, Disk):
        file = runtime.disks[int(id.removeprefix("disk"))]
        if isinstance(back, (ExistingFile, CatalogueImage, NewFile)):
            return file.path, file.format
        return None, ""
    if isinstance(back, CatalogueImage):
        return catalogue_file(back, field, layout), "raw"
    return (back.path, "raw") if isinstance(back, ExistingFile) else (None, "")


def catalogue_file(image: CatalogueImage, field: str, layout: Layout) -> str:
    """Return the file of an image that the engine looked up beforehand."""
    if image.name not in layout.runtime.catalogue:
        raise SpecError(field, image.name, "is not in this host's catalogue of images")
    return layout.runtime.catalogue[image.name]
