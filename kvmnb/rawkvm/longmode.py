"""A guest of a few hundred bytes that does in 64-bit mode what a stock kernel does when it starts.

It reports each thing that worked by a write to a port. And it counts: a processor that runs the
guest itself needs less than a nanosecond for an instruction, a kernel that reads the instructions
one by one and acts them out needs hundreds, and a stock kernel then hardly starts at all.
"""

from __future__ import annotations

import struct

from kvmnb.rawkvm import ioctls
from kvmnb.rawkvm.machine import VCPU, VM

__all__ = ["COUNTED", "FAILED", "MEMORY_BYTES", "PORT", "STEPS", "VECTOR", "load"]

MEMORY_BYTES = 0x10000
PORT = 0xF1

STEPS = {
    1: "64-bit code",
    2: "cpuid",
    3: "model-specific registers",
    4: "page tables",
    5: "an exception",
    6: "an interrupt",
    7: "a system call from user mode",
}
"""What each number written to the port means."""

COUNT_STARTS, COUNT_ENDS, FAILED = 8, 9, 0xFF
COUNTED = 20_000
"""Instructions between `COUNT_STARTS` and `COUNT_ENDS`; the guest counts five times."""

VECTOR = 0x20
"""The interrupt that the guest waits for when it halts the first time."""

# where things lie in the guest's memory
_FIRST_TABLES, _TABLES = 0x1000, 0x2000
_GDT, _IDT, _TSS, _DATA = 0x5000, 0x6000, 0x6800, 0x9000
_USER_STACK, _STACK = 0x7000, 0x7800
_CODE = 0x8000

_ON_EXCEPTION, _ON_INTERRUPT, _USER, _ON_SYSCALL = 0x8100, 0x8200, 0x8300, 0x8400

_HIGH = 0xFFFF_FFFF_8000_0000
"""Where kernels live: the top 2 GiB of the address space."""

_SECRET = 0x6B76_6D6E

_PROGRAM: dict[int, tuple[tuple[str, str], ...]] = {
    _CODE: (
        ("b0 01 e6 f1", "step 1"),
        ("31 c0 0f a2", "eax = 0; cpuid"),
        ("85 c0 0f 84 80 00 00 00", "if eax == 0: fail"),
        ("b0 02 e6 f1", "step 2"),
        ("b9 81 00 00 c0", "ecx = STAR, the segments of SYSCALL"),
        ("31 c0 ba 08 00 10 00 0f 30", "edx:eax = 0x00100008:0; wrmsr"),
        ("ff c1", "ecx = LSTAR, where SYSCALL goes"),
        ("b8 00 84 00 00 31 d2 0f 30", "edx:eax = _ON_SYSCALL; wrmsr"),
        ("31 c0 0f 32", "eax = 0; rdmsr"),
        ("3d 00 84 00 00 75 58", "if eax != _ON_SYSCALL: fail"),
        ("b0 03 e6 f1", "step 3"),
        ("b8 00 20 00 00 0f 22 d8", "cr3 = _TABLES: these know _HIGH too"),
        ("48 c7 c3 00 00 00 80", "rbx = _HIGH"),
        ("81 3b 6e 6d 76 6b 75 3d", "if [rbx] != _SECRET: fail"),
        ("b0 04 e6 f1", "step 4"),
        ("0f 0b", "ud2: an exception; its handler steps over it"),
        ("b0 05 e6 f1", "step 5"),
        ("fb f4 fa", "sti; hlt, until the interrupt; cli"),
        ("b0 06 e6 f1", "step 6"),
        ("bb 05 00 00 00", "ebx = 5"),
        ("b0 08 e6 f1", "again: report that counting starts"),
        ("b9 10 27 00 00", "ecx = 10000"),
        ("ff c9 75 fc", "count: ecx -= 1; if not zero: count"),
        ("b0 09 e6 f1", "report that it ends"),
        ("ff cb 75 eb", "ebx -= 1; if not zero: again"),
        ("6a 1b 68 00 70 00 00", "push the user's ss, rsp = _USER_STACK,"),
        ("6a 02 6a 23 68 00 83 00 00", "rflags, cs, rip = _USER"),
        ("48 cf", "iretq: go there"),
        ("b0 ff e6 f1 f4", "fail: report it; hlt"),
    ),
    _ON_EXCEPTION: (("48 83 04 24 02 48 cf", "add [rsp], 2; iretq"),),
    _ON_INTERRUPT: (("48 cf", "iretq"),),
    _USER: (("0f 05", "syscall"),),
    _ON_SYSCALL: (
        ("8c c8 83 f8 08 75 06", "if cs != _KERNEL_CODE: fail"),
        ("b0 07 e6 f1", "step 7"),
        ("fa f4", "cli; hlt: done"),
        ("b0 ff e6 f1 f4", "fail: report it; hlt"),
    ),
}


def load(vm: VM, vcpu: VCPU) -> None:
    """Put the guest into `vm` and set `vcpu` to its first instruction, in 64-bit mode."""
    for address, lines in _PROGRAM.items():
        vm.write(address, b"".join(bytes.fromhex(line) for line, _ in lines))
    vm.write(_DATA, struct.pack("<I", _SECRET))
    _write_page_tables(vm)
    _write_descriptors(vm)
    vcpu.special = _long_mode(vcpu.special)
    vcpu.registers = ioctls.Registers(rip=_CODE, rsp=_STACK, rflags=0x2)  # bit 1 is always set


# -- what 64-bit mode needs (AMD64 Architecture Programmer's Manual, volume 2) ----------------

_PRESENT, _WRITABLE, _USER_TOO, _LARGE = 1 << 0, 1 << 1, 1 << 2, 1 << 7
_TABLE = _PRESENT | _WRITABLE | _USER_TOO


def _write_page_tables(vm: VM) -> None:
    """Map the first 2 MiB to themselves; the second set also has one 4 KiB page at `_HIGH`."""
    low_pointers, low_directory = 0x3000, 0x4000
    high_pointers, high_directory, high_pages = 0xA000, 0xB000, 0xC000
    for root in (_FIRST_TABLES, _TABLES):
        _entry(vm, root, 0, low_pointers | _TABLE)
    _entry(vm, low_pointers, 0, low_directory | _TABLE)
    _entry(vm, low_directory, 0, 0 | _TABLE | _LARGE)
    # nine bits of the address for each level: 511, 510, 0, 0
    _entry(vm, _TABLES, 511, high_pointers | _TABLE)
    _entry(vm, high_pointers, 510, high_directory | _TABLE)
    _entry(vm, high_directory, 0, high_pages | _TABLE)
    _entry(vm, high_pages, 0, _DATA | _PRESENT)


def _entry(vm: VM, table: int, index: int, value: int) -> None:
    vm.write(table + 8 * index, struct.pack("<Q", value))


_KERNEL_CODE, _KERNEL_DATA, _USER_DATA, _USER_CODE, _TASK = 0x08, 0x10, 0x18, 0x20, 0x28


def _write_descriptors(vm: VM) -> None:
    """Write the segments (in the order that SYSCALL wants), and gates for the two handlers."""
    for selector, access, flags in (
        (_KERNEL_CODE, 0x9B, 0xA),
        (_KERNEL_DATA, 0x93, 0xC),
        (_USER_DATA, 0xF3, 0xC),
        (_USER_CODE, 0xFB, 0xA),
        (_TASK, 0x8B, 0x0),
    ):
        base, limit = (_TSS, 103) if selector == _TASK else (0, 0xFFFFF)
        low = struct.pack("<HHBBBB", limit & 0xFFFF, base, 0, access, flags << 4 | limit >> 16, 0)
        vm.write(_GDT + selector, low)
    for vector, handler in ((6, _ON_EXCEPTION), (VECTOR, _ON_INTERRUPT)):
        gate = struct.pack("<HHBBHII", handler, _KERNEL_CODE, 0, 0x8E, 0, 0, 0)
        vm.write(_IDT + 16 * vector, gate)


def _long_mode(special: ioctls.SpecialRegisters) -> ioctls.SpecialRegisters:
    """Return the registers as they are when a kernel has switched to 64-bit mode."""
    special.gdt = ioctls.Descriptor(base=_GDT, limit=0x37)
    special.idt = ioctls.Descriptor(base=_IDT, limit=16 * (VECTOR + 1) - 1)
    special.cs = ioctls.Segment(
        selector=_KERNEL_CODE, limit=0xFFFF_FFFF, type=0xB, present=1, s=1, l=1, g=1
    )
    data = ioctls.Segment(
        selector=_KERNEL_DATA, limit=0xFFFF_FFFF, type=0x3, present=1, s=1, db=1, g=1
    )
    special.ds = special.es = special.fs = special.gs = special.ss = data
    special.tr = ioctls.Segment(selector=_TASK, base=_TSS, limit=103, type=0xB, present=1)
    special.cr3 = _FIRST_TABLES
    special.cr4 = 1 << 5  # PAE: entries of 8 bytes
    special.efer = 1 << 0 | 1 << 8 | 1 << 10  # SCE: SYSCALL exists; LME and LMA: 64-bit mode, on
    special.cr0 = 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 0  # PG, WP, NE, ET, PE
    return special
