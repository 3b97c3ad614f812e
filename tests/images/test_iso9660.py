"""CD-ROM images: what is written is what others read, and what others write is found."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from kvmnb.errors import ImageError
from kvmnb.images.iso9660 import CD, SECTOR, iso

FILES = {"user-data": b"#cloud-config\n", "meta-data": b"x" * 5000, ".treeinfo": b"[general]\n"}


@pytest.fixture
def xorriso() -> str:
    found = shutil.which("xorriso")
    if found is None:
        pytest.skip("xorriso is not installed")
    return found


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_the_same_files_give_the_same_bytes():
    assert iso(FILES, label="a") == iso(dict(reversed(FILES.items())), label="a")
    assert iso(FILES, label="a") != iso(FILES, label="b")


def test_what_was_written_is_found(tmp_path):
    many = FILES | {f"file{number}.txt": b"%d" % number for number in range(120)}
    with CD(put(tmp_path / "cd", iso(many, label="cidata"))) as cd:
        for name, data in many.items():
            assert b"".join(cd.pieces(name, 7)) == data, name
        assert cd.find("/user-data") == len(FILES["user-data"])
        assert cd.find("none") is None
        assert cd.find("user-data/none") is None
        with pytest.raises(ImageError, match="holds no none"):
            list(cd.pieces("none"))


def test_another_program_reads_what_was_written(tmp_path, xorriso):
    disc = put(tmp_path / "cd", iso(FILES, label="cidata"))
    out = tmp_path / "out"
    argv = [xorriso, "-osirrox", "on", "-indev", disc, "-extract", "/", out, "-toc"]
    run = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "cidata" in run.stdout + run.stderr
    read = {path.name.lower().rstrip("."): path.read_bytes() for path in out.iterdir()}
    assert read == FILES


def test_long_names_and_folders_of_other_programs_are_found(tmp_path, xorriso):
    tree = tmp_path / "tree/Install.AMD/deep/deeper"
    tree.mkdir(parents=True)
    name = "a_Name-that.is" + "x" * 150
    put(tree / name, b"kernel" * 1000)
    argv = [xorriso, "-as", "mkisofs", "-quiet", "-R", "-o", tmp_path / "cd", tmp_path / "tree"]
    subprocess.run(argv, check=True, capture_output=True)
    with CD(tmp_path / "cd") as cd:
        assert b"".join(cd.pieces(f"Install.AMD/deep/deeper/{name}")) == b"kernel" * 1000
        assert cd.find("install.amd/deep") is None


def test_the_boot_file_is_told_where_it_lies():
    loader = bytes(range(256)) * 40
    data = iso({"isolinux.bin": loader}, label="x", boot="isolinux.bin")
    # El Torito: the boot record in sector 17 names the catalog, and this the file
    catalog = struct.unpack_from("<I", data, 17 * SECTOR + 0x47)[0] * SECTOR
    assert sum(struct.unpack_from("<16H", data, catalog)) & 0xFFFF == 0
    sector = struct.unpack_from("<I", data, catalog + 32 + 8)[0]
    written = data[sector * SECTOR : sector * SECTOR + len(loader)]
    total = sum(struct.unpack(f"<{(len(loader) - 64) // 4}I", loader[64:])) & 0xFFFFFFFF
    assert struct.unpack_from("<4I", written, 8) == (16, sector, len(loader), total)
    assert written[64:] == loader[64:]


@pytest.mark.parametrize("name", ["", "a b", "A", "ü", "a/b", "x" * 31])
def test_a_name_that_does_not_fit_is_refused(name):
    with pytest.raises(ImageError):
        iso({name: b""}, label="x")


@pytest.mark.parametrize("label", ["x" * 33, "ü"])
def test_a_label_that_does_not_fit_is_refused(label):
    with pytest.raises(ImageError, match="label"):
        iso({}, label=label)


def test_what_is_no_cd_is_refused(tmp_path):
    for data in (b"", bytes(1 << 20)):
        with pytest.raises(ImageError):
            CD(put(tmp_path / "cd", data))
    with pytest.raises(ImageError, match="cannot be read"):
        CD(tmp_path / "none")


def test_a_damaged_cd_is_an_error_and_nothing_worse(tmp_path):
    whole = iso(FILES, label="x")
    root = struct.unpack_from("<I", whole, 16 * SECTOR + 158)[0] * SECTOR
    for at in (*range(16 * SECTOR + 150, 16 * SECTOR + 190), *range(root, root + 200)):
        for value in (0, 1, 33, 0x7F, 0xFF):
            spoilt = whole[:at] + bytes([value]) + whole[at + 1 :]
            try:
                with CD(put(tmp_path / "cd", spoilt)) as cd:
                    list(cd.pieces("user-data"))
            except ImageError:
                pass
    with CD(put(tmp_path / "cd", whole[: root + SECTOR])) as cd, pytest.raises(ImageError):
        list(cd.pieces("meta-data"))
