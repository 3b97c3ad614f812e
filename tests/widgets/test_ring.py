"""What a view keeps of the past."""

from __future__ import annotations

import math
from array import array

import hypothesis.strategies as st
from hypothesis import given

from kvmnb.widgets import ring as rings
from kvmnb.widgets.ring import Column, Ring

A, B = Column("memory", "a"), Column("memory", "b")


def filled(most, rows):
    """Return a ring that was given these rows, one a second."""
    ring = Ring(most)
    for index, row in enumerate(rows):
        ring.add(float(index), row)
    return ring


def unpacked(ring):
    """Return times and series as they stand in the packed rows."""
    width = 1 + len(ring.columns)
    flat = array("d", ring.packed())
    series = {
        column: [None if math.isnan(v) else v for v in flat[1 + index :: width]]
        for index, column in enumerate(ring.columns)
    }
    assert len(flat) % width == 0
    return list(flat[::width]), series


def test_the_oldest_rows_go():
    ring = filled(3, [{A: float(time_s)} for time_s in range(10)])
    assert ring.table() == ([7.0, 8.0, 9.0], {A: [7.0, 8.0, 9.0]})


def test_a_new_column_is_missing_in_the_rows_before_it():
    ring = Ring(10)
    assert len(ring.add(1.0, {A: 1.0})) == 16
    assert len(ring.add(2.0, {B: 2.0})) == 24
    assert ring.columns == (A, B)
    assert ring.table() == ([1.0, 2.0], {A: [1.0, None], B: [None, 2.0]})


def test_columns_are_bounded_whatever_comes(monkeypatch):
    monkeypatch.setattr(rings, "MOST_COLUMNS", 4)
    ring = filled(2, [{Column("vcpu", str(index)): 1.0} for index in range(100)])
    assert len(ring.columns) == 4
    assert len(ring.packed()) == 2 * 5 * 8


@given(
    st.lists(st.dictionaries(st.sampled_from("abcdef"), st.floats(allow_nan=False), max_size=6)),
    st.integers(1, 5),
)
def test_packed_rows_are_the_table(rows, most):
    labelled = [{Column("p", label): value for label, value in row.items()} for row in rows]
    ring = filled(most, labelled)
    times, series = ring.table()
    assert unpacked(ring) == (times, series)
    assert len(times) == min(len(rows), most)
