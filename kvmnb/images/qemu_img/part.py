"""A file that is there whole or not at all.

``<folder>/.kvmnb-<pid>-<random>.part/<name>``         what is being made for ``<folder>/<name>``
``<folder>/.kvmnb-<pid>-<random>.part/.kvmnb-lock``    locked (flock) while somebody works there

Such a folder is removed when the work ends, however it ends. Only a kill -9 leaves it, and then
the next image that is made in the same place removes it, once nobody holds its lock: qemu-img
does too, should it outlive the process that started it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from kvmnb.errors import ImageError

__all__ = ["Part", "making"]

PREFIX, SUFFIX, LOCK = ".kvmnb-", ".part", ".kvmnb-lock"


@dataclass(frozen=True, slots=True)
class Part:
    """What becomes an image once it is whole.

    Parameters
    ----------
    path : where it is made; an empty file of its owner's alone lies there
    lock_fd : holds the lock for as long as it is open
    """

    path: str
    lock_fd: int


@contextlib.contextmanager
def making(target: str) -> Iterator[Part]:
    """Give a place to make a file; leaving the block without an error puts it at `target`.

    It keeps its name while it is made, since some formats write it into the file (vmdk).

    Raises
    ------
    ImageError   there is a file of this name already, or none can be made there
    """
    folder, name = os.path.split(target)
    if os.path.lexists(target):
        raise _taken(target)
    _sweep(folder)
    try:
        place, fd = _place(folder)
    except (OSError, ValueError) as error:
        raise ImageError(target, f"cannot be made: {error}") from error
    part = os.path.join(place, name)
    try:
        try:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise ImageError(target, f"cannot be made: {error}") from error
        yield Part(part, fd)
        _put(part, target)
    finally:
        _remove(place, fd)


def _taken(target: str) -> ImageError:
    return ImageError(target, "there is a file of this name already, and it is left as it is")


def _place(folder: str) -> tuple[str, int]:
    """Make a folder in `folder`; return it and what holds its lock."""
    import fcntl

    while True:
        place = os.path.join(folder, f"{PREFIX}{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}")
        os.mkdir(place, 0o700)
        lock = os.path.join(place, LOCK)
        try:
            # a file, and open for writing: on NFS neither a folder nor a reader locks
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # somebody swept it up before it was locked
        with contextlib.suppress(OSError):  # no locks there: then nobody sweeps there either
            fcntl.flock(fd, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), os.stat(lock)):
                return place, fd
        os.close(fd)


def _put(part: str, target: str) -> None:
    """Give the file its name, and take it from nobody."""
    try:
        os.link(part, target)
    except FileExistsError as error:
        raise _taken(target) from error
    except OSError:
        # a file system without hard links
        if os.path.lexists(target):
            raise _taken(target) from None
        try:
            os.rename(part, target)
        except OSError as error:
            raise ImageError(target, f"cannot be put in its place: {error}") from error


def _remove(place: str, fd: int) -> None:
    with contextlib.suppress(OSError):
        for name in os.listdir(place):
            if name != LOCK:
                os.unlink(os.path.join(place, name))
        os.unlink(os.path.join(place, LOCK))
        os.rmdir(place)
    os.close(fd)


def _sweep(folder: str) -> None:
    """Remove what killed processes left here, as far as one can."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(PREFIX) and name.endswith(SUFFIX):
                with contextlib.suppress(OSError):
                    _sweep_one(os.path.join(folder, name))


def _sweep_one(place: str) -> None:
    import fcntl

    found = os.lstat(place)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return  # another's, in a folder that all may write to
    try:
        fd = os.open(os.path.join(place, LOCK), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        os.rmdir(place)  # killed before there was a lock, and so before there was anything
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return
    _remove(place, fd)
