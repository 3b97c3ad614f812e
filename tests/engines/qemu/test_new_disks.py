"""Disks that a start makes, and files that are not what they seem."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kvmnb import SpecError, StartError
from kvmnb.engines.qemu.folders import Roots
from kvmnb.spec.network import User
from kvmnb.spec.storage import Disk, ExistingFile, Floppy, NewFile

SIZE = 8 << 20


def new(host, path: Path, **changes):
    back = NewFile(SIZE, path=str(path), **changes)
    return host.vm("new").mem(32).replace(disks=(Disk(back=back),))


def image(path: Path, *options: str) -> Path:
    size = () if options else ("8M",)
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), *size]
    subprocess.run(argv, check=True)
    return path


def test_a_new_disk_with_a_path_is_made_and_outlives_the_guest(host, tmp_path):
    path = tmp_path / "new disk,1.qcow2"
    with new(host, path).start(wait="running") as guest:
        (node,) = (n for n in guest.qmp("query-named-block-nodes") if n["node-name"] == "disk0")
        assert node["image"]["virtual-size"] == SIZE
    assert path.read_bytes().startswith(b"QFI\xfb")


def test_a_disk_that_is_there_already_is_used_as_it_is(host, tmp_path):
    path = image(tmp_path / "there.qcow2")
    inode = path.stat().st_ino
    with new(host, path).start(wait="running"):
        pass
    assert path.stat().st_ino == inode


@pytest.mark.parametrize("format", ["qcow2", "raw"])
def test_a_disk_that_is_not_sparse_takes_its_room_at_once(host, tmp_path, format):
    sparse, full = tmp_path / "sparse", tmp_path / "full"
    with new(host, sparse, format=format).start(wait="running"):
        pass
    with new(host, full, format=format, sparse=False).start(wait="running"):
        pass
    assert full.stat().st_blocks * 512 >= SIZE
    assert full.stat().st_blocks > sparse.stat().st_blocks


def test_a_format_that_is_always_sparse_is_refused_otherwise(host, tmp_path):
    with pytest.raises(SpecError, match="vdi files are always sparse"):
        new(host, tmp_path / "x", format="vdi", sparse=False).start(wait="running")
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_fails_takes_back_what_it_made_and_nothing_else(host, tmp_path):
    there, made = image(tmp_path / "there.qcow2"), tmp_path / "made.qcow2"
    disks = tuple(Disk(back=NewFile(SIZE, path=str(path))) for path in (there, made))
    vm = host.vm("fails").mem(32).replace(disks=disks, extra_args=("-no-such-option",))
    with pytest.raises(StartError):
        vm.start(wait="running")
    assert [path.name for path in tmp_path.iterdir()] == ["there.qcow2"]
    folder = Roots.from_environment().guest("fails")
    assert not folder.run.exists()
    assert not folder.state.exists()


def test_a_guest_that_is_given_up_takes_its_new_disk_along(host, tmp_path):
    with pytest.raises(StartError, match="did not answer"):
        new(host, tmp_path / "made.qcow2").serial(False).start(timeout_s=0.6)
    assert list(tmp_path.iterdir()) == []


def test_a_new_disk_that_turns_out_to_stand_on_another_file_is_refused(host, tmp_path):
    base = image(tmp_path / "base.qcow2")
    overlay = image(tmp_path / "overlay.qcow2", "-b", str(base), "-F", "qcow2")
    with pytest.raises(SpecError, match="stands on another file"):
        new(host, overlay).start(wait="running")


def test_a_floppy_is_read_in_the_format_that_its_header_tells(host, launch, tmp_path):
    floppy = image(tmp_path / "floppy.qcow2")
    guest = launch(host.vm("floppy").mem(32).floppy(floppy))
    (node,) = (n for n in guest.qmp("query-named-block-nodes") if n["node-name"] == "floppy0")
    assert node["drv"] == "qcow2"


def test_a_floppy_that_points_to_another_file_is_refused_until_it_is_trusted(host, tmp_path):
    base = image(tmp_path / "base.qcow2")
    overlay = str(image(tmp_path / "overlay.qcow2", "-b", str(base), "-F", "qcow2"))
    vm = host.vm("chain").mem(32)
    with pytest.raises(SpecError, match="points to another file") as caught:
        vm.replace(floppies=(Floppy(ExistingFile(overlay)),)).start(wait="running")
    assert caught.value.field == "floppy"
    trusted = vm.replace(floppies=(Floppy(ExistingFile(overlay), format="qcow2"),))
    with trusted.start(wait="running") as guest:
        assert guest.refresh() == "running"
    raw = vm.replace(floppies=(Floppy(ExistingFile(overlay), format="raw"),))
    with raw.start(wait="running") as guest:
        (node,) = (n for n in guest.qmp("query-named-block-nodes") if n["node-name"] == "floppy0")
        assert node["drv"] == "raw"


def test_a_disk_image_in_place_of_an_iso_is_told(host, tmp_path):
    disk = image(tmp_path / "disk.iso")
    with pytest.raises(SpecError, match="no ISO image"):
        host.vm("cdrom").mem(32).cdrom(disk).start(wait="running")


def test_the_compiler_knows_the_back_ends_of_this_qemu(host):
    from kvmnb.spec.netbacks import Socket
    from kvmnb.spec.network import NIC

    plain = host.vm("plain").replace(nics=(NIC(back=User()),))
    assert host.engine.runtime(plain.spec).netdevs is None  # nobody asks where it does not matter
    other = host.vm("other").replace(nics=(NIC(back=Socket(role="listen", port=1234)),))
    assert "socket" in (host.engine.runtime(other.spec).netdevs or ())
