"""``vm.python()``: the fluent Python that describes a guest again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings

from kvmnb import VM, Host, Tap
from kvmnb.builder.python import bare
from kvmnb.spec.domain import DomainSpec
from tests.spec.strategies import domains

MAC = "52:54:00:00:00:01"


def built(code: str) -> DomainSpec:
    """Return the spec of the VM that a few lines of Python make."""
    names: dict[str, Any] = {}
    exec(code, names)
    return names["vm"].spec


@given(spec=domains())
@settings(deadline=None, max_examples=100)
def test_any_guest_comes_back_from_its_python(spec):
    vm = VM(spec, Host())
    assert built(vm.python()) == spec


def test_the_line_of_the_readme_comes_back_as_it_was_typed(host):
    vm = host.vm("test").mem(128).smp(2).disk("tiny").nic("virtio")
    line = 'vm = Host().vm("test").smp(2).disk("tiny").nic()'
    assert vm.python() == f"from kvmnb import Host\n\n{line}\n"


def test_what_is_a_default_is_left_out(host):
    assert host.vm("x").python().endswith('vm = Host().vm("x")\n')
    assert host.vm("x", bare=True).python().endswith('vm = Host().vm("x", bare=True)\n')
    assert host.vm("x", bare=True).spec == bare("x")


def test_a_file_that_is_there_is_written_as_its_path(host, tmp_path):
    there = tmp_path / "there.img"
    there.write_bytes(bytes(512))
    vm = host.vm("x").disk(there, format="raw")
    assert re.search(rf'\.disk\(\s*"{there}",\s*format="raw",?\s*\)', vm.python())
    there.unlink()  # now the verb would refuse it, and the part of a spec does not
    assert built(vm.python()) == vm.spec


def test_a_call_that_is_too_wide_has_one_argument_a_line(host):
    code = host.vm("x").nic(net=Tap(ifname="tap0", script="/" + "s" * 60), mac=MAC).python()
    assert max(map(len, code.splitlines())) < 110
    assert f'        mac="{MAC}",\n' in code


@pytest.mark.parametrize(
    ("verb", "shown"),
    [
        (lambda vm: vm.nic(hostfwd="2222:22"), '.nic(hostfwd="2222:22")'),
        (lambda vm: vm.nic(hostfwd={8080: 80, 2222: 22}), '.nic(hostfwd=("8080:80", "2222:22"))'),
        (lambda vm: vm.mem("1G", hugepages="2M"), '.mem("1G", hugepages="2M")'),
        (lambda vm: vm.disk(size="20G"), '.disk(size="20G")'),
        (lambda vm: vm.tablet(), ".tablet()"),
        (lambda vm: vm.vnc(display=1, password=True), ".vnc(display=1, password=True)"),
        (lambda vm: vm.cpu("max", "+aes"), '.cpu("max", "+aes")'),
        (lambda vm: vm.machine("q35", vmport=False), '.machine("q35", vmport="off")'),
    ],
)
def test_a_verb_is_written_as_it_is_used(host, verb, shown):
    code = verb(host.vm("x")).python()
    assert shown in code
