"""Disks, CD-ROMs and floppies as virt-install's ``--disk``."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, assert_never

from kvmnb.compile.piece import Piece
from kvmnb.compile.virt_install_words import Pairs, differing, joined, option, refused, removed
from kvmnb.spec.diskbacks import BlockDevice, FatFolder, Server, Volume
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, Floppy, NewFile
from kvmnb.units import GIB

if TYPE_CHECKING:
    from kvmnb.spec.storage import DiskBack

__all__ = ["gib", "install_cdrom", "storage"]

LIBVIRT_BUSES = ("virtio", "ide", "sata", "scsi", "usb", "sd")

WRITABLE_BUSES = ("ide", "sata")
"""Whose disks cannot be write-protected, so that a folder's are not said to be."""

BLOCK_DEFAULTS = {"cache": "none", "aio": "native", "discard": "unmap"}
"""What virt-install sets for a disk on a block device, unless told otherwise (since 1.5)."""


def storage(spec: DomainSpec, more: dict[str, list[str]]) -> Iterator[Piece]:
    """Yield the options for all that a guest stores, or that it has nothing of the kind.

    `more` has further sub-options, verbatim, by the field of their device.
    """
    number = 0
    for index, disk in enumerate(spec.disks):
        number += 1
        yield from _disk(disk, f"disks[{index}]", number, more)
    tray = install_cdrom(spec)
    for index, cdrom in enumerate(spec.cdroms):
        if cdrom is not tray:
            field = f"cdroms[{index}]"
            number += 1
            yield option(field, "--disk", _with(_cdrom(cdrom, field), more, field))
    for index, floppy in enumerate(spec.floppies):
        field = f"floppies[{index}]"
        number += 1
        yield option(field, "--disk", _with(_floppy(floppy, field), more, field))
    if number == 0:
        yield option("disks", "--disk", "none")


def install_cdrom(spec: DomainSpec) -> CDROM | None:
    """Return the CD-ROM that ``--cdrom`` can say: the only one, and for the first start."""
    if spec.boot.once != "d" or len(spec.cdroms) != 1:
        return None
    cdrom = spec.cdroms[0]
    path = getattr(cdrom.back, "path", None)
    if cdrom != CDROM(back=cdrom.back) or path is None or "://" in path:
        return None
    if isinstance(cdrom.back, BlockDevice):
        return cdrom
    usual = isinstance(cdrom.back, ExistingFile) and not path.startswith("/dev/")
    return cdrom if usual else None


def gib(bytes_: int) -> str:
    """Return a size in GiB, exactly: a sector is 21 places behind the point."""
    return format((Decimal(bytes_) / GIB).normalize(), "f")


def _with(text: str, more: dict[str, list[str]], field: str) -> str:
    return ",".join([text, *more.get(field, ())])


def _disk(disk: Disk, field: str, number: int, more: dict[str, list[str]]) -> Iterator[Piece]:
    if disk.bus not in LIBVIRT_BUSES:
        refused(f"{field}.bus", f"libvirt has no {disk.bus} disks; use virtio or sata")
    hint = "it is a property of QEMU's own device; libvirt has no word for it"
    differing(field, disk, {"options": ()}, hint)
    format = None if isinstance(disk.back, NewFile) else disk.format
    is_block = isinstance(disk.back, BlockDevice)
    is_folder = isinstance(disk.back, FatFolder)
    if is_folder and not disk.readonly and disk.bus not in WRITABLE_BUSES:
        refused(f"{field}.readonly", "libvirt gives folders to guests read-only: readonly=True")
    pairs: Pairs = [
        *_source(disk.back, field),
        ("driver.type", "fat" if is_folder else format),
        ("bus", disk.bus),
        ("target.dev", _target(disk.bus, disk.index)),
        ("cache", disk.cache if is_block or disk.cache != "writeback" else None),
        ("driver.io", disk.aio),
        ("driver.discard", disk.discard),
        ("readonly", disk.readonly or is_folder or None),
        ("shareable", disk.shared or None),
        ("transient", disk.snapshot or None),
        ("serial", disk.serial),
        ("boot.order", disk.bootindex),
    ]
    yield option(field, "--disk", _with(joined(None, pairs), more, field))
    driver = f"./devices/disk[{number}]/driver"
    if is_block and disk.aio is None:
        yield removed(field, f"{driver}/@io")
    if disk.discard is None and (is_block or frees(disk.back)):
        yield removed(field, f"{driver}/@discard")


def frees(back: DiskBack | None) -> bool:
    """Return whether virt-install makes `back` sparse, and so lets its guest give blocks back."""
    return (isinstance(back, NewFile) and back.sparse) or (
        isinstance(back, Volume) and back.size_bytes is not None
    )


def _source(back: DiskBack | None, field: str) -> Pairs:
    match back:
        case None:
            return ()
        case ExistingFile():
            # virt-install would take these for a block device or a server
            plain = not back.path.startswith("/dev/") and "://" not in back.path
            return (("path" if plain else "source.file", back.path),)
        case NewFile():
            return (
                ("path", back.path),
                ("size", gib(back.size_bytes)),
                ("format", back.format),
                ("sparse", None if back.sparse else False),
            )
        case BlockDevice():
            return (("path", back.path),)
        case Server():
            return _server(back, field)
        case Volume():
            return _volume(back, field)
        case FatFolder():
            if back.bits is not None or back.writable:
                which = "writable" if back.writable else "bits"
                refused(f"{field}.back.{which}", "libvirt gives folders read-only, as they are")
            return (("type", "dir"), ("source.dir", back.path))
        case CatalogueImage():
            return refused(f"{field}.back", "the catalogue's image has no file on this host yet")
        case _:
            assert_never(back)


def _server(back: Server, field: str) -> Pairs:
    if back.user is not None:
        refused(f"{field}.back.user", "libvirt takes who logs in from a secret: <auth> in its XML")
    if back.protocol == "rbd" and back.host is None and not back.name:
        refused(f"{field}.back.name", "an image of Ceph's needs its name")
    return (
        ("source.protocol", back.protocol),
        ("source.name", back.name or None),
        ("source.host0.name", back.host),
        ("source.host0.port", back.port),
        ("source.host0.socket", back.socket),
        ("source.host0.transport", None if back.socket is None else "unix"),
    )


def _volume(back: Volume, field: str) -> Pairs:
    if back.name is None:
        size = None if back.size_bytes is None else gib(back.size_bytes)
        return (("pool", back.pool), ("size", size))
    if back.size_bytes is not None:
        hint = "a new volume's name is virt-install's choice; make it before: virsh vol-create-as"
        refused(f"{field}.back.size_bytes", hint)
    return (("vol", f"{back.pool}/{back.name}"),)


def _cdrom(cdrom: CDROM, field: str) -> str:
    differing(field, cdrom, {"options": ()}, "it is a property of QEMU's own device")
    bus = cdrom.bus or "ide"
    pairs: Pairs = [
        ("device", "cdrom"),
        *_source(cdrom.back, field),
        ("bus", cdrom.bus),
        ("target.dev", _target(bus, cdrom.index)),
        ("boot.order", cdrom.bootindex),
    ]
    return joined(None, pairs)


def _floppy(floppy: Floppy, field: str) -> str:
    if isinstance(floppy.back, NewFile):
        refused(f"{field}.back", "virt-install makes new disks, and no new floppies")
    pairs: Pairs = [
        ("device", "floppy"),
        *_source(floppy.back, field),
        ("driver.type", floppy.format),
        ("readonly", floppy.readonly or None),
        ("transient", floppy.snapshot or None),
    ]
    return joined(None, pairs)


_PREFIX = {"virtio": "vd", "ide": "hd"}


def _target(bus: str, index: int | None) -> str | None:
    """Return the name by which libvirt gives a disk its place: ``vda`` is a bus's first."""
    if index is None:
        return None
    letters = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        letters = chr(ord("a") + letter) + letters
    return _PREFIX.get(bus, "sd") + letters
