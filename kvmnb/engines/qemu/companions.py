"""Processes that run beside QEMU and serve one guest: an emulated TPM, shares by virtio-fs.

Each listens at a private socket in the run folder, logs there, and ends by itself once QEMU
lets go of it. What has not, for whatever reason, is ended with the guest.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from kvmnb.engines.qemu import process
from kvmnb.engines.qemu.proc import Process
from kvmnb.errors import HostError

if TYPE_CHECKING:
    from kvmnb.compile.runtime import Runtime
    from kvmnb.engines.qemu.children import Outliving
    from kvmnb.engines.qemu.folders import GuestFolder
    from kvmnb.spec.domain import DomainSpec

__all__ = ["end", "lines", "start"]

PLACES = ("/usr/libexec", "/usr/lib/qemu", "/usr/local/libexec")
"""Where distributions put virtiofsd: nobody calls it by hand, so it is not in PATH."""

PACKAGES = {
    "swtpm": "apt install swtpm",
    "virtiofsd": "apt install virtiofsd; before Debian 13 it came with qemu-system-common",
}

CONTROL, MODE = "type=unixio,path=", ",mode=0600"
"""Where swtpm is told of its socket (swtpm(8), --ctrl)."""

LISTENS_S = 20.0
ASK_S = 10.0
TERM_S = 5.0

_ours: dict[Process, Outliving] = {}
"""Those that this process started: it has to wait for each, or it stays as a zombie."""


def lines(spec: DomainSpec, runtime: Runtime) -> tuple[tuple[str, ...], ...]:
    """Return the argument lists of all that `spec` needs, each program by its path.

    Raises
    ------
    HostError   one of them is not installed; the remedy names the package
    """
    if spec.tpm is None and not spec.shares:
        return ()
    from kvmnb.compile.qemu_peripherals import helpers

    return tuple(_line(words) for words in helpers(spec, runtime))


async def start(
    wanted: Iterable[tuple[str, ...]],
    folder: GuestFolder,
    started: Callable[[tuple[Process, ...]], None],
) -> None:
    """Start these and return once all listen.

    Parameters
    ----------
    wanted : as `lines` returns them
    folder : for their logs
    started : is told of all that run, after each one, before it is waited for

    Raises
    ------
    HostError   one ended at once, or does not come to listen
    """
    from pathlib import Path

    running: list[Process] = []
    try:
        for index, words in enumerate(wanted):
            name = os.path.basename(words[0])
            log = f"{name}{index}.log"
            child = process.spawn(words, folder, log)
            found = Process.of(child.pid)
            if found is not None:
                _ours[found] = child
                running.append(found)
                started(tuple(running))
            try:
                async with asyncio.timeout(LISTENS_S):
                    there = await process.wait_for_socket(Path(_socket(words)), child)
            except TimeoutError:
                there = False
            if not there:
                child.poll()
                said = process.tail(folder.run / log).splitlines()[-1:] or ["it said nothing"]
                raise HostError(f"{name} does not serve the guest: {said[0]}", " ".join(words))
    except BaseException:
        await asyncio.shield(asyncio.to_thread(end, tuple(running)))
        raise


def end(processes: Iterable[Process]) -> None:
    """End those of `processes` that still run; returns when they have."""
    found = tuple(processes)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for each in found:
            each.signal(number)
        if all(_ended(each) for each in found):
            break
    for each in found:
        child = _ours.pop(each, None)
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(TERM_S)


def _ended(each: Process) -> bool:
    fd = each.pidfd()
    if fd is None:
        return True
    try:
        return bool(select.select([fd], [], [], TERM_S)[0])
    finally:
        os.close(fd)


def _line(words: tuple[str, ...]) -> tuple[str, ...]:
    name, *arguments = words
    program = _program(name)
    if name == "swtpm":
        # by itself it lets the user's group in; and it ends when QEMU does, however that ended
        private = (word + MODE if word.startswith(CONTROL) else word for word in arguments)
        return (program, *private, "--terminate")
    if "--shared-dir" not in _help(program):
        # QEMU's own, older virtiofsd; its options are split at commas (libfuse, fuse_opt)
        arguments = [_older(word) for word in arguments]
    return (program, *arguments)


def _older(word: str) -> str:
    key, _, source = word.partition("=")
    if key != "--shared-dir":
        return word
    return "-osource=" + source.replace("\\", "\\\\").replace(",", "\\,")


def _program(name: str) -> str:
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *PLACES))
    found = shutil.which(name, path=path)
    if found is None:
        raise HostError(f"{name} is not installed", PACKAGES[name])
    return found


def _help(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "--help"], capture_output=True, text=True, timeout=ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"{program} does not answer: {error}", PACKAGES["virtiofsd"]) from error
    return done.stdout + done.stderr


def _socket(words: tuple[str, ...]) -> str:
    for word in words:
        for key in ("--socket-path=", CONTROL):
            if word.startswith(key):
                return word.removeprefix(key).removesuffix(MODE)
    raise AssertionError(f"no socket in {words!r}")
