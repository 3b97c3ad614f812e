"""What tests of guests' owners and of their processes stand on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kvmnb import VM, Guest, Host
from tests.engines.qemu.kernels import Kernel
from tests.engines.qemu.namespaces import inside


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


@pytest.fixture(scope="session")
def warm_vm(host: Host) -> VM:
    """The guest that is started warm; the first start of a test run boots it."""
    return host.vm("original").mem(128).smp(2).disk("tiny").nic("virtio")


@pytest.fixture
def original(warm_vm: VM) -> Iterator[Guest]:
    """A guest to copy, to put back and to break."""
    with warm_vm.start(warm=True) as guest:
        yield guest


@pytest.fixture
def namespace(tmp_path: Path) -> Callable[[str, str], Any]:
    """Run Python in a network namespace of its own; see `namespaces.inside`."""
    return inside(tmp_path)
