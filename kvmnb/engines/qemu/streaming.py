"""What a command in the guest writes, as it comes, through its agent.

The agent tells a command's output at its end only (QEMU guest agent, guest-exec-status). So the
command writes into two pipes, a second one in the guest copies them to two files, and those are
read while it goes on. The command does not get the files themselves: one that opens
``/dev/stdout`` anew would cut off what is there already.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

from kvmnb.engines.base import Completed, Output
from kvmnb.engines.qemu.agent import AgentClosed
from kvmnb.errors import CommandError, GuestTimeout

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["stream"]

CHUNK = 256 << 10
"""Bytes that are read at once, of each of the two streams."""

POLL_SHARE, POLL_LIMIT_S = 0.25, 0.1
"""The agent has no event for output either. Each look comes after a further 25 % of the time
that the command has been silent, so that a talkative one is followed closely."""

GIVE_UP_S = 5.0
"""How long the agent is given to end a command that nobody listens to any more."""

SAID_LIMIT = 200
"""Characters of the command that an error repeats."""

STREAMS: tuple[Literal["stdout", "stderr"], ...] = ("stdout", "stderr")

# The folder is its owner's alone, so that no other user of the guest reads along. The last file to
# be made tells that all is there. A pipe's opening waits for the other end.
_COPIER = """
umask 077
mkdir "/tmp/$0" && cd "/tmp/$0" && mkfifo out err && : >"$0-stdout" || exit
cat >"$0-stdout" <out &
cat >"$0-stderr" <err
wait
"""

# The folder is found through the copier's own working directory: a guest that is still booting may
# mount another /tmp over this one. Nothing of it is left when the command begins.
_COMMAND = """
folder=/proc/$1/cwd
shift
exec >"$folder/out" 2>"$folder/err"
rm -rf "/tmp/$0" "$folder/$0-stdout" "$folder/$0-stderr" "$folder/out" "$folder/err"
exec "$@"
"""

# A session is also a process group: it can be ended with everything that it started.
_SESSION = """
command -v setsid >/dev/null && exec setsid "$@"
exec "$@"
"""

# as the terminal's Ctrl-C does, and for good a second later
_END = """
for sent in INT KILL; do
    for each in "$@"; do kill -$sent $each; done 2>/dev/null
    [ $sent = KILL ] || sleep 1
done
rm -rf "/tmp/$0"
"""


async def stream(
    control: QemuControl, command: str | tuple[str, ...], timeout_s: float | None
) -> AsyncIterator[Output | Completed]:
    """Yield what a command writes, and last of all how it ended; see `Guest.stream`.

    Within one stream the order is the command's own; between the two it is that of the looks.
    """
    control.inside.need_agent("stream")
    work = _Work(control, command, timeout_s)
    try:
        await work.start()
        while True:
            ended = await work.ended()  # asked before the last look: nothing comes after it
            async for output in work.news():
                yield output
            if ended is not None:
                break
            await work.pause()
        await work.close()
        yield ended
    finally:
        # also of a generator that nobody iterates any more
        await work.give_up()


class _Work:
    """One command in the guest, and the one that copies its output."""

    def __init__(
        self, control: QemuControl, command: str | tuple[str, ...], timeout_s: float | None
    ) -> None:
        self._control, self._agent = control, control.agent
        self._command, self._timeout_s = command, timeout_s
        loop = asyncio.get_running_loop()
        self._heard_s = loop.time()
        self._deadline = None if timeout_s is None else self._heard_s + timeout_s
        self._token = f".kvmnb-{secrets.token_hex(16)}"
        self._pids: dict[str, int] = {}
        self._handles: dict[Literal["stdout", "stderr"], int] = {}
        self._status: dict[str, Any] | None = None
        self._holding: asyncio.Future[None] | None = None

    async def start(self) -> None:
        await self._exec("copier", _COPIER, capture=True)
        while len(self._handles) < len(STREAMS):
            await self._open()
        argv = ("/bin/sh", "-c", self._command) if isinstance(self._command, str) else self._command
        await self._exec("command", _COMMAND, str(self._pids["copier"]), *argv)

    async def _open(self) -> None:
        """Open the copier's files once they are there."""
        status = await self._ask("guest-exec-status", {"pid": self._pids["copier"]})
        try:
            # the last one first: when it is there, the other one is
            for name in reversed(STREAMS):
                if name not in self._handles:
                    path = f"/proc/{self._pids['copier']}/cwd/{self._token}-{name}"
                    keep = functools.partial(self._handles.__setitem__, name)
                    await self._hold("guest-file-open", {"path": path, "mode": "r"}, keep)
        except CommandError as error:
            if status.get("exited"):
                said = base64.b64decode(status.get("err-data", "")).decode("utf-8", "replace")
                raise CommandError("stream", "NoFolder", said.strip()) from error
            await self.pause()

    async def ended(self) -> Completed | None:
        """Return how the command ended, once it has, and so have its pipes."""
        if self._status is None:
            status = await self._ask("guest-exec-status", {"pid": self._pids["command"]})
            if not status.get("exited"):
                return None
            self._status = status
        status = await self._ask("guest-exec-status", {"pid": self._pids["copier"]})
        if not status.get("exited"):
            return None
        self._pids.clear()
        # a command ended by a signal has no exitcode (QEMU guest agent, GuestExecStatus)
        signal = self._status.get("signal")
        code = int(self._status.get("exitcode", 0)) if signal is None else -int(signal)
        return Completed(args=self._command, returncode=code)

    async def news(self) -> AsyncIterator[Output]:
        """Yield what was written since the last time."""
        for name in STREAMS:
            whole = False
            while not whole:
                got = await self._ask(
                    "guest-file-read", {"handle": self._handles[name], "count": CHUNK}
                )
                data = base64.b64decode(got.get("buf-b64", ""))
                whole = bool(got.get("eof")) or not data
                if data:
                    self._heard_s = asyncio.get_running_loop().time()
                    yield Output(stream=name, data=data)

    async def pause(self) -> None:
        silent_s = asyncio.get_running_loop().time() - self._heard_s
        await self._in_time(asyncio.sleep(min(POLL_LIMIT_S, silent_s * POLL_SHARE)))

    async def close(self) -> None:
        """Close the files; the command has ended."""
        for name in tuple(self._handles):
            with contextlib.suppress(CommandError):
                await self._ask("guest-file-close", {"handle": self._handles[name]})
            del self._handles[name]

    async def give_up(self) -> None:
        """End the command and remove what is left of it, as far as the guest still answers."""
        with contextlib.suppress(TimeoutError, AgentClosed, CommandError, OSError):
            async with asyncio.timeout(GIVE_UP_S):
                if self._holding is not None:
                    await asyncio.gather(self._holding, return_exceptions=True)
                if self._pids:
                    await self._end()
                for handle in self._handles.values():
                    with contextlib.suppress(CommandError):
                        await self._agent.execute("guest-file-close", {"handle": handle})

    async def _end(self) -> None:
        targets = [f"-{pid}" for pid in self._pids.values()]
        if self._status is None:
            # in a guest without setsid there is no group; once it ended, the number is another's
            targets += map(str, self._pids.values())
        arguments = ["-c", _END, self._token, *targets]
        await self._agent.execute("guest-exec", {"path": "/bin/sh", "arg": arguments})

    async def _exec(self, name: str, script: str, *arguments: str, capture: bool = False) -> None:
        argv = ("/bin/sh", "-c", script, self._token, *arguments)
        order = {
            "path": "/bin/sh",
            "arg": ["-c", _SESSION, "sh", *argv],
            "capture-output": capture,
        }

        def keep(reply: Any) -> None:
            self._pids[name] = int(reply["pid"])

        await self._hold("guest-exec", order, keep)

    async def _hold(
        self, command: str, arguments: dict[str, Any], keep: Callable[[Any], None]
    ) -> None:
        """Ask for what has to be given back: its answer is kept even if nobody waits for it."""

        async def asked() -> None:
            keep(await self._control.inside.in_guest(self._agent.execute(command, arguments)))

        self._holding = asyncio.ensure_future(asked())
        await self._in_time(asyncio.shield(self._holding))

    async def _ask(self, command: str, arguments: dict[str, Any]) -> Any:
        return await self._in_time(
            self._control.inside.in_guest(self._agent.execute(command, arguments))
        )

    async def _in_time(self, work: Awaitable[Any]) -> Any:
        # each wait has the limit, never a yield: who iterates may be in another task by then
        try:
            async with asyncio.timeout_at(self._deadline):
                return await work
        except TimeoutError as error:
            tail = self._control.console.lines(5)
            waited_s = self._timeout_s or 0.0
            what = repr(self._command)[:SAID_LIMIT]
            raise GuestTimeout(self._control.info.name, waited_s, what, tail) from error
