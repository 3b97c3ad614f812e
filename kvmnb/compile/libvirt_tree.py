"""XML read into a tree of nodes that know where they stand; nothing from outside is loaded."""

from __future__ import annotations

import re
from xml.parsers import expat

from kvmnb.errors import ParseError

__all__ = ["Node", "Tree", "read"]

SIZE_LIMIT = 4 << 20
"""Bytes of a text that are read: libvirt's own limit for one XML document
(src/remote/remote_protocol.x, REMOTE_STRING_MAX)."""

DEPTH_LIMIT = 64
"""Elements inside each other; libvirt's schema nests fewer than twenty, but for metadata."""

COUNT_LIMIT = 50_000
"""Elements of one text; a guest with every slot filled has some three thousand."""


class Node:
    """One element: its attributes and children, and where in the text it stands.

    Who reads it says so: what nobody has taken when all is read is what no field stands for.
    """

    __slots__ = (
        *("attributes", "children", "end", "parts", "scope", "start", "tag", "taken", "visited"),
    )

    def __init__(
        self, tag: str, attributes: dict[str, str], start: int, scope: dict[str, str]
    ) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node] = []
        self.parts: list[str] = []
        self.start = start
        self.end = start
        self.scope = scope
        self.taken: set[str] = set()
        self.visited = False

    @property
    def text(self) -> str:
        """What stands between the tags, as it is."""
        return "".join(self.parts)

    @property
    def uri(self) -> str:
        """The namespace that the element's prefix stands for; empty for one without a prefix."""
        prefix, colon, _ = self.tag.partition(":")
        return self.scope.get(prefix, "") if colon else ""

    @property
    def local(self) -> str:
        """The name without its prefix."""
        return self.tag.rpartition(":")[2]

    def take(self, name: str) -> str | None:
        """Return an attribute, and count it as read."""
        self.taken.add(name)
        return self.attributes.get(name)

    def peek(self, name: str) -> str | None:
        """Return an attribute without counting it as read."""
        return self.attributes.get(name)

    def child(self, tag: str) -> Node | None:
        """Return the first child that is called so, and count it as seen."""
        for each in self.children:
            if each.tag == tag:
                each.visited = True
                return each
        return None

    def all(self, tag: str) -> list[Node]:
        """Return every child that is called so."""
        return [each for each in self.children if each.tag == tag]

    def drop(self) -> None:
        """Count the element and all in it as read."""
        self.visited = True
        self.taken.update(self.attributes)
        for each in self.children:
            each.drop()


class Tree:
    """A text that was read: its root, and the way from bytes back to characters."""

    def __init__(self, text: str, data: bytes, root: Node) -> None:
        self.text, self.data, self.root = text, data, root
        self._counts: list[int] | None = None

    def position(self, offset: int) -> int:
        """Return the index of the character that begins at a byte."""
        if len(self.data) == len(self.text):
            return offset
        if self._counts is None:
            self._counts = [0]
            for begin in range(0, len(self.data), _BLOCK):
                self._counts.append(
                    self._counts[-1] + _characters(self.data, begin, begin + _BLOCK)
                )
        block = offset // _BLOCK
        return self._counts[block] + _characters(self.data, block * _BLOCK, offset)

    def verbatim(self, node: Node) -> str:
        """Return an element to the letter; it declares the prefixes that it needs itself."""
        bracket = _bracket(self.data, node.start)
        # an empty element's end is known by its start tag, any other's by its end tag
        empty = self.data[bracket - 1 : bracket] == b"/"
        end = bracket if empty else self.data.index(b">", node.end)
        text = self.data[node.start : end + 1].decode()
        missing = sorted(_prefixes(node) - {"xml", "xmlns"})
        if not missing:
            return text
        added = "".join(
            f' xmlns:{prefix}="{_attribute(node.scope[prefix])}"'
            for prefix in missing
            if prefix in node.scope
        )
        split = 1 + len(node.tag)
        return text[:split] + added + text[split:]


_BLOCK = 4096


def _characters(data: bytes, begin: int, end: int) -> int:
    # every byte of UTF-8 begins a character but those of the form 10xxxxxx
    part = data[begin:end]
    return len(part) - len(part.translate(None, _BEGIN))


_BEGIN = bytes(byte for byte in range(256) if byte & 0xC0 != 0x80)


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _prefixes(node: Node) -> set[str]:
    """Return the prefixes that an element uses and does not declare."""
    used = {name.split(":", 1)[0] for name in (node.tag, *node.attributes) if ":" in name}
    for each in node.children:
        used |= _prefixes(each)
    declared = {name[6:] for name in node.attributes if name.startswith("xmlns:")}
    return used - declared


def read(text: str) -> Tree:
    """Return the tree of an XML text.

    There are no entities but XML's own five, and nothing is fetched: a document type is refused.

    Raises
    ------
    ParseError   it is no XML, or too large, or nested too deep
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise ParseError(text, error.start, "no character: half of a surrogate pair") from None
    if len(data) > SIZE_LIMIT:
        raise ParseError(text, 0, f"{len(data)} bytes; at most {SIZE_LIMIT} are read")
    reader = _Reader(text, data)
    reader.run()
    return Tree(text, data, reader.roots[0])


class _Refused(Exception):
    """What stops expat from within; it never leaves this module."""


class _Reader:
    def __init__(self, text: str, data: bytes) -> None:
        self.text, self.data = text, data
        self.roots: list[Node] = []
        self.stack: list[Node] = []
        self.scopes: list[dict[str, str]] = [{}]
        self.count = 0
        # the text is in UTF-8 by now, whatever its first line claims
        self.parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self.begin
        parser.EndElementHandler = self.finish
        parser.CharacterDataHandler = self.characters
        parser.StartDoctypeDeclHandler = self.doctype
        parser.EntityDeclHandler = self.doctype

    def run(self) -> None:
        try:
            self.parser.Parse(self.data, True)
        except _Refused as refused:
            self.fail(self.parser.CurrentByteIndex, str(refused))
        except expat.ExpatError as error:
            reason = expat.errors.messages.get(error.code, "no XML")
            self.fail(self.parser.ErrorByteIndex, f"no well-formed XML: {reason}")

    def fail(self, offset: int, reason: str) -> None:
        before = self.data[: max(offset, 0)].decode(errors="ignore")
        raise ParseError(self.text, min(len(before), len(self.text)), reason) from None

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > COUNT_LIMIT:
            raise _Refused(f"more than {COUNT_LIMIT} elements")
        if len(self.stack) >= DEPTH_LIMIT:
            raise _Refused(f"more than {DEPTH_LIMIT} elements inside each other")
        scope = self.scopes[-1]
        declared = {name[6:]: uri for name, uri in attributes.items() if name[:6] == "xmlns:"}
        if declared:
            scope = {**scope, **declared}
        self.scopes.append(scope)
        node = Node(tag, attributes, self.parser.CurrentByteIndex, scope)
        (self.stack[-1].children if self.stack else self.roots).append(node)
        self.stack.append(node)

    def finish(self, tag: str) -> None:
        self.scopes.pop()
        self.stack.pop().end = self.parser.CurrentByteIndex

    def characters(self, text: str) -> None:
        if self.stack:
            self.stack[-1].parts.append(text)

    def doctype(self, *_: object) -> None:
        raise _Refused("a document type, or an entity of its own, has no place in a domain's XML")


_TAG = re.compile(rb"""<[^<>"']*(?:"[^"]*"[^<>"']*|'[^']*'[^<>"']*)*""")


def _bracket(data: bytes, begin: int) -> int:
    """Return where the tag's closing bracket is; one in an attribute's value does not count."""
    found = _TAG.match(data, begin)
    return begin if found is None else found.end()
