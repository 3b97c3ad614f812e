"""docs/metrics.md says what is measured, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kvmnb.observe.rates import RATES

PAGE = Path(__file__).parents[2] / "docs/metrics.md"


def documented() -> dict[str, str]:
    """Return the unit of each metric that the page names."""
    rows = re.findall(r"^\| `([a-z._]+)` \| [^|]*\| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == len({metric for metric, _ in rows}), "a metric has two rows"
    return {metric: unit.partition(",")[0] for metric, unit in rows}


def test_every_rate_is_documented_with_its_unit():
    page = documented()
    for rate in RATES.values():
        assert page.get(rate.metric) == rate.unit


@pytest.mark.guest
def test_a_running_guest_measures_what_the_page_says(booted):
    page = documented()
    booted.run("ping -c 1 10.0.2.2")
    with booted.record(hz=10) as recording:
        for _ in range(100):
            # the balloon's driver answers every 2 s, the agent is asked twice a second
            booted.run("sleep 0.3")
            found = {
                reading.metric: reading.unit
                for sample in recording.samples
                for reading in sample.readings
            }
            if {"memory.free", "net.rx_bytes"} <= found.keys():
                break
    table = recording.to_pandas()
    measured = dict(zip(table["metric"], table["unit"], strict=True))
    assert measured.items() <= page.items()
    assert page.keys() - measured.keys() <= {
        # rates need two readings of sources that are asked seldom
        *(rate.metric for rate in RATES.values() if rate.metric.startswith(("net.", "memory.")))
    }
