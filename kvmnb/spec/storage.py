"""Disks, CD-ROMs and floppies: the front that the guest sees, the back that holds the bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

if TYPE_CHECKING:
    from kvmnb.spec.diskbacks import FarBack

__all__ = ["CDROM", "CatalogueImage", "Disk", "ExistingFile", "Floppy", "NewFile"]

BUSES = ("virtio", "ide", "sata", "scsi", "nvme", "usb", "sd", "mtd")
CDROM_BUSES = ("ide", "sata", "scsi", "usb")
CACHES = ("writeback", "none", "writethrough", "directsync", "unsafe")
AIOS = ("threads", "native", "io_uring")
DISCARDS = ("ignore", "unmap")
FORMATS = ("qcow2", "raw", "vmdk", "vdi", "vhdx", "vpc", "qed")
SERIAL_LIMIT = 36
"""Characters of a disk's serial number that a SCSI disk shows; virtio shows 20 (QEMU hw/)."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class CatalogueImage(Value):
    """An image of the catalogue, never written: the guest gets a fresh qcow2 overlay on it."""

    name: str

    def __post_init__(self) -> None:
        validate.name("disk", self.name)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ExistingFile(Value):
    """A file of the user's, used as it is; the guest's writes stay in it."""

    path: str

    def __post_init__(self) -> None:
        validate.path("disk", self.path)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class NewFile(Value):
    """A new, empty disk.

    Parameters
    ----------
    size_bytes : of the disk that the guest sees
    path : where it is made if it is not there yet, and stays; ``None`` for a private file that
        lives as long as the guest
    format : of the file
    sparse : it takes room on the host only as it is written
    """

    size_bytes: int
    path: str | None = None
    format: str = "qcow2"
    sparse: bool = True

    def __post_init__(self) -> None:
        validate.disk_size("disk.size", self.size_bytes)
        validate.optional(validate.path, "disk.path", self.path)
        validate.choice("disk.format", self.format, FORMATS)
        validate.switch("disk.sparse", self.sparse)


if TYPE_CHECKING:
    DiskBack = CatalogueImage | ExistingFile | NewFile | FarBack


def _check_back(field: str, back: object) -> None:
    if isinstance(back, (CatalogueImage, ExistingFile, NewFile)):
        return
    from kvmnb.spec.diskbacks import FAR_BACKS

    validate.kind(field, back, CatalogueImage, ExistingFile, NewFile, *FAR_BACKS)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Disk(Value):
    """A disk as the guest sees it, and what holds its bytes.

    Parameters
    ----------
    back : where the bytes are
    bus : how it is attached: ``virtio ide sata scsi nvme usb sd mtd``
    index : its place on that bus, counted from 0 (``-hda`` is 0); ``None`` for the next free
    cache : ``writeback none writethrough directsync unsafe``, QEMU's five combinations of
        host page cache and flushes (QEMU manual, -drive cache=)
    format : of an existing file; ``None`` reads it from the file's header, and then a qcow2
        that points to other files is refused, since a guest could have written that header
    readonly : the guest cannot write to it
    snapshot : writes go to an overlay that ends with the guest
    size_bytes : of the overlay on a catalogue image, when it shall be larger than the image
    aio : how the host does the input and output: ``threads native io_uring``
    discard : whether blocks that the guest gives up are freed: ``ignore unmap``
    serial : the number by which the guest can know it
    bootindex : its turn among the devices that the firmware tries, from 1
    shared : other guests may have it open too
    options : further properties of QEMU's front device, as ``(name, value)``
    """

    back: DiskBack
    bus: str = "virtio"
    index: int | None = None
    cache: str = "writeback"
    format: str | None = None
    readonly: bool = False
    snapshot: bool = False
    size_bytes: int | None = None
    aio: str | None = None
    discard: str | None = None
    serial: str | None = None
    bootindex: int | None = None
    shared: bool = False
    options: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        _check_back("disk.back", self.back)
        validate.choice("disk.bus", self.bus, BUSES)
        if self.index is not None:
            validate.number("disk.index", self.index, 0, 255)
        validate.choice("disk.cache", self.cache, CACHES)
        if self.format is not None:
            validate.choice("disk.format", self.format, FORMATS)
            if isinstance(self.back, (CatalogueImage, NewFile)):
                raise SpecError("disk.format", self.format, "only an existing file needs one")
        for field in ("readonly", "snapshot", "shared"):
            validate.switch(f"disk.{field}", getattr(self, field))
        if self.size_bytes is not None:
            if isinstance(self.back, NewFile):
                raise SpecError("disk.size", self.size_bytes, "a new file has its own size")
            if not isinstance(self.back, CatalogueImage):
                raise SpecError("disk.size", self.size_bytes, "an existing file keeps its size")
            validate.disk_size("disk.size", self.size_bytes)
        if self.readonly and self.snapshot:
            raise SpecError("disk.snapshot", True, "a read-only disk has no writes to throw away")
        if self.readonly and isinstance(self.back, NewFile):
            raise SpecError("disk.readonly", True, "a new, empty disk must be writable")
        if self.readonly and self.bus in {"ide", "sata"}:
            raise SpecError(
                "disk.readonly", True, f"an {self.bus} disk cannot be write-protected; use virtio"
            )
        if self.aio is not None:
            validate.choice("disk.aio", self.aio, AIOS)
            if self.aio == "native" and self.cache not in {"none", "directsync"}:
                raise SpecError("disk.aio", "native", "needs cache='none' or 'directsync'")
        if self.discard is not None:
            validate.choice("disk.discard", self.discard, DISCARDS)
        if self.serial is not None and len(validate.text("disk.serial", self.serial)) > (
            SERIAL_LIMIT
        ):
            raise SpecError("disk.serial", self.serial, f"at most {SERIAL_LIMIT} characters fit")
        if self.bootindex is not None:
            validate.positive("disk.bootindex", self.bootindex, 1 << 30)
        validate.pairs("disk.options", self.options)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class CDROM(Value):
    """A CD-ROM drive, and the ISO image in it.

    Parameters
    ----------
    back : where the bytes are; ``None`` for an empty drive
    bus : ``ide sata scsi usb``; ``None`` for the board's own
    index : its place on that bus, counted from 0 (``-cdrom`` is 2); ``None`` for the next free
    bootindex : its turn among the devices that the firmware tries, from 1
    options : further properties of QEMU's front device, as ``(name, value)``
    """

    back: DiskBack | None = None
    bus: str | None = None
    index: int | None = None
    bootindex: int | None = None
    options: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.back is not None:
            _check_back("cdrom", self.back)
        if isinstance(self.back, NewFile):
            raise SpecError("cdrom", self.back, "a CD-ROM cannot be written, so cannot be new")
        if self.bus is not None:
            validate.choice("cdrom.bus", self.bus, CDROM_BUSES)
        if self.index is not None:
            validate.number("cdrom.index", self.index, 0, 255)
        if self.bootindex is not None:
            validate.positive("cdrom.bootindex", self.bootindex, 1 << 30)
        validate.pairs("cdrom.options", self.options)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Floppy(Value):
    """A floppy drive, and the image in it; the first of a guest is its drive A, the second B.

    Parameters
    ----------
    back : where the bytes are: a file or the host's drive; ``None`` for an empty drive
    format : of an existing file; ``None`` reads it from the file's header
    readonly : the guest cannot write to it
    snapshot : writes go to an overlay that ends with the guest
    """

    back: DiskBack | None = None
    format: str | None = None
    readonly: bool = False
    snapshot: bool = False

    def __post_init__(self) -> None:
        if self.back is not None:
            _check_back("floppy", self.back)
        if self.format is not None:
            validate.choice("floppy.format", self.format, FORMATS)
        validate.switch("floppy.readonly", self.readonly)
        validate.switch("floppy.snapshot", self.snapshot)
        if self.readonly and self.snapshot:
            raise SpecError("floppy.snapshot", True, "nothing is written to a read-only floppy")
