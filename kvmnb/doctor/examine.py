"""The round: every look, in order, each within its time."""

from __future__ import annotations

import threading

from kvmnb.doctor import kvm, libvirt, memory, network, processor, qemu, storage, user
from kvmnb.doctor.check import Check, Finding, Look
from kvmnb.doctor.report import Report
from kvmnb.doctor.root import Root

__all__ = ["GROUPS", "examine", "look"]

GROUPS: dict[str, tuple[Look, ...]] = {
    "processor": processor.LOOKS,
    "KVM": kvm.LOOKS,
    "QEMU": qemu.LOOKS,
    "memory": memory.LOOKS,
    "storage": storage.LOOKS,
    "network": network.LOOKS,
    "libvirt": libvirt.LOOKS,
    "user": user.LOOKS,
}

LIMIT_S = 8.0
"""For one look: above what its commands and trials may take, so only a file can reach it."""


def examine(root: Root | None = None) -> Report:
    """Look at the machine and return the report; needs no right and changes nothing.

    Parameters
    ----------
    root : the machine; ``None`` for this one
    """
    machine = root or Root()
    return Report(
        tuple(look(each, machine, group) for group, looks in GROUPS.items() for each in looks)
    )


def look(what: Look, root: Root, group: str = "", limit_s: float = LIMIT_S) -> Check:
    """Return what one look finds; what goes wrong on the way is evidence too.

    Parameters
    ----------
    limit_s : a file of a dead server keeps whoever touches it for ever; the look is given up then
    """
    found: list[Finding] = []

    def work() -> None:
        try:
            found.append(what.examine(root))
        except Exception as error:
            found.append(Finding("limited", f"not examined: {type(error).__name__}: {error}"))

    worker = threading.Thread(target=work, name=f"doctor: {what.name}", daemon=True)
    worker.start()
    worker.join(limit_s)
    result = found[0] if found else Finding("limited", f"not examined within {limit_s:g} s")
    return Check(
        group,
        what.name,
        result.verdict,
        result.evidence,
        result.remedy,
        what.purpose,
        what.needed,
    )
