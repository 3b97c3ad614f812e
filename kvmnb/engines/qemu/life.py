"""How a guest ends, restarts, and comes to another state."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kvmnb.engines.base import State
from kvmnb.engines.qemu import echo, readiness
from kvmnb.engines.qemu.agent import AgentClosed
from kvmnb.engines.qemu.monitor import MonitorClosed
from kvmnb.errors import GuestLost, GuestTimeout, StateError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["destroy", "reboot", "shutdown", "wait"]

DESTROY_S = 5.0

SHUTDOWN_S = 20.0
"""How long a guest may take to shut down under KVM; multiplied by the accelerator's patience."""

PRESS_AGAIN_S = 1.0
"""When the power button is pressed again, then after twice as long, and so on."""


async def shutdown(control: QemuControl, timeout_s: float | None) -> None:
    name = control.info.name
    limit_s = SHUTDOWN_S * control.patience if timeout_s is None else timeout_s
    if control.process.exited.is_set() and control.state == "shutdown":
        return
    if await control.refresh() == "paused":
        raise StateError(name, "paused", "it cannot hear the power button; resume() it first")
    words = {"hmp": "system_powerdown", "virsh": control.virsh("shutdown")}
    await control.change("shutdown", "system_powerdown", {}, **words)
    control.ending.by_will = True
    try:
        async with asyncio.timeout(limit_s):
            await _until_gone(control)
    except TimeoutError as error:
        control.ending.by_will = False
        tail = control.console.lines(5)
        what = "the guest to heed its power button; destroy() ends it all the same"
        raise GuestTimeout(name, limit_s, what, tail) from error


async def _until_gone(control: QemuControl) -> None:
    # a guest that still loads its drivers misses the button, and nobody hears of that
    pause_s = PRESS_AGAIN_S
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await control.process.exited.wait()
        if control.process.exited.is_set():
            return await control.gone()
        pause_s *= 2
        with contextlib.suppress(StateError, GuestLost):
            await control.qmp("system_powerdown")


async def destroy(control: QemuControl) -> None:
    if not control.process.exited.is_set():
        control.ending.by_will = True
        words = {"hmp": "quit", "virsh": control.virsh("destroy")}
        control.remember("destroy", echo.qmp_text("quit", None), **words)
        with contextlib.suppress(MonitorClosed, TimeoutError, StateError, GuestLost):
            # quit closes the user's own disks cleanly; nobody waits for its reply
            async with asyncio.timeout(DESTROY_S):
                await control.monitor.execute("quit")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DESTROY_S):
                await control.process.exited.wait()
        if not control.process.exited.is_set():
            control.process.kill()
            await control.process.exited.wait()
    await control.gone()


async def reboot(control: QemuControl, timeout_s: float | None) -> None:
    name = control.info.name
    limit_s = readiness.BOOT_S * control.patience if timeout_s is None else timeout_s
    try:
        async with asyncio.timeout(limit_s), control.monitor.hearing():
            events = control.hub.subscribe()
            await _ask_to_reboot(control)
            async for event in events:
                if event.kind == "reset":
                    break
            else:
                raise await control.fail()
        if control.info.spec.agent:
            await control.ready(timeout_s, None)
    except TimeoutError as error:
        tail = control.console.lines(5)
        what = "the guest to reboot; reset() forces it"
        raise GuestTimeout(name, limit_s, what, tail) from error


async def _ask_to_reboot(control: QemuControl) -> None:
    words = {"hmp": "sendkey ctrl-alt-delete", "virsh": control.virsh("reboot")}
    if control.info.spec.agent and control.agent.answered:
        control.inside.need_agent("reboot")
        # success has no reply (QEMU guest agent, guest-shutdown); the reset is the answer
        control.spawn(_quietly(control, "guest-shutdown", {"mode": "reboot"}))
        call = '{"execute": "guest-shutdown", "arguments": {"mode": "reboot"}}'
        control.remember("reboot", call, **words)
    else:
        keys = [{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")]
        await control.change("reboot", "send-key", {"keys": keys}, **words)


async def _quietly(control: QemuControl, command: str, arguments: Mapping[str, Any]) -> None:
    with contextlib.suppress(AgentClosed, OSError):
        await control.agent.execute(command, arguments)


async def wait(control: QemuControl, state: State, timeout_s: float | None) -> None:
    name = control.info.name
    try:
        async with asyncio.timeout(timeout_s):
            if state in {"shutdown", "lost"}:
                await control.gone()
            else:
                events = control.events()
                if await control.refresh() == state:
                    return
                async for _ in events:
                    if await control.refresh() == state:
                        return
    except TimeoutError as error:
        raise GuestTimeout(name, timeout_s or 0.0, f"state {state}") from error
    if control.state != state:
        raise await control.fail()
