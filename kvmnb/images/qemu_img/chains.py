"""The disk chain: an overlay, what it stands on, what that stands on, and so on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kvmnb.images.qemu_img.answers import Info
from kvmnb.images.qemu_img.call import Plan
from kvmnb.images.qemu_img.line import Line
from kvmnb.images.qemu_img.looking import info
from kvmnb.images.qemu_img.names import PathLike, absolute
from kvmnb.images.qemu_img.trust import format_of, stack
from kvmnb.markup import printable
from kvmnb.units import human

if TYPE_CHECKING:
    import pandas

__all__ = ["Chain", "chain"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Chain:
    """The images of which a guest's disk consists.

    A guest's writes go to the topmost; what it reads comes from the topmost image that holds it.

    Parameters
    ----------
    layers : the images, topmost first
    command : the qemu-img line that tells the same
    """

    layers: tuple[Info, ...]
    command: Line = field(default=Line(()), compare=False)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Info:
        return self.layers[index]

    def __iter__(self) -> Iterator[Info]:
        return iter(self.layers)

    def to_text(self) -> str:
        """Return the chain, one image a line, each below the one that stands on it."""
        lines = []
        for depth, each in enumerate(self.layers):
            name = printable(os.path.basename(each.path))
            room = f"{human(each.size_bytes)}, {human(each.on_disk_bytes)} on disk"
            lead = "" if depth == 0 else f"{'   ' * (depth - 1)}└─ "
            lines.append(f"{lead}{name}  ({each.format}, {room})")
        return "\n".join(lines)

    def to_pandas(self) -> pandas.DataFrame:
        """Return file, format, sizes and cluster in bytes of each image; the index is its depth."""
        import pandas

        names = ("path", "format", "size_bytes", "on_disk_bytes", "cluster_bytes")
        rows = [[getattr(each, name) for name in names] for each in self.layers]
        frame = pandas.DataFrame(rows, columns=list(names)).astype({"cluster_bytes": "Int64"})
        return frame.rename_axis("depth")

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from kvmnb.images.qemu_img.drawing import draw

        return str(draw(self.layers))


def chain(path: PathLike, *, format: str | None = None, force_share: bool = False) -> Plan[Chain]:
    """Return a disk's chain, for a picture or a table (``qemu-img info --backing-chain``).

    Only headers are read, each as the format that the header above names; nothing but files is
    followed. Unlike the calls that open the data, this needs no `format` for an overlay.

    Parameters
    ----------
    path : the topmost image
    format : how it is read; ``None`` reads its header
    force_share : look although a guest has it open

    Raises
    ------
    SpecError    an unknown format
    ImageError   a file of the chain is not there, cannot be read, is in use, or is no file
    HostError    qemu-img is not installed
    """
    name = absolute(path)
    format = format_of(name, format, follows=False)
    share = ("-U",) if force_share else ()
    line = Line(("info", "--backing-chain", *share, "-f", format, name))
    plans = [
        info(layer.path, format=layer.format if layer.named else None, force_share=force_share)
        for layer in stack(name, format)
    ]

    async def work() -> Chain:
        return Chain(layers=tuple([await plan.work() for plan in plans]), command=line)

    return Plan(line, work)
