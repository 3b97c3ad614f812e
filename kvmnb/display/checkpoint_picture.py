"""A tree of checkpoints as text and as a picture."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kvmnb.display.checkpoint_graph import Graph, Row
from kvmnb.markup import Html, element, join, printable
from kvmnb.units import human

__all__ = ["picture", "text"]

LONGEST_LABEL = 44
"""Columns of a label; CJK letters take two."""

MOST_LABEL_BYTES = 6_500
"""Of all labels in one picture."""

MOST_TITLED = 60
"""With more rows, they do not say their ids where a mouse rests."""

NOTHING = "no checkpoints yet: guest.checkpoint(label) takes one"


# -- what both say --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Words:
    """What one row says."""

    label: str
    size: str
    pause: str
    cell: str
    time: str
    kept: bool


def _words(row: Row, days: bool) -> _Words:
    first, last = row.members[0], row.members[-1]
    clock = _time(last.created_s, "%m-%d %H:%M" if days else "%H:%M:%S")
    size = human(sum(each.size_bytes for each in row.members))
    if len(row.members) > 1:
        since = _time(first.created_s, "%H:%M:%S")
        label = f"{len(row.members)} cells' checkpoints since {since}"
        return _Words(label, size, "", "", clock, False)
    cell = "" if first.cell is None else _cut(first.cell, 9, 16)
    return _Words(first.label or "–", size, _pause(first.pause_s), cell, clock, first.kept)


def _heading(drawn: Graph) -> tuple[str, bool]:
    """Return what all the rows have in common, and whether they are of several days."""
    times = [each.created_s for row in drawn.rows for each in row.members]
    days = [_time(moment, "%Y-%m-%d") for moment in (times[0], times[-1])]
    several = days[0] != days[1]
    noun = "checkpoint" if drawn.count == 1 else "checkpoints"
    words = f"{drawn.count} {noun} · {human(drawn.size_bytes)} · {' to '.join(dict.fromkeys(days))}"
    if drawn.left_out:
        words += f" · the {drawn.left_out} oldest are not drawn, to_frame() has them"
    return words, several


def _time(seconds: float, form: str) -> str:
    try:
        return time.strftime(form, time.localtime(seconds))
    except (OverflowError, ValueError, OSError):  # no time that this machine can tell
        return "?"


def _pause(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


def _columns(text: str) -> int:
    return sum(map(_column, text))


def _column(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cut(text: str, most: int, most_bytes: int = 400) -> str:
    """Return the text for one line, with an ellipsis where it is too long."""
    shown = printable(text[: most * 4])
    kept: list[str] = []
    columns = bytes_ = 0
    for character in shown:
        columns += _column(character)
        bytes_ += len(join((character,)).encode())
        if columns > most or bytes_ > most_bytes:
            break
        kept.append(character)
    if len(kept) == len(shown) == len(printable(text)):
        return shown
    while kept and (_columns("".join(kept)) >= most or unicodedata.combining(kept[-1])):
        kept.pop()
    return "".join(kept) + "…"


# -- text -----------------------------------------------------------------------------------


def text(drawn: Graph, guest: str) -> str:
    """Return the tree for a terminal: ``●`` is what the guest lived through, ``○`` is beside it."""
    name = printable(guest)
    if not drawn.rows:
        return f"{name}: {NOTHING}"
    heading, days = _heading(drawn)
    rows = []
    for row, rails in zip(drawn.rows, _rails(drawn), strict=True):
        words = _words(row, days)
        cells = (
            f"{rails} {_cut(words.label, LONGEST_LABEL)}",
            words.time,
            words.size,
            words.pause,
            f"cell {words.cell}" if words.cell else "",
            "kept" if words.kept else "",
            _cut(row.members[-1].id, 8),
            "◀ now" if row.now else "",
        )
        rows.append(cells)
    return f"Checkpoints of {name}: {heading}\n{_aligned(rows)}"


def _rails(drawn: Graph) -> Iterator[str]:
    """Yield the lines and the node before each row's words."""
    below = drawn.straight()
    open_lanes: set[int] = set()
    for index, row in enumerate(drawn.rows):
        above = None if row.parent is None else drawn.rows[row.parent].lane
        cells = []
        for lane in range(drawn.lanes):
            between = above is not None and above < lane < row.lane
            crossing = above is not None and above <= lane < row.lane
            if lane == row.lane:
                cells.append(_node(row))
            elif above == lane:
                cells.append("├")
            elif lane in open_lanes:
                cells.append("┼" if between else "│")
            else:
                cells.append("─" if between else " ")
            cells.append("─" if crossing else " ")
        yield " " + "".join(cells).rstrip().ljust(2 * drawn.lanes - 1)
        open_lanes.discard(row.lane)
        if index in below:
            open_lanes.add(row.lane)


def _node(row: Row) -> str:
    if row.now:
        return "◉"
    if len(row.members) > 1:
        return "┊"
    return "●" if row.past else "○"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell + " " * (width - _columns(cell))
            for cell, width in zip(row, widths, strict=True)
            if width
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


# -- picture --------------------------------------------------------------------------------

WIDTH, ROW, TOP = 720.0, 22.0, 22.0
LANE, MOST_LANES_WIDTH = 18.0, 216.0
LEFT, RADIUS = 16.0, 4.5
TIME, PAUSE, SIZE, CELL = 708.0, 628.0, 570.0, 500.0
LETTER = 6.9
"""Width of a letter of 12 pixels, rather too much than too little."""

ACCENT = "var(--jp-brand-color1,#2b7fd4)"
_LINE = "var(--jp-border-color2,rgba(128,128,128,.45))"
_FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px"
_BOX = f"border:1px solid {_LINE};border-radius:6px;max-width:748px;{_FONT}"
_HEADING = (
    f"display:flex;flex-wrap:wrap;gap:2px 14px;padding:7px 12px;border-bottom:1px solid {_LINE}"
)
# turned round, a long tree is shown from its end, where the guest mostly is
_SCROLL = (
    "max-height:560px;overflow:auto;display:flex;flex-direction:column-reverse;padding:4px 12px"
)


def picture(drawn: Graph, guest: str) -> Html:
    """Return the tree as a picture: what the guest lived through is a strong line.

    Text has the colour of the text around, so the picture suits a light and a dark page.
    """
    if not drawn.rows:
        return element("div", f"{printable(guest)}: {NOTHING}", style="opacity:.65")
    heading, days = _heading(drawn)
    top = element(
        "div",
        element("b", f"Checkpoints of {printable(guest)}"),
        element("span", heading, style="opacity:.65"),
        style=_HEADING,
    )
    scroll = element("div", _tree(drawn, guest, days), style=_SCROLL, tabindex="0")
    return element("div", top, scroll, class_="kvmnb-checkpoints", style=_BOX)


def _tree(drawn: Graph, guest: str, days: bool) -> Html:
    step = min(LANE, max(1.0, MOST_LANES_WIDTH // drawn.lanes))
    start = LEFT + (drawn.lanes - 1) * step + 14
    height = TOP + ROW * len(drawn.rows) + 4
    head = [_text(x, 14, word, text_anchor="end") for x, word in _HEADS]
    now = next((row.members[-1].label for row in drawn.rows if row.now), None)
    said = "" if now is None else f"; it came from {_cut(now, LONGEST_LABEL)} last"
    return element(
        "svg",
        element("title", f"tree of the checkpoints of {printable(guest)}{said}"),
        element("g", *head, opacity=".6", font_size="11"),
        *_lines(drawn, step),
        *_nodes(drawn, step),
        *_labels(drawn, start, days),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        width=f"{WIDTH:g}",
        role="group",
        class_="kvmnb-tree",
        fill="currentColor",
        font_size="12",
        font_family="var(--jp-ui-font-family, system-ui, sans-serif)",
        style="max-width:100%;height:auto;display:block;flex:none",
    )


_HEADS = ((TIME, "time"), (PAUSE, "pause"), (SIZE, "size"), (CELL, "cell"))


def _half(row: Row) -> float:
    """Return how far above and below its middle a node reaches."""
    return RADIUS if len(row.members) == 1 else 8.0


def _y(row: int) -> float:
    return TOP + ROW * row + ROW / 2


def _lines(drawn: Graph, step: float) -> Iterator[Html]:
    """Yield all lines as two pictures' paths: those beside the guest's past, and its past."""
    beside: list[str] = []
    past: list[str] = []
    for index, row in enumerate(drawn.rows):
        x, y = LEFT + row.lane * step, _y(index)
        if row.parent is None:
            if row.cut:
                beside.append(f"M{x:g} {y - _half(row):g}v-2m0-2v-2")
            continue
        above = drawn.rows[row.parent]
        from_x, from_y = LEFT + above.lane * step, _y(row.parent) + _half(above)
        if above.lane == row.lane:
            route = f"M{x:g} {from_y:g}V{y - _half(row):g}"
        else:
            bend = min(9.0, x - from_x - 1)
            begin = from_y if row.past else max(from_y, y - bend)
            route = (
                f"M{from_x:g} {begin:g}V{y - bend:g}q0 {bend:g} {bend:g} {bend:g}H{x - RADIUS:g}"
            )
        (past if row.past else beside).append(route)
    for routes, color, width, opacity in (
        (beside, "currentColor", "1.4", ".5"),
        (past, ACCENT, "2.6", None),
    ):
        if routes:
            yield element(
                "path",
                d="".join(routes),
                fill="none",
                stroke=color,
                stroke_width=width,
                opacity=opacity,
            )


def _nodes(drawn: Graph, step: float) -> Iterator[Html]:
    """Yield all nodes, each kind as one path: there may be many."""
    kinds: dict[str, list[str]] = {kind: [] for kind in _NODES}
    for index, row in enumerate(drawn.rows):
        x, y = LEFT + row.lane * step, _y(index)
        run = len(row.members) > 1
        # a line without a length and with round caps is a dot
        dots = [f"M{x:g} {y + at:g}h0" for at in ((-5, 0, 5) if run else (0,))]
        kinds[("run " if run else "") + ("past" if row.past else "beside")] += dots
        if row.now:
            ring = f"a{RING:g} {RING:g} 0 1 0"
            round_ = f"M{x - RING:g} {y:g}{ring} {2 * RING:g} 0{ring} {-2 * RING:g} 0"
            kinds["now"].append(round_)
            band = f"M4 {y - ROW / 2 + 1:g}H{WIDTH - 4:g}v{ROW - 2:g}H4z"
            yield element("path", d=band, fill=ACCENT, opacity=".13")
    for kind, paths in kinds.items():
        if paths:
            style = {"fill": "none", "stroke_linecap": "round", **_NODES[kind]}
            yield element("path", d="".join(paths), **style)


RING = 7.0
_NODES = {
    "past": {"stroke": ACCENT, "stroke_width": "9"},
    "beside": {"stroke": "currentColor", "stroke_width": "7.5", "opacity": ".5"},
    "run past": {"stroke": ACCENT, "stroke_width": "3"},
    "run beside": {"stroke": "currentColor", "stroke_width": "2.6", "opacity": ".5"},
    "now": {"stroke": ACCENT, "stroke_width": "1.6"},
}


def _labels(drawn: Graph, start: float, days: bool) -> Iterator[Html]:
    """Yield the words, those of a row together: so they are read by those who do not see them."""
    most_bytes = MOST_LABEL_BYTES // len(drawn.rows)
    lines = []
    for index, row in enumerate(drawn.rows):
        words = _words(row, days)
        tags = " · kept" if words.kept else ""
        room = (CELL if words.cell else SIZE) - 64 - start - LETTER * len(tags) - 44 * row.now
        most = max(8, min(LONGEST_LABEL, int(room / LETTER)))
        label = _cut(words.label, most, most_bytes) + tags
        now: tuple[object, ...] = ("  ", _NOW) if row.now else ()
        shown = [element("tspan", label, *now, x=f"{start:g}", text_anchor="start")]
        cells = ((CELL, words.cell), (SIZE, words.size), (PAUSE, words.pause), (TIME, words.time))
        shown += [element("tspan", word, x=f"{x:g}") for x, word in cells if word]
        if len(drawn.rows) <= MOST_TITLED:
            shown.insert(0, element("title", _title(row)))
        aside = None if row.past else ".7"
        lines.append(element("text", *shown, y=f"{_y(index) + 4:g}", opacity=aside))
    yield element("g", *lines, text_anchor="end")


_NOW = element("tspan", "◀ now", fill=ACCENT, font_weight="600", font_size="11")


def _title(row: Row) -> str:
    first, last = row.members[0], row.members[-1]
    if first is last:
        return f"{_cut(first.id, 16)}: {_cut(first.label, 60, 200)}"
    return f"{_cut(first.id, 16)} to {_cut(last.id, 16)}"


def _text(x: float, y: float, *content: object, **attributes: str | None) -> Html:
    return element("text", *content, x=f"{x:g}", y=f"{y:g}", **attributes)
