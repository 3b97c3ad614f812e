"""Start QEMU and hear of its end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kvmnb.engines.qemu.children import Outliving
from kvmnb.engines.qemu.folders import GuestFolder
from kvmnb.engines.qemu.inotify import appearance
from kvmnb.engines.qemu.proc import Process

if TYPE_CHECKING:
    from kvmnb.spec.domain import DomainSpec

__all__ = ["LOG", "QemuProcess", "opens_a_window", "spawn", "tail", "taps", "wait_for_socket"]

LOG = "qemu.log"
TAIL_BYTES = 4096

# what QEMU and its libraries need; a notebook's environment holds tokens
ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR", "XDG_RUNTIME_DIR")
DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS")


def spawn(
    argv: tuple[str, ...],
    folder: GuestFolder,
    log_name: str = LOG,
    *,
    desktop: bool = False,
    inherited: tuple[int, ...] = (),
) -> Outliving:
    """Start QEMU, or what serves it, in a session of its own, with no descriptor but its log.

    Parameters
    ----------
    log_name : of the file in the run folder that takes what it says
    desktop : it opens a window, and has to know where
    inherited : descriptors of ours that it is to have under the same numbers

    Raises
    ------
    OSError   the binary cannot be executed, no process can be made, or a descriptor is not open
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    log = os.open(folder.run / log_name, flags, 0o600)
    passed = (*ENVIRONMENT, *DESKTOP) if desktop else ENVIRONMENT
    try:
        # held by the child as long as it lives: see `proc.logs_are_written`
        fcntl.flock(log, fcntl.LOCK_SH)
        return Outliving(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            close_fds=True,
            pass_fds=inherited,
            start_new_session=True,
            cwd="/",
            env={key: os.environ[key] for key in passed if key in os.environ},
            umask=0o077,
        )
    finally:
        os.close(log)


def opens_a_window(spec: DomainSpec) -> bool:
    """Return whether QEMU shows the guest's screen, or plays its sound, on a desktop."""
    return any(hasattr(each, "toolkit") for each in spec.displays) or any(
        each.back in {"sdl", "dbus"} for each in spec.sounds
    )


def taps(spec: DomainSpec) -> tuple[int, ...]:
    """Return the descriptors of the taps that were opened for the guest beforehand."""
    found = (getattr(nic.back, "fd", None) for nic in spec.nics)
    return tuple(fd for fd in found if fd is not None)


def tail(path: Path, limit: int = TAIL_BYTES) -> str:
    """Return the end of a log, or nothing where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - max(0, limit)))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""


class QemuProcess:
    """A running QEMU, whoever started it.

    Parameters
    ----------
    process : which one
    popen : where this process started it; its exit code is known then
    ended : called once on the loop with the exit code, or ``None`` where it is not known
    """

    def __init__(
        self,
        process: Process,
        popen: Outliving | None,
        ended: Callable[[int | None], None],
    ) -> None:
        self.process = process
        self.popen = popen
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self.exited = asyncio.Event()
        self.exit_code: int | None = None
        self._fd = process.pidfd()
        if self._fd is None:
            self._loop.call_soon(self._on_exit)
        else:
            self._loop.add_reader(self._fd, self._on_exit)

    def _on_exit(self) -> None:
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None
        self.exit_code = None if self.popen is None else self.popen.wait()
        self.exited.set()
        self._ended(self.exit_code)

    def kill(self) -> None:
        """End it at once."""
        self.process.signal(signal.SIGKILL)

    def reap(self) -> None:
        """Wait until it has ended; blocks."""
        fd = self.process.pidfd()
        if fd is not None:
            try:
                select.select([fd], [], [])
            finally:
                os.close(fd)
        if self.popen is not None:
            self.popen.wait()

    def forget(self) -> None:
        """Stop listening for its end."""
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None


async def wait_for_socket(socket: Path, popen: Outliving) -> bool:
    """Wait until QEMU listens on `socket`; return ``False`` if it ended instead."""
    woken = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        pidfd = os.pidfd_open(popen.pid)
    except ProcessLookupError:  # it has ended, and whoever watches it has waited for it
        return False
    loop.add_reader(pidfd, woken.set)
    try:
        with appearance(socket.parent, woken.set) as watched:
            while popen.poll() is None:
                woken.clear()
                if socket.exists() and await _listens(socket):
                    return True
                try:
                    # a socket appears an instant before it listens, and a watch may be refused
                    async with asyncio.timeout(0.002 if socket.exists() or not watched else 1):
                        await woken.wait()
                except TimeoutError:
                    continue
            return False
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


async def _listens(socket: Path) -> bool:
    """Look in /proc/net/unix rather than connect, which would take the only place."""
    flags = b" 00010000 "  # __SO_ACCEPTCON: listening (Linux, include/linux/net.h)
    try:
        with open("/proc/net/unix", "rb") as table:
            wanted = os.fsencode(socket)
            return any(flags in line and line.rstrip().endswith(wanted) for line in table)
    except OSError:
        return True
