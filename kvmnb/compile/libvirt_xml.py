"""The one place where XML is put together and quoted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from kvmnb.errors import Unsupported

__all__ = ["Element", "Raw", "check", "name_of", "path_of", "quoted", "refused", "server_of"]

_SPECIAL = re.compile("[&<>'\t\n\r]")
_IN_TEXT = re.compile("[&<>\r]")
_QUOTES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "'": "&apos;",
    # a reader makes spaces of these in an attribute, and a newline of a return anywhere
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to say, quoted or not (its section 2.2, "Characters")."""

INDENT = "  "


def quoted(text: str, *, attribute: bool = True) -> str:
    """Return `text` as it stands in an attribute, or between tags, where its lines stay lines."""
    special = _SPECIAL if attribute else _IN_TEXT
    if special.search(text) is None:
        return text
    return special.sub(lambda found: _QUOTES[found[0]], text)


class Raw:
    """One element as somebody wrote it, kept to the letter."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Element:
    """One element of XML: attributes in order, then text or children.

    Attributes whose value is ``None`` are left out, booleans become ``yes`` and ``no``.
    """

    __slots__ = ("attributes", "children", "tag", "text")

    def __init__(
        self,
        tag: str,
        /,
        *children: Element | Raw | None,
        text: str | None = None,
        more: Mapping[str, str] | None = None,
        **attributes: str | int | bool | None,
    ) -> None:
        self.tag = tag
        self.text = text
        self.children: list[Element | Raw] = [each for each in children if each is not None]
        self.attributes: dict[str, str] = {}
        for key, value in attributes.items():
            if value is not None:
                self.attributes[key] = _plain(value)
        if more is not None:
            self.attributes.update(more)

    def start(self) -> str:
        """Return the start tag, without its end."""
        parts = [f" {key}='{quoted(value)}'" for key, value in self.attributes.items()]
        return f"<{self.tag}{''.join(parts)}"

    def lines(self, indent: str = "") -> list[str]:
        """Return the element as lines, its children two spaces further in."""
        if self.children:
            made = [f"{indent}{self.start()}>"]
            for child in self.children:
                if isinstance(child, Raw):
                    made.append(f"{indent}{INDENT}{child.text}")
                else:
                    made += child.lines(indent + INDENT)
            made.append(f"{indent}</{self.tag}>")
            return made
        if self.text is not None:
            return [f"{indent}{self.start()}>{self._content()}</{self.tag}>"]
        return [f"{indent}{self.start()}/>"]

    def _content(self) -> str:
        return quoted(self.text or "", attribute=False)

    def child(self, tag: str) -> Element | None:
        """Return the first child that is called so."""
        for each in self.children:
            if isinstance(each, Element) and each.tag == tag:
                return each
        return None


def _plain(value: str | int | bool) -> str:
    if value is True:
        return "yes"
    if value is False:
        return "no"
    return str(value)


def refused(field: str, hint: str) -> NoReturn:
    """Raise for what libvirt has no words for."""
    raise Unsupported("libvirt", field, hint)


def check(field: str, text: str) -> str:
    """Return `text` if XML can hold all of it."""
    found = _FORBIDDEN.search(text)
    if found is not None:
        refused(field, f"XML cannot hold the character U+{ord(found[0]):04X}")
    return text


def path_of(field: str, path: str) -> str:
    """Return `path` if libvirt's schema takes it: absolute, and on one line."""
    if not path.startswith("/") or len(path) < 2:
        refused(field, f"libvirt wants an absolute path, and this one is not: {path!r}")
    if "\n" in path or "\r" in path:
        refused(field, f"libvirt's paths have no line breaks, and this one has: {path!r}")
    return path


_NAMES = {
    "device": re.compile(r"[a-zA-Z0-9_.\\:/-]+", re.ASCII),
    "bridge": re.compile(r"[a-zA-Z0-9_.\\:/ -]+", re.ASCII),
    "alias": re.compile(r"[a-zA-Z0-9_.-]+", re.ASCII),
    "model": re.compile(r"[a-zA-Z0-9_-]+", re.ASCII),
    "machine": re.compile(r"[a-zA-Z0-9_.-]+", re.ASCII),
    "serial": re.compile(r"[A-Za-z0-9_.+ -]+", re.ASCII),
    "server": re.compile(r"[a-zA-Z0-9.-]+", re.ASCII),
}
"""The signs that libvirt's schema (basictypes.rng, domaincommon.rng) lets names have."""


def name_of(field: str, kind: str, name: str) -> str:
    """Return `name` if libvirt's schema takes it as a name of that kind."""
    if _NAMES[kind].fullmatch(name) is None:
        refused(field, f"libvirt's names for it are made of other signs than {name!r}")
    return name


def server_of(field: str, host: str, *, only_ipv4: bool = False) -> str:
    """Return `host` if libvirt's schema takes it: a name, or an address without a zone."""
    import ipaddress

    if only_ipv4:
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            refused(field, f"libvirt wants an IPv4 address here, such as 127.0.0.1: {host!r}")
    if _NAMES["server"].fullmatch(host) is None:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            refused(field, f"libvirt takes no such name or address: {host!r}")
        if "%" in host:
            refused(field, f"libvirt's addresses have no zone: {host!r}")
    return host
