"""What this machine's QEMU has to offer, asked of the binary itself."""

from __future__ import annotations

import pytest

from kvmnb.compile.nics import NIC_MODELS
from kvmnb.engines.qemu.catalogue_facts import Catalogue
from kvmnb.errors import HostError, SpecError


def test_every_device_of_the_facts_that_is_plugged_in_is_listed(host):
    listed = set(host.devices)
    assert {"virtio-net-pci", "virtio-blk-pci", "isa-serial"} <= listed
    assert listed <= host.engine.facts.devices


def test_a_device_has_its_category_its_bus_and_its_description(host):
    row = host.devices().loc["e1000"]
    assert (row["category"], row["bus"]) == ("Network", "PCI")
    assert "Intel" in row["description"]


def test_a_device_by_name_has_its_properties_with_types_and_defaults(host):
    properties = host.devices("virtio-balloon-pci")
    assert properties.loc["deflate-on-oom", "type"] == "bool"
    assert properties.loc["deflate-on-oom", "default"] == False  # noqa: E712
    first_kept_for_tests = [name.startswith("x-") for name in properties.index].index(True)
    assert not any(name.startswith("x-") for name in properties.index[:first_kept_for_tests])


def test_a_device_that_is_not_there_is_refused_with_the_nearest_name(host):
    with pytest.raises(SpecError, match="did you mean 'virtio-net-pci'"):
        host.devices("virtio-nett-pci")


def test_the_network_cards_are_those_that_nic_takes(host):
    cards = host.nics.set_index("model")
    assert cards.loc["virtio", "device"] == "virtio-net-pci"
    assert set(NIC_MODELS) & set(cards.index)
    for model in cards.index:
        host.vm("card").nic(model)


def test_a_board_has_its_description(host):
    assert "Q35" in host.machines.loc["q35", "description"]


def test_a_cpu_model_tells_what_it_lacks_under_the_accelerator(host):
    cpus = host.cpus.set_index("cpu")
    assert {"max", "qemu64"} <= set(cpus.index)
    assert list(cpus.columns) == ["alias_of", "deprecated", "missing"]


def test_the_devices_are_shown_by_category(host, tmp_path):
    assert "\nNetwork\n" in repr(host.devices)
    assert "<summary" in host.devices._repr_html_()
    assert len(host.devices) == len(host.devices())


def test_a_binary_that_is_not_there_is_told(tmp_path):
    with pytest.raises(HostError, match="No such file"):
        Catalogue(str(tmp_path / "qemu")).devices()
