"""savevm, loadvm and delvm of real guests."""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kvmnb import SpecError, StateError, Unsupported
from tests.engines.qemu.kernels import until

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def kept(host):
    """A booted guest for the snapshots of this module; each test removes its own."""
    vm = host.vm("kept").mem(128).disk("tiny")
    with vm.start() as guest:
        yield guest


def count(guest, number):
    """Write a number to the guest's memory and to its disk."""
    guest.run(f"echo {number} >/run/counter; echo {number} >/counter; sync", check=True)


def counted(guest):
    return guest.run("cat /run/counter /counter", check=True).stdout.split()


def test_memory_and_disk_go_back_together(kept):
    count(kept, 1)
    kept.savevm("one")
    count(kept, 2)
    kept.loadvm("one")
    assert counted(kept) == ["1", "1"]
    kept.delvm("one")


def test_two_snapshots_are_walked_in_any_order(kept):
    for number in (1, 2):
        count(kept, number)
        kept.savevm(f"walk {number}")
    count(kept, 3)
    for number in (1, 2, 1):
        kept.loadvm(f"walk {number}")
        assert counted(kept) == [str(number)] * 2
    assert kept.snapshots.names == ("walk 1", "walk 2")
    for number in (1, 2):
        kept.delvm(f"walk {number}")
    assert kept.snapshots == ()
    assert kept.run("true").returncode == 0


def test_a_snapshot_brings_a_process_back_that_was_killed(kept):
    pid = kept.run("sleep 1000 >/dev/null 2>&1 & echo $!").stdout.strip()
    kept.savevm("sleeping")
    kept.run(f"kill {pid}")
    kept.loadvm("sleeping")
    assert kept.run(f"kill {pid}").returncode == 0
    kept.delvm("sleeping")


def test_the_clock_does_not_go_back(kept):
    before_s = time.time()
    kept.run("date -s @1000000000", check=True)
    kept.savevm("clock")
    kept.loadvm("clock")
    assert float(kept.run("date +%s").stdout) >= int(before_s)
    kept.delvm("clock")


def test_a_snapshot_holds_memory_that_checkpoints_leave_out(kept):
    on = [{"capability": "x-ignore-shared", "state": True}]
    kept.qmp("migrate-set-capabilities", {"capabilities": on})
    count(kept, 1)
    kept.savevm("whole")
    count(kept, 2)
    kept.loadvm("whole")
    assert counted(kept) == ["1", "1"]
    kept.delvm("whole")


def test_a_snapshot_that_is_interrupted_goes_on_to_its_end(kept):
    async def interrupted():
        saving = kept.savevm.aio("interrupted")
        await asyncio.sleep(0.01)
        saving.cancel()

    asyncio.run(interrupted())
    until(lambda: not kept.qmp("query-jobs"))
    assert kept.refresh() == "running"
    for name in kept.snapshots.names:
        kept.delvm(name)
    assert kept.snapshots == ()


def test_two_at_once_do_not_disturb_each_other(kept):
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(kept.savevm, name) for name in ("one", "other")]
        errors = [each.exception() for each in both]
    assert all(error is None or isinstance(error, StateError) for error in errors)
    assert len(kept.snapshots) == errors.count(None) >= 1
    for name in kept.snapshots.names:
        kept.delvm(name)


def test_another_process_sees_and_loads_the_snapshot(kept, kernel):
    count(kept, 1)
    kept.savevm("shared")
    count(kept, 2)
    other = kernel()
    other("guest = kvmnb.Host().guests['kept']")
    assert other("print(guest.snapshots.names)") == "('shared',)"
    assert other("guest.loadvm('shared')") == ""
    assert counted(kept) == ["1", "1"]
    other("guest.delvm('shared')")
    assert kept.snapshots == ()


def test_a_paused_guest_stays_paused(kept):
    kept.suspend()
    kept.savevm("paused")
    assert kept.refresh() == "paused"
    kept.loadvm("paused")
    assert kept.refresh() == "paused"
    kept.resume()
    assert kept.run("true").returncode == 0
    kept.delvm("paused")


def test_the_table_has_what_info_snapshots_has(kept):
    kept.savevm("tabled <b>")
    (row,) = kept.snapshots
    shown = kept.hmp("info snapshots")
    assert row.id in shown
    assert row.name in shown
    assert row.vm_state_bytes > 1 << 20
    assert row.vm_clock_s > 0
    assert list(kept.snapshots.to_pandas().columns) == [
        *("name", "vm_state_bytes", "created", "vm_clock_s"),
    ]
    assert "tabled &lt;b&gt;" in kept.snapshots._repr_html_()
    assert "tabled <b>" in repr(kept.snapshots)
    kept.delvm("tabled <b>")
    assert repr(kept.snapshots) == "no snapshots"


def test_the_history_has_the_words(kept):
    kept.savevm("a word")
    kept.loadvm("a word")
    kept.delvm("a word")
    deeds = kept.history[-3:]
    assert [deed["verb"] for deed in deeds] == ["savevm", "loadvm", "delvm"]
    assert [deed["hmp"] for deed in deeds] == [
        *('savevm "a word"', 'loadvm "a word"', 'delvm "a word"'),
    ]
    assert [deed["virsh"] for deed in deeds] == [
        "virsh snapshot-create-as kept 'a word'",
        "virsh snapshot-revert kept 'a word'",
        "virsh snapshot-delete kept 'a word'",
    ]
    assert '"execute": "snapshot-save"' in deeds[0]["qmp"]


def test_no_job_is_left_behind(kept):
    kept.savevm("jobless")
    kept.delvm("jobless")
    assert kept.qmp("query-jobs") == []


@pytest.mark.parametrize("name", ["", "17", "a\nb", "n" * 256, "é" * 128, None, 3])
def test_what_is_no_name_is_refused(kept, name):
    with pytest.raises(SpecError):
        kept.savevm(name)


@pytest.mark.parametrize("name", ['it\'s "quoted"', "-x", "a,b=c", "ünïcode", "back\\slash"])
def test_any_other_name_works(kept, name):
    kept.savevm(name)
    kept.loadvm(name)
    assert kept.snapshots.names == (name,)
    kept.delvm(name)
    assert kept.snapshots == ()


def test_a_name_that_is_taken_is_refused(kept):
    kept.savevm("taken")
    with pytest.raises(SpecError, match="already"):
        kept.savevm("taken")
    kept.delvm("taken")


def test_a_name_that_is_not_there_is_refused_with_the_nearest(kept):
    kept.savevm("before-install")
    for verb in (kept.loadvm, kept.delvm):
        with pytest.raises(SpecError, match="did you mean 'before-install'"):
            verb("before-instal")
    kept.delvm("before-install")
    with pytest.raises(SpecError, match="there are: none"):
        kept.loadvm("before-install")


def test_a_guest_without_a_disk_has_no_snapshots(launch, host):
    guest = launch(host.vm("diskless").mem(32))
    assert guest.snapshots == ()
    with pytest.raises(Unsupported, match="qcow2 disk"):
        guest.savevm("x")
    with pytest.raises(Unsupported):
        guest.loadvm("x")


def test_a_raw_disk_is_refused_by_name(launch, host, tmp_path):
    raw = tmp_path / "a.raw"
    raw.write_bytes(bytes(1 << 20))
    guest = launch(host.vm("raw").mem(32).disk(str(raw), format="raw").disk(size="8M"))
    with pytest.raises(Unsupported, match="'disk0' is a raw disk"):
        guest.savevm("x")
    assert guest.refresh() == "running"


def test_several_disks_go_back_together(launch, host):
    guest = launch(host.vm("several").mem(32).disk(size="8M").disk(size="8M"))
    guest.savevm("both")
    told = [block["inserted"]["image"] for block in guest.qmp("query-block")]
    assert [image["snapshots"][0]["name"] for image in told if "snapshots" in image] == [
        *("both", "both"),
    ]
    guest.loadvm("both")
    guest.delvm("both")
    told = [block["inserted"]["image"] for block in guest.qmp("query-block")]
    assert not any("snapshots" in image for image in told)


def test_a_snapshot_in_a_disk_of_the_users_outlives_the_guest(launch, host, tmp_path):
    from kvmnb.images import qemu_img

    disk = tmp_path / "mine.qcow2"
    qemu_img.create(disk, "8M")
    guest = launch(host.vm("mine").mem(32).disk(str(disk)))
    guest.savevm("stays")
    guest.destroy()
    assert qemu_img.snapshot(disk).list().names == ("stays",)
    again = launch(host.vm("mine").mem(32).disk(str(disk)))
    again.loadvm("stays")
    assert again.refresh() == "running"


def test_a_new_layer_of_the_disk_is_found(launch, host, tmp_path):
    from kvmnb.images import qemu_img

    guest = launch(host.vm("layered").mem(32).disk(size="8M"))
    layer = tmp_path / "layer.qcow2"
    qemu_img.create(layer, "8M")
    guest.qmp(
        "blockdev-add",
        {
            "driver": "qcow2",
            "node-name": "layer",
            "file": {"driver": "file", "filename": str(layer)},
            "backing": None,
        },
    )
    guest.qmp("blockdev-snapshot", {"node": "disk0", "overlay": "layer"})
    guest.savevm("on top")
    guest.loadvm("on top")
    guest.destroy()
    assert qemu_img.snapshot(layer).list().names == ("on top",)


def test_a_guest_that_migrates_is_refused(launch, host, tmp_path):
    guest = launch(host.vm("migrating").mem(64).disk(size="8M"))
    guest.qmp("migrate-set-parameters", {"max-bandwidth": 1})
    with socket.socket(socket.AF_UNIX) as line:
        line.bind(str(tmp_path / "m"))
        line.listen()
        guest.qmp("migrate", {"uri": f"unix:{tmp_path}/m"})
        with pytest.raises(StateError, match="migrat"):
            guest.savevm("x")
        guest.qmp("migrate_cancel")
