"""Processes by pid and start time, so that a reused pid is never taken for the old process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Process", "find_by_argument", "logs_are_written"]

PROGRAMS = (b"qemu", b"swtpm", b"virtiofsd")


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be mistaken for another.

    Parameters
    ----------
    pid : its number
    start_time : in clock ticks since boot, field 22 of /proc/PID/stat (proc(5))
    """

    pid: int
    start_time: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Return the process that has this pid now."""
        started = _start_time(pid)
        return None if started is None else cls(pid, started)

    @classmethod
    def current(cls) -> Process:
        """Return this process."""
        return cls(os.getpid(), _start_time(os.getpid()) or 0)

    @property
    def alive(self) -> bool:
        """Whether it runs; a zombie does not."""
        return _start_time(self.pid) == self.start_time

    def pidfd(self) -> int | None:
        """Return a descriptor that becomes readable when it ends; ``None`` if it has ended."""
        try:
            fd = os.pidfd_open(self.pid)
        except OSError:
            return None
        if not self.alive:
            os.close(fd)
            return None
        return fd

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it, and never to another that got its pid."""
        fd = self.pidfd()
        if fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, number)
            os.close(fd)

    def __str__(self) -> str:
        return f"{self.pid}-{self.start_time}"

    @classmethod
    def parse(cls, text: str) -> Process | None:
        """Return what ``str`` was made of, or ``None`` if it is not one."""
        pid, _, started = text.partition("-")
        return cls(int(pid), int(started)) if pid.isdecimal() and started.isdecimal() else None


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # the name, in parentheses, may hold spaces and parentheses of its own
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def find_by_argument(argument: str) -> list[Process]:
    """Return this user's processes that have `argument` in their command line.

    For a QEMU, and what serves it, whose pid was never written down, because its starter was
    killed just then.
    """
    wanted = os.fsencode(argument)
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            if entry.stat().st_uid != os.geteuid():
                continue
            cmdline = (Path(entry.path) / "cmdline").read_bytes()
        except OSError:
            continue
        program = cmdline.split(b"\0", 1)[0]
        if wanted in cmdline and any(name in program for name in PROGRAMS):
            process = Process.of(int(entry.name))
            if process is not None:
                found.append(process)
    return found


def logs_are_written(folder: Path) -> bool:
    """Return whether a child lives that holds the lock on a log in `folder`, its standard output.

    It tells so even between fork and exec, when the child's command line is still its parent's.
    """
    for log in folder.glob("*.log"):
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(fd)
    return False
