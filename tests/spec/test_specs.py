"""Each part of a description refuses what it cannot mean."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given

from kvmnb import SpecError
from kvmnb.spec.codec import HOMES, kind_named
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.network import NIC
from tests.spec.strategies import domains
from tests.spec.wrong import WRONG


@pytest.mark.parametrize(("kind", "values", "field"), WRONG)
def test_a_wrong_value_is_refused_with_its_field_and_a_reason(kind, values, field):
    with pytest.raises(SpecError) as caught:
        kind(**values)
    assert caught.value.field == field
    assert caught.value.reason


def test_every_field_that_can_be_wrong_was_tried_here():
    every = {
        (kind, each.name)
        for kind in map(kind_named, HOMES)
        if kind is not None
        for each in dataclasses.fields(kind)
    }
    assert {(kind, field) for kind, values, _ in WRONG for field in values} == every


def test_a_mac_is_kept_in_one_spelling_so_that_two_spellings_are_one_address():
    assert NIC(mac="52-54-00-AA-bb-01") == NIC(mac="52:54:00:aa:bb:01")
    with pytest.raises(SpecError):
        DomainSpec(name="a", nics=(NIC(mac="52-54-00-AA-bb-01"), NIC(mac="52:54:00:aa:bb:01")))


@given(domains())
def test_a_description_is_a_value(spec):
    again = dataclasses.replace(spec)
    assert again == spec
    assert again is not spec
    assert hash(again) == hash(spec)
    assert len({spec, again}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.name = "other"
    assert not hasattr(spec, "__dict__")


def test_a_guest_has_six_devices_unless_they_are_switched_off():
    spec = DomainSpec(name="a")
    assert all((spec.balloon, spec.agent, spec.vmgenid, spec.rng))
    assert all((spec.console, spec.screen, spec.videos))


def test_specs_need_the_standard_library_and_the_ground_floor_alone():
    code = (
        "import sys; import kvmnb.spec.codec; "
        "print(*sorted(m for m in sys.modules if m.split('.')[0] == 'kvmnb' or "
        "m.split('.')[0] not in sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True
    )
    outside = [m for m in done.stdout.split() if not m.startswith(("kvmnb.spec", "__"))]
    assert outside == ["kvmnb", "kvmnb.errors"]
