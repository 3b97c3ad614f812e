"""Start a guest: the quick way where there is one, else by booting it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvmnb.engines.qemu import disks
from kvmnb.engines.qemu import record as records
from kvmnb.engines.qemu.copying import quick
from kvmnb.engines.qemu.copying.warm import keep, memory_in_a_file, refusal, template_key
from kvmnb.engines.qemu.plan import make_plan
from kvmnb.errors import StateError
from kvmnb.spec.domain import DomainSpec

if TYPE_CHECKING:
    from kvmnb.engines.base import Progress, Wait
    from kvmnb.engines.qemu.control import QemuControl
    from kvmnb.engines.qemu.engine import QemuEngine

__all__ = ["start"]


async def start(
    engine: QemuEngine,
    spec: DomainSpec,
    *,
    wait: Wait,
    timeout_s: float | None,
    keep_s: float | None,
    replace: bool,
    progress: Progress | None,
    warm: bool,
) -> QemuControl:
    """Start a guest; see `QemuEngine.start`."""
    # an image may have to be built, KVM to be tried: the loop has other guests to serve
    plan = await asyncio.to_thread(engine.plan, spec, progress)
    # processors that stand still, or another host's guest, cannot answer yet
    answers = wait == "agent" and spec.agent and not spec.paused and spec.incoming is None
    warm = warm and answers and not refusal(spec)
    kept: list[str] = []
    while True:
        running = await engine.find(spec.name)
        if running is None:
            pass
        elif not replace and running.info.spec == spec:
            if answers and running.state == "running":
                await running.ready(timeout_s, progress)
            return running
        elif not replace:
            raise _differs(running, spec)
        else:
            await running.destroy()
        async with engine.roots.alock():
            found = records.read(plan.folder)
            if found is not None and found.process is not None and found.process.alive:
                continue  # another process was faster: treat it as running
            # the addresses are settled under the lock, so that no two starts share one
            plan = make_plan(spec, engine.roots, engine.facts, engine.images)
            key = template_key(plan) if warm else ""
            begun = await quick.launch(engine, plan, key) if warm else None
            if begun is None:
                if warm:
                    plan = memory_in_a_file(plan)
                control = await engine.launch(plan, keep_s, kept)
                break
        control, finish = begun
        if await finish(control):
            control.outlive(keep_s)
            engine.spares.provide(spec, key)
            return control
    try:
        await engine.listening(control, plan)
        await _settle(control, spec)
        if answers:
            await control.ready(timeout_s, progress)
        if warm:
            await keep(engine, control, key, progress)
            engine.spares.provide(spec, key)
    except BaseException:
        await asyncio.shield(control.destroy())
        disks.remove(kept)
        raise
    return control


async def _settle(control: QemuControl, spec: DomainSpec) -> None:
    """Do what no option of QEMU's says: only its monitor does."""
    current_mib = spec.memory.current_mib
    if current_mib is not None and spec.balloon is not None and spec.incoming is None:
        await control.balloon(current_mib)


def _differs(running: QemuControl, spec: DomainSpec) -> StateError:
    from kvmnb.spec.codec import differences

    changes = "; ".join(
        f"{field}: another one was asked"
        if field.endswith("password")
        else f"{field}: {now!r} runs, {asked!r} was asked"
        for field, now, asked in differences(running.info.spec, spec)
    )
    return StateError(
        spec.name,
        "running with another spec",
        f"{changes}. destroy() it first, or start(replace=True)",
    )
