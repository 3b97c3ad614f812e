"""Text at the border to people: whatever comes in, nothing but text comes out."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb.markup import Html, columns, element, join, printable, table

ANY = st.text(st.characters(exclude_categories=()))  # lone surrogates, too

HOSTILE = (
    "<script>alert(1)</script>",
    "</td></tr></table><img src=x onerror=alert(1)>",
    "\"'><b onmouseover='x'",
    "&lt;b&gt; &amp; &#60;",
    "\x1b]0;owned\x07\x1b[2J",
    "\u202egpj.exe\u2066",
    "a\r\nb\0c\x7f\x9b31m",
    "\ud800 \udcff",
    "<!-- --> <![CDATA[ ]]> <?x ?>",
)


class _Seen(HTMLParser):
    """What a browser's parser finds in some markup."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = [""]
        self.others: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_endtag(self, tag):
        self.texts.append("")

    def handle_data(self, data):
        self.texts[-1] += data

    def handle_comment(self, data):
        self.others.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def text(self) -> str:
        return "".join(self.texts)


def _without_power(text: str, keep: str = "") -> bool:
    return all(
        each in keep or unicodedata.category(each) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        for each in text
    )


@given(ANY, ANY)
def test_an_element_holds_its_text_and_its_attribute_and_nothing_else(text, value):
    seen = _Seen(element("p", text, title=value))
    assert seen.tags == [("p", {"title": printable(value, "\n\t")})]
    assert seen.text == printable(text, "\n\t")
    assert seen.others == []


@given(st.lists(st.tuples(ANY, ANY), max_size=4))
def test_a_table_has_the_cells_it_was_given(rows):
    seen = _Seen(table(("<a>", "b"), rows))
    cells = [printable(cell, "\n\t") for row in rows for cell in row]
    kinds = [tag for tag, _ in seen.tags]
    assert kinds.count("td") == len(cells)
    assert kinds.count("th") == 2
    assert set(kinds) <= {"table", "thead", "tbody", "tr", "th", "td"}
    assert seen.text == "<a>b" + "".join(cells)


@given(ANY)
def test_markup_has_no_control_character_and_no_mark_of_direction(text):
    assert _without_power(element("p", text, title=text), "\n\t")
    assert _without_power(table([text], [[text]]), "\n\t")
    assert _without_power(join([text]), "\n\t")


@given(ANY)
def test_printable_text_has_none_either_and_stays_so(text):
    once = printable(text)
    assert _without_power(once)
    assert printable(once) == once
    once.encode()  # no lone surrogate


@given(st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" ")))
def test_harmless_text_stays_as_it_is(text):
    assert printable(text) == text
    assert _Seen(element("p", text)).text == text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_not_obeyed(text):
    shown = element("td", text)
    assert "<script" not in shown
    assert "<img" not in shown
    assert _Seen(shown).text == printable(text, "\n\t")
    assert _Seen(shown).tags == [("td", {})]


def test_a_control_character_is_spelled_and_a_wanted_one_kept():
    assert printable("a\x1b[2J\n") == "a\\x1b[2J\\n"
    assert printable("a\x1b\n", keep="\n") == "a\\x1b\n"
    assert printable("\u202e\udcff") == "\\u202e\\udcff"


def test_markup_within_markup_is_not_quoted_twice_and_text_is():
    assert element("p", element("b", "<")) == "<p><b>&lt;</b></p>"
    assert element("p", str(element("b", "x"))) == "<p>&lt;b&gt;x&lt;/b&gt;</p>"
    assert isinstance(join(["<", element("b", "x")]), Html)


def test_text_added_to_markup_is_no_markup_any_more():
    assert not isinstance(element("b", "x") + "<i>", Html)


def test_attributes_are_named_in_the_way_of_html():
    assert element("td", class_="a", data_x="1", hidden=True, title=None, open=False) == (
        '<td class="a" data-x="1" hidden></td>'
    )


@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=5))
def test_columns_are_one_line_a_row_with_second_cells_aligned(rows):
    lines = columns(rows).split("\n")
    assert len(lines) == len(rows)
    width = max(len(printable(first)) for first, _ in rows)
    for line, (first, second) in zip(lines, rows, strict=True):
        assert _without_power(line)
        assert line == f"{printable(first):<{width}}  {printable(second)}".rstrip()


def test_no_rows_are_no_text():
    assert columns([]) == ""
