"""QEMU's machine protocol (QMP), by the QEMU project's own library.

QEMU answers one client a monitor, so each guest has two of them: see `Monitor`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from qemu.qmp import ExecInterruptedError, ExecuteError, Message, QMPClient, QMPError, Runstate
from qemu.qmp import StateError as QMPStateError

from kvmnb.compile.qemu import MONITORS
from kvmnb.engines.qemu.turns import Turn
from kvmnb.errors import CommandError

__all__ = ["Monitor", "MonitorClosed"]

# its error log repeats what its exceptions say, which are told in our words
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)

COMMAND_S = 30.0
"""How long QEMU may take over one command; none of those used here waits for the guest."""


class MonitorClosed(Exception):
    """The monitor is gone; the caller finds out whether QEMU is, too."""


class Monitor:
    """Commands to, and events from, one QEMU.

    The first process to come keeps the first monitor open and hears all events. Every other
    one takes the shared monitor for the length of a command, and moves up once the first
    is free.

    Parameters
    ----------
    run_dir : the guest's run folder
    on_event : called with each QMP event, on the loop
    """

    def __init__(self, run_dir: Path, on_event: Callable[[Mapping[str, Any]], None]) -> None:
        own, shared = (run_dir / f"{name}.sock" for name in MONITORS)
        self._own, self._own_turn = own, Turn(own)
        self._shared, self._shared_turn = shared, Turn(shared)
        self._on_event = on_event
        self._client: QMPClient | None = None
        self._borrowed: QMPClient | None = None
        self._listener: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._giving = asyncio.Lock()

    @property
    def hears_events(self) -> bool:
        """Whether this process gets all events now."""
        return self._client is not None or self._borrowed is not None

    async def connect(self) -> None:
        """Open the first monitor if it is free.

        Raises
        ------
        MonitorClosed   QEMU does not listen
        """
        async with self._lock:
            await self._take_own()

    async def _take_own(self) -> None:
        if self._client is not None or not self._own_turn.try_take():
            return
        try:
            self._client = await _open(self._own)
        except BaseException:
            self._own_turn.release()
            raise
        self._listener = asyncio.create_task(self._listen(self._client))

    async def _listen(self, client: QMPClient) -> None:
        async for event in client.events:
            self._on_event(event)

    async def execute(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Send one command and return what it returns.

        Raises
        ------
        CommandError    QEMU refused it
        MonitorClosed   the connection ended; `TimeoutError` if QEMU did not answer at all
        """
        # the borrowed one first: what a block of `hearing` gave to QEMU is known there alone
        client = self._borrowed or self._client
        if client is None:
            async with self._lock:
                await self._take_own()
                client = self._client or self._borrowed
                if client is None:
                    async with self._sharing() as client:
                        return await _execute(client, command, arguments)
        return await _execute(client, command, arguments)

    async def give_fd(self, name: str, fd: int) -> None:
        """Give QEMU a copy of a descriptor, which its commands then know as ``fd:<name>``.

        A monitor knows only what came over itself: use the name within the same `hearing`.

        Parameters
        ----------
        name : for QEMU; one that it knows already is replaced
        fd : a descriptor of ours; it stays open here

        Raises
        ------
        CommandError    QEMU refused it
        MonitorClosed   the connection ended, or there is none outside of `hearing`
        """
        # QEMU keeps the newest descriptor alone until a command takes it
        async with self._giving:
            client = self._borrowed or self._client
            if client is None:
                raise MonitorClosed("a descriptor was given outside of hearing()")
            try:
                client.send_fd_scm(fd)
            except (OSError, QMPStateError) as error:
                raise MonitorClosed(str(error)) from error
            await _execute(client, "getfd", {"fdname": name})

    @contextlib.asynccontextmanager
    async def hearing(self) -> AsyncIterator[None]:
        """Hear all events for as long as the block lasts, whoever has the first monitor.

        Other processes that have not got it either must wait so long with their commands.
        """
        async with contextlib.AsyncExitStack() as stack:
            async with self._lock:
                await self._take_own()
                if not self.hears_events:
                    self._borrowed = await stack.enter_async_context(self._sharing())
                    stack.callback(self._give_back)
            yield

    def _give_back(self) -> None:
        self._borrowed = None

    @contextlib.asynccontextmanager
    async def _sharing(self) -> AsyncIterator[QMPClient]:
        await self._shared_turn.take()
        try:
            client = await _open(self._shared)
            listener = asyncio.create_task(self._listen(client))
            try:
                yield client
            finally:
                await _close(client, listener)
        finally:
            self._shared_turn.release()

    async def close(self) -> None:
        """Let go of the monitor; QEMU goes on."""
        client, self._client = self._client, None
        if client is not None:
            await _close(client, self._listener)
        self._own_turn.release()


class _Client(QMPClient):
    """A client that does not lay out each message for a debug log that nobody reads.

    The layout of one answer takes longer than all else that is done with it.
    """

    def _cb_outbound(self, msg: Message) -> Message:
        return msg

    def _cb_inbound(self, msg: Message) -> Message:
        return msg


async def _open(socket: Path) -> QMPClient:
    client = _Client()
    try:
        async with asyncio.timeout(COMMAND_S):
            await client.connect(str(socket))
    except (QMPError, OSError, AssertionError) as error:
        # the library asserts that a session which was just begun has not ended yet
        raise MonitorClosed(str(error) or "QEMU ended") from error
    return client


async def _close(client: QMPClient, listener: asyncio.Task[None] | None) -> None:
    with contextlib.suppress(QMPError, OSError, EOFError, asyncio.IncompleteReadError):
        if client.runstate is not Runstate.IDLE:
            await client.disconnect()
    if listener is not None:
        listener.cancel()


async def _execute(client: QMPClient, command: str, arguments: Mapping[str, Any] | None) -> Any:
    try:
        async with asyncio.timeout(COMMAND_S):
            return await client.execute(command, dict(arguments) if arguments else None)
    except ExecuteError as error:
        raise CommandError(command, error.error_class, str(error)) from error
    except (ExecInterruptedError, QMPStateError) as error:
        raise MonitorClosed(str(error)) from error
