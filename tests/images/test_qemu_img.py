"""Making disks with qemu-img, whatever their names look like."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kvmnb import portal
from kvmnb.errors import HostError, ImageError, SpecError
from kvmnb.images import qemu_img
from kvmnb.images.qemu_img.making import create_disk

ODD_NAMES = [
    "json:{}",
    "nbd:localhost:1",
    "a,b=c",
    "-f",
    "file:x",
    "a b'c\"d",
    "new\nline",
    "<script>",
    "fat:rw:x",
    os.fsdecode(b"\xff\xfe"),
]


def create(path: Path, **how) -> None:
    portal.run(create_disk(path, **how))


def info(path: Path, format: str = "qcow2") -> qemu_img.Info:
    return qemu_img.info(path, format=format)


def test_a_new_disk_has_its_size_and_is_its_owners_alone(tmp_path):
    disk = tmp_path / "disk.qcow2"
    create(disk, format="qcow2", size_bytes=5 << 20)
    found = info(disk)
    assert (found.format, found.size_bytes, found.backing) == ("qcow2", 5 << 20, None)
    assert disk.stat().st_mode & 0o777 == 0o600


def test_an_overlay_takes_its_bases_size_and_leaves_it_as_it_was(tmp_path):
    base, overlay = tmp_path / "base", tmp_path / "overlay"
    create(base, format="qcow2", size_bytes=3 << 20)
    before = base.read_bytes()
    create(overlay, format="qcow2", backing=base, backing_format="qcow2")
    found = info(overlay)
    assert (found.size_bytes, found.backing, found.backing_format) == (3 << 20, str(base), "qcow2")
    assert base.read_bytes() == before


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_is_a_files_name_and_nothing_else(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    create(Path(name), format="raw", size_bytes=1 << 20)
    over = Path(f"{name}.over")
    create(over, format="qcow2", backing=Path(name), backing_format="raw")
    assert sorted(os.listdir(tmp_path)) == sorted([name, f"{name}.over"])
    assert info(over).size_bytes == 1 << 20


def test_a_file_that_is_there_is_not_overwritten(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("precious")
    with pytest.raises(ImageError, match="already"):
        create(mine, format="qcow2", size_bytes=1 << 20)
    assert mine.read_text() == "precious"


def test_a_refusal_carries_qemu_imgs_words_and_leaves_no_file(tmp_path):
    disk = tmp_path / "disk"
    with pytest.raises(ImageError, match="Could not open"):
        create(disk, format="qcow2", backing=tmp_path / "gone", backing_format="qcow2")
    (tmp_path / "text").write_text("no image")
    with pytest.raises(ImageError, match="not in qcow2 format"):
        info(tmp_path / "text")
    assert not disk.exists()


def test_what_cannot_be_asked_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(SpecError):
        create(tmp_path / "a", format="qcow2")
    with pytest.raises(SpecError):
        create(tmp_path / "a", format="qcow2", backing=tmp_path / "b")
    with pytest.raises(ImageError):
        create(tmp_path / "no" / "such" / "folder", format="qcow2", size_bytes=1 << 20)
    with pytest.raises(ImageError):
        create(tmp_path / "a\0b", format="qcow2", size_bytes=1 << 20)
    assert os.listdir(tmp_path) == []


def test_a_missing_binary_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError) as caught:
        create(tmp_path / "disk", format="qcow2", size_bytes=1 << 20)
    assert "qemu-utils" in caught.value.remedy
    assert os.listdir(tmp_path) == []


def test_a_cancelled_call_ends_the_process_and_removes_the_file(tmp_path, monkeypatch):
    bin_, disk, pid = tmp_path / "bin", tmp_path / "disk", tmp_path / "pid"
    bin_.mkdir()
    slow = bin_ / "qemu-img"
    # the real one is done before anybody can cancel it
    slow.write_text(f"#!/bin/sh\necho $$ >{pid}.new\nmv {pid}.new {pid}\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")

    async def cancel() -> None:
        work = asyncio.ensure_future(create_disk(disk, format="qcow2", size_bytes=1 << 20))
        while not pid.exists():
            await asyncio.sleep(0.01)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    portal.run(asyncio.wait_for(cancel(), 60))
    assert sorted(os.listdir(tmp_path)) == ["bin", "pid"]
    assert not Path(f"/proc/{int(pid.read_text())}").exists()
