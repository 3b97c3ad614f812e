"""CD-ROM images: a flat one written, byte for byte the same each time, and files found in any.

ISO 9660 is ECMA-119; the boot record is "El Torito" (Phoenix and IBM, 1995). Written here and
not by xorriso, since a guest's seed is made at its start, on hosts that have no such tool; what
is written has one folder and no extension: Linux shows ``USER-DATA.;1`` as ``user-data``.
"""

from __future__ import annotations

import datetime
import os
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from kvmnb.errors import ImageError

__all__ = ["CD", "iso"]

SECTOR = 2048
FIRST = 16
"""The sector of the first volume descriptor; those before it are left to the system."""

LABEL_LIMIT = 32
NAME_LIMIT = 30
"""Characters in a file's name, its dot included (ECMA-119 7.5.1)."""

LOAD_SECTORS = 4
"""What the firmware loads of the boot file, in sectors of 512 bytes; isolinux loads its rest."""

FOLDER_LIMIT = 8 << 20
DEPTH_LIMIT = 16
AREAS_LIMIT = 8

_NAME = re.compile(r"[a-z0-9._-]+")
_TIME = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


def iso(files: Mapping[str, bytes], *, label: str, boot: str | None = None) -> bytes:
    """Return a CD-ROM image that holds `files` in its only folder.

    Parameters
    ----------
    files : content by name: lower-case letters, digits and ``. _ -``
    label : of the volume, such as ``"cidata"``; at most 32 characters
    boot : which file firmware starts (no emulation; it gets isolinux' boot information table)

    Raises
    ------
    ImageError   a name or the label does not fit
    """
    if len(label.encode("ascii", "replace")) > LABEL_LIMIT or not label.isascii():
        raise ImageError(label, "a CD's label has at most 32 ASCII characters")
    for name in files:
        if _NAME.fullmatch(name) is None or len(name) > NAME_LIMIT:
            raise ImageError(name, "cannot be a file's name on a CD without extensions")
    names = sorted(files, key=_identifier)
    descriptors = 2 if boot is None else 3
    table = FIRST + descriptors
    catalog = table + 2  # after the path table's two byte orders
    root = catalog + (0 if boot is None else 1)
    entries = [_record(b"\0", root, 0, folder=True), _record(b"\1", root, 0, folder=True)]
    entries += [_record(_identifier(name), 0, len(files[name])) for name in names]
    folder_size = len(_folder(entries))
    places, at = {}, root + folder_size // SECTOR
    for name in names:
        places[name] = at
        at += _sectors(len(files[name]))
    itself = [_record(mark, root, folder_size, folder=True) for mark in (b"\0", b"\1")]
    entries = [_record(_identifier(name), places[name], len(files[name])) for name in names]
    parts = [bytes(FIRST * SECTOR), _primary(label, at, table, itself[0])]
    if boot is not None:
        record = b"\0CD001\1" + b"EL TORITO SPECIFICATION".ljust(64, b"\0")
        parts.append(record + struct.pack("<I", catalog))
    parts.append(b"\xffCD001\1")
    parts += [_path_table("<", root), _path_table(">", root)]
    if boot is not None:
        parts.append(_catalog(places[boot]))
    parts.append(_folder([*itself, *entries]))
    for name in names:
        data = files[name]
        parts.append(_with_boot_table(data, places[name]) if name == boot else data)
    return b"".join(part.ljust(_sectors(len(part)) * SECTOR, b"\0") for part in parts)


def _sectors(size: int) -> int:
    return -(-size // SECTOR)


def _identifier(name: str) -> bytes:
    dotted = name if "." in name else f"{name}."
    return f"{dotted.upper()};1".encode()


def _both(kind: str, number: int) -> bytes:
    """Return a number in both byte orders, as most of ECMA-119's fields have it."""
    return struct.pack(f"<{kind}", number) + struct.pack(f">{kind}", number)


def _record(identifier: bytes, sector: int, size: int, *, folder: bool = False) -> bytes:
    """Return a directory record (ECMA-119 9.1)."""
    length = 33 + len(identifier) + (len(identifier) + 1) % 2
    when = struct.pack("6Bb", _TIME.year - 1900, _TIME.month, _TIME.day, 0, 0, 0, 0)
    head = struct.pack("BB", length, 0) + _both("I", sector) + _both("I", size) + when
    head += struct.pack("BBB", 2 if folder else 0, 0, 0) + _both("H", 1)
    return (head + struct.pack("B", len(identifier)) + identifier).ljust(length, b"\0")


def _folder(entries: list[bytes]) -> bytes:
    """Return a folder's sectors; no record lies across two of them."""
    sectors = [b""]
    for entry in entries:
        if len(sectors[-1]) + len(entry) > SECTOR:
            sectors.append(b"")
        sectors[-1] += entry
    return b"".join(sector.ljust(SECTOR, b"\0") for sector in sectors)


def _path_table(order: str, root: int) -> bytes:
    return struct.pack(f"{order}BBIH", 1, 0, root, 1) + b"\0\0"


def _primary(label: str, size: int, table: int, root: bytes) -> bytes:
    """Return the primary volume descriptor (ECMA-119 8.4)."""
    when = _TIME.strftime("%Y%m%d%H%M%S00").encode() + b"\0"
    never = b"0" * 16 + b"\0"
    return b"".join(
        (
            *(b"\1CD001\1\0", b" " * 32, label.encode().ljust(32), bytes(8)),
            *(_both("I", size), bytes(32), _both("H", 1), _both("H", 1), _both("H", SECTOR)),
            *(_both("I", 10), struct.pack("<II", table, 0), struct.pack(">II", table + 1, 0)),
            *(root, b" " * 128, b" " * 128, b" " * 128, b"KVMNB".ljust(128), b" " * 111),
            *(when, when, never, when, b"\1\0"),
        )
    )


def _catalog(sector: int) -> bytes:
    """Return the boot catalog: what the firmware loads, and where it is."""
    head = struct.pack("<BBH24sHH", 1, 0, 0, b"kvmnb", 0, 0xAA55)
    total = sum(struct.unpack("<16H", head)) & 0xFFFF
    head = struct.pack("<BBH24sHH", 1, 0, 0, b"kvmnb", -total & 0xFFFF, 0xAA55)
    return head + struct.pack("<BBHBBHI", 0x88, 0, 0, 0, 0, LOAD_SECTORS, sector)


def _with_boot_table(data: bytes, sector: int) -> bytes:
    """Tell a boot file where it lies (xorrisofs manual, -boot-info-table)."""
    body = data[64:].ljust(-(-len(data[64:]) // 4) * 4, b"\0")
    total = sum(struct.unpack(f"<{len(body) // 4}I", body)) & 0xFFFFFFFF
    table = struct.pack("<IIII", FIRST, sector, len(data), total)
    return data[:8] + table.ljust(56, b"\0") + data[64:]


@dataclass(frozen=True, slots=True)
class _Entry:
    sector: int
    size: int
    folder: bool


class CD:
    """A CD-ROM image that is open to read; what it holds is nobody's word but its author's.

    Use it as a context manager.

    Raises
    ------
    ImageError   it is no ISO 9660 image, or cannot be read
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._name = os.fspath(path)
        try:
            self._file: BinaryIO = open(path, "rb")  # noqa: SIM115 - closed by __exit__
            self._size = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise ImageError(self._name, f"cannot be read: {error}") from error
        try:
            descriptor = self._read(FIRST * SECTOR, SECTOR)
            if descriptor[:6] != b"\1CD001":
                raise ImageError(self._name, "is no CD-ROM image (ISO 9660)")
            root = next(self._records(descriptor[156:190]), None)
            if root is None:
                raise ImageError(self._name, "its folders are damaged")
        except BaseException:
            self._file.close()
            raise
        self._root = root[1]

    def __enter__(self) -> CD:
        return self

    def __exit__(self, *problem: object) -> None:
        self._file.close()

    def find(self, path: str) -> int | None:
        """Return a file's size in bytes, or ``None`` where there is no such file."""
        entry = self._find(path)
        return None if entry is None else entry.size

    def pieces(self, path: str, size: int = 1 << 20) -> Iterator[bytes]:
        """Yield a file's content.

        Raises
        ------
        ImageError   no such file, or the image ends before the file does
        """
        entry = self._find(path)
        if entry is None:
            raise ImageError(self._name, f"holds no {path}")
        for done in range(0, entry.size, size):
            yield self._read(entry.sector * SECTOR + done, min(size, entry.size - done))

    def _find(self, path: str) -> _Entry | None:
        entry = self._root
        parts = path.strip("/").split("/")
        if len(parts) > DEPTH_LIMIT:
            return None
        for part in parts:
            if not entry.folder or entry.size > FOLDER_LIMIT:
                return None
            data = self._read(entry.sector * SECTOR, entry.size)
            found = [each for name, each in self._records(data) if name == part]
            if not found:
                return None
            entry = found[0]
        return None if entry.folder else entry

    def _read(self, at: int, size: int) -> bytes:
        if at + size > self._size:
            raise ImageError(self._name, "is cut off")
        self._file.seek(at)
        return self._file.read(size)

    def _records(self, data: bytes) -> Iterator[tuple[str, _Entry]]:
        at = 0
        while at < len(data):
            length = data[at]
            if length == 0:  # the rest of this sector is empty
                at = (at // SECTOR + 1) * SECTOR
                continue
            record = data[at : at + length]
            at += length
            if len(record) < 34 or 33 + record[32] > len(record):
                raise ImageError(self._name, "its folders are damaged")
            sector, size = struct.unpack_from("<I4xI", record, 2)
            name = self._long_name(record) or _plain(record[33 : 33 + record[32]])
            # a file in several extents (flag 0x80) is larger than any kernel
            if not record[25] & 0x80:
                yield name, _Entry(sector, size, bool(record[25] & 2))

    def _long_name(self, record: bytes) -> str:
        """Return the name that Rock Ridge gives a record (RRIP 4.1.4, NM); ``""`` if none."""
        area = record[33 + record[32] + (record[32] + 1) % 2 :]
        name, at = b"", 0
        for _ in range(AREAS_LIMIT):
            more = None
            while at + 4 <= len(area) and area[at + 2] >= 4:
                entry = area[at : at + area[at + 2]]
                at += len(entry)
                if entry[:2] == b"NM":
                    name += entry[5:]
                elif entry[:2] == b"CE" and len(entry) >= 28:
                    more = struct.unpack_from("<I4xI4xI", entry, 4)
            if more is None:
                break
            sector, start, length = more  # what did not fit goes on elsewhere (SUSP 5.1)
            area, at = self._read(sector * SECTOR + start, min(length, SECTOR)), 0
        return name.decode("utf-8", "surrogateescape")


def _plain(identifier: bytes) -> str:
    """Return a name as Linux shows it: lower case, less its version."""
    name = identifier.decode("latin-1").partition(";")[0].lower()
    return name.rstrip(".")
