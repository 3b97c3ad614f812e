"""How two guests differ, in each language."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kvmnb.display.explained import NAMES
from kvmnb.display.words import CODE, FAINT, FONT, LINE, SHEET, words
from kvmnb.explain.layers import TARGETS, Layers, part_of
from kvmnb.explain.targets import explained
from kvmnb.markup import Html, element, join, printable
from kvmnb.spec.codec import differences
from kvmnb.spec.domain import DomainSpec

if TYPE_CHECKING:
    import pandas

    from kvmnb.compile.piece import Piece
    from kvmnb.compile.targets import Target

__all__ = ["Difference", "VMDiff"]

Words = tuple[tuple["Piece", ...], tuple["Piece", ...]]


class Difference(NamedTuple):
    """One field that differs.

    Parameters
    ----------
    field : its dotted name, such as ``"memory.size_mib"``
    old, new : its values
    said : for each target, in their order, the words of the one and of the other that are not
        the same
    """

    field: str
    old: Any
    new: Any
    said: tuple[Words, ...]


class VMDiff(Sequence[Difference]):
    """The fields in which two guests differ, and what that means in each language.

    Parameters
    ----------
    one, other : both guests, each in the three languages
    """

    def __init__(self, one: Layers, other: Layers) -> None:
        self.one, self.other = one, other
        self._found = tuple(self._differences())

    def _differences(self) -> Iterator[Difference]:
        for field, old, new in _fields(self.one.spec, self.other.spec):
            said = tuple(
                (_lacking(mine, field, theirs), _lacking(theirs, field, mine))
                for mine, theirs in (
                    (one.pieces, other.pieces)
                    for one, other in zip(self.one.said, self.other.said, strict=True)
                )
            )
            yield Difference(field, old, new, said)

    def __getitem__(self, index: Any) -> Any:
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def to_pandas(self) -> pandas.DataFrame:
        """Return one row a field: both values, and both texts of each target."""
        import pandas

        columns = ["field", "old", "new"]
        columns += [f"{target} {which}" for target in TARGETS for which in ("old", "new")]
        rows = [
            [each.field, each.old, each.new, *(_text(side) for pair in each.said for side in pair)]
            for each in self
        ]
        return pandas.DataFrame(rows, columns=columns)

    @property
    def _heading(self) -> str:
        one, other = self.one.spec.name, self.other.spec.name
        names = one if one == other else f"{one} and {other}"
        count = len(self)
        if not count:
            return f"{names}: the same guest"
        return f"{names}: {count} field{'s differ' if count > 1 else ' differs'}"

    def __repr__(self) -> str:
        lines = [printable(self._heading)]
        for each in self:
            lines.append(printable(f"{each.field}: {_value(each.old)} → {_value(each.new)}"))
            for target, (old, new) in zip(TARGETS, each.said, strict=True):
                for sign, side in (("-", old), ("+", new)):
                    text = _text(side).splitlines()
                    lines += [printable(f"  {target:<13}{sign} {line}") for line in text]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        headings = ("field", *(NAMES[target] for target in TARGETS))
        head = element("tr", *(element("th", each, scope="col", style=_HEAD) for each in headings))
        body = [_row(each) for each in self]
        table = element(
            "table",
            element("thead", head),
            element("tbody", *body),
            style="border-collapse:collapse;table-layout:fixed;width:100%;margin:0;font-size:13px",
        )
        title = element("div", element("b", self._heading), style="padding:6px 12px")
        shown = (title, table) if len(self) else (title,)
        return str(element("div", SHEET, *shown, class_="kvmnb-words kvmnb-diff", style=_BOX))


_BOX = f"{FONT};border:1px solid {LINE};border-radius:6px;max-width:100%"
_CELL = (
    f"text-align:left;vertical-align:top;padding:5px 10px;border-top:1px solid {LINE};"
    "overflow-wrap:anywhere"
)
_HEAD = f"{_CELL};font-weight:normal;{FAINT}"
_SIDES = (
    ("−", "var(--jp-error-color1,#d55e00)", "before"),
    ("+", "var(--jp-success-color1,#009e73)", "after"),
)


def _row(each: Difference) -> Html:
    values = [
        _side(index, join((_value(value),))) for index, value in enumerate((each.old, each.new))
    ]
    field = element("div", each.field, style="font-weight:600")
    cells = [element("td", field, *values, style=_CELL)]
    for target, pair in zip(TARGETS, each.said, strict=True):
        cells.append(element("td", *_sides(target, pair), style=_CELL))
    return element("tr", *cells)


def _value(value: Any) -> str:
    return "none" if value is None else repr(value)


def _sides(target: Target, pair: Words) -> list[Html]:
    shown = [
        _side(index, words(row.keys))
        for index, pieces in enumerate(pair)
        for row in explained(target, pieces)
    ]
    return shown or [element("span", "says the same", style="opacity:.45;font-style:italic")]


def _side(index: int, content: Html) -> Html:
    sign, color, meaning = _SIDES[index]
    mark = element("b", sign, style=f"color:{color};float:left;width:14px", title=meaning)
    body = element("div", content, style="margin-left:14px")
    edge = f"border-left:3px solid {color};padding-left:6px;margin:2px 0"
    return element("div", mark, body, style=f"{edge};{CODE}")


def _fields(one: DomainSpec, other: DomainSpec) -> Iterator[tuple[str, Any, Any]]:
    """Yield the fields that differ; of a longer tuple each item that the other has none for."""
    for field, old, new in differences(one, other):
        if not (isinstance(old, tuple) and isinstance(new, tuple) and field in _PARTS):
            yield field, old, new
            continue
        for index, pair in enumerate(itertools.zip_longest(old, new)):
            yield from differences(*pair, f"{field}[{index}]")


_PARTS = frozenset({field.name for field in dataclasses.fields(DomainSpec)})


def _lacking(pieces: Sequence[Piece], field: str, others: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return the pieces that speak of a field, less those that the other guest has too."""
    part = part_of(field)
    # where the number of devices differs, all of their kind are looked at
    whole = "[" not in part
    return tuple(
        piece
        for piece in pieces
        if piece not in others
        and (part_of(piece.field) == part or (whole and piece.field.partition("[")[0] == part))
    )


def _text(pieces: Sequence[Piece]) -> str:
    return "\n".join(" ".join(piece.words) for piece in pieces)
