"""The quick ways to start a guest: a spare that stands ready, or else a template."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from kvmnb.engines.qemu.copying.warm import Warm

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl
    from kvmnb.engines.qemu.engine import QemuEngine
    from kvmnb.engines.qemu.plan import Plan

__all__ = ["Finish", "launch"]

Finish = Callable[["QemuControl"], Awaitable[bool]]
"""Lets the guest go on; returns whether it did. If not, it has ended, and the way is no more."""


async def launch(engine: QemuEngine, plan: Plan, key: str) -> tuple[QemuControl, Finish] | None:
    """Begin to start a guest the quick way; the caller holds the root's lock.

    Until the guest is told to `outlive` this process, it ends with it.

    Returns
    -------
    the guest, and what is to be done once the lock is free; ``None`` if there is no quick way
    """
    spare = await engine.spares.claim(plan, key)
    if spare is not None:
        return spare
    warm = await Warm.find(engine, plan, key)
    if warm is None:
        return None
    try:
        return await engine.launch(warm.plan, 0.0, []), warm.finish
    except BaseException:
        await warm.close()
        raise
