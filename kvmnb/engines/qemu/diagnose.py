"""Why a guest did not start: QEMU's and its own last words, turned into a cause and a remedy."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from kvmnb.engines.qemu.folders import Roots
from kvmnb.engines.qemu.record import records

__all__ = ["console_cause", "log_cause", "screen_text"]

# what QEMU says  →  the cause, and what to do; the first match counts
_SAYINGS: tuple[tuple[str, str, str], ...] = (
    (
        r"Could not open '(?P<what>[^']*)': No such file",
        "there is no such file: {what}",
        "check the path; host.images lists the images by name",
    ),
    (
        r"Could not open '(?P<what>[^']*)': Permission denied",
        "no right to open {what}",
        "give yourself the right: ls -l, chown, chmod",
    ),
    (
        r"Image is not in (?P<what>\w+) format",
        "the disk is not in {what} format",
        'name its format: disk(path, format="raw"); qemu-img info tells it',
    ),
    (
        r"Address already in use|Failed to bind socket",
        "a port or a socket is in use",
        "choose another port, or stop what uses it",
    ),
    (
        r"cannot set up guest memory|Cannot allocate memory|out of memory",
        "the host has not that much memory free",
        "a smaller .mem(), or end other guests: kvmnb ls",
    ),
    (r"No space left on device", "the disk is full", "free some room: df -h; kvmnb reap"),
    (
        r"[Cc]ould not access KVM kernel module|failed to initialize kvm",
        "KVM cannot be used",
        'accel("tcg"); host.doctor() says what KVM lacks',
    ),
    (
        r"unable to find CPU model '(?P<what>[^']*)'",
        "this QEMU knows no CPU {what}",
        "host.cpus lists them",
    ),
    (
        r"unsupported machine type",
        "this QEMU knows no such machine",
        "host.machines lists them",
    ),
    (
        r"[Ee]rror loading uncompressed kernel|invalid kernel header|qemu: could not load kernel",
        "the kernel cannot be loaded",
        "name a bzImage, or an ELF image with a PVH note",
    ),
    (
        r"O_DIRECT|does not support.*direct",
        "the file system under the disk has no direct I/O",
        'use cache="writeback"',
    ),
)

_LOCKED = re.compile(r'Failed to get "?(?:write|consistent read)"? ?lock|Failed to lock')

_CONSOLE: tuple[tuple[str, str, str], ...] = (
    (
        r"Kernel panic - not syncing: (?P<what>.*)",
        "the guest's kernel panicked: {what}",
        "check the root disk, and root= on the kernel's command line",
    ),
    (
        r"No bootable device|Boot failed: not a bootable disk|No bootable option",
        "no disk, CD-ROM or network that could be started from",
        'an installed disk, or an ISO with boot(order="d"); a kernel with boot(kernel=)',
    ),
    (
        r"Out of memory: Killed process|System is deadlocked on memory",
        "the guest ran out of memory",
        "give it more: .mem()",
    ),
    (
        r"Unable to mount root fs|can't find root",
        "the guest's kernel found no root file system",
        "check the disk and root= on the kernel's command line",
    ),
)


def log_cause(log: str, files: Iterable[str], roots: Roots) -> tuple[str, str]:
    """Return ``(cause, remedy)`` for QEMU's log; both empty where nothing is recognised.

    Parameters
    ----------
    log : QEMU's last lines
    files : the guest's disks, to find which other guest has one open
    roots : where the other guests are recorded
    """
    if _LOCKED.search(log):
        remedy = "stop what uses it, or start from a copy: disk(path, snapshot=True)"
        for path in files:
            for _, other in records(roots):
                used = any(path in argument for argument in other.argv)
                if used and other.process is not None and other.process.alive:
                    who = f"{other.spec.name!r} (pid {other.process.pid})"
                    return f"the disk is in use: {path} is open in guest {who}", remedy
        names = ", ".join(os.path.basename(path) for path in files)
        return f"a disk is in use by another process: {names}", remedy
    return _match(_SAYINGS, log)


def console_cause(text: str) -> tuple[str, str]:
    """Return ``(cause, remedy)`` for the guest's console or screen."""
    return _match(_CONSOLE, text)


def _match(table: tuple[tuple[str, str, str], ...], text: str) -> tuple[str, str]:
    for pattern, cause, remedy in table:
        found = re.search(pattern, text)
        if found is not None:
            return cause.format(**found.groupdict()).strip(), remedy
    return "", ""


def screen_text(memory: bytes) -> str:
    """Return the text of a VGA text screen of 80 by 25, two bytes a character.

    `memory` is what lies at guest address 0xB8000 in text mode (IBM VGA, mode 3).
    """
    letters = bytes(memory[0:4000:2]).decode("cp437", "replace")
    rows = [letters[start : start + 80].replace("\0", " ").rstrip() for start in range(0, 2000, 80)]
    return "\n".join(row for row in rows if row)
