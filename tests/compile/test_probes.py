"""The recorded probes: each says the least that a compiler asks, and one is checked here."""

from __future__ import annotations

import pytest

from kvmnb.engines.qemu.facts import QemuFacts, facts
from tests.compile.probes import Probe, probes

EVERYWHERE = {
    *("virtio-blk-pci", "virtio-scsi-pci", "virtio-net-pci", "virtio-serial-pci", "virtio-rng-pci"),
    *("virtio-balloon-pci", "virtserialport", "scsi-hd", "scsi-cd", "ide-hd", "ide-cd", "nvme"),
    *("VGA", "virtio-vga", "qemu-xhci", "usb-tablet", "usb-storage", "vmgenid", "pcie-root-port"),
    *("e1000", "e1000e", "rtl8139", "intel-hda", "hda-duplex", "tpm-crb", "i6300esb", "pvpanic"),
}


@pytest.fixture(params=probes())
def probe(request) -> Probe:
    return probes()[request.param]


@pytest.fixture
def installed(private_folders) -> QemuFacts:
    found = facts()
    if found.version[:2] != (7, 2):
        pytest.skip(f"QEMU 7.2 is not installed here, but {found.version}")
    return found


def test_the_versions_in_the_field_are_recorded():
    assert list(probes()) == ["6.2", "7.2", "8.2", "9.2", "10.0"]


def test_every_version_has_what_any_guest_needs(probe):
    assert probe.devices >= EVERYWHERE
    assert probe.machines >= {"pc", "q35", "microvm", "none"}
    assert probe.netdevs >= {"user", "tap", "socket", "bridge", "vhost-user"}
    assert probe.chardevs >= {"socket", "file", "pty", "stdio", "null"}
    assert probe.displays >= {"none", "default"}
    assert probe.options >= {"machine", "device", "netdev", "chardev", "smbios", "fw_cfg"}
    assert probe.tpms == {"emulator", "passthrough"}
    assert probe.sandbox


def test_every_version_has_a_machine_of_its_own(probe):
    major, minor, _ = probe.version
    assert probe.machines >= {f"pc-q35-{major}.{minor}", f"pc-i440fx-{major}.{minor}"}


def test_no_cpu_bus_or_back_end_is_taken_for_a_device(probe):
    assert not [name for name in probe.devices if name.endswith(("-cpu", "-machine", "-accel"))]
    assert not probe.devices & {"PCI", "PCIE", "ISA", "usb-bus", "virtio-pci-bus", "iothread"}
    assert not probe.devices & {"memory-backend-ram", "rng-random", "secret", "chardev-socket"}


def test_every_source_can_be_found_again_anywhere(probe):
    assert probe.source
    assert not any(word in probe.source for word in ("/usr", "/home", "/tmp", "~"))


@pytest.mark.parametrize(
    ("device", "since"),
    [("igb", "8.2"), ("virtio-sound-pci", "8.2"), ("vmclock", "10.0"), ("pxb-cxl", "7.2")],
)
def test_a_device_is_in_the_versions_since_it_was_made(device, since):
    versions = list(probes())
    having = [name for name, probe in probes().items() if device in probe.devices]
    assert having == versions[versions.index(since) :]


def test_what_was_dropped_is_not_in_later_versions():
    assert "sga" in probes()["7.2"].devices
    assert not any("sga" in probes()[name].devices for name in ("8.2", "9.2", "10.0"))
    assert "stream" not in probes()["6.2"].netdevs
    assert "pc-i440fx-2.3" not in probes()["9.2"].machines


def test_the_record_of_7_2_agrees_with_the_qemu_that_is_installed(installed):
    probe = probes()["7.2"]
    assert probe.devices == {name for name in installed.devices if not name.endswith("-cpu")}
    assert probe.machines == installed.machines.keys()
    assert probe.options == installed.options - {""}
