"""The QEMU guest agent: commands inside the guest, over a virtio-serial port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kvmnb.engines.qemu.inotify import appearance
from kvmnb.engines.qemu.turns import Turn
from kvmnb.errors import CommandError

__all__ = ["Agent", "AgentClosed"]

REPLY_LIMIT = 64 << 20
"""The longest reply in bytes: the agent captures 16 MiB of each stream and sends it in base64."""

LINGER_S, LINGER_UNSEEING_S = 2.0, 0.25
"""How long the line is kept after a command, in case another one follows: opening it costs more
than most commands do. Less where nobody tells that another process waits for it."""


class AgentClosed(Exception):
    """The agent's line is gone; the caller finds out why."""


class Agent:
    """One line to one guest's agent; commands of all tasks take turns.

    Parameters
    ----------
    run_dir : the guest's run folder
    """

    def __init__(self, run_dir: Path) -> None:
        self._socket = run_dir / "agent.sock"
        self._turn = Turn(self._socket)
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._attached: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._letting_go: asyncio.TimerHandle | None = None
        self._watching = contextlib.ExitStack()
        self._linger_s = LINGER_S
        self.answered = False

    @property
    def busy(self) -> bool:
        """Whether a command is under way."""
        return self._lock.locked()

    async def execute(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Send one command and return what it returns; waits as long as the guest does.

        Raises
        ------
        CommandError   the agent refused it, or its reply is no reply
        AgentClosed    the line ended
        """
        message: dict[str, Any] = {"execute": command}
        if arguments:
            message["arguments"] = dict(arguments)
        line = json.dumps(message).encode() + b"\n"
        async with self._lock:
            if self._letting_go is not None:
                self._letting_go.cancel()
                self._letting_go = None
            try:
                reader, writer = self._streams or await self._open()
                writer.write(line)
                await writer.drain()
                reply = _decode(command, await reader.readuntil(b"\n"))
            except BaseException as error:
                # a reply that comes later must not be taken for another command's
                self._close()
                if isinstance(error, (OSError, EOFError)):
                    raise AgentClosed(str(error)) from error
                if isinstance(error, asyncio.LimitOverrunError):
                    raise CommandError(command, "TooLong", "a reply above 64 MiB") from error
                raise
            self.answered = True
            if self._turn.wanted:
                self._close()
            else:
                loop = asyncio.get_running_loop()
                self._letting_go = loop.call_later(self._linger_s, self._let_go)
        if "error" in reply:
            refusal = reply["error"] if isinstance(reply["error"], dict) else {}
            raise CommandError(command, str(refusal.get("class")), str(refusal.get("desc")))
        return reply.get("return")

    async def attach(self) -> None:
        """Open the line of a guest that stands still, for the first command once it goes on.

        An agent that finds its line closed sleeps for 100 ms before it looks again (QEMU
        qga/main.c, channel_event_cb), so a copy is to find it open.

        Raises
        ------
        OSError   QEMU is gone
        """
        async with self._lock:
            if self._streams is None and self._attached is None:
                await self._turn.take()
                self._attached = await self._connect()

    def hold(self) -> None:
        """Keep the line open, if it is, until the next command."""
        if self._letting_go is not None:
            self._letting_go.cancel()
            self._letting_go = None

    def move(self, run_dir: Path) -> None:
        """Go on after the run folder, and all that lies in it, has been renamed."""
        self._socket = run_dir / "agent.sock"
        self._turn.move(self._socket)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self._socket), limit=REPLY_LIMIT)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._attached is None:
            await self._turn.take()
        # the mark of a process that waits appears in this folder
        watched = self._watching.enter_context(appearance(self._socket.parent, self._hand_on))
        self._linger_s = LINGER_S if watched else LINGER_UNSEEING_S
        streams, self._attached = self._attached or await self._connect(), None
        self._streams = streams
        reader, writer = streams
        # 0xFF makes the agent forget half a command of its last client; all replies up to
        # the one with our number are that client's (QEMU guest agent, guest-sync-delimited)
        number = secrets.randbits(31)
        sync = {"execute": "guest-sync-delimited", "arguments": {"id": number}}
        writer.write(b"\xff" + json.dumps(sync).encode() + b"\n")
        await writer.drain()
        while True:
            line = await reader.readuntil(b"\n")
            with contextlib.suppress(ValueError):
                reply = json.loads(line.rpartition(b"\xff")[2])
                if isinstance(reply, dict) and reply.get("return") == number:
                    return streams

    def _hand_on(self) -> None:
        """Let go at once if another process waits, unless a command is under way."""
        if self._letting_go is not None and self._turn.wanted:
            self._letting_go.cancel()
            self._let_go()

    def _let_go(self) -> None:
        self._letting_go = None
        if not self._lock.locked():
            self._close()

    def _close(self) -> None:
        self._watching.close()
        for streams in (self._streams, self._attached):
            if streams is not None:
                streams[1].transport.abort()
        self._streams = self._attached = None
        self._turn.release()

    async def close(self) -> None:
        """Let go of the line."""
        if self._letting_go is not None:
            self._letting_go.cancel()
            self._letting_go = None
        self._close()


def _decode(command: str, line: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CommandError(command, "Garbled", "the agent's reply is not JSON") from error
    if not isinstance(reply, dict):
        raise CommandError(command, "Garbled", "the agent's reply is no object")
    return reply
