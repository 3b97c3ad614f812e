"""Take the state of a running guest, memory, devices and disks at one moment, and let it go on.

While the guest runs: the next layer of each disk is made and its memory is copied once. While
it stands still: the disks' layers are frozen, QEMU writes its device state, and the copy of the
memory is brought up to date.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kvmnb.engines.qemu.copying import identity, ram, standstill
from kvmnb.engines.qemu.copying import layers as disks
from kvmnb.engines.qemu.copying.copyable import reason
from kvmnb.engines.qemu.copying.exclusive import alone
from kvmnb.engines.qemu.copying.merging import merge
from kvmnb.engines.qemu.copying.migration import UNDER_WAY, carry_on, migrate, state_migration
from kvmnb.errors import CommandError, HostError, ImageError, KvmnbError, StateError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = [
    "NO_ROOM",
    "Captured",
    "Capturing",
    "capture",
    "capturing",
    "refusal",
    "room_again",
]

NO_ROOM = "free some room: df -h, df -i; forget checkpoints: guest.drop(…)"


@dataclass(slots=True)
class Captured:
    """The state of a guest at one moment.

    Parameters
    ----------
    ram : a frozen file in memory; ``None`` where the memory is in `devices`
    devices : a file in memory with QEMU's migration stream
    layers : of each disk that has some, by its index: the names of the files, the newest first
    blanks : the content of an empty layer on top of each of those
    folder : where those files are: the guest's state folder
    firmware : the firmware's variables; ``None`` for a guest without
    running : whether its processors ran
    time_s : when it was, in seconds since the epoch
    pause_s : how long the guest stood still
    """

    ram: int | None
    devices: int
    layers: dict[int, tuple[str, ...]]
    blanks: dict[int, bytes]
    folder: str
    firmware: bytes | None
    running: bool
    time_s: float
    pause_s: float

    def close(self) -> None:
        """Let go of both files."""
        for fd in (self.ram, self.devices):
            if fd is not None:
                os.close(fd)
        self.ram, self.devices = None, -1


async def refusal(control: QemuControl) -> str:
    """Return why this guest's state cannot be taken now, or ``""``."""
    found = reason(control.info.spec)
    if found:
        return found
    status = await control.qmp("query-migrate")
    if status.get("blocked-reasons"):
        return "; ".join(map(str, status["blocked-reasons"]))
    if status.get("status") in UNDER_WAY:
        return "a migration is under way"
    return ""


async def capture(control: QemuControl) -> Captured:
    """Take a guest's state; it stands still for a blink and goes on as it was.

    If anything fails, the guest goes on, and what was made for the copy is gone. Its disks may
    have got a new layer, which changes nothing for it.

    Raises
    ------
    StateError   the guest cannot be copied, and why; or QEMU could not write its state
    HostError    no room for the copy
    """
    async with capturing(control) as taking:
        return await taking.finish()


class Capturing:
    """A state that is about to be taken: its copies can be started, and wait for it.

    Parameters
    ----------
    layers : of the disks, that are to be frozen
    blanks : by the disk's index, the content of an empty layer on top of each

    Attributes
    ----------
    early : the state as far as its copies have to know it: memory and devices are to be filled
    """

    def __init__(
        self,
        control: QemuControl,
        running: bool,
        copy: ram.Copy | None,
        layers: list[disks.Layer],
        blanks: dict[int, bytes],
    ) -> None:
        self._control, self._running, self._copy = control, running, copy
        self._layers = layers
        self._finished = False
        self.early = Captured(
            ram=None if copy is None else copy.fd,
            devices=os.memfd_create("kvmnb-devices", os.MFD_CLOEXEC),
            # the names stay as they are: a layer is frozen by the next one coming on top
            layers={layer.index: disks.chain(layer.path) for layer in layers},
            blanks=blanks,
            folder=control.folder.state_dir,
            firmware=_firmware(control),
            running=running,
            time_s=0.0,
            pause_s=0.0,
        )
        self._first_pass = asyncio.ensure_future(_to_thread(copy, "begin"))
        self._next_layers = asyncio.ensure_future(self._make_layers())

    async def _make_layers(self) -> list[dict[str, Any]]:
        await disks.sweep(self._control, self._layers)  # what one has left that was killed
        return await disks.next_layers(self._control, self._layers, self.early.blanks)

    async def finish(self) -> Captured:
        """Take the state, and return it whole; the caller closes it."""
        control, copy, state = self._control, self._copy, self.early
        if self._running and control.info.spec.agent and control.agent.answered:
            await control.agent.attach()  # its copies are to find the line open
        await self._first_pass
        freezes = await self._next_layers
        async with (
            state_migration(control, without_ram=copy is not None),
            _standing_still(control, self._running) as times,
        ):
            if freezes:
                await control.qmp("transaction", {"actions": freezes})
            written = migrate(control, "migrate", state.devices)
            await asyncio.gather(written, _to_thread(copy, "refresh"))
            state.firmware = await asyncio.to_thread(_firmware, control)
        state.time_s, state.pause_s = times
        if copy is not None:
            state.ram = copy.freeze()
        if state.running:
            control.behind_s += state.pause_s
            if control.behind_s > identity.BEHIND_S and control.agent.answered:
                control.spawn(identity.catch_up(control))
        self._finished = True
        return state

    async def close(self) -> None:
        """Let go of what was made for a state that was not taken."""
        for work in (self._first_pass, self._next_layers):
            work.cancel()
        await asyncio.gather(self._first_pass, self._next_layers, return_exceptions=True)
        if self._copy is not None:
            await asyncio.to_thread(self._copy.close)
        if not self._finished:
            os.close(self.early.devices)
            with contextlib.suppress(KvmnbError, OSError):
                await disks.sweep(self._control, await disks.active(self._control))


async def _to_thread(copy: ram.Copy | None, work: str) -> None:
    if copy is not None:
        await asyncio.to_thread(getattr(copy, work))


@contextlib.asynccontextmanager
async def capturing(control: QemuControl) -> AsyncIterator[Capturing]:
    """Give a guest's state as it is about to be taken; the guest runs until `finish`.

    Raises
    ------
    As `capture` does.
    """
    async with control.state_lock:
        with alone(control):
            name = control.info.name
            why = await refusal(control)
            if why:
                raise StateError(name, "not to be copied", why)
            state = await control.refresh()
            if state not in {"running", "paused"}:
                raise StateError(name, state, "only a running or paused guest has a state to take")
            pid = control.record.process.pid if control.record.process is not None else 0
            source = ram.of(pid, control.record.argv)
            taking: Capturing | None = None
            copy: ram.Copy | None = None
            try:
                await merge(control)
                layers = await disks.active(control)
                blanks = {layer.index: await disks.blank(layer) for layer in layers}
                copy = None if source is None else ram.Copy(source)
                taking = Capturing(control, state == "running", copy, layers, blanks)
                yield taking
            except CommandError as error:
                raise StateError(name, "not copied", f"QEMU refused: {error}") from error
            except TimeoutError:
                raise
            except (ImageError, OSError) as error:
                raise HostError(f"guest {name!r} could not be copied: {error}", NO_ROOM) from error
            finally:
                if taking is not None:
                    await asyncio.shield(asyncio.ensure_future(taking.close()))
                elif copy is not None:
                    copy.close()
                if source is not None:
                    os.close(source)


async def room_again(control: QemuControl, *, ran: bool) -> None:
    """Let a guest go on that found the disk full while its state was written there.

    QEMU stops a guest whose write finds no room (werror=enospc), and tries again when it goes on.
    """
    with contextlib.suppress(KvmnbError):
        if ran and (await control.qmp("query-status"))["status"] == "io-error":
            await control.qmp("cont")
            await control.refresh()


@contextlib.asynccontextmanager
async def _standing_still(control: QemuControl, running: bool) -> AsyncIterator[list[float]]:
    """Let the guest stand still for the block; give when that began, and, after it, how long."""
    times = [time.time(), 0.0]
    began = time.monotonic()
    if not running:
        try:
            yield times
        finally:
            await asyncio.shield(asyncio.ensure_future(_stay(control)))
        return
    # the reaper lets the guest go on should this process be killed here
    standstill.enter(control.folder)
    control.standing_still = True
    try:
        await control.qmp("stop")
        times[0] = time.time()
        yield times
    finally:
        await asyncio.shield(asyncio.ensure_future(_go_on(control)))
        times[1] = time.monotonic() - began


async def _stay(control: QemuControl) -> None:
    """Let a paused guest be one again that can be copied, saved, and written to.

    After a migration QEMU lets go of the disks and refuses another one, until the guest goes on
    (QEMU migration/migration.c, migrate_prepare). It does, for less than a millisecond.
    """
    if (await control.qmp("query-status"))["status"] != "postmigrate":
        return
    control.standing_still = True
    try:
        await carry_on(control, pause=True)
        await control.refresh()
    finally:
        control.standing_still = False


async def _go_on(control: QemuControl) -> None:
    try:
        await carry_on(control)
        await control.refresh()
    finally:
        control.standing_still = False
        standstill.leave(control.folder)


def _firmware(control: QemuControl) -> bytes | None:
    """Return the firmware's variables; QEMU writes them through, and stands still now."""
    for suffix in (".fd", ".qcow2"):
        path = control.folder.state / f"uefi-variables{suffix}"
        if path.exists():
            return path.read_bytes()
    return None
