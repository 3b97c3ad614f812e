"""A guest's board as elements of its domain XML: memory, processors, start, features, clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from kvmnb.compile.libvirt_words import ARCHES, BOARD_OPTIONS, BOOT, TRACKS
from kvmnb.compile.libvirt_xml import Element, name_of, path_of, refused
from kvmnb.errors import SpecError

if TYPE_CHECKING:
    from kvmnb.compile.runtime import Runtime
    from kvmnb.spec.cpu import CPU
    from kvmnb.spec.domain import DomainSpec
    from kvmnb.spec.memory import Memory
    from kvmnb.spec.numa import NUMANode
    from kvmnb.spec.platform import Clock, Firmware

__all__ = ["Item", "board", "clock", "cpu", "features", "memory", "ranges", "start"]


X86 = ("x86_64", "i386")
"""Processors with an APIC, which libvirt, virt-install and virt-manager name in every guest."""


class Item(NamedTuple):
    """One element, with the field it speaks of and the section of the XML that it belongs in."""

    section: str
    field: str
    element: Element


def memory(memory: Memory, numa: tuple[NUMANode, ...]) -> Iterator[Item]:
    """Yield how much memory there is, and what it is made of."""
    if memory.maximum_mib is not None:
        most = str(memory.maximum_mib)
        element = Element("maxMemory", text=most, slots=memory.slots, unit="MiB")
        yield Item("domain", "memory", element)
    yield Item("domain", "memory", Element("memory", text=str(memory.size_mib), unit="MiB"))
    if memory.current_mib is not None:
        current = str(memory.current_mib)
        yield Item("domain", "memory", Element("currentMemory", text=current, unit="MiB"))
    if memory.source == "file":
        refused("memory.path", "libvirt chooses the folder: memory_backing_dir in its qemu.conf")
    if memory.hugepages:
        size = memory.hugepage_kib
        page = None if size is None else Element("page", size=size, unit="KiB")
        yield Item("memoryBacking", "memory", Element("hugepages", page))
    if not memory.merged:
        yield Item("memoryBacking", "memory", Element("nosharepages"))
    if memory.locked:
        yield Item("memoryBacking", "memory", Element("locked"))
    if memory.source != "anonymous" and not memory.hugepages:
        # where huge pages lie is libvirt's choice, and the same to the guest
        yield Item("memoryBacking", "memory", Element("source", type=memory.source))
    if memory.shared:
        yield Item("memoryBacking", "memory", Element("access", mode="shared"))
    if memory.preallocated:
        yield Item("memoryBacking", "memory", Element("allocation", mode="immediate"))


def vcpus(cpu: CPU) -> Item:
    """Return how many vCPUs there are, now and at most."""
    if cpu.maximum is None:
        return Item("domain", "cpu", Element("vcpu", text=str(cpu.count)))
    return Item("domain", "cpu", Element("vcpu", text=str(cpu.maximum), current=cpu.count))


def start(spec: DomainSpec, runtime: Runtime, *, first_start: bool) -> Iterator[Item]:
    """Yield ``<os>``'s parts: board, firmware, and what the guest starts from."""
    boot = spec.boot
    if spec.paravirt:
        yield _paravirt(spec)
    else:
        machine = name_of("machine", "machine", spec.machine)
        arch = ARCHES.get(spec.arch, spec.arch)
        yield Item("os", "machine", Element("type", text="hvm", arch=arch, machine=machine))
    if spec.firmware is not None:
        if spec.paravirt:
            refused("firmware", "a guest of Xen's that knows so has none")
        yield from _firmware(spec.firmware)
    if boot.splash is not None:
        refused("boot.splash", "as an option of QEMU's: extra_args '-boot splash=FILE'")
    yield from _kernel(spec, runtime, first_start=first_start)
    if boot.dtb is not None:
        yield Item("os", "boot", Element("dtb", text=path_of("boot.dtb", boot.dtb)))
    yield from _order(spec, first_start=first_start)
    if boot.menu or boot.menu_timeout_ms is not None:
        if spec.paravirt:
            refused("boot.menu", "a guest of Xen's that knows so has no firmware")
        menu = Element("bootmenu", enable=boot.menu, timeout=boot.menu_timeout_ms)
        yield Item("os", "boot", menu)


def _paravirt(spec: DomainSpec) -> Item:
    arch = ARCHES.get(spec.arch, spec.arch)
    if arch not in {"x86_64", "i686"}:
        refused("paravirt", f"Xen runs x86 guests in that way, not {spec.arch}")
    if spec.machine != "pc":
        refused("machine", "a guest of Xen's that knows so has no board")
    return Item("os", "paravirt", Element("type", text="linux", arch=arch, machine="xenpv"))


def _firmware(firmware: Firmware) -> Iterator[Item]:
    if firmware.code is None:
        if firmware.secure:
            feature = Element("feature", enabled=True, name="secure-boot")
            yield Item("os", "firmware", Element("firmware", feature))
        return
    code = path_of("firmware.code", firmware.code)
    if firmware.kind == "bios":
        yield Item("os", "firmware", Element("loader", text=code, type="rom"))
        return
    secure = True if firmware.secure else None
    loader = Element("loader", text=code, readonly=True, secure=secure, type="pflash")
    yield Item("os", "firmware", loader)
    if firmware.variables is not None:
        variables = path_of("firmware.variables", firmware.variables)
        yield Item("os", "firmware", Element("nvram", text=variables))


def os_attributes(spec: DomainSpec) -> dict[str, str]:
    """Return the attributes of ``<os>``: libvirt chooses the firmware's files."""
    if spec.firmware is None or spec.firmware.code is not None:
        return {}
    return {"firmware": "efi" if spec.firmware.kind == "uefi" else "bios"}


def _kernel(spec: DomainSpec, runtime: Runtime, *, first_start: bool) -> Iterator[Item]:
    boot, tree = spec.boot, runtime.direct_boot
    kernel, initrd, append = boot.kernel, boot.initrd, boot.append
    if boot.location is not None and first_start:
        if tree is None:
            refused("boot.location", "its kernel has to be fetched first: virt-install does it")
        kernel, initrd, append = tree.kernel, tree.initrd, boot.append or tree.append
    if kernel is None:
        return
    yield Item("os", "boot", Element("kernel", text=path_of("boot.kernel", kernel)))
    if initrd is not None:
        yield Item("os", "boot", Element("initrd", text=path_of("boot.initrd", initrd)))
    if append:
        yield Item("os", "boot", Element("cmdline", text=append))


def _order(spec: DomainSpec, *, first_start: bool) -> Iterator[Item]:
    order = spec.boot.order
    if first_start:
        once = spec.boot.once
        order = once + "".join(letter for letter in order if letter not in once)
        if once and spec.disks and "c" not in order:
            order += "c"  # as virt-install does, so that the disk can be booted
    elif asked_order(spec) is not None:
        order = firmware_order(spec)
    if order and _indexed(spec):
        refused("boot.order", "libvirt takes letters, or a bootindex for each device, not both")
    if order and spec.paravirt:
        refused("boot.order", "a guest of Xen's that knows so starts from a kernel")
    for letter in order:
        if letter == "b":
            refused("boot.order", "libvirt starts from the first floppy drive only")
        yield Item("os", "boot", Element("boot", dev=BOOT[letter]))


def _indexed(spec: DomainSpec) -> bool:
    turns = [disk.bootindex for disk in spec.disks] + [cdrom.bootindex for cdrom in spec.cdroms]
    return any(turn is not None for turn in (*turns, *(nic.bootindex for nic in spec.nics)))


def firmware_order(spec: DomainSpec) -> str:
    """Return what firmware with no order would find to start from."""
    return "d" * bool(spec.cdroms) + "a" * bool(spec.floppies) + "n" * bool(spec.nics)


def asked_order(spec: DomainSpec) -> str | None:
    """Return the order that was asked for where the XML must name another one, or ``None``.

    Without an order libvirt has the guest start from its first disk and from nothing else,
    where firmware would go on to CD-ROM and network.
    """
    boot = spec.boot
    if boot.order or spec.disks or boot.kernel or spec.paravirt or not firmware_order(spec):
        return None
    if _indexed(spec):
        return None
    return boot.order


def features(spec: DomainSpec) -> Iterator[Item]:
    """Yield ``<features>``: ACPI, and options of the board that libvirt has elements for."""
    if spec.acpi:
        yield Item("features", "acpi", Element("acpi"))
    if spec.arch in X86 and not spec.paravirt:
        yield Item("features", "machine", Element("apic"))
    named = set()
    for name, value in spec.machine_options:
        if (name, value) not in BOARD_OPTIONS or name in named:
            refused(
                f"machine_options.{name}",
                f"as an option of QEMU's: extra_args '-machine {name}={value}'",
            )
        named.add(name)
        tag, attribute, word = BOARD_OPTIONS[name, value]
        yield Item("features", "machine_options", Element(tag, more={attribute: word}))


def cpu(spec: DomainSpec, runtime: Runtime) -> tuple[dict[str, str], list[Item]]:
    """Return the attributes of ``<cpu>`` and its parts."""
    cpu, items = spec.cpu, []
    attributes: dict[str, str] = {}
    match cpu.model:
        case None:
            pass
        case "host":
            if runtime.accel != "kvm":
                refused("cpu.model", "without KVM there is no host CPU to pass on; use cpu('max')")
            attributes = {"mode": "host-passthrough"}
        case "max":
            attributes = {"mode": "maximum"}
        case "host-model":
            attributes = {"mode": "host-model"}
        case _:
            attributes = {"mode": "custom", "match": "exact", "check": "none"}
            named = Element("model", text=cpu.model)
            items.append(Item("cpu", "cpu", named))
    if (given := _topology(cpu)) is not None:
        items.append(Item("cpu", "cpu", given))
    seen = set()
    for feature in cpu.features:
        if feature[0] not in "+-" or feature[1:] in seen:
            refused("cpu.features", f"libvirt only has features on and off, each once: {feature!r}")
        seen.add(feature[1:])
        policy = "require" if feature[0] == "+" else "disable"
        items.append(Item("cpu", "cpu", Element("feature", policy=policy, name=feature[1:])))
    if spec.numa:
        cells = [_cell(index, node) for index, node in enumerate(spec.numa)]
        items.append(Item("cpu", "numa", Element("numa", *cells)))
    return attributes, items


def given_layout(cpu: CPU) -> dict[str, str] | None:
    """Return the parts of the layout that were asked for, where libvirt must be told more."""
    parts = {"sockets": cpu.sockets, "cores": cpu.cores, "threads": cpu.threads}
    asked = {part: str(value) for part, value in parts.items() if value is not None}
    return None if len(asked) == len(parts) or (not asked and cpu.dies is None) else asked


def _topology(cpu: CPU) -> Element | None:
    if (cpu.sockets, cpu.dies, cpu.cores, cpu.threads) == (None, None, None, None):
        return None
    # as QEMU fills in what is not said: cores before sockets, threads last (its -smp, since 6.2)
    dies = cpu.dies or 1
    threads = cpu.threads or 1
    if cpu.threads is None and cpu.sockets is not None and cpu.cores is not None:
        threads = cpu.most // (cpu.sockets * dies * cpu.cores)
    cores = cpu.cores or cpu.most // ((cpu.sockets or 1) * dies * threads)
    sockets = cpu.sockets or cpu.most // (dies * cores * threads)
    if sockets * dies * cores * threads != cpu.most:
        refused("cpu.threads", "libvirt wants sockets, cores and threads that give all vCPUs")
    return Element("topology", sockets=sockets, dies=cpu.dies, cores=cores, threads=threads)


def _cell(index: int, node: NUMANode) -> Element:
    cpus = ranges(node.cpus) if node.cpus else None
    cell = Element("cell", id=index, cpus=cpus, memory=node.memory_mib, unit="MiB")
    if node.distances:
        siblings = (
            Element("sibling", id=other, value=distance)
            for other, distance in enumerate(node.distances)
        )
        cell.children.append(Element("distances", *siblings))
    return cell


def ranges(numbers: tuple[int, ...]) -> str:
    """Return rising numbers as libvirt writes a set of vCPUs: ``0-3,6``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def clock(clock: Clock) -> tuple[dict[str, str], list[Item]]:
    """Return the attributes of ``<clock>`` and its timers."""
    if clock.base in {"utc", "localtime"}:
        attributes = {"offset": clock.base}
    else:
        attributes = {"offset": "absolute", "start": str(_seconds(clock.base))}
    timers = []
    track = TRACKS.get(clock.source)
    policy = "catchup" if clock.driftfix == "slew" else None
    if track is not None or policy is not None:
        timers.append(Element("timer", name="rtc", track=track, tickpolicy=policy))
    if clock.pit is not None:
        timers.append(Element("timer", name="pit", tickpolicy=clock.pit))
    if clock.hpet is not None:
        timers.append(Element("timer", name="hpet", present=clock.hpet))
    return attributes, [Item("clock", "clock", timer) for timer in timers]


def _seconds(date: str) -> int:
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(date).replace(tzinfo=UTC)
    except ValueError as error:
        raise SpecError("clock.base", date, str(error)) from None
    seconds = int(moment.timestamp())
    if seconds < 0:
        refused("clock.base", "libvirt counts the seconds from 1970 on")
    return seconds


def board(spec: DomainSpec, *, first_start: bool) -> Iterator[Item]:
    """Yield what becomes of the guest when it ends, and whether it may sleep."""
    for tag, action, usual in (
        ("on_poweroff", spec.on_poweroff, "destroy"),
        # virt-install defines the guest anew when the first start is over
        ("on_reboot", "destroy" if first_start else spec.on_reboot, "restart"),
        ("on_crash", spec.on_crash, "destroy"),
    ):
        if action != usual:
            yield Item("domain", tag, Element(tag, text=action))
    for tag, allowed in (
        ("suspend-to-mem", spec.suspend_to_mem),
        ("suspend-to-disk", spec.suspend_to_disk),
    ):
        if allowed is not None:
            yield Item("pm", tag.replace("-", "_"), Element(tag, enabled=allowed))
