"""Looks at KVM: modules, the node, and whether it really runs a guest."""

from __future__ import annotations

from kvmnb.doctor.check import Finding, Look
from kvmnb.doctor.modules import how, load
from kvmnb.doctor.processor import cpu_fields, vendor_flag, vendor_module
from kvmnb.doctor.root import Root
from kvmnb.rawkvm import probe

__all__ = ["LOOKS"]

NODE = "/dev/kvm"
TCG = "guests 5 to 10 times faster than under TCG"


def _load(root: Root) -> str:
    """Return what brings KVM's modules; none does where the processor lacks what they use."""
    if vendor_flag(root) is None:
        return "first what 'virtualization' above says"
    return load(root, vendor_module(root))


def modules(root: Root) -> Finding:
    """Look for kvm and the module of this processor's vendor."""
    if "flags" not in cpu_fields(root):
        return Finding("limited", "not an x86-64 processor: not examined")
    vendor = vendor_module(root)
    found = {module: how(root, module) for module in ("kvm", vendor)}
    words = ", ".join(f"{module} {state or 'absent'}" for module, state in found.items())
    others = [name for name in root.entries("/sys/module") if name.startswith("kvm_")]
    strange = [name for name in others if name not in {"kvm_intel", "kvm_amd"}]
    if strange:
        words += f"; instead: {', '.join(strange)}"
    evidence = f"/proc/modules, /sys/module: {words}"
    if all(found.values()):
        return Finding("ok", evidence)
    return Finding("missing" if found["kvm"] is None else "limited", evidence, _load(root))


def nested(root: Root) -> Finding:
    """Look whether guests may have guests."""
    vendor = vendor_module(root)
    file = f"/sys/module/{vendor}/parameters/nested"
    value = root.value(file)
    if value in {"1", "Y"}:
        return Finding("ok", f"{file}: {value}")
    if value is None:
        return Finding("missing", f"no {file}", _load(root))
    sudo = root.sudo
    return Finding(
        "missing",
        f"{file}: {value}",
        f'echo "options {vendor} nested=1" | {sudo}tee /etc/modprobe.d/kvm-nested.conf; '
        f"then, with no guest running: {sudo}modprobe -r {vendor}; {sudo}modprobe {vendor}",
    )


def present(root: Root) -> Finding:
    """Look for the node."""
    if root.exists(NODE):
        return Finding("ok", f"{NODE}: {root.mode(NODE)}")
    return Finding("missing", f"no {NODE}", _load(root))


def openable(root: Root) -> Finding:
    """Look whether this user may open the node."""
    if not root.exists(NODE):
        return Finding("missing", f"no {NODE}", _load(root))
    mode = root.mode(NODE)
    if root.usable(NODE):
        return Finding("ok", f"{NODE}: {mode}; user {root.user} may read and write")
    group = mode.rsplit(":", 1)[-1]
    evidence = f"{NODE}: {mode}; user {root.user} may not read and write"
    if group == "root" or "rw" not in mode[4:7]:
        remedy = f"{root.sudo}chgrp kvm {NODE}; {root.sudo}chmod 660 {NODE}; then be of group kvm"
    else:
        remedy = f"{root.sudo}usermod -aG {group} {root.user}, then log in again"
    return Finding("missing", evidence, remedy)


def _remedy(verdict: probe.Verdict) -> str:
    if verdict.openable is False:
        return f"first what '{NODE} openable' above says"
    return verdict.remedy


def _verdict(root: Root) -> probe.Verdict:
    node = str(root.at(NODE))
    known = probe.cached(node)
    # bad news is looked into again: whoever asks the doctor may just have mended it
    return known if known is not None and known.usable else probe.probe(node)


def api(root: Root) -> Finding:
    """Look at the version of the interface."""
    verdict = root.once(_verdict)
    if verdict.api_version is None:
        return Finding("missing", f"not asked: {verdict.reason}", _remedy(verdict))
    evidence = f"KVM_GET_API_VERSION: {verdict.api_version}"
    if verdict.api_version == 12:
        return Finding("ok", evidence)
    return Finding("missing", evidence, _remedy(verdict))


def usable(root: Root) -> Finding:
    """Run 64-bit code, as a stock kernel has it."""
    verdict = root.once(_verdict)
    evidence = f"tried with 64-bit code: {verdict.reason}"
    if verdict.usable:
        return Finding("ok", evidence)
    tried = verdict.api_version is not None
    return Finding("missing", evidence if tried else verdict.reason, _remedy(verdict))


LOOKS = (
    Look("kvm modules", modules, TCG),
    Look("nested virtualization", nested, "guests within guests"),
    Look(f"{NODE} present", present, TCG),
    Look(f"{NODE} openable", openable, TCG),
    Look("KVM API version", api, TCG),
    Look("KVM really usable", usable, TCG),
)
