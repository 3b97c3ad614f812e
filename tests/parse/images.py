"""Small files that QEMU takes for what they are named: disks of each format, a kernel."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

__all__ = ["image", "kernel"]


@functools.cache
def image(format: str, size: int) -> bytes:
    """Return an empty disk of that format; a raw one is `size` zeros."""
    if format == "raw":
        return bytes(size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "disk"
        argv = ["qemu-img", "create", "-q", "-f", format, str(path), str(size)]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        return path.read_bytes()


def kernel() -> bytes:
    """Return a Linux kernel that does nothing: a header that QEMU loads (Linux, x86/boot.rst)."""
    made = bytearray(8192)
    made[0x1F1] = 1  # sectors of set-up code
    made[0x202:0x206] = b"HdrS"
    made[0x206:0x208] = (0x20C).to_bytes(2, "little")  # protocol version
    made[0x211] = 1  # loaded high
    made[0x22C:0x230] = (0x37FFFFFF).to_bytes(4, "little")  # the highest place of an initrd
    return bytes(made)
