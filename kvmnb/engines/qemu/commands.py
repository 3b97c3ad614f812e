"""Commands and files in the guest, through its agent."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from kvmnb.engines.base import Completed
from kvmnb.engines.qemu.agent import Agent
from kvmnb.errors import CommandError, SpecError

__all__ = ["execute", "kill", "read_file", "write_file"]

STDIN_LIMIT = 8 << 20
"""Bytes of standard input: they travel in one message, which the agent parses in memory."""

CHUNK = 256 << 10
"""Bytes of a file in one message: large enough to hide the round trip, small beside the
agent's memory in a guest of 128 MiB."""

POLL_SHARE, POLL_LIMIT_S = 0.06, 0.1
"""The agent has no event for a command's end. Each look comes after a further 6 % of the
time so far, so that waiting adds a share of the command's own time and never a fixed delay."""


async def execute(
    agent: Agent, command: str | tuple[str, ...], stdin: bytes | None
) -> tuple[int, asyncio.Task[Completed]]:
    """Start a command and return its pid in the guest and a task for its end."""
    argv = ("/bin/sh", "-c", command) if isinstance(command, str) else command
    if stdin is not None and len(stdin) > STDIN_LIMIT:
        raise SpecError("run.stdin", f"{len(stdin)} bytes", "at most 8 MiB; use put() for more")
    arguments: dict[str, Any] = {
        "path": argv[0],
        "arg": list(argv[1:]),
        "capture-output": True,
    }
    if stdin is not None:
        arguments["input-data"] = base64.b64encode(stdin).decode()
    started = await agent.execute("guest-exec", arguments)
    pid = int(started["pid"])
    return pid, asyncio.ensure_future(_completion(agent, pid, command))


async def _completion(agent: Agent, pid: int, command: str | tuple[str, ...]) -> Completed:
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        status = await agent.execute("guest-exec-status", {"pid": pid})
        if status.get("exited"):
            break
        await asyncio.sleep(min(POLL_LIMIT_S, (loop.time() - began) * POLL_SHARE))
    if status.get("out-truncated") or status.get("err-truncated"):
        raise CommandError(
            "run", "TooMuchOutput", "above 16 MiB; write it to a file and get() that"
        )
    # a command ended by a signal has no exitcode (QEMU guest agent, GuestExecStatus)
    code = -int(status["signal"]) if "signal" in status else int(status.get("exitcode", 0))
    return Completed(
        args=command,
        returncode=code,
        stdout_bytes=base64.b64decode(status.get("out-data", "")),
        stderr_bytes=base64.b64decode(status.get("err-data", "")),
    )


async def kill(agent: Agent, pid: int) -> None:
    """End a command in the guest, if the agent still answers."""
    arguments = {"path": "/bin/sh", "arg": ["-c", 'kill -9 "$0"', str(pid)]}
    with contextlib.suppress(CommandError):
        await agent.execute("guest-exec", arguments)


@contextlib.asynccontextmanager
async def _open(agent: Agent, path: str, mode: str) -> AsyncIterator[int]:
    handle: int = await agent.execute("guest-file-open", {"path": path, "mode": mode})
    try:
        yield handle
    finally:
        with contextlib.suppress(CommandError):
            await agent.execute("guest-file-close", {"handle": handle})


async def write_file(agent: Agent, data: AsyncIterator[bytes], path: str) -> int:
    """Write a file in the guest and return its size in bytes."""
    total = 0
    async with _open(agent, path, "wb") as handle:
        async for piece in data:
            for start in range(0, len(piece), CHUNK):
                chunk = piece[start : start + CHUNK]
                while chunk:
                    arguments = {"handle": handle, "buf-b64": base64.b64encode(chunk).decode()}
                    written = await agent.execute("guest-file-write", arguments)
                    count = int(written["count"])
                    if count <= 0:
                        raise CommandError("put", "ShortWrite", f"{path}: the guest took no more")
                    total += count
                    chunk = chunk[count:]
        await agent.execute("guest-file-flush", {"handle": handle})
    return total


async def read_file(agent: Agent, path: str) -> AsyncIterator[bytes]:
    """Yield a file of the guest in pieces."""
    async with _open(agent, path, "rb") as handle:
        while True:
            got = await agent.execute("guest-file-read", {"handle": handle, "count": CHUNK})
            piece = base64.b64decode(got.get("buf-b64", ""))
            if piece:
                yield piece
            if got.get("eof") or not piece:
                return
