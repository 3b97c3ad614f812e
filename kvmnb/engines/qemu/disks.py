"""The disks that are made for a guest when it starts."""

from __future__ import annotations

from pathlib import Path

from kvmnb.engines.qemu.plan import NewDisk

__all__ = ["create"]


async def create(disk: NewDisk) -> None:
    """Make one qcow2: empty, or an overlay that leaves its base as it is.

    Raises
    ------
    ImageError   qemu-img refused: no room, a damaged base, …
    """
    from kvmnb.images import qemu_img

    await qemu_img.create(
        Path(disk.path),
        format="qcow2",
        size_bytes=disk.size_bytes,
        backing=None if disk.base is None else Path(disk.base),
        backing_format=disk.base_format,
    )
