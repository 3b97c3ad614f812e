"""A disk chain as a picture: who writes where, what stands on what, how full each file is."""

from __future__ import annotations

import os
from collections.abc import Sequence

from kvmnb.images.qemu_img.answers import Info
from kvmnb.markup import Html, element, printable
from kvmnb.units import human

__all__ = ["draw"]

WIDTH, BOX, GAP, TOP = 460.0, 58.0, 38.0, 34.0
LEFT, RIGHT = 10.0, 450.0
LONGEST_NAME = 44
MOST_BOXES = 12
"""Boxes in one picture; of a longer chain the images in the middle are only counted."""

WRITTEN, READ = "#D55E00", "#0072B2"
"""Vermilion and blue of Okabe and Ito's palette, which colour-blind people can tell apart."""


def draw(layers: Sequence[Info]) -> Html:
    """Return the images as boxes, topmost first, with arrows to what each stands on.

    Text and lines have the colour of the text around, so the picture suits a light and a dark
    page. The bar in a box shows how much of the disk's size the file takes on the host.
    """
    shown: list[Info | int] = [*layers]
    if len(layers) > MOST_BOXES:
        upper, lower = layers[: MOST_BOXES // 2], layers[-(MOST_BOXES // 2) + 1 :]
        shown = [*upper, len(layers) - len(upper) - len(lower), *lower]
    pieces = [_text(LEFT, 14, "a guest writes here", fill=WRITTEN), _arrow(18, TOP - 2, WRITTEN)]
    y = TOP
    for index, layer in enumerate(shown):
        if index:
            pieces.append(_arrow(y + 2, y + GAP - 2, READ))
            if index == 1 or len(shown) == 2:
                pieces.append(_text(LEFT + 42, y + GAP / 2 + 4, "stands on; read only", fill=READ))
            y += GAP
        if isinstance(layer, int):
            pieces.append(_text(LEFT + 42, y + 12, f"… {layer} more images …"))
            y += 20
        else:
            pieces += _box(layer, y, index == 0)
            y += BOX
    names = " stands on ".join(os.path.basename(each.path) for each in layers[:MOST_BOXES])
    return element(
        "svg",
        element("title", f"disk chain: {names}"),
        *pieces,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {y + 6:g}",
        width=f"{WIDTH:g}",
        role="img",
        class_="kvmnb-chain",
        fill="currentColor",
        font_size="12",
        font_family="var(--jp-ui-font-family, system-ui, sans-serif)",
        style="max-width:100%;height:auto;display:block",
    )


def _box(layer: Info, y: float, top: bool) -> list[Html]:
    color = WRITTEN if top else READ
    name = printable(os.path.basename(layer.path))
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 15]}…{name[-14:]}"
    share = min(1.0, layer.on_disk_bytes / layer.size_bytes) if layer.size_bytes else 0.0
    room = RIGHT - LEFT - 24
    facts = f"{layer.format} · {human(layer.size_bytes)} · {human(layer.on_disk_bytes)} on disk"
    if layer.snapshots:
        facts += f" · {len(layer.snapshots)} snapshot{'s' * (len(layer.snapshots) > 1)}"
    frame = {"rx": "5", "fill": color, "stroke": color}
    bar = {"height": "4", "rx": "2", "fill": color}
    return [
        element(
            "rect",
            element("title", layer.path),
            **_at(LEFT, y, RIGHT - LEFT),
            height=f"{BOX:g}",
            fill_opacity=".07",
            **frame,
        ),
        _text(LEFT + 12, y + 21, name, font_weight="600"),
        _text(LEFT + 12, y + 38, facts, opacity=".8"),
        element("rect", **_at(LEFT + 12, y + 47, room), **bar, fill_opacity=".18"),
        element("rect", **_at(LEFT + 12, y + 47, max(2.0, room * share)), **bar),
    ]


def _at(x: float, y: float, width: float) -> dict[str, str]:
    return {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:.4g}"}


def _arrow(start: float, end: float, color: str) -> Html:
    x = LEFT + 24
    path = f"M{x:g} {start:g}V{end:g}m-4 -5l4 5l4 -5"
    return element(
        "path", d=path, fill="none", stroke=color, stroke_width="1.6", stroke_linecap="round"
    )


def _text(x: float, y: float, content: str, **how: str) -> Html:
    return element("text", content, x=f"{x:g}", y=f"{y:g}", **how)
