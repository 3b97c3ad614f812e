"""A text, explained word by word: the text to copy, and below it a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kvmnb.compile.targets import Target
from kvmnb.display.words import CODE, FAINT, FONT, LEGEND, LINE, SHEET, chips, link, words
from kvmnb.errors import KvmnbError, Unsupported
from kvmnb.explain.entry import Explained
from kvmnb.explain.layers import TARGETS, Layers, part_of
from kvmnb.explain.targets import explained
from kvmnb.markup import Html, element, join

__all__ = ["NAMES", "comments", "explained_html", "in_step", "leftovers"]

NAMES: dict[Target, str] = {
    "qemu": "QEMU command",
    "libvirt": "libvirt domain XML",
    "virt-install": "virt-install",
}

SHORT = 8
"""Rows of a table that is too short for what hovers to open below its row."""

_PRE = f"{CODE};margin:0;padding:8px 12px;user-select:all;border-bottom:1px solid {LINE}"
_COLUMNS = (("means", 28), ("default", 12), ("manual", 12))
"""Titles and widths, in per cent."""

_CELL = "text-align:left;vertical-align:top;padding:4px 10px;overflow-wrap:anywhere"
_HEAD = f"{_CELL};font-weight:normal;{FAINT};white-space:nowrap;border-bottom:1px solid {LINE}"
_BOX = f"{FONT};border:1px solid {LINE};border-radius:6px;max-width:100%;position:relative"
_TITLE = f"display:flex;flex-wrap:wrap;gap:2px 18px;padding:6px 12px;border-bottom:1px solid {LINE}"


def leftovers(errors: Sequence[Unsupported]) -> list[str]:
    """Return one line for each field that a text has no words for."""
    return [f"left out: {error.field}: {error.hint}" for error in errors]


def comments(errors: Sequence[Unsupported]) -> str:
    """Return those lines as comments that a shell passes over, each after a newline."""
    from kvmnb.markup import printable

    return "".join(f"\n# {printable(line)}" for line in leftovers(errors))


def in_step(
    target: Target, layers: Callable[[], Layers], argv: Sequence[str] | None = None
) -> Layers | None:
    """Return the texts in pieces, or ``None`` where the host has changed since the text was made.

    Parameters
    ----------
    argv : the text's words; ``None`` for XML
    """
    try:
        found = layers()
    except KvmnbError:
        return None
    pieces = found.said[TARGETS.index(target)].pieces
    said = tuple(word for piece in pieces for word in piece.words)
    return found if pieces and argv in (None, said) else None


def explained_html(
    target: Target, text: Html | str, layers: Layers, left_out: Sequence[Unsupported] = ()
) -> Html:
    """Return the text in a box to copy from, and a table of all that is in it.

    Parameters
    ----------
    target : whose text it is
    text : as it is pasted
    layers : all three texts in pieces: whose words are shown where a mouse rests on a row
    left_out : what the text has no words for
    """
    place = TARGETS.index(target)
    said = layers.said[place]
    rows = explained(target, said.pieces)
    told = said.unsaid or tuple(left_out)
    body, before = [], ""
    for index, row in enumerate(rows):
        begins = part_of(row.field) != before
        before = part_of(row.field)
        body.append(_row(row, target, layers, index, len(rows), begins=begins))
    body += [_unsaid(error) for error in told]
    first = "option" if target != "libvirt" else "element"
    heading = element(
        "tr",
        *(
            element("th", title, scope="col", style=f"{_HEAD};width:{width}%")
            for title, width in ((first, 37), ("half", 11), *_COLUMNS)
        ),
    )
    table = element(
        "table",
        element("thead", heading),
        element("tbody", *body),
        style="border-collapse:collapse;table-layout:fixed;width:100%;margin:0;font-size:13px",
    )
    title = element(
        "div",
        element("b", f"{NAMES[target]} of {layers.spec.name}"),
        element("span", LEGEND),
        element("span", "rest the mouse on a row for the other two languages", style=FAINT),
        style=_TITLE,
    )
    text = element("pre", text, style=_PRE, title="one click marks all of it, to be copied")
    return element("div", SHEET, title, text, table, class_="kvmnb-words", style=_BOX)


def _row(
    row: Explained, target: Target, layers: Layers, index: int, count: int, *, begins: bool
) -> Html:
    upward = count < SHORT or index * 2 >= count
    place = "bottom:calc(100% - 2px)" if upward else "top:calc(100% - 2px)"
    shown = element("div", words(row.keys), style=CODE)
    elsewhere = _elsewhere(row.field, target, layers)
    field = element("div", part_of(row.field), style=f"{FAINT};font-size:11px;white-space:nowrap")
    cells = (
        element("td", shown, style=_CELL),
        element("td", chips(row), field, style=_CELL),
        element("td", row.meaning, style=_CELL),
        element("td", row.default, style=f"{_CELL};{FAINT}"),
        element(
            "td",
            link(row.section),
            element("div", elsewhere, class_="kvmnb-else", style=place) if elsewhere else "",
            style=f"{_CELL};font-size:12px",
        ),
    )
    line = f";border-top:1px solid {LINE}" if begins else ""
    return element("tr", *cells, class_="kvmnb-row", style=f"position:relative{line}")


def _elsewhere(field: str, target: Target, layers: Layers) -> Html:
    """Return the words of the other two languages for the same part."""
    part = layers.part(part_of(field))
    blocks = []
    for place, other in enumerate(TARGETS):
        if other == target:
            continue
        rows = explained(other, part.said[place])
        unsaid = [element("div", error.hint, style=FAINT) for error in part.unsaid[place]]
        lines = [element("div", words(row.keys), style=CODE) for row in rows] or unsaid
        if part.field == "runtime" and len(lines) > 1:
            continue  # what a program adds for itself has no counterpart
        blocks.append(
            element(
                "div",
                element("div", NAMES[other], style=f"{FAINT};font-size:11px"),
                *(lines or [element("div", "has no word for it, and needs none", style=FAINT)]),
                style="margin:2px 0 6px",
            )
        )
    return join(blocks)


def _unsaid(error: Unsupported) -> Html:
    said = element("span", f"has no words for {error.field}", style="font-style:italic")
    cells = (
        element("td", said, style=f"{_CELL};{FAINT}"),
        element("td", "left out", style=f"{_CELL};{FAINT}"),
        element("td", error.hint, colspan="3", style=_CELL),
    )
    return element("tr", *cells)
