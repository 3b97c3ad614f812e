"""Internal snapshots: states of a running guest, kept within the qcow2 files of its disks.

QEMU writes the memory and the devices into one of the disks, and marks the present content of
all of them, as jobs of QMP (``snapshot-save`` and its like, QEMU ≥ 6.0; qapi/migration.json).
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kvmnb.engines.base import Step
from kvmnb.engines.qemu.copying.exclusive import alone
from kvmnb.engines.qemu.echo import hmp_line, qmp_text
from kvmnb.errors import CommandError, SpecError, StateError, Unsupported
from kvmnb.images.qemu_img.answers import Snapshot
from kvmnb.spec import validate

if TYPE_CHECKING:
    from kvmnb.engines.base import Progress
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["delvm", "listed", "loadvm", "not_migrating", "savevm", "set_clock"]

NAME_LIMIT_BYTES = 255
"""What QEMU keeps of a snapshot's name (QEMU block/snapshot.h, QEMUSnapshotInfo)."""

MIGRATING = frozenset(
    {"setup", "active", "device", "pre-switchover", "postcopy-active", "postcopy-paused"}
    | {"wait-unplug", "cancelling"}
)
"""Those of QMP's MigrationStatus in which QEMU is busy with one (qapi/migration.json)."""

TELL_S = 0.5
"""How often progress is told: QEMU is silent until it has written the whole state."""

CLOCK_S = 5.0
"""How long a guest under KVM may take to set its clock; times the accelerator's patience."""


@dataclass(frozen=True, slots=True)
class _Disk:
    """A disk that the guest writes to.

    Parameters
    ----------
    name : its device's
    node : the block node that holds its present content
    format : of that node
    snapshots : in it
    """

    name: str
    node: str
    format: str
    snapshots: tuple[Snapshot, ...]


async def listed(control: QemuControl) -> tuple[Snapshot, ...]:
    """Return the snapshots that the guest can be set back to, oldest first."""
    return _whole(await _disks(control))


async def savevm(control: QemuControl, name: str, progress: Progress | None = None) -> Snapshot:
    """Keep the guest's state, memory and disks, under a name; it stands still meanwhile.

    Raises
    ------
    SpecError      not a name, or one that a snapshot of this guest bears
    Unsupported    a disk cannot hold one, or a device keeps its state to itself
    StateError     a migration is under way
    CommandError   QEMU could not write it, no room for instance
    """
    _check_name("savevm", name)
    disks = await _able(control, "savevm")
    taken = {each.name for disk in disks for each in disk.snapshots}
    if name in taken:
        reason = "there is a snapshot of this name already; delvm() it first, or take another name"
        raise SpecError("savevm", name, reason)
    arguments = {
        "tag": name,
        "vmstate": disks[0].node,
        "devices": [disk.node for disk in disks],
    }
    words = {"hmp": hmp_line("savevm", name), "virsh": control.virsh("snapshot-create-as", name)}
    await _job(control, "savevm", "snapshot-save", arguments, words, progress)
    return next(each for each in await listed(control) if each.name == name)


async def loadvm(control: QemuControl, name: str, progress: Progress | None = None) -> None:
    """Set the guest back to a snapshot; what came after it is lost, other snapshots stay.

    Raises
    ------
    SpecError      no such snapshot, and which are near
    Unsupported    a disk cannot hold one
    StateError     a migration is under way
    CommandError   QEMU could not load it
    """
    disks = await _able(control, "loadvm")
    _known("loadvm", name, [each.name for each in _whole(disks)])
    source = next(disk for disk in disks if any(_has_state(each, name) for each in disk.snapshots))
    arguments = {
        "tag": name,
        "vmstate": source.node,
        "devices": [disk.node for disk in disks],
    }
    words = {"hmp": hmp_line("loadvm", name), "virsh": control.virsh("snapshot-revert", name)}
    try:
        await _job(control, "loadvm", "snapshot-load", arguments, words, progress)
    finally:
        # the line was in the midst of other words then
        await control.agent.close()
        control.balloon_bytes = None
    if await control.refresh() == "running":
        await set_clock(control)


async def delvm(control: QemuControl, name: str, progress: Progress | None = None) -> None:
    """Forget a snapshot; the guest stays as it is, and the room can be used again.

    Raises
    ------
    SpecError      no such snapshot, and which are near
    StateError     a migration is under way
    CommandError   QEMU could not delete it
    """
    await not_migrating(control)
    disks = await _disks(control)
    names = dict.fromkeys(each.name for disk in disks for each in disk.snapshots)
    _known("delvm", name, list(names))
    holding = [disk.node for disk in disks if any(name == each.name for each in disk.snapshots)]
    arguments = {"tag": name, "devices": holding}
    words = {"hmp": hmp_line("delvm", name), "virsh": control.virsh("snapshot-delete", name)}
    await _job(control, "delvm", "snapshot-delete", arguments, words, progress)


async def set_clock(control: QemuControl) -> None:
    """Set the guest's clock, which has just been set back, to the host's.

    Returns once that is done, or at once where nobody knows whether the guest has an agent that
    answers: its first command is then this one.
    """
    if not control.info.spec.agent:
        return
    if control.agent.answered:
        await _set_clock(control)
    else:
        control.spawn(_set_clock(control))


async def _set_clock(control: QemuControl) -> None:
    from kvmnb.engines.qemu.copying import identity

    # it may have been set back to before its agent ran, or end meanwhile
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(CLOCK_S * control.patience):
            await identity.set_clock(control)


# -- what there is -----------------------------------------------------------------------------


async def _disks(control: QemuControl) -> list[_Disk]:
    """Return the disks that the guest writes to, as QEMU knows them now."""
    found = []
    for block in await control.qmp("query-block"):
        inserted = block.get("inserted")
        if inserted is None or inserted["ro"]:
            continue
        told = inserted["image"].get("snapshots", ())
        found.append(
            _Disk(
                name=_device(str(block.get("qdev") or block["device"])),
                node=str(inserted["node-name"]),
                format=str(inserted["drv"]),
                snapshots=tuple(map(_snapshot, told)),
            )
        )
    return found


def _device(path: str) -> str:
    """Return what a device is called, of its path: ``/machine/peripheral/disk0/virtio-backend``."""
    return path.removeprefix("/machine/peripheral/").partition("/")[0] or path


def _snapshot(told: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        id=str(told["id"]),
        name=str(told["name"]),
        created=datetime.fromtimestamp(told["date-sec"] + told["date-nsec"] / 1e9, UTC),
        vm_state_bytes=int(told["vm-state-size"]),
        vm_clock_s=told["vm-clock-sec"] + told["vm-clock-nsec"] / 1e9,
    )


def _whole(disks: Sequence[_Disk]) -> tuple[Snapshot, ...]:
    """Return the snapshots that all disks have, and one of them with the guest's state."""
    if not disks:
        return ()
    common = set.intersection(*({each.name for each in disk.snapshots} for disk in disks))
    states = {
        each.name: each
        for disk in disks
        for each in disk.snapshots
        if each.name in common and each.vm_state_bytes
    }
    return tuple(sorted(states.values(), key=lambda each: each.created))


def _has_state(snapshot: Snapshot, name: str) -> bool:
    return snapshot.name == name and snapshot.vm_state_bytes > 0


# -- what is refused before QEMU is asked --------------------------------------------------------


def _check_name(verb: str, name: str) -> None:
    if not validate.text(verb, name) or not name.isprintable():
        raise SpecError(verb, name, "must be a name of printable characters")
    if name.isdecimal():
        raise SpecError(verb, name, "looks like a snapshot's id, which a number is")
    if len(name.encode("utf-8", "surrogateescape")) > NAME_LIMIT_BYTES:
        raise SpecError(verb, name, f"at most {NAME_LIMIT_BYTES} bytes fit")


def _known(verb: str, name: str, names: Sequence[str]) -> None:
    validate.text(verb, name)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    there = ", ".join(names) or "none"
    meant = f"did you mean {near[0]!r}? " if near else ""
    raise SpecError(verb, name, f"no such snapshot; {meant}there are: {there}")


async def _able(control: QemuControl, verb: str) -> list[_Disk]:
    """Return the guest's disks, each of which can hold a snapshot."""
    await not_migrating(control)
    disks = await _disks(control)
    if not disks:
        hint = "it needs a qcow2 disk that the guest can write to, to lie in; this guest has none"
        raise Unsupported("this guest", verb, hint)
    for disk in disks:
        if disk.format != "qcow2":
            hint = (
                f"{disk.name!r} is a {disk.format} disk that the guest writes to, and only a qcow2 "
                "keeps snapshots: convert it, or lay an overlay on it with disk(…, snapshot=True)"
            )
            raise Unsupported("this guest", verb, hint)
    return disks


async def not_migrating(control: QemuControl) -> None:
    """Return if QEMU can write the guest's state now.

    Raises
    ------
    StateError    a migration is under way
    Unsupported   a device keeps its state to itself
    """
    status = await control.qmp("query-migrate")
    name = control.info.name
    if status.get("status") in MIGRATING:
        raise StateError(name, "migrating", "wait until its migration is over, or cancel it")
    if status.get("blocked-reasons"):
        reasons = "; ".join(map(str, status["blocked-reasons"]))
        raise Unsupported("this guest", "keeping its state", reasons)


# -- jobs --------------------------------------------------------------------------------------


async def _job(
    control: QemuControl,
    verb: str,
    command: str,
    arguments: Mapping[str, Any],
    words: Mapping[str, str],
    progress: Progress | None,
) -> None:
    """Run one of QEMU's jobs to its end.

    A snapshot cannot be called off: one that is interrupted here goes on to its end by itself.
    """
    work = _done(control, verb, command, arguments, words, progress)
    task = asyncio.ensure_future(work)
    control.spawn(_seen(task))
    await asyncio.shield(task)


async def _seen(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # told to the caller, if there still is one


async def _done(
    control: QemuControl,
    verb: str,
    command: str,
    arguments: Mapping[str, Any],
    words: Mapping[str, str],
    progress: Progress | None,
) -> None:
    id = f"{verb}-{secrets.token_hex(4)}"
    given = {"job-id": id, **arguments}
    with alone(control):
        error = await _concluded(control, command, given, progress)
    if error:
        raise CommandError(command, "GenericError", error)
    control.remember(verb, qmp_text(command, given), **words)


async def _concluded(
    control: QemuControl, command: str, given: Mapping[str, Any], progress: Progress | None
) -> str:
    """Start a job and wait for its end; return why it failed, or ``""``."""
    id = given["job-id"]
    # what a checkpoint leaves out of the memory belongs to a snapshot
    off = [{"capability": "x-ignore-shared", "state": False}]
    await control.qmp("migrate-set-capabilities", {"capabilities": off})
    async with control.monitor.hearing():
        events = control.hub.subscribe()
        telling = asyncio.ensure_future(_tell(f"{command} {given['tag']}", progress))
        try:
            await control.qmp(command, given)
            async for event in events:
                told = event.detail.get("id"), event.detail.get("status")
                if event.kind == "job_status_change" and told == (id, "concluded"):
                    break
            else:
                raise await control.fail()
        finally:
            telling.cancel()
        jobs = await control.qmp("query-jobs")
        error = next((job.get("error") for job in jobs if job["id"] == id), None)
        await control.qmp("job-dismiss", {"id": id})
    return str(error or "")


async def _tell(what: str, progress: Progress | None) -> None:
    began = time.monotonic()
    while progress is not None:
        progress(Step(what, time.monotonic() - began))
        await asyncio.sleep(TELL_S)
