"""Whether KVM really runs a guest here, tried once per boot and then read from a small file.

A node that opens does not show it: KVM may run real-mode code alone, or act a kernel's
instructions out one by one. So a few hundred bytes of 64-bit code are run in a process of their
own, under a deadline, and what they report is weighed.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["AGAIN", "NODE", "NO_NODE", "ODD_HOST", "TCG", "Verdict", "cached", "probe"]

NODE = "/dev/kvm"

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether KVM is of use here.

    Parameters
    ----------
    present : there is a /dev/kvm
    openable : this user may open it; ``None`` where there is none
    api_version : what it answers, 12 where all is well; ``None`` where it was not asked
    usable : it runs what a stock 64-bit kernel needs, at a processor's speed
    reason : one sentence for people
    remedy : what to do about it; empty where it is usable
    instruction_ns : how long one instruction of a guest's kernel took; ``None`` where not measured
    """

    present: bool
    openable: bool | None
    api_version: int | None
    usable: bool
    reason: str
    remedy: str = ""
    instruction_ns: float | None = None


def cached(node: str = NODE) -> Verdict | None:
    """Return what is known of this machine's KVM without trying it, or ``None``.

    What a look at the node tells needs no trial: that it is not there, or not for this user.
    """
    seen = _at_a_glance(node)
    if seen is not None:
        return seen
    try:
        with open(_cache_file(), encoding="utf-8") as file:
            content: dict[str, Any] = json.load(file)
        return Verdict(**content["verdict"]) if content["identity"] == _identity(node) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def probe(node: str = NODE) -> Verdict:
    """Try KVM, remember the verdict until the next boot, and return it; at most 3 s."""
    seen = _at_a_glance(node)
    if seen is not None:
        return seen
    try:
        identity = _identity(node)
    except OSError:
        identity = None  # without it nothing can be remembered
    from kvmnb.rawkvm import weigh

    verdict, certain = weigh.judge(weigh.trial(node))
    if certain and identity is not None:
        _store(identity, verdict)
    return verdict


def _at_a_glance(node: str) -> Verdict | None:
    """Return the verdict that follows from the node's presence and mode alone."""
    machine = os.uname().machine
    present = os.path.exists(node)
    openable = os.access(node, os.R_OK | os.W_OK) if present else None
    if machine != "x86_64":
        reason = f"KVM is not examined on this processor ({machine})"
        return Verdict(present, openable, None, False, reason, TCG)
    if not present:
        return Verdict(False, None, None, False, f"there is no {node}", NO_NODE)
    if not openable:
        return Verdict(True, False, None, False, f"this user may not open {node}", NOT_OURS)
    return None


TCG = "TCG, QEMU's own emulation, runs guests meanwhile"
NO_NODE = (
    "switch on virtualization (VT-x or AMD-V) in the firmware, or nested virtualization in the "
    "host of this virtual machine, then: modprobe kvm_intel or modprobe kvm_amd"
)
NOT_OURS = "usermod -aG kvm USER (as root), then log in again"
ODD_HOST = (
    "a machine with VT-x or AMD-V, or nested virtualization switched on in the host of this one; "
    + TCG
)
AGAIN = "run kvmnb doctor again when the machine is less busy; " + TCG


# -- memory -------------------------------------------------------------------------------


def _identity(node: str) -> list[Any]:
    """Return what a verdict hangs on: this boot's kernel, this node as it is now, this user."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    status = os.stat(node)
    # the node is made anew when a module is loaded again, with nested=1 say
    return [FORMAT, boot, status.st_rdev, status.st_ino, status.st_ctime_ns, os.geteuid()]


def _cache_file() -> str:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "kvmnb", "kvm.json")


def _store(identity: list[Any], verdict: Verdict) -> None:
    where = _cache_file()
    part = f"{where}.{os.getpid()}.part"
    try:
        os.makedirs(os.path.dirname(where), mode=0o700, exist_ok=True)
        with open(part, "w", encoding="utf-8") as file:
            json.dump({"identity": identity, "verdict": asdict(verdict)}, file)
        os.replace(part, where)
    except OSError:
        # a full or read-only cache costs a trial next time, no more
        with contextlib.suppress(OSError):
            os.unlink(part)
