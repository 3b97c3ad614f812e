"""Files that a saved guest needs and does not bring along: images, and disks of the user's own."""

from __future__ import annotations

import os
import stat
from typing import Any

__all__ = ["changed", "seen"]


def seen(path: str) -> dict[str, Any]:
    """Return what tells later whether a file is still the same: its size and when it was written.

    A device has neither.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        return {"path": path, "size": None, "mtime_ns": None}
    return {"path": path, "size": status.st_size, "mtime_ns": status.st_mtime_ns}


def changed(fact: dict[str, Any]) -> str:
    """Return what has become of a file that was `seen`, or ``""``."""
    path = str(fact["path"])
    try:
        now = seen(path)
    except OSError as error:
        return f"{path!r} cannot be found: {error.strerror}"
    return "" if now == fact else f"{path!r} has been written to since"
