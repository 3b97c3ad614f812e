"""Whether a guest was ended by somebody's will, told to every process that has hold of it.

The exit code of a process is told to its parent alone. So who ends a guest leaves a mark first,
and a process that only sees it end looks for that mark; it keeps the file open, since the guest's
folder may be gone by then.
"""

from __future__ import annotations

import contextlib
import os

from kvmnb.engines.qemu.folders import GuestFolder

__all__ = ["Ending", "mark"]

NAME = "ended"


def mark(folder: GuestFolder) -> None:
    """Leave the mark, where there still is a folder for it."""
    with contextlib.suppress(OSError), open(f"{folder.run_dir}/{NAME}", "wb") as file:
        file.write(b"1")


class Ending:
    """One process's hold on a guest's mark.

    Raises
    ------
    FileNotFoundError   the guest's folder is gone
    """

    def __init__(self, folder: GuestFolder) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(f"{folder.run_dir}/{NAME}", flags, 0o600)
        self._by_will: bool | None = None

    @property
    def by_will(self) -> bool:
        """Whether the mark is there."""
        if self._by_will is not None:
            return self._by_will
        return os.fstat(self._fd).st_size > 0

    @by_will.setter
    def by_will(self, by_will: bool) -> None:
        if self._by_will is None:
            os.ftruncate(self._fd, 1 if by_will else 0)

    def close(self) -> None:
        """Let go of it; what was known last stays known."""
        if self._by_will is None:
            self._by_will = self.by_will
            os.close(self._fd)
