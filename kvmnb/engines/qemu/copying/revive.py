"""Start a guest again from a checkpoint that has outlived it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from kvmnb.engines.qemu.copying import checkpoints, copies, identity
from kvmnb.errors import StateError
from kvmnb.spec.codec import decode

if TYPE_CHECKING:
    from kvmnb.engines.base import Checkpoint
    from kvmnb.engines.qemu.control import QemuControl
    from kvmnb.engines.qemu.engine import QemuEngine

__all__ = ["revive"]


async def revive(engine: QemuEngine, checkpoint: Checkpoint, keep_s: float | None) -> QemuControl:
    """Start the guest of a checkpoint from where it was taken.

    Raises
    ------
    StateError   a guest of its name runs, or the checkpoint is gone or damaged
    StartError   QEMU did not start
    """
    folder = engine.roots.guest(checkpoint.guest)
    place = checkpoints.find(folder, checkpoint.id)
    state, described = await asyncio.to_thread(checkpoints.open_state, place)
    try:
        spec = decode(described["spec"])
        plan = await asyncio.to_thread(engine.plan, spec)
        memory = copies.memory_for(state, spec, described["argv"])
        plan = copies.as_copy(plan, state, memory, shared=True)
        try:
            async with engine.roots.alock():
                if await engine.find(spec.name) is not None:
                    required = "rewind() it, or destroy() it first"
                    raise StateError(spec.name, "running", required)
                control = await engine.launch(plan, 0.0, [])
        finally:
            if memory is not None and memory != state.ram:
                os.close(memory)
        try:
            await engine.listening(control, plan)
            await copies.load(control, state)
            if state.running:
                await identity.attach(control)
                await control.qmp("cont")
            await control.refresh()
            if state.running:
                before = tuple(described["macs"])
                parent = None if before == control.info.macs else spec.name
                await identity.settle(control, parent=parent, before=before)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(control.destroy()))
            raise
    finally:
        state.close()
    control.outlive(keep_s)
    checkpoints.set_current(folder, checkpoint.id)
    return control
