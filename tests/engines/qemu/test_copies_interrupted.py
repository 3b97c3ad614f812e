"""Copies and steps back that are cut short, or meet a guest in an odd state: nothing is left."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
import time

import pytest

from kvmnb import GuestLost, Host, HostError, ImageError, StateError, portal
from kvmnb.engines.qemu import record
from kvmnb.engines.qemu.children import Outliving
from kvmnb.engines.qemu.copying import capture, copies, drafts, layers, ram
from kvmnb.engines.qemu.folders import Roots
from kvmnb.engines.qemu.proc import find_by_argument
from kvmnb.engines.qemu.process import wait_for_socket
from tests.engines.qemu.kernels import until


def run_folders() -> set[str]:
    """Return those of the guests of these tests; others of this process may run beside them."""
    names = {folder.run.name for folder in Roots.from_environment().folders()}
    return {name for name in names if name.startswith(("original", "other", "~"))}


def test_a_paused_guest_can_be_copied_again_and_again_and_nobody_sees_it_run(original):
    original.suspend()
    with original.listen() as events:
        for label in ("first", "second"):
            original.checkpoint(label)
        with original.fork()[0] as copy:
            assert copy.refresh() == "paused"
    seen = set()
    while not events.empty():
        event = events.get()
        seen.add(event.kind if event is not None else "")
    assert not seen & {"paused", "resumed"}
    assert original.qmp("query-status")["status"] == "paused"
    original.resume()
    assert original.run("echo written >/root/file; sync").returncode == 0
    original.rewind("second")
    assert original.state == "paused"
    original.resume()


KILLED = {
    "fork": "copies.load = shot; g.fork(2)",
    "warm start": (
        "copies.load = shot\n"
        "kvmnb.Host().vm('other').mem(128).smp(2).disk('tiny').nic('virtio').start(warm=True)"
    ),
    "clock": "identity.set_clock = shot; g.fork(2)",
    "checkpoint": "stills.ram.save = shot; g.checkpoint('never')",
    "kept checkpoint": "stills.ram.save = shot; g.checkpoint('never', keep=True)",
    "drop": "shutil.rmtree = shot; g.drop('one')",
}


@pytest.mark.parametrize("way", KILLED)
def test_a_copy_that_is_not_whole_ends_with_who_makes_it(original, kernel, way):
    original.checkpoint("one")
    other = kernel()
    other("import os, shutil, signal; g = kvmnb.Host().guests['original']")
    other("from kvmnb.engines.qemu.copying import copies, identity, stills")
    other("shot = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)")
    other.send(KILLED[way])
    other.ended()
    until(lambda: run_folders() == {"original"})
    folder = Roots.from_environment().guest("original")
    until(lambda: not [each for place in drafts.places(folder) for each in place.glob(".*")])
    assert original.run("true").returncode == 0


def test_a_whole_copy_outlives_who_made_it_as_long_as_was_said(original):
    (copy,) = original.fork(keep=77)
    with copy:
        assert copy.info.keep_s == 77
        assert Host().guests[copy.name].info.keep_s == 77


def test_a_copy_that_fails_leaves_no_layer(original, monkeypatch):
    def names():
        nodes = original.qmp("query-named-block-nodes", flat=True)
        folder = Roots.from_environment().guest("original").state
        return {node["node-name"] for node in nodes}, {path.name for path in folder.iterdir()}

    original.checkpoint("one")
    before = names()

    @contextlib.asynccontextmanager
    async def refused(*_, **__):
        if not monkeypatch:  # never: but without it this would be no context manager
            yield
        raise StateError("original", "not copied", "QEMU says no")

    monkeypatch.setattr(capture, "state_migration", refused)
    with pytest.raises(StateError, match="QEMU says no"):
        original.fork()
    assert names() == before
    monkeypatch.undo()

    async def full(*_):
        raise ImageError("disk0", "qemu-img: No space left on device")

    monkeypatch.setattr(layers, "next_layers", full)
    with pytest.raises(HostError, match="df -h"):
        original.checkpoint("two")
    assert names() == before
    assert original.run("true").returncode == 0


def test_a_guest_that_ends_while_it_is_put_back_is_lost_and_so_is_the_other(original, monkeypatch):
    original.checkpoint("one")
    load = copies.load

    async def load_and_kill(speaker, state, **how):
        await load(speaker, state, **how)
        os.kill(original.info.pid, signal.SIGKILL)
        await original._control.process.exited.wait()

    monkeypatch.setattr(copies, "load", load_and_kill)
    with pytest.raises(GuestLost):
        original.rewind("one")
    until(lambda: run_folders() == set())
    assert not find_by_argument(f"{Roots.from_environment().run_dir}/original")


def test_a_qemu_that_ends_as_it_takes_the_place_is_a_lost_guest(original, monkeypatch):
    original.checkpoint("one")
    write = record.write

    def write_and_kill(folder, new):
        write(folder, new)
        os.kill(new.process.pid, signal.SIGKILL)

    monkeypatch.setattr(record, "write", write_and_kill)
    with pytest.raises(GuestLost):
        original.rewind("one")
    until(lambda: run_folders() == set())
    assert not find_by_argument(f"{Roots.from_environment().run_dir}/original")


def test_a_spare_made_of_another_guests_template_has_its_own_address(warm_vm):
    warm_vm.start(warm=True).destroy()
    host = Host(warm=True, spare=1)
    vm = dataclasses.replace(
        warm_vm, host=host, spec=dataclasses.replace(warm_vm.spec, name="namesake")
    )
    try:
        vm.start().destroy()
        portal.run(host.engine.spares.settled())
        with vm.start() as guest:
            assert "spare" in " ".join(guest.info.command)
            address = guest.run("cat /sys/class/net/eth0/address").stdout.strip()
            assert address == guest.info.macs[0]
    finally:
        portal.run(host.engine.spares.clear())


def test_a_guest_does_not_fall_behind_by_being_copied(original):
    original.run(f"date -s @{int(time.time()) - 60}", check=True)
    original._control.behind_s = 61.0  # as if it had stood still for so long
    original.checkpoint("late")
    until(lambda: abs(int(original.run("date +%s").stdout) - time.time()) < 2)


def test_a_guest_that_has_a_time_of_its_own_keeps_it(original):
    original.run("date -s '2001-02-03 04:05:06'", check=True)
    original._control.behind_s = 0.1
    original.checkpoint("long ago")
    until(lambda: not original._control.behind_s)
    portal.run(original._control.inside.ask("guest-ping", {}))
    assert original.run("date +%Y").stdout == "2001\n"


def test_a_copy_of_memory_can_be_called_off_while_it_is_made():
    fd = ram.create(256 << 20)
    os.pwrite(fd, bytes(1 << 20) * 200, 0)
    copy = ram.Copy(fd)
    making = threading.Thread(target=copy.begin)
    making.start()
    copy.close()
    making.join()
    assert copy.fd == -1
    os.close(fd)


def test_a_qemu_that_has_ended_and_was_waited_for_has_no_socket(tmp_path):
    ended = Outliving(["/bin/true"])
    ended.wait()
    assert not portal.run(wait_for_socket(tmp_path / "qmp.sock", ended))
