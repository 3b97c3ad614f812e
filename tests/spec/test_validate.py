"""What may stand in a description, and what is refused with field, value and reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb import SpecError
from kvmnb.spec import validate
from tests.spec.strategies import macs, names, paths


def _refused(check, *arguments):
    with pytest.raises(SpecError) as caught:
        check("field", *arguments)
    assert caught.value.field == "field"
    assert caught.value.value is arguments[0]
    return caught.value.reason


@pytest.mark.parametrize(
    "value", ["", "a,b=c", "a\nb", "naïve 客", b"\xff".decode("utf-8", "surrogateescape")]
)
def test_text_is_what_an_argument_list_can_hold(value):
    assert validate.text("field", value) == value


@pytest.mark.parametrize("value", [None, 5, b"a", ["a"], "a\0b", "\ud800"])
def test_what_an_argument_list_cannot_hold_is_no_text(value):
    _refused(validate.text, value)


@given(names())
def test_any_printable_name_may_be_borne(name):
    assert validate.name("field", name) == name


@pytest.mark.parametrize(
    "value",
    ["", "  ", ".", "..", "a/b", "a\nb", "a\tb", "a\x7fb", "\u202eb", "a\udcff", "a" * 65, None, 5],
)
def test_what_cannot_be_a_name_is_refused(value):
    _refused(validate.name, value)


@given(paths())
def test_any_path_may_be_used(path):
    assert validate.path("field", path) == path


@pytest.mark.parametrize("value", ["", "a\0b", None, 3])
def test_what_cannot_be_a_path_is_refused(value):
    _refused(validate.path, value)


@given(st.integers())
def test_a_number_is_within_its_limits_or_refused(value):
    if 1 <= value <= 255:
        assert validate.positive("field", value, 255) == value
    else:
        assert "1 to 255" in _refused(validate.positive, value, 255)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, [1]])
def test_what_is_no_whole_number_is_refused(value):
    assert "whole number" in _refused(validate.positive, value, 255)


@pytest.mark.parametrize("value", [0, 1, "on", None, []])
def test_a_switch_is_true_or_false_and_nothing_like_it(value):
    assert validate.switch("field", True) is True
    _refused(validate.switch, value)


def test_a_wrong_word_is_refused_with_the_right_ones_and_a_near_miss_with_its_like():
    words = ("writeback", "none", "unsafe")
    assert validate.choice("field", "none", words) == "none"
    reason = _refused(validate.choice, "wrteback", words)
    assert reason == "did you mean 'writeback'? one of: writeback, none, unsafe"
    assert _refused(validate.choice, "xyz", words) == "one of: writeback, none, unsafe"


@pytest.mark.parametrize("value", [None, 5, ["none"], {"none"}, b"none"])
def test_what_is_no_word_is_refused_like_a_wrong_one(value):
    _refused(validate.choice, value, ("none",))


@given(macs())
def test_an_address_is_read_in_every_common_spelling(mac):
    assert validate.mac("field", mac.upper().replace(":", "-")) == mac


@pytest.mark.parametrize(
    "value",
    [
        *("", "52:54:00", "52:54:00:12:34:5g", "52:54:00:12:34:56:78", "525400123456"),
        *("01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"),
        *("52:54:00:12:34:56\n", "52:54:00:12:34:56,x=y", "５2:54:00:12:34:56", None, 5),
    ],
)
def test_what_no_card_can_have_as_its_own_address_is_refused(value):
    _refused(validate.mac, value)


def test_a_part_of_another_kind_is_refused():
    validate.kinds("field", (1, 2), int)
    assert "a int or a str" in _refused(validate.kind, 1.5, int, str)
    _refused(validate.kinds, [1], int)
    _refused(validate.kinds, (1, "2"), int)
