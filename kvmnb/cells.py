"""Checkpoints that belong to notebook cells: an earlier cell can be run again from where it began.

While this is on, a cell that is about to change a guest for the first time in its execution
either takes a checkpoint that is tied to it, or puts the guest back to the one that it has:

- A cell's checkpoint is good if the guest's present state came out of it: if it lies on the way
  from the root of the guest's checkpoints to the one that the guest came from last. Then the
  guest is rewound to it, and the cell sees what it saw the first time.
- Otherwise an earlier cell was run again since, and the cell's checkpoint belongs to a course of
  things that is over. The cell goes on from the present state; a new checkpoint is taken, and
  replaces the old one.

So a cell that is run again, edited or not, has the same state before it; cells below it go on
from its new outcome; and running all cells once more ends as running them the first time did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kvmnb.errors import KvmnbError

if TYPE_CHECKING:
    from kvmnb.engines.base import Checkpoint, GuestControl

__all__ = ["Cells", "before_change", "turn_off", "turn_on"]

_cells: Cells | None = None


async def before_change(control: GuestControl) -> None:
    """Keep, or restore, the state before the running cell; every verb that changes calls this.

    Does nothing while cells have no checkpoints, outside of a cell, and from the second verb
    of a cell on.
    """
    if _cells is not None:
        await _cells.before_change(control)


def turn_on() -> Cells:
    """Give cells checkpoints from now on; what this returns is to be told of each cell."""
    global _cells
    _cells = Cells()
    return _cells


def turn_off() -> None:
    """Take no more checkpoints for cells, and rewind to none."""
    global _cells
    _cells = None


class Cells:
    """Knows which cell runs, and which guests it has changed by now."""

    def __init__(self) -> None:
        self._execution: _Execution | None = None

    def begin(self, cell: str, label: str) -> None:
        """A cell begins to run.

        Parameters
        ----------
        cell : its id, the same one whenever it is run
        label : what its checkpoint is to be called
        """
        self._execution = _Execution(cell, label)

    def end(self) -> tuple[str, ...]:
        """The cell has ended; return what its reader should know, in sentences."""
        execution, self._execution = self._execution, None
        return () if execution is None else tuple(execution.notes)

    async def before_change(self, control: GuestControl) -> None:
        """See the function of this name."""
        if self._execution is not None:
            await self._execution.before_change(control)


class _Execution:
    """One run of one cell."""

    def __init__(self, cell: str, label: str) -> None:
        self._cell, self._label = cell, label
        self._turns: dict[GuestControl, asyncio.Lock] = {}
        self._ready: set[GuestControl] = set()
        self.notes: list[str] = []

    async def before_change(self, control: GuestControl) -> None:
        # verbs that a cell starts side by side all wait for the first one's checkpoint
        async with self._turns.setdefault(control, asyncio.Lock()):
            if control not in self._ready:
                await self._prepare(control)
                self._ready.add(control)

    async def _prepare(self, control: GuestControl) -> None:
        known, current = control.checkpoints()
        own = [checkpoint for checkpoint in known if checkpoint.cell == self._cell]
        behind = _way(known, current)
        good = next((checkpoint for checkpoint in own if checkpoint.id in behind), None)
        name = control.info.name
        if good is not None:
            await control.rewind(good.id)
            self.notes.append(f"guest {name!r} was rewound to its state before this cell")
            return
        try:
            await control.checkpoint(self._label, cell=self._cell, keep=False)
            for old in own:
                await control.drop(old.id)
        except KvmnbError as error:
            # the cell is still of use, only not again
            self.notes.append(f"guest {name!r} has no checkpoint before this cell: {error}")


def _way(known: Iterable[Checkpoint], current: str | None) -> set[str]:
    """Return the ids from `current` to its root, both included."""
    parents = {checkpoint.id: checkpoint.parent for checkpoint in known}
    way: set[str] = set()
    while current is not None and current not in way:
        way.add(current)
        current = parents.get(current)
    return way
