"""The files that are made for a guest when it starts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from kvmnb.engines.qemu.plan import NewDisk, Plan

__all__ = ["create", "prepare"]


async def prepare(plan: Plan) -> None:
    """Make the disks, the copy of the firmware's variables, and the seed of a guest.

    Raises
    ------
    ImageError   qemu-img refused: no room, a damaged base, …
    """
    for disk in plan.new_disks:
        await create(disk)
    for source, target in plan.copies:
        shutil.copyfile(source, target)
        os.chmod(target, 0o600)
    if plan.spec.cloud_init is not None and plan.runtime.seed is not None:
        import asyncio

        from kvmnb.images.seed import write_seed

        await asyncio.to_thread(
            write_seed, plan.spec.cloud_init, Path(plan.runtime.seed), name=plan.spec.name
        )


async def create(disk: NewDisk) -> None:
    """Make one disk: empty, or an overlay that leaves its base as it is.

    Raises
    ------
    ImageError   qemu-img refused: no room, a damaged base, …
    """
    from kvmnb.images.qemu_img.making import create_disk

    await create_disk(
        Path(disk.path),
        format=disk.format,
        size_bytes=disk.size_bytes,
        backing=None if disk.base is None else Path(disk.base),
        backing_format=disk.base_format,
    )
