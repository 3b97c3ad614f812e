"""One guest in three languages, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kvmnb.compile.piece import Piece
from kvmnb.display.explained import NAMES
from kvmnb.display.words import CODE, FAINT, FONT, LEGEND, LINE, SHEET, piece
from kvmnb.explain.layers import TARGETS, Layers, Part
from kvmnb.explain.targets import explained
from kvmnb.markup import Html, element, printable
from kvmnb.spec.domain import DomainSpec

if TYPE_CHECKING:
    import pandas

    from kvmnb.compile.targets import Target
    from kvmnb.errors import Unsupported

__all__ = ["LayersView", "title_of"]

TITLES = {
    "accel": "accelerator",
    "acpi": "ACPI",
    "agent": "guest agent",
    "cpu": "processors",
    "extra_args": "words kept for QEMU",
    "extra_xml": "elements kept for libvirt",
    "numa": "NUMA nodes",
    "osinfo": "what runs in it",
    "rng": "entropy source",
    "runtime": "the programs",
    "scsi": "SCSI controller",
    "tpm": "TPM",
    "usb": "USB controller",
    "uuid": "UUID",
    "vmgenid": "generation id",
    "vsock": "host-guest sockets",
}
SINGULAR = {
    "cdroms": "CD-ROM",
    "floppies": "floppy",
    "nics": "network card",
    "serials": "serial port",
    "parallels": "parallel port",
    "monitors": "monitor",
    "videos": "graphics card",
    "sounds": "sound card",
    "hostdevs": "host device",
    "shares": "share",
}

_COLUMNS = (
    "display:grid;grid-template-columns:minmax(7.7em,2.4fr) minmax(0,10fr) minmax(0,10fr) "
    f"minmax(0,9fr);border-top:1px solid {LINE}"
)
_BOX = f"{FONT};border:1px solid {LINE};border-radius:6px;max-width:100%"
_TOP = "display:flex;flex-wrap:wrap;gap:2px 18px;padding:7px 12px"
_SHADE = "background:var(--jp-layout-color2,rgba(128,128,128,.1))"
_NAME = f"padding:5px 10px 6px 12px;min-width:0;{_SHADE}"

_CELL = f"padding:5px 8px 6px;min-width:0;border-left:1px solid {LINE}"
_FOLD = f"padding:5px 12px;border-top:1px solid {LINE};{_SHADE}"


def title_of(field: str) -> str:
    """Return what people call a part: ``disks[0]`` is the first disk."""
    name, _, index = field.partition("[")
    if not index:
        return TITLES.get(name, name.replace("_", " "))
    number = int(index.rstrip("]")) + 1
    one = SINGULAR.get(name, name.removesuffix("s"))
    return one if number == 1 else f"{one} {number}"


class LayersView:
    """One guest as QEMU command, domain XML and virt-install line, part by part."""

    def __init__(self, layers: Layers) -> None:
        self.layers = layers

    @property
    def parts(self) -> tuple[Part, ...]:
        """The guest part by part: what each of the three says of it, and what it cannot say."""
        return self.layers.parts

    def to_pandas(self) -> pandas.DataFrame:
        """Return one row a part: its words in each language."""
        import pandas

        rows = [
            {"part": part.field}
            | {target: _text(target, part, place) for place, target in enumerate(TARGETS)}
            for part in self.parts
        ]
        return pandas.DataFrame(rows, columns=["part", *TARGETS])

    def __repr__(self) -> str:
        blocks = []
        for part in self.parts:
            lines = [f"{title_of(part.field)}  ({part.field})"]
            for place, target in enumerate(TARGETS):
                body = _text(target, part, place).splitlines() or ["-"]
                lines += [
                    f"  {target if number == 0 else '':<13} {line}"
                    for number, line in enumerate(body)
                ]
            blocks.append("\n".join(map(printable, lines)))
        heading = f"{printable(self.layers.spec.name)}: one guest in three languages"
        return "\n\n".join((heading, *blocks))

    def _repr_html_(self) -> str:
        top = element(
            "div",
            element("b", f"{self.layers.spec.name}: one guest in three languages"),
            element("span", LEGEND),
            element("span", "rest the mouse on a word for its meaning", style=FAINT),
            style=_TOP,
        )
        heads = [element("div", "", style=_NAME)]
        heads += [element("div", element("b", NAMES[target]), style=_CELL) for target in TARGETS]
        shown, alone, own = self._sorted()
        html = element(
            "div",
            SHEET,
            top,
            element("div", *heads, style=_COLUMNS),
            *map(_part, shown),
            _folded("what only one or two of them have to say, and nobody asked for", alone),
            _folded("what the programs add for themselves", own),
            class_="kvmnb-words kvmnb-layers",
            style=_BOX,
        )
        return str(html)

    def _sorted(self) -> tuple[list[Part], list[Part], list[Part]]:
        """Return the parts that were asked for, those that some text must name, the programs'."""
        shown: list[Part] = []
        alone: list[Part] = []
        own: list[Part] = []
        for part in self.parts:
            silent = not all(part.said) and not any(part.unsaid)
            if part.field == "runtime":
                own.append(part)
            elif silent and not self._asked(part.field):
                alone.append(part)
            else:
                shown.append(part)
        return shown, alone, own

    def _asked(self, field: str) -> bool:
        name, _, index = field.partition("[")
        value = getattr(self.layers.spec, name)
        return bool(index) or (not isinstance(value, tuple) and value != _DEFAULTS[name])


_DEFAULTS = {field.name: field.default for field in dataclasses.fields(DomainSpec)}


def _folded(title: str, parts: list[Part]) -> Html:
    if not parts:
        return Html("")
    return element("details", element("summary", title, style=_FOLD), *map(_part, parts))


def _part(part: Part) -> Html:
    name = element(
        "div",
        element("div", title_of(part.field), style="font-weight:600;line-height:1.3"),
        element("div", part.field, style=f"{FAINT};{CODE};font-size:11px"),
        style=_NAME,
    )
    cells = [
        element("div", *_cell(target, part, place), style=_CELL)
        for place, target in enumerate(TARGETS)
    ]
    return element("div", name, *cells, style=_COLUMNS)


def _cell(target: Target, part: Part, place: int) -> list[Html]:
    shown: list[Html] = []
    half = ""
    for row in explained(target, part.said[place]):
        shown.append(piece(row, named=row.half != half))
        half = row.half
    shown += [_unsaid(error) for error in part.unsaid[place]]
    if not shown:
        nothing = {"runtime": "nothing"}.get(part.field, "says nothing of it")
        shown = [element("span", nothing, style="opacity:.45;font-style:italic")]
    return shown


def _unsaid(error: Unsupported) -> Html:
    return element(
        "div",
        element("span", f"⊘ no words for {error.field}", style="font-style:italic"),
        element("span", f" · {error.hint}", style=FAINT),
        style="font-size:12px;overflow-wrap:anywhere",
    )


def _text(target: Target, part: Part, place: int) -> str:
    lines: list[str] = []
    for each in part.said[place]:
        lines += _said(each)
    lines += [f"(no words for {error.field}: {error.hint})" for error in part.unsaid[place]]
    return "\n".join(lines)


def _said(piece: Piece) -> Sequence[str]:
    text = " ".join(piece.words)
    marked = f"{piece.half + ':':<7}{text}" if piece.half else text
    return marked.splitlines()
