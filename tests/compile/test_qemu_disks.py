"""Disks and CD-ROMs find their places, and each cache mode means what QEMU's manual says."""

from __future__ import annotations

import pytest

from kvmnb import SpecError
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import CACHES, CDROM, Disk, ExistingFile, NewFile
from tests.compile.made import compiled
from tests.compile.reading import parsed, values

BUSES = ("virtio", "ide", "sata", "scsi", "nvme", "usb")
"""The buses of which a board takes several disks, each with a write cache to switch."""

ISO = CDROM(ExistingFile("/a.iso"))
IDE = Disk(back=NewFile(512), bus="ide")


def _places(machine: str, disks: int, cdroms: int) -> list[str]:
    spec = DomainSpec(name="a", machine=machine, disks=(IDE,) * disks, cdroms=(ISO,) * cdroms)
    found = [dict(parsed(text)) for text in values(compiled(spec), "-device")]
    return [
        f"{device['id']}@{device['bus'].removeprefix('ide.')}.{device.get('unit', 0)}"
        for device in found
        if device[None] in {"ide-hd", "ide-cd"}
    ]


def test_on_pc_disks_come_first_and_the_cdrom_is_the_second_cables_first():
    assert _places("pc", 0, 1) == ["cd0@1.0"]
    assert _places("pc", 1, 1) == ["disk0@0.0", "cd0@1.0"]
    assert _places("pc", 3, 1) == ["disk0@0.0", "disk1@0.1", "disk2@1.0", "cd0@1.1"]
    assert _places("pc", 0, 4) == ["cd0@1.0", "cd1@1.1", "cd2@0.1", "cd3@0.0"]


def test_on_q35_each_has_a_port_of_its_own():
    assert _places("q35", 2, 1) == ["disk0@0.0", "disk1@1.0", "cd0@2.0"]
    assert _places("q35", 5, 1)[-1] == "cd0@5.0"


@pytest.mark.parametrize(("machine", "count"), [("pc", 4), ("q35", 6)])
def test_no_two_share_a_place_and_one_too_many_is_refused(machine, count):
    for disks in range(count + 1):
        places = [p.split("@")[1] for p in _places(machine, disks, count - disks)]
        assert len(set(places)) == count
        with pytest.raises(SpecError) as caught:
            _places(machine, disks, count - disks + 1)
        assert caught.value.field == "cdrom"
    with pytest.raises(SpecError) as caught:
        _places(machine, count + 1, 0)
    assert (caught.value.field, caught.value.value) == ("disk.bus", "ide")


def test_a_sata_controller_takes_six_disks():
    sata = Disk(back=NewFile(512), bus="sata")
    devices = values(compiled(DomainSpec(name="a", disks=(sata,) * 6)), "-device")
    buses = [dict(parsed(text))["bus"] for text in devices if text.startswith("ide-hd")]
    assert buses == [f"sata-bus.{port}" for port in range(6)]
    with pytest.raises(SpecError, match="six"):
        compiled(DomainSpec(name="a", disks=(sata,) * 7))


def test_a_bus_has_one_controller_however_many_disks_it_has():
    disks = tuple(Disk(back=NewFile(512), bus=bus) for bus in BUSES * 2)
    devices = [
        str(parsed(t)[0][1]) for t in values(compiled(DomainSpec(name="a", disks=disks)), "-device")
    ]
    for controller in ("ich9-ahci", "virtio-scsi-pci", "qemu-xhci"):
        assert devices.count(controller) == 1


def test_a_controller_comes_before_the_disks_on_it():
    for bus in ("sata", "scsi", "usb"):
        spec = DomainSpec(name="a", disks=(Disk(back=NewFile(512), bus=bus),))
        ids = [dict(parsed(text)).get("id") for text in values(compiled(spec), "-device")]
        assert ids.index(f"{bus}-bus") < ids.index("disk0")


MEANING = {
    "writeback": ("off", "off", "on"),
    "none": ("on", "off", "on"),
    "writethrough": ("off", "off", "off"),
    "directsync": ("on", "off", "off"),
    "unsafe": ("off", "on", "on"),
}
"""cache.direct, cache.no-flush, write-cache of each mode (QEMU manual, -drive cache=)."""


@pytest.mark.parametrize("bus", BUSES)
@pytest.mark.parametrize("cache", CACHES)
def test_a_cache_mode_is_spelled_out_on_both_halves_of_the_disk(cache, bus):
    spec = DomainSpec(name="a", disks=(Disk(back=NewFile(512), bus=bus, cache=cache),))
    argv = compiled(spec)
    direct, no_flush, write = MEANING[cache]
    for text in values(argv, "-blockdev"):
        options = dict(parsed(text))
        assert (options["cache.direct"], options["cache.no-flush"]) == (direct, no_flush)
    front = next(t for t in values(argv, "-device") if ("drive", "disk0") in parsed(t))
    assert dict(parsed(front))["write-cache"] == write


def test_a_cdrom_is_read_only_and_raw():
    argv = compiled(DomainSpec(name="a", cdroms=(ISO,)))
    for text in values(argv, "-blockdev"):
        assert dict(parsed(text))["read-only"] == "on"
    assert dict(parsed(values(argv, "-blockdev")[1]))["driver"] == "raw"


def test_every_file_has_its_driver_named_so_that_no_header_is_believed():
    spec = DomainSpec(name="a", disks=(Disk(back=NewFile(512)),), cdroms=(ISO,))
    drivers = [dict(parsed(text))["driver"] for text in values(compiled(spec), "-blockdev")]
    assert drivers == ["file", "qcow2", "file", "raw"]
