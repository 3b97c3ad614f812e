"""Nothing is left: descriptors, threads, processes and folders counted before and after."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from kvmnb.engines.qemu.folders import Roots


def count() -> dict[str, Any]:
    """Count what a guest could leave in this process and on disk."""
    gc.collect()
    roots = Roots.from_environment()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "children": len(children),
        "folders": sorted(
            str(path) for root in (roots.run, roots.state) for path in root.glob("*/**/*")
        ),
    }


def same_or_less(now: dict[str, Any], before: dict[str, Any]) -> None:
    # a guest of an earlier test may let go of its agent's line meanwhile
    assert now.pop("descriptors") <= before.pop("descriptors")
    assert now == before


def rounds(host, number: int) -> None:
    for index in range(number):
        vm = host.vm("round").mem(32).nic().disk(size="1M")
        with vm.start(wait="running") as guest:
            guest.stats()
            if index % 4 == 1:
                os.kill(guest.info.pid, 9)
            elif index % 4 == 2:
                guest.suspend()
            elif index % 4 == 3:
                host.guests["round"].hmp("info status")


def test_rounds_of_start_and_end_leave_nothing(host):
    with host.vm("keeper").mem(32).start(wait="running"):  # so that one reaper stays
        rounds(host, 8)  # first uses: executor threads, caches
        before = count()
        rounds(host, 12)
        same_or_less(count(), before)


@pytest.mark.soak
def test_a_hundred_rounds_leave_nothing(host):
    with host.vm("keeper").mem(32).start(wait="running"):
        rounds(host, 8)
        before = count()
        rounds(host, 100)
        same_or_less(count(), before)
