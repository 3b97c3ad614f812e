"""Looks at the processor: what it has for guests."""

from __future__ import annotations

from kvmnb.doctor.check import Finding, Look
from kvmnb.doctor.modules import load
from kvmnb.doctor.root import Root

__all__ = ["LOOKS", "cpu_fields", "vendor_flag", "vendor_module"]

CPUINFO = "/proc/cpuinfo"


def cpu_fields(root: Root) -> dict[str, tuple[int, str]]:
    """Return the first processor's fields of /proc/cpuinfo, each with its line's number."""
    fields: dict[str, tuple[int, str]] = {}
    for number, line in enumerate((root.read(CPUINFO) or "").splitlines(), 1):
        name, _, value = line.partition(":")
        if not name.strip():
            break  # an empty line: the next processor
        fields[name.strip()] = (number, value.strip())
    return fields


def vendor_flag(root: Root) -> str | None:
    """Return the flag by which the processor says that it runs guests: ``vmx`` or ``svm``."""
    flags = cpu_fields(root).get("flags", (0, ""))[1].split()
    return next((flag for flag in ("vmx", "svm") if flag in flags), None)


def vendor_module(root: Root) -> str:
    """Return the module that KVM needs for this processor: ``kvm_intel`` or ``kvm_amd``."""
    vendor = cpu_fields(root).get("vendor_id", (0, ""))[1]
    return "kvm_intel" if vendor in {"GenuineIntel", "CentaurHauls"} else "kvm_amd"


def virtualization(root: Root) -> Finding:
    """Look for ``vmx`` or ``svm`` among the processor's flags."""
    fields = cpu_fields(root)
    if not fields:
        return Finding("limited", f"{CPUINFO} cannot be read", "mount -t proc proc /proc")
    if "flags" not in fields:
        return Finding("limited", f"{CPUINFO} has no flags: not an x86-64 processor, not examined")
    line, flags = fields["flags"]
    model = fields.get("model name", (0, "unnamed processor"))[1]
    flag = vendor_flag(root)
    if flag is not None:
        return Finding("ok", f"{CPUINFO} line {line}: {flag} ({model})")
    where = f"{CPUINFO} line {line}: neither vmx nor svm ({model})"
    option = "Intel VT-x" if vendor_module(root) == "kvm_intel" else "SVM Mode (AMD-V)"
    if "hypervisor" not in flags.split():
        return Finding("missing", where, f"switch on {option} in the firmware's settings")
    return Finding(
        "missing",
        f"{where}; flag hypervisor: this machine is virtual",
        f"on the machine that hosts this one: modprobe {vendor_module(root)} nested=1, and give "
        "this one its processor (-cpu host)",
    )


def iommu(root: Root) -> Finding:
    """Look for IOMMU groups, and for vfio, which hands them to guests."""
    folder = "/sys/kernel/iommu_groups"
    groups = root.entries(folder)
    if not groups:
        intel = vendor_module(root) == "kvm_intel"
        remedy = "switch on VT-d in the firmware; add intel_iommu=on to the kernel's command line"
        return Finding(
            "missing",
            f"{folder}: no groups",
            remedy if intel else "switch on the IOMMU (AMD-Vi) in the firmware's settings",
        )
    if not root.exists("/dev/vfio/vfio"):
        return Finding(
            "limited",
            f"{folder}: {len(groups)} groups; no /dev/vfio/vfio",
            load(root, "vfio_pci"),
        )
    return Finding("ok", f"{folder}: {len(groups)} groups; /dev/vfio/vfio is there")


LOOKS = (
    Look("virtualization", virtualization, "KVM: guests at the processor's own speed"),
    Look("IOMMU", iommu, "giving a PCI device of this machine to a guest"),
)
