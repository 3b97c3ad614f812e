"""Where each checkpoint stands in a drawing: one row each, oldest first, branches in lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kvmnb.engines.base import Checkpoint

__all__ = ["Graph", "Row", "graph"]

MOST_ROWS = 200
"""Rows of one drawing; of more checkpoints the newest are drawn."""

FOLD_FROM = 24
"""With so many rows, runs of checkpoints that cells took are drawn as one."""

LEAST_RUN = 3
"""Checkpoints that are worth to be drawn as one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a drawing.

    Parameters
    ----------
    members : the checkpoint, or those of a run without a branch, oldest first
    parent : the row that it comes from; ``None`` for a root
    cut : it comes from a checkpoint that is not drawn
    lane : its column, from 0
    past : what the guest lived through is in it
    now : the guest came from it last
    """

    members: tuple[Checkpoint, ...]
    parent: int | None
    cut: bool
    lane: int
    past: bool
    now: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """A drawing of checkpoints as rows and lanes.

    Parameters
    ----------
    rows : oldest first; a parent's row is always above
    lanes : how many columns there are
    count, size_bytes : of all checkpoints, drawn or not
    left_out : how many are too old to be drawn
    """

    rows: tuple[Row, ...]
    lanes: int
    count: int
    size_bytes: int
    left_out: int

    def straight(self) -> dict[int, int]:
        """Return for each row the one that goes on in its lane, where there is one."""
        below = {}
        for index, row in enumerate(self.rows):
            if row.parent is not None and self.rows[row.parent].lane == row.lane:
                below[row.parent] = index
        return below


def graph(checkpoints: Sequence[Checkpoint], current: str | None) -> Graph:
    """Return the drawing of checkpoints, given oldest first.

    A line goes straight on to what was taken of it last; what was tried before that stands
    beside it.
    """
    place = {each.id: index for index, each in enumerate(checkpoints)}
    # a parent that is gone, or that claims to be younger, is none: so there are no circles
    parents = [
        place[each.parent] if each.parent in place and place[each.parent] < index else None
        for index, each in enumerate(checkpoints)
    ]
    now = place.get(current) if current is not None else None
    past = _ancestry(parents, now)
    groups = _groups(checkpoints, parents, now)
    shown = groups[-MOST_ROWS:]
    if now is not None and not any(now in group for group in shown):
        shown = [next(group for group in groups if now in group), *shown[1:]]
    row_of = {index: row for row, group in enumerate(shown) for index in group}
    above = [parents[group[0]] for group in shown]
    up = [None if parent is None else row_of.get(parent) for parent in above]
    lanes = _lanes(up)
    rows = tuple(
        Row(
            members=tuple(checkpoints[index] for index in group),
            parent=up[row],
            cut=up[row] is None and checkpoints[group[0]].parent is not None,
            lane=lanes[row],
            past=group[0] in past,
            now=now in group,
        )
        for row, group in enumerate(shown)
    )
    return Graph(
        rows,
        lanes=max(lanes, default=-1) + 1,
        count=len(checkpoints),
        size_bytes=sum(each.size_bytes for each in checkpoints),
        left_out=len(checkpoints) - sum(map(len, shown)),
    )


def _ancestry(parents: Sequence[int | None], start: int | None) -> set[int]:
    found = set()
    while start is not None:
        found.add(start)
        start = parents[start]
    return found


def _groups(
    checkpoints: Sequence[Checkpoint], parents: Sequence[int | None], now: int | None
) -> list[list[int]]:
    """Return the checkpoints of each row, in the order of the newest of each."""
    if len(checkpoints) <= FOLD_FROM:
        return [[index] for index in range(len(checkpoints))]
    children = [0] * len(checkpoints)
    for parent in parents:
        if parent is not None:
            children[parent] += 1
    plain = [False] * len(checkpoints)
    runs: dict[int, list[int]] = {}
    for index, each in enumerate(checkpoints):
        # the newest of a branch stays in sight, and so does what somebody took or kept
        plain[index] = (
            each.cell is not None and not each.kept and index != now and children[index] > 0
        )
        parent = parents[index]
        goes_on = parent is not None and plain[parent] and children[parent] == 1
        before = runs.pop(parent) if plain[index] and goes_on and parent is not None else []
        runs[index] = [*before, index]
    groups = []
    for run in runs.values():
        groups += [run] if len(run) >= LEAST_RUN else [[index] for index in run]
    return sorted(groups, key=lambda group: group[-1])


def _lanes(parents: Sequence[int | None]) -> list[int]:
    """Return a lane for each row, so that no two lines lie upon each other."""
    newest_child = {parent: row for row, parent in enumerate(parents) if parent is not None}
    end = list(range(len(parents)))
    for row in reversed(range(len(parents))):
        if row in newest_child:
            end[row] = end[newest_child[row]]
    lanes: list[int] = []
    busy_until: list[int] = []
    for row, parent in enumerate(parents):
        if parent is not None and newest_child[parent] == row:
            lanes.append(lanes[parent])
            continue
        first = 0 if parent is None else lanes[parent] + 1
        free = (lane for lane in range(first, len(busy_until)) if busy_until[lane] < row)
        lane = next(free, len(busy_until))
        if lane == len(busy_until):
            busy_until.append(-1)
        busy_until[lane] = end[row]
        lanes.append(lane)
    return lanes
