"""The embedded engine: starts, finds and ends guests of one user on this machine."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from kvmnb.engines.qemu.facts import QemuFacts, cached_facts, facts
from kvmnb.engines.qemu.folders import Roots
from kvmnb.engines.qemu.plan import Plan, make_plan
from kvmnb.errors import HostError, StartError, StateError
from kvmnb.images.catalogue import Images
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import CatalogueImage

# What only a guest that runs needs is imported by the verbs that need it: `vm.command()` in a
# fresh process is to cost a notebook next to nothing (benchmarks/fluent_line.py).
if TYPE_CHECKING:
    from kvmnb.compile.runtime import Runtime
    from kvmnb.engines.base import Checkpoint, GuestInfo, HostInfo, Progress, Wait
    from kvmnb.engines.qemu.catalogue_facts import Catalogue
    from kvmnb.engines.qemu.children import Outliving
    from kvmnb.engines.qemu.control import QemuControl
    from kvmnb.engines.qemu.copying.spares import Spares
    from kvmnb.engines.qemu.folders import GuestFolder
    from kvmnb.engines.qemu.record import Record
    from kvmnb.engines.qemu.templates.store import Templates
    from kvmnb.images.catalogue import Progress as ImageProgress

__all__ = ["QemuEngine"]

_controls: dict[tuple[int, str], QemuControl] = {}
"""One control per guest in each process: two would take each other's place at the sockets."""


class QemuEngine:
    """Runs guests as QEMU processes of the user's own.

    Parameters
    ----------
    images : where disks by name come from
    binary : QEMU's path; ``None`` finds it
    """

    name = "qemu"

    def __init__(self, images: Images, binary: str | None = None) -> None:
        self.images = images
        self.roots = Roots.from_environment()
        self._binary = binary
        self._facts: QemuFacts | None = None
        self._templates: Templates | None = None
        self._spares: Spares | None = None

    @property
    def facts(self) -> QemuFacts:
        """What this machine's QEMU can do."""
        if self._facts is None:
            self._facts = facts(self._binary)
        return self._facts

    @property
    def templates(self) -> Templates:
        """The guests that were kept for warm starts."""
        from kvmnb.engines.qemu.templates.store import Templates

        if self._templates is None:
            self._templates = Templates()
        return self._templates

    @property
    def spares(self) -> Spares:
        """The guests that are kept ready for the next warm starts."""
        from kvmnb.engines.qemu.copying.spares import Spares

        if self._spares is None:
            self._spares = Spares(self)
        return self._spares

    @property
    def catalogue(self) -> Catalogue:
        """What this machine's QEMU has to offer, in more words."""
        from kvmnb.engines.qemu.catalogue_facts import Catalogue

        return Catalogue(self.facts.path)

    def known(self) -> HostInfo:
        """Return what is known without asking QEMU or the kernel: cached answers only."""
        from kvmnb.engines.base import HostInfo
        from kvmnb.engines.qemu import accel

        found = self._facts or cached_facts(self._binary)
        choice = accel.known()
        return HostInfo(
            engine=self.name,
            binary=found.path if found else None,
            version=".".join(map(str, found.version)) if found else None,
            accel=choice.accel if choice else None,
            accel_reason=choice.reason if choice else "",
        )

    # -- what would happen ----------------------------------------------------------------

    def plan(self, spec: DomainSpec, progress: Progress | None = None) -> Plan:
        """Decide what `spec` leaves open; images that are not here yet are fetched."""
        for back in spec.backs:
            if isinstance(back, CatalogueImage):
                self.images.get(back.name, _image_progress(progress))
        return make_plan(spec, self.roots, self.facts, self.images)

    def looked_at(self, spec: DomainSpec) -> Plan:
        """Return the plan for whoever wants to read it; what is missing here stops nobody."""
        return make_plan(spec, self.roots, self.facts, self.images, looking=True)

    def command(self, spec: DomainSpec) -> tuple[str, ...]:
        """Return the argv that `start` would execute."""
        return self.looked_at(spec).argv

    def runtime(self, spec: DomainSpec) -> Runtime:
        """Return what the compilers are told of this host for `spec`."""
        return self.looked_at(spec).runtime

    # -- guests that run ------------------------------------------------------------------

    def names(self) -> tuple[str, ...]:
        """Return the names of the guests that run; reads the records, asks nobody."""
        return tuple(info.name for info in self.infos())

    def infos(self) -> tuple[GuestInfo, ...]:
        """Return what is recorded of each guest that runs."""
        from kvmnb.engines.qemu import record as records

        return tuple(
            found.info(folder)
            for folder, found in records.records(self.roots)
            if found.process is not None and found.process.alive
        )

    async def find(self, name: str) -> QemuControl | None:
        """Return the running guest of that name, whichever process started it."""
        from kvmnb.engines.qemu import record as records

        folder = self.roots.guest(name)
        found = records.read(folder)
        if found is None or found.process is None or not found.process.alive:
            return None
        return await self._adopt(folder, found)

    def end(self, name: str) -> bool:
        """End a guest by its process, without its monitor; return whether there was one."""
        from kvmnb.engines.qemu import record as records
        from kvmnb.engines.qemu.reaper import end_guest

        folder = self.roots.guest(name)
        if not folder.run.exists():
            return False
        with self.roots.lock():
            found = records.read(folder)
            end_guest(folder, found.process if found else None)
        return True

    def reap(self) -> list[str]:
        """End every guest that has no living owner; return their names."""
        from kvmnb.engines.qemu.reaper import reap

        return reap(self.roots, now=True)[0]

    async def _adopt(self, folder: GuestFolder, found: Record) -> QemuControl | None:
        import asyncio

        from kvmnb.engines.qemu import leases
        from kvmnb.engines.qemu.copying import standstill

        control = _known(folder, found)
        if control is None:
            try:
                control = self.hold(folder, found, None)
            except FileNotFoundError:
                return None  # it has ended since its record was read
            try:
                leases.own(folder)
                leases.ensure_reaper(self.roots)
                await asyncio.to_thread(standstill.recover, folder)
                await control.monitor.connect()
                await control.refresh()
            except FileNotFoundError:
                raise await control.fail() from None
        return control

    def hold(self, folder: GuestFolder, found: Record, popen: Outliving | None) -> QemuControl:
        """Return this process's handle on a guest that runs; `popen` if it is a child of ours."""
        from kvmnb.engines.qemu.control import QemuControl

        control = QemuControl(self, folder, found, popen)
        _controls[os.getpid(), folder.run_dir] = control
        return control

    # -- start ----------------------------------------------------------------------------

    async def start(
        self,
        spec: DomainSpec,
        *,
        wait: Wait,
        timeout_s: float | None,
        keep_s: float | None,
        replace: bool,
        progress: Progress | None,
        warm: bool = False,
    ) -> QemuControl:
        """Start a guest, or return the one of this name that already runs with the same spec.

        Parameters
        ----------
        warm : restore it from a template, if it can be kept as one

        Raises
        ------
        StateError   a guest of that name runs with another spec, and `replace` is false
        StartError   QEMU ended at once, or the guest did not come to answer
        HostError    no room for the guest's files, or no QEMU
        """
        from kvmnb.engines.qemu.starting import start

        return await start(
            self,
            spec,
            wait=wait,
            timeout_s=timeout_s,
            keep_s=keep_s,
            replace=replace,
            progress=progress,
            warm=warm,
        )

    def kept_checkpoints(self) -> tuple[Checkpoint, ...]:
        """Return the checkpoints that outlive their guests, oldest first."""
        from kvmnb.engines.qemu.copying import checkpoints

        return checkpoints.kept(self.roots)

    async def revive(self, checkpoint: Checkpoint, *, keep_s: float | None) -> QemuControl:
        """Start a guest again from one of its checkpoints; see `revive.revive`."""
        from kvmnb.engines.qemu.copying import revive

        return await revive.revive(self, checkpoint, keep_s)

    async def restore(
        self, path: str, *, keep_s: float | None, progress: Progress | None
    ) -> QemuControl:
        """Start a guest again from the file that it was saved to; see `restoring.restore`."""
        from kvmnb.engines.qemu.saving import restore as restoring

        return await restoring.restore(self, path, keep_s=keep_s, progress=progress)

    async def launch(self, plan: Plan, keep_s: float | None, kept: list[str]) -> QemuControl:
        """Claim the guest's name and start its QEMU; the caller holds the root's lock.

        Parameters
        ----------
        kept : is given the files that were made outside the guest's own folder
        """
        import asyncio

        from kvmnb.engines.qemu import companions, disks, leases, process
        from kvmnb.engines.qemu import record as records
        from kvmnb.engines.qemu.proc import Process
        from kvmnb.engines.qemu.reaper import end_guest

        folder, argv = plan.folder, plan.argv
        beside = await asyncio.to_thread(companions.lines, plan.spec, plan.runtime)
        if folder.run.exists():
            end_guest(folder, None)  # what a start that was killed has left
        new = records.Record(
            spec=plan.spec,
            process=None,
            argv=argv,
            accel=plan.choice.accel,
            accel_reason=plan.choice.reason,
            macs=plan.runtime.macs,
            created_s=time.time(),
            keep_s=keep_s,
        )
        try:
            folder.create()
            leases.own(folder)
            records.write(folder, new)
            leases.ensure_reaper(self.roots)
            await disks.prepare(plan, kept)

            def accompanied(found: tuple[Process, ...]) -> None:
                nonlocal new
                new = new.accompanied(found)
                records.write(folder, new)

            await companions.start(beside, folder, accompanied)
            popen = process.spawn(
                argv,
                folder,
                desktop=process.opens_a_window(plan.spec),
                inherited=(*process.taps(plan.spec), *plan.inherited),
            )
            started = Process.of(popen.pid)
            if started is None:  # it has ended already; its exit code tells the rest
                started = Process(popen.pid, 0)
            new = new.started(started)
            records.write(folder, new)
        except BaseException as error:
            await asyncio.shield(asyncio.to_thread(companions.end, new.companions))
            folder.remove()
            disks.remove(kept)
            if isinstance(error, OSError):
                raise HostError(
                    f"guest {plan.spec.name!r} could not be started: {error}",
                    "free some room: df -h, df -i, ulimit -a; end other guests: kvmnb ls",
                ) from error
            raise
        return self.hold(folder, new, popen)

    async def listening(self, control: QemuControl, plan: Plan) -> None:
        """Wait until QEMU answers; `StartError` if it has ended instead."""
        from kvmnb.compile.qemu import MONITORS
        from kvmnb.engines.qemu import diagnose, process
        from kvmnb.engines.qemu.monitor import MonitorClosed

        socket = control.folder.run / f"{MONITORS[0]}.sock"
        began = time.monotonic()
        popen = control.process.popen
        try:
            if popen is not None and await process.wait_for_socket(socket, popen):
                await control.monitor.connect()
                await control.refresh()
                return
        except (MonitorClosed, StateError):
            pass
        await control.gone()
        log = control.last_log
        files = [file.path for file in plan.runtime.disks]
        cause, remedy = diagnose.log_cause(log, files, self.roots)
        raise StartError(
            plan.spec.name,
            command=control.info.command,
            exit_code=control.process.exit_code,
            log_tail=log,
            cause=cause,
            remedy=remedy,
            waited_s=time.monotonic() - began,
        )


def _known(folder: GuestFolder, found: Record) -> QemuControl | None:
    """Return this process's control of exactly that guest."""
    control = _controls.get((os.getpid(), folder.run_dir))
    if control is None or control.record.process != found.process:
        return None
    return None if control.process.exited.is_set() else control


def _image_progress(progress: Progress | None) -> ImageProgress | None:
    if progress is None:
        return None
    from kvmnb.engines.base import Step

    return lambda what, done, total, detail: progress(Step(what, done, total, detail))
