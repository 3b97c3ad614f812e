"""A command line to look at, to paste into a shell, or to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from kvmnb.markup import Html, element, join, printable

if TYPE_CHECKING:
    from kvmnb.compile.targets import Target
    from kvmnb.errors import Unsupported
    from kvmnb.explain.layers import Layers

__all__ = ["Command", "VirtInstall"]

FLAGS = {"-nodefaults", "-no-user-config", "-S", "-snapshot", "-daemonize", "-no-reboot"}
"""QEMU's options without a value, of those that are used here (QEMU manual, "Invocation")."""


class Command(Sequence[str]):
    """An argument list; its text can be pasted into bash as it stands.

    Parameters
    ----------
    argv : the program and its arguments
    left_out : what it has no words for; the text says so in comments behind the command
    layers : gives all three texts of the guest in pieces, for those who look at it in a
        notebook; ``None`` shows the command alone
    """

    __slots__ = ("_layers", "argv", "left_out")

    target: ClassVar[Target] = "qemu"

    def __init__(
        self,
        argv: Sequence[str],
        left_out: Sequence[Unsupported] = (),
        layers: Callable[[], Layers] | None = None,
    ) -> None:
        self.argv, self.left_out, self._layers = tuple(argv), tuple(left_out), layers

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
        if not self.left_out:
            return self.text
        from kvmnb.display.explained import comments

        return self.text + comments(self.left_out)

    def _repr_html_(self) -> str:
        if self._layers is not None:
            from kvmnb.display.explained import explained_html, in_step

            if (layers := in_step(self.target, self._layers, self.argv)) is not None:
                return str(explained_html(self.target, self._shown(), layers, self.left_out))
        return str(element("pre", self._shown(), class_="kvmnb-command", style=_PRE))

    def _shown(self) -> Html:
        lines = []
        for first, *rest in self._lines():
            value = f" {_quoted(rest[0])}" if rest else ""
            lines.append(join((element("b", _quoted(first)), value)))
        body = lines[0]
        for line in lines[1:]:
            body = join((body, " \\\n  ", line))
        return body


class VirtInstall(Command):
    """A virt-install line; its text can be pasted into bash as it stands."""

    __slots__ = ()

    target = "virt-install"

    def _lines(self) -> Iterator[tuple[str, ...]]:
        rest = list(self.argv[1:])
        yield self.argv[:1]
        while rest:
            option = rest.pop(0)
            # a value that looks like an option is tied to its own by an equals sign
            if rest and not rest[0].startswith("-"):
                yield option, rest.pop(0)
            else:
                yield (option,)


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
