"""A picture of a guest's screen."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from kvmnb.units import human

__all__ = ["Screenshot"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Screenshot:
    """A picture of a guest's screen, shown as such in a notebook.

    Parameters
    ----------
    png : the picture, in PNG format
    """

    png: bytes = field(repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; zeros where the picture has no header."""
        # the first chunk is IHDR: length, "IHDR", width, height (PNG specification, 11.2.2)
        if self.png[:8] != SIGNATURE or len(self.png) < 24:
            return 0, 0
        return int.from_bytes(self.png[16:20]), int.from_bytes(self.png[20:24])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file and return its path."""
        where = Path(path)
        where.write_bytes(self.png)
        return where

    def __repr__(self) -> str:
        width, height = self.size
        return f"Screenshot: {width} × {height} pixels, PNG, {human(len(self.png))}"

    def _repr_png_(self) -> bytes:
        return self.png
