"""Verbs for the board: memory, processors, firmware, clock, what it starts from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from kvmnb.builder.base import Builder, existing_file
from kvmnb.compile.qemu import laid_out
from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.boot import Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import Accel
from kvmnb.spec.memory import Memory
from kvmnb.units import Size, size_mib

if TYPE_CHECKING:
    from typing import Self

__all__ = ["BoardVerbs"]


class BoardVerbs(Builder):
    """What the guest is, apart from its devices."""

    __slots__ = ()

    def named(self, name: str) -> Self:
        """The same machine under another name."""
        return self._with(name=name)

    def about(self, title: str | None = None, description: str | None = None) -> Self:
        """Words for people, which libvirt keeps: a title of one line, a description."""
        return self._with(title=title, description=description)

    def uuid(self, uuid: str | None) -> Self:
        """The UUID by which SMBIOS and libvirt know it; derived from host and name if not given."""
        return self._with(uuid=uuid)

    def mem(
        self,
        size: Size,
        *,
        slots: int = 0,
        maxmem: Size | None = None,
        current: Size | None = None,
        hugepages: bool | Size = False,
        path: str | os.PathLike[str] | None = None,
        memfd: bool = False,
        shared: bool = False,
        prealloc: bool = False,
        locked: bool = False,
        merge: bool = True,
    ) -> Self:
        """Memory at start: ``128`` (MiB), ``"128M"``, ``"1G"``; and what it is made of.

        Parameters
        ----------
        slots, maxmem : how many modules can be plugged in, and up to which total
        current : what the balloon leaves the guest from the start
        hugepages : made of huge pages; a size such as ``"2M"`` chooses which
        path : in this file, or in a new file of this folder
        memfd : in a memory file without a name
        shared : others may map it, as virtio-fs and vhost-user must
        prealloc : all of it is taken at the start
        locked : it is never swapped out
        merge : KSM may merge its pages with like ones
        """
        plain = isinstance(hugepages, bool)
        memory = Memory(
            size_mib=size_mib(size, "mem"),
            slots=slots,
            maximum_mib=None if maxmem is None else size_mib(maxmem, "mem.maxmem"),
            current_mib=None if current is None else size_mib(current, "mem.current"),
            source="file" if path is not None else "memfd" if memfd or hugepages else "anonymous",
            path=None if path is None else os.path.abspath(os.fspath(path)),
            hugepages=bool(hugepages),
            hugepage_kib=None if plain else size_mib(hugepages, "mem.hugepages") * 1024,
            shared=shared,
            preallocated=prealloc,
            locked=locked,
            merged=merge,
        )
        return self._with(memory=memory)

    def numa(self, *nodes: Any) -> Self:
        """NUMA nodes: ``(memory, cpus)`` for each, such as ``.numa(("64M", [0]), ("64M", [1]))``.

        `NUMANode` values, which also hold distances, serve as well; without any, there are none.
        """
        from kvmnb.spec.numa import NUMANode

        made = []
        for node in nodes:
            if isinstance(node, NUMANode):
                made.append(node)
            elif isinstance(node, tuple) and len(node) == 2:
                memory = size_mib(node[0], "numa.mem")
                made.append(NUMANode(memory_mib=memory, cpus=tuple(node[1])))
            else:
                raise SpecError("numa", node, "a node is (memory, [vCPUs]) or a NUMANode")
        return self._with(numa=tuple(made))

    def smp(
        self,
        count: int,
        *,
        sockets: int | None = None,
        dies: int | None = None,
        cores: int | None = None,
        threads: int | None = None,
        maxcpus: int | None = None,
    ) -> Self:
        """vCPUs at start, their layout, and how many there may be after hot plug."""
        cpu = CPU(
            count=count,
            sockets=sockets,
            dies=dies,
            cores=cores,
            threads=threads,
            maximum=maxcpus,
            model=self.spec.cpu.model,
            features=self.spec.cpu.features,
        )
        return self._with(cpu=cpu)

    def cpu(self, model: str, *features: str) -> Self:
        """CPU model: a name of ``host.cpus``, ``"max"``, or ``"host"`` (needs KVM).

        Parameters
        ----------
        features : what it gets or loses: ``"+aes"``, ``"-vmx"``, ``"phys-bits=40"``
        """
        known = tuple(self._facts.cpus)
        if known and model != "host-model":
            validate.choice("cpu", model, known)
        return self._with(cpu=dataclasses.replace(self.spec.cpu, model=model, features=features))

    def machine(self, board: str, **options: str | bool) -> Self:
        """Board: ``"pc"``, ``"q35"``, or a version of one of them out of ``host.machines``.

        Parameters
        ----------
        options : properties of the board, such as ``vmport=False``
        """
        boards = tuple(name for name in self._facts.machines if laid_out(name))
        return self._with(
            machine=validate.choice("machine", board, boards), machine_options=_options(options)
        )

    def accel(self, accel: Accel, **options: str | bool) -> Self:
        """Accelerator: ``"kvm"``, ``"tcg"``, or ``"auto"`` for KVM where it really works.

        Parameters
        ----------
        options : properties of the accelerator, such as ``thread="single"``
        """
        return self._with(accel=accel, accel_options=_options(options))

    def firmware(
        self,
        kind: Literal["bios", "uefi"] = "uefi",
        *,
        code: str | os.PathLike[str] | None = None,
        variables: str | os.PathLike[str] | None = None,
        secure: bool = False,
    ) -> Self:
        """What runs first: the host's ``"bios"`` or ``"uefi"``, or the files of one.

        Parameters
        ----------
        code, variables : of the firmware; the variables of UEFI are written to
        secure : UEFI checks signatures (Secure Boot)
        """
        from kvmnb.spec.platform import Firmware

        firmware = Firmware(
            kind=kind,
            code=None if code is None else existing_file("firmware.code", code),
            variables=None if variables is None else existing_file("firmware.vars", variables),
            secure=secure,
        )
        return self._with(firmware=firmware)

    def clock(
        self,
        base: str = "utc",
        *,
        source: Literal["host", "rt", "vm"] = "host",
        driftfix: Literal["none", "slew"] = "none",
        pit: Literal["delay", "discard"] | None = None,
        hpet: bool | None = None,
    ) -> Self:
        """The guest's clocks: ``utc``, ``localtime`` or a date, and how lost ticks are mended."""
        from kvmnb.spec.platform import Clock

        clock = Clock(base=base, source=source, driftfix=driftfix, pit=pit, hpet=hpet)
        return self._with(clock=clock)

    def power(
        self,
        *,
        poweroff: str | None = None,
        reboot: str | None = None,
        crash: str | None = None,
        suspend_to_mem: bool | None = None,
        suspend_to_disk: bool | None = None,
        acpi: bool | None = None,
    ) -> Self:
        """What becomes of the guest when it powers off, reboots or crashes; whether it may sleep.

        Parameters
        ----------
        poweroff, reboot, crash : ``destroy restart preserve``
        suspend_to_mem, suspend_to_disk : allow the ACPI states S3 and S4
        acpi : the board has ACPI; what is ``None`` stays as it is
        """
        given = {
            "on_poweroff": poweroff,
            "on_reboot": reboot,
            "on_crash": crash,
            "suspend_to_mem": suspend_to_mem,
            "suspend_to_disk": suspend_to_disk,
            "acpi": acpi,
        }
        return self._with(**{key: value for key, value in given.items() if value is not None})

    def boot(
        self,
        order: str = "",
        *,
        once: str = "",
        menu: bool = False,
        menu_timeout_ms: int | None = None,
        strict: bool = False,
        splash: str | os.PathLike[str] | None = None,
        kernel: str | os.PathLike[str] | None = None,
        initrd: str | os.PathLike[str] | None = None,
        append: str = "",
        dtb: str | os.PathLike[str] | None = None,
        location: str | os.PathLike[str] | None = None,
    ) -> Self:
        """What it starts from.

        Parameters
        ----------
        order, once : letters: ``a b`` floppies, ``c`` disk, ``d`` CD-ROM, ``n`` network;
            always, or for the first start only
        menu, menu_timeout_ms : the firmware shows its boot menu, for so long
        strict : nothing is tried after what is named
        splash : a picture that the firmware shows
        kernel, initrd, append, dtb : a kernel that QEMU loads itself, and its command line
        location : an install tree whose kernel the first start loads: a folder, an ISO, a URL
        """
        files = {"splash": splash, "kernel": kernel, "initrd": initrd, "dtb": dtb}
        boot = Boot(
            order=order,
            once=once,
            menu=validate.switch("boot.menu", menu),
            menu_timeout_ms=menu_timeout_ms,
            strict=strict,
            append=append,
            location=None if location is None else self._tree(location),
            **{
                field: existing_file(f"boot.{field}", path)
                for field, path in files.items()
                if path is not None
            },
        )
        return self._with(boot=boot)

    def _tree(self, location: str | os.PathLike[str]) -> str:
        """Return a URL or an image's name as it is, and a path as an absolute one."""
        given = os.fspath(location)
        if "://" in given or given in self.host.images:
            return given
        return os.path.abspath(os.path.expanduser(given))

    def paused(self, on: bool = True) -> Self:
        """Its processors wait for `Guest.resume` (``-S``)."""
        return self._with(paused=validate.switch("paused", on))

    def incoming(self, uri: str | None) -> Self:
        """It waits for another host's guest to move in: ``"tcp:0:7777"``, ``"defer"``."""
        return self._with(incoming=uri)

    def autostart(self, on: bool = True) -> Self:
        """libvirt starts it with the host."""
        return self._with(autostart=validate.switch("autostart", on))

    def osinfo(self, name: str | None) -> Self:
        """libosinfo's name of what runs in it, such as ``"debian12"`` (``--os-variant``)."""
        return self._with(osinfo=name)

    def paravirt(self, on: bool = True) -> Self:
        """A guest of Xen's that knows so; only libvirt on Xen runs it."""
        return self._with(paravirt=validate.switch("paravirt", on))

    def arch(self, arch: str) -> Self:
        """The architecture of its processors, such as ``"x86_64"``."""
        return self._with(arch=arch)

    def extra_args(self, *words: str) -> Self:
        """Options of QEMU's for which there is no verb, verbatim; none to take them back."""
        return self._with(extra_args=words)

    def extra_xml(self, *parts: Any) -> Self:
        """Elements of libvirt's without a verb, as `ExtraXML`; none to take them back."""
        return self._with(extra_xml=parts)


def _options(given: dict[str, str | bool]) -> tuple[tuple[str, str], ...]:
    words: Iterable[tuple[str, str | bool]] = given.items()
    return tuple(
        (key.replace("_", "-"), ("on" if value else "off") if isinstance(value, bool) else value)
        for key, value in words
    )
