"""Guests kept ready: restored from a template, run for a moment, and stopped before they are used.

A spare's QEMU has translated what a guest runs first (under TCG that takes longer than all else),
so that a start has but to give it its place and let it go on. Its files lie in a folder of its
own, which is renamed when it becomes the guest's; QEMU reaches its disks through a descriptor of
that folder, which stays right. The reaper ends it with the process that keeps it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from kvmnb.engines.qemu import commands, disks, leases, process
from kvmnb.engines.qemu import record as records
from kvmnb.engines.qemu.agent import Agent, AgentClosed
from kvmnb.engines.qemu.copying import copies, doors, identity
from kvmnb.engines.qemu.copying.replacement import Replacement
from kvmnb.engines.qemu.copying.warm import Warm
from kvmnb.engines.qemu.folders import GuestFolder
from kvmnb.engines.qemu.monitor import MonitorClosed
from kvmnb.engines.qemu.plan import make_plan
from kvmnb.engines.qemu.proc import Process
from kvmnb.errors import KvmnbError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl
    from kvmnb.engines.qemu.engine import QemuEngine
    from kvmnb.engines.qemu.plan import Plan
    from kvmnb.spec.domain import DomainSpec

__all__ = ["Spares"]

FOLDER = "~spare-"
"""How their folders are called; no guest's folder is."""

AFTER_S = 0.5
"""How long the guest that was just started has the processors for itself."""

WARM_UP_S = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Spare:
    key: str
    spec: DomainSpec
    plan: Plan
    other: Replacement
    started: Process
    agent: Agent
    reseeds: bool
    origin: tuple[str | None, tuple[str, ...]]


class Spares:
    """The spares of one engine, made beside everything else.

    Parameters
    ----------
    engine : whose guests
    count : how many of each guest; 0 for none
    """

    def __init__(self, engine: QemuEngine, count: int = 0) -> None:
        self._engine, self.count = engine, count
        self._ready: list[_Spare] = []
        self._made: set[asyncio.Task[None]] = set()

    def provide(self, spec: DomainSpec, key: str) -> None:
        """Begin to make what is missing for the next starts of this guest."""
        if identity.shared_cards(spec):
            return  # it would be there with the address of the guest that it waits for
        there = sum(spare.key == key and spare.spec == spec for spare in self._ready)
        for _ in range(self.count - there - len(self._made)):
            task = asyncio.ensure_future(self._make(spec, key))
            self._made.add(task)
            task.add_done_callback(self._made.discard)

    async def settled(self) -> None:
        """Wait until all that was begun is ready."""
        while self._made:
            await asyncio.wait(set(self._made))

    async def clear(self) -> None:
        """End all spares."""
        for task in list(self._made):
            task.cancel()
        await self.settled()
        while self._ready:
            await self._throw_away(self._ready.pop())

    async def _throw_away(self, spare: _Spare) -> None:
        await spare.agent.close()
        await spare.other.end()
        await asyncio.to_thread(spare.other.folder.remove)

    # -- made ---------------------------------------------------------------------------------

    async def _make(self, spec: DomainSpec, key: str) -> None:
        await asyncio.sleep(AFTER_S)
        with contextlib.suppress(KvmnbError, OSError, AgentClosed, TimeoutError, KeyError):
            self._ready.append(await self._park(spec, key))

    async def _park(self, spec: DomainSpec, key: str) -> _Spare:
        engine = self._engine
        name = f"{FOLDER}{secrets.token_hex(6)}"
        folder = GuestFolder(f"{engine.roots.run_dir}/{name}", f"{engine.roots.state_dir}/{name}")
        planned = (spec, engine.roots, engine.facts, engine.images)
        plan = await asyncio.to_thread(make_plan, *planned, folder=folder)
        warm = await Warm.find(engine, plan, key)
        if warm is None:
            raise KeyError(key)
        directory = -1
        try:
            folder.create()
            leases.own(folder)
            leases.ensure_reaper(engine.roots)
            directory = os.open(folder.state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            await disks.prepare(warm.plan, [])
            plan = doors.shut(_renamable(warm.plan, directory))
            popen = process.spawn(plan.argv, folder, inherited=plan.inherited)
            started = Process.of(popen.pid) or Process(popen.pid, 0)
            other = Replacement(spec.name, folder, started, popen)
            try:
                await other.listening()
                await warm.filled
                await copies.load(other, warm.state)
                agent = Agent(folder.run)
                await agent.attach()
                await other.qmp("cont")
                await _warm_up(agent)
                await other.qmp("stop")
                await other.monitor.close()
            except BaseException:
                await asyncio.shield(asyncio.ensure_future(other.end()))
                raise
            return _Spare(key, spec, plan, other, started, agent, warm.reseeds, warm.origin)
        except BaseException:
            folder.remove()
            raise
        finally:
            if directory >= 0:
                os.close(directory)
            await warm.close()

    # -- used ---------------------------------------------------------------------------------

    async def claim(
        self, plan: Plan, key: str
    ) -> tuple[QemuControl, Callable[[QemuControl], Awaitable[bool]]] | None:
        """Give a spare the place of the guest of `plan`; the caller holds the root's lock.

        Returns
        -------
        the guest, which still stands still, and what wakes it; ``None`` if there is no spare
        """
        for spare in list(self._ready):
            if spare.key != key or spare.spec != plan.spec:
                continue
            self._ready.remove(spare)
            if spare.other.ended or spare.plan.runtime.macs != plan.runtime.macs:
                await self._throw_away(spare)
                continue
            return self._move(spare, plan.folder), functools.partial(_wake, spare)
        return None

    def _move(self, spare: _Spare, folder: GuestFolder) -> QemuControl:
        from kvmnb.engines.qemu.reaper import end_guest

        if folder.run.exists():
            end_guest(folder, None)
        was = spare.other.folder
        record = records.Record(
            spec=spare.spec,
            process=spare.started,
            argv=spare.plan.argv,
            accel=spare.plan.choice.accel,
            accel_reason=spare.plan.choice.reason,
            macs=spare.plan.runtime.macs,
            created_s=time.time(),
            keep_s=0.0,
        )
        # it has its record before it has its place: killed in between, the reaper ends it
        records.write(was, record)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(folder.state_dir)
        os.rename(was.state_dir, folder.state_dir)
        os.rename(was.run_dir, folder.run_dir)
        control = self._engine.hold(folder, record, spare.other.popen)
        control.reseeds = spare.reseeds
        spare.agent.move(folder.run)
        control.agent = spare.agent
        return control


async def _wake(spare: _Spare, control: QemuControl) -> bool:
    """Let a guest go on that was a spare; return whether it did. If not, it has ended."""
    parent, before = spare.origin
    try:
        await control.monitor.connect()
        await doors.open_again(control)
        await control.qmp("cont")
        await control.refresh()
        await identity.settle(control, parent=parent, before=before)
    except (KvmnbError, MonitorClosed):
        await asyncio.shield(asyncio.ensure_future(control.destroy()))
        return False
    except BaseException:
        await asyncio.shield(asyncio.ensure_future(control.destroy()))
        raise
    return True


def _renamable(plan: Plan, directory: int) -> Plan:
    """Return the plan with disks that are reached through a descriptor of their folder."""
    folder = plan.folder.state_dir
    files = tuple(
        dataclasses.replace(
            file, path=file.path.replace(f"{folder}/", f"/proc/self/fd/{directory}/", 1)
        )
        for file in plan.runtime.disks
    )
    return dataclasses.replace(
        plan,
        runtime=dataclasses.replace(plan.runtime, disks=files),
        inherited=(*plan.inherited, directory),
    )


async def _warm_up(agent: Agent) -> None:
    """Let the guest do once what the first command will need; its agent's line stays open."""
    async with asyncio.timeout(WARM_UP_S):
        for _ in range(2):
            with contextlib.suppress(KvmnbError):
                await agent.execute("guest-set-time", {"time": time.time_ns()})
            _, completion = await commands.execute(agent, "true", None)
            await completion
        agent.hold()
