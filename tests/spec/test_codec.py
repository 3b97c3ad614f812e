"""A description is written down and read again as what it was."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pkgutil

import pytest
from hypothesis import given

import kvmnb.spec
from kvmnb import SpecError
from kvmnb.spec.codec import HOMES, decode, differences, encode, kind_named
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import NIC
from kvmnb.spec.storage import CatalogueImage, Disk, ExistingFile
from tests.spec.strategies import domains


@given(domains())
def test_a_description_goes_through_json_and_comes_back(spec):
    written = json.dumps(encode(spec))
    assert written.isascii()
    assert decode(json.loads(written)) == spec


def test_every_kind_of_part_can_be_written_and_read():
    modules = [
        importlib.import_module(f"kvmnb.spec.{found.name}")
        for found in pkgutil.iter_modules(kvmnb.spec.__path__)
    ]
    kinds = {
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, dataclasses.is_dataclass)
    }
    assert {kind_named(name) for name in HOMES} == kinds


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"part": "Wolume"},
        {"part": None},
        {"part": ["Disk"]},
        {"part": "DomainSpec"},
        {"part": "DomainSpec", "name": "a", "flopy": True},
        {"part": "DomainSpec", "name": "a/b"},
        {"part": "DomainSpec", "name": "a", "memory": {"part": "CPU"}},
        {"part": "DomainSpec", "name": "a", "disks": "x"},
        {"part": "DomainSpec", "name": "a", "disks": [{"part": "Disk", "back": "/etc/passwd"}]},
        {"part": "Memory", "size_mib": "128"},
        {"part": "CPU", "count": {"part": "User"}},
    ],
)
def test_what_is_no_description_is_refused(written):
    with pytest.raises(SpecError):
        decode(written)


@given(domains())
def test_a_description_does_not_differ_from_itself(spec):
    assert differences(spec, decode(encode(spec))) == ()


@given(domains(), domains())
def test_two_descriptions_differ_exactly_where_their_leaves_do(one, other):
    found = differences(one, other)
    assert bool(found) == (one != other)
    assert all(ours != theirs for _, ours, theirs in found)
    assert len({field for field, _, _ in found}) == len(found)
    assert differences(other, one) == tuple((field, b, a) for field, a, b in found)


def test_a_difference_is_named_by_its_path():
    disk = Disk(back=ExistingFile("/a"))
    one = DomainSpec(name="a", disks=(disk,), nics=(NIC(),))
    other = dataclasses.replace(
        one,
        memory=Memory(size_mib=256),
        cpu=CPU(count=2),
        disks=(dataclasses.replace(disk, cache="none", back=ExistingFile("/b")),),
    )
    assert differences(one, other) == (
        ("memory.size_mib", 128, 256),
        ("cpu.count", 1, 2),
        ("disks[0].back.path", "/a", "/b"),
        ("disks[0].cache", "writeback", "none"),
    )


def test_parts_of_another_kind_or_number_differ_as_a_whole():
    one = DomainSpec(name="a", disks=(Disk(back=ExistingFile("/a")),))
    other = dataclasses.replace(one, disks=(Disk(back=CatalogueImage("a")),))
    assert differences(one, other) == (("disks[0].back", ExistingFile("/a"), CatalogueImage("a")),)
    assert differences(one, DomainSpec(name="a")) == (("disks", one.disks, ()),)
