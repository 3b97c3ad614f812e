"""A machine made by hand runs code for real, and gives everything back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kvmnb.rawkvm import ioctls
from kvmnb.rawkvm.machine import NODE, VCPU, VM, open_kvm

needs_kvm = pytest.mark.skipif(
    not os.access(NODE, os.R_OK | os.W_OK), reason=f"{NODE} does not open here"
)

OUT_AND_HALT = bytes.fromhex("b0 2a e6 10 f4")  # mov al, 42; out 0x10, al; hlt

NUMBERS = {
    "GET_API_VERSION": 0xAE00,
    "CREATE_VM": 0xAE01,
    "GET_VCPU_MMAP_SIZE": 0xAE04,
    "GET_SUPPORTED_CPUID": 0xC008AE05,
    "CREATE_VCPU": 0xAE41,
    "SET_USER_MEMORY_REGION": 0x4020AE46,
    "SET_TSS_ADDR": 0xAE47,
    "RUN": 0xAE80,
    "GET_REGS": 0x8090AE81,
    "SET_REGS": 0x4090AE82,
    "GET_SREGS": 0x8138AE83,
    "SET_SREGS": 0x4138AE84,
    "INTERRUPT": 0x4004AE86,
    "SET_CPUID2": 0x4008AE90,
}
"""As a C compiler has them from linux/kvm.h."""


def start_in_real_mode(vm: VM, code: bytes) -> VCPU:
    """Return a vCPU at `code`, in the 16-bit mode that a processor starts in."""
    vm.write(0x1000, code)
    vcpu = vm.vcpu()
    special = vcpu.special
    special.cs.base, special.cs.selector = 0, 0
    vcpu.special = special
    vcpu.registers = ioctls.Registers(rip=0x1000, rflags=2)
    return vcpu


def descriptors() -> set[str]:
    return {os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}


def test_the_request_numbers_are_those_of_the_kernels_header():
    assert {name: getattr(ioctls, name) for name in NUMBERS} == NUMBERS


@needs_kvm
def test_a_guest_writes_to_a_port_and_halts():
    kvm = open_kvm()
    with VM(kvm, 0x10000) as vm:
        vcpu = start_in_real_mode(vm, OUT_AND_HALT)
        assert vcpu.run() == ioctls.EXIT_IO
        assert vcpu.port_write() == (0x10, b"\x2a")
        assert vcpu.run() == ioctls.EXIT_HLT
        assert vcpu.registers.rip == 0x1000 + len(OUT_AND_HALT)
        vcpu.close()
    os.close(kvm)


@needs_kvm
def test_a_closed_machine_leaves_no_descriptor_and_no_mapping():
    before = descriptors()
    kvm = open_kvm()
    with VM(kvm, 0x10000) as vm:
        vm.vcpu().close()
    os.close(kvm)
    assert descriptors() == before
    assert "kvm-vcpu" not in Path("/proc/self/maps").read_text()


def test_a_machine_that_cannot_be_made_leaves_nothing():
    before = descriptors()
    null = os.open("/dev/null", os.O_RDWR)
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        VM(null, 0x10000)
    os.close(null)
    assert descriptors() == before


@needs_kvm
def test_a_guest_that_loops_for_ever_can_be_killed():
    code = (
        "import signal; from tests.rawkvm.test_machine import *\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.5)\n"
        "vm = VM(open_kvm(), 0x10000); start_in_real_mode(vm, bytes.fromhex('eb fe')).run()"
    )
    checkout = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, "-c", code], cwd=checkout, timeout=60, check=False)
    assert ended.returncode == -signal.SIGALRM
