"""What else can hold a disk's bytes: devices, servers, libvirt's volumes, a folder as FAT."""

from __future__ import annotations

from dataclasses import dataclass

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["BlockDevice", "FAR_BACKS", "FatFolder", "FarBack", "PORTS", "Server", "Volume"]

PORTS = {
    "nbd": 10809, "http": 80, "https": 443, "ftp": 21, "ftps": 990, "ssh": 22, "iscsi": 3260,
    "rbd": 6789, "gluster": 24007,
}  # fmt: skip
"""The protocols of servers, and the port that each has by itself (IANA's list)."""

PROTOCOLS = tuple(PORTS)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class BlockDevice(Value):
    """A block device of the host, such as ``/dev/sdb`` or ``/dev/cdrom``; always raw."""

    path: str

    def __post_init__(self) -> None:
        validate.path("disk", self.path)
        if not self.path.startswith("/dev/"):
            raise SpecError("disk", self.path, "a block device lies below /dev")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Server(Value):
    """A disk that a server holds.

    Parameters
    ----------
    protocol : ``nbd http https ftp ftps ssh iscsi rbd gluster``
    host : the server's name or address; ``None`` with `socket`, and for rbd's own configuration
    port : its port; ``None`` for the protocol's own, which naming it comes to as well
    name : what it is called there: an export, a path, ``iqn…/lun``, ``pool/image``,
        ``volume/path``; a path of ssh's is absolute and begins with a slash
    socket : the path of a Unix socket in place of host and port (nbd, gluster)
    user : whom to be there (ssh, http, iscsi, rbd)
    """

    protocol: str
    host: str | None = None
    port: int | None = None
    name: str = ""
    socket: str | None = None
    user: str | None = None

    def __post_init__(self) -> None:
        validate.choice("disk.protocol", self.protocol, PROTOCOLS)
        validate.optional(validate.host, "disk.host", self.host)
        validate.optional(validate.port, "disk.port", self.port)
        validate.text("disk.name", self.name)
        validate.optional(validate.path, "disk.socket", self.socket)
        validate.optional(validate.text, "disk.user", self.user)
        if self.socket is not None and (self.host is not None or self.port is not None):
            raise SpecError("disk.socket", self.socket, "takes the place of host and port")
        if self.socket is not None and self.protocol not in {"nbd", "gluster"}:
            raise SpecError("disk.socket", self.socket, "only nbd and gluster know Unix sockets")
        if self.host is None and self.socket is None and self.protocol != "rbd":
            raise SpecError("disk.host", None, f"{self.protocol} needs one")
        # one way to say one thing, so that two specs of one disk are equal
        if self.port == PORTS[self.protocol]:
            object.__setattr__(self, "port", None)
        if self.protocol == "ssh" and not self.name.startswith("/"):
            object.__setattr__(self, "name", f"/{self.name}")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Volume(Value):
    """A volume of one of libvirt's storage pools.

    Parameters
    ----------
    pool : the pool's name
    name : the volume's; ``None`` lets virt-install choose one for a new volume
    size_bytes : of a new volume; ``None`` where it is there already
    """

    pool: str
    name: str | None = None
    size_bytes: int | None = None

    def __post_init__(self) -> None:
        validate.name("disk.pool", self.pool)
        validate.optional(validate.name, "disk.vol", self.name)
        if self.size_bytes is not None:
            validate.disk_size("disk.size", self.size_bytes)
        if self.name is None and self.size_bytes is None:
            raise SpecError("disk.vol", None, "a volume needs a name, a new one a size")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class FatFolder(Value):
    """A folder of the host as a disk with a FAT file system (QEMU manual, "Virtual FAT disk").

    Parameters
    ----------
    path : of the folder
    writable : what the guest writes goes to the host's files; QEMU calls it unsafe
    bits : of the file allocation table: 12, 16 or 32; ``None`` for QEMU's choice
    """

    path: str
    writable: bool = False
    bits: int | None = None

    def __post_init__(self) -> None:
        validate.path("disk.folder", self.path)
        validate.switch("disk.writable", self.writable)
        if self.bits not in {None, 12, 16, 32}:
            raise SpecError("disk.bits", self.bits, "must be 12, 16 or 32")


FarBack = BlockDevice | Server | Volume | FatFolder
FAR_BACKS = (BlockDevice, Server, Volume, FatFolder)
