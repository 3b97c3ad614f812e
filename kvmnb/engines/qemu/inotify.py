"""Wait for a file to appear, by the kernel's word rather than by looking again and again."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["appearance"]

# <sys/inotify.h>
IN_CREATE, IN_MOVED_TO = 0x100, 0x80
IN_NONBLOCK, IN_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC

EVENT = struct.Struct("iIII")
"""struct inotify_event: watch, what happened, cookie, length of the name that follows."""


class _Inotify:
    """One inotify instance for all watches of a loop.

    It stays open: the kernel takes 5 ms to close one, which would be a tenth of a guest's start.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._happened: dict[int, list[Callable[[], None]]] = {}
        self._fd: int = self._libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        if self._fd >= 0:
            loop.add_reader(self._fd, self._drain)
            weakref.finalize(loop, os.close, self._fd)

    def add(self, folder: Path, happened: Callable[[], None]) -> int | None:
        """Watch a folder; return the watch, or ``None`` where the kernel gives none."""
        if self._fd < 0:
            return None
        mask = IN_CREATE | IN_MOVED_TO
        watch: int = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), mask)
        if watch < 0:
            return None
        # the same folder again has the same watch
        self._happened.setdefault(watch, []).append(happened)
        return watch

    def remove(self, watch: int, happened: Callable[[], None]) -> None:
        """Watch no longer."""
        listeners = self._happened[watch]
        listeners.remove(happened)
        if not listeners:
            del self._happened[watch]
            self._libc.inotify_rm_watch(self._fd, watch)

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            events = os.read(self._fd, 4096)
            at = 0
            while at < len(events):
                watch, _, _, length = EVENT.unpack_from(events, at)
                at += EVENT.size + length
                for happened in tuple(self._happened.get(watch, ())):
                    happened()


_of_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Inotify]
_of_loop = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def appearance(folder: Path, happened: Callable[[], None]) -> Iterator[bool]:
    """Call `happened` on the running loop whenever an entry appears in `folder`.

    Yields whether the kernel gave a watch; a user's inotify instances are few (128 by
    default), and without one the caller must look for itself.
    """
    loop = asyncio.get_running_loop()
    if (inotify := _of_loop.get(loop)) is None:
        inotify = _of_loop[loop] = _Inotify(loop)
    watch = inotify.add(folder, happened)
    try:
        yield watch is not None
    finally:
        if watch is not None:
            inotify.remove(watch, happened)
