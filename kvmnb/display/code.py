"""Source text to look at, to copy, or to hand on: it is a string."""

from __future__ import annotations

from kvmnb.markup import element, printable

__all__ = ["Code"]

STYLE = (
    "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.35;"
    "font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:13px"
)


class Code(str):
    """A text whose repr is the text itself, in a notebook in a fixed-width font."""

    __slots__ = ()

    def __repr__(self) -> str:
        return printable(str(self), keep="\n\t").rstrip("\n")

    def _repr_html_(self) -> str:
        shown = printable(str(self), keep="\n\t")
        return str(element("pre", shown, class_="kvmnb-code", style=STYLE))
