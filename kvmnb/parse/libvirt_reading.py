"""What all readers of domain XML share: the tree, the notes, and what no field stands for."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterator, Mapping
from typing import NoReturn, TypeVar

from kvmnb.compile.libvirt_tree import Node, Tree
from kvmnb.compile.libvirt_xml import quoted
from kvmnb.errors import ParseError, SpecError
from kvmnb.parse.result import Kind, Note
from kvmnb.spec.platform import ExtraXML

__all__ = ["Keep", "Reading"]

T = TypeVar("T")

UNITS = {
    **dict.fromkeys(("b", "byte", "bytes"), 1),
    **dict.fromkeys(("k", "kib"), 1 << 10),
    **dict.fromkeys(("m", "mib"), 1 << 20),
    **dict.fromkeys(("g", "gib"), 1 << 30),
    **dict.fromkeys(("t", "tib"), 1 << 40),
    **dict.fromkeys(("p", "pib"), 1 << 50),
    **dict.fromkeys(("e", "eib"), 1 << 60),
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "pb": 10**15,
    "eb": 10**18,
}
"""Bytes of each unit, whatever its case (libvirt, "Memory Allocation")."""

_DIGITS = re.compile("[0-9]{1,19}", re.ASCII)
_HEX = re.compile("(0x)?[0-9a-fA-F]{1,8}", re.ASCII)


class Keep(Exception):
    """Raised where an element is libvirt's own: it stays as it is, as a whole."""


class Reading:
    """One text while it is read.

    Attributes
    ----------
    tree : what is read
    notes : what a reader should know, by position
    extras : what no field stands for
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.notes: list[Note] = []
        self.extras: list[ExtraXML] = []
        self._said: set[str] = set()

    def at(self, node: Node, attribute: str | None = None) -> int:
        """Return where an element, or one of its attributes, begins."""
        start = node.start
        if attribute is not None:
            name = re.escape(attribute).encode()
            found = re.compile(rb"\s" + name + rb"\s*=").search(self.tree.data, start)
            if found is not None and attribute in node.attributes:
                start = found.start() + 1
        return self.tree.position(start)

    def fail(self, node: Node, reason: str, attribute: str | None = None) -> NoReturn:
        """Raise for what cannot be."""
        raise ParseError(self.tree.text, self.at(node, attribute), reason)

    def note(self, node: Node, kind: Kind, message: str, word: str | None = None) -> None:
        """Tell something about an element."""
        text = f"<{node.tag}>" if word is None else word
        self.notes.append(Note(position=self.at(node), text=text, kind=kind, message=message))

    def once(self, node: Node, message: str) -> None:
        """Tell of something without effect, the first time that it is met."""
        if message not in self._said:
            self._said.add(message)
            self.note(node, "ignored", message)

    def choice(
        self,
        node: Node,
        attribute: str,
        words: Mapping[str, T],
        others: frozenset[str] = frozenset(),
    ) -> T | None:
        """Return what an attribute's word means, or ``None`` where the attribute is not there.

        Raises
        ------
        Keep         it is one of `others`, which libvirt knows and no field stands for
        ParseError   it is neither
        """
        word = node.take(attribute)
        if word is None:
            return None
        if word in words:
            return words[word]
        if word in others:
            raise Keep
        return self.unknown(node, attribute, word, (*words, *others))

    def unknown(self, node: Node, attribute: str | None, word: str, known: object) -> NoReturn:
        """Raise for a word that libvirt does not know either, with the nearest that it does."""
        assert isinstance(known, (tuple, dict, frozenset))
        near = difflib.get_close_matches(word[:64], [str(each) for each in known], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        named = f"<{node.tag}>" if attribute is None else f"{attribute} of <{node.tag}>"
        allowed = ", ".join(sorted(str(each) for each in known))
        self.fail(node, f"{word[:64]!r} is no {named}: {hint}one of: {allowed}", attribute)

    def flag(self, node: Node, attribute: str) -> bool | None:
        """Return whether a yes-or-no, or on-or-off, attribute says yes."""
        words = {"yes": True, "no": False, "on": True, "off": False}
        return self.choice(node, attribute, words)

    def number(self, node: Node, attribute: str | None = None) -> int | None:
        """Return the whole number of an attribute, or of what stands between the tags."""
        text = node.take(attribute) if attribute is not None else node.text.strip()
        if text is None:
            return None
        if _DIGITS.fullmatch(text) is None:
            self.fail(node, f"{text[:40]!r} is not a whole number", attribute)
        return int(text)

    def needed(self, node: Node, attribute: str) -> int:
        """Return the whole number of an attribute that must be there."""
        found = self.number(node, attribute)
        if found is None:
            self.fail(node, f"<{node.tag}> needs {attribute}='…'")
        return found

    def hexadecimal(self, node: Node, attribute: str, default: int | None = None) -> int:
        """Return the number of an attribute that is written as libvirt writes addresses."""
        text = node.take(attribute)
        if text is None:
            if default is None:
                self.fail(node, f"<{node.tag}> needs {attribute}='…'")
            return default
        if _HEX.fullmatch(text) is None:
            self.fail(node, f"{text[:40]!r} is not a number such as 0x1f", attribute)
        # libvirt reads base 16 where 0x says so, and else base 10
        if not text.startswith("0x") and not text.isdecimal():
            self.fail(node, f"{text[:40]!r} is hexadecimal: write 0x{text[:40]}", attribute)
        return int(text, 16 if text.startswith("0x") else 10)

    def mebibytes(self, node: Node, *, attribute: str | None = None) -> int:
        """Return an amount of memory, whole MiB; a part of one is rounded up, and told."""
        amount = self.number(node, attribute)
        unit = node.take("unit")
        if amount is None:
            self.fail(node, f"<{node.tag}> needs {attribute}='…'")
        factor = UNITS.get((unit or "KiB").lower())
        if factor is None:
            self.unknown(node, "unit", unit or "", ("KiB", "MiB", "GiB", "TiB", "bytes"))
        whole, rest = divmod(amount * factor, 1 << 20)
        if rest:
            whole += 1
            self.note(node, "changed", f"{amount} {unit or 'KiB'} is rounded up to {whole} MiB")
        return whole

    @contextlib.contextmanager
    def checked(self, node: Node) -> Iterator[None]:
        """Turn what a spec's own check refuses into an error of the text."""
        try:
            yield
        except SpecError as error:
            self.fail(node, f"{error.field}={str(error.value)[:80]!r}: {error.reason}")

    def keep(self, parent: str, node: Node) -> None:
        """Keep an element as it is."""
        xml = self.tree.verbatim(node)
        self.extras.append(ExtraXML(parent=parent, xml=xml))
        self.note(node, "kept", f"no field stands for <{node.tag}>: it stays as it is")

    def leftover(self, parent: str, node: Node) -> None:
        """Keep what nobody has read of an element that somebody has read in part."""
        rest = self.rest(node, declare=True)
        if rest:
            self.extras.append(ExtraXML(parent=parent, xml=rest))
            self.note(node, "kept", f"no field stands for all of <{node.tag}>: {rest[:120]}")

    def rest(self, node: Node, *, declare: bool = False) -> str:
        """Return an element with nothing but what nobody has read; empty if all was.

        Children stand by name: their order means nothing to libvirt, and the compiler has its own.
        """
        attributes = "".join(
            f" {name}='{quoted(value)}'"
            for name, value in node.attributes.items()
            if name not in node.taken and not name.startswith("xmlns:")
        )
        inner = "".join(
            self.rest(each) if each.visited else self.tree.verbatim(each)
            for each in sorted(node.children, key=lambda each: each.tag)
        )
        if not attributes and not inner:
            return ""
        if declare and node.uri:
            attributes += f" xmlns:{node.tag.partition(':')[0]}='{quoted(node.uri)}'"
        start = f"<{node.tag}{attributes}"
        return f"{start}>{inner}</{node.tag}>" if inner else f"{start}/>"

    def section(self, parent: str, node: Node, above: str = "domain") -> None:
        """Keep what nobody has read below a section: whole elements, and parts of known ones."""
        for each in node.children:
            if not each.visited:
                self.keep(parent, each)
            else:
                self.leftover(parent, each)
        unread = [name for name in node.attributes if name not in node.taken]
        if unread:
            attributes = "".join(f" {name}='{quoted(node.attributes[name])}'" for name in unread)
            self.extras.append(ExtraXML(parent=above, xml=f"<{node.tag}{attributes}/>"))
            self.note(node, "kept", f"no field stands for {', '.join(unread)} of <{node.tag}>")
