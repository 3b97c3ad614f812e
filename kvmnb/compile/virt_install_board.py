"""Memory, processors, board, clock and what is booted, as options of virt-install."""

from __future__ import annotations

from collections.abc import Iterator

from kvmnb.compile.libvirt_board import firmware_order
from kvmnb.compile.libvirt_words import ARCHES, BOARD_OPTIONS, BOOT
from kvmnb.compile.piece import Piece
from kvmnb.compile.virt_install_storage import install_cdrom
from kvmnb.compile.virt_install_words import Pairs, differing, joined, option, refused, removed
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.memory import Memory
from kvmnb.spec.screens import Spice

__all__ = ["BACKING_DIR", "CPU_MODES", "board", "boot", "general", "indexed", "open_order"]

CPU_MODES = {"host": "host-passthrough", "max": "maximum", "host-model": "host-model"}
"""libvirt's words for models that are no model (libvirt, "CPU model and topology")."""

BACKING_DIR = "/var/lib/libvirt/qemu/ram"
"""Where libvirt makes the files that hold guests' memory (qemu.conf, memory_backing_dir)."""

_QEMU_ONLY = "it is QEMU's own; libvirt has no word for it"


def general(spec: DomainSpec) -> Iterator[Piece]:
    """Yield the options that say which guest it is, and what runs it."""
    yield option("name", "--name", spec.name)
    pairs: Pairs = [
        ("uuid", spec.uuid),
        ("title", spec.title),
        ("description", spec.description),
        ("genid_enable", True if spec.vmgenid == "auto" else None),
        ("genid", None if spec.vmgenid == "auto" else spec.vmgenid),
    ]
    for key, value in pairs:
        if value is not None:
            field = "vmgenid" if key.startswith("genid") else key
            yield option(field, "--metadata", joined(None, [(key, value)]))
    if spec.accel_options:
        refused("accel_options", _QEMU_ONLY)
    yield option("accel", "--virt-type", "kvm" if spec.accel == "kvm" else "qemu")
    if spec.paravirt:
        yield option("paravirt", "--paravirt")
    if spec.arch != "x86_64":
        yield option("arch", "--arch", ARCHES.get(spec.arch, spec.arch))
    yield option("machine", "--machine", spec.machine)
    osinfo = "detect=off,require=off" if spec.osinfo is None else joined(spec.osinfo, ())
    yield option("osinfo", "--osinfo", osinfo)
    if spec.autostart:
        yield option("autostart", "--autostart")


def board(spec: DomainSpec, more: dict[str, list[str]], extras: frozenset[str]) -> Iterator[Piece]:
    """Yield the options for memory, processors, clock and power.

    `extras` are elements that stand in the guest besides.
    """
    yield from _memory(spec.memory)
    yield from _cpu(spec, more.get("cpu", []))
    if not spec.acpi:
        yield option("acpi", "--features", "acpi=off")
    yield from _machine_options(spec)
    if spec.clock is None and "timer" in extras:
        yield option("clock", "--clock", "offset=utc")
    else:
        yield from _clock(spec, timers="timer" in extras)
    if spec.suspend_to_mem is None and spec.suspend_to_disk is None:
        yield removed("suspend_to_mem", "./pm")
    else:
        for field in ("suspend_to_mem", "suspend_to_disk"):
            value = getattr(spec, field)
            if value is None:
                yield removed(field, "./pm/" + field.replace("_", "-"))
            else:
                yield option(field, "--pm", joined(None, [(f"{field}.enabled", value)]))
    for field, usual in (
        ("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")
    ):  # fmt: skip
        if getattr(spec, field) != usual:
            yield option(field, "--events", f"{field}={getattr(spec, field)}")


def _machine_options(spec: DomainSpec) -> Iterator[Piece]:
    names = [name for name, _ in spec.machine_options]
    for name, value in spec.machine_options:
        if (name, value) not in BOARD_OPTIONS or names.count(name) > 1:
            refused(f"machine_options.{name}", _QEMU_ONLY)
        tag, attribute, word = BOARD_OPTIONS[name, value]
        yield option("machine_options", "--features", f"{tag}.{attribute}={word}")
    if "vmport" not in names and any(isinstance(each, Spice) for each in spec.displays):
        yield removed("displays", "./features/vmport")


def _memory(memory: Memory) -> Iterator[Piece]:
    pairs: Pairs = (
        ("currentMemory", memory.current_mib),
        ("maxMemory", memory.maximum_mib),
        ("maxMemory.slots", memory.slots or None),
    )
    yield option("memory", "--memory", joined(str(memory.size_mib), pairs))
    if memory.source == "file" and memory.path != BACKING_DIR:
        refused("memory.path", f"libvirt's files lie in {BACKING_DIR} (qemu.conf)")
    size = memory.hugepage_kib
    backing = joined(
        None,
        (
            ("hugepages", memory.hugepages or None),
            ("hugepages.page0.size", size),
            ("hugepages.page0.unit", None if size is None else "KiB"),
            ("source.type", None if memory.source == "anonymous" else memory.source),
            ("access.mode", "shared" if memory.shared else None),
            ("allocation.mode", "immediate" if memory.preallocated else None),
            ("locked", memory.locked or None),
            ("nosharepages", None if memory.merged else True),
        ),
    )
    if backing:
        yield option("memory", "--memorybacking", backing)


def _cpu(spec: DomainSpec, more: list[str]) -> Iterator[Piece]:
    cpu = spec.cpu
    layout: Pairs = [(key, getattr(cpu, key)) for key in ("sockets", "dies", "cores", "threads")]
    most: Pairs = [("maxvcpus", cpu.maximum)]
    yield option("cpu", "--vcpus", ",".join([joined(str(cpu.count), [*most, *layout]), *more]))
    pairs: list[tuple[str, str | int | bool | None]] = []
    if cpu.model == "max":
        # not known to all versions as a word of its own
        pairs.append(("mode", "maximum"))
    elif cpu.model is not None:
        pairs.append(("model", CPU_MODES.get(cpu.model, cpu.model)))
    for feature in cpu.features:
        if feature[0] not in "+-":
            refused("cpu.features", f"virt-install gives or takes features, but has no {feature}")
        pairs.append(("require" if feature[0] == "+" else "disable", feature[1:]))
    if pairs:
        yield option("cpu", "--cpu", joined(None, pairs))
    nodes: list[tuple[str, str | int | bool | None]] = []
    for index, node in enumerate(spec.numa):
        cell = f"numa.cell{index}"
        nodes.append((f"{cell}.id", index))
        nodes.append((f"{cell}.cpus", ",".join(map(str, node.cpus)) or None))
        nodes.append((f"{cell}.memory", node.memory_mib << 10))
        for other, distance in enumerate(node.distances):
            sibling = f"{cell}.distances.sibling{other}"
            nodes += [(f"{sibling}.id", other), (f"{sibling}.value", distance)]
    if nodes:
        yield option("numa", "--cpu", joined(None, nodes))


def _clock(spec: DomainSpec, *, timers: bool) -> Iterator[Piece]:
    clock = spec.clock
    if clock is None:
        yield removed("clock", "./clock")
        return
    if clock.base not in {"utc", "localtime"}:
        refused(
            "clock.base", "virt-install starts clocks at utc or localtime; libvirt's XML has it"
        )
    if clock.source == "rt":
        refused("clock.source", "virt-install has no word for it; libvirt's XML has")
    said: Pairs = (
        ("rtc_tickpolicy", "catchup" if clock.driftfix == "slew" else None),
        ("pit_tickpolicy", clock.pit),
        ("hpet_present", clock.hpet),
    )
    if clock.source == "vm":
        policy = "catchup" if clock.driftfix == "slew" else None
        # virt-install leaves out what follows a gap in the numbers
        hpet = 1 if clock.pit is None else 2
        said = (
            ("timer0.name", "rtc"),
            ("timer0.track", "guest"),
            ("timer0.tickpolicy", policy),
            ("timer1.name", None if clock.pit is None else "pit"),
            ("timer1.tickpolicy", clock.pit),
            (f"timer{hpet}.name", None if clock.hpet is None else "hpet"),
            (f"timer{hpet}.present", clock.hpet),
        )
    text = joined(None, (("offset", clock.base), *said))
    yield option("clock", "--clock", text)
    if text == f"offset={clock.base}" and not timers:
        yield removed("clock", "./clock/timer")


def boot(spec: DomainSpec, more: dict[str, list[str]]) -> Iterator[Piece]:
    """Yield the options for the firmware, what is booted, and what is installed from."""
    boot = spec.boot
    hint = "libvirt tries what is named and nothing else, and shows no picture"
    differing("boot", boot, {"strict": False, "splash": None}, hint)
    for name in ("order", "once"):
        if "b" in getattr(boot, name):
            refused(f"boot.{name}", "libvirt starts from the first floppy drive only")
    if boot.order and indexed(spec):
        hint = "libvirt takes letters, or a bootindex for each device, not both"
        refused("boot.order", hint)
    order = ",".join(BOOT[letter] for letter in boot.order)
    numbered = [(f"boot{place}.dev", BOOT[each]) for place, each in enumerate(open_order(spec))]
    kernel: Pairs = (
        ("bootmenu.enable", boot.menu or None),
        ("bootmenu.timeout", boot.menu_timeout_ms),
        ("kernel", boot.kernel),
        ("initrd", boot.initrd),
        ("cmdline", (boot.append or None) if boot.location is None else None),
        ("dtb", boot.dtb),
    )
    pairs = joined(None, (*numbered, *_firmware(spec), *kernel))
    text = ",".join(part for part in (order, pairs, *more.get("boot", ())) if part)
    if text:
        yield option("boot", "--boot", text)
    yield from _install(spec)


def _install(spec: DomainSpec) -> Iterator[Piece]:
    boot = spec.boot
    tray = install_cdrom(spec)
    if boot.location is not None:
        if boot.once:
            refused("boot.once", "the first start is the install tree's")
        yield option("boot", "--location", joined(boot.location, ()))
        if boot.append:
            yield option("boot", "--extra-args", boot.append)
    elif tray is not None:
        yield option("cdroms[0]", "--cdrom", str(getattr(tray.back, "path")))  # noqa: B009
    elif boot.once == "n":
        yield option("boot", "--pxe")
    elif boot.once:
        if len(boot.once) > 1:
            refused("boot.once", "virt-install installs from one device, and then boots the disk")
        yield option("boot", "--install", "bootdev=" + BOOT[boot.once])
    else:
        yield option("boot", "--import")


def indexed(spec: DomainSpec) -> bool:
    """Return whether devices have their turns, which takes the place of an order."""
    turns = [disk.bootindex for disk in spec.disks] + [cdrom.bootindex for cdrom in spec.cdroms]
    turns += [nic.bootindex for nic in spec.nics]
    return turns.count(None) < len(turns)


def open_order(spec: DomainSpec) -> str:
    """Return what a guest without a disk and without an order starts from: what firmware finds.

    virt-install would say the disk, or the first device alone. The letters are said by number,
    ``boot0.dev=…``, so that an order that was asked for can be told from one that was not.
    """
    if spec.boot.order or spec.boot.kernel or spec.disks or indexed(spec):
        return ""
    return firmware_order(spec)


def _firmware(spec: DomainSpec) -> Pairs:
    firmware = spec.firmware
    if firmware is None:
        return ()
    if firmware.kind == "bios":
        if firmware.code is None:
            return (("firmware", "bios"),)
        return (("loader", firmware.code), ("loader.type", "rom"))
    if firmware.code is None:
        secure = firmware.secure or None
        return (
            ("firmware", "efi"),
            ("firmware.feature0.name", None if secure is None else "secure-boot"),
            ("firmware.feature0.enabled", secure),
        )
    return (
        ("loader", firmware.code),
        ("loader.readonly", True),
        ("loader.type", "pflash"),
        ("loader.secure", firmware.secure or None),
        ("nvram", firmware.variables),
    )
