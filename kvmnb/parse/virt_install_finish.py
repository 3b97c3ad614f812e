"""What virt-install adds to a guest by itself, and the description that comes of it all."""

from __future__ import annotations

import dataclasses
from typing import Any

from kvmnb.compile.libvirt_board import X86
from kvmnb.compile.libvirt_extra import in_order
from kvmnb.compile.libvirt_screens import usual_sound
from kvmnb.compile.libvirt_words import BOOT
from kvmnb.compile.virt_install_board import indexed, open_order
from kvmnb.compile.virt_install_ports import SPICE_CHANNEL
from kvmnb.compile.virt_install_storage import BLOCK_DEFAULTS, WRITABLE_BUSES, frees
from kvmnb.parse import virt_install_elements as elements
from kvmnb.parse.domain_xml import parents
from kvmnb.parse.virt_install_draft import Draft
from kvmnb.parse.virt_install_old import old_graphics, old_networks, old_storage
from kvmnb.parse.virt_install_osinfo import System, system
from kvmnb.spec.boot import Boot
from kvmnb.spec.charbacks import SpicePort
from kvmnb.spec.chardev import Private, Serial
from kvmnb.spec.cpu import CPU
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.diskbacks import BlockDevice, FatFolder
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import Video
from kvmnb.spec.memory import Memory
from kvmnb.spec.netbacks import LibvirtNetwork
from kvmnb.spec.network import NIC
from kvmnb.spec.numa import NUMANode
from kvmnb.spec.peripherals import Input, Sound
from kvmnb.spec.platform import Clock, Firmware
from kvmnb.spec.ports import Channel
from kvmnb.spec.screens import Spice
from kvmnb.spec.storage import CDROM, Disk, Floppy

__all__ = ["finished"]

VIRT_TYPES = {"kvm": "kvm", "qemu": "tcg"}

MEMORY_MIB = 2048
"""What libosinfo recommends for most systems that it knows; --memory goes without saying there."""


def finished(draft: Draft) -> DomainSpec:
    """Return the description of the guest, with all that virt-install gives it unasked."""
    fields: dict[str, Any] = {}
    old_storage(draft)
    old_networks(draft)
    old_graphics(draft)
    runs = _system(draft)
    machine = _machine(draft, runs)
    fields["machine"] = machine
    _general(draft, fields)
    _board(draft, fields, runs)
    _firmware(draft, fields)
    _storage(draft, fields, runs, machine)
    _networks(draft, fields, runs, machine)
    _screens(draft, fields, runs)
    _ports(draft, fields, runs)
    _sounds(draft, fields, machine)
    _small(draft, fields, runs)
    _time(draft, fields, runs)
    elements.hyperv(draft, runs)
    _install(draft, fields)
    given = ("title", "description", "uuid", "vmgenid", "osinfo", "arch", "acpi", "paravirt")
    more = ("on_poweroff", "on_reboot", "on_crash", "usb", "watchdog", "vsock")
    fields |= {key: draft.fields[key] for key in (*given, *more) if key in draft.fields}
    fields.setdefault("vmgenid", None)
    for key in ("parallels", "consoles", "shares", "hostdevs", "machine_options", "extra_args"):
        fields.setdefault(key, tuple(draft.lists.get(key, ())))
    fields["autostart"] = "autostart" in draft.said
    fields["extra_xml"] = in_order(draft.all_extras(), parents(fields))
    spec = draft.make(_first(draft), DomainSpec, **fields)
    return _ordered(draft, spec)


def _first(draft: Draft) -> int:
    return min((place for place in draft.said.values()), default=0)


def _system(draft: Draft) -> System:
    name = draft.fields.get("osinfo")
    runs = system(name)
    if "osinfo" not in draft.said:
        message = "without --osinfo the devices are those of an unknown system; today's refuses it"
        draft.default(message)
    elif name is not None and not runs.known:
        message = "a system that is not in the table here: devices are those of an unknown one"
        draft.note(draft.said["osinfo"], name, "default", message)
    return runs


def _machine(draft: Draft, runs: System) -> str:
    if draft.fields.get("machine"):
        return str(draft.fields["machine"])
    machine = "q35" if runs.has("q") else "pc"
    why = "as this system knows PCI Express" if machine == "q35" else "as any system knows it"
    draft.default(f"the board is {machine}, {why}")
    return machine


def _general(draft: Draft, fields: dict[str, Any]) -> None:
    name = draft.fields.get("name")
    if name is None:
        name = draft.fields.get("osinfo") or "vm"
        draft.default(f"a guest without --name is called {name!r}")
    fields["name"] = name
    place, kind = draft.fields.get("virt_type", (0, None))
    if kind is None:
        draft.default("KVM where it works, else QEMU's own emulation (--virt-type)")
        fields["accel"] = "auto"
    elif kind in VIRT_TYPES:
        fields["accel"] = VIRT_TYPES[kind]
    elif kind == "xen":
        fields["accel"] = "auto"
        draft.note(place, kind, "changed", "kvmnb's guests run on KVM or QEMU's own emulation")
    else:
        draft.fail(place, f"--virt-type is kvm or qemu here, not {kind[:40]!r}")


def _board(draft: Draft, fields: dict[str, Any], runs: System) -> None:
    cells = [draft.cells[number] for number in sorted(draft.cells)]
    numa = tuple(_node(draft, cell) for cell in cells)
    memory = dict(draft.memory)
    place = draft.said.get("memory", 0)
    if "size_mib" not in memory:
        if numa:
            memory["size_mib"] = sum(node.memory_mib for node in numa)
        elif draft.fields.get("osinfo"):
            memory["size_mib"] = size = runs.memory_mib or MEMORY_MIB
            draft.default(f"{size} MiB of memory, as libosinfo recommends for the system")
        else:
            draft.fail(len(draft.text), "virt-install needs --memory, in MiB")
    fields["memory"] = draft.make(place, Memory, **memory)
    fields["numa"] = numa
    cpu = dict(draft.cpu)
    if "count" not in cpu:
        layout = [cpu.get(part) for part in ("sockets", "dies", "cores", "threads")]
        count = 1
        for part in layout:
            count *= part or 1
        cpu["count"] = min(cpu.get("maximum", count), count)
        if layout == [None] * 4:
            cpu["count"] = min(cpu.get("maximum", runs.vcpus), runs.vcpus)
            draft.default(f"vCPUs: {cpu['count']}, as libosinfo recommends for the system")
    fields["cpu"] = draft.make(draft.said.get("cpu", 0), CPU, **cpu)


def _node(draft: Draft, cell: dict[str, Any]) -> NUMANode:
    size = cell.get("memory", 0) * cell.get("unit", 1)
    if size % 1024:
        draft.fail(cell["position"], "a node's memory is whole MiB, given in KiB")
    siblings = sorted(cell["distances"].values(), key=lambda each: int(each.get("id", 0)))
    distances = tuple(int(each.get("value", 0)) for each in siblings)
    fields = {"memory_mib": size >> 10, "cpus": cell.get("cpus", ()), "distances": distances}
    return draft.make(cell["position"], NUMANode, **fields)


def _firmware(draft: Draft, fields: dict[str, Any]) -> None:
    if draft.firmware:
        fields["firmware"] = draft.make(draft.said.get("boot", 0), Firmware, **draft.firmware)


def _storage(draft: Draft, fields: dict[str, Any], runs: System, machine: str) -> None:
    if (tray := draft.fields.get("tray")) is not None:
        draft.cdroms.append(tray)
    if not (draft.disks or draft.cdroms or draft.floppies) and not {
        "nodisks", "disk", "filesystem"
    } & set(draft.said):  # fmt: skip
        draft.default("virt-install wants --disk, or --disk none; this guest has none")
    bus = "virtio" if runs.has("d") else "sata" if "q35" in machine else "ide"
    if draft.fields.get("arch", "x86_64") not in X86:
        bus = "sd" if machine.startswith("vexpress") else "virtio"
    unsaid = [disk for disk in draft.disks if disk["bus"] is None]
    if unsaid:
        why = "as this system has a driver" if bus == "virtio" else "as any system has a driver"
        place = unsaid[0]["position"]
        draft.note(place, "--disk", "default", f"a disk without bus= is {bus}, {why}")
    for disk in draft.disks:
        disk["bus"] = disk["bus"] or bus
        if isinstance(disk["back"], FatFolder):
            disk["readonly"] = disk["bus"] not in WRITABLE_BUSES
        _discard(draft, disk)
    drop = ("position",)
    fields["disks"] = tuple(_made(draft, Disk, disk, drop) for disk in draft.disks)
    fields["cdroms"] = tuple(_made(draft, CDROM, cdrom, drop) for cdrom in draft.cdroms)
    fields["floppies"] = tuple(_made(draft, Floppy, floppy, drop) for floppy in draft.floppies)
    on_scsi = any(disk["bus"] == "scsi" for disk in (*draft.disks, *draft.cdroms))
    if "scsi" in draft.fields:
        fields["scsi"] = draft.fields["scsi"]
    elif on_scsi and not runs.has("c"):
        fields["scsi"] = "lsi"
        draft.default("the SCSI controller is an lsilogic, libvirt's choice on x86")


def _discard(draft: Draft, disk: dict[str, Any]) -> None:
    number = next(n for n, each in enumerate(draft.disk_order, 1) if each is disk)
    unsaid = {
        field: option
        for field, option in {"aio": "io", "discard": "discard"}.items()
        if disk.get(field) is None and f"disk[{number}]/driver/@{option}" not in draft.silenced
    }
    is_block = isinstance(disk["back"], BlockDevice)
    for field, option in unsaid.items():
        if is_block or (field == "discard" and frees(disk["back"])):
            disk[field] = BLOCK_DEFAULTS[field]
            what = "a block device" if is_block else "a new sparse disk"
            message = f"{what} gets driver.{option}={disk[field]}"
            draft.note(disk["position"], "--disk", "default", message)


def _made(draft: Draft, kind: Any, fields: dict[str, Any], drop: tuple[str, ...]) -> Any:
    said = {key: value for key, value in fields.items() if key not in drop}
    return draft.make(fields["position"], kind, **said)


def _networks(draft: Draft, fields: dict[str, Any], runs: System, machine: str) -> None:
    if not draft.nics and "nonetworks" not in draft.said:
        message = "a NIC on the host's bridge, where the default route has one; else, and here, "
        draft.default(message + "on libvirt's network 'default'")
        draft.nics.append({"position": 0, "back": LibvirtNetwork(), "model": None})
    model = "virtio" if runs.has("n") else "e1000e" if "q35" in machine else "e1000"
    unsaid = [nic for nic in draft.nics if nic["model"] is None]
    if unsaid:
        why = "as this system has a driver" if model == "virtio" else "as any system has a driver"
        place = unsaid[0]["position"]
        draft.note(place, "--network", "default", f"a NIC without model= is {model}, {why}")
    for nic in draft.nics:
        nic["model"] = nic["model"] or model
    fields["nics"] = tuple(_made(draft, NIC, nic, ("position",)) for nic in draft.nics)


def _screens(draft: Draft, fields: dict[str, Any], runs: System) -> None:
    displays = tuple(draft.lists.get("displays", ()))
    if not displays and "graphics" not in draft.said:
        draft.default("the screen is shown by SPICE, where QEMU has it, else by VNC")
        displays = (Spice(),)
    fields["displays"] = displays
    videos = tuple(draft.lists.get("videos", ()))
    if displays and not videos and "video" not in draft.silenced:
        has_spice = any(isinstance(each, Spice) for each in displays)
        uefi = draft.firmware.get("kind") == "uefi"
        model = "virtio" if runs.has("g") else "qxl" if has_spice else "bochs" if uefi else "std"
        draft.default(f"a screen without --video has a {model} graphics card")
        videos = (Video(model),)
    fields["videos"] = videos
    inputs = tuple(draft.lists.get("inputs", ()))
    quiet = {"input", "usb"} & draft.silenced
    if displays and not inputs and "input" not in draft.said and not quiet:
        draft.default("a screen comes with a USB tablet, so that the pointer is in step")
        inputs = (Input(),)
    fields["inputs"] = inputs
    if any(isinstance(each, Spice) for each in displays):
        given = any(extra.xml.startswith("<redirdev") for extra in draft.extras)
        if "redirdev" not in draft.silenced and not given:
            draft.default("SPICE comes with two channels that USB devices are redirected by")
            for _ in range(2):
                draft.extra("devices", "<redirdev bus='usb' type='spicevmc'/>")
        for index, display in enumerate(displays):
            if isinstance(display, Spice) and "image" not in draft.silenced:
                elements.uncompressed(draft, f"displays[{index}]")
        options = draft.lists.setdefault("machine_options", [])
        if "vmport" not in draft.silenced and all(name != "vmport" for name, _ in options):
            options.append(("vmport", "off"))
            draft.default("with SPICE the board's VMware port is off")


def _ports(draft: Draft, fields: dict[str, Any], runs: System) -> None:
    serials = tuple(draft.lists.get("serials", ()))
    if not serials and not draft.lists.get("consoles") and "console" not in draft.silenced:
        draft.default("the guest has a serial port, as its console")
        serials = (Serial(Private()),)
    fields["serials"] = serials
    channels = tuple(draft.lists.get("channels", ()))
    agent = draft.fields.get("agent", False)
    none = "channel" in draft.silenced
    if not none and "channel" not in draft.said and runs.has("s"):
        draft.default("a channel for the QEMU guest agent, as this system has virtio ports")
        agent = True
    has_spice = any(isinstance(each, Spice) for each in fields["displays"])
    if has_spice and not none and all(each.back != SpicePort() for each in channels):
        draft.default("a channel for SPICE's agent")
        channels = (*channels, Channel(SPICE_CHANNEL, SpicePort()))
    fields["channels"], fields["agent"] = channels, agent


def _sounds(draft: Draft, fields: dict[str, Any], machine: str) -> None:
    has_spice = any(isinstance(each, Spice) for each in fields["displays"])
    usual = "ich9" if "q35" in machine else "ich6"
    if has_spice and not draft.sounds and "sound" not in draft.silenced:
        draft.default(f"SPICE comes with a sound card, {usual}")
        draft.sounds.append((0, None, None))
    elif any(model is None for _, model, _ in draft.sounds):
        draft.default(f"a sound card without a model is {usual}")
    back = usual_sound(fields["displays"])
    if len(draft.audio) == 1:
        back = next(iter(draft.audio.values()))
    fields["sounds"] = tuple(
        draft.make(place, Sound, model or usual, draft.audio.get(player or "", back))
        for place, model, player in draft.sounds
    )


def _small(draft: Draft, fields: dict[str, Any], runs: System) -> None:
    if "balloon" in draft.fields:
        fields["balloon"] = draft.fields["balloon"]
    else:
        draft.default("libvirt gives every guest a virtio balloon")
        fields["balloon"] = Balloon(stats_s=0)
    if "rng" in draft.said:
        fields["rng"] = draft.fields.get("rng")
    elif runs.has("r"):
        draft.default("entropy from the host's /dev/urandom, as this system has a driver")
        fields["rng"] = RNG(source="/dev/urandom")
    else:
        fields["rng"] = None
    if "tpm" in draft.said:
        fields["tpm"] = draft.fields.get("tpm")
    elif draft.firmware.get("kind") == "uefi":
        # libvirt has to find swtpm and its setup on the host, and no line says that it does
        draft.default("UEFI comes with a TPM where libvirt can emulate one; here --tpm default")


def _time(draft: Draft, fields: dict[str, Any], runs: System) -> None:
    if "clock" not in draft.silenced:
        clock = dict(draft.clock)
        if "timers" not in draft.said and "timers" not in draft.silenced:
            draft.default("lost ticks are given again or late, and there is no HPET (--clock)")
            if runs.has("h"):
                draft.default("there is Hyper-V's clock, which this system reads")
                draft.extra("clock", "<timer name='hypervclock' present='yes'/>")
            clock |= {"driftfix": "slew", "pit": "delay", "hpet": False}
        if "base" not in clock and runs.has("l"):
            draft.default("the clock is at local time, as this system wants it")
            clock["base"] = "localtime"
        fields["clock"] = draft.make(draft.said.get("clock", 0), Clock, **clock)
    off = []
    for field in ("suspend_to_mem", "suspend_to_disk"):
        if field in draft.fields:
            fields[field] = draft.fields[field]
        elif not {"pm", field} & draft.silenced:
            fields[field] = False
            off.append(field)
    if off:
        draft.default("the guest may not sleep (--pm): a click on power off would do that")


def _install(draft: Draft, fields: dict[str, Any]) -> None:
    boot = dict(draft.boot)
    append = draft.lists.pop("append", None)
    if append is not None:
        if "location" in boot:
            boot["append"] = " ".join(append)
        else:
            place = draft.said["append"]
            message = "they are for the kernel of --location, which is not there"
            draft.note(place, "--extra-args", "ignored", message)
    if "livecd" in draft.said:
        place = draft.said["livecd"]
        draft.note(place, "--livecd", "old", "today it is --disk ISO,device=cdrom --boot cdrom")
        if draft.cdroms:
            boot["order"] = "d" + "c" * bool(draft.disks)
    elif "cdrom" in draft.said:
        boot["once"] = "d"
    said = {"cdrom", "location", "install", "import", "livecd", "boot"} & set(draft.said)
    if not said and draft.invocation.get("print_xml") is None:
        message = "virt-install wants to know how to install; here nothing is: --import"
        draft.default(message)
    place = draft.said.get("location", draft.said.get("boot", 0))
    fields["boot"] = draft.make(place, Boot, **boot)


def _ordered(draft: Draft, spec: DomainSpec) -> DomainSpec:
    """Return the description with the order that virt-install chooses where the line has none.

    It looks at the first device only: a disk, a CD-ROM or a floppy; without one it is the disk.
    """
    boot = spec.boot
    if (numbered := draft.fields.get("numbered")) is not None:
        if spec.disks or numbered != open_order(spec):
            boot = draft.make(draft.said["boot"], dataclasses.replace, boot, order=numbered)
        return dataclasses.replace(spec, boot=boot)
    if boot.order or boot.kernel or indexed(spec) or not (spec.disks or open_order(spec)):
        return spec
    first = next((key[6:] for key in draft.said if key.startswith("first ")), "")
    order = {"cdrom": "d", "floppy": "a", "disk": "c", "": "c"}[first]
    if boot.once:
        order = "c" if spec.disks else boot.once
    if spec.disks:
        order = "" if order == "c" else order + "c"
    if order:
        draft.default(f"without --boot, the guest starts from {', '.join(BOOT[x] for x in order)}")
    return dataclasses.replace(spec, boot=dataclasses.replace(boot, order=order))
