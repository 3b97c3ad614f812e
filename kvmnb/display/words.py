"""The words of a text, each coloured by the half of a device that it belongs to and explained.

Front halves, which the guest sees, and back halves, which the host provides, differ by colour and
by the kind of their line, so that nobody needs to tell the colours apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from kvmnb.compile.piece import Half
from kvmnb.explain.entry import Explained, Key
from kvmnb.explain.sections import Section
from kvmnb.markup import Html, element, join

__all__ = [
    "CODE",
    "FAINT",
    "FONT",
    "LEGEND",
    "LINE",
    "SHEET",
    "chip",
    "chips",
    "link",
    "piece",
    "words",
]

LINE = "var(--jp-border-color2,rgba(128,128,128,.4))"
FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.45"
CODE = (
    "font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:12px;line-height:1.5;"
    "white-space:pre-wrap;overflow-wrap:anywhere"
)
FAINT = "opacity:.65"

SHEET = element(
    "style",
    # the tints need color-mix; without it there are still the lines
    ".kvmnb-words{--kvmnb-front:var(--jp-brand-color1,#2b7fd4);"
    "--kvmnb-back:var(--jp-warn-color1,#d98014)}"
    ".kvmnb-words .kvmnb-f{border-bottom:1.5px solid var(--kvmnb-front);"
    "background:color-mix(in srgb,var(--kvmnb-front) 11%,transparent)}"
    ".kvmnb-words .kvmnb-b{border-bottom:1.5px dotted var(--kvmnb-back);"
    "background:color-mix(in srgb,var(--kvmnb-back) 13%,transparent)}"
    ".kvmnb-words [title]{cursor:help}"
    ".kvmnb-words .kvmnb-f[title]:hover,.kvmnb-words .kvmnb-b[title]:hover"
    "{background:color-mix(in srgb,currentColor 22%,transparent)}"
    ".kvmnb-words .kvmnb-n[title]:hover{background:color-mix(in srgb,currentColor 15%,transparent)}"
    ".kvmnb-words .kvmnb-row:hover{background:var(--jp-layout-color2,rgba(128,128,128,.12))}"
    ".kvmnb-words .kvmnb-row:hover .kvmnb-else{display:block}"
    ".kvmnb-words .kvmnb-else{display:none;position:absolute;z-index:9;left:12px;width:max-content;"
    "max-width:min(860px,88%);padding:8px 12px;border-radius:6px;text-align:left;"
    "border:1px solid var(--jp-border-color1,#999);background:var(--jp-layout-color1,Canvas);"
    "color:var(--jp-ui-font-color1,CanvasText);box-shadow:0 4px 14px rgba(0,0,0,.3)}"
    ".kvmnb-words a{color:var(--jp-content-link-color,inherit);text-decoration:none}"
    ".kvmnb-words a:hover{text-decoration:underline}"
    ".kvmnb-words summary{cursor:pointer}",
)
"""What inline styles cannot say: hovering. Where it is stripped, all is still there to be read."""

_CLASSES: dict[Half, str] = {"front": "kvmnb-f", "back": "kvmnb-b", "": "kvmnb-n"}
_CHIP = (
    "display:inline-block;font-size:10.5px;line-height:1.35;padding:0 6px;border-radius:8px;"
    "letter-spacing:.02em;border:1px"
)
_EDGE = {
    "front": "solid var(--kvmnb-front,#2b7fd4)",
    "back": "dotted var(--kvmnb-back,#d98014)",
    "": "solid transparent",
}


def chip(half: Half) -> Html:
    """Return the word for a half in its colour; nothing for what has none."""
    if not half:
        return Html("")
    said = {"front": "what the guest sees", "back": "what the host provides"}[half]
    return element("span", half, style=f"{_CHIP} {_EDGE[half]}", title=said)


def chips(row: Explained) -> Html:
    """Return the words for the halves that a piece speaks of: its own, or those of its parts."""
    halves = {row.half} if row.half else {key.half for key in row.keys}
    return join(chip(half) for half in ("back", "front") if half in halves)


LEGEND = join(
    (
        chip("front"),
        element("span", " what the guest sees   ", style=FAINT),
        chip("back"),
        element("span", " what the host provides", style=FAINT),
    )
)


def words(keys: Iterable[Key]) -> Html:
    """Return the parts of a text, each with its colour, and its meaning where a mouse rests.

    Lines break after commas, where there are some.
    """
    given, shown = list(keys), []
    for key, following in zip(given, [*given[1:], None], strict=True):
        if key.text == ",":
            continue
        word = _word(key)
        if following is not None and following.text == ",":
            word = element("span", word, ",", style="display:inline-block")
        shown.append(word)
    return join(shown)


def _word(key: Key) -> Html:
    if not key.text.strip() or not (key.half or key.meaning):
        return join((key.text,))
    default = f" (default: {key.default})" if key.default else ""
    title = f"{key.meaning}{default}" if key.meaning else None
    return element("span", key.text, class_=_CLASSES[key.half], title=title)


def piece(row: Explained, *, named: bool) -> Html:
    """Return one piece of a text, with a line in its half's colour before it.

    Parameters
    ----------
    named : the half's word stands beside it
    """
    edge = f"border-left:3px {_EDGE[row.half]};padding-left:7px;margin:1px 0"
    word = element("span", chip(row.half), style="float:right;margin-left:6px") if named else ""
    shown = (word, words(row.keys))
    return element("div", *shown, style=f"{edge};{CODE}", title=row.meaning or None)


def link(section: Section | None) -> Html:
    """Return where a manual describes something, to click."""
    if section is None:
        return Html("")
    title = section.title.rpartition(" / ")[2]
    full = f"{section.manual}: {section.title}"
    return element("a", title, href=section.url, target="_blank", rel="noopener", title=full)
