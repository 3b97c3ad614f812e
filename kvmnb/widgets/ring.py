"""The last rows of a table that may get more columns: what a view keeps of the past."""

from __future__ import annotations

import math
import threading
from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Ring", "Column"]

MOST_COLUMNS = 512
"""Far above what the largest guest has; beyond it new columns are left out."""


@dataclass(frozen=True, slots=True)
class Column:
    """One line of a chart.

    Parameters
    ----------
    panel : id of the chart that shows it
    label : what it is, within that chart
    """

    panel: str
    label: str


class Ring:
    """Rows of a time and some values, of which the oldest go; safe to read from any thread.

    Parameters
    ----------
    rows : how many are kept
    """

    def __init__(self, rows: int) -> None:
        self._rows: deque[array[float]] = deque(maxlen=rows)
        self._columns: dict[Column, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns, in the order in which they came."""
        return tuple(self._columns)

    def add(self, time_s: float, values: Mapping[Column, float]) -> bytes:
        """Add a row and return it as float64 numbers: the time, then a value a column.

        A value that is missing is NaN. Columns that are new are added behind the others.
        """
        with self._lock:
            for column in values:
                if column not in self._columns and len(self._columns) < MOST_COLUMNS:
                    self._columns[column] = len(self._columns)
            row = array("d", [time_s, *(values.get(c, math.nan) for c in self._columns)])
            self._rows.append(row)
        return row.tobytes()

    def packed(self) -> bytes:
        """Return all rows one after the other, each as wide as the newest."""
        with self._lock:
            width = 1 + len(self._columns)
            whole = array("d")
            for row in self._rows:
                whole.extend(row)
                whole.extend([math.nan] * (width - len(row)))
        return whole.tobytes()

    def table(self) -> tuple[list[float], dict[Column, list[float | None]]]:
        """Return the times, in seconds since the epoch, and the values of each column.

        A value is ``None`` where it is missing.
        """
        with self._lock:
            rows, columns = tuple(self._rows), dict(self._columns)
        series = {
            column: [_known(row, 1 + index) for row in rows] for column, index in columns.items()
        }
        return [row[0] for row in rows], series


def _known(row: array[float], index: int) -> float | None:
    if index >= len(row) or math.isnan(row[index]):
        return None
    return row[index]
