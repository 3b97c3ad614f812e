"""Sizes and durations as people write them."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb import SpecError
from kvmnb.units import GIB, KIB, MIB, duration_s, human, size_bytes, size_mib


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [
        (128, 128 * MIB),
        ("128", 128 * MIB),
        ("128M", 128 * MIB),
        ("128 MiB", 128 * MIB),
        ("128mb", 128 * MIB),
        ("1G", GIB),
        ("1.5G", 3 * GIB // 2),
        (" 64 K ", 64 * KIB),
        ("512B", 512),
        ("2T", 2048 * GIB),
        ("0.5K", 512),
    ],
)
def test_a_size_is_read_as_people_write_it(written, bytes_):
    assert size_bytes(written) == bytes_


@pytest.mark.parametrize(
    "wrong",
    [
        *(0, -1, "0", "-5", "", " ", "M", "1Q", "12 monkeys", "1e3", "0x10", "１２８"),
        *("128BB", "128iB", "1.M", ".5M", "1.0000001K", "1,5G", "1\n2", "1M\0"),
        *(
            None,
            True,
            1.5,
            b"1M",
            [128],
            1 << 50,
            pytest.param(10**5000, id="huge"),
            "9" * 5000,
            "1." + "0" * 5000,
            "9E",
        ),
        *("8388608T", "nan", "inf"),
    ],
)
def test_what_is_no_size_is_refused_with_field_value_and_reason(wrong):
    with pytest.raises(SpecError) as caught:
        size_bytes(wrong, "disk.size")
    assert caught.value.field == "disk.size"
    assert caught.value.value is wrong
    assert caught.value.reason


def test_a_size_in_mib_has_no_remainder():
    assert size_mib("1G") == 1024
    with pytest.raises(SpecError, match="whole number of MiB"):
        size_mib("1.5K", "mem")


@given(st.integers(1, (1 << 63) // MIB - 1))
def test_a_number_and_its_text_are_the_same_size(mib):
    assert size_bytes(mib) == size_bytes(str(mib)) == size_bytes(f"{mib}M") == mib * MIB
    assert size_mib(mib) == mib


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_refused(text):
    with contextlib.suppress(SpecError):
        assert 0 < size_bytes(text) < 1 << 63


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0.0),
        (90, 90.0),
        (0.25, 0.25),
        (1e-07, 1e-07),
        ("90", 90.0),
        ("90 s", 90.0),
        ("15 min", 900.0),
        ("15m", 900.0),
        ("2 h", 7200.0),
        ("1d", 86400.0),
        ("250ms", 0.25),
    ],
)
def test_a_duration_is_read_as_people_write_it(written, seconds):
    assert duration_s(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            -1,
            -0.5,
            math.inf,
            -math.inf,
            math.nan,
            1e30,
            pytest.param(10**5000, id="huge"),
            True,
            None,
            [1],
        ),
        *("", "soon", "-1", "1 M", "1 hour", "inf", "nan", "9" * 400, "99999999 d", "forever"),
    ],
)
def test_what_is_no_duration_is_refused(wrong):
    with pytest.raises(SpecError) as caught:
        duration_s(wrong, "start.keep")
    assert caught.value.field == "start.keep"
    assert caught.value.value is wrong


@pytest.mark.parametrize(
    ("bytes_", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (96 * MIB, "96 MiB"),
        (GIB - 1, "1 GiB"),
        (3 * GIB // 2, "1.5 GiB"),
        (-2 * MIB, "-2 MiB"),
        (20000 << 40, "20000 TiB"),
    ],
)
def test_a_size_for_people_has_the_unit_that_fits(bytes_, words):
    assert human(bytes_) == words


@given(st.integers(0, 1 << 62))
def test_a_size_for_people_is_never_a_thousand_of_a_unit_with_an_exponent(bytes_):
    words = human(bytes_)
    assert "e" not in words
    assert float(words.split()[0]) < 1024 or words.endswith("TiB")
