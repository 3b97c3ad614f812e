"""What the elements of a domain's XML mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from kvmnb.compile.piece import Half, Piece
from kvmnb.explain.entry import Entry, Explained, Key, say
from kvmnb.explain.libvirt_elements import ATTRIBUTES, ELEMENTS
from kvmnb.explain.qemu import KEPT
from kvmnb.explain.sections import SECTIONS

__all__ = ["explain_libvirt", "tags"]

_TOKEN = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<[/?!]?[^<>'\"]*(?:'[^']*'[^<>'\"]*|\"[^\"]*\"[^<>'\"]*)*>",
    re.S,
)
_ATTRIBUTE = re.compile(r"([\w:.-]+)\s*=\s*('[^']*'|\"[^\"]*\")")
_NAME = re.compile(r"</?\s*([\w:.-]+)")

_PORT = {"target", "address", "alias"}
_FRONT = {
    "disk": {"target", "readonly", "serial", "boot", "address", "alias", "wwn", "vendor"},
    "interface": {"mac", "model", "boot", "address", "alias", "link", "mtu", "rom"},
    "filesystem": {"target", "address", "readonly"},
    **dict.fromkeys(("serial", "parallel", "console", "channel"), _PORT),
    "video": {"model"},
    "sound": {"codec"},
    "rng": {"rate"},
    "hostdev": {"address", "boot", "rom", "alias"},
}
"""Children that say what the guest sees, by device; every other one says what the host provides."""

_BACK = {"tpm": {"backend"}, "rng": {"backend"}, "sound": {"audio"}, "graphics": {"listen"}}
_ATTRIBUTE_HALF: dict[tuple[str, str], Half] = {
    ("disk", "type"): "back",
    ("disk", "device"): "front",
    ("interface", "type"): "back",
    ("tpm", "model"): "front",
    ("rng", "model"): "front",
    ("sound", "model"): "front",
    **{(tag, "type"): "back" for tag in ("serial", "parallel", "console", "channel", "audio")},
    **{("filesystem", name): "back" for name in ("type", "accessmode")},
}
_KEPT = Entry(KEPT, "", SECTIONS["xml-element"])
_UNKNOWN = Entry("", "", None)


def tags(text: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Yield ``(path, text between the tags, attributes)`` of an element and all within it."""
    open_: list[tuple[str, Mapping[str, str]]] = []
    seen: list[tuple[str, str, Mapping[str, str]]] = []
    at = 0
    for found in _TOKEN.finditer(text):
        between, at = text[at : found.start()].strip(), found.end()
        token = found[0]
        name = _NAME.match(token)
        if name is None:
            continue
        if token.startswith("</"):
            path = "/".join(tag for tag, _ in open_)
            if open_:
                seen.append((path, plain(between), open_.pop()[1]))
            continue
        attributes = {each[1]: plain(each[2][1:-1]) for each in _ATTRIBUTE.finditer(token)}
        open_.append((name[1], attributes))
        if token.endswith("/>"):
            seen.append(("/".join(tag for tag, _ in open_), "", open_.pop()[1]))
    while open_:  # a start tag alone, as that of the domain
        path = "/".join(tag for tag, _ in open_)
        seen.append((path, "", open_.pop()[1]))
    return iter(seen)


def plain(text: str) -> str:
    """Return text as it was before it was quoted for XML."""
    import html

    return html.unescape(text)


def explain_libvirt(piece: Piece) -> Iterator[Explained]:
    """Yield a piece's element, explained; what is not known has no section."""
    for text in piece.words:
        inside = list(tags(text))
        root = inside[-1][0].split("/")[0] if inside else ""
        values: dict[str, str] = {}
        for path, content, attributes in inside:
            within = path.partition("/")[2]
            values.update({f"{within}@{name}": value for name, value in attributes.items()})
            if content:
                values.setdefault(within or "text", content)
        entry = known(root) if root else _UNKNOWN
        if piece.field.startswith("extra_xml"):
            entry = _KEPT
        meaning = say(entry.meaning, values)
        keys = tuple(_keys(text, piece))
        yield Explained(
            piece.field, piece.half, (text,), meaning, entry.default, entry.section, keys
        )


def known(path: str) -> Entry:
    """Return the entry of an element by its path, the most exact that there is."""
    parent, _, tag = path.rpartition("/")
    first = path.partition("/")[0]
    for name in (path, f"{parent}/{tag.partition(':')[0]}:*", f"*/{tag}", f"{first}/*"):
        if name in ELEMENTS and (parent or name == path):
            return ELEMENTS[name]
    return _UNKNOWN


def _keys(text: str, piece: Piece) -> Iterator[Key]:
    """Yield the tags of an element and what is between them, each with its half and meaning."""
    open_: list[str] = []
    at = 0
    for found in _TOKEN.finditer(text):
        if found.start() > at:
            yield Key(text[at : found.start()], _half(open_, piece))
        at, token = found.end(), found[0]
        name = _NAME.match(token)
        if name is None:
            yield Key(token, "")
            continue
        if token.startswith("</"):
            yield Key(token, _half(open_, piece))
            if open_:
                open_.pop()
            continue
        open_.append(name[1])
        yield from _tag(token, name[1], open_, piece)
        if token.endswith("/>"):
            open_.pop()
    if at < len(text):
        yield Key(text[at:], "")


def _tag(token: str, name: str, open_: list[str], piece: Piece) -> Iterator[Key]:
    half = _half(open_, piece)
    entry = _KEPT if piece.field.startswith("extra_xml") else known("/".join(open_))
    attributes = {each[1]: plain(each[2][1:-1]) for each in _ATTRIBUTE.finditer(token)}
    values = {f"@{key}": value for key, value in attributes.items()}
    meaning = say(entry.meaning, values) if "{text" not in entry.meaning and len(open_) > 1 else ""
    at = 1 + len(name)
    yield Key(token[:at], half, meaning, entry.default if meaning else "")
    for each in _ATTRIBUTE.finditer(token):
        if each.start() > at:
            yield Key(token[at : each.start()], half)
        own = _ATTRIBUTE_HALF.get((name, each[1]), half) if len(open_) == 1 else half
        said = ATTRIBUTES.get(each[1]) if not meaning else None
        words = say(said.meaning, {"value": plain(each[2][1:-1])}) if said else ""
        yield Key(each[0], own, words, said.default if said else "")
        at = each.end()
    yield Key(token[at:], half)


def _half(open_: list[str], piece: Piece) -> Half:
    if piece.half or len(open_) < 2:
        return piece.half
    root, child = open_[0], open_[1]
    if child in _BACK.get(root, ()):
        return "back"
    if root in _FRONT:
        return "front" if child in _FRONT[root] else "back"
    return ""
