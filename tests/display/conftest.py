"""What a browser and a terminal would make of what we show."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

OURS = {"div", "span", "b", "table", "thead", "tbody", "tr", "th", "td", "pre", "code"} | {
    *("svg", "g", "path", "text", "tspan", "title"),
    *("a", "details", "summary", "style"),
}
MANUALS = ("https://www.qemu.org/docs/", "https://libvirt.org/", "https://github.com/virt-manager/")
ACTING = {"href", "src", "action", "formaction", "srcdoc", "data"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, value in attrs if not _manual(tag, name, value)}
        self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, "an element is closed that was not open"

    def handle_data(self, data):
        if "style" not in self._open:
            self.text += data


def _manual(tag: str, name: str, value: str) -> bool:
    """Return whether an attribute is that of a link to a manual, which alone may be clicked."""
    return (tag, name) == ("a", "href") and value.startswith(MANUALS)


@pytest.fixture(scope="session")
def read_html() -> Callable[[str], str]:
    """Return the text of our HTML, having made sure that it holds no element but ours."""

    def read(html: str) -> str:
        page = _Page()
        page.feed(html)
        page.close()
        assert page.tags <= OURS
        assert not [name for name in page.attributes if name.startswith("on")]
        assert not page.attributes & ACTING
        assert not page._open
        return page.text

    return read


@pytest.fixture(scope="session")
def harmless() -> Callable[[str], bool]:
    """Return whether a terminal would print a text, and neither obey it nor turn it round."""
    obeyed = {"Cc", "Cf", "Cs", "Zl", "Zp"}

    def check(text: str) -> bool:
        return all(unicodedata.category(c) not in obeyed for c in text if c != "\n")

    return check
