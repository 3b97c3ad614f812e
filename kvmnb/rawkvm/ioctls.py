"""What the kernel's KVM understands: the request numbers and the structures that go with them.

All of it is taken from linux/kvm.h and asm/kvm.h (x86-64), under the names used there without
the leading ``KVM_`` or ``kvm_``. What each means is told in the kernel's
Documentation/virt/kvm/api.rst.
"""

from __future__ import annotations

from ctypes import Structure, Union, c_uint8, c_uint16, c_uint32, c_uint64, sizeof

__all__ = [
    "API_VERSION",
    "CREATE_VCPU",
    "CREATE_VM",
    "GET_API_VERSION",
    "GET_REGS",
    "GET_SREGS",
    "GET_SUPPORTED_CPUID",
    "GET_VCPU_MMAP_SIZE",
    "INTERRUPT",
    "RUN",
    "SET_CPUID2",
    "SET_REGS",
    "SET_SREGS",
    "SET_TSS_ADDR",
    "SET_USER_MEMORY_REGION",
    "EXIT_NAMES",
    "EXIT_HLT",
    "EXIT_IO",
    "Cpuid",
    "Descriptor",
    "Interrupt",
    "MemoryRegion",
    "Registers",
    "RunState",
    "Segment",
    "SpecialRegisters",
]

API_VERSION = 12
"""The only one there is: it has not changed since Linux 2.6.22."""


# -- the structures -----------------------------------------------------------------------


class MemoryRegion(Structure):
    """A piece of guest memory, and the piece of this process that stands for it."""

    _fields_ = (
        ("slot", c_uint32),
        ("flags", c_uint32),
        ("guest_physical", c_uint64),
        ("size_bytes", c_uint64),
        ("host_address", c_uint64),
    )


class Registers(Structure):
    """The general registers of a vCPU (``struct kvm_regs``)."""

    _fields_ = tuple(
        (name, c_uint64)
        for name in (
            *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp"),
            *("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"),
            *("rip", "rflags"),
        )
    )


class Segment(Structure):
    """A segment register with the part of it that a program cannot see."""

    _fields_ = (
        ("base", c_uint64),
        ("limit", c_uint32),
        ("selector", c_uint16),
        ("type", c_uint8),
        ("present", c_uint8),
        ("dpl", c_uint8),
        ("db", c_uint8),
        ("s", c_uint8),
        ("l", c_uint8),
        ("g", c_uint8),
        ("avl", c_uint8),
        ("unusable", c_uint8),
        ("padding", c_uint8),
    )


class Descriptor(Structure):
    """Where a descriptor table lies: what LGDT and LIDT load."""

    _fields_ = (("base", c_uint64), ("limit", c_uint16), ("padding", c_uint16 * 3))


class SpecialRegisters(Structure):
    """The registers that decide in which mode a vCPU runs (``struct kvm_sregs``)."""

    _fields_ = (
        *((name, Segment) for name in ("cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt")),
        ("gdt", Descriptor),
        ("idt", Descriptor),
        *((name, c_uint64) for name in ("cr0", "cr2", "cr3", "cr4", "cr8", "efer")),
        ("apic_base", c_uint64),
        ("interrupt_bitmap", c_uint64 * 4),
    )


class CpuidEntry(Structure):
    """What CPUID answers to one question."""

    _fields_ = (
        ("function", c_uint32),
        ("index", c_uint32),
        ("flags", c_uint32),
        ("eax", c_uint32),
        ("ebx", c_uint32),
        ("ecx", c_uint32),
        ("edx", c_uint32),
        ("padding", c_uint32 * 3),
    )


class CpuidHead(Structure):
    """The part of ``struct kvm_cpuid2`` that its request number counts."""

    _fields_ = (("count", c_uint32), ("padding", c_uint32))


class Cpuid(Structure):
    """All that CPUID answers: room for more entries than any processor has."""

    _fields_ = (("count", c_uint32), ("padding", c_uint32), ("entries", CpuidEntry * 256))


class Interrupt(Structure):
    """The vector of an interrupt to be delivered."""

    _fields_ = (("vector", c_uint32),)


class IoExit(Structure):
    """Why a vCPU stopped: it wrote to a port, or read from one."""

    _fields_ = (
        ("direction", c_uint8),  # 0 in, 1 out
        ("size", c_uint8),
        ("port", c_uint16),
        ("count", c_uint32),
        ("data_offset", c_uint64),  # from the start of the shared page
    )


class ErrorExit(Structure):
    """Why a vCPU stopped: KVM itself could not go on."""

    _fields_ = (("suberror", c_uint32), ("ndata", c_uint32), ("data", c_uint64 * 16))


class ExitDetail(Union):
    """What goes with the exit reason."""

    _fields_ = (("io", IoExit), ("error", ErrorExit), ("hardware_reason", c_uint64))


class RunState(Structure):
    """The page that a vCPU shares with this process (``struct kvm_run``)."""

    _fields_ = (
        ("request_interrupt_window", c_uint8),
        ("immediate_exit", c_uint8),
        ("padding", c_uint8 * 6),
        ("exit_reason", c_uint32),
        ("ready_for_interrupt_injection", c_uint8),
        ("if_flag", c_uint8),
        ("flags", c_uint16),
        ("cr8", c_uint64),
        ("apic_base", c_uint64),
        ("detail", ExitDetail),
    )


# -- the requests -------------------------------------------------------------------------


def _plain(number: int) -> int:
    return KVMIO << 8 | number


def _write(number: int, argument: type[Structure]) -> int:
    """Return a request that hands a structure to the kernel (``_IOW``, asm-generic/ioctl.h)."""
    return 1 << 30 | sizeof(argument) << 16 | _plain(number)


def _read(number: int, argument: type[Structure]) -> int:
    """Return a request that the kernel fills a structure for (``_IOR``)."""
    return 2 << 30 | sizeof(argument) << 16 | _plain(number)


KVMIO = 0xAE

# of /dev/kvm
GET_API_VERSION = _plain(0x00)
CREATE_VM = _plain(0x01)
GET_VCPU_MMAP_SIZE = _plain(0x04)
GET_SUPPORTED_CPUID = _read(0x05, CpuidHead) | _write(0x05, CpuidHead)

# of a VM
CREATE_VCPU = _plain(0x41)
SET_USER_MEMORY_REGION = _write(0x46, MemoryRegion)
SET_TSS_ADDR = _plain(0x47)

# of a vCPU
RUN = _plain(0x80)
GET_REGS = _read(0x81, Registers)
SET_REGS = _write(0x82, Registers)
GET_SREGS = _read(0x83, SpecialRegisters)
SET_SREGS = _write(0x84, SpecialRegisters)
INTERRUPT = _write(0x86, Interrupt)
SET_CPUID2 = _write(0x90, CpuidHead)

EXIT_IO, EXIT_HLT = 2, 5
EXIT_NAMES = {
    0: "unknown",
    1: "exception",
    EXIT_IO: "io",
    3: "hypercall",
    4: "debug",
    EXIT_HLT: "hlt",
    6: "mmio",
    7: "irq window open",
    8: "shutdown",
    9: "fail entry",
    10: "intr",
    17: "internal error",
}
