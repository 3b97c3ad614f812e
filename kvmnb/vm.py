"""VM: a guest as it is asked for, verb by verb."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from kvmnb.compile.qemu import NIC_MODELS, laid_out
from kvmnb.errors import SpecError
from kvmnb.portal import verb
from kvmnb.spec import validate
from kvmnb.spec.boot import Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import Accel, DomainSpec, Memory
from kvmnb.spec.network import NIC, User
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, DiskBack, ExistingFile, NewFile
from kvmnb.units import Duration, Size, duration_s, size_bytes, size_mib

if TYPE_CHECKING:
    from typing import Protocol

    from kvmnb.display.command import Command
    from kvmnb.engines.base import Wait
    from kvmnb.engines.qemu.engine import QemuEngine
    from kvmnb.engines.qemu.facts import QemuFacts
    from kvmnb.guest import Guest
    from kvmnb.images.catalogue import Images

    class _Host(Protocol):
        """What a VM needs of the host it is described on."""

        @property
        def images(self) -> Images: ...
        @property
        def engine(self) -> QemuEngine: ...
        @property
        def keep(self) -> Duration: ...


__all__ = ["VM"]

FOREVER = "forever"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class VM:
    """A guest as it is asked for.

    Every verb returns a new VM and leaves this one as it was, so that one VM can be the
    template of many. Wrong values are refused by the verb that got them.

    Examples
    --------
    >>> vm = Host().vm("test").mem(128).smp(2).disk("tiny").nic("virtio")
    >>> guest = vm.start()
    """

    spec: DomainSpec
    host: _Host

    @property
    def name(self) -> str:
        """The guest's name."""
        return self.spec.name

    def _with(self, **changes: Any) -> VM:
        return VM(dataclasses.replace(self.spec, **changes), self.host)

    @property
    def _facts(self) -> QemuFacts:
        return self.host.engine.facts

    # -- what it is ---------------------------------------------------------------------

    def named(self, name: str) -> VM:
        """The same machine under another name."""
        return self._with(name=name)

    def mem(self, size: Size, *, slots: int = 0, maxmem: Size | None = None) -> VM:
        """Memory at start: ``128`` (MiB), ``"128M"``, ``"1G"``; and room to plug in more.

        Parameters
        ----------
        slots, maxmem : how many modules can be plugged in, and up to which total
        """
        most = None if maxmem is None else size_mib(maxmem, "mem.maxmem")
        size = size_mib(size, "mem")
        return self._with(memory=Memory(size_mib=size, slots=slots, maximum_mib=most))

    def smp(
        self,
        count: int,
        *,
        sockets: int | None = None,
        cores: int | None = None,
        threads: int | None = None,
        maxcpus: int | None = None,
    ) -> VM:
        """vCPUs at start, their layout, and how many there may be after hot plug."""
        cpu = CPU(
            count=count,
            sockets=sockets,
            cores=cores,
            threads=threads,
            maximum=maxcpus,
            model=self.spec.cpu.model,
        )
        return self._with(cpu=cpu)

    def cpu(self, model: str) -> VM:
        """CPU model: a name of ``host.cpus``, ``"max"``, or ``"host"`` (needs KVM)."""
        known = tuple(self._facts.cpus)
        if known:
            validate.choice("cpu", model, known)
        return self._with(cpu=dataclasses.replace(self.spec.cpu, model=model))

    def machine(self, board: str) -> VM:
        """Board: ``"pc"``, ``"q35"``, or a version of one of them out of ``host.machines``."""
        boards = tuple(name for name in self._facts.machines if laid_out(name))
        return self._with(machine=validate.choice("machine", board, boards))

    def accel(self, accel: Accel) -> VM:
        """Accelerator: ``"kvm"``, ``"tcg"``, or ``"auto"`` for KVM where it really works."""
        return self._with(accel=accel)

    # -- its devices --------------------------------------------------------------------

    def disk(
        self,
        source: str | os.PathLike[str] | None = None,
        *,
        bus: str = "virtio",
        cache: str = "writeback",
        format: str | None = None,
        readonly: bool = False,
        snapshot: bool = False,
        size: Size | None = None,
    ) -> VM:
        """Add a disk.

        Parameters
        ----------
        source : a name of ``host.images`` (the guest writes to a fresh overlay on it), an
            existing file (used as it is), or ``None`` for a new, empty qcow2 of `size`;
            overlays and new disks end with the guest. Where both an image and a file bear a
            name, it means the image; ``Path(name)`` or ``"./name"`` means the file
        bus : ``virtio ide sata scsi nvme usb``
        cache : ``writeback none writethrough directsync unsafe``
        format : of an existing file; read from its header where not given
        readonly : the guest cannot write
        snapshot : the guest's writes are thrown away at its end
        size : of a new disk, or of the overlay on an image, which it must not cut short
        """
        bytes_ = None if size is None else size_bytes(size, "disk.size")
        back = self._disk_back(source, bytes_)
        disk = Disk(
            back=back,
            bus=bus,
            cache=cache,
            format=format,
            readonly=readonly,
            snapshot=snapshot,
            size_bytes=None if isinstance(back, NewFile) else bytes_,
        )
        return self._with(disks=(*self.spec.disks, disk))

    def _disk_back(self, source: str | os.PathLike[str] | None, bytes_: int | None) -> DiskBack:
        if source is None:
            if bytes_ is None:
                raise SpecError("disk.size", None, "a new disk needs a size")
            return NewFile(bytes_)
        if isinstance(source, str) and source in self.host.images:
            image = None if bytes_ is None else self.host.images.ready(source)
            if image is not None and bytes_ is not None and bytes_ < image.size_bytes:
                raise SpecError("disk.size", bytes_, f"the image has {image.size_bytes} bytes")
            return CatalogueImage(source)
        return ExistingFile(_file("disk", source, self.host.images))

    def cdrom(self, source: str | os.PathLike[str]) -> VM:
        """Add a CD-ROM drive with an ISO image in it."""
        return self._with(cdroms=(*self.spec.cdroms, CDROM(_file("cdrom", source))))

    def nic(self, model: str = "virtio", *, net: str = "user", mac: str | None = None) -> VM:
        """Add a network card.

        Parameters
        ----------
        model : ``virtio e1000 e1000e rtl8139 pcnet vmxnet3`` … (QEMU's ``-net nic,model=?``)
        net : ``"user"``: QEMU's own NAT, which needs no rights
        mac : six octets; derived from host and guest where not given
        """
        devices = self._facts.devices
        offered = tuple(word for word, device in NIC_MODELS.items() if device in devices)
        if validate.text("nic.model", model) not in {NIC_MODELS[word] for word in offered}:
            validate.choice("nic.model", model, offered)
        validate.choice("nic.net", net, ("user",))
        nic = NIC(model=model, back=User(), mac=mac)
        return self._with(nics=(*self.spec.nics, nic))

    def balloon(self, on: bool = True) -> VM:
        """Give it a virtio balloon with guest statistics (on unless switched off)."""
        return self._with(balloon=validate.switch("balloon", on))

    def agent(self, on: bool = True) -> VM:
        """Give it a port for the guest agent (on unless switched off)."""
        return self._with(agent=validate.switch("agent", on))

    def serial(self, on: bool = True) -> VM:
        """Give it a serial console (on unless switched off)."""
        return self._with(serial=validate.switch("serial", on))

    def vnc(self, on: bool = True) -> VM:
        """Give it a screen, as VNC on a private socket (on unless switched off)."""
        return self._with(vnc=validate.switch("vnc", on))

    def vmgenid(self, on: bool = True) -> VM:
        """Give it a generation id, which tells a copied guest so (on unless switched off)."""
        return self._with(vmgenid=validate.switch("vmgenid", on))

    def rng(self, on: bool = True) -> VM:
        """Give it a virtio entropy source (on unless switched off)."""
        return self._with(rng=validate.switch("rng", on))

    def boot(
        self,
        order: str = "",
        *,
        once: str = "",
        menu: bool = False,
        kernel: str | os.PathLike[str] | None = None,
        initrd: str | os.PathLike[str] | None = None,
        append: str = "",
    ) -> VM:
        """What it starts from.

        Parameters
        ----------
        order, once : letters: ``a b`` floppies, ``c`` disk, ``d`` CD-ROM, ``n`` network;
            always, or for the first start only
        menu : the firmware shows its boot menu
        kernel, initrd, append : a kernel that QEMU loads itself, and its command line
        """
        boot = Boot(
            order=order,
            once=once,
            menu=validate.switch("boot.menu", menu),
            kernel=None if kernel is None else _file("boot.kernel", kernel),
            initrd=None if initrd is None else _file("boot.initrd", initrd),
            append=append,
        )
        return self._with(boot=boot)

    # -- what it means ------------------------------------------------------------------

    def command(self) -> Command:
        """The exact QEMU command that `start` executes."""
        from kvmnb.display.command import Command

        return Command(self.host.engine.command(self.spec))

    # -- run it -------------------------------------------------------------------------

    @verb
    def start(
        self,
        *,
        wait: Wait = "agent",
        timeout_s: float | None = None,
        keep: Duration | None = None,
        replace: bool = False,
    ) -> Coroutine[Any, Any, Guest]:
        """Start the guest and return it once it answers commands.

        A guest of this name that runs already with the same spec is returned as it is.

        Parameters
        ----------
        wait : ``"agent"`` until it answers commands, ``"running"`` until its CPUs run
        timeout_s : for the wait; by default 60 s under KVM and six times that under TCG
        keep : how long it outlives its last owner: ``900``, ``"15 min"``, ``0``, ``"forever"``
        replace : end a running guest of this name that has another spec

        Raises
        ------
        SpecError    one of the values above is wrong
        StartError   it did not start; the error has the command, the logs and a likely cause
        StateError   a guest of this name runs with another spec
        HostError    the host lacks something
        """
        from kvmnb.display.progress import progress

        validate.choice("start.wait", wait, ("agent", "running"))
        validate.switch("start.replace", replace)
        if timeout_s is not None:
            timeout_s = duration_s(timeout_s, "start.timeout_s")
        keep = self.host.keep if keep is None else keep
        keep_s = None if keep == FOREVER else duration_s(keep, "start.keep")
        # made here, in the caller's thread, so that it shows in the caller's cell
        return self._start(wait, timeout_s, keep_s, replace, progress(f"start {self.name}"))

    async def _start(
        self, wait: Wait, timeout_s: float | None, keep_s: float | None, replace: bool, shown: Any
    ) -> Guest:
        from kvmnb.guest import Guest

        with shown as report:
            control = await self.host.engine.start(
                self.spec,
                wait=wait,
                timeout_s=timeout_s,
                keep_s=keep_s,
                replace=replace,
                progress=report,
            )
        return Guest(control)

    # -- looks --------------------------------------------------------------------------

    def __repr__(self) -> str:
        from kvmnb.display.cards import vm_card

        return vm_card(self.spec).text

    def _repr_html_(self) -> str:
        from kvmnb.display.cards import vm_card

        return vm_card(self.spec).html


def _file(field: str, source: str | os.PathLike[str], names: Iterable[str] = ()) -> str:
    """Return the absolute path of an existing file, so that a later chdir changes nothing.

    Parameters
    ----------
    names : what `source` may have been meant for, if there is no such file
    """
    if not isinstance(source, (str, os.PathLike)):
        raise SpecError(field, source, "must be a path")
    given = validate.path(field, os.fsdecode(source))
    path = os.path.abspath(os.path.expanduser(given))
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise SpecError(field, given, f"there is no such file{_meant(given, names)}") from None
    except OSError as error:
        raise SpecError(field, given, f"cannot be looked at: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise SpecError(field, given, f"is a {_KINDS.get(stat.S_IFMT(mode), 'device')}, no file")
    return path


_KINDS = {stat.S_IFDIR: "folder", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}


def _meant(given: str, names: Iterable[str]) -> str:
    import difflib

    known = tuple(names)
    if not known:
        return ""
    near = difflib.get_close_matches(given, known, n=1)
    hint = f"did you mean the image {near[0]!r}? " if near else ""
    return f", and no image of that name; {hint}host.images has: {', '.join(known)}"
