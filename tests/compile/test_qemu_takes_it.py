"""The real QEMU takes every field's every value, and then has what was asked for.

A guest is started without running; its monitor is asked. What this host lacks is skipped by
QEMU's own words.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kvmnb import Unsupported
from tests.compile.cases import cases
from tests.compile.running import running

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small real files, with names that need quoting."""
    made = tmp_path_factory.mktemp("q")
    for index in range(4):
        (made / f"di,sk{index}.img").write_bytes(bytes(1 << 20))
    for name in ("spl,ash.jpg", "init,rd", "tree.dtb"):
        (made / name).write_bytes(bytes(512))
    (made / "b,ios").write_bytes(bytes(256 << 10))
    (made / "k,ernel").write_bytes(_empty_kernel())
    (made / "fat,1").mkdir()
    (made / "fat,1" / "hello.txt").write_text("hello\n", encoding="utf-8")
    os.mkfifo(made / "pi,pe")
    return made


def _empty_kernel() -> bytes:
    """Return a Linux kernel that does nothing: a header that QEMU loads (Linux, x86/boot.rst)."""
    image = bytearray(8192)
    image[0x1F1] = 1  # sectors of set-up code
    image[0x202:0x206] = b"HdrS"
    image[0x206:0x208] = (0x20C).to_bytes(2, "little")  # protocol version
    image[0x211] = 1  # loaded high
    image[0x22C:0x230] = (0x37FFFFFF).to_bytes(4, "little")  # the highest place of an initrd
    return bytes(image)


@pytest.mark.parametrize("name", cases(Path("/")))
def test_each_field_is_taken_and_is_there(folder, name):
    spec, expected = cases(folder)[name]
    try:
        with running(spec) as guest:
            for (id, property), value in expected.items():
                assert guest.get(id, property) == value, (id, property)
    except Unsupported as error:
        pytest.skip(str(error))
