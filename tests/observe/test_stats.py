"""One sample, made to be looked at."""

from __future__ import annotations

import pytest

from kvmnb.engines.base import Reading, Sample
from kvmnb.observe.stats import Stats, amount

STATS = Stats(
    Sample(
        "g<script>\x1b[2J",
        1.0,
        "running",
        (
            Reading("balloon.actual", "", 96 << 20, "B"),
            Reading("vcpu.time", "vcpu0", 1.5, "s"),
            Reading("vcpu.time", "vcpu1", 2.5, "s"),
            Reading("disk.read_ops", "disk0", 12345.0, "count"),
        ),
    ),
    (Reading("vcpu.share", "vcpu0", 12.34, "%"), Reading("vcpu.share", "vcpu1", 0.0, "%")),
)


def test_a_reading_is_found_by_its_metric_and_device():
    assert STATS["balloon.actual"] == 96 << 20
    assert STATS["disk.read_ops"] == 12345
    assert STATS.get("vcpu.time", "vcpu1") == 2.5
    assert STATS.balloon == 96
    assert STATS.run_share == {"vcpu0": 12.34, "vcpu1": 0.0}


def test_what_no_source_gave_is_missing_and_not_zero():
    assert STATS.get("memory.free") is None
    with pytest.raises(KeyError, match=r"memory\.free"):
        STATS["memory.free"]
    assert Stats(Sample("g", 0.0, "running", ())).balloon is None


def test_a_metric_of_several_devices_is_not_given_for_one():
    with pytest.raises(KeyError, match="vcpu0, vcpu1"):
        STATS["vcpu.time"]


def test_its_text_shows_every_reading_and_obeys_no_escape():
    text = repr(STATS)
    assert "\x1b" not in text
    for words in ("96 MiB", "1.5 s", "12345", "12.3 %"):
        assert words in text


def test_its_table_quotes_the_guest():
    assert "<script>" not in STATS._repr_html_()
    assert len(STATS.to_pandas()) == len(STATS) == 6


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2048, "B", "2 KiB"),
        (2048, "B/s", "2 KiB/s"),
        (7.0, "count", "7"),
        (99.96, "%", "100.0 %"),
        (1.25, "s", "1.25 s"),
    ],
)
def test_a_number_has_its_unit(value, unit, text):
    assert amount(value, unit) == text


def test_the_second_look_knows_what_happened_since_the_first(host, launch):
    guest = launch(host.vm("looked-at").mem(64).smp(2))
    assert guest.stats().rates == ()
    while not (stats := guest.stats()).rates:
        pass  # looks too close together give no rates
    assert set(stats.run_share) == {"vcpu0", "vcpu1"}
    assert all(0 <= share <= 100 for share in stats.run_share.values())
