"""The tiny guest's installer: from CD-ROM and from the network, on empty disks alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvmnb.errors import ImageError, SpecError
from kvmnb.images.catalogue import Image, Images, NetBoot
from kvmnb.images.installer import build, cache
from kvmnb.images.store import digest_of
from tests.images.booting import TinyGuest


@pytest.fixture(scope="module")
def installer(tiny: Image) -> Image:
    return Images().get("tiny-installer")


def blank(folder: Path, size: str = "1G") -> Image:
    disk = folder / "blank.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, size], check=True)
    return Image(name="blank", disk_path=str(disk), format="qcow2", size_bytes=1 << 30)


def network(start: NetBoot, model: str) -> list[str]:
    back = f"user,id=net,tftp={start.folder},bootfile={start.bootfile}"
    return ["-netdev", back, "-device", f"{model},netdev=net"]


# --- how it is built


def test_it_is_a_cd_in_the_catalogue(installer):
    images = Images()
    assert "tiny-installer" in images
    assert images.ready("tiny-installer") == installer
    assert (installer.media, installer.format) == ("cdrom", "raw")
    assert installer.size_bytes == installer.disk.stat().st_size
    assert digest_of(installer.disk) == installer.sha256
    assert [row[2] for row in images.rows() if row[0] == "tiny-installer"] == ["here"]


def test_a_second_build_has_the_same_bytes(tiny, installer, tmp_path):
    (tmp_path / "out").mkdir()
    build.build(cache._parts(tiny), tmp_path, tmp_path / "out", lambda: None)
    for name in build.FILES:
        made = installer.disk.parent / name
        assert digest_of(tmp_path / "out" / name) == digest_of(made), name


def test_a_damaged_installer_is_not_taken_for_whole(tiny, installer, tmp_path):
    (tmp_path / "tiny").symlink_to(tiny.disk.parent.parent)
    shutil.copytree(installer.disk.parent.parent, tmp_path / "tiny-installer")
    images = Images(tmp_path)
    copied = images.ready("tiny-installer")
    assert copied is not None
    script = copied.disk.parent / "netboot/install.ipxe"
    script.chmod(0o600)
    script.write_bytes(script.read_bytes().replace(b"kernel", b"kernal"))
    assert images.ready("tiny-installer") is None
    images.remove("tiny-installer")
    assert not (tmp_path / "tiny-installer").exists()


def test_packages_that_are_gone_are_named(tiny, tmp_path):
    place = tmp_path / "tiny"
    place.mkdir()
    shutil.copy(tiny.disk.parent.parent / "manifest.json", place)
    (place / tiny.disk.parent.name).symlink_to(tiny.disk.parent)
    with pytest.raises(ImageError, match="--refresh"):
        Images(tmp_path).get("tiny-installer")
    assert os.listdir(tmp_path / "tiny-installer") == []


def test_the_network_folder_says_what_it_does(installer):
    images = Images()
    for bootfile in ("install.ipxe", "live.ipxe"):
        start = images.netboot("tiny", bootfile)
        assert (start.bootfile, Path(start.folder).is_absolute()) == (bootfile, True)
        assert (Path(start.folder) / bootfile).read_bytes().startswith(b"#!ipxe\n")
        assert start.description
    with pytest.raises(SpecError, match=r"install\.ipxe"):
        images.netboot("tiny", "instal.ipxe")
    with pytest.raises(ImageError, match="over the network"):
        images.netboot("cirros")


# --- what it does


@pytest.fixture(scope="module")
def installed(installer: Image, tmp_path_factory) -> Iterator[TinyGuest]:
    """A guest that installed itself from the CD and came up from its own disk."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["-cdrom", str(installer.disk), "-boot", "order=c,once=d"]
    running = TinyGuest(blank(folder), folder / "guest", *options, firmware=True, mem=256)
    try:
        running.ready(240)
        yield running
    finally:
        running.close()


@pytest.mark.guest
def test_it_installs_and_comes_up_from_its_own_disk(installed):
    console = installed.console.read_text("utf-8", "replace")
    assert all(f"kvmnb: {step}/5 " in console for step in range(1, 6))
    assert "/dev/vda1 / ext4 rw" in installed.shell("cat /proc/mounts")
    assert "BOOT_IMAGE=vmlinuz" in installed.shell("cat /proc/cmdline")
    assert installed.shell("ls /boot | tr '\\n' ' '").startswith("extlinux.conf")
    assert installed.shell("cat /etc/os-release | grep ^ID=") == 'ID="kvmnb-tiny"\n'
    size = int(installed.shell("df -m / | awk 'NR == 2 { print $2 }'"))
    assert 900 < size < 1024


@pytest.mark.guest
def test_with_the_cd_still_first_the_installed_disk_starts(installed, installer, tmp_path):
    installed.shell("sync")
    copy = tmp_path / "copy.qcow2"  # the first guest still runs
    argv = ["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "qcow2", installed.overlay, copy]
    subprocess.run(argv, check=True)
    disk = Image(name="copy", disk_path=str(copy), format="qcow2", size_bytes=1 << 30)
    options = ["-cdrom", str(installer.disk), "-boot", "order=dc"]
    running = TinyGuest(disk, tmp_path / "guest", *options, firmware=True, bus="sata")
    try:
        running.ready(120)
        assert "/dev/sda1 / ext4 rw" in running.shell("cat /proc/mounts")
        assert "installing" not in running.console.read_text("utf-8", "replace")
    finally:
        running.close()


@pytest.mark.guest
def test_a_disk_that_is_not_empty_stays_as_it_is(installer, tmp_path):
    """A file system without a partition table: the next disk is taken, though it is the second."""
    full = tmp_path / "full.raw"
    subprocess.run(["mke2fs", "-q", "-F", full, "256M"], check=True)
    before = digest_of(full)
    options = ["-cdrom", str(installer.disk), "-boot", "order=dc", "-device", "virtio-scsi-pci"]
    options += ["-drive", f"if=none,id=full,format=raw,file={full}"]
    options += ["-device", "scsi-hd,drive=full,scsi-id=0"]
    options += ["-device", "scsi-hd,drive=second,scsi-id=1"]
    options += ["-drive", f"if=none,id=second,format=qcow2,file={blank(tmp_path).disk}"]
    running = TinyGuest(None, tmp_path / "guest", *options, mem=256)
    try:
        running.ready(240)
        console = running.console.read_text("utf-8", "replace")
        # which of the two is sda goes by which answers first, at each start anew
        assert re.search(r"/dev/sd[ab] holds an ext2, ext3 or ext4 file system: it stays", console)
        assert re.search(r"^/dev/sd[ab]1 / ext4 rw", running.shell("cat /proc/mounts"), re.M)
    finally:
        running.close()
    assert digest_of(full) == before


@pytest.mark.guest
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda disk: disk.write_bytes(bytes(512 << 10) + b"!" + bytes(200 << 20)), "data"),
        (lambda disk: disk.write_bytes(bytes((200 << 20) - 512) + b"EFI PART"), "data"),
    ],
    ids=["data", "data-at-the-end"],
)
def test_without_an_empty_disk_it_says_so(installer, tmp_path, make, says):
    disk = tmp_path / "full.raw"
    make(disk)
    os.truncate(disk, 200 << 20)
    before = digest_of(disk)
    options = ["-cdrom", str(installer.disk), "-boot", "order=d"]
    options += ["-drive", f"if=ide,format=raw,file={disk}"]
    running = TinyGuest(None, tmp_path / "guest", *options, mem=192)
    try:
        running.shows(f"/dev/sda holds {says}: it stays as it is", 120)
        running.shows("there is no empty disk", 20)
    finally:
        running.close()
    assert digest_of(disk) == before


@pytest.mark.guest
@pytest.mark.parametrize(
    ("order", "model", "bus"), [("cn", "virtio-net-pci", "ide"), ("n", "e1000", "virtio-blk-pci")]
)
def test_it_installs_over_the_network(installer, tmp_path, order, model, bus):
    start = Images().netboot("tiny")
    options = [*network(start, model), "-boot", f"order={order}"]
    disk = blank(tmp_path)
    running = TinyGuest(disk, tmp_path / "guest", *options, firmware=True, mem=256, bus=bus)
    try:
        running.ready(240)
        assert "1 / ext4 rw" in running.shell("cat /proc/mounts")
        assert running.console.read_text("utf-8", "replace").count("kvmnb: installing") == 1
    finally:
        running.close()


@pytest.mark.guest
def test_a_system_in_memory_starts_over_the_network(installer, tmp_path):
    start = Images().netboot("tiny", "live.ipxe")
    options = [*network(start, "rtl8139"), "-boot", "order=n"]
    running = TinyGuest(None, tmp_path / "guest", *options, mem=256)
    try:
        running.ready(120)
        assert "root / tmpfs rw" in running.shell("cat /proc/mounts")
        running.until("ip address show dev eth0 | grep -w 10.0.2.15/24")
    finally:
        running.close()
