"""Copies of a running guest: each a machine of its own, and none can touch another."""

from __future__ import annotations

import dataclasses
import errno
import os
import time
from pathlib import Path

import pytest

from kvmnb import HostError, SpecError, StateError
from kvmnb.engines.qemu.copying import layers, ram
from kvmnb.engines.qemu.copying.copyable import reason
from kvmnb.engines.qemu.copying.identity import copied_spec
from kvmnb.engines.qemu.folders import Roots
from kvmnb.spec.graphics import VNC
from kvmnb.spec.network import User
from tests.engines.qemu.kernels import until
from tests.engines.qemu.test_networks import free_port

UUID = "c9c5b2a4-4a5e-4f43-9d4a-2d3f0b7f6a10"


def folders() -> set[str]:
    roots = Roots.from_environment()
    found = {entry.name for entry in roots.run.iterdir() if entry.is_dir()}
    return found | {entry.name for entry in roots.state.iterdir()}


def test_a_copy_goes_on_where_its_parent_was_and_each_writes_for_itself(original):
    original.run("echo before >/root/file; echo before >/tmp/file", check=True)
    (copy,) = original.fork()
    assert copy.name == "original-1"
    assert copy.run("cat /root/file /tmp/file").stdout == "before\nbefore\n"
    copy.run("echo copy >/root/file; sync; rm -rf /etc", check=True)
    original.run("echo parent >/root/file; sync", check=True)
    assert copy.run("cat /root/file; ls -d /etc").stdout == "copy\n"
    assert original.run("cat /root/file; ls -d /etc").stdout == "parent\n/etc\n"
    copy.destroy()
    assert original.run("cat /root/file").stdout == "parent\n"


def test_each_copy_has_a_uuid_an_address_random_numbers_and_the_right_time_of_its_own(original):
    ask = "cat /sys/class/net/eth0/address; head -c 16 /dev/urandom | od -An -tx1"
    guests = [original, *original.fork(3)]
    try:
        said = [tuple(guest.run(ask, check=True).stdout.split("\n")) for guest in guests]
        assert [each[0] for each in said] == [guest.info.macs[0] for guest in guests]
        assert len({each[0] for each in said}) == len({each[1] for each in said}) == 4
        assert len({guest.qmp("query-uuid")["UUID"] for guest in guests}) == 4
        ids = {guest.qmp("query-vm-generation-id")["guid"] for guest in guests}
        assert len(ids) == 4
        for guest in guests[1:]:
            assert guest.qmp("query-name")["name"] == guest.name
            before = time.time()
            guest_s = int(
                guest.run("cat /sys/class/rtc/rtc0/since_epoch; date +%s").stdout.split()[1]
            )
            assert before - 1.1 <= guest_s <= time.time() + 0.1
    finally:
        for guest in guests[1:]:
            guest.destroy()


def test_the_copy_of_a_paused_guest_hears_who_it_is_when_it_goes_on(original):
    original.suspend()
    (copy,) = original.fork()
    with copy:
        assert (original.state, copy.state) == ("paused", "paused")
        copy.resume()
        told = copy.run("cat /sys/class/net/eth0/address", check=True).stdout.strip()
        assert told == copy.info.macs[0]
    original.resume()


def test_the_network_of_a_copy_works(original):
    (copy,) = original.fork()
    with copy:
        assert copy.run("ping -c 1 -W 5 10.0.2.2", timeout_s=30).returncode == 0


def test_a_copy_can_be_copied(original):
    original.run("echo first >/tmp/file", check=True)
    (child,) = original.fork(names=["child"])
    with child:
        child.run("echo second >/tmp/file; echo second >/root/file; sync", check=True)
        (grandchild,) = child.fork()
        with grandchild:
            assert grandchild.name == "child-1"
            assert grandchild.run("cat /tmp/file /root/file").stdout == "second\nsecond\n"
        child.run("echo third >/root/file", check=True)
    assert original.run("cat /tmp/file").stdout == "first\n"


def test_a_copy_outlives_its_parent(warm_vm):
    with warm_vm.start(warm=True) as parent:
        parent.run("echo here >/root/file; sync", check=True)
        (copy,) = parent.fork()
    with copy:
        copy.run("echo 3 >/proc/sys/vm/drop_caches", check=True)
        assert copy.run("cat /root/file").stdout == "here\n"
        assert copy.run("head -c 20000000 /dev/vda | wc -c").stdout == "20000000\n"


def test_a_paused_guest_has_paused_copies(original):
    original.suspend()
    (copy,) = original.fork()
    with copy:
        assert copy.refresh() == "paused"
        copy.resume()
        assert copy.run("true").returncode == 0
    assert original.refresh() == "paused"
    original.resume()


def test_nobody_sees_the_parent_stand_still(original):
    with original.listen() as events:
        original.fork()[0].destroy()
        original.checkpoint("seen")
    kinds = set()
    while not events.empty():
        event = events.get()
        kinds.add(event.kind if event is not None else "")
    assert "checkpoint" in kinds
    assert not kinds & {"paused", "resumed"}


def test_the_screens_and_ports_of_a_copy_are_its_own(host):
    port = free_port()
    vm = host.vm("doors").mem(128).disk("tiny").nic("virtio", hostfwd=f"{port}:22")
    seen = dataclasses.replace(vm.spec, uuid=UUID, displays=(VNC(display=7),))
    copied = copied_spec(seen, "doors-1")
    back = copied.nics[0].back
    assert isinstance(back, User)
    (forward,) = back.forwards
    assert (forward.guest_port, forward.host_address) == (22, "127.0.0.1")
    assert forward.host_port != port
    assert copied.displays == (VNC(),)
    assert copied.uuid is None
    assert copied.nics[0].mac is None


def test_what_cannot_be_copied_is_refused_by_name(host, tmp_path):
    (tmp_path / "disk.raw").write_bytes(bytes(1 << 20))
    vm = host.vm("odd").mem(128)
    mine = vm.disk(tmp_path / "disk.raw")
    assert "snapshot=True" in reason(mine.spec)
    assert reason(vm.disk(tmp_path / "disk.raw", snapshot=True).spec) == ""
    assert reason(vm.disk("tiny").spec) == ""
    assert "tpm" in reason(vm.tpm().spec)
    assert "share" in reason(vm.share(tmp_path, "files").spec)
    with (
        mine.start(wait="running") as guest,
        pytest.raises(StateError, match="written in place"),
    ):
        guest.fork()


def test_a_name_that_is_taken_and_a_silly_number_are_refused(original):
    with pytest.raises(StateError, match="a name of its own"):
        original.fork(names=["original"])
    with pytest.raises(SpecError, match=r"fork\.names"):
        original.fork(names=["a", "a"])
    for count in (0, -1, 1001, True, "2"):
        with pytest.raises(SpecError, match=r"fork\.count"):
            original.fork(count)
    assert original.run("true").returncode == 0


def test_a_fork_that_fails_leaves_the_parent_running_and_nothing_else(original, monkeypatch):
    before = folders()

    def full(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", target)

    monkeypatch.setattr(layers, "link", full)
    with pytest.raises(HostError, match="No space left"):
        original.fork(2)
    monkeypatch.undo()
    assert folders() == before
    assert original.run("true").returncode == 0
    with original.fork()[0] as copy:
        assert copy.run("true").returncode == 0


def test_a_copy_whose_qemu_is_killed_at_once_takes_the_others_along(original, monkeypatch):
    from kvmnb.engines.qemu.copying import copies

    before, load = folders(), copies.load
    killed: list[int] = []

    async def load_and_kill(speaker, state, **how):
        if not killed:
            killed.append(speaker.info.pid)
            os.kill(speaker.info.pid, 9)
        await load(speaker, state, **how)

    monkeypatch.setattr(copies, "load", load_and_kill)
    with pytest.raises(Exception, match="original-"):
        original.fork(3)
    until(lambda: folders() == before)
    assert original.run("true").returncode == 0


def test_frozen_memory_cannot_be_written_by_anybody():
    fd = ram.create(1 << 20)
    os.pwrite(fd, b"x", 5)
    with ram.Copy(fd) as copy:
        copy.begin()
        os.pwrite(fd, b"y", 9000)
        copy.refresh()
        frozen = copy.freeze()
    assert os.pread(frozen, 1, 9000) == b"y"
    assert os.pread(frozen, 1, 5) == b"x"
    with pytest.raises(PermissionError):
        os.pwrite(frozen, b"z", 5)
    with pytest.raises(PermissionError):
        os.ftruncate(frozen, 0)
    os.close(fd)
    os.close(frozen)


def test_memory_that_was_given_back_between_the_two_passes_is_zero_in_the_copy():
    import ctypes

    fd = ram.create(4 << 20)
    os.pwrite(fd, b"x" * (1 << 20), 1 << 20)
    with ram.Copy(fd) as copy:
        copy.begin()
        libc = ctypes.CDLL(None, use_errno=True)
        offset = ctypes.c_long(1 << 20)
        assert libc.fallocate(fd, 0x02 | 0x01, offset, offset) == 0  # PUNCH_HOLE | KEEP_SIZE
        copy.refresh()
        frozen = copy.freeze()
    assert os.pread(frozen, 1 << 20, 1 << 20) == bytes(1 << 20)
    os.close(fd)
    os.close(frozen)


def test_a_copy_that_balloons_takes_nothing_from_the_others(original):
    original.run("head -c 20000000 /dev/urandom >/tmp/noise; md5sum /tmp/noise >/tmp/sum")
    first, second = original.fork(2)
    with first, second:
        first.run("rm /tmp/noise")
        first.balloon(100)
        until(lambda: first.stats().balloon == 100)
        for guest in (second, original):
            assert guest.run("md5sum -c /tmp/sum").returncode == 0


def test_files_of_one_disk_are_shared_and_go_with_the_last_guest(original):
    with original.fork()[0] as copy:
        roots = Roots.from_environment()
        names = [
            {path.name: path.stat().st_ino for path in Path(roots.guest(each).state_dir).glob("*")}
            for each in ("original", copy.name)
        ]
        shared = names[0].keys() & names[1].keys()
        assert {"disk0.qcow2"} <= shared | {"disk0.qcow2"}
        assert all(names[0][name] == names[1][name] for name in shared)
        assert len(shared) >= 1


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 300_000, 1 << 20])
def test_memory_on_disk_is_the_same_without_its_zeroes(tmp_path, size):
    import random

    chance = random.Random(size)
    fd = ram.create(4 << 20)
    for _ in range(20):
        at = chance.randrange(0, (4 << 20) - size)
        os.pwrite(fd, chance.choice([b"\0", b"x", b"\0y"]) * (size // 2 + 1), at)
    os.ftruncate(fd, 4 << 20)
    path = tmp_path / "ram"
    ram.save(fd, str(path))
    content = os.pread(fd, 4 << 20, 0)
    assert path.read_bytes() == content
    loaded = ram.load(str(path))
    assert os.pread(loaded, 4 << 20, 0) == content
    os.close(fd)
    os.close(loaded)
