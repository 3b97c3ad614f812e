"""What happens to one guest between two moments, kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from kvmnb.engines.base import Event, GuestControl, Sample
from kvmnb.errors import EngineError, SpecError, StateError
from kvmnb.observe.sampler import Subscription, check_hz, sampler
from kvmnb.spec import validate

if TYPE_CHECKING:
    import pandas

__all__ = ["Recorder"]

T = TypeVar("T")

MOST_SAMPLES = 36_000
"""One hour at 10 Hz; about 100 MB for a guest of two vCPUs with a disk and a NIC."""

MOST_EVENTS = 10_000


class Recorder:
    """Collects the samples and events of one guest from `start` to `stop`.

    There is a sample at the very start and one at the very end, however short the time. Of
    more than `most` samples the oldest go, and `dropped` counts them.

    Parameters
    ----------
    control : the guest
    hz : how often to sample, from 0.01 to 20
    most : samples to keep

    Raises
    ------
    SpecError   `hz` or `most` is out of bounds
    """

    def __init__(self, control: GuestControl, hz: float = 2.0, most: int = MOST_SAMPLES) -> None:
        if validate.positive("record.most", most, 1 << 24) < 2:
            raise SpecError("record.most", most, "a recording has two samples at least")
        self.control, self.hz = control, check_hz(hz, "record.hz")
        self._samples: deque[Sample] = deque(maxlen=most)
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self.dropped = 0
        self._subscription: Subscription | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it is collecting."""
        return self._subscription is not None

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What was measured so far, oldest first."""
        return _copy(self._samples)

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened so far, oldest first."""
        # QEMU holds back some events, the balloon's too, and tells them later with their times
        return tuple(sorted(_copy(self._events), key=lambda event: event.time_s))

    async def start(self) -> None:
        """Take a sample and go on collecting.

        Raises
        ------
        StateError   it is collecting already
        GuestLost    the guest is gone
        """
        if self._subscription is not None:
            raise StateError(self.control.info.name, "being recorded", "stop() this recording")
        self._subscription = sampler().subscribe(
            self.control, self.hz, self._on_sample, at_once=False
        )
        try:
            self._listening = asyncio.ensure_future(self._listen())
            self._on_sample(await self.control.sample())
        except BaseException:
            self._let_go()
            raise

    async def stop(self) -> None:
        """Take a last sample, unless the guest has ended, and collect no more."""
        if self._subscription is None:
            return
        try:
            with contextlib.suppress(EngineError):
                last = await self.control.sample()
                self._on_sample(last)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None

    def _on_sample(self, sample: Sample) -> None:
        # a sample that was asked for earlier can come later
        if self._samples and sample.time_s <= self._samples[-1].time_s:
            return
        if len(self._samples) == self._samples.maxlen:
            self.dropped += 1
        self._samples.append(sample)

    async def _listen(self) -> None:
        async for event in self.control.events():
            self._events.append(event)

    def to_pandas(self) -> pandas.DataFrame:
        """Return what was measured: time, guest, metric, device, value, unit."""
        from kvmnb.observe.frame import frame

        return frame(self.samples)


def _copy(ring: deque[T]) -> tuple[T, ...]:
    # the loop's thread may add to it meanwhile
    while True:
        try:
            return tuple(ring)
        except RuntimeError:
            continue
