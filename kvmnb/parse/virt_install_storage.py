"""``--disk``, ``--cdrom`` and the old ``--file``: what a guest of virt-install's stores."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from kvmnb.compile.virt_install_storage import BLOCK_DEFAULTS
from kvmnb.parse.virt_install_draft import Draft
from kvmnb.parse.virt_install_options import Given
from kvmnb.parse.virt_install_subs import Subs
from kvmnb.spec.diskbacks import PROTOCOLS, BlockDevice, FatFolder, Server, Volume
from kvmnb.spec.storage import ExistingFile, NewFile
from kvmnb.spec.validate import SECTOR_BYTES
from kvmnb.units import GIB

if TYPE_CHECKING:
    from kvmnb.spec.storage import DiskBack

__all__ = ["cdrom", "disk", "file", "file_size", "parted"]

_URL = re.compile(
    r"([a-z]{2,8})://(?:\[([0-9A-Fa-f:.]{2,45})\]|([^/:\[\]?#\s]{0,255}))(?::(\d{1,5}))?(?:/(.*))?",
    re.DOTALL,
)
_TARGET = re.compile(r"(vd|hd|sd|xvd|ubd|fd)([a-z]{1,3})", re.ASCII)
_PREFIX_BUS = {"vd": "virtio", "hd": "ide"}

SIZE_LIMIT_DIGITS = 40
"""Of a size in GiB: a sector is 21 places behind the point."""


def disk(draft: Draft, given: Given) -> None:
    """Read ``--disk``: a disk, a CD-ROM or a floppy."""
    if given.value == "none":
        draft.said["nodisks"] = given.position
        return
    subs = Subs(draft, given, "path")
    kind = subs.filled("device") or "disk"
    if kind == "lun":
        draft.note(given.position, "device=lun", "changed", "it is an ordinary disk here")
        kind = "disk"
    if kind not in {"disk", "cdrom", "floppy"}:
        draft.fail(given.position, f"device is disk, cdrom or floppy, not {kind!r}")
    place = _place(subs)
    bus = subs.filled("bus", "target.bus") or place.get("bus")
    common: dict[str, Any] = {"position": given.position, "bus": bus, "index": place.get("index")}
    new = _new(subs)
    back = _back(draft, subs, new)
    order = subs.number("boot.order", "boot_order")
    format = subs.filled("driver.type", "driver_type")
    readonly, shared = _permissions(subs)
    transient = subs.switch("transient") or False
    if subs.has("driver.name", "driver_name"):
        subs.text("driver.name", "driver_name")
    match kind:
        case "cdrom":
            if shared:
                message = "a CD-ROM is read-only, and several guests may read it anyway"
                draft.note(given.position, "shareable", "ignored", message)
            made = {**common, "back": back, "bootindex": order}
            draft.cdroms.append(made)
            field = f"cdroms[{len(draft.cdroms) - 1}]"
        case "floppy":
            fields = {"format": format or new.get("format"), "readonly": readonly}
            made = {"position": given.position, "back": back, "snapshot": transient, **fields}
            draft.floppies.append(made)
            field = f"floppies[{len(draft.floppies) - 1}]"
        case _:
            made = {**common, "back": back, "bootindex": order, "readonly": readonly}
            made |= {"shared": shared, "snapshot": transient, "serial": subs.filled("serial")}
            made |= _driver(draft, subs, back)
            if isinstance(back, FatFolder):
                format = None
            if not isinstance(back, NewFile):
                made["format"] = format or new.get("format")
            draft.disks.append(made)
            field = f"disks[{len(draft.disks) - 1}]"
            if back is None:
                draft.fail(given.position, "a disk needs a path, a volume, or a size")
    draft.disk_order.append(made)
    draft.said.setdefault("first " + kind, given.position)
    if isinstance(back, Volume) and back.size_bytes is not None and new.get("format"):
        draft.keep_sub(field, f"format={new['format']}")
        made["format"] = None
    subs.keep(field)


def _permissions(subs: Subs) -> tuple[bool, bool]:
    readonly, shared = subs.switch("readonly"), subs.switch("shareable")
    perms = subs.sub("perms")
    if perms is not None:
        if perms.value not in {"ro", "rw", "sh"}:
            subs.draft.fail(perms.position, "perms is ro, rw or sh")
        word = {"ro": "readonly=on", "sh": "shareable=on", "rw": "the default"}[perms.value]
        subs.draft.note(perms.position, perms.written, "old", f"today it is {word}")
        readonly = readonly or perms.value == "ro"
        shared = shared or perms.value == "sh"
    return readonly or False, shared or False


def _new(subs: Subs) -> dict[str, Any]:
    """Return what is said of a disk that is to be made."""
    new: dict[str, Any] = {"format": subs.filled("format"), "bare": subs.bare("sparse")}
    new["sparse"] = subs.switch("sparse")
    if new["bare"]:
        message = "it is written sparse=on; today's virt-install takes the bare word for off"
        subs.draft.note(subs.position, "sparse", "mended", message)
    size = subs.sub("size")
    if size is not None:
        new["size_bytes"] = gib(subs.draft, size.position, size.value)
    return new


def gib(draft: Draft, position: int, text: str | None) -> int:
    """Return a size in GiB as bytes, whole sectors of them."""
    try:
        if len(text or "") > SIZE_LIMIT_DIGITS:
            raise InvalidOperation
        size = Decimal((text or "").strip())
        if not size.is_finite() or abs(size.adjusted()) > SIZE_LIMIT_DIGITS:
            raise InvalidOperation
    except InvalidOperation:
        draft.fail(position, "size is a number of GiB, such as 8 or 0.5")
    sectors: int = int(size * GIB / SECTOR_BYTES)
    if sectors <= 0:
        draft.fail(position, "size must be at least one sector above zero")
    return sectors * SECTOR_BYTES


def _back(draft: Draft, subs: Subs, new: dict[str, Any]) -> DiskBack | None:
    kind = subs.filled("type")
    where = subs.where("path", "vol", "pool", "source.protocol")
    size = new.get("size_bytes")
    if folder := subs.filled("source.dir"):
        return draft.make(where, FatFolder, path=folder)
    if subs.has("source.protocol", "source_protocol"):
        return _server(draft, subs, where)
    pool, volume = subs.filled("source.pool", "source_pool"), subs.filled("source.volume")
    if pool and volume:
        return draft.make(where, Volume, pool=pool, name=volume)
    if named := subs.filled("vol"):
        pool, sign, volume = named.partition("/")
        if not sign or not volume or "/" in volume:
            draft.fail(where, "vol is POOL/VOLUME")
        return draft.make(where, Volume, pool=pool, name=volume)
    if pool := subs.filled("pool"):
        if size is None:
            draft.fail(where, "a new volume of a pool needs its size, in GiB")
        return draft.make(where, Volume, pool=pool, size_bytes=size)
    if device := subs.filled("source.dev"):
        return draft.make(where, BlockDevice, device)
    path = subs.filled("source.file")
    if path is None:
        path = subs.filled("path")
        if path is None and size is None:
            return None
        if path is None:
            return draft.make(where, Volume, pool="default", size_bytes=size)
        if (server := server_of(draft, where, path)) is not None:
            return server
        if path.startswith("/dev/") or kind == "block":
            if size is not None:
                draft.note(where, "size", "ignored", "a block device has its size")
            return draft.make(where, BlockDevice, path)
    if size is None:
        return draft.make(where, ExistingFile, path)
    sparse = new["sparse"] is not False
    format = new["format"] or "qcow2"
    if new["format"] is None:
        message = "a new disk without a format is a qcow2 (virt-install 1.0 and later)"
        draft.note(where, path[:40], "default", message)
    return draft.make(where, NewFile, size, path=path, format=format, sparse=sparse)


def server_of(draft: Draft, position: int, path: str) -> Server | None:
    """Return the server that a URL names; ``None`` for a path."""
    found = _URL.fullmatch(path)
    if found is None or found[1] not in PROTOCOLS:
        return None
    port = None if found[4] is None else int(found[4])
    host = found[2] or found[3] or None
    name = found[5] or ""
    return draft.make(position, Server, protocol=found[1], host=host, port=port, name=name)


def _server(draft: Draft, subs: Subs, where: int) -> Server:
    host = "source.host0", "source.host", "source.hosts0"
    fields = {
        "protocol": subs.filled("source.protocol", "source_protocol"),
        "name": subs.filled("source.name", "source_name") or "",
        "host": subs.filled(*(f"{each}.name" for each in host), "source_host_name"),
        "port": subs.number(*(f"{each}.port" for each in host), "source_host_port"),
        "socket": subs.filled(*(f"{each}.socket" for each in host), "source_host_socket"),
    }
    subs.filled(*(f"{each}.transport" for each in host), "source_host_transport")
    return draft.make(where, Server, **fields)


def _driver(draft: Draft, subs: Subs, back: DiskBack | None) -> dict[str, Any]:
    cache = subs.filled("cache", "driver.cache")
    aio = subs.filled("driver.io", "io")
    discard = subs.filled("driver.discard", "discard")
    if cache is None and isinstance(back, BlockDevice):
        cache = BLOCK_DEFAULTS["cache"]
        draft.note(subs.position, back.path[:40], "default", f"a block device gets cache={cache}")
    return {
        "cache": "writeback" if cache in {None, "default"} else cache,
        "aio": None if aio == "default" else aio,
        "discard": discard,
    }


def _place(subs: Subs) -> dict[str, Any]:
    """Return the place that libvirt's name of a disk means: ``vdb`` is virtio's second."""
    sub = subs.sub("target.dev", "target")
    if sub is None or not sub.value:
        return {}
    found = _TARGET.fullmatch(sub.value)
    if found is None:
        subs.draft.fail(sub.position, "a disk's place is named like vda, hdc or sdb")
    index = 0
    for letter in found[2]:
        index = index * 26 + ord(letter) - ord("a") + 1
    if found[1] == "fd":
        return {}
    return {"bus": None if subs.has("device") else _PREFIX_BUS.get(found[1]), "index": index - 1}


def parted(draft: Draft, position: int, path: str) -> DiskBack:
    """Return what a path or a URL of installation media means."""
    if (server := server_of(draft, position, path)) is not None:
        return server
    if path.startswith("/dev/"):
        return draft.make(position, BlockDevice, path)
    return draft.make(position, ExistingFile, path)


def cdrom(draft: Draft, given: Given) -> None:
    """Read ``--cdrom``: what the first start is from."""
    path = given.value or ""
    if given.written == "-c" and "://" in path and not path.startswith(("http", "ftp")):
        draft.fail(given.position, f"-c is --cdrom; a connection is --connect {path[:40]}")
    if not path:
        draft.fail(given.position, "--cdrom needs a path")
    back = parted(draft, given.at(0), path)
    draft.said["cdrom"] = given.position
    # it comes behind all that --disk says
    draft.fields["tray"] = {"position": given.position, "back": back, "bus": None}


def file(draft: Draft, given: Given) -> None:
    """Read ``-f PATH``, today's ``--disk PATH``."""
    draft.note(given.position, given.written, "old", "today it is --disk PATH")
    draft.lists.setdefault("files", []).append((given.at(0), given.value or ""))


def file_size(draft: Draft, given: Given) -> None:
    """Read ``-s GIB``, today's ``--disk PATH,size=GIB``."""
    draft.note(given.position, given.written, "old", "today it is --disk PATH,size=GIB")
    size = gib(draft, given.at(0), given.value)
    draft.lists.setdefault("file_sizes", []).append(size)
