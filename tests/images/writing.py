"""What a guest does to its disk, done by qemu-io."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["holds", "io"]


def io(path: Path, *commands: str, format: str = "qcow2") -> str:
    """Do what a guest would do to a disk."""
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(
        ["qemu-io", "-f", format, *words, str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout + done.stderr


def holds(path: Path, pattern: int, at: str = "0", format: str = "qcow2") -> bool:
    """Return whether 64 KiB of the disk from `at` on are `pattern`."""
    return "verification failed" not in io(path, f"read -P {pattern} {at} 64k", format=format)
