"""The catalogue: names, files of the user's, and what is in use."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kvmnb.errors import ImageError, SpecError
from kvmnb.images import store
from kvmnb.images.catalogue import Images
from kvmnb.images.entries import ENTRIES


def qcow2(path: Path, *more: str | Path) -> Path:
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", *more, path, *([] if more else ["1M"])],
        check=True,
    )
    return path


def test_looking_at_the_catalogue_makes_nothing(images):
    assert {"tiny", "cirros", "debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04"} <= set(
        images
    )
    assert len(images.rows()) == len(images)
    assert images.ready("tiny") is None
    assert images.ready("cirros") is None
    assert "cirros" in repr(images)
    assert not images.folder.exists()


def test_every_entry_is_pinned_over_https():
    for name, entry in ENTRIES.items():
        assert entry.name == name
        assert urlsplit(entry.url).scheme == "https"
        assert re.fullmatch(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", entry.digest)
        assert re.search(r"20\d{6}|\d\.\d\.\d", entry.url), "a URL whose bytes may change"


def test_a_users_file_is_an_image_from_then_on(images, tmp_path):
    mine = qcow2(tmp_path / "my, disk.qcow2")
    added = images.add("mine", mine)
    assert (added.disk, added.format, added.size_bytes) == (mine, "qcow2", 1 << 20)
    assert Images(images.folder)["mine"] == added
    images.remove("mine")
    assert "mine" not in images
    assert mine.exists()


def test_a_taken_name_is_refused(images, tmp_path):
    mine = qcow2(tmp_path / "disk.qcow2")
    images.add("mine", mine)
    for name in ("mine", "tiny", "cirros"):
        with pytest.raises(ImageError, match="already"):
            images.add(name, mine)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "new\nline", "x" * 500])
def test_a_name_that_could_be_something_else_is_refused(images, tmp_path, name):
    with pytest.raises(SpecError):
        images.add(name, qcow2(tmp_path / "disk.qcow2"))


def test_a_near_miss_is_told(images):
    with pytest.raises(ImageError, match="did you mean 'debian-13'"):
        images.get("debain-13")
    with pytest.raises(ImageError, match="no such image"):
        images.ready("zzz")
    with pytest.raises(ImageError, match="no such image"):
        images.remove("zzz")


def test_a_qcow2_that_points_elsewhere_is_refused_unless_it_is_vouched_for(images, tmp_path):
    base = qcow2(tmp_path / "base.qcow2")
    over = qcow2(tmp_path / "over.qcow2", "-b", base, "-F", "qcow2")
    with pytest.raises(ImageError, match="points to"):
        images.add("mine", over)
    assert images.add("mine", over, format="qcow2").disk == over


def test_a_file_that_became_something_else_is_refused(images, tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1 << 20))
    images.add("mine", disk)
    disk.unlink()
    qcow2(disk, "-b", "/etc/passwd", "-F", "raw")
    with pytest.raises(ImageError, match="points to"):
        images.get("mine")
    disk.unlink()
    qcow2(disk)
    with pytest.raises(ImageError, match="remove it and add it again"):
        images.get("mine")
    disk.unlink()
    with pytest.raises(ImageError, match="no such file"):
        images.get("mine")
    assert images.ready("mine") is None
    assert ("mine", "", "file is gone", str(disk)) in images.rows()


def test_foreign_and_empty_files_are_refused(images, tmp_path):
    vmdk, empty = tmp_path / "x.vmdk", tmp_path / "empty"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", vmdk, "1M"], check=True)
    empty.touch()
    with pytest.raises(ImageError, match="qemu-img convert"):
        images.add("mine", vmdk)
    with pytest.raises(SpecError, match="zero"):
        images.add("mine", empty)
    with pytest.raises(ImageError, match="no qcow2 header"):
        images.add("mine", vmdk, format="qcow2")
    with pytest.raises(SpecError):
        images.add("mine", vmdk, format="vmdk")


@pytest.mark.parametrize("content", ["{", "[]", '"x"'])
def test_a_damaged_list_of_names_says_so(images, content):
    images.folder.mkdir(parents=True)
    (images.folder / "added.json").write_text(content)
    with pytest.raises(ImageError, match="remove it"):
        images.names()


def test_an_image_in_use_is_not_removed(images, tmp_path):
    place = images.folder / "tiny"
    place.mkdir(parents=True)
    disk = qcow2(place / "disk.qcow2")
    disk.chmod(0o444)
    (place / store.MANIFEST).write_text("{}")
    file = {"driver": "file", "filename": str(disk), "node-name": "f", "read-only": True}
    argv = ["qemu-system-x86_64", "-S", "-accel", "tcg", "-nodefaults", "-display", "none"]
    argv += ["-qmp", "stdio", "-blockdev", json.dumps(file), "-device", "virtio-blk-pci,drive=f"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        # it answers once its machine is made, and with it its locks
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"execute": "qmp_capabilities"}')
        process.stdin.flush()
        while b"return" not in process.stdout.readline():
            assert process.poll() is None
        assert store.in_use(disk)
        with pytest.raises(ImageError, match="end that guest"):
            images.remove("tiny")
        assert disk.exists()
    finally:
        process.kill()
        process.communicate()
    images.remove("tiny")
    assert not place.exists()
    with pytest.raises(ImageError, match="nothing to remove"):
        images.remove("tiny")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/", "a/b"])
def test_only_a_folder_of_its_own_is_ever_removed(tmp_path, name):
    folder = tmp_path / "images"
    folder.mkdir()
    (tmp_path / "precious").touch()
    (folder / "precious").touch()
    with pytest.raises(ImageError):
        store.remove(folder, name)
    with pytest.raises(ImageError):
        store.remove(Path("images"), "tiny")
    assert sorted(os.listdir(tmp_path)) == ["images", "precious"]
    assert os.listdir(folder) == ["precious"]


def test_a_folder_that_is_a_link_loses_the_link_alone(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / store.MANIFEST).touch()
    (tmp_path / "images").mkdir()
    (tmp_path / "images/tiny").symlink_to(theirs)
    store.remove(tmp_path / "images", "tiny")
    assert os.listdir(theirs) == [store.MANIFEST]
    assert os.listdir(tmp_path / "images") == []
