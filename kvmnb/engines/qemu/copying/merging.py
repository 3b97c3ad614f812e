"""Merge frozen layers of a guest's disks that nobody else needs any more.

Each copy and checkpoint freezes a layer, and a long chain makes every start on it slow. A layer
whose file has no other name than the guest's own belongs to no copy and no checkpoint: QEMU
writes what is in it into the one below, while the guest runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from kvmnb.engines.qemu.copying import layers
from kvmnb.errors import CommandError, StateError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["merge", "mergeable"]

MANY = 6
"""Layers that can be merged before it is done: one costs a start about 4 ms, a merger 20 ms."""

LARGE_BYTES = 64 << 20
"""A layer that holds more stays: to write it anew would keep the disk busy."""

JOB_S = 60.0


def mergeable(folder: str, chain: tuple[str, ...]) -> list[str]:
    """Return the longest run of layers that can become one, the newest first.

    Parameters
    ----------
    folder : where the files are
    chain : their names, the newest first, which the guest writes to
    """
    runs: list[list[str]] = [[]]
    for name in chain[1:]:
        found = os.stat(f"{folder}/{name}")
        if found.st_nlink == 1:
            runs[-1].append(name)
        if found.st_nlink > 1 or found.st_blocks * 512 > LARGE_BYTES:
            # one that is large can take in what is above it, and goes into nothing itself
            runs.append([])
    return max(runs, key=len)


async def merge(control: QemuControl) -> None:
    """Merge what can be merged, if that is much; the caller alone is at the guest's state.

    It changes nothing for the guest, so that whatever fails is left for the next time.
    """
    with contextlib.suppress(CommandError, StateError, OSError, TimeoutError):
        for layer in await layers.active(control):
            run = mergeable(control.folder.state_dir, layers.chain(layer.path))
            if len(run) >= MANY:
                await _commit(control, layer.node, run)


async def _commit(control: QemuControl, device: str, run: list[str]) -> None:
    """Let QEMU write all layers of the run into the last of it."""
    nodes = await layers.nodes(control)
    job = f"merge-{secrets.token_hex(4)}"
    arguments = {
        "job-id": job,
        "device": device,
        "top-node": nodes[run[0]],
        "base-node": nodes[run[-1]],
        "backing-file": run[-1],
    }
    async with control.monitor.hearing():
        events = control.hub.subscribe()
        await control.qmp("block-commit", arguments)
        async with asyncio.timeout(JOB_S):
            async for event in events:
                if event.kind == "block_job_completed" and event.detail.get("device") == job:
                    return
