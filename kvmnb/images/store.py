"""The folder that images are kept in: locks, atomic files, and whether a file is still the same.

``<folder>/<name>/``   one image's files and its ``manifest.json``, whose presence means: whole
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from kvmnb.errors import HostError, ImageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["digest_of", "identity", "in_use", "locked", "present", "remove", "same", "write_json"]

MANIFEST = "manifest.json"


def private_folder(folder: Path) -> None:
    """Make `folder` (0700 where it is new).

    Raises
    ------
    HostError   no room or no right
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(
            f"cannot make {folder}: {error.strerror}", "set XDG_CACHE_HOME to a folder of yours"
        ) from error


@contextlib.contextmanager
def locked(folder: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold `folder`'s lock; the kernel drops it on kill -9.

    While somebody else has it, `waiting` is called five times a second; what it raises ends
    the wait.
    """
    import fcntl
    import time

    while True:
        private_folder(folder)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waiting is not None:
                    waiting()
                time.sleep(0.2)
                continue
            # a folder removed while we waited is not the one that the next comer would lock
            if not _is_at(fd, folder):
                continue
            yield
            return
        finally:
            os.close(fd)


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def write_json(where: Path, content: Any) -> None:
    """Write a JSON file so that a reader sees the old one or the new one, never a part.

    Raises
    ------
    HostError   no room or no right
    """
    part = where.with_name(f"{where.name}.{os.getpid()}.part")
    try:
        with open(part, "w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump(content, file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, where)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise HostError(f"cannot write {where}: {error.strerror}", "free some room") from error


def present(path: str | Path) -> bool:
    """Return whether there is a file, or a whole image's folder, at `path`."""
    try:
        found = os.stat(path)
        return not stat.S_ISDIR(found.st_mode) or os.path.exists(os.path.join(path, MANIFEST))
    except (OSError, ValueError):
        return False


def identity(path: str | Path) -> list[int]:
    """Return what tells a file from a changed one without reading it: size, time, inode."""
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def digest_of(path: str | Path, algorithm: str = "sha256") -> str:
    """Return a file's digest in hexadecimal."""
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def same(path: str | Path, known: dict[str, Any]) -> bool:
    """Return whether `path` still is the file that its manifest's entry tells of.

    Its identity is compared, and where that differs (a copied folder, say) its digest.
    """
    try:
        if identity(path) == known["identity"]:
            return True
        return os.stat(path).st_size == known["size"] and digest_of(path) == str(known["sha256"])
    except OSError:
        return False


def in_use(path: Path) -> bool:
    """Return whether a QEMU has `path` open, told by the locks it holds on its images.

    QEMU locks bytes from 100 on of every image it opens (QEMU block/file-posix.c).
    """
    import fcntl
    import struct

    try:
        # to read, since images are read-only files: asking after a lock takes no right to write
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # struct flock of x86-64 and every other 64-bit Linux: type, whence, start, length, pid
        layout = "hhqqi4x"
        ask = struct.pack(layout, fcntl.F_WRLCK, os.SEEK_SET, 100, 200, 0)
        kind: int = struct.unpack(layout, fcntl.fcntl(fd, fcntl.F_OFD_GETLK, ask))[0]
        return kind != fcntl.F_UNLCK
    except OSError:
        return False
    finally:
        os.close(fd)


def remove(folder: Path, name: str) -> None:
    """Delete an image that was built or downloaded.

    Raises
    ------
    ImageError   it is not here, or a running guest has it open; `name` is more than a name
    """
    import shutil

    place = folder / name
    if name in {"", ".", ".."} or "/" in name or not folder.is_absolute():
        raise ImageError(name, "is not the name of a folder here")
    if place.is_symlink():
        place.unlink()  # what it points to belongs to somebody else
        return
    if not place.is_dir():
        raise ImageError(name, "is not here; there is nothing to remove")
    with locked(place):
        for file in place.rglob("*"):
            if file.is_file() and in_use(file):
                raise ImageError(name, "a running guest has it open; end that guest first")
        (place / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
