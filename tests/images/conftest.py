"""The tiny guest's image, and folders for images that a test may fill and spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvmnb.images.catalogue import Image, Images


@pytest.fixture(scope="session")
def tiny(private_folders: Path) -> Image:
    """The image that is already built (or is built now, where this recipe's is missing)."""
    return Images().get("tiny")


@pytest.fixture
def images(tmp_path: Path) -> Images:
    """A catalogue in a folder of its own, where nothing is downloaded or built."""
    return Images(tmp_path / "images")
