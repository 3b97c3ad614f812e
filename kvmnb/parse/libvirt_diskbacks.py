"""Where a domain XML says that the bytes of its disks are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvmnb.compile.libvirt_tree import Node
from kvmnb.parse.libvirt_reading import Keep, Reading
from kvmnb.spec.storage import ExistingFile

if TYPE_CHECKING:
    from kvmnb.spec.storage import DiskBack

__all__ = ["disk_back"]

OTHER_PROTOCOLS = frozenset({"sheepdog", "tftp", "vxhs", "nfs", "ssh"})


def disk_back(
    reading: Reading, node: Node, kind: str, source: Node | None, format: str | None
) -> DiskBack | None:
    if source is None:
        if node.peek("device") in {"cdrom", "floppy"}:
            return None
        raise Keep
    source.take("index")
    with reading.checked(source):
        match kind:
            case "file":
                path = source.take("file")
                if path is None and node.peek("device") in {"cdrom", "floppy"}:
                    return None
                if path is None:
                    raise Keep
                return ExistingFile(path)
            case "block":
                return _block(reading, node, source)
            case "volume":
                return _volume(reading, source)
            case "dir":
                return _folder(reading, source, format)
            case _:
                return _server(reading, source)


def _block(reading: Reading, node: Node, source: Node) -> DiskBack | None:
    from kvmnb.spec.diskbacks import BlockDevice

    path = source.take("dev")
    if path is None:
        if node.peek("device") in {"cdrom", "floppy"}:
            return None
        raise Keep
    if not path.startswith("/dev/"):
        raise Keep
    return BlockDevice(path)


def _volume(reading: Reading, source: Node) -> DiskBack:
    from kvmnb.spec.diskbacks import Volume

    pool, name = source.take("pool"), source.take("volume")
    if pool is None or name is None:
        reading.fail(source, "a volume needs pool='…' and volume='…'")
    return Volume(pool=pool, name=name)


def _folder(reading: Reading, source: Node, format: str | None) -> DiskBack:
    from kvmnb.spec.diskbacks import FatFolder

    path = source.take("dir")
    if path is None or format not in {None, "fat"}:
        raise Keep
    return FatFolder(path=path)


def _server(reading: Reading, source: Node) -> DiskBack:
    from kvmnb.spec.diskbacks import PROTOCOLS, Server

    words = {word: word for word in PROTOCOLS if word != "ssh"}
    protocol = reading.choice(source, "protocol", words, OTHER_PROTOCOLS)
    if protocol is None:
        reading.fail(source, "<source> needs protocol='…'")
    hosts = source.all("host")
    if len(hosts) > 1 or (not hosts and protocol != "rbd"):
        raise Keep
    given: dict[str, Any] = {"protocol": protocol, "name": source.take("name") or ""}
    for host in hosts:
        host.visited = True
        if host.peek("transport") == "rdma":
            raise Keep
        if host.take("transport") == "unix":
            given["socket"] = host.take("socket")
        else:
            given["host"] = host.take("name")
            given["port"] = reading.number(host, "port") or None
    return Server(**given)
