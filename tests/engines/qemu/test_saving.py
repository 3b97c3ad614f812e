"""Guests that are saved to a file, and started again from it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import json
import os
import random
import resource
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kvmnb import GuestLost, Host, HostError, SpecError, StartError, StateError
from kvmnb.engines.qemu.saving.writer import Writer
from kvmnb.images import qemu_img
from tests.engines.qemu.kernels import until

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def saved(host, tmp_path_factory):
    """A file with a booted guest that has 7 in its memory and on its disk, and a process."""
    path = tmp_path_factory.mktemp("saved") / "guest"
    with host.vm("saved").mem(128).disk("tiny").nic("virtio").start() as guest:
        guest.run("echo 7 >/run/counter; echo 7 >/counter; sync", check=True)
        guest.run("sleep 1000 >/dev/null 2>&1 & echo $! >/run/pid", check=True)
        guest.run("date -s @1000000000", check=True)
        guest.save(path)
    return path


@pytest.fixture
def restored(host, saved):
    with host.restore(saved) as guest:
        yield guest


def traces(host):
    """What there is of guests in the two roots, whoever's they are."""
    roots = host.engine.roots
    folders = [path for root in (roots.run, roots.state) for path in root.iterdir()]
    return {path.name for path in folders if path.is_dir()}


# -- what comes back -------------------------------------------------------------------------


def test_memory_disk_and_processes_come_back_together(restored):
    assert restored.run("cat /run/counter /counter", check=True).stdout.split() == ["7", "7"]
    assert restored.run("kill $(cat /run/pid)").returncode == 0


def test_a_file_can_be_restored_from_again_and_says_the_same(host, saved):
    for _ in range(2):
        with host.restore(saved) as guest:
            assert guest.run("cat /counter").stdout == "7\n"
            guest.run("echo 8 >/counter; sync", check=True)


def test_the_clock_is_set(restored):
    assert float(restored.run("date +%s").stdout) > time.time() - 60


def test_it_is_the_guest_that_it_was(host, saved):
    with host.restore(saved) as guest:
        spec, macs = guest.spec, guest.info.macs
    assert spec == host.vm("saved").mem(128).disk("tiny").nic("virtio").spec
    with host.vm("saved").mem(128).disk("tiny").nic("virtio").start(wait="running") as guest:
        assert guest.info.macs == macs


def test_a_restored_guest_can_be_saved_again(host, saved, tmp_path):
    with host.restore(saved) as guest:
        guest.run("echo 9 >/run/counter; echo 9 >/counter; sync", check=True)
        guest.save(tmp_path / "again")
    with host.restore(tmp_path / "again") as guest:
        assert guest.run("cat /run/counter /counter").stdout.split() == ["9", "9"]


def test_two_restores_draw_other_random_numbers(host, saved):
    drawn = []
    for _ in range(2):
        with host.restore(saved) as guest:
            drawn.append(guest.run("head -c 16 /dev/urandom").stdout_bytes)
    assert drawn[0] != drawn[1]


def test_a_paused_guest_comes_back_paused(launch, host, tmp_path):
    guest = launch(host.vm("paused").mem(32))
    guest.suspend()
    guest.save(tmp_path / "file")
    with host.restore(tmp_path / "file") as again:
        assert again.refresh() == "paused"
        again.resume()
        assert again.refresh() == "running"


def test_a_moved_file_is_as_good(launch, host, tmp_path):
    launch(host.vm("moved").mem(32)).save(tmp_path / "here")
    (tmp_path / "else").mkdir()
    # copied by a program that knows of no holes
    (tmp_path / "else/there").write_bytes((tmp_path / "here").read_bytes())
    (tmp_path / "here").unlink()
    with host.restore(tmp_path / "else/there") as guest:
        assert guest.refresh() == "running"


def test_a_large_disk_takes_the_room_of_what_is_written(launch, host, tmp_path):
    launch(host.vm("large").mem(32).disk(size="100G")).save(tmp_path / "file")
    assert (tmp_path / "file").stat().st_size < 16 << 20
    with host.restore(tmp_path / "file") as guest:
        (file,) = (host.engine.roots.guest("large").state).glob("*.qcow2")
        assert qemu_img.info(file, force_share=True).size_bytes == 100 << 30
        assert guest.refresh() == "running"


def test_the_layers_of_a_disk_come_along(host, saved, tmp_path):
    with host.restore(saved) as guest:
        guest.checkpoint("a layer")
        guest.run("echo 10 >/counter; sync", check=True)
        guest.save(tmp_path / "layered")
    with host.restore(tmp_path / "layered") as guest:
        assert guest.run("cat /counter").stdout == "10\n"


def test_a_snapshot_within_the_disk_comes_along(launch, host, tmp_path):
    guest = launch(host.vm("within").mem(32).disk(size="8M"))
    guest.savevm("inner")
    guest.save(tmp_path / "file")
    with host.restore(tmp_path / "file") as again:
        assert again.snapshots.names == ("inner",)
        again.loadvm("inner")


@pytest.mark.skipif(not os.path.exists("/usr/share/OVMF/OVMF_CODE_4M.fd"), reason="no UEFI here")
def test_the_firmwares_variables_come_along(launch, host, tmp_path):
    guest = launch(host.vm("uefi").mem(64).machine("q35").firmware("uefi"))
    state = host.engine.roots.guest("uefi").state
    (variables,) = state.glob("uefi-variables.*")
    guest.suspend()
    before = variables.read_bytes()
    # as if the guest had written it: QEMU has the file open, and reads it again on restore
    with variables.open("r+b") as file:
        file.seek(len(before) - 16)
        file.write(b"written by guest")
    guest.save(tmp_path / "file")
    with host.restore(tmp_path / "file") as again:
        assert variables.read_bytes()[-16:] == b"written by guest"
        assert again.refresh() == "paused"


def test_the_history_has_the_words(launch, host, tmp_path):
    guest = launch(host.vm("words").mem(32))
    guest.save(tmp_path / "a file")
    (save,) = (deed for deed in guest.history if deed["verb"] == "save")
    assert save["virsh"] == f"virsh save words '{tmp_path}/a file'"
    assert save["hmp"] == f"migrate \"exec:cat > '{tmp_path}/a file'\""
    with host.restore(tmp_path / "a file") as again:
        assert again.history[0]["virsh"] == f"virsh restore '{tmp_path}/a file'"


# -- the file --------------------------------------------------------------------------------


def test_the_file_is_private_and_the_guest_is_gone(launch, host, tmp_path):
    guest = launch(host.vm("private").mem(32).disk(size="8M"))
    guest.save(tmp_path / "file")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["file"]
    assert guest.state == "shutdown"
    assert "private" not in traces(host)


def test_an_older_saved_guest_is_replaced_and_nothing_else_is(launch, host, tmp_path):
    file, other = tmp_path / "file", tmp_path / "other"
    other.write_text("a letter")
    for word in ("one", "two"):
        guest = launch(host.vm(word).mem(32))
        with pytest.raises(SpecError, match="left alone"):
            guest.save(other)
        assert guest.refresh() == "running"
        guest.save(file)
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]
    assert other.read_text() == "a letter"
    with host.restore(file) as again:
        assert again.name == "two"


def test_a_place_where_no_file_can_be_is_refused_at_once(launch, host, tmp_path):
    guest = launch(host.vm("nowhere").mem(32))
    os.mkfifo(tmp_path / "pipe")
    for place in ("", tmp_path, tmp_path / "no/folder", "/dev/null", tmp_path / "pipe", "a\0b"):
        with pytest.raises(SpecError):
            guest.save(place)
    assert guest.refresh() == "running"
    assert guest.history == ()


# -- what is refused -------------------------------------------------------------------------


def test_a_name_that_runs_is_refused(host, saved, restored):
    with pytest.raises(StateError, match="running"):
        host.restore(saved)
    assert restored.run("true").returncode == 0


def test_what_is_no_saved_guest_is_refused(host, tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("kvmnb saved guests are fine")
    (tmp_path / "short").write_bytes(b"kvmnb saved guest 1\n")
    (tmp_path / "newer").write_bytes(b"kvmnb saved guest 2\n" + bytes(9000))
    os.mkfifo(tmp_path / "pipe")
    for name in ("empty", "text", "short", "newer", "pipe", "", "missing"):
        with pytest.raises(SpecError):
            host.restore(tmp_path / name)
    with pytest.raises(SpecError):
        host.restore("/dev/zero")


def test_damage_anywhere_is_found(host, saved, tmp_path):
    content, copy = saved.read_bytes(), tmp_path / "copy"
    draw, before = random.Random(1), traces(host)
    places = [0, 25, 5000, len(content) - 100, len(content) - 20]
    places += [draw.randrange(len(content)) for _ in range(5)]
    index = content.rindex(b'{"tops"')
    places += [index - 100, index - 300_000]  # within the disk
    for place in places:
        changed = bytes([content[place] ^ 1])
        copy.write_bytes(content[:place] + changed + content[place + 1 :])
        if place >= len(content) - 8:
            continue
        with pytest.raises(SpecError, match="restore"):
            host.restore(copy)
    for length in (30, 5000, len(content) // 2, len(content) - 1):
        copy.write_bytes(content[:length])
        with pytest.raises(SpecError, match="damaged"):
            host.restore(copy)
    copy.write_bytes(content + b"\n")
    with pytest.raises(SpecError, match="damaged"):
        host.restore(copy)
    assert traces(host) == before


@pytest.mark.parametrize("name", ["../guest.json", "/etc/passwd", "..", "", "a\nb", 3, None])
def test_a_file_that_leads_out_of_the_folder_is_refused(host, tmp_path, name):
    with Writer(str(tmp_path / "file"), {"spec": {}}) as file:
        (tmp_path / "part").write_bytes(b"x")
        file.take_file(str(tmp_path / "part"), lambda done: None)
        file._files[0]["name"] = name
        file.commit()
    with pytest.raises(SpecError):
        host.restore(tmp_path / "file")


@pytest.mark.parametrize("header", [{}, {"spec": 3}, {"spec": {"part": "NIC"}}, {"spec": []}, 3])
def test_a_description_that_makes_no_sense_is_refused(host, tmp_path, header):
    with Writer(str(tmp_path / "file"), header) as file:
        file.commit()
    with pytest.raises(SpecError):
        host.restore(tmp_path / "file")


def test_an_older_qemu_and_an_unknown_board_are_refused(host, saved):
    facts = host.engine.facts
    for changed, words in (
        ({"version": (4, 2, 0)}, "this one is 4.2.0"),
        ({"machines": {"none": {}}}, "board"),
    ):
        other = Host()
        other.engine._facts = dataclasses.replace(facts, **changed)
        with pytest.raises(HostError, match=words):
            other.restore(saved)


def test_a_disk_of_the_users_that_has_changed_is_refused(launch, host, tmp_path):
    disk, file = tmp_path / "mine.qcow2", tmp_path / "file"
    qemu_img.create(disk, "8M")
    launch(host.vm("mine").mem(32).disk(str(disk))).save(file)
    with host.restore(file) as guest:
        assert guest.refresh() == "running"
        guest.suspend()
    os.utime(disk)
    with pytest.raises(SpecError, match="do not agree"):
        host.restore(file)
    disk.unlink()
    with pytest.raises(SpecError, match="cannot be found"):
        host.restore(file)


def test_an_image_under_the_disk_that_has_changed_is_refused(launch, host, tmp_path):
    base, file = tmp_path / "base.qcow2", tmp_path / "file"
    qemu_img.create(base, "8M")
    launch(host.vm("based").mem(32).disk(str(base), snapshot=True)).save(file)
    with host.restore(file) as guest:
        assert guest.refresh() == "running"
    os.utime(base)
    with pytest.raises(SpecError, match="not as it was"):
        host.restore(file)


def test_a_state_that_does_not_fit_is_told_with_qemus_words(launch, host, tmp_path):
    launch(host.vm("misfit").mem(32)).save(tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    head = json.loads(content[20:4096])
    head["spec"]["memory"]["size_mib"] = 48
    index = json.loads(content[content.rindex(b'{"tops"') :].partition(b"\n")[0])
    stream = index["stream"]
    with Writer(str(tmp_path / "other"), head) as file:
        out, into = os.pipe()
        os.close(into)
        stop = os.eventfd(0)
        file.take_stream(out, stop, lambda done: None)
        file._write(content[stream["at"] : stream["at"] + stream["length"]])
        file._stream.update(length=stream["length"], sha256=stream["sha256"])
        file.facts.update(tops={}, bases=[], own=[], variables=[])
        file.commit()
        os.close(out)
        os.close(stop)
    with pytest.raises(StartError, match="could not load the state") as told:
        host.restore(tmp_path / "other")
    assert told.value.log_tail
    assert "misfit" not in traces(host)


# -- what fails on the way ---------------------------------------------------------------------


@contextlib.contextmanager
def files_of_at_most(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [1 << 10, 1 << 20, 30 << 20])
def test_no_room_leaves_the_guest_running_and_no_file(restored, tmp_path, room):
    with files_of_at_most(room), pytest.raises(HostError, match="room"):
        restored.save(tmp_path / "file")
    assert os.listdir(tmp_path) == []
    assert restored.refresh() == "running"
    assert restored.run("cat /counter").stdout == "7\n"


def test_an_interrupt_leaves_the_guest_running_and_no_file(restored, tmp_path):
    async def interrupted(wait_s):
        saving = restored.save.aio(tmp_path / "file")
        await asyncio.sleep(wait_s)
        saving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await saving

    for wait_s in (0.0, 0.01, 0.05):
        asyncio.run(interrupted(wait_s))
        until(lambda: restored.refresh() == "running")
        assert restored.run("cat /counter").stdout == "7\n"
        assert os.listdir(tmp_path) == []


def test_qemu_killed_on_the_way_leaves_no_file(host, saved, tmp_path):
    for wait_s in (0.0, 0.02, 0.1):
        guest = host.restore(saved)
        with guest.listen() as events, ThreadPoolExecutor() as pool:
            saving = pool.submit(guest.save, tmp_path / "file")
            while events.get().kind != "paused":
                pass
            time.sleep(wait_s)
            with contextlib.suppress(ProcessLookupError):
                os.kill(guest.info.pid, signal.SIGKILL)
            if saving.exception() is None:
                # it was faster, and had ended QEMU by itself
                assert os.listdir(tmp_path) == ["file"]
                (tmp_path / "file").unlink()
            else:
                assert isinstance(saving.exception(), (GuestLost, StateError))
                assert os.listdir(tmp_path) == []
        until(lambda: "saved" not in traces(host))


def test_two_savers_do_not_disturb_each_other(host, saved, tmp_path):
    guest = host.restore(saved)
    with ThreadPoolExecutor() as pool:
        savings = [pool.submit(guest.save, tmp_path / name) for name in ("one", "two")]
        errors = [saving.exception() for saving in savings]
    assert sum(error is None for error in errors) == 1
    assert sum(isinstance(error, StateError) for error in errors) == 1
    (name,) = os.listdir(tmp_path)
    with host.restore(tmp_path / name) as again:
        assert again.run("cat /counter").stdout == "7\n"


def test_where_a_file_must_have_a_name_what_a_killed_writer_left_goes(tmp_path, monkeypatch):
    # what a file system answers that does not know of files without a name
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    stale = tmp_path / ".file.0123abcd.part"
    stale.touch()
    (tmp_path / ".file.mine.part").touch()
    with Writer(str(tmp_path / "file"), {}) as one, Writer(str(tmp_path / "file"), {}) as other:
        assert not stale.exists()
        one.commit()
        other.commit()
    with Writer(str(tmp_path / "file"), {}):
        pass
    assert sorted(os.listdir(tmp_path)) == [".file.mine.part", "file"]


def runs(guest):
    try:
        return guest.refresh() == "running"
    except (StateError, GuestLost):
        return False


def settled(guest, host) -> bool:
    """Whether the guest runs, or is gone for good."""
    return runs(guest) or "saved" not in traces(host)


def test_a_saver_killed_at_any_moment_leaves_the_guest_or_a_whole_file(
    kernel, host, saved, tmp_path
):
    file, draw = tmp_path / "file", random.Random(2)
    guest = host.restore(saved)
    outcomes = set()
    for _ in range(12):
        saver = kernel()
        saver("guest = kvmnb.Host().guests['saved']; guest.refresh()")
        saver.send(f"guest.save({str(file)!r})")
        time.sleep(draw.uniform(0.0, 0.4))
        saver.kill()
        until(functools.partial(settled, guest, host))
        if runs(guest):
            outcomes.add("guest")
        else:
            outcomes.add("file")
            assert os.listdir(tmp_path) == ["file"]
            guest = host.restore(file)
        assert guest.run("cat /run/counter /counter").stdout.split() == ["7", "7"]
        assert set(os.listdir(tmp_path)) <= {"file"}
        file.unlink(missing_ok=True)
    guest.destroy()
    assert "guest" in outcomes
    until(lambda: "saved" not in traces(host))


def test_no_descriptor_is_left_open(launch, host, tmp_path):
    def cycle():
        launch(host.vm("open").mem(32)).save(tmp_path / "file")
        host.restore(tmp_path / "file").destroy()
        with pytest.raises(SpecError):
            host.restore(tmp_path / "missing")

    cycle()
    before = len(os.listdir("/proc/self/fd"))
    cycle()
    assert len(os.listdir("/proc/self/fd")) <= before
