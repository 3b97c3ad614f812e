"""Checkpoints: states that a guest is put back to, memory and disks together, in any order."""

from __future__ import annotations

import random
import shutil

import pytest

from kvmnb import CommandError, StateError
from kvmnb.engines.qemu.copying import checkpoints, copies
from kvmnb.engines.qemu.folders import Roots
from tests.engines.qemu.kernels import alive, until

COUNT = "cat /tmp/count /root/count"


def count(guest, number):
    """Write a number into the guest's memory and onto its disk."""
    guest.run(f"echo {number} >/tmp/count; echo {number} >/root/count", check=True)


def counted(guest):
    """Return what both say, which must be the same."""
    first, second = guest.run(COUNT, check=True).stdout.split()
    assert first == second
    return int(first)


def test_memory_and_disks_go_back_together_and_the_guest_stays_the_same(original):
    pid, uuid = original.info.pid, original.qmp("query-uuid")["UUID"]
    count(original, 1)
    before = original.checkpoint("before rm")
    assert before.pause_s < 5
    original.run("rm -rf /root /etc /usr /lib* /sbin /bin")
    with pytest.raises(CommandError):
        original.run("true")
    original.rewind("before rm")
    assert counted(original) == 1
    assert original.state == "running"
    assert original.info.pid != pid
    assert not alive(pid)
    assert original.qmp("query-uuid")["UUID"] == uuid
    assert original.run("cat /sys/class/net/eth0/address").stdout.strip() == original.info.macs[0]
    assert original.checkpoints.current == before


def test_a_tree_of_them_is_walked_at_random(original):
    chance = random.Random(4)
    taken = {}
    count(original, 0)
    taken[original.checkpoint("0").id] = 0
    for number in range(1, 15):
        if chance.random() < 0.5:
            id = chance.choice(list(taken))
            original.rewind(id)
            assert counted(original) == taken[id]
        else:
            count(original, number)
            parent = original.checkpoints.current
            made = original.checkpoint(str(number))
            assert made.parent == parent.id
            taken[made.id] = number
    assert [each.id for each in original.checkpoints] == list(taken)
    state = Roots.from_environment().guest("original").state
    # the chain that it stands on now, and nothing of the branches that it has left
    assert len(list(state.glob("disk0*.qcow2"))) <= len(taken) + 1


def test_the_guest_forgets_one_and_keeps_those_after_it(original):
    count(original, 1)
    first = original.checkpoint("first")
    count(original, 2)
    second = original.checkpoint("second")
    original.drop(first)
    (left,) = original.checkpoints
    assert (left.id, left.parent) == (second.id, None)
    count(original, 3)
    original.rewind(second)
    assert counted(original) == 2
    with pytest.raises(KeyError, match="first"):
        original.rewind("first")


def test_a_paused_guest_comes_back_paused(original):
    original.suspend()
    original.checkpoint("still")
    original.resume()
    original.rewind("still")
    assert original.state == "paused"
    original.resume()
    assert original.run("true").returncode == 0


def test_they_go_with_the_guest_unless_they_are_kept(warm_vm):
    folder = Roots.from_environment().guest("original")
    with warm_vm.start(warm=True) as guest:
        count(guest, 7)
        guest.checkpoint("gone")
        kept = guest.checkpoint("kept", keep=True)
        guest.run("rm -rf /root")
    assert not folder.state.exists()
    host = warm_vm.host
    assert list(host.checkpoints) == [kept]
    with host.restore(kept) as guest:
        assert counted(guest) == 7
        assert guest.checkpoints.current == kept
        with pytest.raises(StateError, match="rewind"):
            host.restore(kept)
    with warm_vm.start(warm=True) as guest:
        (found,) = guest.checkpoints
        assert found == kept
        guest.rewind(kept)
        assert counted(guest) == 7
        guest.drop(kept)
        assert list(guest.checkpoints) == []
    assert list(checkpoints.kept_folder(folder).glob("*")) == []


def test_a_guest_that_was_started_cold_has_checkpoints_too(host):
    with host.vm("cold").mem(128).disk("tiny").start() as guest:
        count(guest, 1)
        guest.checkpoint("one")
        count(guest, 2)
        guest.checkpoint("two")
        guest.rewind("one")
        assert counted(guest) == 1
        guest.rewind("two")
        assert counted(guest) == 2
        with guest.fork()[0] as copy:
            assert counted(copy) == 2


def test_other_processes_find_the_guest_after_it_was_put_back(original, kernel):
    count(original, 1)
    original.checkpoint("one")
    other = kernel()
    other("g = kvmnb.Host().guests['original']")
    assert other("print(g.run('cat /tmp/count').stdout.strip())") == "1"
    original.rewind("one")
    other("g = kvmnb.Host().guests['original']")
    assert other("print(g.run('cat /tmp/count').stdout.strip())") == "1"
    assert other("print(len(g.checkpoints), g.state)") == "1 running"


def test_a_damaged_one_is_refused_and_the_guest_goes_on(original):
    folder = Roots.from_environment().guest("original")
    for damage in ("ram", "devices", "checkpoint.json"):
        count(original, 5)
        made = original.checkpoint(damage)
        (checkpoints.find(folder, made.id) / damage).write_bytes(b"damaged")
        before = original.info.pid
        with pytest.raises((StateError, KeyError)):
            original.rewind(made.id)
        assert original.info.pid == before
        assert counted(original) == 5
        assert not list(folder.run.glob("next-*"))
    shutil.rmtree(folder.state / "checkpoints")


def test_a_step_back_that_fails_leaves_the_guest_as_it_was(original, monkeypatch):
    folder = Roots.from_environment().guest("original")
    count(original, 1)
    original.checkpoint("one")
    count(original, 2)
    files = {path.name for path in folder.state.iterdir()}
    load = copies.load

    async def killed(speaker, state, **how):
        speaker.popen.kill()
        await load(speaker, state, **how)

    monkeypatch.setattr(copies, "load", killed)
    with pytest.raises(Exception, match="original"):
        original.rewind("one")
    monkeypatch.undo()
    assert counted(original) == 2
    assert {path.name for path in folder.state.iterdir()} == files
    assert not list(folder.run.glob("next-*"))
    original.rewind("one")
    assert counted(original) == 1


VERBS = {
    "checkpoint": "g.checkpoint('killed')",
    "rewind": "g.rewind('one')",
    "fork": "g.fork(2)",
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_process_killed_at_any_moment_leaves_a_guest_that_runs(original, host, kernel, verb):
    folder = Roots.from_environment().guest("original")
    count(original, 1)
    original.checkpoint("one")
    for delay_s in (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4):
        other = kernel()
        other("import os, signal, threading; g = kvmnb.Host().guests['original']")
        shot = f"threading.Timer({delay_s}, os.kill, (os.getpid(), signal.SIGKILL)).start()"
        other.send(f"{shot}; {VERBS[verb]}")
        other.ended()
        until(lambda: settled(folder))
        guest = kernel()
        guest("g = kvmnb.Host().guests['original']")
        assert guest(f"print(len(set(g.run({COUNT!r}, timeout_s=60).stdout.split())))") == "1"
        guest.close()
        for name in list(host.guests):
            if name.startswith("original-"):
                host.guests[name].destroy()
    host.guests["original"].destroy()  # it may be another QEMU than the one that was started


def settled(folder):
    """Whether nothing is half done any more."""
    half = [*folder.run.glob("next-*"), *folder.run.glob("standstill")]
    return not half


def test_a_guest_that_was_stopped_for_a_copy_goes_on_when_the_copier_is_killed(original, kernel):
    other = kernel()
    other("import os, signal; g = kvmnb.Host().guests['original']")
    other("from kvmnb.engines.qemu.copying import capture")
    other("capture.migrate = lambda *_: os.kill(os.getpid(), signal.SIGKILL)")
    other.send("g.checkpoint('never')")
    other.ended()
    until(lambda: original.refresh() == "running")
    assert original.run("true").returncode == 0
    assert list(original.checkpoints) == []
