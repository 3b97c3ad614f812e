"""What a reader should know of a text that was read: each note, and the place it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Self

from kvmnb.markup import Html, element, join, printable

if TYPE_CHECKING:
    import pandas

    from kvmnb.parse.result import Note

__all__ = ["KINDS", "Notes"]

KINDS = {
    "removed": ("✖", "var(--jp-error-color1,#d55e00)", "today's program refuses it"),
    "old": ("↻", "var(--jp-warn-color1,#d98014)", "it is written in another way today"),
    "mended": ("✎", "var(--jp-warn-color1,#d98014)", "a slip that was put right"),
    "changed": ("≠", "var(--jp-warn-color1,#d98014)", "it means something else here"),
    "kept": ("=", "var(--jp-brand-color1,#2b7fd4)", "kept verbatim: no field stands for it"),
    "default": ("+", "var(--jp-brand-color1,#2b7fd4)", "not said, and done all the same"),
    "ignored": ("∅", "currentColor", "it has no effect on the guest"),
}
"""A sign, a colour and a meaning for each kind of note; the word always stands beside them."""

_LINE = "var(--jp-border-color2,rgba(128,128,128,.4))"
_BOX = (
    f"border:1px solid {_LINE};border-radius:6px;max-width:100%;line-height:1.45;font-size:13px;"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif)"
)
_PRE = (
    f"margin:0;padding:8px 12px;border-bottom:1px solid {_LINE};line-height:1.7;font-size:12px;"
    "white-space:pre-wrap;overflow-wrap:anywhere;"
    "font-family:var(--jp-code-font-family,ui-monospace,monospace)"
)
_CELL = "text-align:left;vertical-align:top;padding:3px 10px"
_CODE = f"{_CELL};font-family:var(--jp-code-font-family,monospace);overflow-wrap:anywhere"


class Notes(tuple["Note", ...]):
    """Notes in the order of their text; with the text, the places are marked in it.

    Parameters
    ----------
    notes : what a parser had to say
    text : what was read; ``""`` shows the words of the notes alone
    """

    text: str

    def __new__(cls, notes: Iterable[Note], text: str = "") -> Self:
        made = super().__new__(cls, notes)
        made.text = text
        return made

    def to_pandas(self) -> pandas.DataFrame:
        """Return one row a note: kind, position, text, message."""
        import pandas

        columns = ["kind", "position", "text", "message"]
        rows = [[getattr(note, column) for column in columns] for note in self]
        return pandas.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        lines = [line for row in self._lines() for line in row]
        for number, note in enumerate(self, 1):
            word = f" {_short(note.text)}" if note.text else ""
            lines.append(f"{number:>2} {note.kind}{word}: {note.message}")
        return "\n".join(map(printable, lines))

    def _lines(self) -> Iterator[tuple[str, ...]]:
        """Yield each line of the text, and below it the numbers of the notes that it has."""
        start = 0
        for line in self.text.splitlines(keepends=True):
            shown = line.rstrip("\r\n")
            marks = ""
            for number, note in enumerate(self, 1):
                column = note.position - start
                if note.text and 0 <= column < max(len(line), 1):
                    # two notes in one place stand beside each other
                    column = len(printable(shown[:column]))
                    marks = marks.ljust(column) + f"^{number}"
            yield (shown, marks) if marks else (shown,)
            start += len(line)

    def _repr_html_(self) -> str:
        if not self:
            return str(element("div", "nothing to note", style="opacity:.65"))
        rows = []
        for number, note in enumerate(self, 1):
            sign, color, meaning = KINDS[note.kind]
            kind = join((element("span", f"{sign} ", style=f"color:{color}"), note.kind))
            cells = (
                element("td", number, style=f"{_CELL};opacity:.65;width:2em"),
                element("td", kind, style=f"{_CELL};white-space:nowrap;width:7em", title=meaning),
                element("td", _short(note.text), style=f"{_CODE};width:28%"),
                element("td", note.message, style=_CELL),
            )
            rows.append(element("tr", *cells))
        table = element(
            "table",
            element("tbody", *rows),
            style="border-collapse:collapse;width:100%;margin:4px 0;font-size:13px",
        )
        marked = element("pre", self._marked(), style=_PRE) if self.text else ""
        return str(element("div", marked, table, class_="kvmnb-notes", style=_BOX))

    def _marked(self) -> Html:
        """Return the text with each word that a note is about marked and numbered."""
        shown, at = [], 0
        for number, note in sorted(enumerate(self, 1), key=lambda each: each[1].position):
            end = note.position + len(note.text)
            if not note.text or note.position < at or self.text[note.position : end] != note.text:
                continue
            _, color, _ = KINDS[note.kind]
            word = element(
                "span",
                note.text,
                element("span", f" {number}", style=f"color:{color};font-size:10px"),
                style=f"border-bottom:2px solid {color}",
                title=f"{note.kind}: {note.message}",
            )
            shown += [join((self.text[at : note.position],)), word]
            at = end
        return join((*shown, self.text[at:]))


def _short(text: str, most: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"
