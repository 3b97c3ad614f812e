"""The disk chain as text, table and picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from kvmnb.images import qemu_img
from kvmnb.images.qemu_img.drawing import MOST_BOXES, draw


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """An overlay, on an overlay, on a raw base."""
    paths = [tmp_path / name for name in ("top.qcow2", "middle.qcow2", "base.img")]
    qemu_img.create(paths[2], "4M", format="raw")
    qemu_img.create(paths[1], backing=paths[2])
    qemu_img.create(paths[0], backing=paths[1], backing_format="qcow2")
    return paths


def texts(html: str) -> list[str]:
    """Return the picture's texts, from top to bottom; fails where it is no XML."""
    return [
        node.text or "" for node in ElementTree.fromstring(html).iter() if node.tag.endswith("text")
    ]


def test_a_chain_of_three_is_drawn_from_the_overlay_to_the_base(three):
    chain = qemu_img.chain(three[0])
    assert [each.path for each in chain] == [str(path) for path in three]
    assert [each.format for each in chain] == ["qcow2", "qcow2", "raw"]
    lines = chain.to_text().splitlines()
    assert [line.lstrip(" └─").split()[0] for line in lines] == [path.name for path in three]
    drawn = texts(chain._repr_html_())
    assert [text for text in drawn if text in {path.name for path in three}] == [
        path.name for path in three
    ]
    assert "a guest writes here" in drawn
    assert "--backing-chain" in chain.command


def test_a_chain_is_a_table(three):
    frame = qemu_img.chain(three[0]).to_pandas()
    assert list(frame.path) == [str(path) for path in three]
    assert list(frame.size_bytes) == [4 << 20] * 3
    assert frame.index.name == "depth"


def test_a_name_relative_to_the_overlay_is_found(tmp_path, monkeypatch):
    import subprocess

    (tmp_path / "sub").mkdir()
    base, over = tmp_path / "sub/base", tmp_path / "sub/over"
    qemu_img.create(base, "1M")
    words = ["qemu-img", "create", "-f", "qcow2", "-b", "base", "-F", "qcow2", str(over)]
    subprocess.run(words, check=True, capture_output=True)
    monkeypatch.chdir("/")
    assert [each.path for each in qemu_img.chain(over)] == [str(over), str(base)]


@pytest.mark.parametrize("name", ["<script>alert(1)</script>".replace("/", "_"), "a\x1b[31m", "&"])
def test_a_name_has_no_power_over_the_picture(tmp_path, name):
    qemu_img.create(tmp_path / name, "1M")
    chain = qemu_img.chain(tmp_path / name)
    html = chain._repr_html_()
    assert "<script" not in html
    assert "\x1b" not in html + chain.to_text() + repr(chain[0])
    assert texts(html)


def test_a_long_chain_is_drawn_with_its_middle_left_out(tmp_path):
    one = qemu_img.create(tmp_path / "one", "1M")
    drawn = texts(draw([one] * 40))
    assert drawn.count("one") == MOST_BOXES - 1
    assert "… 29 more images …" in drawn


def test_an_empty_disk_can_be_drawn(tmp_path):
    (tmp_path / "empty").touch()
    assert texts(qemu_img.chain(tmp_path / "empty")._repr_html_())
