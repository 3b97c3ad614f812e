"""What is done inside a guest, through its agent: commands and files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from kvmnb.engines.base import Completed
from kvmnb.engines.qemu import commands
from kvmnb.engines.qemu.agent import AgentClosed
from kvmnb.errors import GuestTimeout, StateError, Unsupported

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["Inside"]

LAST_INSTANT_S = 0.5

GIVE_UP_S = 5.0
"""How long the agent is given to end a command that took too long."""


class Inside:
    """The inside of one guest."""

    def __init__(self, control: QemuControl) -> None:
        self._control = control

    def need_agent(self, verb: str) -> None:
        """Raise unless the guest can answer its agent now."""
        if not self._control.info.spec.agent:
            raise Unsupported("this guest", verb, "it was started with agent(False)")
        if self._control.state == "paused":
            raise StateError(self._control.info.name, "paused", "resume() it first")

    async def ask(self, command: str, arguments: dict[str, Any]) -> Any:
        """Send its agent one command; raises `AgentClosed` if the line broke."""
        return await self._control.agent.execute(command, arguments)

    async def run(
        self, command: str | tuple[str, ...], *, stdin: bytes | None, timeout_s: float | None
    ) -> Completed:
        """Run a command; see `Guest.run`."""
        self.need_agent("run")
        pid: int | None = None
        try:
            async with asyncio.timeout(timeout_s):
                pid, completion = await self.in_guest(
                    commands.execute(self._control.agent, command, stdin)
                )
                try:
                    done: Completed = await self.in_guest(completion)
                    return done
                finally:
                    completion.cancel()
        except TimeoutError as error:
            if pid is not None:
                self._control.spawn(self._give_up(pid))
            waited = timeout_s or 0.0
            tail = self._control.console.lines(5)
            raise GuestTimeout(self._control.info.name, waited, f"{command!r}", tail) from error

    async def _give_up(self, pid: int) -> None:
        with contextlib.suppress(TimeoutError, AgentClosed):
            async with asyncio.timeout(GIVE_UP_S):
                await commands.kill(self._control.agent, pid)

    async def in_guest(self, work: Any) -> Any:
        """Await agent work, but no longer than QEMU lives."""
        task = asyncio.ensure_future(work)
        end = asyncio.ensure_future(self._control.process.exited.wait())
        try:
            await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise await self._control.fail()
            return task.result()
        except AgentClosed as error:
            # a process that ends closes its sockets an instant before it is gone
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_INSTANT_S):
                    await self._control.process.exited.wait()
            if self._control.process.exited.is_set():
                raise await self._control.fail(error) from error
            raise StateError(
                self._control.info.name, "restarted", "its agent went away during the command"
            ) from error
        except OSError as error:
            raise await self._control.fail(error) from error
        finally:
            task.cancel()
            end.cancel()

    async def put(self, data: AsyncIterator[bytes], path: str) -> int:
        """Write a file in the guest; return its size in bytes."""
        self.need_agent("put")
        size: int = await self.in_guest(commands.write_file(self._control.agent, data, path))
        return size

    async def get(self, path: str) -> AsyncIterator[bytes]:
        """Yield a file of the guest in pieces."""
        self.need_agent("get")
        pieces = commands.read_file(self._control.agent, path)
        try:
            while True:
                try:
                    yield await self.in_guest(anext(pieces))
                except StopAsyncIteration:
                    return
        finally:
            with contextlib.suppress(AgentClosed, OSError):
                await pieces.aclose()  # type: ignore[attr-defined]
