"""Start guests from a state that was taken of another one: forks, warm starts, rewinds.

A copy is a QEMU of the same shape that waits for a state (``-incoming defer``). Its memory is
the frozen file of the state, mapped privately, so that copies share what none of them has
written; or, for a guest that is to be copied again, a file of its own.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import os
from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from kvmnb.engines.qemu.copying import identity, layers, ram
from kvmnb.engines.qemu.copying.capture import Captured, capturing, room_again
from kvmnb.engines.qemu.copying.migration import Speaker, migrate, state_migration
from kvmnb.errors import StateError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl
    from kvmnb.engines.qemu.engine import QemuEngine
    from kvmnb.engines.qemu.folders import Roots
    from kvmnb.engines.qemu.plan import Plan
    from kvmnb.spec.domain import DomainSpec

__all__ = ["as_copy", "backed", "fork", "free_names", "load", "memory_for"]

R = TypeVar("R")


def as_copy(plan: Plan, state: Captured, memory: int | None, *, shared: bool) -> Plan:
    """Return the plan of a guest that is to be restored from `state`.

    Parameters
    ----------
    plan : as if it were to be booted
    memory : a descriptor of its memory's file, which QEMU inherits; ``None`` for the plain
        memory that the state was taken of
    shared : whether QEMU writes to that file, and not to pages of its own
    """
    told = dataclasses.replace(plan.told, incoming="defer", paused=False)
    if memory is not None:
        backing = dataclasses.replace(
            told.memory,
            source="file",
            path=f"/proc/self/fd/{memory}",
            shared=shared,
            preallocated=False,
        )
        told = dataclasses.replace(told, memory=backing)
    folder, files = plan.folder.state_dir, list(plan.runtime.disks)
    links, contents = list(plan.links), list(plan.contents)
    for index, names in state.layers.items():
        links += [(f"{state.folder}/{each}", f"{folder}/{each}") for each in names]
        top = f"{folder}/{layers.name(index)}"
        contents.append((top, state.blanks[index]))
        files[index] = dataclasses.replace(files[index], path=top)
    replaced = {f"{folder}/disk{index}.qcow2" for index in state.layers}
    copied = plan.copies
    firmware = plan.runtime.firmware
    if state.firmware is not None and firmware is not None and firmware.variables is not None:
        contents.append((firmware.variables, state.firmware))
        copied = ()
    return dataclasses.replace(
        plan,
        told=told,
        runtime=dataclasses.replace(plan.runtime, disks=tuple(files)),
        new_disks=tuple(disk for disk in plan.new_disks if disk.path not in replaced),
        copies=copied,
        contents=tuple(contents),
        links=tuple(links),
        inherited=plan.inherited if memory is None else (*plan.inherited, memory),
    )


async def load(speaker: Speaker, state: Captured, *, announce: bool = True) -> None:
    """Let a QEMU that waits for a state read it; its processors stand still afterwards.

    Parameters
    ----------
    announce : whether its cards are to tell the network where they are now; those of a copy have
        their parent's addresses until it is told its own
    """
    if not announce:
        await speaker.qmp("migrate-set-parameters", {"announce-rounds": 0})
    # a description of its own: each reader has its own place in the file
    fd = os.open(f"/proc/self/fd/{state.devices}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        async with state_migration(speaker, without_ram=state.ram is not None):
            await migrate(speaker, "migrate-incoming", fd)
    finally:
        os.close(fd)


def free_names(name: str, count: int, roots: Roots) -> tuple[str, ...]:
    """Return names for copies: ``test-1``, ``test-2`` …, those that are taken left out."""
    found, number = list[str](), 0
    while len(found) < count:
        number += 1
        if not roots.guest(f"{name}-{number}").run.exists():
            found.append(f"{name}-{number}")
    return tuple(found)


async def fork(
    engine: QemuEngine, parent: QemuControl, names: tuple[str, ...] | int, keep_s: float | None
) -> list[QemuControl]:
    """Start running copies of a running guest; either all run in the end, or none.

    Parameters
    ----------
    names : or how many: then under the next free names

    Raises
    ------
    StateError   the guest cannot be copied, or a name is taken
    StartError   a copy did not start
    """
    if not isinstance(names, int):
        _check_free(engine, names)
    state: Captured | None = None
    ran = False
    copies: list[QemuControl] = []
    plans: list[Plan] = []
    memories: list[int] = []
    try:
        async with capturing(parent) as taking:
            ran = taking.early.running
            if taking.early.firmware is not None:
                # QEMU reads the firmware's variables when it starts, and only then
                state = await taking.finish()
            async with engine.roots.alock():
                if isinstance(names, int):
                    names = free_names(parent.info.name, names, engine.roots)
                _check_free(engine, names)
                for name in names:
                    work = asyncio.to_thread(_plan, engine, parent, taking.early, name)
                    plan, memory = await work
                    plans.append(plan)
                    if memory is not None and memory != taking.early.ram:
                        memories.append(memory)
                # until all of them are whole, none outlives this process
                await _all((engine.launch(plan, 0.0, []) for plan in plans), copies)
            # the copies come up while the guest still runs
            pairs = zip(copies, plans, strict=True)
            await _all((engine.listening(*pair) for pair in pairs), [])
            state = state or await taking.finish()
        await _all((_bring_up(control, state, parent) for control in copies), [])
        for control in copies:
            control.outlive(keep_s)
    except BaseException:
        ends = [control.destroy() for control in copies]
        await asyncio.shield(asyncio.gather(*ends, return_exceptions=True))
        await room_again(parent, ran=ran)
        raise
    finally:
        for fd in memories:
            os.close(fd)
        if state is not None:
            state.close()
    return copies


def _check_free(engine: QemuEngine, names: tuple[str, ...]) -> None:
    for name in names:
        if engine.roots.guest(name).run.exists():
            raise StateError(name, "running", "a copy needs a name of its own")


async def _all(work: Iterable[Coroutine[Any, Any, R]], done: list[R]) -> None:
    """Await all, whatever becomes of one, and raise the first error then.

    Parameters
    ----------
    done : is given the results of those that came to their end
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.wait(tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise
    finally:
        ended = [task for task in tasks if not task.cancelled()]
        done += [task.result() for task in ended if task.exception() is None]
    for task in tasks:
        task.result()


def _plan(
    engine: QemuEngine, parent: QemuControl, state: Captured, name: str
) -> tuple[Plan, int | None]:
    spec = identity.copied_spec(parent.info.spec, name)
    plan = engine.plan(spec)
    memory = memory_for(state, spec, parent.record.argv)
    # one that came with the state is frozen, and its copies share it
    shared = memory is not None and memory != state.ram
    return as_copy(plan, state, memory, shared=shared), memory


def memory_for(state: Captured, spec: DomainSpec, argv: Sequence[str]) -> int | None:
    """Return a descriptor of the memory's file for a guest that is restored from `state`.

    It is the state's own where that has one; else a new one, which the caller closes, since the
    memory's content comes with the devices. ``None`` where the memory was in no file.

    Parameters
    ----------
    argv : of the QEMU that the state was taken of
    """
    if state.ram is None and backed(argv):
        return ram.create(spec.memory.size_mib << 20)
    return state.ram


def backed(argv: Sequence[str]) -> bool:
    """Return whether a QEMU's memory has one backend by name, as that of its copies must have."""
    return sum(word.startswith("memory-backend-") for word in argv) == 1


async def _bring_up(control: QemuControl, state: Captured, parent: QemuControl) -> None:
    await load(control, state, announce=False)
    await identity.plug(control, up=False)
    who = functools.partial(
        identity.settle, control, parent=parent.info.name, before=parent.info.macs
    )
    if not state.running:
        control.first_resumed = who
        await control.refresh()
        return
    await identity.attach(control)
    await control.qmp("cont")
    await control.refresh()
    await who()
