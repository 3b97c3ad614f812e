"""Where each part of a disk is kept: the answer of ``qemu-img map``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kvmnb.images.qemu_img.line import Line
from kvmnb.markup import columns, element, join, table
from kvmnb.units import human

if TYPE_CHECKING:
    import pandas

__all__ = ["Extent", "Map"]

SHOWN = 20
"""Extents in a repr; a disk in use has thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """One stretch of a guest's disk that is kept in one way.

    Parameters
    ----------
    start, length : of the guest's disk, in bytes
    depth : which image of the chain holds it; 0 is the topmost
    present : whether any image of the chain does
    zero : it reads as zeroes
    data : there are bytes in the file for it
    compressed : those are compressed
    offset : where they are in that file, in bytes; ``None`` where no single place is
    file : that file; ``None`` where nothing is kept
    """

    start: int
    length: int
    depth: int
    present: bool
    zero: bool
    data: bool
    compressed: bool = False
    offset: int | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Map:
    """The extents of a disk, in order, from its start to its end.

    Parameters
    ----------
    path : the topmost image
    extents : of it
    command : the qemu-img line of the call that returned this
    """

    path: str
    extents: tuple[Extent, ...]
    command: Line = field(default=Line(()), compare=False)

    def __len__(self) -> int:
        return len(self.extents)

    def __getitem__(self, index: int) -> Extent:
        return self.extents[index]

    def __iter__(self) -> Iterator[Extent]:
        return iter(self.extents)

    @property
    def data_bytes(self) -> int:
        """How much of the disk there are bytes for, in any image of the chain."""
        return sum(each.length for each in self.extents if each.data)

    def by_depth(self) -> dict[int, int]:
        """Return how many bytes of data each image of the chain holds; 0 is the topmost."""
        found: dict[int, int] = {}
        for each in self.extents:
            if each.data:
                found[each.depth] = found.get(each.depth, 0) + each.length
        return dict(sorted(found.items()))

    def rows(self) -> list[tuple[str, ...]]:
        """Return a heading and the first extents, as text."""
        rows: list[tuple[str, ...]] = [("start", "length", "depth", "kept as", "at", "in")]
        for each in self.extents[:SHOWN]:
            at = "" if each.offset is None else f"{each.offset:#x}"
            what = "data" if each.data else "zeroes" if each.present else "nothing"
            kept = f"{what}, compressed" if each.compressed else what
            row = (f"{each.start:#x}", human(each.length), str(each.depth), kept, at)
            rows.append((*row, each.file or ""))
        return rows

    def to_pandas(self) -> pandas.DataFrame:
        """Return all extents, one a row, with the fields of `Extent` as columns."""
        import pandas

        names = [each.name for each in dataclasses.fields(Extent)]
        rows = [[getattr(each, name) for name in names] for each in self.extents]
        frame = pandas.DataFrame(rows, columns=names)
        return frame.astype({"offset": "Int64"})

    @property
    def _more(self) -> str:
        more = len(self.extents) - SHOWN
        return f"and {more} more: .to_pandas() has all" if more > 0 else ""

    def to_text(self) -> str:
        """Return the first extents as a table of text."""
        return "\n".join(filter(None, (columns(self.rows()), self._more)))

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        heading, *rows = self.rows()
        return str(join((table(heading, rows), element("div", self._more))))
