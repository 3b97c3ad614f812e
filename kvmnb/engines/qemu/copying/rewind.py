"""Put a guest back to a checkpoint: another QEMU is restored beside it and takes its place.

The guest goes on until the other one is ready, so that nothing is lost if it does not come to
that. The order of the steps is such that a process killed between any two of them leaves a
guest that the reaper can finish: see `standstill`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import secrets
import shutil
import time
from typing import TYPE_CHECKING

from kvmnb.engines.base import Event
from kvmnb.engines.qemu import disks, process
from kvmnb.engines.qemu import record as records
from kvmnb.engines.qemu.copying import checkpoints, copies, doors, identity, layers, standstill
from kvmnb.engines.qemu.copying.exclusive import alone
from kvmnb.engines.qemu.copying.replacement import Replacement
from kvmnb.engines.qemu.folders import GuestFolder
from kvmnb.engines.qemu.plan import make_plan
from kvmnb.engines.qemu.proc import Process
from kvmnb.errors import HostError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.children import Outliving
    from kvmnb.engines.qemu.control import QemuControl
    from kvmnb.engines.qemu.copying.capture import Captured
    from kvmnb.engines.qemu.engine import QemuEngine
    from kvmnb.engines.qemu.plan import Plan

__all__ = ["rewind"]


async def rewind(engine: QemuEngine, control: QemuControl, id: str) -> None:
    """Put a guest back to the checkpoint with this id.

    Raises
    ------
    StateError   there is no such checkpoint, or it is damaged; the guest goes on as it was
    StartError   QEMU did not start; the guest goes on as it was
    """
    async with control.state_lock:
        with alone(control):
            try:
                await _rewind(engine, control, id)
            except OSError as error:
                if control.ended:  # its folder went with it
                    raise await control.fail() from error
                if isinstance(error, TimeoutError):
                    raise
                raise HostError(
                    f"the guest was not put back: {error}", "free some room: df -h"
                ) from error


async def _rewind(engine: QemuEngine, control: QemuControl, id: str) -> None:
    place = checkpoints.find(control.folder, id)
    state, described = await asyncio.to_thread(checkpoints.open_state, place)
    try:
        plan, memory = await asyncio.to_thread(_plan, engine, control, state, described["argv"])
        try:
            record, popen = await _replace(control, plan, state)
        finally:
            if memory is not None and memory != state.ram:
                os.close(memory)
    finally:
        state.close()
    # from here on it is the other one: whoever looks finds it in the record
    work = _take_over(control, record, popen, plan, id, running=state.running)
    change = asyncio.ensure_future(work)
    try:
        await asyncio.shield(change)
    except asyncio.CancelledError:
        await asyncio.wait([change])  # half a change would be a guest that stands still
        raise
    if state.running:
        await identity.settle(control)
    label = str(described["checkpoint"]["label"])
    control.remember("rewind", "", hmp="", virsh=control.virsh("snapshot-revert", label))
    detail = {"label": label, "id": id}
    control.hub.publish(Event(control.info.name, time.time(), "rewind", detail))


def _plan(
    engine: QemuEngine, control: QemuControl, state: Captured, argv: list[str]
) -> tuple[Plan, int | None]:
    """Return the plan for a QEMU beside the guest's own: in the same folder, under other names."""
    run = f"{control.folder.run_dir}/{standstill.NEXT}{secrets.token_hex(4)}"
    folder = GuestFolder(run, control.folder.state_dir)
    spec = control.info.spec
    plan = make_plan(spec, engine.roots, engine.facts, engine.images, folder=folder)
    runtime = dataclasses.replace(plan.runtime, macs=control.info.macs)
    plan = dataclasses.replace(plan, runtime=runtime, new_disks=())
    memory = copies.memory_for(state, spec, argv)
    return doors.shut(copies.as_copy(plan, state, memory, shared=True)), memory


async def _replace(
    control: QemuControl, plan: Plan, state: Captured
) -> tuple[records.Record, Outliving]:
    """Start the other QEMU and name it in the guest's record; or leave all as it was."""
    folder = plan.folder
    standstill.enter(control.folder, folder.run.name, control.record.process, running=state.running)
    other: Replacement | None = None
    try:
        folder.run.mkdir(mode=0o700)
        await disks.prepare(plan, [])
        with contextlib.suppress(FileNotFoundError):
            # what its console has said so far stays to be read
            shutil.copyfile(control.folder.run / "serial.log", folder.run / "serial.log")
        popen = process.spawn(
            plan.argv,
            folder,
            desktop=process.opens_a_window(plan.spec),
            inherited=(*process.taps(plan.spec), *plan.inherited),
        )
        started = Process.of(popen.pid) or Process(popen.pid, 0)
        other = Replacement(control.info.name, folder, started, popen)
        await other.listening()
        await copies.load(other, state)
        await other.close()
        if control.ended:
            raise await control.fail()
        record = dataclasses.replace(
            control.record, argv=plan.argv, accel=plan.choice.accel, process=started
        )
        records.write(control.folder, record)
        # the one so far is to end now, and nobody is to take that for the guest's end
        control.process.forget()
    except BaseException:
        if other is not None:
            await asyncio.shield(asyncio.ensure_future(other.end()))
        await asyncio.to_thread(_remove_new_layers, plan)
        shutil.rmtree(folder.run, ignore_errors=True)
        standstill.leave(control.folder)
        raise
    return record, popen


async def _take_over(
    control: QemuControl,
    record: records.Record,
    popen: Outliving,
    plan: Plan,
    id: str,
    *,
    running: bool,
) -> None:
    run = plan.folder.run
    await control.become(record, popen, lambda: standstill.move(control.folder, run))
    if running:
        await identity.attach(control)
        control.standing_still = True  # nobody is to see it as a guest that was resumed
        try:
            await control.qmp("cont")
            await control.refresh()
        finally:
            control.standing_still = False
    try:
        await doors.open_again(control)
    finally:
        standstill.leave(control.folder)
        checkpoints.set_current(control.folder, id)
        await asyncio.to_thread(_remove_old_layers, control.folder, plan)


def _remove_new_layers(plan: Plan) -> None:
    for path in _new_layers(plan):
        with contextlib.suppress(OSError):
            os.unlink(path)


def _new_layers(plan: Plan) -> list[str]:
    return [file.path for file in plan.runtime.disks if layers.is_layer(file.path)]


def _remove_old_layers(folder: GuestFolder, plan: Plan) -> None:
    """Remove the names of layers that the disks do not stand on any more."""
    for new in _new_layers(plan):
        index = os.path.basename(new).removeprefix("disk").partition("-")[0]
        needed = set(layers.chain(new))
        for path in (
            *folder.state.glob(f"disk{index}-*.qcow2"),
            folder.state / f"disk{index}.qcow2",
        ):
            if path.name not in needed:
                path.unlink(missing_ok=True)
