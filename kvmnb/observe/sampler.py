"""One sampler on the portal's loop for all guests of this process."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from kvmnb import portal
from kvmnb.engines.base import Sample
from kvmnb.errors import EngineError, SpecError

if TYPE_CHECKING:
    from kvmnb.engines.base import GuestControl

__all__ = ["Sampler", "Subscription", "check_hz", "sample_all", "sampler"]

LEAST_HZ, MOST_HZ = 0.01, 20.0

_GOLDEN = (math.sqrt(5) - 1) / 2

_log = logging.getLogger(__name__)

OnSample = Callable[[Sample], None]


def check_hz(hz: float, field: str = "hz") -> float:
    """Return how often to sample, in Hz.

    Raises
    ------
    SpecError   not a number from 0.01 to 20
    """
    if isinstance(hz, bool) or not isinstance(hz, (int, float)):
        raise SpecError(field, hz, "must be a number of samples a second")
    if not LEAST_HZ <= hz <= MOST_HZ:
        raise SpecError(field, hz, f"must be from {LEAST_HZ} to {MOST_HZ:g} samples a second")
    return float(hz)


class Subscription:
    """Someone who is told the samples of one guest, until `close`."""

    def __init__(
        self,
        control: GuestControl,
        hz: float,
        on_sample: OnSample,
        closed: Callable[[Subscription], None],
        due_s: float,
    ) -> None:
        self.control, self.period_s = control, 1 / hz
        self._on_sample, self._closed = on_sample, closed
        self._due_s = due_s
        self.open = True

    def close(self) -> None:
        """Get no more samples; from any thread, any number of times."""
        if self.open:
            self.open = False
            self._closed(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def at_once(self) -> bool:
        """Whether it waits for its first sample, whenever that comes."""
        return self._due_s == -math.inf

    def offer(self, sample: Sample, now_s: float, tick_s: float) -> None:
        """Hand on a sample if one is due by now, give or take half a tick."""
        if now_s < self._due_s - tick_s / 2:
            return
        if self._due_s == -math.inf:
            self._due_s = now_s
        # samples that were missed are gone: nobody wants them late
        self._due_s += self.period_s * max(1, math.ceil((now_s - self._due_s) / self.period_s))
        self.tell(sample)

    def tell(self, sample: Sample) -> None:
        """Hand on a sample."""
        if not self.open:
            return
        try:
            self._on_sample(sample)
        except Exception:
            _log.exception("a listener to the samples of guest %r failed", sample.guest)


class Sampler:
    """Samples each guest that someone subscribes to, once a tick for all its subscribers."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._count = 0

    def subscribe(
        self, control: GuestControl, hz: float, on_sample: OnSample, *, at_once: bool = True
    ) -> Subscription:
        """Have `on_sample` called with a guest's samples; from any thread.

        Parameters
        ----------
        control : the guest
        hz : how often, from 0.01 to 20
        on_sample : called on the portal's loop, where it must be quick. When the guest ends it
            gets a last sample with the state ``"shutdown"`` or ``"lost"`` and no readings
        at_once : the first sample now, rather than after a period

        Raises
        ------
        SpecError   `hz` is out of bounds
        """
        loop = portal.loop()

        def closed(subscription: Subscription) -> None:
            loop.call_soon_threadsafe(self._remove, subscription)

        hz = check_hz(hz)
        due_s = -math.inf if at_once else loop.time() + 1 / hz
        subscription = Subscription(control, hz, on_sample, closed, due_s)
        loop.call_soon_threadsafe(self._add, subscription)
        return subscription

    @property
    def guests(self) -> int:
        """How many guests are being sampled."""
        return len(self._watched)

    # -- on the loop ----------------------------------------------------------------------

    def _add(self, subscription: Subscription) -> None:
        if not subscription.open:
            return
        key = id(subscription.control)
        watched = self._watched.get(key)
        if watched is None:
            # multiples of the golden ratio lie apart from each other, however many there are
            phase = self._count * _GOLDEN % 1
            self._count += 1
            watched = self._watched[key] = _Watched(subscription.control, phase, self._forget)
        watched.add(subscription)

    def _remove(self, subscription: Subscription) -> None:
        watched = self._watched.get(id(subscription.control))
        if watched is not None:
            watched.remove(subscription)

    def _forget(self, watched: _Watched) -> None:
        self._watched.pop(id(watched.control), None)


class _Watched:
    """One guest that is sampled: a timer, at most one question under way, its subscribers."""

    def __init__(
        self, control: GuestControl, phase: float, idle: Callable[[_Watched], None]
    ) -> None:
        self.control, self._phase, self._idle = control, phase, idle
        self._loop = asyncio.get_running_loop()
        self._subscriptions: list[Subscription] = []
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._end = asyncio.ensure_future(self._wait_for_end())

    @property
    def _period_s(self) -> float:
        return min(subscription.period_s for subscription in self._subscriptions)

    def add(self, subscription: Subscription) -> None:
        self._subscriptions.append(subscription)
        self._schedule()
        if subscription.at_once:
            self._ask_once()

    def remove(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        if not self._subscriptions:
            self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for task in (self._asking, self._end):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        self._idle(self)

    def _tick(self) -> None:
        self._schedule()
        self._ask_once()

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        period_s = self._period_s
        # ticks lie on a grid of the guest's own, at least half a period from now
        ticks = math.floor(self._loop.time() / period_s - self._phase + 0.5) + 1
        self._timer = self._loop.call_at((ticks + self._phase) * period_s, self._tick)

    def _ask_once(self) -> None:
        """Ask for a sample, unless the last one has not come yet: then this tick is skipped."""
        if self._asking is None or self._asking.done():
            self._asking = self._loop.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            sample = await self.control.sample()
        except EngineError:
            return  # it ended, of which `_wait_for_end` tells, or this once it did not answer
        except Exception:
            _log.exception("guest %r could not be sampled", self.control.info.name)
            return
        now_s, period_s = self._loop.time(), self._period_s
        for subscription in tuple(self._subscriptions):
            subscription.offer(sample, now_s, period_s)

    async def _wait_for_end(self) -> None:
        async for _ in self.control.events():
            pass
        last = _last(self.control)
        for subscription in tuple(self._subscriptions):
            subscription.tell(last)
            subscription.open = False
        self._subscriptions.clear()
        self._stop()


def _last(control: GuestControl) -> Sample:
    return Sample(control.info.name, time.time(), control.state, ())


async def sample_all(controls: Iterable[GuestControl]) -> list[Sample]:
    """Return one sample of each guest, asked all at once; an ended guest's has no readings."""
    return await asyncio.gather(*map(_sample, controls))


async def _sample(control: GuestControl) -> Sample:
    try:
        return await control.sample()
    except EngineError:
        return _last(control)


_lock = threading.Lock()
_sampler: tuple[int, Sampler] | None = None


def sampler() -> Sampler:
    """Return this process's sampler, made at its first use and anew after a fork."""
    global _sampler
    with _lock:
        if _sampler is None or _sampler[0] != os.getpid():
            _sampler = os.getpid(), Sampler()
        return _sampler[1]
