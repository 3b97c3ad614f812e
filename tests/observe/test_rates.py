"""What happens per second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb.engines.base import Reading, Sample
from kvmnb.observe.rates import LEAST_S, RATES, Rates


def sample(time_s, value, metric="net.rx_bytes", device="net0", state="running", guest="g"):
    return Sample(guest, time_s, state, (Reading(metric, device, value, "B"),))


def only(readings, metric):
    return [reading.value for reading in readings if reading.metric == metric]


def test_bytes_become_bytes_a_second():
    rates = Rates()
    assert rates.update(sample(10, 1000)) == ()
    assert rates.update(sample(12, 5000)) == (Reading("net.rx_rate", "net0", 2000, "B/s"),)


def test_cpu_time_becomes_a_share_of_one_core():
    rates = Rates()
    rates.update(sample(10, 1.0, "vcpu.time", "vcpu0"))
    found = rates.update(sample(12, 1.5, "vcpu.time", "vcpu0"))
    assert found == (Reading("vcpu.share", "vcpu0", 25.0, "%"),)


def test_a_thread_never_has_more_than_one_core():
    rates = Rates()
    rates.update(sample(10, 1.0, "thread.time", "main/1"))
    found = rates.update(sample(11, 2.1, "thread.time", "main/1"))
    assert only(found, "thread.share") == [100.0]


def test_the_process_has_what_its_threads_have_together():
    rates = Rates()
    found: tuple[Reading, ...] = ()
    for time_s, one, other in ((0, 0.0, 0.0), (1, 0.5, 0.25)):
        readings = (
            Reading("thread.time", "a/1", one, "s"),
            Reading("thread.time", "b/2", other, "s"),
        )
        found = rates.update(Sample("g", time_s, "running", readings))
    assert only(found, "process.share") == [75.0]


def test_a_counter_that_restarts_gives_nothing_once():
    rates = Rates()
    rates.update(sample(10, 1000))
    assert rates.update(sample(11, 10)) == ()
    assert only(rates.update(sample(12, 30)), "net.rx_rate") == [20.0]


def test_a_clock_set_back_gives_nothing_once():
    rates = Rates()
    rates.update(sample(10, 1000))
    assert rates.update(sample(5, 2000)) == ()
    assert only(rates.update(sample(6, 2500)), "net.rx_rate") == [500.0]


def test_samples_too_close_to_each_other_wait_for_the_next():
    rates = Rates()
    rates.update(sample(10, 0))
    assert rates.update(sample(10 + LEAST_S / 2, 50)) == ()
    assert only(rates.update(sample(11, 100)), "net.rx_rate") == [100.0]


def test_a_missing_reading_gives_the_mean_since_the_last_one():
    rates = Rates()
    rates.update(sample(10, 0))
    assert rates.update(Sample("g", 11, "running", ())) == ()
    assert only(rates.update(sample(12, 100)), "net.rx_rate") == [50.0]


def test_what_happens_after_a_pause_is_not_spread_over_it():
    rates = Rates()
    rates.update(sample(10, 0))
    rates.update(Sample("g", 11, "paused", ()))
    assert rates.update(sample(100, 900)) == ()
    assert only(rates.update(sample(101, 1000)), "net.rx_rate") == [100.0]


def test_guests_do_not_mix():
    rates = Rates()
    rates.update(sample(10, 0, guest="a"))
    assert rates.update(sample(11, 100, guest="b")) == ()
    assert only(rates.update(sample(12, 100, guest="a")), "net.rx_rate") == [50.0]


@pytest.mark.parametrize("state", ["shutdown", "lost"])
def test_an_ended_guest_is_forgotten(state):
    rates = Rates()
    rates.update(sample(10, 100))
    rates.update(Sample("g", 11, state, ()))
    assert rates.update(sample(12, 200)) == ()


def test_threads_that_are_gone_are_forgotten():
    rates = Rates()
    for tid in range(1000):
        rates.update(sample(tid * 10.0, 1.0, "thread.time", f"worker/{tid}"))
    assert sum(map(len, rates._last.values())) < 20


@given(
    st.sampled_from(sorted(RATES)),
    st.lists(st.tuples(st.floats(0, 2e9), st.floats(0, 1e15)), max_size=20),
)
def test_a_rate_is_never_negative_whatever_comes(metric, points):
    rates = Rates()
    for time_s, value in points:
        for rate in rates.update(sample(time_s, value, metric)):
            assert rate.value >= 0
            if rate.metric.endswith("share") and rate.device:
                assert rate.value <= 100
