"""A guest's memory as a file in memory (memfd_create(2)): found, copied, frozen.

Such a file has no name in any folder: the kernel frees it with the last process that maps it.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import mmap
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from kvmnb.engines.qemu.sparse import extents
from kvmnb.engines.qemu.threads import in_two_threads

__all__ = ["Copy", "create", "load", "of", "save", "seal"]

NAME = "kvmnb-ram"

LINKS = (f"/memfd:{NAME} ", "/memfd:memory-backend-memfd ")
"""How /proc/PID/fd shows the memory that we made, and that QEMU made (backends/hostmem-memfd.c)."""

POPULATE_READ = 22
"""MADV_POPULATE_READ of madvise(2), which Python's mmap has no name for yet."""

STEP = 4 << 20
"""Bytes that are read at once: a copy can be called off between two of them."""

PAGE, PIECE = 4096, 256 << 10
ZEROES = bytes(PIECE)

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL

FUTURE_WRITE = 0x10
"""F_SEAL_FUTURE_WRITE of linux/fcntl.h (Linux ≥ 5.1), for which Python has no name. F_SEAL_WRITE
looks at each page for those who still write to it; here nobody does."""


def create(size_bytes: int) -> int:
    """Return a descriptor of a new file in memory, all zeroes."""
    fd = os.memfd_create(NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size_bytes)
    return fd


def of(pid: int, argv: Sequence[str]) -> int | None:
    """Return a descriptor, for reading, of the file that is the memory of this QEMU.

    ``None`` where its memory is in no file, or where the file is not what the guest sees: a copy
    of another guest keeps what it has written to itself.
    """
    backends = [word for word in argv if word.startswith("memory-backend-")]
    if len(backends) != 1 or "share=on" not in backends[0].split(","):
        return None
    folder = f"/proc/{pid}/fd"
    for number in os.listdir(folder):
        try:
            if os.readlink(f"{folder}/{number}").startswith(LINKS):
                return os.open(f"{folder}/{number}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
    return None


def seal(fd: int) -> None:
    """Freeze a file in memory: nobody can change it any more, whoever has it open.

    Nobody has it mapped for writing.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS | FUTURE_WRITE)
    except OSError:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS | fcntl.F_SEAL_WRITE)


class Copy:
    """A copy of a guest's memory that is made twice, so that the second time costs little.

    The first time the guest still runs; it makes the room and is soon out of date. The second
    time the guest stands still, and no page has to be made any more.
    """

    def __init__(self, source: int) -> None:
        self._source = source
        self._size = os.fstat(source).st_size
        self.fd = create(self._size)
        self._map = mmap.mmap(self.fd, self._size)
        self._seen: list[tuple[int, int]] = []
        self._busy, self._called_off = threading.Lock(), False

    def begin(self) -> None:
        """Copy what holds data now: the kernel makes new pages quicker than faults would."""
        with self._busy:
            self._seen = list(extents(self._source))
            in_two_threads(_pieces(self._seen), lambda: self._make)

    def refresh(self) -> None:
        """Copy all that holds data, or held some at the beginning, unless it is closed."""
        with self._busy:
            found = _union(list(extents(self._source)), self._seen)
            in_two_threads(_pieces(found), lambda: self._update)

    def _make(self, piece: tuple[int, int]) -> None:
        if self._called_off:
            return
        begin, end = piece
        # a description of its own: each thread has its own place in the file
        target = os.open(f"/proc/self/fd/{self.fd}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.lseek(target, begin, os.SEEK_SET)
            _send(target, self._source, begin, end)
        finally:
            os.close(target)
        with contextlib.suppress(OSError):  # before Linux 5.14 they are mapped later
            self._map.madvise(POPULATE_READ, begin, end - begin)

    def _update(self, piece: tuple[int, int]) -> None:
        if self._called_off:
            return
        begin, end = piece
        with memoryview(self._map) as view, view[begin:end] as part:
            _read(self._source, part, begin)

    def freeze(self) -> int:
        """Return the copy's descriptor, frozen; the caller closes it."""
        self._map.close()
        seal(self.fd)
        fd, self.fd = self.fd, -1
        return fd

    def close(self) -> None:
        """Throw away what was not frozen; the thread that is at it lets go first."""
        self._called_off = True
        with self._busy:
            self._map.close()
            if self.fd >= 0:
                os.close(self.fd)
                self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pieces(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Cut ranges into pieces of at most `STEP` bytes."""
    return [(at, min(at + STEP, end)) for begin, end in ranges for at in range(begin, end, STEP)]


def _union(*lists: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    begin = end = 0
    for start, stop in sorted(itertools.chain(*lists)):
        if start > end:
            if end > begin:
                yield begin, end
            begin = start
        end = max(end, stop)
    if end > begin:
        yield begin, end


def _read(fd: int, target: memoryview, at: int) -> None:
    while target:
        count = os.preadv(fd, [target], at)
        if count == 0:
            raise OSError("the file became shorter while it was read")
        target, at = target[count:], at + count


def save(fd: int, path: str) -> int:
    """Write a file in memory to a new file on disk; return the bytes written.

    Holes are left out, and so are pages of zeroes, of which a guest has many that it once wrote.
    """
    size, written = os.fstat(fd).st_size, 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    target = os.open(path, flags, 0o600)
    try:
        os.ftruncate(target, size)
        for begin, end in extents(fd):
            for at in range(begin, end, PIECE):
                written += _write(target, os.pread(fd, min(PIECE, end - at), at), at)
    finally:
        os.close(target)
    return written


def _write(target: int, piece: bytes, at: int) -> int:
    """Write the pages of a piece that are not all zeroes; return the bytes written."""
    if piece == ZEROES[: len(piece)]:
        return 0
    written, begin, zero = 0, 0, ZEROES[:PAGE]
    # runs of pages, each written at once
    for page in range(0, len(piece) + PAGE, PAGE):
        if page < len(piece) and piece[page : page + PAGE] != zero[: len(piece) - page]:
            continue
        if page > begin:
            written += os.pwrite(target, piece[begin : min(page, len(piece))], at + begin)
        begin = page + PAGE
    return written


def load(path: str) -> int:
    """Return a new file in memory with the content of a file on disk."""
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fd = create(os.fstat(source).st_size)
        try:
            for begin, end in extents(source):
                os.lseek(fd, begin, os.SEEK_SET)
                _send(fd, source, begin, end)
        except BaseException:
            os.close(fd)
            raise
        return fd
    finally:
        os.close(source)


def _send(target: int, source: int, begin: int, end: int) -> None:
    while begin < end:
        count = os.sendfile(target, source, begin, end - begin)
        if count == 0:
            raise OSError("the file became shorter while it was read")
        begin += count
