"""A picture of a guest's screen."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from kvmnb.display.screenshot import Screenshot


def test_a_real_screen_is_a_picture(host, launch, tmp_path):
    guest = launch(host.vm("screen").mem(64))
    shot = guest.screenshot()
    with Image.open(io.BytesIO(shot._repr_png_())) as picture:
        assert picture.format == "PNG"
        assert picture.size == shot.size
    path = shot.save(tmp_path / "screen.png")
    assert path.read_bytes() == shot.png
    assert repr(shot).startswith(f"Screenshot: {shot.size[0]} × {shot.size[1]} pixels")


@pytest.mark.parametrize("damaged", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(40)])
def test_looking_at_what_is_no_picture_raises_nothing(damaged):
    assert "0 × 0" in repr(Screenshot(damaged))
