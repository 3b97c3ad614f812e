"""The file that a saved guest is in: one that can be moved, and that is whole or not there.

From its beginning to its end::

    "kvmnb saved guest 1", a line of JSON: the guest as it was asked for, and who ran it
    QEMU's migration stream: memory and devices
    the private files of the guest's disks, their holes left out
    a line of JSON, the index: where all that is, and its SHA-256
    64 bytes: where the index is, and the SHA-256 of both lines
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import struct
from collections.abc import Callable, Iterator
from typing import Any, Self

from kvmnb.errors import HostError, SpecError

__all__ = ["ALIGN", "END", "FOOTER", "KIND", "MAGIC", "STEP", "SavedFile", "Told", "room"]

MAGIC = b"kvmnb saved guest 1\n"
KIND = b"kvmnb saved guest "
FOOTER = struct.Struct("<8sQQ32s8x")
END = b"kvmnbEnd"
ALIGN = 4096
STEP = 1 << 20
LINE_LIMIT = 64 << 20
"""Bytes of JSON that are read of a file that anybody could have written."""

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What a file of the guest's state folder can be called, and nothing that leads out of it."""

Told = Callable[[int], None]
"""Called with the number of bytes that are done."""


class SavedFile:
    """A saved guest, to be read; its two lines are known to be as they were written.

    Parameters
    ----------
    path : of the file

    Raises
    ------
    SpecError   there is none, it is something else, or it is damaged
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise SpecError("restore", path, f"cannot be read: {error.strerror}") from error
        try:
            self._read_lines()
        except BaseException as error:
            self.close()
            if isinstance(error, (LookupError, TypeError, ValueError, RecursionError)) and not (
                isinstance(error, SpecError)
            ):
                raise self._damaged("its description makes no sense") from error
            raise

    def _read_lines(self) -> None:
        status = os.fstat(self._fd)
        begin = os.pread(self._fd, len(MAGIC), 0) if stat.S_ISREG(status.st_mode) else b""
        if not begin.startswith(KIND):
            raise SpecError("restore", self.path, "is no guest that save() wrote")
        if begin != MAGIC:
            reason = "was written by another version of kvmnb, in a form that this one cannot read"
            raise SpecError("restore", self.path, reason)
        if status.st_size < FOOTER.size:
            raise self._damaged("it ends too early")
        end, at, length, digest = FOOTER.unpack(
            os.pread(self._fd, FOOTER.size, status.st_size - FOOTER.size)
        )
        if end != END or at + length + FOOTER.size != status.st_size or length > LINE_LIMIT:
            raise self._damaged("it ends too early, or goes on after its end")
        index = os.pread(self._fd, length, at)
        head = self._head()
        if hashlib.sha256(head + index).digest() != digest:
            raise self._damaged("its description is not as it was written")
        self.header: dict[str, Any] = json.loads(head[len(MAGIC) :])
        self.index: dict[str, Any] = json.loads(index)
        for file in self.index["files"]:
            if not FILE_NAME.fullmatch(file["name"]):
                raise SpecError("restore", self.path, f"a file called {file['name']!r} in it")

    def _head(self) -> bytes:
        head = b""
        while len(head) < LINE_LIMIT:
            piece = os.pread(self._fd, ALIGN, len(head))
            head += piece
            if piece.endswith(b"\n") or len(piece) < ALIGN:
                break
        return head

    def _damaged(self, how: str) -> SpecError:
        return SpecError("restore", self.path, f"is damaged: {how}; copy it again, or save anew")

    @property
    def stream_bytes(self) -> int:
        """How long the stream is."""
        return int(self.index["stream"]["length"])

    def check_stream(self, told: Told) -> None:
        """Read QEMU's stream once.

        Raises
        ------
        SpecError   it is not as it was written
        """
        stream = self.index["stream"]
        digest, at, end = hashlib.sha256(), stream["at"], stream["at"] + stream["length"]
        while at < end:
            piece = os.pread(self._fd, min(STEP, end - at), at)
            if not piece:
                break
            digest.update(piece)
            at += len(piece)
            told(at - stream["at"])
        if digest.hexdigest() != stream["sha256"]:
            raise self._damaged("the memory in it is not as it was written")

    def open_stream(self) -> int:
        """Return a descriptor that stands at the beginning of the stream; the caller closes it."""
        fd = os.open(f"/proc/self/fd/{self._fd}", os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(fd, self.index["stream"]["at"], os.SEEK_SET)
        return fd

    def write_files(self, folder: str) -> None:
        """Write the guest's private files to a folder.

        Raises
        ------
        SpecError   one of them is not as it was written
        HostError   no room
        """
        for file in self.index["files"]:
            path = os.path.join(folder, file["name"])
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            digest, at = hashlib.sha256(), file["at"]
            with room(path), open(os.open(path, flags, 0o600), "wb", buffering=0) as target:
                os.ftruncate(target.fileno(), file["size"])
                for begin, length in file["extents"]:
                    end = begin + length
                    while begin < end:
                        piece = os.pread(self._fd, min(STEP, end - begin), at)
                        if not piece:
                            raise self._damaged(f"{file['name']} ends too early")
                        digest.update(piece)
                        count = os.pwrite(target.fileno(), piece, begin)
                        begin, at = begin + count, at + count
            if digest.hexdigest() != file["sha256"]:
                raise self._damaged(f"{file['name']} is not as it was written")

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def room(path: str) -> Iterator[None]:
    """Turn what the file system refuses to write at `path` into a `HostError`."""
    try:
        yield
    except OSError as error:
        raise HostError(
            f"{path!r} cannot be written: {error.strerror or error}",
            f"free some room, or take another folder: df -h {os.path.dirname(path)}",
        ) from error
