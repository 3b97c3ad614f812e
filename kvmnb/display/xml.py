"""A domain's XML to look at, to paste, or to hand on: it is a string."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from kvmnb.display.code import Code
from kvmnb.markup import Html, element, join, printable

if TYPE_CHECKING:
    from kvmnb.errors import Unsupported
    from kvmnb.explain.layers import Layers

__all__ = ["XML", "coloured"]


class XML(Code):
    """The text of a domain's XML, as ``virsh define`` takes it.

    Parameters
    ----------
    text : the XML
    left_out : what it has no words for; its repr says so in comments before the element
    layers : gives all three texts of the guest in pieces, for those who look at it in a
        notebook; ``None`` shows the XML alone
    """

    __slots__ = ("_layers", "left_out")

    left_out: tuple[Unsupported, ...]
    _layers: Callable[[], Layers] | None

    def __new__(
        cls,
        text: str,
        left_out: Sequence[Unsupported] = (),
        layers: Callable[[], Layers] | None = None,
    ) -> Self:
        made = super().__new__(cls, text)
        made.left_out, made._layers = tuple(left_out), layers
        return made

    def __repr__(self) -> str:
        if not self.left_out:
            return super().__repr__()
        from kvmnb.display.explained import leftovers

        # two hyphens would end a comment
        lines = (printable(line).replace("--", "- -") for line in leftovers(self.left_out))
        return "".join(f"<!-- {line} -->\n" for line in lines) + super().__repr__()

    def _repr_html_(self) -> str:
        if self._layers is not None:
            from kvmnb.display.explained import explained_html, in_step

            if (layers := in_step("libvirt", self._layers)) is not None:
                shown = coloured(str(self).rstrip("\n"))
                return str(explained_html("libvirt", shown, layers, self.left_out))
        return super()._repr_html_()


_PARTS = re.compile(r"(</?[\w:.-]+|/?>)|([\w:.-]+)(=)('[^']*')")
_TAG = "color:var(--jp-mirror-editor-tag-color,inherit);font-weight:600"
_NAME = "color:var(--jp-mirror-editor-attribute-color,inherit)"
_VALUE = "color:var(--jp-mirror-editor-string-color,inherit)"


def coloured(text: str) -> Html:
    """Return XML with tags, attributes and values in the colours of the notebook's editor."""
    text, shown, at = printable(text, keep="\n\t"), [], 0
    for found in _PARTS.finditer(text):
        shown.append(join((text[at : found.start()],)))
        at = found.end()
        if found[1]:
            shown.append(element("span", found[1], style=_TAG))
        else:
            name = element("span", found[2], style=_NAME)
            shown.append(join((name, "=", element("span", found[4], style=_VALUE))))
    return join((*shown, text[at:]))
