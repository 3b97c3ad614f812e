"""A warm start until ``run("true")`` has returned, beside the cold start of the same guest."""

from __future__ import annotations

from benchmarks._guests import start_s, vm
from benchmarks._ratio import Figures, in_turn
from kvmnb import VM, Host, portal

ROUNDS = 9


def from_spare(machine: VM) -> float:
    """Return how long a start takes from a guest that stands ready."""
    spares = machine.host.engine.spares
    took = start_s(machine, warm=True)
    portal.run(spares.settled())  # the next one is made meanwhile, as it is while a guest is used
    return took


def main() -> None:
    """Take both figures in the same rounds."""
    ready = Host(warm=True, spare=1)
    machine, spare = vm(), vm(host=ready)
    start_s(machine, warm=True)
    from_spare(spare)
    try:
        cold, warm, parked = in_turn(
            lambda: start_s(machine),
            lambda: start_s(machine, warm=True),
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
