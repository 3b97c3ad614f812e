"""What an image's first bytes are taken for."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvmnb.errors import ImageError
from kvmnb.images.header import BACKING_NAME_LIMIT, QCOW2_MAGIC, Header, peek

FUZZ = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def qemu_img(*words: str | Path) -> None:
    subprocess.run(["qemu-img", *words], check=True, capture_output=True)


def test_a_qcow2_says_its_size_and_what_it_stands_on(tmp_path):
    base, overlay = tmp_path / "base.qcow2", tmp_path / "overlay.qcow2"
    qemu_img("create", "-f", "qcow2", base, "7M")
    qemu_img("create", "-f", "qcow2", "-b", base, "-F", "qcow2", overlay)
    assert peek(base) == Header("qcow2", 7 << 20)
    found = Header("qcow2", 7 << 20, backing_file=str(base), backing_format="qcow2")
    assert peek(overlay) == found
    assert peek(base).self_contained
    assert not peek(overlay).self_contained


def test_an_external_data_file_is_seen(tmp_path):
    image = tmp_path / "outside.qcow2"
    qemu_img("create", "-f", "qcow2", "-o", f"data_file={tmp_path / 'data'}", image, "1M")
    assert not peek(image).self_contained


@pytest.mark.parametrize("format", ["vmdk", "vhdx", "vpc", "vdi", "qed", "parallels"])
def test_a_foreign_format_is_known_by_its_name(tmp_path, format):
    image = tmp_path / "disk"
    qemu_img("create", "-f", format, image, "4M")
    assert peek(image).format == format


def test_all_else_is_raw(tmp_path):
    image = tmp_path / "disk"
    image.write_bytes(b"\xeb\x63\x90" + bytes(5000))
    assert peek(image) == Header("raw", 5003)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, tmp_path / "gone", "/dev/null", "a\0b"):
        with pytest.raises(ImageError):
            peek(path)


@given(
    version=st.integers(0, 5),
    offset=st.integers(0, 2**64 - 1) | st.integers(0, 600),
    length=st.integers(0, 2**32 - 1) | st.integers(0, 1100),
    bits=st.integers(0, 40),
    size=st.integers(0, 2**64 - 1),
    tail=st.binary(max_size=200),
)
@FUZZ
def test_no_header_makes_it_read_far_or_fail_oddly(
    tmp_path, version, offset, length, bits, size, tail
):
    image = tmp_path / "hostile"
    image.write_bytes(
        QCOW2_MAGIC + struct.pack(">IQIIQ", version, offset, length, bits, size) + tail
    )
    try:
        header = peek(image)
    except ImageError:
        return
    assert header.format == "qcow2"
    assert len(os.fsencode(header.backing_file or "")) <= BACKING_NAME_LIMIT


@given(st.binary(max_size=600))
@FUZZ
def test_any_bytes_are_an_image_or_an_image_error(tmp_path, data):
    image = tmp_path / "bytes"
    image.write_bytes(data)
    try:
        header = peek(image)
    except ImageError as error:
        reason = error.reason
    else:
        reason = "" if header.format else "no format"
    assert reason == "" or "damaged" in reason or "cut off" in reason
