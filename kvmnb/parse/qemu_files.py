"""What holds a disk's bytes, as QEMU writes it: paths, protocols, URLs, ``file.…`` keys, JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, unquote

from kvmnb.parse.qemu_draft import Draft, suggestion
from kvmnb.parse.qemu_options import flat
from kvmnb.spec.storage import ExistingFile

if TYPE_CHECKING:
    from kvmnb.spec.diskbacks import Server
    from kvmnb.spec.storage import DiskBack

__all__ = ["file_named", "protocol_back"]

_PROTOCOL = re.compile(r"([A-Za-z0-9+_-]+):", re.ASCII)

KEPT_PROTOCOLS = {
    *("blkdebug", "blkverify", "blkreplay", "nvme", "null-co", "null-aio", "quorum", "raw"),
    *("vitastor", "nfs", "nbd+tls", "nbds", "throttle", "copy-on-read", "fdset"),
}
"""Protocols of QEMU's that no field stands for."""

_URL = {
    "nbd": "nbd", "nbd+unix": "nbd", "nbd+tcp": "nbd",
    "http": "http", "https": "https", "ftp": "ftp", "ftps": "ftps",
    "ssh": "ssh", "iscsi": "iscsi",
    "gluster": "gluster", "gluster+tcp": "gluster", "gluster+unix": "gluster",
}  # fmt: skip


class _Address(NamedTuple):
    host: str | None
    port: int | None
    user: str | None
    path: str
    query: dict[str, list[str]]


def file_named(draft: Draft, name: str, at: int) -> DiskBack | None:
    """Return what a file's name means to QEMU; ``None`` for what no field stands for.

    Raises
    ------
    ParseError   it names a protocol that QEMU does not have, or an address that is none
    """
    found = _PROTOCOL.match(name)
    if found is None:
        return _path(draft, name, at)
    protocol, rest = found.group(1), name[found.end() :]
    if protocol == "json":
        return _json(draft, rest, at)
    if protocol in {"file", "host_device", "host_cdrom"}:
        return _path(draft, rest, at)
    if protocol == "fat":
        return _fat(draft, rest, at)
    if protocol == "rbd":
        return _rbd(draft, rest, at)
    if protocol in _URL and rest.startswith("//"):
        return _url(draft, protocol, rest[2:], at)
    if protocol == "nbd":
        return _old_nbd(draft, rest, at)
    if protocol in KEPT_PROTOCOLS or protocol.startswith("gluster"):
        return None
    if protocol == "sheepdog":
        raise draft.refused(at, "sheepdog: is gone since QEMU 6.1")
    near = suggestion(protocol, (*_URL, "rbd", "fat", "json", "file"))
    told = f"QEMU knows no protocol {protocol[:40]!r}: {near}a file with a colon is ./{name[:40]}"
    raise draft.refused(at, told)


def _path(draft: Draft, path: str, at: int) -> DiskBack | None:
    if path.startswith("/dev/fdset/"):
        return None
    if path.startswith("/dev/") and not path.startswith("/dev/shm/"):
        from kvmnb.spec.diskbacks import BlockDevice

        return draft.made(at, BlockDevice, path)
    return draft.made(at, ExistingFile, path)


def _fat(draft: Draft, rest: str, at: int) -> DiskBack:
    """Return ``fat:[floppy:][rw:][12|16|32:]FOLDER`` (QEMU manual, "Virtual FAT disk images")."""
    from kvmnb.spec.diskbacks import FatFolder

    writable, bits, more = False, None, True
    while more:
        head, colon, tail = rest.partition(":")
        more = bool(colon) and head in {"floppy", "rw", "12", "16", "32"}
        if more:
            rest, writable = tail, writable or head == "rw"
            bits = int(head) if head.isdigit() else bits
    return draft.made(at, FatFolder, path=rest, writable=writable, bits=bits)


def _server(draft: Draft, at: int, **fields: object) -> Server:
    from kvmnb.spec.diskbacks import Server

    return draft.made(at, Server, **fields)


def _rbd(draft: Draft, rest: str, at: int) -> DiskBack | None:
    name, *options = rest.split(":")
    user = None
    for option in options:
        key, _, value = option.partition("=")
        if key != "id":
            return None
        user = value
    return _server(draft, at, protocol="rbd", name=name, user=user)


def _old_nbd(draft: Draft, rest: str, at: int) -> DiskBack:
    """Return ``nbd:HOST:PORT[:exportname=NAME]`` or ``nbd:unix:PATH[:exportname=NAME]``."""
    address, _, name = rest.partition(":exportname=")
    if address.startswith("unix:"):
        return _server(draft, at, protocol="nbd", socket=address[5:], name=name)
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]+):(\d{1,6})", address, re.ASCII)
    if found is None:
        raise draft.refused(at, f"nbd:{address[:40]!r} is no HOST:PORT, nor unix:PATH")
    host, port = found.group(1).strip("[]"), int(found.group(2))
    return _server(draft, at, protocol="nbd", host=host, port=port, name=name)


def _url(draft: Draft, scheme: str, rest: str, at: int) -> DiskBack | None:
    address = _address(rest)
    if address is None:
        raise draft.refused(at, f"{scheme}://{rest[:60]} is no address of QEMU's")
    protocol, path = _URL[scheme], address.path
    fields = {"host": address.host, "port": address.port, "user": address.user}
    query = dict(address.query)
    if scheme in {"nbd+unix", "gluster+unix"}:
        socket = query.pop("socket", [""])[0]
        if query or not socket:
            return None
        return _server(draft, at, protocol=protocol, socket=socket, name=path)
    if query:
        return None
    if (address.user and ":" in address.user) or (address.user and "%" in address.user):
        return None  # a password, which no field holds
    if protocol == "gluster" and "/" not in path:
        return None
    return _server(draft, at, protocol=protocol, name=path, **fields)


def _address(rest: str) -> _Address | None:
    found = re.fullmatch(
        r"(?:([^@/]*)@)?(\[[^\]/]*\]|[^:/?]*)(?::(\d{1,6}))?(?:/([^?]*))?(?:\?(.*))?",
        rest,
        re.DOTALL,
    )
    if found is None:
        return None
    user, host, port, path, query = found.groups()
    return _Address(
        host.strip("[]") or None,
        int(port) if port else None,
        user or None,
        unquote(path or "", errors="surrogateescape"),
        parse_qs(query or "", keep_blank_values=True),
    )


def _json(draft: Draft, rest: str, at: int) -> DiskBack | None:
    """Return what ``json:{…}`` describes, where it is one protocol and no format."""
    try:
        keys = dict(flat(json.loads(rest)))
    except (ValueError, RecursionError):
        raise draft.refused(
            at, "no object after json: (in -drive its commas are doubled)"
        ) from None
    return protocol_back(draft, {key: (value, at) for key, value in keys.items()}, at)


Keys = dict[str, tuple[str, int]]


def protocol_back(draft: Draft, keys: Keys, at: int) -> DiskBack | None:
    """Return the back that a protocol's own keys describe; ``None`` where some are left over.

    Parameters
    ----------
    keys : ``driver`` and the driver's own, with their places; what is understood is taken out
    """
    driver, place = keys.pop("driver", ("file", at))
    match driver:
        case "file":
            name, place = keys.pop("filename", ("", place))
            if keys or not name or name.startswith("/dev/fdset/"):
                return None
            return draft.made(place, ExistingFile, name)
        case "host_device" | "host_cdrom":
            name, place = keys.pop("filename", ("", place))
            if keys or not name.startswith("/dev/"):
                return None
            from kvmnb.spec.diskbacks import BlockDevice

            return draft.made(place, BlockDevice, name)
        case "vvfat":
            return _vvfat(draft, keys, place)
        case "http" | "https" | "ftp" | "ftps":
            url, place = keys.pop("url", keys.pop("filename", ("", place)))
            back = file_named(draft, url, place) if url.startswith(driver + "://") else None
            if (user := keys.pop("username", None)) is not None and back is not None:
                import dataclasses

                back = dataclasses.replace(back, user=user[0])  # type: ignore[arg-type]
            return None if keys else back
        case "nbd" | "ssh" | "iscsi" | "rbd" | "gluster":
            if "filename" in keys and len(keys) == 1:
                return file_named(draft, *keys["filename"])
            return _served(draft, driver, keys, place)
    return None


def _vvfat(draft: Draft, keys: Keys, at: int) -> DiskBack | None:
    from kvmnb.spec.diskbacks import FatFolder

    folder, at = keys.pop("dir", ("", at))
    writable, _ = keys.pop("rw", ("off", at))
    bits, _ = keys.pop("fat-type", ("0", at))
    keys.pop("floppy", None)
    if keys or not folder or bits not in {"0", "12", "16", "32"}:
        return None
    size = int(bits) or None
    return draft.made(at, FatFolder, path=folder, writable=writable == "on", bits=size)


def _served(draft: Draft, driver: str, keys: Keys, at: int) -> DiskBack | None:
    def take(*names: str) -> str | None:
        found = None
        for name in names:
            if name in keys:
                found = keys.pop(name)[0]
        return found

    prefix = "server.0" if driver == "gluster" else "server"
    kind = take(f"{prefix}.type")
    host = take(f"{prefix}.host", "host")
    port = take(f"{prefix}.port", "port")
    socket = take(f"{prefix}.path", f"{prefix}.socket", "path" if driver == "nbd" else "-")
    user = take("user")
    match driver:
        case "nbd":
            name = take("export")
        case "ssh":
            name = take("path")
        case "rbd":
            parts = (take("pool"), take("namespace"), take("image"))
            name = "/".join(part for part in parts if part is not None)
            host, port = take("server.0.host") or host, take("server.0.port") or port
        case "gluster":
            volume, path = take("volume"), take("path")
            name = f"{volume}/{(path or '').removeprefix('/')}"
        case _:
            portal, target, lun = take("portal"), take("target"), take("lun")
            take("transport")
            host, _, port = (portal or "").rpartition(":")
            host = host.strip("[]")
            name = f"{target}/{lun or 0}"
    if keys or (kind == "unix") != (socket is not None and kind is not None):
        return None
    if port is not None and port and not port.isdigit():
        return None
    number = int(port[:8]) if port else None
    return _server(
        draft,
        at,
        protocol=driver,
        host=host or None,
        port=number,
        name=name or "",
        socket=socket,
        user=user,
    )
