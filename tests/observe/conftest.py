"""Waiting for what the sampler's loop does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kvmnb.engines.base import Sample

LIMIT_S = 60.0


class Listener:
    """Keeps what a subscriber is told, and waits until it is enough."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._changed = threading.Condition()

    def __call__(self, sample: Sample) -> None:
        with self._changed:
            self.samples.append(sample)
            self._changed.notify_all()

    def until(self, enough: Callable[[list[Sample]], object]) -> list[Sample]:
        """Return the samples once there are some and they are enough."""
        with self._changed:
            found = self._changed.wait_for(lambda: self.samples and enough(self.samples), LIMIT_S)
            assert found, self.samples[-3:]
            return list(self.samples)


@pytest.fixture
def listener() -> Callable[[], Listener]:
    return Listener
