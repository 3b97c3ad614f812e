"""A spec as QEMU's argument list, in the modern syntax: one -blockdev and -device per disk,
one -netdev and -device per NIC, every device named, nothing left to a default.

The order is fixed: the guest as a whole (name, board, processors, memory, firmware, what it
starts from), the engine's monitors, character devices, disks, network cards, further devices,
the screen, how it starts, and last what no field stands for. In it, devices come in the order of
the spec, a controller before the first device that needs it, a back half before its front.
`kvmnb.compile.qemu_layout` says how they are called.
"""

from __future__ import annotations

from collections.abc import Iterator

from kvmnb.compile import targets
from kvmnb.compile.nics import NIC_MODELS, nic_device
from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.piece import Piece
from kvmnb.compile.qemu_disks import drives
from kvmnb.compile.qemu_layout import PCI_PLACES, Layout, laid_out, private_socket
from kvmnb.compile.qemu_network import cards, spawns
from kvmnb.compile.runtime import DirectBoot, Runtime
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.chardev import Private
from kvmnb.spec.cpu import CPU
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import User

__all__ = [
    "AGENT_PORT",
    "MONITORS",
    "NIC_MODELS",
    "PCI_PLACES",
    "asks_kinds",
    "compile_qemu",
    "laid_out",
    "nic_device",
    "qemu_pieces",
]

AGENT_PORT = "org.qemu.guest_agent.0"
"""The name by which the guest agent finds its port (QEMU manual, "QEMU Guest Agent")."""

MONITORS = ("qmp", "qmp-shared")
"""Two monitors: one that a first process keeps open, one that all others take in turns."""


BOOT_DEVICES = 3
"""Letters that a PC's CMOS has room for (``PC_MAX_BOOT_DEVICES`` in QEMU's hw/i386/pc.c)."""


def compile_qemu(spec: DomainSpec, runtime: Runtime) -> tuple[str, ...]:
    """Return the argument list that runs `spec`: the same bytes for the same input.

    Raises
    ------
    Unsupported   QEMU, this one, or this machine, lacks what the spec asks for
    SpecError     more devices than a bus takes, or parts that do not fit together
    """
    return tuple(word for piece in qemu_pieces(spec, runtime) for word in piece.words)


def qemu_pieces(spec: DomainSpec, runtime: Runtime) -> Iterator[Piece]:
    """Yield the argument list in pieces, each with the field that it speaks of.

    Raises
    ------
    Unsupported, SpecError   as `compile_qemu` does, at the first piece that cannot be
    """
    targets.refuse(spec, "qemu")
    layout = Layout(spec, runtime)
    yield from _whole(spec, runtime)
    yield from _board(spec, runtime)
    yield from _start(spec, runtime)
    yield from _characters(spec, layout)
    yield from drives(spec, layout)
    yield from cards(spec, layout)
    yield from _further(spec, layout)
    yield from _screen(spec, layout)
    layout.check_places()
    if spec.paused:
        yield Piece("paused", "", ("-S",))
    if spec.incoming is not None:
        yield Piece("incoming", "", ("-incoming", spec.incoming))
    for index, word in enumerate(spec.extra_args):
        yield Piece(f"extra_args[{index}]", "", (word,))


def asks_kinds(spec: DomainSpec) -> bool:
    """Return whether it matters which back ends this QEMU was built with (`Runtime.netdevs` …)."""
    return bool(
        spec.sounds
        or any(not isinstance(each, VNC) for each in spec.displays)
        or any(not (nic.back is None or isinstance(nic.back, User)) for nic in spec.nics)
    )


def _piece(field: str, option: str, value: Opts) -> Piece:
    return Piece(field, "", (option, str(value)))


def _whole(spec: DomainSpec, runtime: Runtime) -> Iterator[Piece]:
    if spec.arch != "x86_64" and not runtime.qemu.endswith(f"qemu-system-{spec.arch}"):
        hint = f"{runtime.qemu} runs x86; boards of others are not laid out"
        raise Unsupported("qemu", f"arch={spec.arch!r}", hint)
    if spec.paravirt:
        raise Unsupported("qemu", "paravirt", "it is Xen's; QEMU under KVM runs full machines")
    yield Piece("runtime", "", (runtime.qemu,))
    # the kernel's own limit cuts the process title to 15 bytes; ps shows the rest from argv
    names: dict[str, Value] = {"process": f"qemu:{spec.name}", "debug-threads": True}
    yield _piece("name", "-name", Opts(None, names, guest=spec.name))
    yield Piece("uuid", "", ("-uuid", spec.uuid or runtime.uuid))
    yield Piece("runtime", "", ("-no-user-config",))
    yield Piece("runtime", "", ("-nodefaults",))
    # any sandbox takes from setuid programs what they are for (Linux, no_new_privs)
    if runtime.sandbox and "setuid" not in (allowed := spawns(spec)):
        yield _piece(
            "runtime",
            "-sandbox",
            Opts(
                "on",
                obsolete="deny",
                elevateprivileges="allow" if "session" in allowed else "deny",
                spawn="allow" if allowed else "deny",
                resourcecontrol="deny",
            ),
        )


def _board(spec: DomainSpec, runtime: Runtime) -> Iterator[Piece]:
    properties: dict[str, Value] = {}
    if not spec.acpi:
        properties["acpi"] = False
    if not spec.memory.merged:
        properties["mem-merge"] = False
    if spec.firmware is not None or spec.clock is not None or spec.sounds or spec.machine_options:
        from kvmnb.compile.qemu_board import board_properties

        properties.update(board_properties(spec, runtime))
    if not spec.memory.plain and not spec.numa:
        properties["memory-backend"] = "mem0"
    yield _piece("machine", "-machine", Opts(spec.machine, properties))
    asked = spec.accel_options
    if asked:
        from kvmnb.compile.accel import of_accelerator

        asked = of_accelerator(asked, runtime.accel)
    yield _piece("accel", "-accel", Opts(runtime.accel, dict(asked)))
    if (model := _cpu_model(spec, runtime)) is not None:
        # -cpu has no quoting; the spec lets nothing through that needs one
        yield Piece("cpu", "", ("-cpu", ",".join((model, *spec.cpu.features))))
    yield _piece("memory", "-m", _memory(spec.memory))
    yield _piece("cpu", "-smp", _smp(spec))
    if not spec.memory.plain or spec.memory.locked or spec.numa:
        from kvmnb.compile.qemu_memory import memory_pieces

        yield from memory_pieces(spec)
    powers = (spec.on_poweroff, spec.on_reboot, spec.on_crash)
    sleeps = (spec.suspend_to_mem, spec.suspend_to_disk)
    if (
        spec.firmware is not None
        or spec.clock is not None
        or powers != ("destroy", "restart", "destroy")
        or sleeps != (None, None)
    ):
        from kvmnb.compile.qemu_board import board_pieces

        yield from board_pieces(spec, runtime)


def _cpu_model(spec: DomainSpec, runtime: Runtime) -> str | None:
    kvm, model = runtime.accel == "kvm", spec.cpu.model
    if model is None:
        # QEMU's own default has to be named where it gets or loses a feature
        return "host" if kvm else "qemu64" if spec.cpu.features else None
    if model == "host" and not kvm:
        raise Unsupported("qemu", "cpu='host'", "TCG has no host CPU to pass on; use cpu('max')")
    if model == "host-model":
        raise Unsupported("qemu", "cpu='host-model'", "it is libvirt's; use cpu('host')")
    return model


def _memory(memory: Memory) -> Opts:
    maxmem = None if memory.maximum_mib is None else f"{memory.maximum_mib}M"
    return Opts(None, size=f"{memory.size_mib}M", slots=memory.slots or None, maxmem=maxmem)


def _smp(spec: DomainSpec) -> Opts:
    cpu: CPU = spec.cpu
    if (cpu.dies or 1) > 1 and spec.machine in {"microvm", "isapc", "none"}:
        raise Unsupported("qemu", "cpu.dies", f"the board {spec.machine!r} has one to a socket")
    return Opts(
        str(cpu.count),
        maxcpus=cpu.maximum,
        sockets=cpu.sockets,
        dies=cpu.dies,
        cores=cpu.cores,
        threads=cpu.threads,
    )


def _start(spec: DomainSpec, runtime: Runtime) -> Iterator[Piece]:
    boot = spec.boot
    if boot.from_firmware or boot.menu_timeout_ms is not None:
        for name in ("order", "once"):
            if len(letters := getattr(boot, name)) > BOOT_DEVICES:
                raise SpecError(f"boot.{name}", letters, "a PC keeps a list of three devices")
        # the names of QEMU's manual, -boot; the firmware's menu waits as long as its splash stays
        more: dict[str, Value] = {
            "splash-time": boot.menu_timeout_ms,
            "strict": boot.strict or None,
        }
        yield _piece(
            "boot",
            "-boot",
            Opts(
                None,
                more,
                order=boot.order or None,
                once=boot.once or None,
                menu=boot.menu or None,
                splash=boot.splash,
            ),
        )
    direct = runtime.direct_boot if not boot.from_firmware else None
    if boot.kernel is not None:
        direct = DirectBoot(kernel=boot.kernel, initrd=boot.initrd, append=boot.append)
    elif boot.location is not None:
        tree = runtime.direct_boot
        if tree is None:
            hint = f"no kernel was taken from {boot.location!r} yet; give boot(kernel=, initrd=)"
            raise Unsupported("qemu", "boot.location", hint)
        append = " ".join(filter(None, (tree.append, boot.append)))
        direct = DirectBoot(kernel=tree.kernel, initrd=tree.initrd, append=append)
    if direct is not None:
        yield Piece("boot", "", ("-kernel", direct.kernel))
        if direct.initrd is not None:
            yield Piece("boot", "", ("-initrd", direct.initrd))
        if direct.append:
            yield Piece("boot", "", ("-append", direct.append))
        if boot.dtb is not None:
            yield Piece("boot", "", ("-dtb", boot.dtb))


def _characters(spec: DomainSpec, layout: Layout) -> Iterator[Piece]:
    runtime = layout.runtime
    for name in MONITORS:
        yield private_socket("runtime", "", name, name, runtime)
        yield _piece("runtime", "-mon", Opts(None, chardev=name, mode="control"))
    plain = len(spec.serials) == 1 and isinstance(spec.serials[0].back, Private)
    if plain and spec.serials[0].model == "isa":
        yield private_socket("serials[0]", "back", "serial0", "serial", runtime, logged=True)
        yield layout.device("serials[0]", "isa-serial", id="serial0", chardev="serial0")
    elif spec.serials:
        from kvmnb.compile.qemu_chardev import serials

        yield from serials(spec, layout)
    if spec.agent:
        yield from layout.virtio_serial("agent")
        yield private_socket("agent", "back", "agent0", "agent", runtime)
        yield layout.device(
            "agent", "virtserialport", id="agent0", chardev="agent0", name=AGENT_PORT
        )
    if spec.parallels or spec.consoles or spec.channels or spec.monitors:
        from kvmnb.compile.qemu_chardev import further

        yield from further(spec, layout)


def _further(spec: DomainSpec, layout: Layout) -> Iterator[Piece]:
    if (
        spec.usb is not None
        or spec.inputs
        or spec.sounds
        or spec.shares
        or spec.hostdevs
        or spec.watchdog is not None
        or spec.tpm is not None
        or spec.vsock is not None
    ):
        from kvmnb.compile.qemu_peripherals import peripherals

        yield from peripherals(spec, layout)
    if spec.balloon is not None:
        yield _balloon(spec.balloon, layout)
    if spec.rng is not None:
        yield from _rng(spec.rng, layout)
    if spec.vmgenid is not None:
        yield layout.device("vmgenid", "vmgenid", id="vmgenid0", guid=spec.vmgenid)


def _balloon(balloon: Balloon, layout: Layout) -> Piece:
    more: dict[str, Value] = {
        "guest-stats-polling-interval": balloon.stats_s,
        "deflate-on-oom": balloon.deflate_on_oom or None,
        "free-page-reporting": balloon.free_page_reporting or None,
    }
    return layout.device("balloon", "virtio-balloon-pci", more, id="balloon0")


def _rng(rng: RNG, layout: Layout) -> Iterator[Piece]:
    source = Opts("rng-builtin", id="rng0")
    if rng.source != "builtin":
        source = Opts("rng-random", id="rng0", filename=rng.source)
    yield Piece("rng", "back", ("-object", str(source)))
    more: dict[str, Value] = {"max-bytes": rng.max_bytes, "period": rng.period_ms}
    yield layout.device("rng", "virtio-rng-pci", more, id="rng0", rng="rng0")


def _screen(spec: DomainSpec, layout: Layout) -> Iterator[Piece]:
    if spec.displays or spec.videos:
        from kvmnb.compile.qemu_graphics import screens

        yield from screens(spec, layout)
    else:
        yield Piece("displays", "", ("-display", "none"))
