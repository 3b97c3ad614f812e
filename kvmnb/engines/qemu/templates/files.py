"""What a template's files hold: their data, its checksums, and copies that are checked as made.

The checksums tell damage (a broken disk, a cut file, a flipped byte), not malice: whoever can
write in the user's own private cache needs no flipped byte. So CRC-32 does, which runs at the
speed of memory. Files are read, never mapped: a mapped file that is cut meanwhile, or a sector
that cannot be read, would end the process by SIGBUS.
"""

from __future__ import annotations

import errno
import functools
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kvmnb.engines.qemu.sparse import extents
from kvmnb.engines.qemu.threads import in_two_threads
from kvmnb.errors import EngineError, HostError

__all__ = ["DamagedError", "File", "copy", "failure", "inspect", "measure", "opened", "plain"]

SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EBADF}
"""What a file cannot be opened or read for though there is nothing wrong with it."""

BATCH = 1 << 20
"""Bytes of data that one checksum covers; a buffer of that size stays in the processor's cache."""

Run = tuple[int, int]
"""Offset and length of bytes that lie together in a file."""


class DamagedError(EngineError):
    """A template is not what was stored.

    Attributes
    ----------
    file : which of its files
    reason : what is wrong with it
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"template damaged: {file}: {reason}; it is dropped, start the guest anew")
        self.file, self.reason = file, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """What is known of one file.

    Parameters
    ----------
    size_bytes : where it ends
    runs : where its data lies, as offsets and lengths; everything else reads as zeros
    checksums : CRC-32 of each `BATCH` bytes of its data, in order
    """

    size_bytes: int
    runs: tuple[Run, ...]
    checksums: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {"size": self.size_bytes, "runs": self.runs, "crc32": self.checksums}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> File:
        """Return the file that `content` tells of; ``KeyError`` and its like if it tells none."""
        return cls(
            size_bytes=content["size"],
            runs=tuple((start, length) for start, length in content["runs"]),
            checksums=tuple(content["crc32"]),
        )


def failure(name: str, error: OSError) -> DamagedError | HostError:
    """Return what it means that a file cannot be opened or read."""
    reason = os.strerror(error.errno or errno.EIO)
    if error.errno in SHORT:
        return HostError(f"cannot read {name}: {reason}", "close files, or free memory: ulimit -n")
    return DamagedError(name, reason)


def plain(name: str, found: os.stat_result) -> os.stat_result:
    """Return `found`, the facts of the file `name`.

    Raises
    ------
    DamagedError   it is a link or no plain file, or somebody else's
    """
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise DamagedError(name, "not a plain file of yours")
    return found


def opened(name: str, folder: int) -> int:
    """Return a descriptor of the file `name` in an open folder, to read.

    Raises
    ------
    DamagedError   it is not there, a link, no plain file, or somebody else's
    HostError      too many files are open
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        raise failure(name, error) from error
    try:
        plain(name, os.fstat(fd))
    except DamagedError:
        os.close(fd)
        raise
    return fd


def measure(fd: int) -> File:
    """Return what is in the file; it must not change meanwhile."""
    size = os.fstat(fd).st_size
    runs = tuple(_runs(fd))
    batches = list(_batches(runs))
    checksums = [0] * len(batches)

    def work(buffer: memoryview, index: int) -> None:
        for start, length in batches[index]:
            part = buffer[:length]
            if os.preadv(fd, [part], start) != length:
                raise OSError(errno.EIO, "the file changes while it is read")
            checksums[index] = zlib.crc32(part, checksums[index])

    in_two_threads(range(len(batches)), lambda: functools.partial(work, _buffer()))
    return File(size_bytes=size, runs=runs, checksums=tuple(checksums))


def inspect(name: str, fd: int, known: File) -> None:
    """Read the whole file and return if it is as `known` tells.

    Raises
    ------
    DamagedError   it is not
    """
    _pass(name, fd, known, lambda _part, _start: None)


def copy(name: str, fd: int, known: File, target: int) -> None:
    """Copy the data of a file to the same places of `target`, checking the very bytes copied.

    Holes are left alone: a new descriptor of the same size stays as sparse as the file.

    Raises
    ------
    DamagedError   the file is not as `known` tells; `target` then holds a part of it
    HostError      no room in `target`
    ValueError     `target` is of another size
    """
    if os.fstat(target).st_size != known.size_bytes:
        raise ValueError(f"{name} needs a target of {known.size_bytes} bytes")

    def write(part: memoryview, start: int) -> None:
        try:
            while part:
                written = os.pwrite(target, part, start)
                part, start = part[written:], start + written
        except OSError as error:
            raise HostError(
                f"cannot copy {name}: {error.strerror}", "free some memory or room: free -h, df -h"
            ) from error

    _pass(name, fd, known, write)


def _pass(name: str, fd: int, known: File, take: Callable[[memoryview, int], None]) -> None:
    batches = list(_batches(known.runs))

    def work(buffer: memoryview, index: int) -> None:
        checksum = 0
        for start, length in batches[index]:
            part = buffer[:length]
            if os.preadv(fd, [part], start) != length:
                raise DamagedError(name, "it ends early")
            checksum = zlib.crc32(part, checksum)
            take(part, start)
        if checksum != known.checksums[index]:
            raise DamagedError(name, f"wrong checksum from byte {batches[index][0][0]} on")

    try:
        if os.fstat(fd).st_size != known.size_bytes:
            raise DamagedError(name, f"it had {known.size_bytes} bytes")
        if len(batches) != len(known.checksums):
            raise DamagedError(name, "its manifest contradicts itself")
        in_two_threads(range(len(batches)), lambda: functools.partial(work, _buffer()))
        for start, length in _outside(_runs(fd), known.runs):
            # a file system may turn a hole into zeros, or zeros into a hole: both read the same
            _demand_zeros(name, fd, start, length)
    except OSError as error:  # of reading: what `take` does has errors of its own
        raise failure(name, error) from error


def _demand_zeros(name: str, fd: int, start: int, length: int) -> None:
    while length:
        part = os.pread(fd, min(length, BATCH), start)
        if not part:
            raise DamagedError(name, "it ends early")
        if part != bytes(len(part)):
            raise DamagedError(name, f"data where there was none, after byte {start}")
        start, length = start + len(part), length - len(part)


def _runs(fd: int) -> Iterator[Run]:
    """Yield where the data lies, each run with its length."""
    return ((begin, end - begin) for begin, end in extents(fd))


def _outside(runs: Iterable[Run], known: tuple[Run, ...]) -> Iterator[Run]:
    """Yield the parts of `runs` that none of `known` covers; both are in order."""
    index = 0
    for start, length in runs:
        end = start + length
        while start < end:
            while index < len(known) and sum(known[index]) <= start:
                index += 1
            begin = known[index][0] if index < len(known) else end
            if begin > start:
                yield start, min(begin, end) - start
            start = sum(known[index]) if begin < end else end


def _batches(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """Yield the runs in groups of `BATCH` bytes, the last one of fewer."""
    batch: list[Run] = []
    room = BATCH
    for start, length in runs:
        while length:
            some = min(length, room)
            batch.append((start, some))
            start, length, room = start + some, length - some, room - some
            if not room:
                yield batch
                batch, room = [], BATCH
    if batch:
        yield batch


def _buffer() -> memoryview:
    return memoryview(bytearray(BATCH))
