"""The reaper: ends guests whose owners have been gone for longer than they wanted to be kept.

It never looks at a clock to see whether an owner lives: the kernel wakes it when one ends.
Run with the standard library only, so that it stays small.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from kvmnb.engines.qemu import ending, record
from kvmnb.engines.qemu.copying import standstill
from kvmnb.engines.qemu.folders import GuestFolder, Roots
from kvmnb.engines.qemu.leases import REAPER_SOCKET, owners
from kvmnb.engines.qemu.proc import Process, find_by_argument, logs_are_written

__all__ = ["end_guest", "main", "reap"]

LINGER_S = 5.0
"""How long the reaper outlives the last guest, in case another one starts."""

JANITOR_S = 10.0
"""How often logs are looked at: a guest can write to its console without end."""

LOG_LIMIT, LOG_KEPT = 8 << 20, 256 << 10
TERM_S = 5.0


def end_guest(folder: GuestFolder, process: Process | None) -> None:
    """End a guest's QEMU and what serves it, and remove all that it left.

    The caller holds the root's lock. SIGTERM first: QEMU then closes the user's own disks cleanly.
    """
    written = record.read(folder)
    ending.mark(folder)
    # QEMU first: what serves it ends by itself then
    _end((process,) if process is not None else ())
    _end(written.companions if written is not None else ())
    if process is None:
        _end_unwritten(folder)
    folder.remove()


def _end(processes: Iterable[Process]) -> None:
    for each in processes:
        each.signal(signal.SIGTERM)
        if not _wait(each, TERM_S):
            each.signal(signal.SIGKILL)
            _wait(each, TERM_S)


def _end_unwritten(folder: GuestFolder) -> None:
    """End what a starter has started that was killed before it wrote the pid down.

    It is found by the path of its socket, which it is told in its command line; a child that has
    not come to that line yet is waited for.
    """
    end_s = time.monotonic() + TERM_S
    while True:
        _end(find_by_argument(f"{folder.run}/"))
        if not logs_are_written(folder.run) or time.monotonic() > end_s:
            return
        time.sleep(0.005)


def _wait(process: Process, limit_s: float) -> bool:
    fd = process.pidfd()
    if fd is None:
        return True
    try:
        return bool(select.select([fd], [], [], limit_s)[0])
    finally:
        os.close(fd)


def _abandoned_since(folder: GuestFolder) -> float:
    """Return when the last owner was seen to be gone; the mark outlives a reaper."""
    mark = folder.run / "abandoned"
    with contextlib.suppress(FileExistsError):
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    return mark.stat().st_mtime


def reap(roots: Roots, *, now: bool = False) -> tuple[list[str], float | None, list[Process]]:
    """End every guest that is due.

    Parameters
    ----------
    now : do not wait for `keep`: what has no living owner is due

    Returns
    -------
    the names of the ended guests; the seconds until the next one is due, ``None`` if none
    will be; the processes whose end would change that
    """
    ended: list[str] = []
    next_s: float | None = None
    watched: list[Process] = []
    for folder in roots.folders():
        with contextlib.suppress(OSError):
            living = owners(folder)
            found = record.read(folder)
            process = found.process if found else None
            if process is not None and process.alive:
                standstill.recover(folder)
                watched.append(process)
            watched += living
            if living:
                (folder.run / "abandoned").unlink(missing_ok=True)
                continue
            keep_s = found.keep_s if found is not None else 0.0
            if process is None or not process.alive:
                keep_s = 0.0  # nothing runs: only files to remove
            if keep_s is None and not now:
                continue
            left_s = 0.0 if now or not keep_s else _abandoned_since(folder) + keep_s - time.time()
            if left_s > 0:
                next_s = left_s if next_s is None else min(next_s, left_s)
                continue
            with roots.lock():
                again = record.read(folder)
                # a new owner, or a new guest of that name, may have come meanwhile
                same = (again.process if again else None) == process
                if folder.run.exists() and same and not owners(folder):
                    end_guest(folder, process)
                    ended.append(found.spec.name if found else folder.run.name)
    _remove_strays(roots)
    return ended, next_s, watched


def _remove_strays(roots: Roots) -> None:
    if any(True for _ in roots.strays()):
        import shutil

        with roots.lock():
            for stray in roots.strays():
                shutil.rmtree(stray, ignore_errors=True)


def _trim_logs(roots: Roots) -> None:
    """Cut logs that a guest has filled; QEMU appends, so cutting is safe."""
    for folder in roots.folders():
        for log in folder.run.glob("*.log"):
            with contextlib.suppress(OSError):
                if log.stat().st_size > LOG_LIMIT:
                    with log.open("r+b") as file:
                        file.seek(-LOG_KEPT, os.SEEK_END)
                        kept = file.read(LOG_KEPT)
                        file.truncate(0)
                    with log.open("ab") as file:
                        file.write(kept)


def main(run: str, state: str) -> None:
    """Reap until there is nothing left to watch over."""
    roots = Roots(run, state)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text("kvmnb-reaper")
    lock_path, socket_path = roots.run / "reaper.lock", roots.run / REAPER_SOCKET
    while True:
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_ino != lock_path.stat().st_ino:
                raise FileNotFoundError  # the last reaper took its lock with it
        except BlockingIOError:
            return
        except FileNotFoundError:
            os.close(lock)
            continue
        with contextlib.suppress(FileNotFoundError):
            socket_path.unlink()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.bind(str(socket_path))
            line.setblocking(False)
            _watch(roots, line)
            socket_path.unlink(missing_ok=True)
        lock_path.unlink(missing_ok=True)
        os.close(lock)
        # a starter that still reached the socket believes in this reaper: look once more
        if not any(True for _ in roots.folders()):
            return


def _watch(roots: Roots, line: socket.socket) -> None:
    idle_since: float | None = None
    while True:
        _, next_s, watched = reap(roots)
        now = time.monotonic()
        if any(True for _ in roots.folders()):
            idle_since = None
        else:
            idle_since = idle_since or now
            if now - idle_since >= LINGER_S:
                return
        poller = select.poll()
        poller.register(line, select.POLLIN)
        fds = [fd for process in set(watched) if (fd := process.pidfd()) is not None]
        for fd in fds:
            poller.register(fd, select.POLLIN)
        wait_s = min(next_s if next_s is not None else JANITOR_S, JANITOR_S)
        if idle_since is not None:
            wait_s = min(wait_s, LINGER_S)
        poller.poll(max(0.0, wait_s) * 1000 + 1)
        for fd in fds:
            os.close(fd)
        with contextlib.suppress(BlockingIOError):
            while line.recv(64):
                pass
        _trim_logs(roots)


if __name__ == "__main__":
    main(*sys.argv[1:])
