"""What copies take of the host's memory, beside as many guests that were booted."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks._guests import answered, pss_bytes, vm, with_touched
from benchmarks._ratio import Figures

LAB, MANY = 8, 20


def main() -> None:
    """Count eight of each, then twenty copies."""
    figures = Figures()
    with ExitStack() as stack:
        booted = [
            stack.enter_context(vm(name=f"cold-{index}").start(warm=False)) for index in range(LAB)
        ]
        answered(booted)
        cold = sum(map(pss_bytes, booted))
    with with_touched(vm()) as parent, ExitStack() as stack:
        copies = [stack.enter_context(copy) for copy in parent.fork(LAB)]
        answered(copies)
        what = "proportional memory of 8 copies beside 8 booted guests"
        figures.share(what, sum(map(pss_bytes, copies)) / 1e6, cold / 1e6, 0.20, "MB")
        more = [stack.enter_context(copy) for copy in parent.fork(MANY - LAB)]
        answered(more)
        taken = sum(map(pss_bytes, [*copies, *more]))
        figures.share("20 copies of a guest of 128 MiB", taken / (1 << 30), 1.2, 1, "GiB")
    figures.end()


if __name__ == "__main__":
    main()
