"""A compiled virt-install line says exactly the description it was compiled from."""

from __future__ import annotations

from hypothesis import given

from kvmnb.compile.settled import settled
from kvmnb.compile.virt_install import compile_virt_install
from kvmnb.parse.virt_install_line import parse_virt_install
from kvmnb.parse.words import joined
from kvmnb.spec.codec import differences
from kvmnb.spec.domain import DomainSpec
from tests.compile.made import runtime
from tests.compile.possible import possible
from tests.spec.strategies import domains, settled_domains


def _round_trip(spec: DomainSpec) -> None:
    spec = possible(spec, lambda each: compile_virt_install(each, runtime(each)))
    made = runtime(spec)
    line = joined(compile_virt_install(spec, made))
    parsed = parse_virt_install(line)
    assert differences(parsed.spec, settled(spec, made, "virt-install")) == (), line
    assert {note.kind for note in parsed.notes} <= {"kept"}


@given(settled_domains("virt-install"))
def test_a_settled_description_comes_back_as_it_was(spec: DomainSpec) -> None:
    _round_trip(spec)


@given(domains())
def test_an_open_description_comes_back_settled(spec: DomainSpec) -> None:
    _round_trip(spec)
