"""The checkpoints of a guest: a tree of states on disk, each one a folder.

They lie in the guest's state folder and go with it. One that is to outlive its guest lies under
the state root's neighbour ``kept-…`` instead. Each folder is whole by itself, since it has hard
links to all layers of the disks; so any of them can be dropped at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kvmnb.engines.base import Checkpoint, Event
from kvmnb.engines.qemu.copying import drafts, stills
from kvmnb.engines.qemu.copying.capture import NO_ROOM, Captured, capture, room_again
from kvmnb.engines.qemu.copying.drafts import kept_folder
from kvmnb.engines.qemu.folders import GuestFolder, Roots
from kvmnb.errors import HostError, StateError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["drop", "find", "kept", "kept_folder", "listed", "open_state", "take"]

CURRENT, DESCRIPTION = "current", "checkpoint.json"
VERSION = 1


def listed(folder: GuestFolder) -> tuple[tuple[Checkpoint, ...], str | None]:
    """Return a guest's checkpoints, oldest first, and the id of the one it came from last."""
    found = []
    for place in drafts.places(folder):
        with contextlib.suppress(OSError):
            for entry in os.scandir(place):
                description = _description(Path(entry.path))
                if description is not None:
                    found.append(_checkpoint(description))
    current = None
    with contextlib.suppress(OSError):
        current = (folder.state / drafts.FOLDER / CURRENT).read_text(encoding="ascii") or None
    return tuple(sorted(found, key=lambda each: (each.created_s, each.id))), current


def kept(roots: Roots) -> tuple[Checkpoint, ...]:
    """Return all checkpoints that outlive their guests, oldest first."""
    found = []
    for place in kept_folder(roots.guest("any")).parent.glob("*/*"):
        description = _description(place)
        if description is not None:
            found.append(_checkpoint(description))
    return tuple(sorted(found, key=lambda each: (each.created_s, each.id)))


def _description(folder: Path) -> dict[str, Any] | None:
    if folder.name.startswith("."):
        return None
    try:
        content = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        return content if content["version"] == VERSION else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checkpoint(content: dict[str, Any]) -> Checkpoint:
    return Checkpoint(**content["checkpoint"])


def find(folder: GuestFolder, id: str) -> Path:
    """Return the folder of the checkpoint with this id.

    Raises
    ------
    StateError   there is none
    """
    for place in drafts.places(folder):
        if id and "/" not in id and not id.startswith(".") and (place / id).is_dir():
            return place / id
    raise StateError(folder.run.name, "without that checkpoint", f"there is none with id {id!r}")


async def take(control: QemuControl, label: str, *, cell: str | None, keep: bool) -> Checkpoint:
    """Keep the guest's state as it is now, and return what was kept.

    Raises
    ------
    StateError   the guest cannot be copied, and why
    HostError    no room on the disk
    """
    _, parent = listed(control.folder)
    state = await capture(control)
    try:
        checkpoint = await asyncio.to_thread(_write, control, state, label, parent, cell, keep)
    except OSError as error:
        if control.ended:  # its folder went with it
            raise await control.fail() from error
        await room_again(control, ran=state.running)
        raise HostError(
            f"the checkpoint {label!r} could not be written: {error}",
            NO_ROOM,
        ) from error
    finally:
        state.close()
    virsh = control.virsh("snapshot-create-as", label)
    control.remember("checkpoint", "", hmp="", virsh=virsh)
    detail = {"label": label, "id": checkpoint.id}
    control.hub.publish(Event(control.info.name, state.time_s, "checkpoint", detail))
    return checkpoint


def _write(
    control: QemuControl,
    state: Captured,
    label: str,
    parent: str | None,
    cell: str | None,
    keep: bool,
) -> Checkpoint:
    id = secrets.token_hex(8)
    place = drafts.places(control.folder)[1 if keep else 0]
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    drafts.sweep(place)
    draft = drafts.path(place, id)
    draft.mkdir(mode=0o700)
    try:
        told = stills.write(state, draft)
        checkpoint = Checkpoint(
            id=id,
            guest=control.info.name,
            label=label,
            created_s=state.time_s,
            parent=parent,
            size_bytes=stills.size_bytes(draft, state),
            pause_s=round(state.pause_s, 6),
            cell=cell,
            kept=keep,
        )
        _describe(draft, checkpoint, told, control)
        draft.rename(place / id)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    set_current(control.folder, id)
    return checkpoint


def _describe(
    folder: Path, checkpoint: Checkpoint, told: dict[str, Any], control: QemuControl
) -> None:
    import dataclasses

    from kvmnb.spec.codec import encode

    content = {
        "version": VERSION,
        "checkpoint": dataclasses.asdict(checkpoint),
        "state": told,
        "spec": encode(control.info.spec),
        "argv": list(control.record.argv),
        "macs": list(control.info.macs),
    }
    (folder / DESCRIPTION).write_text(json.dumps(content), encoding="utf-8")


def set_current(folder: GuestFolder, id: str) -> None:
    """Note which checkpoint the guest came from last."""
    place = folder.state / drafts.FOLDER
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = drafts.path(place, CURRENT)
    part.write_text(id, encoding="ascii")
    os.replace(part, place / CURRENT)


def open_state(folder: Path) -> tuple[Captured, dict[str, Any]]:
    """Return the state that a checkpoint holds, and what is written of it.

    Raises
    ------
    StateError   it is damaged
    """
    description = _description(folder)
    try:
        if description is None:
            raise FileNotFoundError(f"{folder / DESCRIPTION} cannot be read")
        return stills.read(folder, description["state"]), description
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StateError(
            folder.name, "damaged", f"this checkpoint cannot be used: {error}"
        ) from error


def drop(folder: GuestFolder, id: str) -> None:
    """Forget a checkpoint; those that were taken after it hang on to its parent from now on.

    Raises
    ------
    StateError   there is none with this id
    """
    place = find(folder, id)
    content = _description(place) or {}
    parent = content.get("checkpoint", {}).get("parent")
    for each in listed(folder)[0]:
        if each.parent == id:
            _reparent(find(folder, each.id), parent)
    if listed(folder)[1] == id:
        set_current(folder, parent or "")
    gone = drafts.path(place.parent, id)
    place.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _reparent(folder: Path, parent: str | None) -> None:
    content = _description(folder)
    if content is not None:
        content["checkpoint"]["parent"] = parent
        part = drafts.path(folder.parent, folder.name)
        part.write_text(json.dumps(content), encoding="utf-8")
        os.replace(part, folder / DESCRIPTION)
