"""Text at the border to people: the only place that quotes for HTML and for a terminal.

What a guest, a file or a path says is hostile until it has passed through here: `printable`
takes the power from control characters, `Html` that of ``<`` and ``&``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["Html", "element", "join", "printable", "table", "columns"]


class Html(str):
    """Markup that is safe to show: made by `element`, `join` and `table` alone."""

    __slots__ = ()


def element(tag: str, *content: object, **attributes: object) -> Html:
    """Return ``<tag …>content</tag>``; content that is not `Html` is quoted.

    An attribute of ``None`` or ``False`` is left out, one of ``True`` stands without a value; an
    underscore at a name's end is dropped (``class_``), one within becomes a hyphen.
    """
    words = [tag]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        words.append(name if value is True else f'{name}="{_quoted(value)}"')
    return Html(f"<{' '.join(words)}>{join(content)}</{tag}>")


def join(content: Iterable[object]) -> Html:
    """Return the pieces one after the other; those that are not `Html` are quoted."""
    return Html("".join(each if isinstance(each, Html) else _quoted(each) for each in content))


def table(
    heading: Sequence[object], rows: Iterable[Sequence[object]], **attributes: object
) -> Html:
    """Return a table with one heading."""
    head = element("tr", *(element("th", cell, scope="col") for cell in heading))
    body = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
    return element("table", element("thead", head), element("tbody", *body), **attributes)


def _quoted(text: object) -> str:
    import html

    return html.escape(printable(str(text), keep="\n\t"))


def printable(text: str, keep: str = "") -> str:
    r"""Return `text` with every control character shown as ``\x1b`` and its like.

    Terminals obey escape sequences: they set titles, answer back, write to the clipboard. Marks
    that turn the direction of writing go too, since they make one name look like another.

    Parameters
    ----------
    keep : control characters that stay, such as ``"\n"``
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if _harmless(each) or each in keep else _spelled(each) for each in text)


def _harmless(character: str) -> bool:
    import unicodedata

    # Cc control, Cf format (directions, invisible), Cs lone surrogates, Zl and Zp line ends
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def columns(rows: Iterable[Sequence[object]]) -> str:
    """Return rows of text in aligned columns, two spaces between them."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    if not cells:
        return ""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)
