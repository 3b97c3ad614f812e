"""The whole description of one guest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.boot import Boot
from kvmnb.spec.chardev import Private, Serial
from kvmnb.spec.cpu import CPU
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.graphics import VNC, Video
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import NIC
from kvmnb.spec.storage import CDROM, Disk, Floppy
from kvmnb.spec.value import Value

if TYPE_CHECKING:
    from kvmnb.spec.cloud_init import CloudInit
    from kvmnb.spec.graphics import Display
    from kvmnb.spec.numa import NUMANode
    from kvmnb.spec.peripherals import TPM, HostDevice, Input, Share, Sound, Vsock, Watchdog
    from kvmnb.spec.platform import Clock, ExtraXML, Firmware
    from kvmnb.spec.ports import Channel, Console, Monitor, Parallel
    from kvmnb.spec.storage import DiskBack

__all__ = ["Accel", "DomainSpec"]

Accel = Literal["auto", "kvm", "tcg"]
ACCELS = ("auto", "kvm", "tcg")
ARCHES = ("x86_64", "i386", "aarch64", "arm", "riscv64", "riscv32", "ppc64", "ppc", "s390x")
SCSI_MODELS = ("virtio", "lsi", "megasas", "mptsas", "pvscsi")
USB_CONTROLLERS = ("xhci", "ehci", "uhci", "piix3-uhci")
ON_POWEROFF = ("destroy", "preserve", "restart")
ON_REBOOT = ("restart", "destroy", "preserve")
ON_CRASH = ("destroy", "restart", "preserve")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class DomainSpec(Value):
    """Everything that was asked of one guest; what is not here is not in the guest.

    Parameters
    ----------
    name : unique on its host
    uuid : by which SMBIOS and libvirt know it; ``None`` derives it from host and name
    title, description : for people, kept by libvirt
    arch : of its processors
    memory, numa, cpu : how much of both, and what is near what
    machine : the board: ``"pc"``, ``"q35"``, or a version of one of them
    machine_options : further properties of the board, as ``(name, value)``
    accel : ``"kvm"``, ``"tcg"``, or ``"auto"`` for KVM where it really works
    accel_options : further properties of the accelerator, as ``(name, value)``
    paravirt : a guest of Xen's that knows so, in place of a full machine
    acpi : the board has ACPI
    firmware : what runs first; ``None`` for the board's own BIOS
    boot : what it starts from
    clock : ``None`` for UTC by the host's clock
    on_poweroff, on_reboot, on_crash : ``destroy restart preserve``: what becomes of the guest
    suspend_to_mem, suspend_to_disk : whether it may sleep; ``None`` for the board's default
    disks, cdroms, floppies, nics : in the order in which the guest shall find them
    scsi : the model of the SCSI controller: ``virtio lsi megasas mptsas pvscsi``
    serials, parallels, consoles, channels, monitors : character devices; the first serial
        port is the console
    agent : a virtio-serial port for the QEMU guest agent
    displays : where the screen is seen; none for a guest without
    videos : graphics cards
    usb : the USB controller: ``xhci ehci uhci piix3-uhci``; ``None`` for one where it is needed
    inputs, sounds, watchdog, tpm, shares, vsock, hostdevs : devices that only some guests have
    balloon : a virtio balloon
    rng : a virtio entropy source
    vmgenid : a generation id, which tells the guest's kernel when it has been copied:
        ``"auto"`` or a UUID
    cloud_init : a seed for images that configure themselves at the first start
    paused : its processors wait for `resume`
    incoming : where another host's guest will move in from: ``"tcp:0:7777"``, ``"defer"``
    autostart : libvirt starts it with the host
    osinfo : libosinfo's name of what runs in it
    extra_args : options of QEMU's that no field stands for, verbatim
    extra_xml : elements of libvirt's that no field stands for, verbatim
    """

    name: str
    uuid: str | None = None
    title: str | None = None
    description: str | None = None
    arch: str = "x86_64"
    memory: Memory = Memory()
    numa: tuple[NUMANode, ...] = ()
    cpu: CPU = CPU()
    machine: str = "pc"
    machine_options: tuple[tuple[str, str], ...] = ()
    accel: Accel = "auto"
    accel_options: tuple[tuple[str, str], ...] = ()
    paravirt: bool = False
    acpi: bool = True
    firmware: Firmware | None = None
    boot: Boot = Boot()
    clock: Clock | None = None
    on_poweroff: str = "destroy"
    on_reboot: str = "restart"
    on_crash: str = "destroy"
    suspend_to_mem: bool | None = None
    suspend_to_disk: bool | None = None
    disks: tuple[Disk, ...] = ()
    cdroms: tuple[CDROM, ...] = ()
    floppies: tuple[Floppy, ...] = ()
    scsi: str = "virtio"
    nics: tuple[NIC, ...] = ()
    serials: tuple[Serial, ...] = (Serial(),)
    parallels: tuple[Parallel, ...] = ()
    consoles: tuple[Console, ...] = ()
    channels: tuple[Channel, ...] = ()
    monitors: tuple[Monitor, ...] = ()
    agent: bool = True
    displays: tuple[Display, ...] = (VNC(),)
    videos: tuple[Video, ...] = (Video(),)
    usb: str | None = None
    inputs: tuple[Input, ...] = ()
    sounds: tuple[Sound, ...] = ()
    watchdog: Watchdog | None = None
    balloon: Balloon | None = Balloon()
    rng: RNG | None = RNG()
    vmgenid: str | None = "auto"
    tpm: TPM | None = None
    shares: tuple[Share, ...] = ()
    vsock: Vsock | None = None
    hostdevs: tuple[HostDevice, ...] = ()
    cloud_init: CloudInit | None = None
    paused: bool = False
    incoming: str | None = None
    autostart: bool = False
    osinfo: str | None = None
    extra_args: tuple[str, ...] = ()
    extra_xml: tuple[ExtraXML, ...] = ()

    def __post_init__(self) -> None:
        validate.name("name", self.name)
        if self.uuid is not None:
            object.__setattr__(self, "uuid", validate.uuid("uuid", self.uuid))
        for field in ("title", "description", "osinfo", "incoming"):
            validate.optional(validate.text, field, getattr(self, field))
        validate.choice("arch", self.arch, ARCHES)
        validate.text("machine", self.machine)
        validate.choice("accel", self.accel, ACCELS)
        validate.pairs("machine_options", self.machine_options)
        validate.pairs("accel_options", self.accel_options)
        validate.choice("on_poweroff", self.on_poweroff, ON_POWEROFF)
        validate.choice("on_reboot", self.on_reboot, ON_REBOOT)
        validate.choice("on_crash", self.on_crash, ON_CRASH)
        for field in ("paravirt", "acpi", "agent", "paused", "autostart"):
            validate.switch(field, getattr(self, field))
        for field in ("suspend_to_mem", "suspend_to_disk"):
            validate.optional(validate.switch, field, getattr(self, field))
        validate.texts("extra_args", self.extra_args)
        self._check_parts()
        self._check_devices()

    def _check_parts(self) -> None:
        for field, kind in {"memory": Memory, "cpu": CPU, "boot": Boot}.items():
            validate.kind(field, getattr(self, field), kind)
        tuples = {"disks": Disk, "cdroms": CDROM, "floppies": Floppy, "nics": NIC}
        for field, kind in {**tuples, "serials": Serial, "videos": Video}.items():
            validate.kinds(field, getattr(self, field), kind)
        validate.kind("displays", self.displays, tuple)
        others = tuple(each for each in self.displays if not isinstance(each, VNC))
        validate.parts("displays", others, "screens", "Spice", "Window")
        for field, (home, *names) in _PARTS.items():
            validate.parts(field, getattr(self, field), home, *names)
        for field, (home, name) in _OPTIONAL.items():
            value = getattr(self, field)
            validate.parts(field, () if value is None else (value,), home, name)
        if self.clock is not None and self.clock == type(self.clock)():
            object.__setattr__(self, "clock", None)  # which means the same

    def _check_devices(self) -> None:
        validate.choice("scsi", self.scsi, SCSI_MODELS)
        if self.usb is not None:
            validate.choice("usb", self.usb, USB_CONTROLLERS)
        if self.vmgenid is not None and self.vmgenid != "auto":
            object.__setattr__(self, "vmgenid", validate.uuid("vmgenid", self.vmgenid))
        if len(self.floppies) > 2:
            raise SpecError("floppies", len(self.floppies), "the controller takes two drives")
        macs = [nic.mac for nic in self.nics if nic.mac is not None]
        for mac in macs:
            if macs.count(mac) > 1:
                raise SpecError("nic.mac", mac, "another NIC of this guest has it already")
        names = [nic.name for nic in self.nics if nic.name is not None]
        for name in names:
            if names.count(name) > 1:
                raise SpecError("nic.name", name, "another NIC of this guest has it already")
        if self.numa and sum(node.memory_mib for node in self.numa) != self.memory.size_mib:
            total = sum(node.memory_mib for node in self.numa)
            raise SpecError("numa", total, f"the nodes must hold the {self.memory.size_mib} MiB")

    @property
    def backs(self) -> tuple[DiskBack | None, ...]:
        """What holds the bytes of each disk, CD-ROM and floppy, in this order."""
        return (
            *(disk.back for disk in self.disks),
            *(cdrom.back for cdrom in self.cdroms),
            *(floppy.back for floppy in self.floppies),
        )

    @property
    def console(self) -> bool:
        """Whether the first serial port is the engine's own console."""
        return bool(self.serials) and isinstance(self.serials[0].back, Private)

    @property
    def screen(self) -> bool:
        """Whether the screen can be seen at the engine's own socket."""
        return any(isinstance(each, VNC) and each.private for each in self.displays)


_PARTS = {
    "numa": ("numa", "NUMANode"),
    "parallels": ("ports", "Parallel"),
    "consoles": ("ports", "Console"),
    "channels": ("ports", "Channel"),
    "monitors": ("ports", "Monitor"),
    "inputs": ("peripherals", "Input"),
    "sounds": ("peripherals", "Sound"),
    "shares": ("peripherals", "Share"),
    "hostdevs": ("peripherals", "HostPCI", "HostUSB", "Mediated"),
    "extra_xml": ("platform", "ExtraXML"),
}
_OPTIONAL = {
    "firmware": ("platform", "Firmware"),
    "clock": ("platform", "Clock"),
    "watchdog": ("peripherals", "Watchdog"),
    "balloon": ("devices", "Balloon"),
    "rng": ("devices", "RNG"),
    "tpm": ("peripherals", "TPM"),
    "vsock": ("peripherals", "Vsock"),
    "cloud_init": ("cloud_init", "CloudInit"),
}
