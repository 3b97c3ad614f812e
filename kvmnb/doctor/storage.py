"""Looks at the folders that kvmnb writes to: room, inodes, rights."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path, PurePosixPath

from kvmnb.doctor.check import Finding, Look
from kvmnb.doctor.root import Root
from kvmnb.units import GIB, MIB, human

__all__ = ["LOOKS"]

INODES = 1000


def _home(root: Root) -> str:
    return root.environ.get("HOME") or os.path.expanduser("~")


def cache_folder(root: Root) -> str:
    """Return where images lie."""
    return (root.environ.get("XDG_CACHE_HOME") or f"{_home(root)}/.cache") + "/kvmnb"


def state_folder(root: Root) -> str:
    """Return where guests' overlays lie."""
    return (root.environ.get("XDG_STATE_HOME") or f"{_home(root)}/.local/state") + "/kvmnb"


def run_folder(root: Root) -> str:
    """Return where guests' sockets and logs lie."""
    given = root.environ.get("XDG_RUNTIME_DIR")
    if given and os.path.isdir(root.at(given)) and os.access(root.at(given), os.W_OK):
        return f"{given}/kvmnb"
    return f"{root.environ.get('TMPDIR') or '/tmp'}/kvmnb-{root.uid}"


def _nearest(root: Root, folder: str) -> str:
    """Return the folder itself, or the nearest above that exists: there it would be made."""
    path = PurePosixPath(folder)
    for each in (path, *path.parents):
        if root.exists(str(each)):
            return str(each)
    return "/"


def room(root: Root, variable: str, enough_bytes: int, least_bytes: int) -> Finding:
    """Look at the room in a folder, and whether this user may write there.

    Parameters
    ----------
    variable : the XDG variable that names the folder
    enough_bytes : what lets a user work without a care
    least_bytes : what one guest needs
    """
    folder = _FOLDERS[variable](root)
    where = _nearest(root, folder)
    place: Path = root.at(where)
    if not os.path.isdir(place) or not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            "missing", f"{where}: not writable for user {root.user}", _elsewhere(variable)
        )
    found = os.statvfs(place)
    free_bytes = found.f_bavail * found.f_frsize
    evidence = f"{folder}: {human(free_bytes)} free"
    if where != folder:
        evidence += f" (not made yet; measured at {where})"
    # file systems such as btrfs have no fixed number of inodes, and say 0
    if found.f_files:
        evidence += f", {found.f_favail} inodes"
    few = bool(found.f_files) and found.f_favail < INODES
    if free_bytes < least_bytes or (few and not found.f_favail):
        return Finding("missing", evidence, _elsewhere(variable))
    if free_bytes < enough_bytes or few:
        return Finding("limited", evidence, _elsewhere(variable))
    return Finding("ok", evidence)


def _elsewhere(variable: str) -> str:
    return f"free some room, or: export {variable}=FOLDER, one with room on a disk of its own"


_FOLDERS = {
    "XDG_CACHE_HOME": cache_folder,
    "XDG_STATE_HOME": state_folder,
    "XDG_RUNTIME_DIR": run_folder,
}

LOOKS = (
    Look(
        "images",
        partial(room, variable="XDG_CACHE_HOME", enough_bytes=2 * GIB, least_bytes=256 * MIB),
        needed=True,
    ),
    Look(
        "guests' disks",
        partial(room, variable="XDG_STATE_HOME", enough_bytes=2 * GIB, least_bytes=64 * MIB),
        needed=True,
    ),
    Look(
        "sockets and logs",
        partial(room, variable="XDG_RUNTIME_DIR", enough_bytes=64 * MIB, least_bytes=MIB),
        needed=True,
    ),
)
