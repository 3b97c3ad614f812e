"""An option string reads back as what was written, whatever stood in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb.compile.opts import Opts
from tests.compile.reading import parsed
from tests.spec.strategies import paths

HOSTILE = (
    "a,b",
    ",",
    ",,",
    ",,,a=b",
    "x,readonly=on",
    "a=b,c=d",
    'it\'s "quoted"',
    "two words",
    "new\nline",
    "back\\slash",
    "",
    "naïve 客",
    b"\xff\xfe,".decode("utf-8", "surrogateescape"),
    "json:{}",
    "on,id=x",
)


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_becomes_an_option(value):
    text = str(Opts("file", id="disk0", path=value, last="end"))
    assert parsed(text) == [(None, "file"), ("id", "disk0"), ("path", value), ("last", "end")]


@given(st.text() | paths(), st.text() | paths())
def test_any_two_values_come_back_as_two(one, other):
    assert parsed(str(Opts(None, a=one, b=other))) == [("a", one), ("b", other)]


@given(st.text(st.characters(exclude_characters="="), min_size=1) | paths())
def test_a_head_comes_back_or_is_refused(head):
    if "=" in head:
        with pytest.raises(ValueError, match="read as a key"):
            Opts(head, id="a")
    else:
        assert parsed(str(Opts(head, id="a"))) == [(None, head), ("id", "a")]


def test_values_are_written_in_the_way_of_qemu():
    more = {"write-cache": False, "cache.direct": True}
    written = str(Opts("nvme", more, file_="f", count=3, none=None))
    assert written == "nvme,file=f,count=3,write-cache=off,cache.direct=on"
    assert str(Opts()) == ""


def test_a_tuple_is_its_key_with_each_value_in_turn():
    assert str(Opts("user", hostfwd=("a,b", "c"))) == "user,hostfwd=a,,b,hostfwd=c"
    assert str(Opts("user", hostfwd=())) == "user"
