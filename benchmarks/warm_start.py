"""A warm start until ``run("true")`` has returned, beside the cold start of the same guest."""

from __future__ import annotations

import time

from benchmarks._ratio import Figures, in_turn
from kvmnb import VM, Host, portal

ROUNDS = 9


def answered(vm: VM, *, warm: bool) -> float:
    """Return how long it takes from nothing to a command's answer; the end is left out."""
    begun = time.perf_counter()
    guest = vm.start(warm=warm)
    guest.run("true", check=True)
    took = time.perf_counter() - begun
    guest.destroy()
    return took


def from_spare(vm: VM) -> float:
    """Return the same of a guest that stands ready."""
    spares = vm.host.engine.spares
    took = answered(vm, warm=True)
    portal.run(spares.settled())  # the next one is made meanwhile, as it is while a guest is used
    return took


def main() -> None:
    """Take both figures in the same rounds."""
    host, ready = Host(), Host(warm=True, spare=1)
    vm, spare = (
        each.vm("bench").mem(128).smp(2).disk("tiny").nic("virtio").accel("tcg")
        for each in (host, ready)
    )
    answered(vm, warm=True)
    from_spare(spare)
    try:
        cold, warm, parked = in_turn(
            lambda: answered(vm, warm=False),
            lambda: answered(vm, warm=True),
            lambda: from_spare(spare),
            rounds=ROUNDS,
        )
    finally:
        portal.run(ready.engine.spares.clear())
    figures = Figures()
    figures.ratio('a warm start until run("true") beside the cold one', warm, cold, 1 / 20)
    figures.ratio("the same from a spare", parked, cold, 1 / 40)
    figures.end()


if __name__ == "__main__":
    main()
