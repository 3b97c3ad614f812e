"""Copies of a running guest until they answer, beside its cold start; and what the parent feels."""

from __future__ import annotations

import statistics
import time

from benchmarks._guests import answered, start_s, vm, with_touched
from benchmarks._ratio import Figures, in_turn
from kvmnb import Guest

ROUNDS = 9
LAB = 8


def forked(parent: Guest, count: int) -> float:
    """Return how long it takes until so many copies have answered; their end is left out."""
    begun = time.perf_counter()
    copies = parent.fork(count)
    answered(copies)
    took = time.perf_counter() - begun
    for copy in copies:
        copy.destroy()
    return took


def stood_still(parent: Guest) -> float:
    """Return how long the parent stands still while its state is taken."""
    checkpoint = parent.checkpoint("pause")
    parent.drop(checkpoint)
    return checkpoint.pause_s


def main() -> None:
    """Take all figures in the same rounds."""
    small, large = with_touched(vm()), with_touched(vm(1024, "large"), 400)
    machine = vm(name="cold")
    with small, large:
        cold, one, lab, still, big, big_still = in_turn(
            lambda: start_s(machine),
            lambda: forked(small, 1),
            lambda: forked(small, LAB),
            lambda: stood_still(small),
            lambda: forked(large, 1),
            lambda: stood_still(large),
            rounds=ROUNDS,
        )
    figures = Figures()
    figures.ratio("a fork until it answers beside the cold start", one, cold, 1 / 20)
    figures.ratio("a lab of 8 forks, all answering, beside one cold start", lab, cold, 0.35)
    figures.share("the parent stands still", statistics.median(still) * 1e3, 50, 1, "ms")
    figures.ratio("a fork of 1 GiB with 400 MB touched beside one of 128 MiB", big, one, 1.2)
    figures.ratio("its parent stands still beside that of 128 MiB", big_still, still, 1.2)
    figures.end()


if __name__ == "__main__":
    main()
