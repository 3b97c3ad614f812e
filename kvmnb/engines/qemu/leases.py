"""Who a guest belongs to, and the one small process that ends what nobody owns any more.

An owner is a process with an entry ``owners/<pid>-<start time>``: nothing to renew, because
the kernel tells the reaper the moment it ends. The reaper is one process per user; it is
started when a guest is, and ends when there are none.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from kvmnb.engines.qemu.children import Outliving
from kvmnb.engines.qemu.folders import GuestFolder, Roots
from kvmnb.engines.qemu.proc import Process

__all__ = ["REAPER_SOCKET", "disown", "ensure_reaper", "own", "owners"]

REAPER_SOCKET = "reaper.sock"


def own(folder: GuestFolder) -> None:
    """Enter this process as an owner of a guest."""
    (folder.owners / str(Process.current())).touch(mode=0o600)


def disown(folder: GuestFolder) -> None:
    """Take this process's entry back."""
    (folder.owners / str(Process.current())).unlink(missing_ok=True)


def owners(folder: GuestFolder) -> list[Process]:
    """Return the owners that live; entries of dead ones are removed."""
    living = []
    with contextlib.suppress(FileNotFoundError):
        for entry in os.listdir(folder.owners):
            process = Process.parse(entry)
            if process is not None and process.alive:
                living.append(process)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(folder.owners / entry)
    return living


def ensure_reaper(roots: Roots) -> None:
    """Tell the reaper that a guest was added; start it where there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.setblocking(False)
        try:
            line.sendto(b"!", str(roots.run / REAPER_SOCKET))
            return
        except BlockingIOError:
            return  # it has mail enough to wake it
        except OSError:
            pass
    package = Path(__file__).resolve().parents[3]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from kvmnb.engines.qemu.reaper import main; main(*sys.argv[2:])"
    )
    # -I: no current folder, no PYTHON* variables of the notebook; -S: no site packages needed
    argv = [sys.executable, "-I", "-S", "-c", code, str(package)]
    argv += [str(roots.run), str(roots.state)]
    child = Outliving(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=True,
        start_new_session=True,
        cwd="/",
    )
    _adopted.append(child)
    _adopted[:] = [each for each in _adopted if each.poll() is None]


_adopted: list[Outliving] = []
"""Reapers that this process started: kept so that each is waited for when it ends."""
