"""Guests that figures of copies are taken of."""

from __future__ import annotations

import time

from kvmnb import VM, Guest, Host

__all__ = ["answered", "pss_bytes", "start_s", "vm", "with_touched"]


def vm(memory_mib: int = 128, name: str = "bench", host: Host | None = None) -> VM:
    """Describe the tiny guest with so much memory."""
    return (host or Host()).vm(name).mem(memory_mib).smp(2).disk("tiny").nic("virtio").accel("tcg")


def start_s(machine: VM, *, warm: bool = False) -> float:
    """Return how long it takes from nothing to a command's answer; the end is left out."""
    begun = time.perf_counter()
    guest = machine.start(warm=warm)
    guest.run("true", check=True)
    took = time.perf_counter() - begun
    guest.destroy()
    return took


def answered(guests: list[Guest]) -> None:
    """Return when each guest has answered a command."""
    for guest in guests:
        guest.run("true", check=True)


def with_touched(machine: VM, megabytes: int = 0) -> Guest:
    """Start the guest warm, and let it write to so much of its memory."""
    guest = machine.start(warm=True)
    if megabytes:
        fill = f"mount -t tmpfs -o size=90% none /mnt && head -c {megabytes}000000 /dev/zero"
        guest.run(f"{fill} | tr '\\0' x >/mnt/filled", check=True, timeout_s=600)
    return guest


def pss_bytes(guest: Guest) -> int:
    """Return the guest's share of the host's memory: each page by how many processes map it."""
    with open(f"/proc/{guest.info.pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("Pss:"))
