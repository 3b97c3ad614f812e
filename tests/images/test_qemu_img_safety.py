"""What qemu-img must never be talked into, and what is left when it is killed."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvmnb.errors import ImageError, SpecError
from kvmnb.images import qemu_img
from kvmnb.images.catalogue import Images
from kvmnb.images.header import peek

ODD_NAMES = ["json:{}", "nbd:localhost:1", "a,b=c", "-o", "file:x", "new\nline", "a b'c\"d"]


def theirs(*words: str | Path) -> None:
    subprocess.run(["qemu-img", *words], check=True, capture_output=True)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_is_a_files_name_for_every_verb(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    qemu_img.create(name, "1M")
    assert qemu_img.info(name).path == str(tmp_path / name)
    assert qemu_img.chain(name)[0].size_bytes == 1 << 20
    assert qemu_img.check(name).ok
    assert len(qemu_img.map(name)) == 1
    qemu_img.measure(name)
    qemu_img.bench(name, requests=10)
    qemu_img.resize(name, "+1M")
    qemu_img.snapshot(name).create("one")
    qemu_img.convert(name, f"{name}.raw")
    over = f"{name}.over"
    qemu_img.create(over, backing=name)
    qemu_img.commit(over, format="qcow2", base=name)
    qemu_img.rebase(over, name, format="qcow2")
    qemu_img.rebase(over, None, format="qcow2")
    assert sorted(os.listdir(tmp_path)) == sorted([name, f"{name}.raw", over])


@pytest.mark.parametrize("name", ["nbd://localhost/x", "https://example.org/x.img", "json:{}"])
def test_a_server_is_not_asked(name):
    with pytest.raises(ImageError, match="no such file"):
        qemu_img.info(name)


@pytest.mark.parametrize("name", ["", None, b"bytes", 3, "a\0b"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises((SpecError, ImageError)):
        qemu_img.info(name)


# -- what a guest can write on its raw disk ------------------------------------------------------


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(b"the host's own" + bytes(1 << 20))
    return path


@pytest.fixture
def forged(tmp_path: Path, secret: Path) -> Path:
    """A raw disk on which a guest wrote the header of an overlay on the host's secret."""
    theirs("create", "-f", "qcow2", "-b", secret, "-F", "raw", tmp_path / "forged.img")
    return tmp_path / "forged.img"


def test_a_header_that_nobody_vouches_for_opens_no_other_file(tmp_path, forged):
    for call in (
        lambda: qemu_img.convert(forged, tmp_path / "out.raw"),
        lambda: qemu_img.map(forged),
        lambda: qemu_img.check(forged),
        lambda: qemu_img.measure(forged),
        lambda: qemu_img.bench(forged),
        lambda: qemu_img.resize(forged, "+1M"),
        lambda: qemu_img.commit(forged),
        lambda: qemu_img.rebase(forged, None),
        lambda: qemu_img.snapshot(forged).create("x"),
        lambda: qemu_img.create(tmp_path / "over", backing=forged),
    ):
        with pytest.raises(ImageError, match=r"points to .*secret"):
            call()
    assert sorted(os.listdir(tmp_path)) == ["forged.img", "secret"]


def test_the_error_names_the_argument_that_vouches(tmp_path, forged):
    with pytest.raises(ImageError, match="source_format='qcow2'"):
        qemu_img.convert(forged, tmp_path / "out.raw")
    assert qemu_img.convert(forged, tmp_path / "out.raw", source_format="qcow2").format == "raw"


def test_read_as_raw_a_forged_header_is_data(tmp_path, forged):
    qemu_img.convert(forged, tmp_path / "out.raw", source_format="raw")
    copied = (tmp_path / "out.raw").read_bytes()
    assert copied.startswith(b"QFI\xfb")
    assert b"the host's own" not in copied


def test_looking_at_the_header_alone_needs_no_trust(forged, secret):
    assert qemu_img.info(forged).backing == str(secret)
    assert [each.path for each in qemu_img.chain(forged)] == [str(forged), str(secret)]


def _with_backing(path: Path, name: str) -> Path:
    """Make a qcow2 whose header names a backing file that qemu-img would not let in."""
    theirs("create", "-f", "qcow2", path, "1M")
    encoded = name.encode()
    with path.open("r+b") as file:
        file.seek(8)
        file.write(struct.pack(">QI", 1024, len(encoded)))
        file.seek(1024)
        file.write(encoded)
    assert peek(path).backing_file == name
    return path


@pytest.mark.parametrize("backing", ["nbd:localhost:1", 'json:{"driver":"null-co"}', "fat:/etc"])
def test_a_chain_ends_at_what_is_no_file_even_where_the_format_is_named(tmp_path, backing):
    path = _with_backing(tmp_path / "a", backing)
    for call in (qemu_img.map, qemu_img.check, qemu_img.chain, qemu_img.commit):
        with pytest.raises(ImageError, match="is no file"):
            call(path, format="qcow2")


def test_a_format_that_no_header_names_is_not_guessed(tmp_path, secret):
    path = _with_backing(tmp_path / "a", str(secret))
    with pytest.raises(ImageError, match="QEMU would guess") as caught:
        qemu_img.map(path, format="qcow2")
    assert "unsafe=True" in caught.value.reason
    qemu_img.rebase(path, secret, backing_format="raw", format="qcow2", unsafe=True)
    assert qemu_img.map(path, format="qcow2").by_depth() == {1: 1 << 20}


def test_a_chain_that_comes_back_to_itself_is_refused(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    qemu_img.create(one, "1M")
    qemu_img.create(other, backing=one)
    theirs("rebase", "-u", "-f", "qcow2", "-b", other, "-F", "qcow2", one)
    with pytest.raises(ImageError, match="comes back"):
        qemu_img.chain(one)


def test_a_data_file_is_another_file(tmp_path):
    path = tmp_path / "a"
    theirs("create", "-f", "qcow2", "-o", f"data_file={tmp_path / 'data'}", path, "1M")
    with pytest.raises(ImageError, match="external data file"):
        qemu_img.info(path)
    assert qemu_img.info(path, format="qcow2").size_bytes == 1 << 20


@pytest.mark.parametrize("subformat", ["monolithicFlat", "twoGbMaxExtentSparse"])
def test_a_vmdk_that_lists_other_files_is_not_trusted(tmp_path, subformat):
    path = tmp_path / "a.vmdk"
    theirs("create", "-f", "vmdk", "-o", f"subformat={subformat}", path, "1M")
    with pytest.raises(ImageError, match="points to 'other files'"):
        qemu_img.convert(path, tmp_path / "b.qcow2")
    qemu_img.convert(path, tmp_path / "b.qcow2", source_format="vmdk")


@pytest.mark.parametrize("format", ["vmdk", "qed"])
def test_a_foreign_overlay_is_not_trusted(tmp_path, format):
    base, over = tmp_path / "base", tmp_path / "over"
    theirs("create", "-f", format, base, "1M")
    theirs("create", "-f", format, "-b", base, "-F", format, over)
    with pytest.raises(ImageError, match="points to"):
        qemu_img.convert(over, tmp_path / "b.qcow2")
    qemu_img.convert(base, tmp_path / "b.qcow2")


# -- an image in use ------------------------------------------------------------------------------


@pytest.fixture
def in_use(tmp_path: Path) -> Iterator[Path]:
    """A qcow2 that another process has open for writing, as a guest would."""
    path = tmp_path / "disk.qcow2"
    qemu_img.create(path, "1M")
    holder = subprocess.Popen(
        ["qemu-io", "-f", "qcow2", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write(b"write 0 4k\n")
    holder.stdin.flush()
    assert b"wrote" in holder.stdout.readline() + holder.stdout.readline()
    yield path
    holder.kill()
    holder.communicate()


def test_an_image_in_use_is_told_from_a_broken_one(tmp_path, in_use):
    for call in (
        lambda: qemu_img.info(in_use),
        lambda: qemu_img.resize(in_use, "+1M"),
        lambda: qemu_img.snapshot(in_use).create("x"),
        lambda: qemu_img.convert(in_use, tmp_path / "b.qcow2"),
        lambda: qemu_img.rebase(in_use, None),
    ):
        with pytest.raises(ImageError, match="is in use") as caught:
            call()
        assert "force_share=True" in caught.value.reason
        assert "lock" in caught.value.reason
    assert os.listdir(tmp_path) == ["disk.qcow2"]


def test_an_image_in_use_can_be_looked_into(in_use):
    assert qemu_img.info(in_use, force_share=True).size_bytes == 1 << 20
    assert qemu_img.snapshot(in_use, force_share=True).list().names == ()
    assert len(qemu_img.chain(in_use, force_share=True)) == 1
    with pytest.raises(SpecError):
        qemu_img.check(in_use, repair="all", force_share=True)


# -- killed half-way ------------------------------------------------------------------------------

KILLED = """
import sys
from kvmnb.images import qemu_img
qemu_img.convert(sys.argv[1], sys.argv[2], progress=lambda *step: print(*step, flush=True))
"""


def test_a_kill_leaves_no_half_made_target_and_the_next_call_clears_up(tmp_path):
    source, target = tmp_path / "source.img", tmp_path / "target.qcow2"
    with source.open("wb") as file:
        file.write(os.urandom(1 << 20) * 32)
    # so slow that it can only be killed half-way
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    real = subprocess.run(["which", "qemu-img"], capture_output=True, text=True, check=True)
    slow = bin_ / "qemu-img"
    slow.write_text(f'#!/bin/sh\nverb=$1; shift\nexec {real.stdout.strip()} "$verb" -r 1M "$@"\n')
    slow.chmod(0o755)
    work = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(source), str(target)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}"},
    )
    assert work.stdout is not None
    assert work.stdout.readline()
    left = _parts(tmp_path)
    assert len(left) == 1
    work.send_signal(signal.SIGKILL)
    work.wait()
    work.stdout.close()
    assert not target.exists()
    # qemu-img outlives it; what still is written to is not taken away
    qemu_img.create(tmp_path / "other.qcow2", "1M")
    for pid in _working_in(left[0]):
        assert _parts(tmp_path) == left
        _kill(pid)
    qemu_img.create(tmp_path / "third.qcow2", "1M")
    assert _parts(tmp_path) == []
    assert not target.exists()


def _parts(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".kvmnb-")]


def _kill(pid: int) -> None:
    """End a process, and wait until its locks are gone, which outlive its list of open files."""
    process = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    select.select([process], [], [])
    os.close(process)


def _working_in(folder: Path) -> list[int]:
    """Return the processes that have the folder, or a file in it, open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            names = [os.readlink(fd) for fd in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(name.startswith(str(folder)) for name in names):
            found.append(int(process.name))
    return found


# -- the host's images, by name ------------------------------------------------------------------


def test_a_name_of_the_catalogue_stands_for_its_file(tmp_path, images: Images):
    qemu_img.create(tmp_path / "base.qcow2", "3M")
    images.add("mine", tmp_path / "base.qcow2")
    assert images.info("mine").size_bytes == 3 << 20
    over = images.qemu_img.create(tmp_path / "over.qcow2", backing="mine")
    assert over.backing == str(tmp_path / "base.qcow2")
    assert len(images.chain(tmp_path / "over.qcow2")) == 2
    assert images.qemu_img.convert("mine", tmp_path / "a.vmdk").format == "vmdk"


def test_an_image_of_the_catalogue_is_never_written(tmp_path, images: Images):
    qemu_img.create(tmp_path / "base.qcow2", "3M")
    images.add("mine", tmp_path / "base.qcow2")
    tools = images.qemu_img
    for call in (
        lambda: tools.resize("mine", "+1M"),
        lambda: tools.commit("mine"),
        lambda: tools.rebase("mine", None),
        lambda: tools.snapshot("mine"),
        lambda: tools.check("mine", repair="all"),
        lambda: tools.bench("mine", write=True),
        lambda: tools.create("mine", "1M"),
        lambda: tools.convert(tmp_path / "base.qcow2", "mine"),
    ):
        with pytest.raises(ImageError, match="never written"):
            call()
    assert tools.check("mine").ok


def test_work_on_the_hosts_images_is_shown_where_it_was_asked_for(tmp_path):
    import contextlib

    shown: list[tuple[object, ...]] = []

    @contextlib.contextmanager
    def show(title: str):
        shown.append((title,))
        yield lambda *step: shown.append(step)

    tools = Images(tmp_path / "images", show).qemu_img
    tools.create(tmp_path / "a.qcow2", "1M")
    tools.convert(tmp_path / "a.qcow2", tmp_path / "a.raw")
    assert shown[0] == ("qemu-img create",)
    assert ("qemu-img convert",) in shown
    assert ("converts", 100.0, 100.0, "") in shown
