"""Charts as still pictures: what a live view leaves in a saved notebook."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kvmnb.display import axis
from kvmnb.markup import Html, element, join, printable

__all__ = ["charts", "Panel", "Series", "Mark", "thin"]

Point = tuple[float, float | None]

MOST_POINTS = 300
"""Points of one line: more than that the picture's width cannot show."""

MOST_BYTES = 36_000
"""Of all lines together; a saved notebook holds one picture for each view that it shows."""

MOST_SERIES = 12
"""Lines in one chart; of a guest with more vCPUs the first ones stand for all."""

MOST_MARKS = 40

MOST_VALUE = 1e30
"""Above this, no counter's value; what is drawn from it would overflow."""

WIDTH = 720.0
LEFT, RIGHT = 58.0, 14.0
PLOT_HEIGHT = 86.0
HEADING = 24.0
GAP = 16.0
MARK_ROW = 13.0
FOOT = 34.0
ACCENT = "var(--jp-brand-color1,#2b7fd4)"
LETTER = 6.1
"""Width of a letter of 11 pixels, on the average and rather too much than too little."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart.

    Parameters
    ----------
    label : what it shows
    times : seconds since the epoch, rising
    values : in the panel's unit; ``None`` where nothing could be read
    """

    label: str
    times: Sequence[float]
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart.

    Parameters
    ----------
    title : above it
    unit : of all its series: ``"B"``, ``"B/s"``, ``"%"``, ``"count"``, ``"s"``
    series : its lines
    """

    title: str
    unit: str
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, as an upright line through all charts.

    Parameters
    ----------
    time_s : when, in seconds since the epoch
    label : in a word or two
    strong : it is drawn in the page's own colour, and its label comes before others'
    """

    time_s: float
    label: str
    strong: bool = False


def charts(panels: Sequence[Panel], marks: Sequence[Mark] = ()) -> Html:
    """Return the charts, one under the other on one time axis, as one SVG picture.

    Text and axes have the colour of the text around, so the picture suits a light and a dark
    page. Panels without a value are left out; without any panel a line says so.
    """
    panels = [panel for panel in map(_finite, panels) if panel.series]
    if not panels:
        return element("div", "nothing was measured yet", style="opacity:.65")
    times = [time for panel in panels for series in panel.series for time in series.times]
    span = _Span(min(times), max(times))
    marks = [mark for mark in marks if span.start_s <= mark.time_s <= span.end_s][-MOST_MARKS:]
    rows, top = _mark_labels(marks, span)
    lines = sum(len(panel.series[:MOST_SERIES]) for panel in panels)
    points = max(20, min(MOST_POINTS, MOST_BYTES // (12 * lines)))

    pieces: list[Html] = []
    for panel in panels:
        pieces.append(_panel(panel, span, top, points))
        if marks:
            pieces.append(_mark_lines(marks, span, top + HEADING))
        top += HEADING + PLOT_HEIGHT + GAP
    last = top - GAP
    pieces += rows
    pieces.append(_time_axis(span, last))
    names = ", ".join(panel.title for panel in panels)
    return element(
        "svg",
        element("title", f"{names}: {_clock(span.start_s)} to {_clock(span.end_s)} UTC"),
        *pieces,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {last + FOOT:g}",
        width=f"{WIDTH:g}",
        role="img",
        class_="kvmnb-charts",
        fill="currentColor",
        font_size="11",
        font_family="var(--jp-ui-font-family, system-ui, sans-serif)",
        style="max-width:100%;height:auto;display:block",
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """The time that the picture shows."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return max(self.end_s - self.start_s, 1e-3)

    def x(self, time_s: float) -> float:
        return LEFT + (time_s - self.start_s) / self.length_s * (WIDTH - LEFT - RIGHT)


# -- the lines --------------------------------------------------------------------------------


def _finite(panel: Panel) -> Panel:
    """Return the panel without series that hold no value; what is no number is no value."""
    kept = []
    for series in panel.series:
        pairs = list(zip(series.times, series.values, strict=False))
        # false for what is no number, too
        values = [v if v is not None and abs(v) <= MOST_VALUE else None for _, v in pairs]
        if any(value is not None for value in values):
            kept.append(Series(series.label, [time for time, _ in pairs], values))
    return Panel(printable(panel.title), panel.unit, tuple(kept))


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most `most` points of a line, the lowest and highest of each stretch among them."""
    if len(points) <= most:
        return list(points)
    buckets = max(1, most // 2)
    kept: list[Point] = []
    for index in range(buckets):
        start, end = (len(points) * edge // buckets for edge in (index, index + 1))
        known = [(value, at) for at in range(start, end) if (value := points[at][1]) is not None]
        if not known:
            kept.append((points[start][0], None))
            continue
        kept += [points[at] for at in sorted({min(known)[1], max(known)[1]})]
    return kept


def _panel(panel: Panel, span: _Span, top: float, points: int) -> Html:
    shown = panel.series[:MOST_SERIES]
    values = [value for series in shown for value in series.values if value is not None]
    # a share has a natural top; so flat is a line that seldom moves, and not one much enlarged
    most = max([*values, 100.0 if panel.unit == "%" else 0.0])
    scale = axis.scale(most, panel.unit)
    steps = axis.steps(most / scale.divisor)
    base = top + HEADING + PLOT_HEIGHT
    rise = PLOT_HEIGHT / (steps[-1] * scale.divisor)

    pieces = []
    for step in steps:
        y = base - step * scale.divisor * rise
        pieces.append(_line(LEFT, y, WIDTH - RIGHT, y, 0.45 if step == 0 else 0.14))
        pieces.append(_text(LEFT - 6, y + 3.5, axis.tick(step), text_anchor="end", opacity=".75"))
    for index, series in enumerate(shown):
        line = thin(list(zip(series.times, series.values, strict=True)), points)
        path = _path(
            [
                (span.x(time), None if value is None else base - max(0.0, value) * rise)
                for time, value in line
            ]
        )
        color = axis.PALETTE[index % len(axis.PALETTE)]
        pieces.append(_stroke(path, color, index >= len(axis.PALETTE)))
    title = join(
        (
            element("tspan", panel.title, font_weight="600", font_size="12"),
            element("tspan", scale.unit, dx="6", opacity=".65"),
        )
    )
    pieces.append(_text(LEFT, top + 14, title))
    title_end = LEFT + len(panel.title) * LETTER * 1.2 + (len(scale.unit) + 3) * LETTER
    pieces += _legend(shown, len(panel.series), title_end, top + 14)
    return element("g", *pieces)


def _path(points: Sequence[Point]) -> str:
    words = []
    alone = True
    pen_down = False
    for x, y in points:
        if y is None:
            if pen_down and alone:
                words.append("h0")  # a round cap makes a dot of it
            pen_down = False
            continue
        words.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        alone, pen_down = not pen_down, True
    if pen_down and alone:
        words.append("h0")
    return "".join(words)


def _stroke(path: str, color: str, dashed: bool) -> Html:
    return element(
        "path",
        d=path,
        fill="none",
        stroke=color,
        stroke_width="1.6",
        stroke_linejoin="round",
        stroke_linecap="round",
        stroke_dasharray="5 3" if dashed else None,
    )


def _legend(shown: Sequence[Series], total: int, start: float, y: float) -> Iterator[Html]:
    """Yield the names of the lines at the right edge, as many as there is room for."""
    names = [_cut(series.label, 22) for series in shown]
    widths = [len(name) * LETTER + 32 for name in names]
    room = WIDTH - RIGHT - start
    fit = len(names)
    if len(names) < total or sum(widths) > room:
        room -= 12 * LETTER
        while fit and sum(widths[:fit]) > room:
            fit -= 1
    more = [] if fit == total else [f"and {total - fit} more"]
    x = WIDTH - RIGHT + 12 - sum(widths[:fit]) - sum(len(words) * LETTER + 12 for words in more)
    for index, name in enumerate(names[:fit]):
        color = axis.PALETTE[index % len(axis.PALETTE)]
        yield _stroke(f"M{x:.1f} {y - 4:.1f}h14", color, index >= len(axis.PALETTE))
        yield _text(x + 18, y, name, opacity=".85")
        x += widths[index]
    for words in more:
        yield _text(x, y, words, opacity=".65")


# -- the axis of time, and what happened on it ----------------------------------------------------


def _mark_labels(marks: Sequence[Mark], span: _Span) -> tuple[list[Html], float]:
    """Return the marks' names, in as many rows of up to three as they need, and their height."""
    taken: list[list[tuple[float, float]]] = []
    pieces = []
    for mark in sorted(marks, key=lambda mark: (not mark.strong, mark.time_s)):
        label = _cut(mark.label, 28)
        width = len(label) * LETTER + 8
        x = min(max(span.x(mark.time_s) - width / 2, 4.0), WIDTH - width)
        free = (
            row
            for row, spans in enumerate(taken)
            if all(end <= x or x + width <= start for start, end in spans)
        )
        row = next(free, len(taken))
        if row > 2:
            continue  # no room: its line still stands
        if row == len(taken):
            taken.append([])
        taken[row].append((x, x + width))
        style = {"fill": ACCENT} if mark.strong else {"opacity": ".75"}
        pieces.append(_text(x + 4, 11 + row * MARK_ROW, label, font_size="10.5", **style))
    return pieces, 4 + len(taken) * MARK_ROW


def _mark_lines(marks: Sequence[Mark], span: _Span, top: float) -> Html:
    """Return all upright lines of one chart, as one path of each kind: there may be many."""
    found = []
    for strong, style in (
        (False, {"stroke": "currentColor", "opacity": "0.55", "stroke_dasharray": "3 3"}),
        (True, {"stroke": ACCENT, "stroke_width": "1.5"}),
    ):
        of_kind = (mark.time_s for mark in marks if mark.strong is strong)
        lines = "".join(f"M{span.x(time_s):.1f} {top:.1f}v{PLOT_HEIGHT:g}" for time_s in of_kind)
        if lines:
            found.append(element("path", d=lines, **style))
    return join(found)


def _time_axis(span: _Span, y: float) -> Html:
    length = span.length_s
    divisor, unit = next(
        (d, u)
        for d, u, most in ((1, "s", 180), (60, "min", 10800), (3600, "h", math.inf))
        if length <= most
    )
    pieces = []
    for step in axis.steps(length / divisor, 6):
        x = span.x(span.start_s + step * divisor)
        if x > WIDTH - RIGHT + 1:
            break
        pieces.append(_line(x, y, x, y + 4, 0.45))
        label = f"{axis.tick(step)} {unit}"
        anchor = "end" if x > WIDTH - RIGHT - 16 else "middle"
        pieces.append(_text(x, y + 15, label, text_anchor=anchor, opacity=".75"))
    day = datetime.fromtimestamp(span.start_s, UTC).strftime("%Y-%m-%d")
    words = f"{day}, {_clock(span.start_s)} to {_clock(span.end_s)} UTC"
    pieces.append(_text(LEFT, y + 30, words, opacity=".65", font_size="10.5"))
    return element("g", *pieces)


def _clock(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%H:%M:%S")


def _line(x1: float, y1: float, x2: float, y2: float, opacity: float) -> Html:
    path = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
    return element("path", d=path, stroke="currentColor", opacity=f"{opacity:g}")


def _text(x: float, y: float, text: str | Html, **attributes: str) -> Html:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", **attributes)


def _cut(text: str, most: int) -> str:
    text = printable(text)
    return text if len(text) <= most else text[: most - 1] + "…"
