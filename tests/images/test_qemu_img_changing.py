"""qemu-img's verbs that change an image where it lies, on real files."""

from __future__ import annotations

import pytest

from kvmnb.errors import ImageError, SpecError
from kvmnb.images import qemu_img
from tests.images.writing import holds, io

MIB = 1 << 20


# -- resize ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "mib"), [("16M", 16), ("+8M", 16), (24, 24)])
def test_a_disk_grows_to_a_size_or_by_one(disk, size, mib):
    assert qemu_img.resize(disk, size).size_bytes == mib * MIB


@pytest.mark.parametrize("size", ["4M", "-4M"])
def test_a_disk_shrinks_only_when_that_is_meant(disk, size):
    with pytest.raises(SpecError, match="shrink=True"):
        qemu_img.resize(disk, size)
    assert qemu_img.resize(disk, size, shrink=True).size_bytes == 4 * MIB


def test_more_than_there_is_cannot_be_taken_away(disk):
    with pytest.raises(SpecError, match="nothing would be left"):
        qemu_img.resize(disk, "-8M", shrink=True)


def test_a_raw_disk_is_resized_too(tmp_path):
    qemu_img.create(tmp_path / "raw.img", "1M", format="raw")
    assert qemu_img.resize(tmp_path / "raw.img", "+1M").size_bytes == 2 * MIB


def test_a_vmdk_is_not_resized_and_says_what_to_do(tmp_path):
    qemu_img.create(tmp_path / "a.vmdk", "8M", format="vmdk")
    with pytest.raises(ImageError, match="convert it"):
        qemu_img.resize(tmp_path / "a.vmdk", "+8M")


# -- snapshots ------------------------------------------------------------------------------------


def test_a_snapshot_brings_back_what_was(disk):
    snapshots = qemu_img.snapshot(disk)
    assert snapshots.create("before").names == ("before",)
    io(disk, "write -P 0x22 0 64k")
    snapshots.apply("before")
    assert holds(disk, 0x11)
    assert snapshots.delete("before").names == ()


@pytest.mark.parametrize("name", ["-l", "a b'c", "<script>", "new\nline", "ü", "json:{}"])
def test_a_snapshots_name_is_a_name_and_nothing_else(disk, name):
    snapshots = qemu_img.snapshot(disk)
    assert snapshots.create(name).names == (name,)
    html = snapshots.list()._repr_html_()
    assert "<script>" not in html
    assert snapshots.delete(name).names == ()


def test_snapshots_that_are_not_there_or_there_already_are_named(disk):
    snapshots = qemu_img.snapshot(disk)
    snapshots.create("one")
    with pytest.raises(ImageError, match="there are: one"):
        snapshots.apply("two")
    with pytest.raises(ImageError, match="no such snapshot"):
        snapshots.delete("two")
    with pytest.raises(ImageError, match="already"):
        snapshots.create("one")


def test_snapshots_are_a_table(disk):
    qemu_img.snapshot(disk).create("one")
    frame = qemu_img.snapshot(disk).list().to_pandas()
    assert frame.loc["1", "name"] == "one"
    assert frame.loc["1", "vm_state_bytes"] == 0


def test_a_raw_disk_keeps_no_snapshots(tmp_path):
    qemu_img.create(tmp_path / "raw.img", "1M", format="raw")
    with pytest.raises(ImageError, match="keeps no snapshots"):
        qemu_img.snapshot(tmp_path / "raw.img").create("x")


# -- rebase and commit ----------------------------------------------------------------------------


def test_an_overlay_without_its_base_still_holds_all(disk, overlay):
    told: list[float] = []
    made = qemu_img.rebase(
        overlay, None, format="qcow2", progress=lambda what, done, total, detail: told.append(done)
    )
    assert made.backing is None
    disk.unlink()
    assert holds(overlay, 0x11)
    assert holds(overlay, 0x22, "1M")
    assert told[-1] == 100.0


def test_a_base_that_was_moved_is_found_again_by_an_unsafe_rebase(tmp_path, disk, overlay):
    moved = disk.rename(tmp_path / "moved.qcow2")
    with pytest.raises(ImageError, match="no such file"):
        qemu_img.rebase(overlay, moved, format="qcow2")
    assert qemu_img.rebase(overlay, moved, format="qcow2", unsafe=True).backing == str(moved)
    assert holds(overlay, 0x11)


def test_an_image_never_stands_on_itself(disk, overlay):
    with pytest.raises(ImageError, match="on itself"):
        qemu_img.rebase(disk, overlay, backing_format="qcow2", unsafe=True)


def test_a_commit_writes_down_into_the_base(disk, overlay):
    made = qemu_img.commit(overlay, format="qcow2")
    assert made.path == str(disk)
    assert holds(disk, 0x22, "1M")
    assert qemu_img.map(overlay, format="qcow2").by_depth().get(0, 0) == 0


def test_a_commit_that_keeps_the_overlay_leaves_what_is_in_it(disk, overlay):
    qemu_img.commit(overlay, format="qcow2", keep=True)
    assert holds(disk, 0x22, "1M")
    assert qemu_img.map(overlay, format="qcow2").by_depth()[0] == 64 << 10


def test_a_commit_goes_as_far_down_as_it_is_told(tmp_path, disk, overlay):
    top = tmp_path / "top.qcow2"
    qemu_img.create(top, backing=overlay, backing_format="qcow2")
    io(top, "write -P 0x33 2M 64k")
    assert qemu_img.commit(top, format="qcow2", base=disk).path == str(disk)
    assert holds(disk, 0x33, "2M")
    with pytest.raises(SpecError, match="is not below"):
        qemu_img.commit(top, format="qcow2", base=tmp_path / "other")


def test_what_stands_on_nothing_has_nothing_to_commit_to(disk):
    with pytest.raises(ImageError, match="stands on no other file"):
        qemu_img.commit(disk)
