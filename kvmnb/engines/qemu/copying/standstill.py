"""A mark on a guest that somebody is copying or putting back, in case that one is killed at it.

A guest stands still for a blink while it is copied; one that is put back to a checkpoint has
two QEMUs for a while. The mark names the process that does it. The reaper hears of that one's
end, and leaves a guest that runs: it lets it go on, or finishes the change, or undoes it. It
speaks to QEMU by the standard library alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kvmnb.engines.qemu import record as records
from kvmnb.engines.qemu.copying import drafts
from kvmnb.engines.qemu.folders import GuestFolder
from kvmnb.engines.qemu.proc import Process, find_by_argument

__all__ = ["NEXT", "enter", "leave", "move", "recover"]

MARK, GO_ON = "standstill", "goes-on"

NEXT = "next-"
"""How the folder is called, in the guest's run folder, of a QEMU that is to take its place."""

MONITORS = ("qmp-shared.sock", "qmp.sock")
"""A dead process holds neither; a living one may hold the second."""

ANSWER_S = 5.0

Order = tuple[str, dict[str, Any]]
"""A command of QMP and its arguments."""

_OFF = {"capability": "x-ignore-shared", "state": False}

GOES_ON: list[Order] = [
    ("migrate_cancel", {}),
    ("query-migrate", {}),
    ("cont", {}),
    ("migrate-set-capabilities", {"capabilities": [_OFF]}),
]


def enter(
    folder: GuestFolder, other: str = "-", old: Process | None = None, *, running: bool = True
) -> None:
    """Mark a guest as stopped for a moment by this process, or as getting another QEMU.

    Parameters
    ----------
    other : the name of the other QEMU's folder
    old : the QEMU that is to go then
    running : it is to go on afterwards
    """
    part = folder.run / f".{MARK}.part"
    then = GO_ON if running else "stays"
    part.write_text(f"{Process.current()} {then} {other} {old or '-'}", encoding="utf-8")
    os.replace(part, folder.run / MARK)


def leave(folder: GuestFolder) -> None:
    """Take the mark away."""
    (folder.run / MARK).unlink(missing_ok=True)


def move(folder: GuestFolder, run: Path) -> None:
    """Bring what lies in a replacement's folder to the guest's own."""
    with contextlib.suppress(FileNotFoundError):
        for entry in list(os.scandir(run)):
            os.replace(entry.path, folder.run / entry.name)
        run.rmdir()


def recover(folder: GuestFolder) -> None:
    """Finish what a process has left half done that was killed; nothing while it lives."""
    for place in drafts.places(folder):
        drafts.sweep(place)
    mark = folder.run / MARK
    try:
        worker, then, other, old = mark.read_text(encoding="utf-8").split(" ")
    except (OSError, ValueError):
        return
    stopped_by = Process.parse(worker)
    if stopped_by is not None and stopped_by.alive:
        return
    stands_still, replaced = then == GO_ON, False
    if other.startswith(NEXT) and "/" not in other:
        replaced = _settle(folder, folder.run / other, Process.parse(old))
        stands_still &= replaced
    orders = _opened(folder) if replaced else []
    if stands_still:
        orders += GOES_ON
    if orders:
        _tell(folder, orders)
    mark.unlink(missing_ok=True)


def _settle(folder: GuestFolder, run: Path, old: Process | None) -> bool:
    """Keep the one of two QEMUs that the record names; return whether it is the other one."""
    others = set(find_by_argument(f"{run}/"))
    found = records.read(folder)
    if found is not None and found.process in others:
        _end([old] if old is not None else [])
        move(folder, run)
        return True
    _end(others)
    shutil.rmtree(run, ignore_errors=True)
    return False  # the first one never stood still


def _opened(folder: GuestFolder) -> list[Order]:
    """Return what opens the ports of a guest that has got another QEMU."""
    from kvmnb.engines.qemu.copying import doors

    found = records.read(folder)
    lines = () if found is None else doors.lines(found.spec)
    return [("human-monitor-command", {"command-line": line}) for line in lines]


def _tell(folder: GuestFolder, orders: list[Order]) -> None:
    """Give the guest's QEMU orders; while its state is being written, it refuses for an instant."""
    until_s = time.monotonic() + ANSWER_S
    while time.monotonic() < until_s:
        for name in MONITORS:
            with contextlib.suppress(OSError, ValueError):
                if _told(str(folder.run / name), orders):
                    return
        time.sleep(0.05)


def _end(processes: Iterable[Process]) -> None:
    for each in processes:
        fd = each.pidfd()
        each.signal(signal.SIGKILL)
        if fd is not None:
            select.select([fd], [], [], ANSWER_S)
            os.close(fd)


def _told(path: str, orders: list[Order]) -> bool:
    """Give QEMU orders; return whether it follows."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(ANSWER_S)
        line.connect(path)
        with line.makefile("rwb") as stream:
            stream.readline()  # the greeting
            for command, arguments in (("qmp_capabilities", {}), *orders):
                words = {"execute": command, "arguments": arguments, "id": command}
                stream.write(json.dumps(words).encode() + b"\n")
                stream.flush()
                answer: dict[str, object] = {"id": None}
                while answer and answer.get("id") != command:
                    answer = json.loads(stream.readline() or b"{}")
                if not answer or (command == "cont" and "error" in answer):
                    return False
                # until it is cancelled it would stop the guest once more
                if command == "query-migrate" and '"cancelling"' in json.dumps(answer):
                    return False
    return True
