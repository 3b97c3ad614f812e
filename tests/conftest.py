"""What every test stands on: folders of its own, so that no test meets the user's guests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from kvmnb import VM, Guest, Host
from kvmnb.engines.qemu.proc import find_by_argument

# a busy machine is no failure
hypothesis.settings.register_profile("kvmnb", deadline=None)
hypothesis.settings.load_profile("kvmnb")


@pytest.fixture(scope="session", autouse=True)
def private_folders() -> Iterator[Path]:
    """Give this test process XDG folders of its own; the tiny guest is the one already built.

    The path is short, since a unix socket's path may have 107 bytes at most.
    """
    built = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kvmnb/images/tiny"
    root = Path(tempfile.mkdtemp(prefix="kvmnb-test-"))
    with pytest.MonkeyPatch.context() as patch:
        for variable, name in {
            "XDG_RUNTIME_DIR": "run",
            "XDG_STATE_HOME": "state",
            "XDG_CACHE_HOME": "cache",
            "XDG_CONFIG_HOME": "config",
            "XDG_DATA_HOME": "data",
        }.items():
            (root / name).mkdir(mode=0o700)
            patch.setenv(variable, str(root / name))
        # Jupyter keeps its own settings outside XDG; no test is to read the user's.
        patch.setenv("JUPYTER_CONFIG_DIR", str(root / "config/jupyter"))
        patch.setenv("IPYTHONDIR", str(root / "config/ipython"))
        if built.is_dir():
            images = root / "cache/kvmnb/images"
            images.mkdir(mode=0o700, parents=True)
            (images / "tiny").symlink_to(built)
        yield root
        guests = Host().guests
        left = [name for name in guests if guests.end(name)]
    strays = [process for process in find_by_argument(f"{root}/") if process.alive]
    shutil.rmtree(root, ignore_errors=True)
    assert (left, strays) == ([], []), "tests left guests running"


@pytest.fixture(scope="session")
def host() -> Host:
    """This machine."""
    return Host()


@pytest.fixture(scope="session")
def booted(host: Host) -> Iterator[Guest]:
    """One booted guest that all tests of this process share; each leaves it as it found it."""
    vm = host.vm("booted").mem(128).smp(2).disk("tiny").nic("virtio")
    with vm.start() as guest:
        yield guest


@pytest.fixture
def launch() -> Iterator[Callable[..., Guest]]:
    """Start a guest without waiting for more than QEMU; it ends with the test.

    Without a disk it takes 50 ms, and its firmware finds nothing to start from.
    """
    with ExitStack() as stack:

        def start(vm: VM, **options: object) -> Guest:
            options.setdefault("wait", "running")
            return stack.enter_context(vm.start(**options))  # type: ignore[arg-type]

        yield start
