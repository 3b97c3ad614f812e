"""``guest.checkpoints``: the states that a guest can be put back to, to look up and to look at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from kvmnb.display.checkpoint_graph import graph
from kvmnb.display.checkpoint_picture import picture, text
from kvmnb.markup import printable

if TYPE_CHECKING:
    import pandas

    from kvmnb.engines.base import Checkpoint

__all__ = ["Checkpoints"]

LEAST_DIGITS = 4
"""Of an id, to mean a checkpoint by; fewer are more likely a label."""


class Checkpoints(Collection["Checkpoint"]):
    """A guest's checkpoints, oldest first; nothing is asked to look at them.

    Parameters
    ----------
    checkpoints : oldest first
    current_id : the one that the guest came from last; ``None`` if from none
    guest : its name
    """

    __slots__ = ("_checkpoints", "_current_id", "_guest")

    def __init__(
        self, checkpoints: Iterable[Checkpoint], current_id: str | None, guest: str
    ) -> None:
        self._checkpoints = tuple(checkpoints)
        self._current_id = current_id
        self._guest = guest

    def __iter__(self) -> Iterator[Checkpoint]:
        return iter(self._checkpoints)

    def __len__(self) -> int:
        return len(self._checkpoints)

    def __contains__(self, key: object) -> bool:
        """Whether a checkpoint is one of these, or a label or an id means one."""
        if not isinstance(key, str):
            return key in self._checkpoints
        return len(self._meant(key)) == 1

    @property
    def current(self) -> Checkpoint | None:
        """The one that the guest came from last: taken of it, or put back to."""
        found = (each for each in self._checkpoints if each.id == self._current_id)
        return next(found, None)

    def __getitem__(self, key: str | int) -> Checkpoint:
        """Return the checkpoint that a label, an id, or a place in the order means.

        Parameters
        ----------
        key : a label, of several alike the newest; an id or at least 4 digits that only one id
            begins with; or a number, 0 the oldest and -1 the newest

        Raises
        ------
        KeyError     no checkpoint has this label or id, or several ids begin so
        IndexError   there are not so many
        """
        if isinstance(key, int):
            return self._checkpoints[key]
        found = self._meant(key)
        if len(found) != 1:
            raise KeyError(self._missing(key, found))
        return found[0]

    def find(self, text: str) -> tuple[Checkpoint, ...]:
        """Return all whose label has `text` in it, in any case, or whose id begins with it."""
        wanted = text.casefold()
        return tuple(
            each
            for each in self._checkpoints
            if wanted in each.label.casefold() or each.id.startswith(wanted)
        )

    def _meant(self, key: str) -> tuple[Checkpoint, ...]:
        for each in reversed(self._checkpoints):
            if each.label == key:
                return (each,)
        if len(key) < LEAST_DIGITS:
            return ()
        return tuple(each for each in self._checkpoints if each.id.startswith(key.lower()))

    def _missing(self, key: str, found: tuple[Checkpoint, ...]) -> str:
        shown, name = printable(str(key)), printable(self._guest)
        if found:
            ids = ", ".join(each.id for each in found[:3])
            return f"{len(found)} checkpoints of {name} begin with {shown!r}: {ids}"
        return f"{name} has no checkpoint {shown!r}; {self._near(str(key))}"

    def _near(self, key: str) -> str:
        import difflib

        labels = list(dict.fromkeys(each.label for each in reversed(self._checkpoints)))
        if not labels:
            return "it has none: guest.checkpoint(label) takes one"
        # difflib's time grows with the square of the length, and labels come from anywhere
        short = [label[:80] for label in labels]
        near = difflib.get_close_matches(key[:80], short, n=3, cutoff=0.5)
        if near:
            return f"did you mean {' or '.join(repr(printable(each)) for each in near)}?"
        return f"the newest are {', '.join(repr(printable(each)) for each in short[:3])}"

    def to_frame(self) -> pandas.DataFrame:
        """Return one row a checkpoint: time, id, label, parent, size, pause, cell, kept, now."""
        import pandas

        plain = ("id", "label", "parent", "size_bytes", "pause_s", "cell", "kept")
        rows = [[getattr(each, column) for column in plain] for each in self]
        table = pandas.DataFrame(rows, columns=list(plain))
        seconds = pandas.Series([each.created_s for each in self], dtype=float)
        table.insert(0, "time", pandas.to_datetime(seconds, unit="s", utc=True))
        table["now"] = [each.id == self._current_id for each in self]
        return table

    def __repr__(self) -> str:
        return text(graph(self._checkpoints, self._current_id), self._guest)

    def _repr_html_(self) -> str:
        return str(picture(graph(self._checkpoints, self._current_id), self._guest))
