"""What is kept of a guest between two moments."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from kvmnb import GuestLost, SpecError, StateError, portal
from kvmnb.engines.base import Event
from kvmnb.observe.recorder import Recorder
from kvmnb.observe.sampler import sampler

NOBODY: Any = None


@pytest.fixture
def guest(host, launch):
    return launch(host.vm("recorded").mem(64))


def test_a_short_block_has_a_sample_at_its_start_and_one_at_its_end(guest):
    recorder = Recorder(guest._control, hz=0.01)
    portal.run(recorder.start())
    portal.run(recorder.stop())
    assert len(recorder.samples) == 2
    assert not recorder.running


def test_stopping_leaves_nothing_and_twice_is_fine(guest):
    recorder = Recorder(guest._control, hz=20)
    portal.run(recorder.start())
    portal.run(recorder.stop())
    portal.run(recorder.stop())
    count = len(recorder.samples)
    portal.run(guest._control.sample())
    assert sampler().guests == 0
    assert len(recorder.samples) == count


def test_of_too_many_samples_the_oldest_go_and_are_counted(guest, listener):
    recorder = Recorder(guest._control, hz=20, most=3)
    portal.run(recorder.start())
    told = listener()
    with sampler().subscribe(guest._control, 20, told):
        told.until(lambda samples: len(samples) >= 8)
    portal.run(recorder.stop())
    assert len(recorder.samples) == 3
    assert recorder.dropped > 0


def test_events_are_kept_with_their_times(guest):
    recorder = Recorder(guest._control)
    portal.run(recorder.start())
    guest.suspend()
    guest.resume()
    portal.run(recorder.stop())
    kinds = [event.kind for event in recorder.events]
    assert kinds == ["paused", "resumed"]
    assert recorder.samples[0].time_s <= recorder.events[0].time_s <= recorder.samples[-1].time_s


def test_events_that_are_told_late_are_put_in_their_place(guest):
    recorder = Recorder(guest._control)
    for time_s, kind in ((1.0, "balloon"), (3.0, "paused"), (2.0, "balloon")):
        recorder._events.append(Event("recorded", time_s, kind))
    assert [event.time_s for event in recorder.events] == [1.0, 2.0, 3.0]


def test_a_guest_that_dies_ends_its_recording_with_what_there_was(guest, listener):
    recorder = Recorder(guest._control, hz=20)
    portal.run(recorder.start())
    told = listener()
    sampler().subscribe(guest._control, 20, told)
    os.kill(guest.info.pid, signal.SIGKILL)
    told.until(lambda samples: samples[-1].state == "lost")
    portal.run(recorder.stop())
    assert recorder.samples[0].readings
    assert recorder.samples[-1].state == "lost"
    assert recorder.events[-1].kind == "lost"


def test_it_does_not_start_twice_at_once(guest):
    recorder = Recorder(guest._control)
    portal.run(recorder.start())
    with pytest.raises(StateError, match="being recorded"):
        portal.run(recorder.start())
    portal.run(recorder.stop())


def test_a_guest_that_is_gone_cannot_be_recorded_and_nothing_is_left(guest):
    guest._control.process.kill()
    portal.run(guest._control.process.exited.wait())
    recorder = Recorder(guest._control)
    with pytest.raises((GuestLost, StateError)):
        portal.run(recorder.start())
    assert not recorder.running


@pytest.mark.parametrize("wrong", [{"hz": 0}, {"hz": "fast"}, {"most": 1}, {"most": 2.5}])
def test_wrong_values_are_refused_at_once(wrong):
    with pytest.raises(SpecError, match=f"record.{next(iter(wrong))}"):
        Recorder(NOBODY, **wrong)
