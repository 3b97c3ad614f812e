"""Warm starts: restored from a template that is right, or booted, and never anything between."""

from __future__ import annotations

import dataclasses
import shutil
import time

import pytest

from kvmnb import Host
from kvmnb.engines.qemu.copying import copies, rest, warm
from kvmnb.engines.qemu.folders import Roots
from kvmnb.errors import StateError
from tests.engines.qemu.kernels import until

BOOTED_S = "cut -d. -f1 /proc/uptime"


@pytest.fixture
def templates(host):
    """The store of this test run's templates, which the session's guest is in."""
    return host.engine.templates


def restored(guest) -> bool:
    return any("defer" in word for word in guest.info.command)


def test_the_first_start_boots_and_the_next_ones_do_not(warm_vm):
    with warm_vm.start(warm=True):
        pass
    with warm_vm.start(warm=True) as guest:
        assert restored(guest)
        assert guest.state == "running"
        guest.run("echo mine >/root/file; sync", check=True)
        guest_s = int(guest.run("date +%s").stdout)
        assert abs(guest_s - time.time()) < 2
    with warm_vm.start(warm=True) as guest:
        assert guest.run("ls /root/file").returncode != 0
        assert guest.run("ping -c 1 -W 5 10.0.2.2", timeout_s=30).returncode == 0


def test_two_starts_of_one_template_have_different_random_numbers(warm_vm):
    said = set()
    for _ in range(3):
        with warm_vm.start(warm=True) as guest:
            said.add(guest.run("head -c 16 /dev/urandom | od -An -tx1", check=True).stdout)
    assert len(said) == 3


def test_a_host_can_start_every_guest_warm(warm_vm):
    host = Host(warm=True)
    vm = dataclasses.replace(warm_vm, host=host)
    vm.start().destroy()
    with vm.start() as guest:
        assert restored(guest)
    with vm.start(warm=False) as guest:
        assert not restored(guest)


def test_another_name_has_the_same_template_and_its_own_address(host, warm_vm):
    warm_vm.start(warm=True).destroy()
    with host.vm("namesake").mem(128).smp(2).disk("tiny").nic("virtio").start(warm=True) as guest:
        assert restored(guest)
        assert guest.run("cat /sys/class/net/eth0/address").stdout.strip() == guest.info.macs[0]
        assert guest.qmp("query-name")["name"] == "namesake"


def test_what_shapes_a_guest_is_in_the_key(host, warm_vm, tmp_path):
    def key(vm):
        return warm.template_key(host.engine.plan(vm.spec))

    vm = warm_vm
    same = dataclasses.replace(vm.spec, name="other", uuid=None, title="a title")
    assert warm.template_key(host.engine.plan(same)) == key(vm)
    (tmp_path / "disk.raw").write_bytes(bytes(1 << 20))
    further = vm.disk(tmp_path / "disk.raw", snapshot=True)
    shapes = [vm, vm.mem(256), vm.smp(1), vm.nic("e1000"), vm.machine("q35"), vm.balloon(False)]
    keys = {key(each) for each in [*shapes, further]}
    assert len(keys) == 7
    (tmp_path / "disk.raw").write_bytes(bytes(2 << 20))
    assert key(further) not in keys


def test_a_guest_that_cannot_be_kept_boots(host):
    vm = host.vm("shy").mem(128).disk("tiny").agent(False)
    assert "agent" in warm.refusal(vm.spec)
    with vm.start(warm=True, wait="running") as guest:
        assert not restored(guest)


@pytest.mark.parametrize("file", ["ram", "devices", "manifest", "blank0", "disk0.qcow2"])
def test_a_template_with_one_byte_changed_is_thrown_away_and_made_anew(warm_vm, templates, file):
    warm_vm.start(warm=True).destroy()
    (entry,) = [each for each in templates.entries() if each.name == "original"]
    with templates.get(entry.key) as template:
        path = template.folder / file
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)
    with warm_vm.start(warm=True) as guest:
        assert not restored(guest)
        assert guest.run("true").returncode == 0
    with warm_vm.start(warm=True) as guest:
        assert restored(guest)


def test_a_guest_has_all_of_its_memory_however_far_it_came_in_giving_it_back(host, monkeypatch):
    monkeypatch.setattr(rest, "BALLOON_S", 0.2)
    vm = host.vm("large").mem(256).disk("tiny")
    vm.start(warm=True).destroy()
    with vm.start(warm=True) as guest:
        assert restored(guest)
        guest.run("mount -t tmpfs -o size=90% none /mnt", check=True)
        guest.run("head -c 120000000 /dev/zero >/mnt/filled", check=True, timeout_s=120)
        assert guest.qmp("query-balloon")["actual"] == 256 << 20


def test_a_template_that_qemu_does_not_take_is_thrown_away(warm_vm, monkeypatch):
    warm_vm.start(warm=True).destroy()

    async def refused(speaker, state):
        raise StateError("original", "not copied", "QEMU says no")

    monkeypatch.setattr(copies, "load", refused)
    with warm_vm.start(warm=True) as guest:
        assert not restored(guest)
    monkeypatch.undo()
    with warm_vm.start(warm=True) as guest:
        assert restored(guest)


def test_a_template_that_vanishes_under_a_start_is_no_error(warm_vm, templates):
    warm_vm.start(warm=True).destroy()
    shutil.rmtree(templates.root)
    with warm_vm.start(warm=True) as guest:
        assert guest.run("true").returncode == 0


def test_a_process_killed_while_it_starts_warm_leaves_nothing(kernel, warm_vm):
    warm_vm.start(warm=True).destroy()
    roots = Roots.from_environment()
    vm = "kvmnb.Host().vm('original').mem(128).smp(2).disk('tiny').nic('virtio')"
    for delay_s in (0.0, 0.03, 0.06, 0.1, 0.15, 0.2):
        other = kernel()
        other("import os, signal, threading")
        shot = f"threading.Timer({delay_s}, os.kill, (os.getpid(), signal.SIGKILL)).start()"
        other.send(f"{shot}; {vm}.start(warm=True, keep=0)")
        other.ended()
        until(lambda: not roots.guest("original").run.exists())
    with warm_vm.start(warm=True) as guest:
        assert restored(guest)
