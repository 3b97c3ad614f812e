"""Each verb of qemu-img as a typed call, on real files."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from kvmnb import portal
from kvmnb.errors import ImageError, SpecError
from kvmnb.images import qemu_img
from tests.images.writing import holds, io

MIB = 1 << 20


# -- create and info ------------------------------------------------------------------------------


def test_a_learners_first_line_makes_a_disk_and_shows_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = qemu_img.create("win7.img", size="60G", format="qcow2")
    assert (made.format, made.size_bytes) == ("qcow2", 60 << 30)
    assert made == qemu_img.info("win7.img")
    assert "60 GiB" in repr(made)
    assert "60 GiB" in made._repr_html_()


def test_a_format_has_its_own_options(tmp_path):
    made = qemu_img.create(
        tmp_path / "a,b", "8M", options={"cluster_size": "128K", "lazy_refcounts": True}
    )
    assert made.cluster_bytes == 128 << 10
    assert ("lazy-refcounts", True) in made.details


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"size": "1G"}, "options"),
        ({"backing_file": "/etc/passwd"}, "options"),
        ({"data_file": "/etc/passwd"}, "options"),
        ({"cluster_size=1,x": 1}, "options"),
        ({"compat": None}, "options['compat']"),
    ],
)
def test_an_option_that_is_not_for_here_is_refused_before_anything_is_made(
    tmp_path, options, field
):
    with pytest.raises(SpecError) as caught:
        qemu_img.create(tmp_path / "a", "8M", options=options)
    assert caught.value.field == field
    assert os.listdir(tmp_path) == []


def test_an_option_that_the_format_does_not_know_is_qemus_to_refuse(tmp_path):
    with pytest.raises(ImageError, match="cluster_sice"):
        qemu_img.create(tmp_path / "a", "8M", options={"cluster_sice": 1})
    assert os.listdir(tmp_path) == []


def test_a_slip_in_a_format_gets_a_hint(tmp_path):
    with pytest.raises(SpecError, match="did you mean 'qcow2'"):
        qemu_img.create(tmp_path / "a", "8M", format="qcow")


def test_a_vmdk_of_several_files_is_refused(tmp_path):
    with pytest.raises(SpecError, match="monolithicSparse"):
        qemu_img.create(
            tmp_path / "a", "8M", format="vmdk", options={"subformat": "monolithicFlat"}
        )


# -- convert --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["raw", "vmdk", "vdi", "vhdx"])
def test_a_disk_survives_the_way_into_a_foreign_format_and_back(tmp_path, disk, format):
    there, back = tmp_path / f"there.{format}", tmp_path / "back.qcow2"
    assert qemu_img.convert(disk, there).format == format
    assert holds(there, 0x11, format=format)
    made = qemu_img.convert(there, back)
    assert (made.format, made.size_bytes) == ("qcow2", 8 * MIB)
    assert holds(back, 0x11)
    assert holds(back, 0, "1M")


def test_a_name_within_a_vmdk_is_the_one_it_ends_up_with(tmp_path, disk):
    qemu_img.convert(disk, tmp_path / "final.vmdk")
    head = (tmp_path / "final.vmdk").read_bytes()[: 64 << 10]
    assert b'"final.vmdk"' in head


def test_a_conversion_tells_how_far_it_is(tmp_path):
    source = tmp_path / "source.img"
    with source.open("wb") as file:
        file.write(os.urandom(MIB) * 64)
    told: list[tuple[str, float, float | None]] = []
    qemu_img.convert(source, tmp_path / "b.qcow2", progress=lambda *step: told.append(step[:3]))
    percents = [done for _, done, total in told if total == 100.0]
    assert percents == sorted(percents)
    assert percents[-1] == 100.0
    assert {what for what, _, _ in told} == {"converts"}


def test_what_progress_raises_stops_the_work_and_leaves_nothing(tmp_path, disk):
    class Enough(Exception):
        pass

    def progress(*step: object) -> None:
        raise Enough

    before = sorted(os.listdir(tmp_path))
    with pytest.raises(Enough):
        qemu_img.convert(disk, tmp_path / "b.qcow2", progress=progress)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_target_that_is_there_is_left_as_it_is(tmp_path, disk):
    (tmp_path / "b.qcow2").write_text("precious")
    with pytest.raises(ImageError, match="already"):
        qemu_img.convert(disk, tmp_path / "b.qcow2")
    assert (tmp_path / "b.qcow2").read_text() == "precious"


def test_a_target_whose_name_tells_no_format_needs_one(tmp_path, disk):
    with pytest.raises(SpecError, match="target_format"):
        qemu_img.convert(disk, tmp_path / "copy")
    assert qemu_img.convert(disk, tmp_path / "copy", target_format="raw").format == "raw"


def test_a_compressed_copy_is_smaller(tmp_path):
    source = tmp_path / "source.img"
    source.write_bytes(b"all the same " * 100_000)
    plain = qemu_img.convert(source, tmp_path / "plain.qcow2")
    packed = qemu_img.convert(source, tmp_path / "packed.qcow2", compress=True)
    assert packed.on_disk_bytes < plain.on_disk_bytes / 2


def test_a_snapshot_can_be_copied_out(tmp_path, disk):
    qemu_img.snapshot(disk).create("a,b")
    io(disk, "write -P 0x22 0 64k")
    qemu_img.convert(disk, tmp_path / "old.qcow2", snapshot="a,b")
    assert holds(tmp_path / "old.qcow2", 0x11)


def test_a_copy_can_stand_on_the_same_base(tmp_path, disk):
    overlay, copy = tmp_path / "overlay.qcow2", tmp_path / "copy.qcow2"
    qemu_img.create(overlay, backing=disk)
    io(overlay, "write -P 0x22 1M 64k")
    made = qemu_img.convert(overlay, copy, source_format="qcow2", backing=disk)
    assert made.backing == str(disk)
    assert holds(copy, 0x11)
    assert holds(copy, 0x22, "1M")


# -- check, map, measure, bench -------------------------------------------------------------------


def test_a_sound_image_is_sound(disk):
    found = qemu_img.check(disk)
    assert found.ok
    assert (found.allocated_clusters, found.total_clusters) == (1, 128)
    assert "no errors" in repr(found)


def test_leaks_are_found_told_and_given_back(disk):
    refcounts = int.from_bytes(disk.read_bytes()[48:56], "big")
    block = int.from_bytes(disk.read_bytes()[refcounts : refcounts + 8], "big")
    with disk.open("r+b") as file:
        file.truncate(2 * MIB)
        file.seek(block + 2 * 20)  # of the cluster 20, which nobody uses
        file.write(b"\0\1")
    found = qemu_img.check(disk)
    assert (found.ok, found.leaks, found.corruptions) == (False, 1, 0)
    told: list[str] = []
    mended = qemu_img.check(disk, repair="leaks", progress=lambda what, *rest: told.append(what))
    assert (mended.leaks_fixed, mended.ok) == (1, True)
    assert told[0] == "checks"
    assert qemu_img.check(disk).ok


def test_corruption_is_an_answer_and_not_an_error(disk):
    with disk.open("r+b") as file:
        file.seek(int.from_bytes(disk.read_bytes()[40:48], "big"))
        file.write((1 << 63 | 0x123456789 << 9).to_bytes(8, "big"))
    found = qemu_img.check(disk)
    assert not found.ok
    assert found.corruptions or found.errors


def test_a_raw_disk_has_nothing_to_check(tmp_path):
    qemu_img.create(tmp_path / "raw.img", "1M", format="raw")
    with pytest.raises(ImageError, match="no books"):
        qemu_img.check(tmp_path / "raw.img")


def test_a_map_says_which_image_holds_what(disk, overlay):
    found = qemu_img.map(overlay, format="qcow2")
    assert found.by_depth() == {0: 64 << 10, 1: 64 << 10}
    assert found.data_bytes == 128 << 10
    assert [(each.start, each.depth) for each in found if each.data] == [(0, 1), (MIB, 0)]
    assert sum(each.length for each in found) == 8 * MIB
    frame = found.to_pandas()
    assert list(frame[frame.data].file) == [str(disk), str(overlay)]
    assert "data" in repr(found)


def test_a_map_can_be_of_a_part(overlay):
    found = qemu_img.map(overlay, format="qcow2", start="1M", length="64K")
    assert [(each.start, each.length) for each in found] == [(MIB, 64 << 10)]


def test_a_file_to_be_is_measured(disk):
    found = qemu_img.measure(disk, target_format="raw")
    assert (found.required_bytes, found.full_bytes) == (8 * MIB, 8 * MIB)
    empty = qemu_img.measure(size="1G")
    assert empty.required_bytes < MIB < 1 << 30 < empty.full_bytes
    with pytest.raises(SpecError):
        qemu_img.measure()
    with pytest.raises(ImageError, match="does not support size measurement"):
        qemu_img.measure(size="1G", target_format="vhdx")


def test_a_bench_reads_and_leaves_the_disk_as_it_is(disk):
    before = disk.read_bytes()
    found = qemu_img.bench(disk, requests=500)
    assert found.seconds >= 0
    assert found.bytes_per_s == found.iops * 4096
    assert disk.read_bytes() == before


def test_a_bench_writes_when_that_is_asked(disk):
    assert qemu_img.bench(disk, write=True, pattern=0x44, requests=100, aio="threads").write
    assert holds(disk, 0x44)
    with pytest.raises(SpecError, match="requests"):
        qemu_img.bench(disk, requests=0)


# -- the line of theirs ---------------------------------------------------------------------------


def test_each_answer_carries_its_line_and_the_line_does_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    odd = "a b'c,d\n-e.qcow2"
    made = qemu_img.create(odd, "8M", options={"cluster_size": "128K"})
    Path(odd).unlink()
    subprocess.run(["bash", "-c", str(made.command)], check=True)
    assert qemu_img.info(odd).cluster_bytes == 128 << 10
    found = qemu_img.map(odd)
    assert re.search(r"qemu-img map .*-f qcow2", found.command.text)
    assert found.command._repr_html_().startswith("<code")


def test_a_line_can_be_seen_without_running_it(tmp_path, disk):
    line = qemu_img.command("convert", disk, tmp_path / "b.vmdk")
    assert line == qemu_img.convert.command(disk, tmp_path / "b.vmdk")
    assert shlex.split(line.text) == [*line]
    assert line[:6] == ("qemu-img", "convert", "-f", "qcow2", "-O", "vmdk")
    assert not (tmp_path / "b.vmdk").exists()
    assert qemu_img.command("snapshot.create", disk, "x")[-2:] == ("-cx", str(disk))
    with pytest.raises(SpecError, match="did you mean 'convert'"):
        qemu_img.command("convrt", disk)


def test_a_line_that_somebody_typed_is_run_as_the_call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    qemu_img.run("sudo qemu-img create -f qcow2 -o size=60G win7.img")
    assert qemu_img.run("qemu-img info win7.img") == qemu_img.info("win7.img")
    qemu_img.run("qemu-img snapshot -c one win7.img")
    assert qemu_img.run("qemu-img snapshot -l win7.img").names == ("one",)
    assert qemu_img.run("qemu-img convert -O vmdk win7.img a.vmdk").format == "vmdk"


def test_each_verb_can_be_awaited(disk):
    async def both() -> tuple[qemu_img.Info, qemu_img.SnapshotList]:
        return await qemu_img.info.aio(disk), await qemu_img.snapshot(disk).list.aio()

    found, snapshots = portal.run(both())
    assert found.size_bytes == 8 * MIB
    assert snapshots.names == ()


def test_a_verb_tells_its_arguments_and_what_it_does():
    import inspect

    assert list(inspect.signature(qemu_img.info).parameters) == ["path", "format", "force_share"]
    assert inspect.signature(qemu_img.info).return_annotation == "Info"
    assert "qemu-img info" in (qemu_img.info.__doc__ or "")
    assert set(qemu_img.__all__) <= set(dir(qemu_img))
    for name in qemu_img.__all__:
        assert getattr(qemu_img, name) is not None
