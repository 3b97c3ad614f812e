"""A qemu-img line, to look at and to paste into a shell."""

from __future__ import annotations

from collections.abc import Iterable

from kvmnb.markup import element, printable

__all__ = ["BINARY", "Line"]

BINARY = "qemu-img"


class Line(tuple[str, ...]):
    """The words of one command; as text it can be pasted into bash as it stands.

    Parameters
    ----------
    words : the arguments, without the program
    """

    __slots__ = ()

    def __new__(cls, words: Iterable[str]) -> Line:
        return super().__new__(cls, (BINARY, *words))

    @property
    def text(self) -> str:
        """The command, quoted for bash."""
        return " ".join(map(_quoted, self))

    def __getnewargs__(self) -> tuple[tuple[str, ...]]:
        return (self[1:],)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return str(element("code", self.text, class_="kvmnb-command", style=_STYLE))


_STYLE = "white-space:pre-wrap;overflow-wrap:anywhere"


def _quoted(word: str) -> str:
    import shlex

    if printable(word) == word:
        return shlex.quote(word)
    # ANSI-C quoting (bash manual, 3.1.2.4) holds what a terminal would obey, and any byte
    return "$'" + "".join(map(_spelled, word)) + "'"


def _spelled(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if printable(character) == character:
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
