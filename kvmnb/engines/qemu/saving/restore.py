"""Start a guest again from the file that it was saved to, as ``virsh restore`` does."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shlex
import shutil
from typing import TYPE_CHECKING, Any

from kvmnb.compile.runtime import DirectBoot
from kvmnb.engines.base import Step
from kvmnb.engines.qemu import disks
from kvmnb.engines.qemu.accel import Choice
from kvmnb.engines.qemu.copying import identity
from kvmnb.engines.qemu.copying.warm import memory_in_a_file
from kvmnb.engines.qemu.echo import hmp_line, qmp_text
from kvmnb.engines.qemu.saving import outside
from kvmnb.engines.qemu.saving import save as saving
from kvmnb.engines.qemu.saving.file import SavedFile
from kvmnb.errors import (
    CommandError,
    GuestLost,
    GuestTimeout,
    HostError,
    SpecError,
    StartError,
    StateError,
)
from kvmnb.spec import validate
from kvmnb.spec.codec import decode
from kvmnb.spec.domain import DomainSpec
from kvmnb.units import human

if TYPE_CHECKING:
    from kvmnb.engines.base import Progress
    from kvmnb.engines.qemu.control import QemuControl
    from kvmnb.engines.qemu.engine import QemuEngine
    from kvmnb.engines.qemu.plan import Plan

__all__ = ["restore"]


async def restore(
    engine: QemuEngine, path: str, *, keep_s: float | None, progress: Progress | None = None
) -> QemuControl:
    """Start a saved guest where it stopped; the file stays, and can be restored from again.

    Raises
    ------
    SpecError    no saved guest, or a damaged one; a file that it needs has changed since
    StateError   a guest of its name runs
    HostError    another QEMU, which cannot load it; no room
    StartError   QEMU could not be started, or could not load it
    """
    path = os.path.abspath(os.path.expanduser(validate.path("restore", path)))
    with await asyncio.to_thread(SavedFile, path) as saved:
        try:
            spec = _checked(engine, saved)
            if await engine.find(spec.name) is not None:
                raise _runs(spec.name)

            def told(done: int) -> None:
                if progress is not None:
                    total = float(saved.stream_bytes)
                    progress(Step("memory checked", float(done), total, human(done)))

            await asyncio.to_thread(saved.check_stream, told)
            plan = await asyncio.to_thread(_plan, engine, spec, saved)
        except (LookupError, TypeError, AttributeError) as error:
            reason = "is damaged: its description makes no sense; save the guest anew"
            raise SpecError("restore", path, reason) from error
        kept: list[str] = []
        control = await _launch(engine, plan, saved, kept)
        try:
            await engine.listening(control, plan)
            await _load(control, saved)
            control.outlive(keep_s)
        except BaseException:
            await asyncio.shield(control.destroy())
            disks.remove(kept)
            raise
        control.remember(
            "restore",
            qmp_text("migrate-incoming", {"uri": f"fd:{saving.NAME}"}),
            hmp=hmp_line("migrate_incoming", f"exec:cat {shlex.quote(path)}"),
            virsh=shlex.join(("virsh", "restore", path)),
        )
    return control


# -- what is refused before anything is started ------------------------------------------------


def _checked(engine: QemuEngine, saved: SavedFile) -> DomainSpec:
    """Return what the saved guest is, if this host can load it."""
    header, index = saved.header, saved.index
    spec = decode(header["spec"])
    if not isinstance(spec, DomainSpec):
        raise TypeError("no guest")
    here, there = engine.facts.version, tuple(map(int, header["qemu"]))
    versions = f"it was saved by QEMU {_dotted(there)}, and this one is {_dotted(here)}"
    machine = str(header["machine"])
    if machine not in engine.facts.machines:
        raise HostError(
            f"{saved.path!r} cannot be loaded: its board {machine!r} is unknown to this QEMU",
            f"restore it where it was saved; {versions}",
        )
    versioned = machine[-1:].isdigit()
    if here[:2] < there[:2] or (not versioned and here[:2] != there[:2]):
        raise HostError(
            f"{saved.path!r} cannot be loaded: {versions}",
            "a newer QEMU loads what an older one saved, if the board has a version: pc-q35-7.2",
        )
    for fact in index["bases"]:
        how = outside.changed(fact)
        if how:
            reason = f"its disk lies on an image that is not as it was: {how}"
            raise SpecError("restore", saved.path, reason)
    for fact in index["own"]:
        how = outside.changed(fact)
        if how:
            reason = f"its memory and its disk do not agree any more: {how}"
            raise SpecError("restore", saved.path, reason)
    return spec


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _runs(name: str) -> StateError:
    return StateError(name, "running", "destroy() or save() it before another is restored")


def _plan(engine: QemuEngine, spec: DomainSpec, saved: SavedFile) -> Plan:
    """Return how the guest is started so that its state fits: as it was started before."""
    header, index = saved.header, saved.index
    plan = engine.plan(spec)
    if header["backed"]:
        plan = memory_in_a_file(plan)  # QEMU finds memory by its name, and that has another one
    choice = _choice(plan.choice, str(header["accel"]))
    told = dataclasses.replace(plan.told, incoming="defer", paused=False)
    facts = engine.facts.machines.get(told.machine, {})
    if header["machine"] not in {told.machine, facts.get("alias_of")}:
        told = dataclasses.replace(told, machine=header["machine"])
    folder, files = plan.folder.state_dir, list(plan.runtime.disks)
    brought = {str(file["name"]) for file in index["files"]}
    for number, top in index["tops"].items():
        place = int(number)
        old, files[place] = (
            files[place],
            dataclasses.replace(
                files[place], path=f"{folder}/{_brought(top, brought)}", format="qcow2"
            ),
        )
        brought.add(os.path.basename(old.path))
    direct = header["direct_boot"]
    return dataclasses.replace(
        plan,
        told=told,
        choice=choice,
        runtime=dataclasses.replace(
            plan.runtime,
            accel=choice.accel,
            disks=tuple(files),
            macs=tuple(map(str, header["macs"])),
            direct_boot=DirectBoot(**direct) if plan.runtime.direct_boot else None,
        ),
        new_disks=tuple(
            disk
            for disk in plan.new_disks
            if os.path.dirname(disk.path) != folder or os.path.basename(disk.path) not in brought
        ),
        copies=tuple(
            (source, target)
            for source, target in plan.copies
            if os.path.basename(target) not in brought
        ),
    )


def _brought(name: Any, brought: set[str]) -> str:
    if name not in brought:
        raise LookupError(name)
    return str(name)


def _choice(here: Choice, accel: str) -> Choice:
    """Return the accelerator that the guest was saved under: the state is of its processors."""
    if accel == here.accel:
        return here
    if accel == "tcg":
        return Choice("tcg", "it was saved under TCG")
    raise HostError(
        f"it was saved under KVM, and this host has none: {here.reason}",
        "restore it on a host with KVM; host.doctor() says what this one lacks",
    )


# -- doing it ----------------------------------------------------------------------------------


async def _launch(engine: QemuEngine, plan: Plan, saved: SavedFile, kept: list[str]) -> QemuControl:
    from kvmnb.engines.qemu import record
    from kvmnb.engines.qemu.reaper import end_guest

    folder = plan.folder
    async with engine.roots.alock():
        found = record.read(folder)
        if found is not None and found.process is not None and found.process.alive:
            raise _runs(plan.spec.name)
        _addresses_are_free(engine, plan)
        if folder.run.exists():
            end_guest(folder, None)  # what a start that was killed has left
        shutil.rmtree(folder.state, ignore_errors=True)
        try:
            folder.state.mkdir(mode=0o700)
            # a thread's work cannot be broken off, and it writes into that folder
            await saving.to_its_end(asyncio.to_thread(saved.write_files, folder.state_dir))
            # until it is whole it does not outlive this process
            return await engine.launch(plan, 0.0, kept)
        except BaseException:
            if not folder.run.exists():
                shutil.rmtree(folder.state, ignore_errors=True)
            raise


def _addresses_are_free(engine: QemuEngine, plan: Plan) -> None:
    for info in engine.infos():
        taken = set(info.macs) & set(plan.runtime.macs)
        if taken:
            required = f"it has the address {min(taken)}, which the saved guest had; destroy() it"
            raise StateError(info.name, "running", required)


async def _load(control: QemuControl, saved: SavedFile) -> None:
    fd = saved.open_stream()
    try:
        async with control.monitor.hearing():
            await saving.transfer(control, "migrate-incoming", fd)
    except (GuestLost, StateError, CommandError) as error:
        log = control.last_log or getattr(error, "log_tail", "")
        raise StartError(
            control.info.name,
            command=control.info.command,
            exit_code=control.process.exit_code,
            log_tail=log,
            cause=f"QEMU could not load the state in {saved.path!r}",
            remedy="restore it with the same QEMU, host and devices that it was saved with",
        ) from error
    finally:
        os.close(fd)
    if saved.header["running"]:
        await control.qmp("cont")
    if await control.refresh() == "running" and saved.header["answered"]:
        # a guest whose agent hangs has been restored all the same
        with contextlib.suppress(GuestTimeout):
            await identity.settle(control)
