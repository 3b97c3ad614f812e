"""A checkpoint, and going back to one, beside the cold start; and what one takes on the disk."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from benchmarks._guests import start_s, vm, with_touched
from benchmarks._ratio import Figures, in_turn
from kvmnb import Guest

ROUNDS = 9
NOISE = 8_000_000


def taken(guest: Guest) -> float:
    """Return how long a checkpoint takes."""
    begun = time.perf_counter()
    checkpoint = guest.checkpoint("figure")
    took = time.perf_counter() - begun
    guest.drop(checkpoint)
    return took


def put_back(guest: Guest) -> float:
    """Return how long it takes until the guest answers from where it was."""
    begun = time.perf_counter()
    guest.rewind("there")
    guest.run("true", check=True)
    return time.perf_counter() - begun


def touched_bytes(guest: Guest) -> int:
    """Return how much of its memory the guest has touched."""
    descriptors = Path(f"/proc/{guest.info.pid}/fd").iterdir()
    memory = next(each for each in descriptors if "memfd:kvmnb-ram" in os.readlink(each))
    return memory.stat().st_blocks * 512


def written_bytes(guest: Guest) -> int:
    """Return how much it has written to its disk so far, its file system's own books included."""
    return sum(disk["stats"]["wr_bytes"] for disk in guest.qmp("query-blockstats"))


def main() -> None:
    """Take the times in the same rounds, then the sizes."""
    machine = vm(name="cold")
    figures = Figures()
    with with_touched(vm()) as guest:
        guest.checkpoint("there")
        cold, take, back = in_turn(
            lambda: start_s(machine),
            lambda: taken(guest),
            lambda: put_back(guest),
            rounds=ROUNDS,
        )
        figures.share("a checkpoint", statistics.median(take) * 1e3, 150, 1, "ms")
        figures.share("back at one until it answers", statistics.median(back) * 1e3, 400, 1, "ms")
        figures.ratio("a checkpoint beside the cold start", take, cold, 1 / 15)
        figures.ratio("back at one beside the cold start", back, cold, 1 / 6)
        before = written_bytes(guest)
        guest.run(f"head -c {NOISE} /dev/urandom >/noise; sync", check=True)
        size = guest.checkpoint("sized").size_bytes
        limit = written_bytes(guest) - before + (1 << 20) + touched_bytes(guest)
        figures.share("a checkpoint on the disk", size / 1e6, limit / 1e6, 1, "MB")
    figures.end()


if __name__ == "__main__":
    main()
