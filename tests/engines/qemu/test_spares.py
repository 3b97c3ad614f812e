"""Guests that are kept ready: used once, and gone with the process that keeps them."""

from __future__ import annotations

import dataclasses
import os

import pytest

from kvmnb import Host, SpecError, portal
from kvmnb.engines.qemu.folders import Roots
from kvmnb.engines.qemu.proc import find_by_argument
from tests.engines.qemu.kernels import until


@pytest.fixture
def ready(warm_vm):
    """The warm guest on a host that keeps a spare."""
    host = Host(warm=True, spare=1)
    yield dataclasses.replace(warm_vm, host=host)
    portal.run(host.engine.spares.clear())


def spares() -> list[str]:
    return [
        entry.name for entry in os.scandir(Roots.from_environment().run_dir) if "~" in entry.name
    ]


def made(vm) -> None:
    portal.run(vm.host.engine.spares.settled())


def test_a_spare_becomes_the_guest_with_nothing_of_the_one_before(ready):
    with ready.start() as guest:
        guest.run("echo mine >/root/file; sync", check=True)
        made(ready)
        assert len(spares()) == 1
        assert "original" in Host().guests
        assert not [name for name in Host().guests if "~" in name]
    with ready.start() as guest:
        assert "spare" in " ".join(guest.info.command)
        assert guest.run("ls /root/file").returncode != 0
        assert guest.run("ping -c 1 -W 5 10.0.2.2", timeout_s=30).returncode == 0
        guest.checkpoint("one")
        guest.run("rm -rf /root")
        guest.rewind("one")
        assert guest.run("ls -d /root").returncode == 0
        with guest.fork()[0] as copy:
            assert copy.run("true").returncode == 0
        assert Host().guests["original"].run("true").returncode == 0


def test_a_spare_that_was_killed_is_passed_over(ready):
    ready.start().destroy()
    made(ready)
    (name,) = spares()
    for process in find_by_argument(f"{Roots.from_environment().run_dir}/{name}/"):
        os.kill(process.pid, 9)
    with ready.start() as guest:
        assert guest.run("true").returncode == 0
    until(lambda: name not in spares())


def test_another_guest_does_not_get_it(ready):
    ready.start().destroy()
    made(ready)
    other = dataclasses.replace(ready, spec=dataclasses.replace(ready.spec, name="somebody"))
    with other.start() as guest:
        assert "spare" not in " ".join(guest.info.command)
        assert guest.qmp("query-name")["name"] == "somebody"


def test_spares_end_with_their_keeper(kernel, warm_vm):
    warm_vm.start(warm=True).destroy()
    other = kernel()
    other("h = kvmnb.Host(warm=True, spare=2)")
    other("h.vm('original').mem(128).smp(2).disk('tiny').nic('virtio').start(keep=0).destroy()")
    other("kvmnb.portal.run(h.engine.spares.settled())")
    assert len(spares()) == 2
    other.kill()
    until(lambda: not spares() and not find_by_argument("/~spare-"))


def test_a_keeper_killed_at_any_moment_leaves_none(kernel, warm_vm):
    warm_vm.start(warm=True).destroy()
    for delay_s in (0.55, 0.6, 0.65, 0.7, 0.8):
        other = kernel()
        other("import os, signal, threading; h = kvmnb.Host(warm=True, spare=1)")
        other("v = h.vm('original').mem(128).smp(2).disk('tiny').nic('virtio')")
        shot = f"threading.Timer({delay_s}, os.kill, (os.getpid(), signal.SIGKILL)).start()"
        other.send(f"v.start(keep=0).destroy(); {shot}; v.start(keep=0)")
        other.ended()
        until(lambda: not spares() and not find_by_argument("/~spare-"))
        until(lambda: "original" not in Host().guests)


def test_spares_without_templates_make_no_sense():
    with pytest.raises(SpecError, match="warm=True"):
        Host(spare=1)
    with pytest.raises(SpecError, match=r"host\.spare"):
        Host(warm=True, spare=-1)
