"""Write the file that a saved guest is in: it has no name before it is whole.

So nothing is left of one that is not, even if its writer is killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import select
import stat
from typing import Any, Self

from kvmnb.engines.qemu.saving.file import ALIGN, END, FOOTER, KIND, MAGIC, STEP, Told, room
from kvmnb.engines.qemu.sparse import extents
from kvmnb.errors import SpecError

__all__ = ["Writer"]


class Writer:
    """Writes a saved guest; nothing is seen of it before `commit`.

    Parameters
    ----------
    path : where it is to be; what is there is replaced, if it is a saved guest, too

    Raises
    ------
    SpecError   there is no such folder, or something else is at `path`
    HostError   no right to write there, or no room
    """

    def __init__(self, path: str, header: dict[str, Any]) -> None:
        self.path = path
        _replaceable(path)
        self._folder, self._name = os.path.split(path)
        self._part: str | None = None
        with room(path):
            self._sweep()
            self._fd = self._open()
        try:
            # held as long as the writer lives: see `_sweep`
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._head = MAGIC + json.dumps(header).encode() + b"\n"
            self._head += b"\n" * (-len(self._head) % ALIGN)
            self._at = 0
            with room(path):
                self._write(self._head)
        except BaseException:
            self.close()
            raise
        self._files: list[dict[str, Any]] = []
        self._stream: dict[str, Any] = {}
        self.facts: dict[str, Any] = {}
        """What the index is to hold beside where everything is."""

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            return os.open(self._folder, flags | os.O_TMPFILE, 0o600)
        except OSError as error:
            # what a file system says that has no files without a name (open(2), O_TMPFILE)
            if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}:
                raise
        self._part = self._new_part()
        return os.open(self._part, flags | os.O_CREAT | os.O_EXCL, 0o600)

    def _new_part(self) -> str:
        return os.path.join(self._folder, f".{self._name}.{secrets.token_hex(4)}.part")

    def _sweep(self) -> None:
        """Remove what a killed writer left where a file has to have a name from the beginning."""
        pattern = re.compile(rf"\.{re.escape(self._name)}\.[0-9a-f]{{8}}\.part")
        for name in filter(pattern.fullmatch, os.listdir(self._folder)):
            with contextlib.suppress(OSError):
                path = os.path.join(self._folder, name)
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(path)
                finally:
                    os.close(fd)

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            count = os.write(self._fd, view)
            view = view[count:]
            self._at += count

    def take_stream(self, pipe: int, stop: int, told: Told) -> None:
        """Write what comes out of a pipe, to its end, or until `stop` can be read.

        Raises
        ------
        HostError   no room
        """
        digest, began = hashlib.sha256(), self._at
        poller = select.poll()
        poller.register(pipe, select.POLLIN)
        poller.register(stop, select.POLLIN)
        buffer = memoryview(bytearray(STEP))
        with room(self.path):
            while True:
                ready = {fd for fd, _ in poller.poll()}
                if stop in ready:
                    return
                count = os.readv(pipe, [buffer])
                if count == 0:
                    break
                digest.update(buffer[:count])
                self._write(buffer[:count])
                told(self._at - began)
        length = self._at - began
        self._stream = {"at": began, "length": length, "sha256": digest.hexdigest()}

    def take_file(self, path: str, told: Told) -> None:
        """Write a file of the guest's state folder, without its holes.

        Raises
        ------
        HostError   no room
        """
        digest, began, runs = hashlib.sha256(), self._at, []
        with room(self.path), open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            for begin, end in extents(file.fileno()):
                runs.append([begin, end - begin])
                while begin < end:
                    piece = os.pread(file.fileno(), min(STEP, end - begin), begin)
                    if not piece:
                        raise OSError(f"{path} became shorter while it was read")
                    digest.update(piece)
                    self._write(piece)
                    begin += len(piece)
                    told(self._at - began)
        self._files.append(
            {
                "name": os.path.basename(path),
                "size": size,
                "at": began,
                "extents": runs,
                "sha256": digest.hexdigest(),
            }
        )

    def commit(self) -> None:
        """Finish the file, bring it onto the disk, and give it its name.

        Raises
        ------
        HostError   no room
        """
        at = self._at
        content = {**self.facts, "stream": self._stream, "files": self._files}
        index = json.dumps(content).encode() + b"\n"
        digest = hashlib.sha256(self._head + index).digest()
        with room(self.path):
            self._write(index)
            self._write(FOOTER.pack(END, at, len(index), digest))
            os.fsync(self._fd)
            self._give_name()
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _give_name(self) -> None:
        if self._part is None:
            if not os.path.lexists(self.path):
                with contextlib.suppress(FileExistsError):
                    _link(self._fd, self.path)
                    return
            # a link replaces nothing, and a rename does
            part = self._new_part()
            _link(self._fd, part)
            self._part = part
        os.replace(self._part, self.path)
        self._part = None

    def close(self) -> None:
        """Let go of the file; without a `commit` nothing is left of it."""
        os.close(self._fd)
        if self._part is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._part)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _replaceable(path: str) -> None:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise SpecError("save", path, f"there is no folder {folder!r}; make it first")
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SpecError("save", path, "is there, and is no file")
            if not file.read(len(KIND)).startswith(KIND):
                raise SpecError("save", path, "is there, and is no saved guest; it is left alone")
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        raise SpecError("save", path, "is a folder; name a file in it") from None
    except OSError as error:
        raise SpecError("save", path, f"is there, and cannot be read: {error}") from error


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _link(fd: int, path: str) -> None:
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # with a folder's descriptor, os.link is linkat(2), which follows the link in /proc
        os.link(f"/proc/self/fd/{fd}", os.path.basename(path), dst_dir_fd=folder)
    finally:
        os.close(folder)
