"""Save a guest to a file, as ``virsh save`` does: memory, devices, disks; then it is ended.

QEMU writes its migration stream into a pipe, and this process writes it to the file: so a full
disk and a killed saver break the pipe, which ends the migration and not the guest.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shlex
import time
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

from kvmnb.engines.base import Step
from kvmnb.engines.qemu.copying import layers, standstill
from kvmnb.engines.qemu.copying.copies import backed
from kvmnb.engines.qemu.copying.exclusive import alone
from kvmnb.engines.qemu.copying.migration import carry_on
from kvmnb.engines.qemu.echo import hmp_line, qmp_text
from kvmnb.engines.qemu.monitor import MonitorClosed
from kvmnb.engines.qemu.saving import outside
from kvmnb.engines.qemu.saving.snapshots import MIGRATING, not_migrating
from kvmnb.engines.qemu.saving.writer import Writer
from kvmnb.errors import CommandError, EngineError, StateError
from kvmnb.images.header import peek
from kvmnb.spec import validate
from kvmnb.spec.codec import encode
from kvmnb.units import human

if TYPE_CHECKING:
    from kvmnb.engines.base import Progress
    from kvmnb.engines.qemu.control import QemuControl
    from kvmnb.engines.qemu.saving.file import Told

__all__ = ["NAME", "save", "to_its_end", "transfer"]

UNLIMITED = 1 << 40
"""Bytes a second, for a file on this host (QMP, migrate-set-parameters, max-bandwidth)."""

PIPE_BYTES = 1 << 20
"""What an ordinary user's pipe may hold at most (pipe(7), /proc/sys/fs/pipe-max-size)."""

NAME = "kvmnb-state"
"""What QEMU calls the descriptor."""

DIRECT = ("kernel", "initrd", "append")
"""QEMU's options that load a kernel by hand, in the spelling of `DirectBoot`."""


async def save(control: QemuControl, path: str, progress: Progress | None = None) -> None:
    """Write a guest to a file and end it; if anything fails, it goes on as it was.

    Raises
    ------
    SpecError     there is no such folder, or something else is at `path`
    HostError     no room, or no right to write there
    StateError    it neither runs nor is paused, a migration is under way, or QEMU failed
    Unsupported   a device keeps its state to itself
    GuestLost     QEMU ended meanwhile
    """
    path = os.path.abspath(os.path.expanduser(validate.path("save", path)))
    await not_migrating(control)
    with alone(control):
        state = await control.refresh()
        if state not in {"running", "paused"}:
            required = "only a running or paused guest can be saved"
            raise StateError(control.info.name, state, required)
        running = state == "running"
        with Writer(path, await _header(control, running)) as file:
            async with control.monitor.hearing(), _standing_still(control, running):
                await _write(control, file, progress)


async def _write(control: QemuControl, file: Writer, progress: Progress | None) -> None:
    await _write_stream(control, file, _telling(progress, "memory"))
    # QEMU has written all of the disks now, and let go of them
    active = await layers.active(control)
    blocks = await control.qmp("query-block")
    work = _write_disks(control, file, active, blocks, _telling(progress, "disks"))
    await to_its_end(work)
    await to_its_end(_commit(control, file))


async def _header(control: QemuControl, running: bool) -> dict[str, Any]:
    version = (await control.qmp("query-version"))["qemu"]
    kind = await control.qmp("qom-get", {"path": "/machine", "property": "type"})
    argv = control.info.command
    direct = {
        option: argv[argv.index(f"-{option}") + 1] for option in DIRECT if f"-{option}" in argv
    }
    return {
        "spec": encode(control.info.spec),
        "qemu": [version["major"], version["minor"], version["micro"]],
        "machine": str(kind).removesuffix("-machine"),
        "accel": control.info.accel,
        "backed": backed(argv),
        "macs": list(control.info.macs),
        "direct_boot": direct,
        "running": running,
        "answered": control.agent.answered,
        "saved_s": time.time(),
    }


@contextlib.asynccontextmanager
async def _standing_still(control: QemuControl, running: bool) -> AsyncIterator[None]:
    """Stop the guest; let it go on as it was if the block fails."""
    if running:
        # the reaper lets the guest go on should this process be killed
        standstill.enter(control.folder)
    try:
        if running:
            await control.qmp("stop")
        yield
    except BaseException:
        await asyncio.shield(asyncio.ensure_future(_go_on(control, running)))
        raise


async def _go_on(control: QemuControl, running: bool) -> None:
    with contextlib.suppress(EngineError):
        await control.qmp("migrate_cancel")
        # before it has given up the migration, QEMU does not let the guest go on
        while (await control.qmp("query-migrate")).get("status") in MIGRATING:
            await asyncio.sleep(0.01)
        if running:
            await carry_on(control)
        await control.refresh()
    standstill.leave(control.folder)


async def _write_stream(control: QemuControl, file: Writer, told: Told) -> None:
    out, into = os.pipe2(os.O_CLOEXEC)
    stop = os.eventfd(0, os.EFD_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    taking = asyncio.ensure_future(asyncio.to_thread(file.take_stream, out, stop, told))
    # a reader that has failed breaks the pipe, or QEMU would wait for it
    taking.add_done_callback(lambda _: os.close(out))
    try:
        try:
            await transfer(control, "migrate", into)
        finally:
            os.close(into)
        await asyncio.shield(taking)
    except BaseException:
        os.eventfd_write(stop, 1)
        await asyncio.wait([taking])
        taking.result()  # why it broke the pipe is what there is to say
        raise
    finally:
        os.close(stop)


async def transfer(control: QemuControl, command: str, fd: int) -> None:
    """Let QEMU write its whole state to a descriptor (``migrate``), or read it.

    Call it within `Monitor.hearing`.

    Parameters
    ----------
    command : ``"migrate"`` or ``"migrate-incoming"``

    Raises
    ------
    StateError   it failed, with QEMU's reason; `GuestLost` if QEMU ended
    """
    events = control.hub.subscribe()
    capabilities = [
        {"capability": "events", "state": True},
        {"capability": "x-ignore-shared", "state": False},
    ]
    await control.qmp("migrate-set-capabilities", {"capabilities": capabilities})
    await control.qmp("migrate-set-parameters", {"max-bandwidth": UNLIMITED})
    try:
        await control.monitor.give_fd(NAME, fd)
    except MonitorClosed as error:
        raise await control.fail(error) from error
    try:
        await control.qmp(command, {"uri": f"fd:{NAME}"})
    except CommandError:
        with contextlib.suppress(EngineError):
            await control.qmp("closefd", {"fdname": NAME})
        raise
    async for event in events:
        status = event.detail.get("status")
        if event.kind == "migration" and status in {"completed", "failed", "cancelled"}:
            break
    else:
        raise await control.fail()
    if status != "completed":
        why = (await control.qmp("query-migrate")).get("error-desc") or f"the migration {status}"
        raise StateError(control.info.name, "not saved", f"QEMU broke off: {why}")


async def _write_disks(
    control: QemuControl,
    file: Writer,
    active: list[layers.Layer],
    blocks: list[dict[str, Any]],
    told: Told,
) -> None:
    folder = control.folder.state
    chains = {layer.index: layers.chain(layer.path) for layer in active}
    variables = [each.name for each in folder.glob("uefi-variables.*")]
    bases = []
    for names in chains.values():
        for name in names:
            await asyncio.to_thread(file.take_file, str(folder / name), told)
        below = peek(str(folder / names[-1])).backing_file
        if below is not None:
            bases.append(below)
    for name in variables:
        await asyncio.to_thread(file.take_file, str(folder / name), told)
    file.facts["tops"] = {str(index): names[0] for index, names in chains.items()}
    file.facts["variables"] = variables
    file.facts["bases"] = [outside.seen(path) for path in bases]
    file.facts["own"] = [outside.seen(path) for path in _own_files(blocks, str(folder))]


def _own_files(blocks: list[dict[str, Any]], folder: str) -> list[str]:
    """Return the user's own files that the guest writes to: they stay where they are."""
    inserted = [block["inserted"] for block in blocks if "inserted" in block]
    files = [str(each["file"]) for each in inserted if not each["ro"]]
    return [path for path in files if path.startswith("/") and os.path.dirname(path) != folder]


async def _commit(control: QemuControl, file: Writer) -> None:
    await asyncio.to_thread(file.commit)
    control.remember(
        "save",
        qmp_text("migrate", {"uri": f"fd:{NAME}"}),
        hmp=hmp_line("migrate", f"exec:cat > {shlex.quote(file.path)}"),
        virsh=control.virsh("save", file.path),
    )
    await control.destroy()


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await what must not be left half done: a thread still writes to the file."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    finally:
        await asyncio.wait([task])


def _telling(progress: Progress | None, what: str) -> Told:
    """Return what tells how many bytes of it are written."""

    def told(done: int) -> None:
        if progress is not None:
            progress(Step(f"{what} written", float(done), None, human(done)))

    return told
