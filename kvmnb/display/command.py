"""A command line to look at, to paste into a shell, or to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kvmnb.markup import element, join, printable

__all__ = ["Command"]

FLAGS = {"-nodefaults", "-no-user-config", "-S", "-snapshot", "-daemonize", "-no-reboot"}
"""QEMU's options without a value, of those that are used here (QEMU manual, "Invocation")."""


class Command(Sequence[str]):
    """An argument list; its text can be pasted into bash as it stands.

    Parameters
    ----------
    argv : the program and its arguments
    """

    __slots__ = ("argv",)

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = tuple(argv)

    @property
    def text(self) -> str:
        """The command with one option and its value a line, quoted for bash."""
        return " \\\n  ".join(" ".join(map(_quoted, line)) for line in self._lines())

    def _lines(self) -> Iterator[tuple[str, ...]]:
        rest = list(self.argv[1:])
        yield self.argv[:1]
        while rest:
            option = rest.pop(0)
            # a value may begin with a hyphen, as a kernel's command line can
            if option.startswith("-") and option not in FLAGS and rest:
                yield option, rest.pop(0)
            else:
                yield (option,)

    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:  # type: ignore[override]
        return self.argv[index]

    def __len__(self) -> int:
        return len(self.argv)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Command):
            return self.argv == other.argv
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.argv)

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        lines = []
        for first, *rest in self._lines():
            value = f" {_quoted(rest[0])}" if rest else ""
            lines.append(join((element("b", _quoted(first)), value)))
        body = lines[0]
        for line in lines[1:]:
            body = join((body, " \\\n  ", line))
        return str(element("pre", body, class_="kvmnb-command", style=_PRE))


_PRE = (
    "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.35;"
    "font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:13px"
)


def _quoted(word: str) -> str:
    """Return a word as bash reads it; what a terminal would obey is spelled out."""
    if printable(word) == word:
        import shlex

        return shlex.quote(word)
    # ANSI-C quoting (bash manual, 3.1.2.4): also holds bytes that are not UTF-8
    return "$'" + "".join(map(_spelled, word)) + "'"


def _spelled(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if printable(character) == character:
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
