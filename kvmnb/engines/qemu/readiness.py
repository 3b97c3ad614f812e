"""Wait until a guest answers, and say early when it never will."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from kvmnb.engines.base import Event, Progress, Step
from kvmnb.engines.qemu import diagnose, process, screen
from kvmnb.engines.qemu.agent import AgentClosed
from kvmnb.errors import CommandError, StartError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["BOOT_S", "wait"]

BOOT_S = 60.0
"""How long a guest may take to boot under KVM; multiplied by the accelerator's patience."""

LOOK_S = 0.5
"""How often progress is shown and the guest's console is read for a sign that it has failed:
a guest that hangs sends no event."""


async def wait(control: QemuControl, timeout_s: float | None, progress: Progress | None) -> None:
    """Return when the guest's agent answers.

    Raises
    ------
    StartError   the guest ended, panicked, has nothing to boot from, or took too long
    """
    limit_s = BOOT_S * control.patience if timeout_s is None else timeout_s
    loop = asyncio.get_running_loop()
    began = loop.time()
    said_before = control.console.size
    # the question is asked at once: QEMU holds it until the guest opens the port
    answer = asyncio.ensure_future(_ask(control))
    end = asyncio.ensure_future(control.process.exited.wait())
    resets = asyncio.ensure_future(_first_reset(control.events()))
    try:
        while True:
            waited = loop.time() - began
            watched = {answer, end, resets} if not resets.done() else {answer, end}
            await asyncio.wait(
                watched,
                timeout=max(0.0, min(LOOK_S, limit_s - waited)),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if answer.done():
                answer.result()
                return
            waited = loop.time() - began
            said = control.console.since(said_before)
            console = "\n".join(said.splitlines()[-12:])
            if end.done():
                raise _error(control, "", "", waited, console)
            seen = console if waited < 2 else console + "\n" + await screen.text(control)
            # a guest that panics may restart at once, and has said why many lines ago
            cause, remedy = diagnose.console_cause(f"{said}\n{seen}")
            if cause:
                raise _error(control, cause, remedy, waited, seen)
            if waited >= limit_s:
                raise _error(
                    control,
                    f"its agent did not answer within {limit_s:.0f} s",
                    'a guest without the agent: start(wait="running"); a slow one: timeout_s=',
                    waited,
                    seen,
                )
            if progress is not None:
                newest = console.splitlines()[-1:] or [""]
                progress(Step("guest boots", waited, None, newest[0]))
    finally:
        for task in (answer, end, resets):
            task.cancel()


async def _ask(control: QemuControl) -> None:
    while True:
        try:
            await control.agent.execute("guest-ping")
            return
        except (AgentClosed, CommandError, OSError):
            # the guest was reset under the question, or QEMU ended: the caller hears of that
            await asyncio.sleep(0.05)


async def _first_reset(events: AsyncIterator[Event]) -> None:
    async for event in events:
        if event.kind == "reset":
            return


def _error(
    control: QemuControl, cause: str, remedy: str, waited_s: float, console: str
) -> StartError:
    log = control.last_log or process.tail(control.folder.run / process.LOG)
    if not cause:
        files = [disk for disk in control.info.command if disk.startswith("driver=file")]
        cause, remedy = diagnose.log_cause(log, files, control.roots)
    return StartError(
        control.info.name,
        command=control.info.command,
        exit_code=control.process.exit_code,
        log_tail=log,
        console_tail=console[-2000:],
        cause=cause or "the guest ended while it booted",
        remedy=remedy,
        waited_s=waited_s,
    )
