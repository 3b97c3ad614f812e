"""A guest that does not start says why, with the facts, and leaves nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kvmnb import Host, HostError, ImageError, SpecError, StartError
from kvmnb.engines.qemu.folders import Roots

APPEND = "console=ttyS0 quiet no_timer_check panic=-1"


def left(name: str) -> list[Path]:
    folder = Roots.from_environment().guest(name)
    return [path for path in (folder.run, folder.state) if path.exists()]


def fails(vm, **options) -> StartError:
    with pytest.raises(StartError) as caught:
        vm.start(**options)
    assert left(vm.name) == []
    return caught.value


@pytest.fixture
def disk(tmp_path) -> Path:
    path = tmp_path / "empty.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "8M"], check=True)
    return path


def test_a_disk_in_use_names_the_guest_that_has_it(host, launch, disk):
    holder = launch(host.vm("holder").mem(32).disk(disk))
    error = fails(host.vm("second").mem(32).disk(disk), wait="running")
    assert f"open in guest 'holder' (pid {holder.info.pid})" in error.cause
    assert "snapshot=True" in error.remedy
    assert error.exit_code == 1
    assert "lock" in error.log_tail
    assert error.command == host.vm("second").mem(32).disk(disk).command().argv


def test_a_snapshot_never_writes_to_the_disk_under_it(host, disk):
    before = disk.read_bytes()
    with host.vm("overlay").mem(32).disk(disk, snapshot=True).start(wait="running"):
        pass
    assert disk.read_bytes() == before


def test_nothing_to_start_from_is_told_while_the_firmware_still_waits(host):
    error = fails(host.vm("bare").mem(32), timeout_s=60)
    assert "could be started from" in error.cause
    assert error.waited_s is not None
    assert error.waited_s < 60


def test_a_guest_that_never_answers_is_ended_at_the_limit(host, disk):
    error = fails(host.vm("silent").mem(32).disk(disk).serial(False), timeout_s=0.6)
    assert "did not answer within 1 s" in error.cause
    assert 'wait="running"' in error.remedy


def test_more_memory_than_the_host_has_is_told(host):
    error = fails(host.vm("huge").mem("900G"), wait="running")
    assert "memory" in error.cause


def test_a_kernel_that_panics_shows_its_last_words(host):
    image = host.images["tiny"]
    vm = host.vm("panic").mem(128).boot(kernel=image.kernel, append="console=ttyS0 panic=0")
    error = fails(vm)
    assert "panicked" in error.cause or "no root file system" in error.cause
    assert "Kernel panic" in error.console_tail


def test_a_guest_that_panics_and_restarts_again_and_again_is_told_after_the_first_time(host):
    image = host.images["tiny"]  # in too little memory to unpack its own system
    vm = host.vm("cramped").mem(96).boot(kernel=image.kernel, initrd=image.initrd, append=APPEND)
    assert "panicked" in fails(vm).cause


def test_too_little_memory_for_an_image_is_refused_at_once(host):
    with pytest.raises(SpecError, match="at least 104 MiB"):
        host.vm("cramped").mem(96).disk("tiny").start()
    assert left("cramped") == []


def test_a_file_that_is_no_kernel_is_told(host, tmp_path):
    (tmp_path / "text").write_text("no kernel\n" * 100)
    error = fails(host.vm("text").mem(32).boot(kernel=tmp_path / "text"), wait="running")
    assert "kernel" in error.cause


def test_a_wrong_format_is_told(host, tmp_path):
    raw = tmp_path / "raw.img"
    raw.write_bytes(bytes(1 << 20))
    error = fails(host.vm("format").mem(32).disk(raw, format="qcow2"), wait="running")
    assert "not in qcow2 format" in error.cause


def test_a_disk_taken_away_after_it_was_described_is_told(host, disk):
    vm = host.vm("gone").mem(32).disk(disk, format="qcow2")
    disk.unlink()
    assert "no such file" in fails(vm, wait="running").cause


def test_a_qcow2_that_points_to_another_file_is_refused_until_it_is_trusted(host, disk, tmp_path):
    overlay = tmp_path / "overlay.qcow2"
    options = f"backing_file={disk},backing_fmt=qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, overlay], check=True)
    vm = host.vm("chain").mem(32)
    with pytest.raises(SpecError, match="points to another file"):
        vm.disk(overlay).start(wait="running")
    with vm.disk(overlay, format="qcow2").start(wait="running") as guest:
        assert guest.refresh() == "running"


def test_a_raw_disk_that_a_guest_gave_a_qcow2_header_stays_raw(host, disk):
    with host.vm("raw").mem(32).disk(disk, format="raw").start(wait="running") as guest:
        (node,) = (n for n in guest.qmp("query-named-block-nodes") if n["node-name"] == "disk0")
        assert node["drv"] == "raw"


def test_an_image_that_is_not_in_the_catalogue_names_what_is(host):
    with pytest.raises(SpecError, match="tiny"):
        host.vm("x").disk("tinny")
    with pytest.raises(ImageError, match="did you mean 'tiny'"):
        host.images["tinny"]


def test_a_host_without_qemu_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("kvmnb.engines.qemu.facts.BINARIES", ("qemu-system-x86_64",))
    with pytest.raises(HostError, match="apt install qemu-system-x86"):
        Host().vm("x").nic()


def test_a_binary_that_is_no_qemu_is_told(tmp_path):
    for name, why in (("/bin/true", "does not answer"), (str(tmp_path / "none"), "No such file")):
        with pytest.raises(HostError, match=why):
            Host(qemu=name).vm("x").nic()


def test_a_full_disk_is_told_and_leaves_nothing(small_disk, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(small_disk))
    filler = small_disk / "filler"
    room = os.statvfs(small_disk)
    filler.write_bytes(bytes(room.f_bavail * room.f_bsize - 8192))
    with pytest.raises((HostError, ImageError), match=r"[Nn]o space"):
        Host().vm("full").mem(32).disk(size="64M").start(wait="running")
    filler.unlink()
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a tmpfs here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)
