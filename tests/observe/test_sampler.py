"""One sampler for all guests, against real ones."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import subprocess
import sys
import threading
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb import SpecError, portal
from kvmnb.engines.base import Sample
from kvmnb.observe.sampler import Sampler, Subscription, sample_all, sampler

NOBODY: Any = None


async def _settle() -> None:
    await asyncio.sleep(0)


def watched() -> int:
    """Return how many guests are sampled, after what was asked of the loop has been done."""
    portal.run(_settle())
    return sampler().guests


@pytest.fixture(autouse=True)
def nothing_goes_on():
    yield
    assert watched() == 0


def test_a_subscriber_gets_samples_until_it_closes(host, launch, listener):
    guest = launch(host.vm("sampled").mem(64))
    told = listener()
    with sampler().subscribe(guest._control, 20, told):
        samples = told.until(lambda samples: len(samples) >= 3)
    assert watched() == 0
    count = len(told.samples)
    assert {sample.guest for sample in samples} == {"sampled"}
    assert samples == sorted(samples, key=lambda sample: sample.time_s)
    assert samples[0].get("process.rss") > 1 << 20
    assert samples[0].get("vcpu.time", "vcpu0") is not None
    assert samples[0].get("balloon.actual") == 64 << 20
    assert portal.run(guest._control.sample()).state == "running"
    assert len(told.samples) == count


def test_subscribers_of_one_guest_share_its_samples(host, launch, listener):
    guest = launch(host.vm("shared").mem(64))
    one, other = listener(), listener()
    with sampler().subscribe(guest._control, 20, one):
        with sampler().subscribe(guest._control, 20, other):
            shared = other.until(lambda samples: len(samples) >= 5)
            assert watched() == 1
        assert {id(sample) for sample in shared} <= {id(sample) for sample in one.samples}


def test_a_guest_that_is_destroyed_tells_its_subscribers(host, launch, listener):
    guest = launch(host.vm("ends").mem(64))
    one, other = listener(), listener()
    for told in (one, other):
        sampler().subscribe(guest._control, 10, told)
        told.until(len)
    guest.destroy()
    for told in (one, other):
        last = told.until(lambda samples: samples[-1].state == "shutdown")[-1]
        assert last.readings == ()
    assert watched() == 0


def test_a_guest_that_is_killed_tells_its_subscribers_at_a_low_rate_too(host, launch, listener):
    guest = launch(host.vm("killed").mem(64))
    told = listener()
    sampler().subscribe(guest._control, 0.01, told)
    told.until(len)
    os.kill(guest.info.pid, signal.SIGKILL)
    last = told.until(lambda samples: samples[-1].state == "lost")[-1]
    assert last.readings == ()


def test_a_guest_that_hangs_does_not_hold_up_others_and_shows_what_can_be_had(
    host, launch, listener
):
    hung, well = launch(host.vm("hung").mem(64)), launch(host.vm("well").mem(64))
    from_hung, from_well = listener(), listener()
    with (
        sampler().subscribe(hung._control, 20, from_hung),
        sampler().subscribe(well._control, 20, from_well),
    ):
        from_hung.until(len)
        os.kill(hung.info.pid, signal.SIGSTOP)
        try:
            hung._control.balloon_bytes = None  # so that QEMU has to be asked
            before = len(from_hung.samples)
            count = len(from_well.samples)
            from_well.until(lambda samples: len(samples) >= count + 10)
            found = from_hung.until(lambda samples: len(samples) >= before + 5)
            assert found[-1].get("process.rss") is not None
            assert found[-1].get("balloon.actual") is None
        finally:
            os.kill(hung.info.pid, signal.SIGCONT)
        from_hung.until(lambda samples: samples[-1].get("balloon.actual") == 64 << 20)


def test_a_subscriber_that_fails_stops_nobody(host, launch, listener, caplog):
    guest = launch(host.vm("failing").mem(64))
    calls = []

    def fail(sample: Sample) -> None:
        calls.append(sample)
        raise RuntimeError("a widget's own mistake")

    told = listener()
    with caplog.at_level(logging.CRITICAL, logger="kvmnb.observe.sampler"):
        with sampler().subscribe(guest._control, 20, fail):
            with sampler().subscribe(guest._control, 20, told):
                told.until(lambda samples: len(samples) >= 3)
    assert len(calls) >= 3


def test_closing_twice_and_from_many_threads_at_once_is_fine(host, launch, listener):
    guest = launch(host.vm("threads").mem(64))

    def come_and_go() -> None:
        for _ in range(20):
            subscription = sampler().subscribe(guest._control, 20, listener())
            subscription.close()
            subscription.close()

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert watched() == 0


@pytest.mark.parametrize("hz", [0, 0.001, 21, -1, math.nan, math.inf, True, "2", None])
def test_a_rate_out_of_bounds_is_refused_at_once(hz):
    with pytest.raises(SpecError, match="hz="):
        sampler().subscribe(NOBODY, hz, print)


def test_one_sample_of_each_guest_also_of_one_that_has_ended(host, launch):
    guests = [launch(host.vm(f"all{index}").mem(32)) for index in range(3)]
    guests[1].destroy()
    samples = portal.run(sample_all(guest._control for guest in guests))
    assert [sample.guest for sample in samples] == ["all0", "all1", "all2"]
    assert [sample.state for sample in samples] == ["running", "shutdown", "running"]
    assert [bool(sample.readings) for sample in samples] == [True, False, True]


def test_a_fork_has_a_sampler_of_its_own():
    code = """if True:
        import os, sys
        from kvmnb.observe.sampler import sampler
        mine = sampler()
        assert sampler() is mine
        pid = os.fork()
        if not pid:
            os._exit(0 if sampler() is not mine else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_making_a_sampler_starts_nothing():
    before = threading.active_count()
    assert Sampler().guests == 0
    assert threading.active_count() == before


SAMPLE = Sample("g", 0.0, "running", ())


@given(
    tick_hz=st.floats(0.5, 20),
    slower=st.floats(1, 50),
    delays=st.lists(st.floats(0, 0.4), min_size=1, max_size=200),
)
def test_each_subscriber_gets_what_is_due_and_never_more(tick_hz, slower, delays):
    tick_s = 1 / tick_hz
    times: list[float] = []
    subscription = Subscription(
        NOBODY, tick_hz / slower, lambda _: times.append(now), lambda _: None, -math.inf
    )
    for index, delay in enumerate(delays):
        now = 1000 + (index + delay) * tick_s
        subscription.offer(SAMPLE, now, tick_s)
    assert times, "the first one is always due"
    period_s = slower * tick_s
    length_s = len(delays) * tick_s
    assert len(times) <= length_s / period_s + 2
    for one, next_one in pairwise(times):
        assert next_one - one > period_s - 2 * tick_s
        assert next_one - one < period_s + 3 * tick_s
