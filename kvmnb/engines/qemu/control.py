"""The verbs of one guest that QEMU runs."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from kvmnb.engines.base import (
    Checkpoint,
    Completed,
    Event,
    GuestInfo,
    Output,
    Progress,
    Sample,
    State,
)
from kvmnb.engines.qemu import (
    companions,
    devices,
    echo,
    leases,
    life,
    process,
    readiness,
    screen,
    streaming,
)
from kvmnb.engines.qemu.accel import patience
from kvmnb.engines.qemu.agent import Agent
from kvmnb.engines.qemu.children import Outliving
from kvmnb.engines.qemu.console import Console
from kvmnb.engines.qemu.copying import checkpoints
from kvmnb.engines.qemu.ending import Ending
from kvmnb.engines.qemu.events import STATES, EventHub, translate
from kvmnb.engines.qemu.folders import GuestFolder
from kvmnb.engines.qemu.inside import Inside
from kvmnb.engines.qemu.monitor import Monitor, MonitorClosed
from kvmnb.engines.qemu.onlooker import Onlooker
from kvmnb.engines.qemu.record import Record, read, write
from kvmnb.engines.qemu.sampling import Sampling
from kvmnb.engines.qemu.saving import snapshots
from kvmnb.errors import GuestLost, GuestTimeout, StateError, Unsupported
from kvmnb.images.qemu_img.answers import Snapshot

if TYPE_CHECKING:
    from kvmnb.engines.qemu.engine import QemuEngine

__all__ = ["QemuControl"]

HISTORY = 1000

BALLOON_EVENTS_S = 1.0
"""QEMU sends at most one BALLOON_CHANGE in this time, and the last of several at its end
(QEMU monitor/monitor.c, monitor_qapi_event_conf)."""


class QemuControl:
    """One running guest: its monitor, its agent, its process.

    Lives on the portal's loop. Made by the engine, once per guest and process.
    """

    def __init__(
        self, engine: QemuEngine, folder: GuestFolder, record: Record, popen: Outliving | None
    ) -> None:
        assert record.process is not None
        self.engine, self.roots = engine, engine.roots
        self.folder, self.record = folder, record
        self._info = record.info(folder)
        self._state: State = "starting"
        self._confirmed = time.monotonic()
        self.hub = EventHub()
        self.monitor = Monitor(folder.run, self._on_qmp_event)
        self.agent = Agent(folder.run)
        self._history: deque[Mapping[str, str]] = deque(maxlen=HISTORY)
        self.console = Console(folder.run)
        self.inside = Inside(self)
        self._sampling = Sampling(self)
        self._onlooker = Onlooker(self)
        self._lost: GuestLost | None = None
        self._cleaning: asyncio.Task[None] | None = None
        self.ending = Ending(folder)
        self._tasks: set[asyncio.Future[None]] = set()
        self.last_log = ""
        self.balloon_bytes: int | None = None
        self.state_lock = asyncio.Lock()
        """Held by whoever takes its state, or puts one back: those of this process queue up."""
        self.standing_still = False
        """Whether it is stopped for a copy, for a moment that nobody is to see as a pause."""
        self.behind_s = 0.0
        """How far its clock has fallen behind by that, in seconds."""
        self.reseeds: bool | None = None
        """Whether its kernel reseeds by itself when it is copied; ``None`` until it was asked."""
        self.first_resumed: Callable[[], Awaitable[None]] | None = None
        """What is to be done once a guest that was copied while it was paused goes on."""
        self._balloon_moved_s = 0.0
        self.process = process.QemuProcess(record.process, popen, self._on_exit)

    # -- what is known -----------------------------------------------------------------

    @property
    def info(self) -> GuestInfo:
        return self._info

    @property
    def name(self) -> str:
        return self._info.name

    @property
    def state(self) -> State:
        return self._state

    @property
    def ended(self) -> bool:
        """Whether its QEMU has ended."""
        return self.process.exited.is_set()

    @property
    def state_age_s(self) -> float | None:
        if self.monitor.hears_events or self.process.exited.is_set():
            return None
        return time.monotonic() - self._confirmed

    @property
    def history(self) -> tuple[Mapping[str, str], ...]:
        return tuple(self._history)

    @property
    def patience(self) -> float:
        """By what to multiply a time limit that suits KVM."""
        return patience(self._info.accel)

    def events(self) -> AsyncIterator[Event]:
        subscription = self.hub.subscribe()
        self._onlooker.ensure()
        return subscription

    # -- what happens to it ------------------------------------------------------------

    def _on_qmp_event(self, message: Mapping[str, Any]) -> None:
        event = translate(self._info.name, message)
        if self.standing_still and event.kind in {"paused", "resumed"}:
            return
        match event.kind:
            case "paused":
                self._state = "paused"
            case "resumed":
                self._state = "running"
            case "reset":
                # the agent's line now belongs to a guest that has not booted yet
                self.spawn(self.agent.close())
            case "shutdown":
                self.ending.by_will = True
            case "balloon":
                self.balloon_bytes = int(event.detail.get("actual", 0)) or None
                self._balloon_moved_s = time.monotonic()
        self.hub.publish(event)

    @property
    def balloon_settled(self) -> bool:
        """Whether `balloon_bytes` is what the balloon has: told by an event, and at rest since."""
        known = self.balloon_bytes is not None and self.monitor.hears_events
        return known and time.monotonic() - self._balloon_moved_s > 2 * BALLOON_EVENTS_S

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let `work` run beside everything else."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_exit(self, code: int | None) -> None:
        log = self.last_log = process.tail(self.folder.run / process.LOG)
        by_will = self.ending.by_will or code == 0
        self.ending.close()
        self._state = "shutdown" if by_will else "lost"
        if not by_will:
            self._lost = GuestLost(self._info.name, code, log)
        kind, detail = ("ended", {}) if by_will else ("lost", {"exit_code": code, "log": log})
        self.hub.publish(Event(self._info.name, time.time(), kind, detail))
        self.hub.close()
        self._cleaning = asyncio.ensure_future(self._clean())

    async def _clean(self) -> None:
        await self.monitor.close()
        await self.agent.close()
        if self.record.companions:
            await asyncio.to_thread(companions.end, self.record.companions)
        async with self.roots.alock():
            found = read(self.folder)
            # a new guest may bear the name by now
            if found is None or found.process == self.record.process:
                self.folder.remove()

    async def become(self, record: Record, popen: Outliving, move: Callable[[], None]) -> None:
        """Be the handle on another QEMU of the same guest, and end the one so far.

        Parameters
        ----------
        record : which names the other one, and is written already
        move : brings the other one's sockets to their places, once those are free
        """
        old = self.process
        old.forget()
        await self.monitor.close()
        await self.agent.close()
        old.kill()
        await asyncio.to_thread(old.reap)
        move()
        assert record.process is not None
        self.record, self._info = record, record.info(self.folder)
        self.ending.close()
        self.ending = Ending(self.folder)
        self.monitor = Monitor(self.folder.run, self._on_qmp_event)
        self.agent = Agent(self.folder.run)
        self._sampling = Sampling(self)
        self.balloon_bytes = None
        self.process = process.QemuProcess(record.process, popen, self._on_exit)
        try:
            await self.monitor.connect()
        except MonitorClosed as error:
            raise await self.fail(error) from error
        await self.refresh()

    def outlive(self, keep_s: float | None) -> None:
        """Let the guest, which is whole now, outlive its last owner for so many seconds.

        One that is restored gets its time then only: it is nobody's use while it waits for its
        state, or does not know yet who it is, and ends with the process that restores it.
        """
        self.record = self.record.outliving(keep_s)
        self._info = self.record.info(self.folder)
        with contextlib.suppress(FileNotFoundError):  # it has ended, as the next verb will tell
            write(self.folder, self.record)

    async def gone(self) -> None:
        """Wait until the process has ended and nothing of it is left."""
        await self.process.exited.wait()
        while self._cleaning is None:
            await asyncio.sleep(0)
        await asyncio.shield(self._cleaning)

    async def fail(self, error: BaseException | None = None) -> GuestLost | StateError:
        """Return the error for a line that broke: QEMU is gone, or else it hangs."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self.process.exited.wait()
        name = self._info.name
        if self._lost is not None:
            return GuestLost(name, self._lost.exit_code, self._lost.log_tail)
        if self._state == "shutdown":
            return StateError(name, "shut down", "start it again")
        return StateError(name, self._state, f"its line broke: {error}")

    # -- asking QEMU -------------------------------------------------------------------

    async def qmp(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        if self.process.exited.is_set():
            raise await self.fail()
        try:
            return await self.monitor.execute(command, arguments)
        except MonitorClosed as error:
            raise await self.fail(error) from error
        except TimeoutError as error:
            raise GuestTimeout(self._info.name, 30.0, f"QEMU to answer {command}") from error

    async def change(
        self, verb: str, command: str, arguments: Mapping[str, Any], *, hmp: str, virsh: str
    ) -> Any:
        """Do something to the guest and remember it in the words of QMP, HMP and virsh."""
        result = await self.qmp(command, arguments)
        self.remember(verb, echo.qmp_text(command, arguments), hmp=hmp, virsh=virsh)
        return result

    def remember(self, verb: str, qmp: str, *, hmp: str, virsh: str) -> None:
        """Note in the history what was done, in the words of QMP, HMP and virsh."""
        when = f"{time.time():.3f}"
        words = {"verb": verb, "qmp": qmp, "hmp": hmp, "virsh": virsh, "time_s": when}
        self._history.append(words)

    def virsh(self, verb: str, *more: str) -> str:
        """Return the virsh line for a verb, ready to paste into a shell."""
        return shlex.join(("virsh", verb, self._info.name, *more))

    async def tell(self, command: str, arguments: Mapping[str, Any]) -> Any:
        result = await self.qmp(command, arguments)
        if echo.qmp_changes(command, arguments):
            self.remember("qmp", **echo.qmp_words(self._info.name, command, arguments))
        return result

    async def hmp(self, text: str) -> str:
        result = await self.qmp("human-monitor-command", {"command-line": text})
        if echo.hmp_changes(text):
            self.remember("hmp", **echo.hmp_words(self._info.name, text))
        return str(result)

    async def refresh(self) -> State:
        if not self.process.exited.is_set():
            status = await self.qmp("query-status")
            self._state = STATES.get(status["status"], "running")
            self._confirmed = time.monotonic()
        return self._state

    async def ready(self, timeout_s: float | None, progress: Progress | None) -> None:
        """Wait until the guest answers commands."""
        await readiness.wait(self, timeout_s, progress)

    # -- in the guest ------------------------------------------------------------------

    async def run(
        self, command: str | tuple[str, ...], *, stdin: bytes | None, timeout_s: float | None
    ) -> Completed:
        return await self.inside.run(command, stdin=stdin, timeout_s=timeout_s)

    def stream(
        self, command: str | tuple[str, ...], *, timeout_s: float | None
    ) -> AsyncIterator[Output | Completed]:
        return streaming.stream(self, command, timeout_s)

    async def put(self, data: AsyncIterator[bytes], path: str) -> int:
        return await self.inside.put(data, path)

    def get(self, path: str) -> AsyncIterator[bytes]:
        return self.inside.get(path)

    # -- its life ----------------------------------------------------------------------

    async def suspend(self) -> None:
        await self.change("suspend", "stop", {}, hmp="stop", virsh=self.virsh("suspend"))
        self._state = "paused"

    async def resume(self) -> None:
        await self.change("resume", "cont", {}, hmp="cont", virsh=self.virsh("resume"))
        self._state = "running"
        first, self.first_resumed = self.first_resumed, None
        if first is not None:
            await first()

    async def reset(self) -> None:
        await self.change(
            "reset", "system_reset", {}, hmp="system_reset", virsh=self.virsh("reset")
        )

    async def shutdown(self, timeout_s: float | None) -> None:
        await life.shutdown(self, timeout_s)

    async def destroy(self) -> None:
        await life.destroy(self)

    async def reboot(self, timeout_s: float | None) -> None:
        await life.reboot(self, timeout_s)

    async def wait(self, state: State, timeout_s: float | None) -> None:
        await life.wait(self, state, timeout_s)

    # -- its copies -----------------------------------------------------------------------

    async def checkpoint(self, label: str, *, cell: str | None, keep: bool) -> Checkpoint:
        return await checkpoints.take(self, label, cell=cell, keep=keep)

    async def rewind(self, checkpoint: str) -> None:
        from kvmnb.engines.qemu.copying.rewind import rewind

        await rewind(self.engine, self, checkpoint)

    async def drop(self, checkpoint: str) -> None:
        await asyncio.to_thread(checkpoints.drop, self.folder, checkpoint)

    def checkpoints(self) -> tuple[tuple[Checkpoint, ...], str | None]:
        return checkpoints.listed(self.folder)

    async def fork(
        self, names: tuple[str, ...] | int, *, keep_s: float | None
    ) -> tuple[QemuControl, ...]:
        from kvmnb.engines.qemu.copying.copies import fork

        return tuple(await fork(self.engine, self, names, keep_s))

    # -- its snapshots, and its state in a file ------------------------------------------

    async def snapshots(self) -> tuple[Snapshot, ...]:
        return await snapshots.listed(self)

    async def savevm(self, name: str, progress: Progress | None) -> Snapshot:
        return await snapshots.savevm(self, name, progress)

    async def loadvm(self, name: str, progress: Progress | None) -> None:
        await snapshots.loadvm(self, name, progress)

    async def delvm(self, name: str, progress: Progress | None) -> None:
        await snapshots.delvm(self, name, progress)

    async def save(self, path: str, progress: Progress | None) -> None:
        from kvmnb.engines.qemu.saving import save as saving

        await saving.save(self, path, progress)

    # -- its devices -------------------------------------------------------------------

    async def balloon(self, memory_mib: int) -> None:
        await devices.balloon(self, memory_mib)
        self._balloon_moved_s = time.monotonic()

    async def sendkey(self, keys: tuple[str, ...], hold_ms: int) -> None:
        await devices.sendkey(self, keys, hold_ms)

    async def vnc_password(self, text: str, expires_s: int | None) -> None:
        await screen.vnc_password(self, text, expires_s)

    async def screenshot(self) -> bytes:
        if not self._info.spec.videos:
            raise Unsupported("this guest", "screenshot", "it has no graphics card: vnc(False)")
        return await screen.screenshot(self)

    async def console_text(self, lines: int) -> str:
        return self.console.lines(lines)

    async def sample(self) -> Sample:
        return await self._sampling.take()

    async def close(self) -> None:
        """Let go of the guest without ending it."""
        self.process.forget()
        self.ending.close()
        await self.monitor.close()
        await self.agent.close()
        self.hub.close()
        leases.disown(self.folder)
