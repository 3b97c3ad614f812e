"""Disks and CD-ROMs: the front that the guest sees, the back that holds the bytes."""

from __future__ import annotations

from dataclasses import dataclass

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["CDROM", "CatalogueImage", "Disk", "DiskBack", "ExistingFile", "NewFile"]

BUSES = ("virtio", "ide", "sata", "scsi", "nvme", "usb")
CACHES = ("writeback", "none", "writethrough", "directsync", "unsafe")
SECTOR_BYTES = 512
SIZE_LIMIT_BYTES = 1 << 51
"""2 PiB, the most that a qcow2 with clusters of 64 KiB addresses (QEMU docs/interop/qcow2)."""

FORMATS = ("qcow2", "raw", "vmdk", "vdi", "vhdx", "vpc", "qed")


@dataclass(frozen=True, slots=True, repr=False)
class CatalogueImage(Value):
    """An image of the catalogue, never written: the guest gets a fresh qcow2 overlay on it."""

    name: str

    def __post_init__(self) -> None:
        validate.name("disk", self.name)


@dataclass(frozen=True, slots=True, repr=False)
class ExistingFile(Value):
    """A file of the user's, used as it is; the guest's writes stay in it."""

    path: str

    def __post_init__(self) -> None:
        validate.path("disk", self.path)


@dataclass(frozen=True, slots=True, repr=False)
class NewFile(Value):
    """A new, empty qcow2 that lives as long as the guest."""

    size_bytes: int

    def __post_init__(self) -> None:
        _size(self.size_bytes)


def _size(size_bytes: int) -> None:
    validate.positive("disk.size", size_bytes, SIZE_LIMIT_BYTES)
    if size_bytes % SECTOR_BYTES:
        raise SpecError("disk.size", size_bytes, f"must be a multiple of {SECTOR_BYTES} bytes")


DiskBack = CatalogueImage | ExistingFile | NewFile


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Disk(Value):
    """A disk as the guest sees it, and what holds its bytes.

    Parameters
    ----------
    back : where the bytes are
    bus : how it is attached: ``virtio ide sata scsi nvme usb``
    cache : ``writeback none writethrough directsync unsafe``, QEMU's five combinations of
        host page cache and flushes (QEMU manual, -drive cache=)
    format : of an existing file; ``None`` reads it from the file's header, and then a qcow2
        that points to other files is refused, since a guest could have written that header
    readonly : the guest cannot write to it
    snapshot : writes go to an overlay that ends with the guest
    size_bytes : of the overlay on a catalogue image, when it shall be larger than the image
    """

    back: DiskBack
    bus: str = "virtio"
    cache: str = "writeback"
    format: str | None = None
    readonly: bool = False
    snapshot: bool = False
    size_bytes: int | None = None

    def __post_init__(self) -> None:
        validate.kind("disk.back", self.back, CatalogueImage, ExistingFile, NewFile)
        validate.choice("disk.bus", self.bus, BUSES)
        validate.choice("disk.cache", self.cache, CACHES)
        if self.format is not None:
            validate.choice("disk.format", self.format, FORMATS)
            if not isinstance(self.back, ExistingFile):
                raise SpecError("disk.format", self.format, "only an existing file needs one")
        validate.switch("disk.readonly", self.readonly)
        validate.switch("disk.snapshot", self.snapshot)
        if self.size_bytes is not None:
            if isinstance(self.back, ExistingFile):
                raise SpecError("disk.size", self.size_bytes, "an existing file keeps its size")
            if isinstance(self.back, NewFile):
                raise SpecError("disk.size", self.size_bytes, "a new file has its own size")
            _size(self.size_bytes)
        if self.readonly and self.snapshot:
            raise SpecError("disk.snapshot", True, "a read-only disk has no writes to throw away")
        if self.readonly and isinstance(self.back, NewFile):
            raise SpecError("disk.readonly", True, "a new, empty disk must be writable")
        if self.readonly and self.bus in {"ide", "sata"}:
            raise SpecError(
                "disk.readonly", True, f"an {self.bus} disk cannot be write-protected; use virtio"
            )


@dataclass(frozen=True, slots=True, repr=False)
class CDROM(Value):
    """A CD-ROM drive with an ISO image in it."""

    path: str

    def __post_init__(self) -> None:
        validate.path("cdrom", self.path)
