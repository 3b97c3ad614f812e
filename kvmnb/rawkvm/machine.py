"""A virtual machine by hand: three kinds of file, a piece of memory, and a loop around one request.

``/dev/kvm`` makes VMs, a VM makes vCPUs, and a vCPU runs until the guest does something that the
processor leaves to us: a write to a port, a halt. Each of the three is a file descriptor.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from ctypes import Structure, addressof, c_char
from types import TracebackType
from typing import TypeVar

from kvmnb.rawkvm import ioctls

__all__ = ["VCPU", "VM", "open_kvm"]

_Filled = TypeVar("_Filled", bound=Structure)

NODE = "/dev/kvm"

TSS_ADDRESS = 0x7FFF_D000
"""Three pages that Intel processors need for real mode, where the guest has no memory."""


def open_kvm(node: str = NODE) -> int:
    """Return a descriptor of /dev/kvm.

    Raises
    ------
    OSError   it is not there, or this user may not open it
    """
    return os.open(node, os.O_RDWR | os.O_CLOEXEC)


class VM:
    """A virtual machine with one piece of memory that starts at guest-physical address 0.

    Parameters
    ----------
    kvm : a descriptor of /dev/kvm; stays the caller's
    memory_bytes : a multiple of the page size, 4096

    Raises
    ------
    OSError   KVM refused
    """

    def __init__(self, kvm: int, memory_bytes: int) -> None:
        self.kvm = kvm
        self._views: list[c_char] = []
        self.memory = mmap.mmap(-1, memory_bytes)  # zeros, and pages only where one is touched
        self.fd = -1
        try:
            self.fd = fcntl.ioctl(kvm, ioctls.CREATE_VM, 0)
            fcntl.ioctl(self.fd, ioctls.SET_TSS_ADDR, TSS_ADDRESS)
            start = c_char.from_buffer(self.memory)
            self._views.append(start)
            region = ioctls.MemoryRegion(
                slot=0, guest_physical=0, size_bytes=memory_bytes, host_address=addressof(start)
            )
            fcntl.ioctl(self.fd, ioctls.SET_USER_MEMORY_REGION, region)
            del start
        except BaseException:
            self.close()
            raise

    def write(self, address: int, content: bytes) -> None:
        """Put `content` into the guest's memory."""
        self.memory[address : address + len(content)] = content

    def vcpu(self) -> VCPU:
        """Add a vCPU; it shows the guest the processor that KVM offers."""
        return VCPU(self)

    def close(self) -> None:
        """Give everything back; the VM is gone when its vCPUs are closed too."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        self._views.clear()  # an mmap with a pointer into it cannot be closed
        self.memory.close()

    def __enter__(self) -> VM:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class VCPU:
    """A virtual processor; `run` lets it go until it stops, and says why it did.

    Attributes
    ----------
    state : the page shared with KVM, filled at each stop

    Raises
    ------
    OSError   KVM refused
    """

    def __init__(self, vm: VM, number: int = 0) -> None:
        self.fd = fcntl.ioctl(vm.fd, ioctls.CREATE_VCPU, number)
        try:
            size_bytes = fcntl.ioctl(vm.kvm, ioctls.GET_VCPU_MMAP_SIZE, 0)
            self._page = mmap.mmap(self.fd, size_bytes)
        except BaseException:
            os.close(self.fd)
            raise
        self.state = ioctls.RunState.from_buffer(self._page)
        try:
            answers = ioctls.Cpuid(count=256)
            fcntl.ioctl(vm.kvm, ioctls.GET_SUPPORTED_CPUID, answers)
            fcntl.ioctl(self.fd, ioctls.SET_CPUID2, answers)
        except BaseException:
            self.close()
            raise

    @property
    def registers(self) -> ioctls.Registers:
        """The general registers: a copy; set the property to change them."""
        return self._get(ioctls.GET_REGS, ioctls.Registers())

    @registers.setter
    def registers(self, value: ioctls.Registers) -> None:
        fcntl.ioctl(self.fd, ioctls.SET_REGS, value)

    @property
    def special(self) -> ioctls.SpecialRegisters:
        """Segments, tables, control registers: a copy; set the property to change them."""
        return self._get(ioctls.GET_SREGS, ioctls.SpecialRegisters())

    @special.setter
    def special(self, value: ioctls.SpecialRegisters) -> None:
        fcntl.ioctl(self.fd, ioctls.SET_SREGS, value)

    def _get(self, request: int, into: _Filled) -> _Filled:
        fcntl.ioctl(self.fd, request, into)
        return into

    def run(self) -> int:
        """Run the guest until the next exit that KVM leaves to us; return the exit reason.

        Nothing bounds the time that takes: a guest may loop for ever. A signal ends it.
        """
        fcntl.ioctl(self.fd, ioctls.RUN, 0)
        return int(self.state.exit_reason)

    def interrupt(self, vector: int) -> None:
        """Deliver an external interrupt; the guest must be ready for one."""
        fcntl.ioctl(self.fd, ioctls.INTERRUPT, ioctls.Interrupt(vector))

    def port_write(self) -> tuple[int, bytes]:
        """Return port and bytes of the OUT that the vCPU stopped at."""
        io = self.state.detail.io
        start = io.data_offset
        return io.port, self._page[start : start + io.size * io.count]

    def close(self) -> None:
        """Give the vCPU back."""
        os.close(self.fd)
        del self.state  # an mmap with a pointer into it cannot be closed
        self._page.close()
