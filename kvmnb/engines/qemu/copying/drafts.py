"""Where checkpoints lie, and what is written or removed there just now.

A draft bears the name of the process that is at it. So what one has left that was killed is told
from what is under way, by anybody, and the standard library is enough for it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from kvmnb.engines.qemu.folders import GuestFolder
from kvmnb.engines.qemu.proc import Process

__all__ = ["FOLDER", "kept_folder", "path", "places", "sweep"]

FOLDER = "checkpoints"


def kept_folder(folder: GuestFolder) -> Path:
    """Return where the checkpoints of a guest lie that outlive it."""
    half = folder.state.parent
    return half.parent / half.name.replace("guests-", "kept-", 1) / folder.state.name


def places(folder: GuestFolder) -> tuple[Path, Path]:
    """Return where the checkpoints of a guest lie: those that go with it, and those that stay."""
    return folder.state / FOLDER, kept_folder(folder)


def path(place: Path, name: str) -> Path:
    """Return a path that nobody takes for a checkpoint, for what is written or removed."""
    return place / f".{name}-{Process.current()}"


def sweep(place: Path) -> None:
    """Remove what processes have left that were killed while they wrote or removed something."""
    for entry in place.glob(".*-*"):
        worker = Process.parse(entry.name.partition("-")[2])
        if worker is not None and not worker.alive:
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
