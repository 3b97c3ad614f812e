"""The layers of a guest's disks: each one frozen but the newest, which the guest writes to.

A layer is a qcow2 in the guest's state folder that stands on the one before it, by its name
alone: so a folder with hard links to all of a chain's files is the whole disk, and no file goes
before the last folder that needs it has gone. The lowest stands on an image of the catalogue, or
on nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kvmnb.engines.qemu.copying.copyable import own_disk
from kvmnb.errors import CommandError, StateError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = [
    "Layer",
    "active",
    "blank",
    "chain",
    "is_layer",
    "link",
    "name",
    "next_layers",
    "nodes",
    "sweep",
]

_LAYER = re.compile(r"disk\d+-[0-9a-f]{8}\.qcow2")
_QDEV = re.compile(r"/machine/peripheral/disk(\d+)(/|$)")

_blanks: dict[tuple[int, int], bytes] = {}
"""Empty layers by the disk's size and the length of the name of what is under them."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one disk is at the moment.

    Parameters
    ----------
    index : of the disk in the spec
    node : what QEMU calls it among its block nodes
    path : of its file
    size_bytes : of the disk
    """

    index: int
    node: str
    path: str
    size_bytes: int


def name(index: int) -> str:
    """Return a name for a new layer of a disk, one that no other layer ever had."""
    return f"disk{index}-{secrets.token_hex(4)}.qcow2"


def is_layer(path: str) -> bool:
    """Return whether a file is a layer by its name, and not the first one."""
    return _LAYER.fullmatch(os.path.basename(path)) is not None


async def active(control: QemuControl) -> list[Layer]:
    """Return the layers that the guest writes to: of its disks in its own state folder.

    Raises
    ------
    StateError   one of those disks was not found, as after it was unplugged
    """
    paths = await _paths(control)
    found = []
    for block in await control.qmp("query-block"):
        matched = _QDEV.search(str(block.get("qdev", "")))
        inserted = block.get("inserted")
        if matched is None or inserted is None or inserted.get("ro"):
            continue
        node = str(inserted["node-name"])
        path = paths.get(node, "")
        if _in_state_folder(path, control.folder.state_dir):
            path = f"{control.folder.state_dir}/{os.path.basename(path)}"
            size = int(inserted["image"]["virtual-size"])
            found.append(Layer(int(matched[1]), node, path, size))
    missing = _own(control) - {layer.index for layer in found}
    if missing:
        names = ", ".join(f"disk{index}" for index in sorted(missing))
        raise StateError(control.name, "not to be copied", f"{names} is not in its place any more")
    return sorted(found, key=lambda layer: layer.index)


async def nodes(control: QemuControl) -> dict[str, str]:
    """Return what QEMU calls the node of each file that it has open, by the file's name."""
    paths = await _paths(control)
    return {os.path.basename(path): node for node, path in paths.items()}


async def _paths(control: QemuControl) -> dict[str, str]:
    """Return the path of each block node's file."""
    found = await control.qmp("query-named-block-nodes", {"flat": True})
    files = {node["node-name"]: str(node["file"]) for node in found}
    # a node whose backing file was given apart shows no path of its own, but its file's node does
    return {
        node["node-name"]: files.get(f"{node['node-name']}-file", files[node["node-name"]])
        for node in found
        if node["drv"] != "file"
    }


def _in_state_folder(path: str, folder: str) -> bool:
    # a guest that was a spare reaches its folder through a descriptor
    found = os.path.dirname(path)
    return found == folder or found.startswith("/proc/self/fd/")


def _own(control: QemuControl) -> set[int]:
    disks = control.info.spec.disks
    return {index for index, disk in enumerate(disks) if own_disk(disk) and not disk.readonly}


def chain(path: str) -> tuple[str, ...]:
    """Return the names of a layer's file and of all under it in its folder, the newest first.

    Raises
    ------
    StateError   a file of the chain is gone
    """
    from kvmnb.errors import ImageError
    from kvmnb.images.header import peek

    folder, names = os.path.dirname(path), list[str]()
    below: str | None = os.path.basename(path)
    while below is not None and "/" not in below and below not in names:
        names.append(below)
        try:
            below = peek(f"{folder}/{below}").backing_file
        except (ImageError, OSError) as error:
            raise StateError(names[0], "incomplete", f"a layer of the disk: {error}") from error
    return tuple(names)


def link(source: str, target: str) -> None:
    """Give a frozen file a further name; where that is on another file system, copy it."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK}:
            raise
        import shutil

        part = f"{target}.part"
        shutil.copyfile(source, part)
        os.chmod(part, 0o600)
        os.replace(part, target)


async def sweep(control: QemuControl, layers: list[Layer]) -> None:
    """Remove layers that no disk of the guest came to stand on: what was not, or never, finished.

    The caller is the only one who makes layers for it now.

    Parameters
    ----------
    layers : those that are `active` now
    """
    state = Path(control.folder.state_dir)
    for layer in layers:
        needed = chain(layer.path)
        found = [path for path in state.glob(f"disk{layer.index}-*.qcow2") if is_layer(path.name)]
        for path in found:
            if path.name in needed:
                continue
            for node in (path.stem, f"{path.stem}-file"):
                with contextlib.suppress(CommandError):  # QEMU does not know of it
                    await control.qmp("blockdev-del", {"node-name": node})
            path.unlink(missing_ok=True)


async def blank(layer: Layer) -> bytes:
    """Return the content of an empty layer on top of this one.

    Two of disks of one size differ in the name of what they stand on alone, so that qemu-img
    makes one for each size.
    """
    below = os.path.basename(layer.path)
    stand_in = "x" * len(below)
    shape = (layer.size_bytes, len(below))
    if shape not in _blanks:
        from kvmnb.images.qemu_img.making import create_layer

        with tempfile.TemporaryDirectory(prefix="kvmnb-") as folder:
            path = Path(folder, "blank.qcow2")
            await create_layer(path, stand_in, layer.size_bytes)
            _blanks[shape] = path.read_bytes()
    return _blanks[shape].replace(stand_in.encode(), below.encode(), 1)


async def next_layers(
    control: QemuControl, layers: list[Layer], blanks: dict[int, bytes]
) -> list[dict[str, Any]]:
    """Make the next layer of each disk and show it to QEMU.

    Parameters
    ----------
    blanks : by the disk's index, what is to be in it

    Returns
    -------
    actions of QMP's ``transaction``, which freeze the present layers all at once
    """
    actions = []
    for layer in layers:
        path = Path(f"{control.folder.state_dir}/{name(layer.index)}")
        with open(path, "xb", opener=_private) as file:
            file.write(blanks[layer.index])
        options = _options(control.info.command, layer.index)
        opened = {**options, "driver": "file", "filename": str(path)}
        await control.qmp(
            "blockdev-add",
            {
                **options,
                "driver": "qcow2",
                "node-name": path.stem,
                "file": {**opened, "node-name": f"{path.stem}-file"},
                "backing": None,
            },
        )
        data = {"node": layer.node, "overlay": path.stem}
        actions.append({"type": "blockdev-snapshot", "data": data})
    return actions


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _options(argv: tuple[str, ...], index: int) -> dict[str, Any]:
    """Return how the disk's node was opened at the start: its cache, and the like."""
    found: dict[str, Any] = {}
    for word in argv:
        pairs = dict(part.partition("=")[::2] for part in word.split(","))
        if pairs.get("node-name") == f"disk{index}" and "driver" in pairs:
            for key in ("discard", "detect-zeroes"):
                if key in pairs:
                    found[key] = pairs[key]
            cache = {
                key: pairs[f"cache.{key}"] == "on"
                for key in ("direct", "no-flush")
                if f"cache.{key}" in pairs
            }
            if cache:
                found["cache"] = cache
    return found
