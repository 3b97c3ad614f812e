"""Charts as still pictures."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmnb.display.svg import MOST_POINTS, Mark, Panel, Series, charts, thin

START_S = 1_795_547_935.0
MIB = 1 << 20


def series(label, values, step_s=0.5):
    return Series(label, [START_S + index * step_s for index in range(len(values))], values)


def wave(label, count):
    return series(label, [50 + 49 * math.sin(index / 7) for index in range(count)])


def test_a_picture_names_its_charts_lines_and_units(read_html):
    panels = (
        Panel("Memory", "B", (series("balloon", [128.0 * MIB] * 9),)),
        Panel("vCPU", "%", (wave("vcpu0", 9), wave("vcpu1", 9))),
    )
    text = read_html(charts(panels, (Mark(START_S + 1, "paused"),)))
    for words in (
        "Memory",
        "MiB",
        "balloon",
        "vCPU",
        "%",
        "vcpu0",
        "vcpu1",
        "paused",
        "0 s",
        "UTC",
    ):
        assert words in text


@pytest.mark.parametrize("vcpus", [1, 2, 12, 255])
def test_ten_minutes_of_any_guest_stay_below_60_kb(vcpus):
    panels = (
        Panel("Memory", "B", tuple(wave(name, 1200) for name in ("a", "b", "c"))),
        Panel("vCPU", "%", tuple(wave(f"vcpu{index}", 1200) for index in range(vcpus))),
        Panel("Network", "B/s", tuple(wave(f"net{index}", 1200) for index in range(8))),
        Panel("Disk", "B/s", tuple(wave(f"disk{index}", 1200) for index in range(8))),
        Panel("QEMU", "B", (wave("resident", 1200),)),
    )
    marks = [Mark(START_S + index, f"event {index}") for index in range(600)]
    assert len(charts(panels, marks).encode()) <= 60_000


def test_a_strong_mark_has_the_colour_of_the_page_and_keeps_its_label(read_html):
    panels = (Panel("vCPU", "%", (wave("vcpu0", 40),)),)
    crowd = [Mark(START_S + index / 100, f"event {index}") for index in range(20)]
    picture = charts(panels, (*crowd, Mark(START_S + 0.2, "⚑ before rm", strong=True)))
    assert "⚑ before rm" in read_html(picture)
    assert picture.count("--jp-brand-color1") == 2, "its label and its line"


def test_lines_that_have_no_room_are_counted(read_html):
    panels = (Panel("vCPU", "%", tuple(wave(f"vcpu{index}", 20) for index in range(40))),)
    text = read_html(charts(panels))
    more = re.search(r"and (\d+) more", text)
    assert more is not None
    named = len(set(re.findall(r"vcpu\d+", text)))
    assert named + int(more[1]) == 40


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), max_size=2000),
    st.integers(2, MOST_POINTS),
)
def test_a_thinned_line_keeps_its_extremes_and_its_order(values, most):
    points = [(float(index), value) for index, value in enumerate(values)]
    kept = thin(points, most)
    assert len(kept) <= most
    assert kept == sorted(kept, key=lambda point: point[0])
    assert set(kept) <= set(points)
    known = [value for value in values if value is not None]
    if known:
        left = [value for _, value in kept if value is not None]
        assert (min(left), max(left)) == (min(known), max(known))


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), max_size=40),
    st.sampled_from(["B", "B/s", "%", "s", "count"]),
)
def test_any_values_make_a_picture(read_html, values, unit):
    picture = charts((Panel("any", unit, (series("line", values),)),))
    read_html(picture)
    assert not re.search(r"\b(nan|inf)\b", picture)


@given(st.text(max_size=200))
def test_what_a_guest_calls_things_is_quoted(read_html, harmless, name):
    panels = (Panel(name, "B", (series(name, [1.0, 2.0]),)),)
    assert harmless(read_html(charts(panels, (Mark(START_S, name),))))


def test_a_title_wider_than_the_picture_leaves_the_lines_unnamed(read_html):
    panels = (Panel("a" * 400, "B", (series("line", [1.0, 2.0]),)),)
    assert "and 1 more" in read_html(charts(panels))


def test_a_gap_in_the_readings_is_a_gap_in_the_line():
    values = [1.0, 2.0, None, 4.0, None, None, 7.0, 8.0]
    picture = charts((Panel("gaps", "count", (series("line", values),)),))
    # the first line drawn is the data, the second its sample in the legend
    path = re.findall(r'd="(M[^"]*)" fill="none"', picture)[0]
    assert path.count("M") == 3
    assert path.count("h0") == 1, "a lonely reading is a dot"


def test_charts_without_a_value_are_left_out(read_html):
    empty = Panel("empty", "B", (series("none", [None, None]),))
    full = Panel("full", "B", (series("some", [1.0, 2.0]),))
    text = read_html(charts((empty, full)))
    assert "full" in text
    assert "empty" not in text
    assert "nothing was measured yet" in read_html(charts((empty,)))


def test_it_takes_the_text_colour_of_its_page_and_loads_nothing():
    picture = charts((Panel("p", "%", (wave("v", 9),)),), (Mark(START_S + 1, "m"),))
    colors = set(re.findall(r'(?:fill|stroke)="([^"]*)"', picture))
    assert colors == {"currentColor", "none", "#0072B2"}
    addresses = re.findall(r"https?://[^\"' ]*", picture)
    assert addresses == ["http://www.w3.org/2000/svg"]
    ElementTree.fromstring(picture)


def test_the_same_input_makes_the_same_bytes():
    panels = (Panel("p", "%", (wave("v", 900),)),)
    assert charts(panels) == charts(panels)
