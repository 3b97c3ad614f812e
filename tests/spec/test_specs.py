"""Each part of a description refuses what it cannot mean."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given

from kvmnb import SpecError
from kvmnb.spec.boot import Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec, Memory
from kvmnb.spec.network import NIC
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, NewFile
from tests.spec.strategies import domains

FILE = ExistingFile("/a")
IMAGE = CatalogueImage("tiny")
NEW = NewFile(512)

WRONG: list[tuple[type, dict[str, Any], str]] = [
    (Memory, {"size_mib": 0}, "mem"),
    (Memory, {"size_mib": 1.5}, "mem"),
    (Memory, {"size_mib": 1 << 30}, "mem"),
    (Memory, {"slots": 2}, "mem.slots"),
    (Memory, {"maximum_mib": 256}, "mem.slots"),
    (Memory, {"slots": -1, "maximum_mib": 256}, "mem.slots"),
    (Memory, {"slots": 257, "maximum_mib": 256}, "mem.slots"),
    (Memory, {"slots": True, "maximum_mib": 256}, "mem.slots"),
    (Memory, {"slots": None}, "mem.slots"),
    (Memory, {"slots": 2, "maximum_mib": 128}, "mem.maxmem"),
    (CPU, {"count": 0}, "smp"),
    (CPU, {"count": 256}, "smp"),
    (CPU, {"count": "2"}, "smp"),
    (CPU, {"count": True}, "smp"),
    (CPU, {"count": 2, "maximum": 1}, "smp.maxcpus"),
    (CPU, {"sockets": 0}, "smp.sockets"),
    (CPU, {"cores": -1}, "smp.cores"),
    (CPU, {"threads": 1.0}, "smp.threads"),
    (CPU, {"count": 4, "sockets": 2, "cores": 2, "threads": 2}, "smp"),
    (CPU, {"count": 4, "cores": 3}, "smp"),
    (CPU, {"model": ""}, "cpu"),
    (CPU, {"model": "qemu64,+vmx"}, "cpu"),
    (CPU, {"model": "a b"}, "cpu"),
    (CPU, {"model": 5}, "cpu"),
    (Boot, {"order": "x"}, "boot.order"),
    (Boot, {"order": "cc"}, "boot.order"),
    (Boot, {"order": 5}, "boot.order"),
    (Boot, {"once": "c,menu=on"}, "boot.once"),
    (Boot, {"menu": "on"}, "boot.menu"),
    (Boot, {"initrd": "/i"}, "boot.kernel"),
    (Boot, {"append": "quiet"}, "boot.kernel"),
    (Boot, {"kernel": ""}, "boot.kernel"),
    (Boot, {"kernel": "/k", "append": "a\0b"}, "boot.append"),
    (CatalogueImage, {"name": ""}, "disk"),
    (CatalogueImage, {"name": "a/b"}, "disk"),
    (ExistingFile, {"path": ""}, "disk"),
    (ExistingFile, {"path": b"/a"}, "disk"),
    (NewFile, {"size_bytes": 0}, "disk.size"),
    (NewFile, {"size_bytes": 513}, "disk.size"),
    (NewFile, {"size_bytes": (1 << 51) + 512}, "disk.size"),
    (NewFile, {"size_bytes": "1G"}, "disk.size"),
    (Disk, {"back": "/a"}, "disk.back"),
    (Disk, {"back": FILE, "bus": "virtoi"}, "disk.bus"),
    (Disk, {"back": FILE, "cache": "fast"}, "disk.cache"),
    (Disk, {"back": FILE, "format": "qcow"}, "disk.format"),
    (Disk, {"back": IMAGE, "format": "qcow2"}, "disk.format"),
    (Disk, {"back": FILE, "readonly": "no"}, "disk.readonly"),
    (Disk, {"back": FILE, "snapshot": 1}, "disk.snapshot"),
    (Disk, {"back": FILE, "size_bytes": 512}, "disk.size"),
    (Disk, {"back": NEW, "size_bytes": 512}, "disk.size"),
    (Disk, {"back": IMAGE, "size_bytes": 513}, "disk.size"),
    (Disk, {"back": IMAGE, "size_bytes": -512}, "disk.size"),
    (Disk, {"back": FILE, "readonly": True, "snapshot": True}, "disk.snapshot"),
    (Disk, {"back": NEW, "readonly": True}, "disk.readonly"),
    (Disk, {"back": FILE, "readonly": True, "bus": "ide"}, "disk.readonly"),
    (Disk, {"back": FILE, "readonly": True, "bus": "sata"}, "disk.readonly"),
    (CDROM, {"path": ""}, "cdrom"),
    (NIC, {"model": 5}, "nic.model"),
    (NIC, {"back": "user"}, "nic.back"),
    (NIC, {"mac": "01:00:00:00:00:00"}, "nic.mac"),
    (DomainSpec, {"name": "a/b"}, "name"),
    (DomainSpec, {"name": "a", "memory": 128}, "memory"),
    (DomainSpec, {"name": "a", "cpu": 2}, "cpu"),
    (DomainSpec, {"name": "a", "machine": None}, "machine"),
    (DomainSpec, {"name": "a", "accel": "xen"}, "accel"),
    (DomainSpec, {"name": "a", "disks": [Disk(back=FILE)]}, "disks"),
    (DomainSpec, {"name": "a", "disks": (CDROM("/a"),)}, "disks"),
    (DomainSpec, {"name": "a", "cdroms": ("/a",)}, "cdroms"),
    (DomainSpec, {"name": "a", "nics": None}, "nics"),
    (DomainSpec, {"name": "a", "nics": (NIC(mac="52:54:00:00:00:01"),) * 2}, "nic.mac"),
    (DomainSpec, {"name": "a", "boot": "c"}, "boot"),
    *((DomainSpec, {"name": "a", field: "off"}, field) for field in ("balloon", "agent", "serial")),
    *((DomainSpec, {"name": "a", field: None}, field) for field in ("vnc", "vmgenid", "rng")),
]


@pytest.mark.parametrize(("kind", "values", "field"), WRONG)
def test_a_wrong_value_is_refused_with_its_field_and_a_reason(kind, values, field):
    with pytest.raises(SpecError) as caught:
        kind(**values)
    assert caught.value.field == field
    assert caught.value.reason


def test_every_field_that_can_be_wrong_was_tried_here():
    every = {
        (kind, each.name)
        for kind in (Memory, CPU, Boot, CatalogueImage, ExistingFile, NewFile, Disk, CDROM, NIC)
        for each in dataclasses.fields(kind)
    } | {(DomainSpec, each.name) for each in dataclasses.fields(DomainSpec)}
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
    switches = {f.name for f in dataclasses.fields(spec) if isinstance(getattr(spec, f.name), bool)}
    assert switches == {"balloon", "agent", "serial", "vnc", "vmgenid", "rng"}
    assert all(getattr(spec, switch) for switch in switches)


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
