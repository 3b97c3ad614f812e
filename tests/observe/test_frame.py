"""Samples and events as tables."""

from __future__ import annotations

import pandas
import pytest

from kvmnb.engines.base import Event, Reading, Sample
from kvmnb.observe.frame import EVENT_COLUMNS, SAMPLE_COLUMNS, events_frame, frame

SAMPLES = [
    Sample(
        "g",
        1_795_547_935.25 + second,
        "running",
        (
            Reading("process.rss", "", 1000.0, "B"),
            Reading("net.rx_bytes", "net0", 500.0 * second, "B"),
        ),
    )
    for second in range(3)
]


def test_each_reading_is_a_row_with_its_unit():
    table = frame(SAMPLES, rates=False)
    assert tuple(table.columns) == SAMPLE_COLUMNS
    assert len(table) == 6
    assert list(table["value"]) == [1000, 0, 1000, 500, 1000, 1000]
    assert table["time"].iloc[0] == pandas.Timestamp("2026-11-24T19:18:55.25", tz="UTC")


def test_rates_are_rows_too():
    table = frame(SAMPLES)
    rates = table[table["metric"] == "net.rx_rate"]
    assert list(rates["value"]) == [500, 500]
    assert set(rates["unit"]) == {"B/s"}


@pytest.mark.parametrize("make", [frame, events_frame])
def test_no_rows_have_the_same_columns_and_types_as_many(make):
    full = frame(SAMPLES) if make is frame else events_frame([Event("g", 1.0, "paused")])
    assert list(make([]).dtypes) == list(full.dtypes)
    assert isinstance(full["time"].dtype, pandas.DatetimeTZDtype)
    assert str(full["time"].dt.tz) == "UTC"


def test_an_event_is_a_row_and_its_detail_is_harmless_text():
    table = events_frame([Event("g", 2.0, "lost", {"log": "\x1b]0;title\x07<b>", "code": 1})])
    assert tuple(table.columns) == EVENT_COLUMNS
    assert table["detail"][0].isascii()
    assert table["detail"][0].isprintable()
    assert "\x1b" not in repr(table)
