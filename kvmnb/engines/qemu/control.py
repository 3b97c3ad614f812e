"""The verbs of one guest that QEMU runs."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

from kvmnb.engines.base import Completed, Event, GuestInfo, Progress, Sample, State
from kvmnb.engines.qemu import companions, echo, leases, process, readiness, screen
from kvmnb.engines.qemu.accel import patience
from kvmnb.engines.qemu.agent import Agent, AgentClosed
from kvmnb.engines.qemu.children import Outliving
from kvmnb.engines.qemu.console import Console
from kvmnb.engines.qemu.ending import Ending
from kvmnb.engines.qemu.events import EventHub, translate
from kvmnb.engines.qemu.folders import GuestFolder, Roots
from kvmnb.engines.qemu.inside import Inside
from kvmnb.engines.qemu.monitor import Monitor, MonitorClosed
from kvmnb.engines.qemu.onlooker import Onlooker
from kvmnb.engines.qemu.record import Record, read
from kvmnb.engines.qemu.sampling import Sampling
from kvmnb.errors import GuestLost, GuestTimeout, SpecError, StateError, Unsupported

__all__ = ["QemuControl"]

HISTORY = 1000
DESTROY_S = 5.0

SHUTDOWN_S = 20.0
"""How long a guest may take to shut down under KVM; multiplied by the accelerator's patience."""

PRESS_AGAIN_S = 1.0
"""When the power button is pressed again, then after twice as long, and so on."""

BALLOON_EVENTS_S = 1.0
"""QEMU sends at most one BALLOON_CHANGE in this time, and the last of several at its end
(QEMU monitor/monitor.c, monitor_qapi_event_conf)."""

# RunState of QMP (qapi/run-state.json) → our words
_STATES: dict[str, State] = {
    "running": "running",
    "prelaunch": "paused",
    "paused": "paused",
    "suspended": "paused",
    "io-error": "paused",
    "watchdog": "paused",
    "save-vm": "paused",
    "restore-vm": "paused",
    "debug": "paused",
    "finish-migrate": "paused",
    "postmigrate": "paused",
    "inmigrate": "starting",
    "shutdown": "shutdown",
    "internal-error": "crashed",
    "guest-panicked": "crashed",
}


class QemuControl:
    """One running guest: its monitor, its agent, its process.

    Lives on the portal's loop. Made by the engine, once per guest and process.
    """

    def __init__(
        self, folder: GuestFolder, roots: Roots, record: Record, popen: Outliving | None
    ) -> None:
        assert record.process is not None
        self.folder, self.roots, self.record = folder, roots, record
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
        self._ending = Ending(folder)
        self._tasks: set[asyncio.Future[None]] = set()
        self.last_log = ""
        self.balloon_bytes: int | None = None
        self._balloon_moved_s = 0.0
        self.process = process.QemuProcess(record.process, popen, self._on_exit)

    # -- what is known -----------------------------------------------------------------

    @property
    def info(self) -> GuestInfo:
        return self._info

    @property
    def state(self) -> State:
        return self._state

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
        match event.kind:
            case "paused":
                self._state = "paused"
            case "resumed":
                self._state = "running"
            case "reset":
                # the agent's line now belongs to a guest that has not booted yet
                self.spawn(self.agent.close())
            case "shutdown":
                self._ending.by_will = True
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
        by_will = self._ending.by_will or code == 0
        self._ending.close()
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
        self._remember(verb, echo.qmp_text(command, arguments), hmp=hmp, virsh=virsh)
        return result

    def _remember(self, verb: str, qmp: str, *, hmp: str, virsh: str) -> None:
        when = f"{time.time():.3f}"
        words = {"verb": verb, "qmp": qmp, "hmp": hmp, "virsh": virsh, "time_s": when}
        self._history.append(words)

    def virsh(self, verb: str, *more: str) -> str:
        """Return the virsh line for a verb, ready to paste into a shell."""
        return shlex.join(("virsh", verb, self._info.name, *more))

    async def tell(self, command: str, arguments: Mapping[str, Any]) -> Any:
        result = await self.qmp(command, arguments)
        if echo.qmp_changes(command, arguments):
            self._remember("qmp", **echo.qmp_words(self._info.name, command, arguments))
        return result

    async def hmp(self, text: str) -> str:
        result = await self.qmp("human-monitor-command", {"command-line": text})
        if echo.hmp_changes(text):
            self._remember("hmp", **echo.hmp_words(self._info.name, text))
        return str(result)

    async def refresh(self) -> State:
        if not self.process.exited.is_set():
            status = await self.qmp("query-status")
            self._state = _STATES.get(status["status"], "running")
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

    async def reset(self) -> None:
        await self.change(
            "reset", "system_reset", {}, hmp="system_reset", virsh=self.virsh("reset")
        )

    async def shutdown(self, timeout_s: float | None) -> None:
        name = self._info.name
        limit_s = SHUTDOWN_S * self.patience if timeout_s is None else timeout_s
        if self.process.exited.is_set() and self._state == "shutdown":
            return
        if await self.refresh() == "paused":
            raise StateError(name, "paused", "it cannot hear the power button; resume() it first")
        words = {"hmp": "system_powerdown", "virsh": self.virsh("shutdown")}
        await self.change("shutdown", "system_powerdown", {}, **words)
        self._ending.by_will = True
        try:
            async with asyncio.timeout(limit_s):
                await self._until_gone_pressing_again()
        except TimeoutError as error:
            self._ending.by_will = False
            tail = self.console.lines(5)
            what = "the guest to heed its power button; destroy() ends it all the same"
            raise GuestTimeout(name, limit_s, what, tail) from error

    async def _until_gone_pressing_again(self) -> None:
        # a guest that still loads its drivers misses the button, and nobody hears of that
        pause_s = PRESS_AGAIN_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self.process.exited.wait()
            if self.process.exited.is_set():
                return await self.gone()
            pause_s *= 2
            with contextlib.suppress(StateError, GuestLost):
                await self.qmp("system_powerdown")

    async def destroy(self) -> None:
        if not self.process.exited.is_set():
            self._ending.by_will = True
            words = {"hmp": "quit", "virsh": self.virsh("destroy")}
            self._remember("destroy", echo.qmp_text("quit", None), **words)
            with contextlib.suppress(MonitorClosed, TimeoutError, StateError, GuestLost):
                # quit closes the user's own disks cleanly; nobody waits for its reply
                async with asyncio.timeout(DESTROY_S):
                    await self.monitor.execute("quit")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DESTROY_S):
                    await self.process.exited.wait()
            if not self.process.exited.is_set():
                self.process.kill()
                await self.process.exited.wait()
        await self.gone()

    async def reboot(self, timeout_s: float | None) -> None:
        name = self._info.name
        limit_s = readiness.BOOT_S * self.patience if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(limit_s), self.monitor.hearing():
                events = self.hub.subscribe()
                await self._ask_to_reboot()
                async for event in events:
                    if event.kind == "reset":
                        break
                else:
                    raise await self.fail()
            if self._info.spec.agent:
                await self.ready(timeout_s, None)
        except TimeoutError as error:
            tail = self.console.lines(5)
            what = "the guest to reboot; reset() forces it"
            raise GuestTimeout(name, limit_s, what, tail) from error

    async def _ask_to_reboot(self) -> None:
        words = {"hmp": "sendkey ctrl-alt-delete", "virsh": self.virsh("reboot")}
        if self._info.spec.agent and self.agent.answered:
            self.inside.need_agent("reboot")
            # success has no reply (QEMU guest agent, guest-shutdown); the reset is the answer
            self.spawn(self._quietly("guest-shutdown", {"mode": "reboot"}))
            call = '{"execute": "guest-shutdown", "arguments": {"mode": "reboot"}}'
            self._remember("reboot", call, **words)
        else:
            keys = [{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")]
            await self.change("reboot", "send-key", {"keys": keys}, **words)

    async def _quietly(self, command: str, arguments: Mapping[str, Any]) -> None:
        with contextlib.suppress(AgentClosed, OSError):
            await self.agent.execute(command, arguments)

    async def wait(self, state: State, timeout_s: float | None) -> None:
        name = self._info.name
        try:
            async with asyncio.timeout(timeout_s):
                if state in {"shutdown", "lost"}:
                    await self.gone()
                else:
                    events = self.events()
                    if await self.refresh() == state:
                        return
                    async for _ in events:
                        if await self.refresh() == state:
                            return
        except TimeoutError as error:
            raise GuestTimeout(name, timeout_s or 0.0, f"state {state}") from error
        if self._state != state:
            raise await self.fail()

    # -- its devices -------------------------------------------------------------------

    async def balloon(self, memory_mib: int) -> None:
        spec = self._info.spec
        if not spec.balloon:
            raise Unsupported("this guest", "balloon", "it was started with balloon(False)")
        if memory_mib > spec.memory.size_mib:
            raise SpecError("balloon", memory_mib, f"above its {spec.memory.size_mib} MiB")
        await self.change(
            "balloon",
            "balloon",
            {"value": memory_mib << 20},
            hmp=f"balloon {memory_mib}",
            virsh=self.virsh("setmem", str(memory_mib << 10)),
        )
        self._balloon_moved_s = time.monotonic()

    async def sendkey(self, keys: tuple[str, ...], hold_ms: int) -> None:
        await self.change(
            "sendkey",
            "send-key",
            {"keys": [{"type": "qcode", "data": key} for key in keys], "hold-time": hold_ms},
            hmp=f"sendkey {'-'.join(keys)} {hold_ms}",
            virsh=self.virsh("send-key", "--holdtime", str(hold_ms), *map(echo.linux_key, keys)),
        )

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
        self._ending.close()
        await self.monitor.close()
        await self.agent.close()
        self.hub.close()
        leases.disown(self.folder)
