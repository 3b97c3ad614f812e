"""Disks whose bytes are not in a file of their own, and floppies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kvmnb.compile.opts import Value
from kvmnb.compile.piece import Piece
from kvmnb.compile.qemu_disks import CACHE, catalogue_file, stacked
from kvmnb.compile.qemu_layout import Layout
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.diskbacks import PORTS, BlockDevice, FatFolder, Server, Volume
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, Floppy

if TYPE_CHECKING:
    from kvmnb.spec.storage import DiskBack

__all__ = ["far_blockdevs", "floppies"]

_WEB = frozenset({"http", "https", "ftp", "ftps"})


def far_blockdevs(part: Disk | CDROM, field: str, id: str) -> Iterator[Piece]:
    """Yield the back half of a drive whose bytes a device, a server or a folder holds."""
    back = part.back
    if isinstance(part, CDROM):
        if isinstance(back, FatFolder):
            raise SpecError("cdrom", back, "a folder becomes a disk, not a CD-ROM")
        modes = (False, False, True)
        yield from stacked(field, id, _protocol(back, field, cdrom=True), "raw", modes)
        return
    fixed = _fixed(back) and not part.snapshot  # an overlay takes the writes
    if fixed and not part.readonly and not isinstance(back, FatFolder):
        raise SpecError("disk.readonly", False, "a web server takes no writes: readonly=True")
    if fixed and part.bus in {"ide", "sata", "sd"}:
        reason = f"it cannot be written to, as an {part.bus} disk must be; use virtio"
        raise SpecError("disk.bus", part.bus, reason)
    if isinstance(back, FatFolder) and back.writable and part.readonly:
        raise SpecError("disk.readonly", True, "and the folder writable: only one can be")
    if part.aio is not None and not isinstance(back, BlockDevice):
        raise Unsupported("qemu", f"{field}.aio", "only files and block devices have it")
    direct, no_flush, _ = CACHE[part.cache]
    yield from stacked(
        field,
        id,
        _protocol(back, field),
        part.format or "raw",
        (direct, no_flush, part.readonly or fixed),
        aio=part.aio,
        discard=part.discard,
        snapshot=part.snapshot,
    )


def floppies(spec: DomainSpec, layout: Layout) -> Iterator[Piece]:
    """Yield the floppy drives; ``pc`` has a controller for them, ``q35`` gets one."""
    if spec.machine == "microvm":
        raise Unsupported("qemu", "floppies", "the board 'microvm' has no floppy controller")
    if layout.q35:
        yield from layout.controller("floppies", "isa-fdc", "fdc0")
    for index, floppy in enumerate(spec.floppies):
        id, field = f"floppy{index}", f"floppies[{index}]"
        if floppy.back is not None:
            yield from _floppy_blockdevs(floppy, field, id, layout)
        drive = None if floppy.back is None else id
        # a drive without a disk in it has no size to know its type by: 3.5 inches, 1.44 MB
        more: dict[str, Value] = {"drive-type": "144" if drive is None else None}
        yield layout.device(field, "floppy", more, id=id, unit=index, drive=drive)


def _floppy_blockdevs(floppy: Floppy, field: str, id: str, layout: Layout) -> Iterator[Piece]:
    back = floppy.back
    if isinstance(back, CatalogueImage):
        back = ExistingFile(catalogue_file(back, field, layout))
    if isinstance(back, ExistingFile):
        protocol: dict[str, Value] = {"driver": "file", "filename": back.path}
    else:
        writes = not (floppy.readonly or floppy.snapshot)
        if _fixed(back) and writes and not isinstance(back, FatFolder):
            raise SpecError("floppy.readonly", False, "a web server takes no writes: readonly=True")
        protocol = _protocol(back, field, floppy=True)
    modes = (False, False, floppy.readonly or (_fixed(back) and not floppy.snapshot))
    yield from stacked(field, id, protocol, floppy.format or "raw", modes, snapshot=floppy.snapshot)


def _fixed(back: DiskBack | None) -> bool:
    """Return whether what holds the bytes takes no writes at all."""
    if isinstance(back, FatFolder):
        return not back.writable
    return isinstance(back, Server) and back.protocol in _WEB


def _protocol(
    back: DiskBack | None, field: str, *, cdrom: bool = False, floppy: bool = False
) -> dict[str, Value]:
    match back:
        case BlockDevice():
            return {"driver": "host_cdrom" if cdrom else "host_device", "filename": back.path}
        case Server():
            return _server(back, field)
        case FatFolder():
            bits = None if back.bits is None else str(back.bits)
            return {
                "driver": "vvfat",
                "dir": back.path,
                "fat-type": bits,
                "floppy": floppy or None,
                "rw": back.writable,
            }
        case Volume():
            hint = "the pool is libvirt's; name the volume's file: virsh vol-path"
            raise Unsupported("qemu", f"{field}.back", hint)
        case _:
            raise AssertionError(f"{back!r} is a file, or nothing")


def _server(back: Server, field: str) -> dict[str, Value]:
    protocol = back.protocol
    if back.user is not None and protocol not in {"ssh", "iscsi", "rbd", *_WEB}:
        raise Unsupported("qemu", f"{field}.back.user", f"{protocol} knows no users")
    if protocol in _WEB:
        return {"driver": protocol, "url": _url(back), "username": back.user}
    port = back.port or PORTS[protocol]  # QEMU's drivers want one named
    inet: dict[str, Value] = {"host": back.host, "port": port}
    match protocol:
        case "nbd":
            where = _unix_or(inet, back)
            return {"driver": "nbd", **_below("server", where), "export": back.name or None}
        case "ssh":
            return {
                "driver": "ssh",
                **_below("server", inet),
                "path": back.name,
                "user": back.user,
            }
        case "iscsi":
            target, _, lun = back.name.partition("/")
            if lun and not lun.isdecimal():
                raise SpecError("disk.name", back.name, "must be TARGET/LUN, the LUN a number")
            host = f"[{back.host}]" if ":" in (back.host or "") else back.host
            return {
                "driver": "iscsi",
                "transport": "tcp",
                "portal": f"{host}:{port}",
                "target": target,
                "lun": int(lun or 0),
                "user": back.user,
            }
        case "rbd":
            pool, _, image = back.name.partition("/")
            space, _, image = image.rpartition("/")
            if not pool or not image:
                raise SpecError("disk.name", back.name, "must be POOL/IMAGE")
            return {
                "driver": "rbd",
                "pool": pool,
                "namespace": space or None,
                "image": image,
                **(_below("server.0", inet) if back.host is not None else {}),
                "user": back.user,
            }
        case "gluster":
            volume, _, path = back.name.partition("/")
            if not volume or not path:
                raise SpecError("disk.name", back.name, "must be VOLUME/PATH")
            where = _below("server.0", _unix_or(inet, back))
            return {"driver": "gluster", "volume": volume, "path": path, **where}
        case _:
            raise Unsupported("qemu", f"{field}.back.protocol={protocol!r}", "no such driver")


def _unix_or(inet: dict[str, Value], back: Server) -> dict[str, Value]:
    if back.socket is not None:
        return {"type": "unix", "path": back.socket}
    return {"type": "inet", **inet}


def _below(key: str, address: dict[str, Value]) -> dict[str, Value]:
    return {f"{key}.{name}": value for name, value in address.items()}


def _url(back: Server) -> str:
    from urllib.parse import quote

    host = f"[{back.host}]" if ":" in (back.host or "") else back.host
    port = "" if back.port is None else f":{back.port}"
    return f"{back.protocol}://{host}{port}/{quote(back.name, safe='/', errors='surrogateescape')}"
