"""Host: the entry point; one per node."""

from __future__ import annotations

import os
import time
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from kvmnb import portal
from kvmnb.engines.base import Checkpoint
from kvmnb.engines.registry import engine_for
from kvmnb.errors import SpecError, StateError
from kvmnb.images.catalogue import Images
from kvmnb.portal import verb
from kvmnb.spec import validate
from kvmnb.spec.domain import DomainSpec
from kvmnb.units import FOREVER, Duration, duration_s
from kvmnb.vm import VM

if TYPE_CHECKING:
    from pathlib import Path

    import pandas

    from kvmnb.display.cards import Card
    from kvmnb.display.checkpoints import Checkpoints
    from kvmnb.display.devices import Devices
    from kvmnb.display.image_work import ImageWork
    from kvmnb.display.progress import Showing
    from kvmnb.doctor import Report
    from kvmnb.engines.qemu.engine import QemuEngine
    from kvmnb.guest import Guest
    from kvmnb.parse.result import Parsed
    from kvmnb.widgets.host_view import HostView

__all__ = ["Guests", "Host"]


SPARES_LIMIT = 64
"""More guests that stand ready, of each kind, are a slip of the keyboard."""


class Host:
    """A machine that runs guests.

    Making one does nothing; the first verb that needs the machine asks it.

    Parameters
    ----------
    uri : who runs the guests; ``None`` for QEMU itself, as the user's own processes
    keep : how long a guest outlives its last owner, unless `VM.start` says otherwise:
        seconds, ``"15 min"``, ``0``, ``"forever"``
    qemu : path of the QEMU binary; ``None`` finds it
    images : folder of the images; ``None`` means ``kvmnb/images`` under XDG_CACHE_HOME
    warm : every start restores the guest from a template, which the first one makes
    spare : how many of each guest that was started so are kept ready for the next start; each
        takes the memory that the guest has touched
    """

    def __init__(
        self,
        uri: str | None = None,
        *,
        keep: Duration = "15 min",
        qemu: str | None = None,
        images: str | Path | None = None,
        warm: bool = False,
        spare: int = 0,
    ) -> None:
        self.uri = uri
        self.warm = validate.switch("host.warm", warm)
        self.keep = keep
        self.images = Images(images, show=_show_work)
        self.engine: QemuEngine = engine_for(uri, self.images, qemu)
        if spare:
            if not warm:
                raise SpecError(
                    "host.spare", spare, "goes with warm=True: it is made of a template"
                )
            self.engine.spares.count = validate.positive("host.spare", spare, SPARES_LIMIT)

    def vm(self, name: str, *, bare: bool = False) -> VM:
        """Describe a guest: ``host.vm("test").mem(128).disk("tiny")``.

        Parameters
        ----------
        bare : without the balloon, agent, console, screen, entropy source and generation id
            that every guest has unless told otherwise
        """
        if bare:
            from kvmnb.builder.python import bare as nothing_more

            return VM(nothing_more(name), self)
        return VM(DomainSpec(name=name), self)

    def from_command(self, line: str) -> VM:
        """Describe the guest of a qemu-kvm or QEMU command line, however old it is.

        Nothing is run, and no shell is asked. What a reader should know of the line is in the
        VM's `notes`.

        Raises
        ------
        ParseError   where the line is wrong, why, and the likely word
        """
        from kvmnb import parse

        return self._pasted(parse.qemu(line))

    def from_xml(self, xml: str) -> VM:
        """Describe the guest of a libvirt domain's XML, as ``virsh dumpxml`` prints it.

        Raises
        ------
        ParseError   where the XML is wrong, and why
        """
        from kvmnb import parse

        return self._pasted(parse.libvirt(xml))

    def from_virt_install(self, line: str) -> VM:
        """Describe the guest of a virt-install command line.

        Raises
        ------
        ParseError   where the line is wrong, why, and the likely word
        """
        from kvmnb import parse

        return self._pasted(parse.virt_install(line))

    def _pasted(self, parsed: Parsed) -> VM:
        from kvmnb.builder.pasted import brought_here
        from kvmnb.display.notes import Notes

        spec, notes = brought_here(parsed, self)
        return VM(spec, self, Notes(notes, parsed.text))

    @verb
    def restore(
        self, source: str | os.PathLike[str] | Checkpoint, *, keep: Duration | None = None
    ) -> Coroutine[Any, Any, Guest]:
        """Start a guest again that `Guest.save` wrote to a file, or from a kept checkpoint.

        It runs if it ran, and its clock is set. The file, or the checkpoint, stays. Restore only
        what you trust: to load a state is to believe it.

        Parameters
        ----------
        source : the file's path, or one of `checkpoints`
        keep : how long the guest outlives its last owner, as for `VM.start`

        Raises
        ------
        SpecError    no saved guest, or a damaged one; a disk of it has changed since
        StateError   a guest of its name runs here
        HostError    a QEMU that cannot load it, or no room
        StartError   QEMU could not load it; the error has the command and the log
        """
        from kvmnb.display.progress import progress

        keep = self.keep if keep is None else keep
        keep_s = None if keep == FOREVER else duration_s(keep, "restore.keep")
        what = source.guest if isinstance(source, Checkpoint) else os.fspath(source)
        return self._restore(source, keep_s, progress(f"restore {what}"))

    async def _restore(
        self, source: str | os.PathLike[str] | Checkpoint, keep_s: float | None, shown: Showing
    ) -> Guest:
        from kvmnb.guest import Guest

        with shown as report:
            if isinstance(source, Checkpoint):
                control = await self.engine.revive(source, keep_s=keep_s)
            else:
                path = os.fspath(source)
                control = await self.engine.restore(path, keep_s=keep_s, progress=report)
        return Guest(control)

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of all guests that were taken with ``keep=True``."""
        from kvmnb.display.checkpoints import Checkpoints

        return Checkpoints(self.engine.kept_checkpoints(), None, "guests that are kept")

    @property
    def guests(self) -> Guests:
        """The guests that run here, by name, whichever process started them."""
        return Guests(self.engine)

    def doctor(self) -> Report:
        """Examine this machine: what works, what is missing, and the command that mends it."""
        from kvmnb.doctor import examine

        return examine()

    def view(self) -> HostView:
        """Return a live table of all guests."""
        from kvmnb.widgets.host_view import HostView

        return HostView(self.guests._controls)

    # -- what this machine's QEMU offers -------------------------------------------------

    @property
    def machines(self) -> pandas.DataFrame:
        """The boards that this QEMU knows (``-machine help``)."""
        import pandas

        table = pandas.DataFrame.from_dict(self.engine.facts.machines, orient="index")
        table["description"] = pandas.Series(self.engine.catalogue.machines(), dtype=object)
        return table.rename_axis("machine").sort_index()

    @property
    def cpus(self) -> pandas.DataFrame:
        """The CPU models that this QEMU knows (``-cpu help``), and what each lacks here.

        ``missing`` names the features of a model that the accelerator cannot provide.
        """
        import pandas

        accel = self.engine.known().accel or "tcg"
        rows = [
            {
                "cpu": told["name"],
                "alias_of": told.get("alias-of", ""),
                "deprecated": told.get("deprecated", False),
                "missing": ", ".join(dict.fromkeys(told.get("unavailable-features", ()))),
            }
            for told in self.engine.catalogue.cpus(accel)
        ]
        columns = ["cpu", "alias_of", "deprecated", "missing"]
        return pandas.DataFrame(rows, columns=columns).sort_values("cpu", ignore_index=True)

    @property
    def nics(self) -> pandas.DataFrame:
        """The network cards that this QEMU has: the word for ``nic``, the device, its bus."""
        import pandas

        rows = [
            (word, device.name, device.bus, device.description)
            for word, device in self.engine.catalogue.nics()
        ]
        return pandas.DataFrame(rows, columns=["model", "device", "bus", "description"])

    @property
    def devices(self) -> Devices:
        """The devices that this QEMU has; ``host.devices("e1000")`` gives the properties of one.

        ``host.devices()`` gives them all as a table to work with.
        """
        from kvmnb.display.devices import Devices

        catalogue = self.engine.catalogue
        return Devices(catalogue.devices(), catalogue.properties)

    # -- looks ----------------------------------------------------------------------------

    def _card(self) -> Card:
        from kvmnb.display.cards import host_card

        return host_card(self.uri, self.engine.known(), self.engine.names())

    def __repr__(self) -> str:
        return self._card().text

    def _repr_html_(self) -> str:
        return self._card().html


def _show_work(title: str) -> ImageWork:
    from kvmnb.display.image_work import ImageWork

    return ImageWork(title)


class Guests:
    """The running guests of a host: ``host.guests["test"]``, ``list(host.guests)``."""

    def __init__(self, engine: QemuEngine) -> None:
        self._engine = engine

    def __getitem__(self, name: str) -> Guest:
        """Return the guest of that name.

        Raises
        ------
        StateError   no guest of that name runs here
        """
        guest = self.get(name)
        if guest is None:
            running = ", ".join(self) or "none"
            raise StateError(name, "not running", f"guests that run here: {running}")
        return guest

    def get(self, name: str) -> Guest | None:
        """Return the guest of that name, or ``None``."""
        from kvmnb.guest import Guest

        control = portal.run(self._engine.find(name))
        return None if control is None else Guest(control)

    def __iter__(self) -> Iterator[str]:
        return iter(self._engine.names())

    def __len__(self) -> int:
        return len(self._engine.names())

    def __contains__(self, name: object) -> bool:
        return name in self._engine.names()

    async def _controls(self) -> list[Any]:
        found = [await self._engine.find(name) for name in self._engine.names()]
        return [control for control in found if control is not None]

    def end(self, name: str) -> bool:
        """End a guest without asking its monitor; return whether there was one."""
        return self._engine.end(name)

    def reap(self) -> list[str]:
        """End every guest whose owner is gone, however long it was to be kept."""
        return self._engine.reap()

    def rows(self) -> list[tuple[str, ...]]:
        """Return a heading and one row a guest, as text."""
        heading = ("name", "pid", "accel", "mem MiB", "vcpus", "age s", "keep s")
        now = time.time()
        rows: list[tuple[str, ...]] = [heading]
        rows += [
            (
                info.name,
                str(info.pid),
                info.accel,
                str(info.spec.memory.size_mib),
                str(info.spec.cpu.count),
                f"{now - info.created_s:.0f}",
                "forever" if info.keep_s is None else f"{info.keep_s:g}",
            )
            for info in self._engine.infos()
        ]
        return rows

    def to_text(self) -> str:
        """Return the guests as a table of text."""
        from kvmnb.markup import columns

        return columns(self.rows())

    def to_pandas(self) -> pandas.DataFrame:
        """Return name, process, accelerator, memory, vCPUs, age and keep of each."""
        import pandas

        heading, *rows = self.rows()
        return pandas.DataFrame(rows, columns=list(heading))

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from kvmnb.markup import table

        heading, *rows = self.rows()
        return str(table(heading, rows))
