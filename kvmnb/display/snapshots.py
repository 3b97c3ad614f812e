"""The snapshots that lie within a guest's disks, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvmnb.images.qemu_img.answers import Snapshot
from kvmnb.markup import columns, element, table
from kvmnb.units import human

if TYPE_CHECKING:
    import pandas

__all__ = ["Snapshots"]

HEADING = ("id", "name", "VM state", "date (UTC)", "VM clock")
"""What HMP's ``info snapshots`` shows, in its order."""


class Snapshots(tuple[Snapshot, ...]):
    """The snapshots of a guest that `loadvm` can go back to, oldest first."""

    __slots__ = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(each.name for each in self)

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row of text each: id, name, size of the state, date, the guest's clock."""
        return [
            (
                each.id,
                each.name,
                human(each.vm_state_bytes),
                f"{each.created:%Y-%m-%d %H:%M:%S}",
                _clock(each.vm_clock_s),
            )
            for each in self
        ]

    def to_pandas(self) -> pandas.DataFrame:
        """Return id, name, state in bytes, creation time and the guest's clock in seconds."""
        import pandas

        names = ("id", "name", "vm_state_bytes", "created", "vm_clock_s")
        rows = [[getattr(each, name) for name in names] for each in self]
        return pandas.DataFrame(rows, columns=list(names)).set_index("id")

    def __repr__(self) -> str:
        return columns([HEADING, *self.rows()]) if self else "no snapshots"

    def _repr_html_(self) -> str:
        if not self:
            return str(element("div", "no snapshots", style="opacity:.65"))
        return str(table(HEADING, self.rows()))


def _clock(seconds: float) -> str:
    whole, part = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}.{part:03}"
