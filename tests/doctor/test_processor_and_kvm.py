"""What the doctor says of the processor and of KVM, on machines with and without them."""

from __future__ import annotations

import os

import pytest

from kvmnb.doctor import kvm, processor


@pytest.mark.parametrize("flag", ["vmx", "svm"])
def test_a_processor_for_guests_is_recognized_with_its_line(machine, flag):
    machine.cpu(f"fpu {flag} sse")
    found = processor.virtualization(machine.root())
    assert found.verdict == "ok"
    assert found.evidence == f"/proc/cpuinfo line 4: {flag} (Test CPU)"


def test_a_flag_that_only_contains_vmx_is_not_vmx(machine):
    machine.cpu("fpu vmx_like")
    assert processor.virtualization(machine.root()).verdict == "missing"


@pytest.mark.parametrize(
    ("vendor", "option"), [("GenuineIntel", "VT-x"), ("AuthenticAMD", "SVM Mode")]
)
def test_a_bare_machine_without_the_flag_is_sent_to_its_firmware(machine, vendor, option):
    machine.cpu("fpu", vendor)
    assert option in processor.virtualization(machine.root()).remedy


def test_a_virtual_machine_without_the_flag_is_sent_to_its_host(machine):
    machine.cpu("fpu hypervisor", "AuthenticAMD")
    assert "kvm_amd nested=1" in processor.virtualization(machine.root()).remedy


def test_another_processor_is_not_examined_and_no_failure(machine):
    machine.write("/proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd\n")
    assert processor.virtualization(machine.root()).verdict == "limited"
    assert kvm.modules(machine.root()).verdict == "limited"


def test_iommu_groups_and_vfio_are_two_things(machine):
    assert processor.iommu(machine.root()).verdict == "missing"
    machine.folder("/sys/kernel/iommu_groups/0")
    machine.modules(loadable="vfio_pci")
    found = processor.iommu(machine.root())
    assert (found.verdict, found.remedy) == ("limited", "sudo modprobe vfio_pci")
    machine.write("/dev/vfio/vfio")
    assert processor.iommu(machine.root()).verdict == "ok"


def test_modules_are_found_loaded_or_built_in(machine):
    machine.cpu("vmx")
    machine.modules(loaded="kvm kvm_intel")
    assert kvm.modules(machine.root()).evidence.endswith("kvm loaded, kvm_intel loaded")
    machine.modules(built_in="kvm kvm_intel")
    found = kvm.modules(machine.root())
    assert found.verdict == "ok"
    assert found.evidence.endswith("kvm built in, kvm_intel built in")


def test_a_module_that_is_not_loaded_comes_with_its_modprobe_line(machine):
    machine.cpu("svm", "AuthenticAMD")
    machine.modules(loaded="kvm", loadable="kvm_amd")
    found = kvm.modules(machine.root())
    assert (found.verdict, found.remedy) == ("limited", "sudo modprobe kvm_amd")
    assert kvm.modules(machine.root(uid=0)).remedy == "modprobe kvm_amd"


def test_a_module_that_this_kernel_does_not_have_is_not_to_be_loaded(machine):
    machine.cpu("vmx")
    assert "modprobe" not in kvm.modules(machine.root()).remedy


def test_a_module_of_another_kind_is_named(machine):
    machine.cpu("fpu")
    machine.folder("/sys/module/kvm")
    machine.folder("/sys/module/kvm_pvm")
    assert "instead: kvm_pvm" in kvm.modules(machine.root()).evidence


@pytest.mark.parametrize(("value", "verdict"), [("Y", "ok"), ("1", "ok"), ("N", "missing")])
def test_nested_is_read_from_the_module_of_the_vendor(machine, value, verdict):
    machine.cpu("vmx")
    machine.write("/sys/module/kvm_intel/parameters/nested", f"{value}\n")
    found = kvm.nested(machine.root())
    assert found.verdict == verdict
    assert ("kvm_intel nested=1" in found.remedy) == (verdict == "missing")


def test_present_and_openable_are_two_things(machine):
    machine.cpu("vmx")
    machine.modules(loadable="kvm_intel")
    assert kvm.present(machine.root()).remedy == "sudo modprobe kvm_intel"
    assert kvm.openable(machine.root()).verdict == "missing"
    machine.write("/dev/kvm").chmod(0o600)
    assert kvm.present(machine.root()).verdict == "ok"
    assert kvm.openable(machine.root()).verdict == "ok"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_node_of_a_group_comes_with_the_way_into_that_group(machine):
    group = os.getegid()
    machine.write("/etc/group", f"kvm:x:{group}:\n")
    machine.write("/dev/kvm").chmod(0o060)  # its owner is this user, and has no right to it
    found = kvm.openable(machine.root())
    assert found.verdict == "missing"
    assert found.remedy == "sudo usermod -aG kvm ada, then log in again"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_node_of_root_alone_is_first_given_to_a_group(machine):
    machine.write("/dev/kvm").chmod(0o000)
    assert "sudo chmod 660 /dev/kvm" in kvm.openable(machine.root()).remedy


def test_a_node_that_is_no_kvm_is_neither_asked_nor_usable(machine):
    machine.cpu("vmx")
    machine.write("/dev/kvm")
    root = machine.root()
    assert kvm.api(root).verdict == "missing"
    found = kvm.usable(root)
    assert found.verdict == "missing"
    assert found.remedy
