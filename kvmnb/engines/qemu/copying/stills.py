"""The state of a guest as a folder on disk: what checkpoints and templates are made of.

``devices``    QEMU's migration stream
``ram``        the memory, holes left out; missing where it is in the stream
``firmware``   the firmware's variables, where it has some
``blank0`` …   an empty layer for the top of each disk
``*.qcow2``    the frozen layers of its disks: hard links
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kvmnb.engines.qemu.copying import layers, ram
from kvmnb.engines.qemu.copying.capture import Captured

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read", "size_bytes", "write"]

DEVICES, RAM, FIRMWARE, BLANK = "devices", "ram", "firmware", "blank"


def write(state: Captured, folder: Path) -> dict[str, Any]:
    """Write a state into an empty folder; return what `read` has to know besides.

    Raises
    ------
    OSError   no room
    """
    ram.save(state.devices, str(folder / DEVICES))
    if state.ram is not None:
        ram.save(state.ram, str(folder / RAM))
    if state.firmware is not None:
        (folder / FIRMWARE).write_bytes(state.firmware)
    for index, names in state.layers.items():
        (folder / f"{BLANK}{index}").write_bytes(state.blanks[index])
        for name in names:
            layers.link(f"{state.folder}/{name}", f"{folder}/{name}")
    return {
        "layers": {str(index): list(names) for index, names in state.layers.items()},
        "bytes": {entry.name: entry.stat().st_size for entry in folder.iterdir()},
        "running": state.running,
        "time_s": state.time_s,
    }


def read(folder: Path, told: dict[str, Any], load: Callable[[str], int] | None = None) -> Captured:
    """Return the state that is in a folder; its memory is loaded into a file in memory.

    Parameters
    ----------
    told : what `write` returned
    load : loads the file of this name into memory; ``None`` reads it as it is

    Raises
    ------
    OSError   a file is gone, or has another size
    """
    for name, size in told["bytes"].items():
        if (folder / name).stat().st_size != size:
            raise OSError(f"{name} had {size} bytes")
    get = load or (lambda name: ram.load(str(folder / name)))
    firmware = folder / FIRMWARE
    devices = get(DEVICES)
    try:
        memory = get(RAM) if (folder / RAM).exists() else None
    except BaseException:
        os.close(devices)
        raise
    return Captured(
        ram=memory,
        devices=devices,
        layers={int(index): tuple(names) for index, names in told["layers"].items()},
        blanks={int(index): (folder / f"{BLANK}{index}").read_bytes() for index in told["layers"]},
        folder=str(folder),
        firmware=firmware.read_bytes() if firmware.exists() else None,
        running=bool(told["running"]),
        time_s=float(told["time_s"]),
        pause_s=0.0,
    )


def size_bytes(folder: Path, state: Captured) -> int:
    """Return what a state takes on disk: of its layers only the newest, the rest is shared."""
    names = {DEVICES, RAM, FIRMWARE, *(names[0] for names in state.layers.values())}
    return sum((folder / name).stat().st_blocks * 512 for name in names if (folder / name).exists())
