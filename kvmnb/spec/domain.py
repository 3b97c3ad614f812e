"""The whole description of one guest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.boot import Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.network import NIC
from kvmnb.spec.storage import CDROM, Disk
from kvmnb.spec.value import Value

__all__ = ["Accel", "DomainSpec", "Memory"]

Accel = Literal["auto", "kvm", "tcg"]
ACCELS = ("auto", "kvm", "tcg")

MEMORY_LIMIT_MIB = 1 << 22
"""4 TiB, what QEMU's ``pc`` machine can address with 42 physical bits; the host has less."""

SLOTS_LIMIT = 256
"""Memory slots of the ``pc`` machine (ACPI_MAX_RAM_SLOTS in QEMU)."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Memory(Value):
    """The guest's memory, as QEMU's ``-m`` has it.

    Parameters
    ----------
    size_mib : at start
    slots, maximum_mib : room for memory plugged in later; both or neither
    """

    size_mib: int = 128
    slots: int = 0
    maximum_mib: int | None = None

    def __post_init__(self) -> None:
        validate.positive("mem", self.size_mib, MEMORY_LIMIT_MIB)
        if self.slots != 0 or isinstance(self.slots, bool):
            validate.positive("mem.slots", self.slots, SLOTS_LIMIT)
        if (self.maximum_mib is None) != (self.slots == 0):
            raise SpecError("mem.slots", self.slots, "slots and maxmem go together")
        if self.maximum_mib is not None:
            validate.positive("mem.maxmem", self.maximum_mib, MEMORY_LIMIT_MIB)
            if self.maximum_mib <= self.size_mib:
                raise SpecError("mem.maxmem", self.maximum_mib, f"must exceed {self.size_mib} MiB")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DomainSpec(Value):
    """Everything that was asked of one guest; what is not here is not in the guest.

    Parameters
    ----------
    name : unique on its host
    memory, cpu : how much of both
    machine : the board: ``"pc"``, ``"q35"``, or a version of one of them
    accel : ``"kvm"``, ``"tcg"``, or ``"auto"`` for KVM where it really works
    disks, cdroms, nics : in the order in which the guest shall find them
    boot : what it starts from
    balloon : a virtio balloon with guest statistics
    agent : a virtio-serial port for the QEMU guest agent
    serial : a serial port, which is the console
    vnc : a graphics card, and its screen as VNC on a private socket
    vmgenid : a generation id, which tells the guest's kernel when it has been copied
    rng : a virtio entropy source
    """

    name: str
    memory: Memory = Memory()
    cpu: CPU = CPU()
    machine: str = "pc"
    accel: Accel = "auto"
    disks: tuple[Disk, ...] = ()
    cdroms: tuple[CDROM, ...] = ()
    nics: tuple[NIC, ...] = ()
    boot: Boot = Boot()
    balloon: bool = True
    agent: bool = True
    serial: bool = True
    vnc: bool = True
    vmgenid: bool = True
    rng: bool = True

    def __post_init__(self) -> None:
        validate.name("name", self.name)
        validate.text("machine", self.machine)
        validate.choice("accel", self.accel, ACCELS)
        for field, kind in {"memory": Memory, "cpu": CPU, "boot": Boot}.items():
            validate.kind(field, getattr(self, field), kind)
        for field, kind in {"disks": Disk, "cdroms": CDROM, "nics": NIC}.items():
            validate.kinds(field, getattr(self, field), kind)
        for field in ("balloon", "agent", "serial", "vnc", "vmgenid", "rng"):
            validate.switch(field, getattr(self, field))
        seen: set[str] = set()
        for nic in self.nics:
            if nic.mac is not None and nic.mac in seen:
                raise SpecError("nic.mac", nic.mac, "another NIC of this guest has it already")
            if nic.mac is not None:
                seen.add(nic.mac)
