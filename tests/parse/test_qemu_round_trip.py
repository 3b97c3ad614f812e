"""What the compiler writes, the parser reads: the same guest comes out."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings

from kvmnb import parse
from kvmnb.compile.settled import settled
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.codec import differences
from kvmnb.spec.domain import DomainSpec
from tests.compile.made import compiled, runtime
from tests.parse.round_trip import said_by_qemu
from tests.spec.strategies import settled_domains


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(settled_domains("qemu"))
def test_what_the_compiler_writes_is_read_back(spec: DomainSpec) -> None:
    try:
        argv = compiled(spec)
    except (Unsupported, SpecError):
        return  # refused by name, which is the compiler's own test
    expected = said_by_qemu(settled(spec, runtime(spec)))
    found = parse.qemu(argv).spec
    assert differences(said_by_qemu(found), expected) == ()


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=30)
@given(settled_domains("qemu"))
def test_an_argument_list_and_its_line_are_read_alike(spec: DomainSpec) -> None:
    import shlex

    try:
        argv = compiled(spec)
    except (Unsupported, SpecError):
        return
    assert parse.qemu(argv).spec == parse.qemu(shlex.join(argv)).spec


@pytest.mark.parametrize(
    ("line", "again"),
    [
        ("qemu-kvm -m 128 -smp 2 -name test -hda /images/disk.img", "disks"),
        ("qemu-kvm -name a -cdrom /a.iso -boot order=dc,once=d -net nic -net user", "boot"),
        ("qemu-kvm -name a -vnc :1 -usbdevice tablet -balloon virtio -serial pty", "inputs"),
    ],
)
def test_an_old_line_comes_back_from_the_modern_one(line: str, again: str) -> None:
    spec = dataclasses.replace(parse.qemu(line).spec, accel="tcg")
    new = parse.qemu(compiled(spec)).spec
    expected = said_by_qemu(settled(spec, runtime(spec)))
    assert getattr(new, again) == getattr(expected, again)
    assert said_by_qemu(new) == expected
