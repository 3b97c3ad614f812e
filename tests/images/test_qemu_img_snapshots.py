"""qemu-img snapshot: several in one disk, and disks that a guest has open."""

from __future__ import annotations

import pytest

from kvmnb import ImageError, SpecError
from kvmnb.images import qemu_img


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.qcow2"
    qemu_img.create(path, "8M")
    return path


def test_several_are_walked_in_any_order_and_told_oldest_first(disk):
    snapshots = qemu_img.snapshot(disk)
    for name in ("one", "two", "three"):
        snapshots.create(name)
    for name in ("two", "three", "one"):
        assert snapshots.apply(name).names == ("one", "two", "three")
    assert snapshots.delete("two").names == ("one", "three")


@pytest.mark.parametrize("name", ["", "17", "n" * 256, "a\0b"])
def test_what_cannot_be_a_name_is_refused(disk, name):
    with pytest.raises(SpecError):
        qemu_img.snapshot(disk).create(name)
    assert qemu_img.snapshot(disk).list().names == ()


@pytest.mark.guest
def test_a_disk_in_use_is_left_alone_and_can_still_be_listed(disk, launch, host):
    guest = launch(host.vm("using").mem(32).disk(str(disk)))
    guest.savevm("by qemu")
    with pytest.raises(ImageError):
        qemu_img.snapshot(disk).create("by qemu-img")
    told = qemu_img.snapshot(disk, force_share=True).list()
    assert told.names == ("by qemu",)
    assert told.snapshots == tuple(guest.snapshots)
