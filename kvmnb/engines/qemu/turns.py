"""Take turns at a line that only one process at a time can be connected to.

QEMU's sockets serve one client; a second one waits unheard. A file lock says who is served:
the kernel frees it when its holder is killed. Who waits leaves a mark, and the holder, which
otherwise keeps the line while it needs it, hands it on after the command in hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from pathlib import Path

__all__ = ["Turn"]


class Turn:
    """The right to use one of a guest's lines.

    Parameters
    ----------
    line : the socket; the lock and the mark lie beside it
    """

    def __init__(self, line: Path) -> None:
        self._lock = line.with_suffix(".lock")
        self._mark = line.with_suffix(".wanted")
        self._fd: int | None = None

    def move(self, line: Path) -> None:
        """Go on under another name of the line, after its folder has been renamed."""
        self._lock, self._mark = line.with_suffix(".lock"), line.with_suffix(".wanted")

    @property
    def held(self) -> bool:
        """Whether it is ours."""
        return self._fd is not None

    @property
    def wanted(self) -> bool:
        """Whether another process waits for it."""
        return self._mark.exists()

    def try_take(self) -> bool:
        """Take the turn if it is free."""
        if self._fd is not None:
            return True
        fd = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    async def take(self) -> None:
        """Wait for the turn; the wait can be cancelled."""
        wait_s = 0.002
        while not self.try_take():
            # flock has no event and no time limit; the mark makes the holder brief
            self._mark.touch(mode=0o600)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 1.5, 0.05)
        self._mark.unlink(missing_ok=True)

    def release(self) -> None:
        """Hand the line on."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None
