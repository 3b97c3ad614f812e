"""What tests of guests' owners and of their processes stand on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.engines.qemu.kernels import Kernel


@pytest.fixture
def kernel() -> Iterator[Callable[[], Kernel]]:
    """Start other kernels."""
    started: list[Kernel] = []

    def start() -> Kernel:
        started.append(Kernel())
        return started[-1]

    yield start
    for each in started:
        each.close()
