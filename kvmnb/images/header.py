"""What an image file's first bytes say: a format, and for qcow2 what else it points to.

A process start (``qemu-img info``) costs 15 ms and parses the whole image; this reads two KiB.
What it reads may have been written by a guest, so every length is bounded and nothing that the
header points to is opened.
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass

from kvmnb.errors import ImageError

__all__ = ["Header", "peek"]

QCOW2_MAGIC = b"QFI\xfb"
DATA_FILE_FLAG = 1 << 2
"""Incompatible feature bit 2: the guest's data lies in another file (QEMU docs/interop/qcow2)."""

BACKING_NAME_LIMIT = 1023
"""Bytes in a backing file's name (QEMU docs/interop/qcow2, "backing_file_size")."""

BACKING_NAME_SPACE = 4 << 20
"""The name lies within the first cluster, which has at most 2 MiB; twice that is generous."""

BACKING_FORMAT_EXTENSION = 0xE2792ACA
"""Type of the header extension that names it (QEMU docs/interop/qcow2, "Header extensions")."""

EXTENSIONS_SPACE = 64 << 10
"""They lie in the first cluster; QEMU writes less than one KiB of them."""

_FOREIGN = (
    (b"KDMV", 0, "vmdk"),
    (b"COWD", 0, "vmdk"),
    (b"# Disk DescriptorFile", 0, "vmdk"),
    (b"vhdxfile", 0, "vhdx"),
    (b"conectix", 0, "vpc"),
    (b"QED\0", 0, "qed"),
    (b"\x7f\x10\xda\xbe", 64, "vdi"),
    (b"LUKS\xba\xbe", 0, "luks"),
    (b"WithoutFreeSpace", 0, "parallels"),
    (b"WithouFreSpacExt", 0, "parallels"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself.

    Parameters
    ----------
    format : ``"qcow2"``; a foreign format's word, such as ``"vmdk"``; ``"raw"`` for all else
    size_bytes : of the disk that a guest would see; ``None`` for a foreign format
    backing_file : the file that a qcow2 stands on, as its header names it; ``None`` without one
    data_file : whether a qcow2 keeps its data in another file
    backing_format : how a qcow2's backing file is to be read; ``None`` where it does not say
    """

    format: str
    size_bytes: int | None
    backing_file: str | None = None
    data_file: bool = False
    backing_format: str | None = None

    @property
    def self_contained(self) -> bool:
        """Whether opening this image opens no other file."""
        return self.backing_file is None and not self.data_file


def peek(path: str | os.PathLike[str]) -> Header:
    """Return what the first bytes of `path` say.

    Raises
    ------
    ImageError   no such file, not a file, not readable, or a qcow2 header that is damaged
    """
    name = os.fspath(path)
    try:
        # a FIFO must not block here; a device node is a disk as good as a file
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise ImageError(name, "there is no such file") from error
    except (OSError, ValueError) as error:
        raise ImageError(name, f"cannot be read: {error}") from error
    try:
        return _peek(fd, name)
    except OSError as error:
        raise ImageError(name, f"cannot be read: {error}") from error
    finally:
        os.close(fd)


def _peek(fd: int, name: str) -> Header:
    mode = os.fstat(fd).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise ImageError(name, "is neither a file nor a block device")
    first = os.pread(fd, 512, 0)
    if first.startswith(QCOW2_MAGIC):
        return _qcow2(fd, first, name)
    for magic, at, word in _FOREIGN:
        if first[at : at + len(magic)] == magic:
            return Header(word, None)
    return Header("raw", os.lseek(fd, 0, os.SEEK_END))


def _qcow2(fd: int, first: bytes, name: str) -> Header:
    # big-endian: magic, version, backing offset (64), backing size (32), cluster bits (32),
    # disk size (64); from version 3 on the incompatible features are at byte 72
    if len(first) < 72:
        raise ImageError(name, "its qcow2 header is cut off")
    version, offset, length, cluster_bits, size = struct.unpack(">IQIIQ", first[4:32])
    if version not in (2, 3) or (version == 3 and len(first) < 104):
        raise ImageError(name, f"its qcow2 header is damaged (version {version})")
    if not 9 <= cluster_bits <= 21 or size >= 1 << 63:
        raise ImageError(name, "its qcow2 header is damaged (cluster or disk size)")
    features = struct.unpack(">Q", first[72:80])[0] if version == 3 else 0
    backing = backing_format = None
    if offset:
        if not 0 < length <= BACKING_NAME_LIMIT or offset > BACKING_NAME_SPACE:
            raise ImageError(name, "its qcow2 header is damaged (backing file's name)")
        backing = os.pread(fd, length, offset).decode("utf-8", "surrogateescape")
        start = struct.unpack(">I", first[100:104])[0] if version == 3 else 72
        backing_format = _backing_format(fd, start)
    return Header("qcow2", size, backing, bool(features & DATA_FILE_FLAG), backing_format)


def _backing_format(fd: int, start: int) -> str | None:
    """Return the backing file's format from the header extensions that begin at `start`."""
    # each has a type (32 bits), a length (32) and its data, padded to a multiple of 8
    area = os.pread(fd, EXTENSIONS_SPACE, start)
    at = 0
    while at + 8 <= len(area):
        kind, length = struct.unpack(">II", area[at : at + 8])
        if kind == BACKING_FORMAT_EXTENSION:
            return area[at + 8 : at + 8 + min(length, 15)].decode("ascii", "replace")
        if kind == 0:
            break
        at += 8 + (length + 7 & ~7)
    return None
