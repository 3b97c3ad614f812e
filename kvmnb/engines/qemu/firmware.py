"""The UEFI firmware of this host, found by the descriptors that its packages bring."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
from collections.abc import Iterator
from typing import Any

from kvmnb.errors import HostError

__all__ = ["find_uefi"]

FOLDERS = ("/etc/qemu/firmware", "/usr/share/qemu/firmware")
"""Where descriptors lie; a file in the first hides one of its name in the second, and names sort
by priority (QEMU docs/interop/firmware.json)."""


def find_uefi(machine: str, *, secure: bool, folders: tuple[str, ...] = FOLDERS) -> tuple[str, str]:
    """Return the files of the code and of the template of the variables.

    Parameters
    ----------
    machine : the board; ``pc`` means its newest version
    secure : with Secure Boot, and the usual keys enrolled
    folders : of the descriptors

    Raises
    ------
    HostError   there is none for this board; the remedy names the package
    """
    board = {"pc": "pc-i440fx-9.9", "q35": "pc-q35-9.9"}.get(machine, machine)
    for descriptor in _descriptors(folders):
        mapping = descriptor["mapping"]
        if "uefi" not in descriptor.get("interface-types", ()) or mapping.get("device") != "flash":
            continue
        features = descriptor.get("features", ())
        if secure != ("enrolled-keys" in features):
            continue
        if not secure and "requires-smm" in features:
            continue
        if not any(_fits(target, board) for target in descriptor.get("targets", ())):
            continue
        files = _files(descriptor)
        if all(map(os.path.isfile, files)):
            return files
    what = "UEFI with Secure Boot" if secure else "UEFI"
    raise HostError(f"this host has no {what} firmware for {machine!r}", "apt install ovmf")


def _files(descriptor: dict[str, Any]) -> tuple[str, str]:
    mapping = descriptor["mapping"]
    return mapping["executable"]["filename"], mapping["nvram-template"]["filename"]


def _fits(target: dict[str, Any], board: str) -> bool:
    return target.get("architecture") == "x86_64" and any(
        fnmatch.fnmatchcase(board, pattern) for pattern in target.get("machines", ())
    )


def _descriptors(folders: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    found: dict[str, str] = {}
    for folder in reversed(folders):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        found |= {name: f"{folder}/{name}" for name in names if name.endswith(".json")}
    for _, path in sorted(found.items()):
        try:
            with open(path, encoding="utf-8") as file:
                descriptor = json.load(file)
        except (OSError, ValueError):
            continue  # an empty file is how an administrator hides one
        with contextlib.suppress(KeyError, TypeError):
            # some keep their variables in no file, or are not laid out as they should be
            _files(descriptor)
            yield descriptor
