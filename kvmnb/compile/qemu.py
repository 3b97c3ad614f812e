"""A spec as QEMU's argument list, in the modern syntax: one -blockdev and -device per disk,
one -netdev and -device per NIC, every device named, nothing left to a default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.qemu_disks import disks
from kvmnb.compile.runtime import DirectBoot, Runtime
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec, Memory
from kvmnb.spec.network import NIC, NetBack, User

__all__ = ["AGENT_PORT", "MONITORS", "NIC_MODELS", "compile_qemu", "laid_out", "nic_device"]

AGENT_PORT = "org.qemu.guest_agent.0"
"""The name by which the guest agent finds its port (QEMU manual, "QEMU Guest Agent")."""

MONITORS = ("qmp", "qmp-shared")
"""Two monitors: one that a first process keeps open, one that all others take in turns."""

NIC_MODELS = {
    "virtio": "virtio-net-pci",
    "e1000": "e1000",
    "e1000e": "e1000e",
    "rtl8139": "rtl8139",
    "pcnet": "pcnet",
    "vmxnet3": "vmxnet3",
    "ne2k_pci": "ne2k_pci",
    "i82551": "i82551",
    "i82557b": "i82557b",
    "i82559er": "i82559er",
    "tulip": "tulip",
}
"""The words of ``-net nic,model=`` and the devices they mean today."""

_BOARD = re.compile(r"pc|q35|pc-(i440fx|q35)-[A-Za-z0-9._-]+", re.ASCII)

PCI_PLACES = 30
"""Devices on the first bus of ``pc`` and ``q35``: 32 less the host bridge and the south bridge."""

NOT_ON_PCI = frozenset(
    {
        *("isa-serial", "vmgenid", "virtserialport"),
        *("ide-hd", "ide-cd", "scsi-hd", "usb-bot"),
    }
)
"""The devices used here that have a bus of their own, or none."""

BALLOON_STATS_S = 2
"""How often QEMU asks the guest for memory statistics, in seconds; a request costs the guest
one wake-up."""

SANDBOX = Opts(
    "on", obsolete="deny", elevateprivileges="deny", spawn="deny", resourcecontrol="deny"
)


def compile_qemu(spec: DomainSpec, runtime: Runtime) -> tuple[str, ...]:
    """Return the argument list that runs `spec`: the same bytes for the same input.

    Raises
    ------
    Unsupported   this QEMU, or this machine, lacks what the spec asks for
    SpecError     more devices than a bus takes
    """
    if not laid_out(spec.machine):
        raise Unsupported(
            "qemu", f"machine={spec.machine!r}", "devices are laid out for pc and q35 boards only"
        )
    argv, devices = [runtime.qemu], []
    for option, value in _options(spec, runtime):
        argv.append(option)
        if value is not None:
            argv.append(str(value))
        if option == "-device":
            devices.append(argv[-1].split(",", 1)[0])
    _check_devices(devices, runtime)
    return tuple(argv)


Option = tuple[str, Opts | str | None]


def _options(spec: DomainSpec, runtime: Runtime) -> Iterator[Option]:
    # the kernel's own limit cuts the process title to 15 bytes; ps shows the rest from argv
    names: dict[str, Value] = {"process": f"qemu:{spec.name}", "debug-threads": True}
    yield "-name", Opts(None, names, guest=spec.name)
    yield "-uuid", runtime.uuid
    yield "-no-user-config", None
    yield "-nodefaults", None
    if runtime.sandbox:
        yield "-sandbox", SANDBOX
    yield "-machine", Opts(spec.machine)
    yield "-accel", runtime.accel
    if (model := _cpu_model(spec, runtime)) is not None:
        yield "-cpu", Opts(model)
    yield "-m", _memory(spec.memory)
    yield "-smp", _smp(spec.cpu)
    yield from _boot(spec, runtime)
    yield from _monitors(runtime)
    if spec.serial:
        yield "-chardev", _chardev("serial0", "serial", runtime, logged=True)
        yield "-device", Opts("isa-serial", id="serial0", chardev="serial0")
    if spec.agent:
        yield "-device", Opts("virtio-serial-pci", id="virtio-serial0")
        yield "-chardev", _chardev("agent0", "agent", runtime)
        yield "-device", Opts("virtserialport", id="agent0", chardev="agent0", name=AGENT_PORT)
    yield from disks(spec, runtime)
    for index, (nic, mac) in enumerate(zip(spec.nics, runtime.macs, strict=True)):
        yield from _nic(nic, mac, f"net{index}")
    if spec.balloon:
        polling: dict[str, Value] = {"guest-stats-polling-interval": BALLOON_STATS_S}
        yield "-device", Opts("virtio-balloon-pci", polling, id="balloon0")
    if spec.rng:
        yield "-object", Opts("rng-builtin", id="rng0")
        yield "-device", Opts("virtio-rng-pci", id="rng0", rng="rng0")
    if spec.vmgenid:
        yield "-device", Opts("vmgenid", id="vmgenid0", guid="auto")
    yield "-display", "none"
    if spec.vnc:
        yield "-device", Opts("VGA", id="video0")
        yield "-vnc", Opts(None, vnc="unix:" + runtime.socket("vnc"))


def _cpu_model(spec: DomainSpec, runtime: Runtime) -> str | None:
    if spec.cpu.model is None:
        return "host" if runtime.accel == "kvm" else None
    if spec.cpu.model == "host" and runtime.accel != "kvm":
        raise Unsupported("qemu", "cpu='host'", "TCG has no host CPU to pass on; use cpu('max')")
    return spec.cpu.model


def _memory(memory: Memory) -> Opts:
    maxmem = None if memory.maximum_mib is None else f"{memory.maximum_mib}M"
    return Opts(None, size=f"{memory.size_mib}M", slots=memory.slots or None, maxmem=maxmem)


def _smp(cpu: CPU) -> Opts:
    return Opts(
        str(cpu.count),
        maxcpus=cpu.maximum,
        sockets=cpu.sockets,
        cores=cpu.cores,
        threads=cpu.threads,
    )


def _boot(spec: DomainSpec, runtime: Runtime) -> Iterator[Option]:
    boot = spec.boot
    if boot.from_firmware:
        yield (
            "-boot",
            Opts(None, order=boot.order or None, once=boot.once or None, menu=boot.menu or None),
        )
    direct = runtime.direct_boot if not boot.from_firmware else None
    if boot.kernel is not None:
        direct = DirectBoot(kernel=boot.kernel, initrd=boot.initrd, append=boot.append)
    if direct is not None:
        yield "-kernel", direct.kernel
        if direct.initrd is not None:
            yield "-initrd", direct.initrd
        if direct.append:
            yield "-append", direct.append


def _monitors(runtime: Runtime) -> Iterator[Option]:
    for name in MONITORS:
        yield "-chardev", _chardev(name, name, runtime)
        yield "-mon", Opts(None, chardev=name, mode="control")


def _chardev(id: str, socket: str, runtime: Runtime, logged: bool = False) -> Opts:
    return Opts(
        "socket",
        id=id,
        path=runtime.socket(socket),
        server=True,
        wait=False,
        logfile=runtime.log(socket) if logged else None,
        logappend=True if logged else None,
    )


def laid_out(machine: str) -> bool:
    """Return whether the compiler knows where devices go on this board."""
    return _BOARD.fullmatch(machine) is not None


def nic_device(model: str) -> str:
    """Return the device that a NIC model's word means; a device's own name is one too.

    Raises
    ------
    Unsupported   it is neither; the device might be no network card at all
    """
    if model in NIC_MODELS:
        return NIC_MODELS[model]
    if model in NIC_MODELS.values():
        return model
    raise Unsupported("qemu", f"nic.model={model!r}", "one of: " + ", ".join(NIC_MODELS))


def _nic(nic: NIC, mac: str, id: str) -> Iterator[Option]:
    yield "-netdev", _netdev(nic.back, id)
    yield "-device", Opts(nic_device(nic.model), id=id, netdev=id, mac=mac)


def _netdev(back: NetBack, id: str) -> Opts:
    match back:
        case User():
            return Opts("user", id=id)
        case _:
            assert_never(back)


def _check_devices(devices: list[str], runtime: Runtime) -> None:
    for device in devices:
        if device not in runtime.devices:
            hint = f"QEMU {'.'.join(map(str, runtime.version))} has no such device"
            raise Unsupported("qemu", f"device {device!r}", hint)
    on_pci = sum(device not in NOT_ON_PCI for device in devices)
    if on_pci > PCI_PLACES:
        raise SpecError(
            "devices", on_pci, f"the board has {PCI_PLACES} places; disks on bus scsi share one"
        )
