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
from functools import partial
from typing import Any

__all__ = ["Verdict", "cached", "probe"]

NODE = "/dev/kvm"

DEADLINE_S = 2.5
"""For the whole trial; where KVM works it takes 50 ms, nearly all of it Python's start."""

KILL_S = 0.4
"""How long a killed trial may take to go."""

SLOW_NS = 50.0
"""Above this an instruction is emulated: a processor's own takes about 1 ns with the exit's share,
an emulator that reads each one hundreds, TCG's compiled code 5 to 10."""

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
    verdict, certain = judge(_try(node))
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
        return Verdict(present, openable, None, False, reason, _TCG)
    if not present:
        return Verdict(False, None, None, False, f"there is no {node}", _NO_NODE)
    if not openable:
        return Verdict(True, False, None, False, f"this user may not open {node}", _NOT_OURS)
    return None


_TCG = "TCG, QEMU's own emulation, runs guests meanwhile"
_NO_NODE = (
    "switch on virtualization (VT-x or AMD-V) in the firmware, or nested virtualization in the "
    "host of this virtual machine, then: modprobe kvm_intel or modprobe kvm_amd"
)
_NOT_OURS = "usermod -aG kvm USER (as root), then log in again"
_ODD_HOST = (
    "a machine with VT-x or AMD-V, or nested virtualization switched on in the host of this one; "
    + _TCG
)
_AGAIN = "run kvmnb doctor again when the machine is less busy; " + _TCG


# -- the trial ----------------------------------------------------------------------------


@dataclass(slots=True)
class Told:
    """What the trial told before it ended.

    Parameters
    ----------
    api_version, open_error, refused, stopped : as `trial` tells them; ``None`` where it did not
    step : the last step that worked; ``None`` where no guest was started
    instruction_ns : the shortest time that was told
    not_tried : why there was no trial
    timed_out : it had to be ended
    """

    api_version: int | None = None
    open_error: str | None = None
    refused: str | None = None
    stopped: str | None = None
    step: int | None = None
    instruction_ns: float | None = None
    not_tried: str | None = None
    timed_out: bool = False

    def hear(self, said: bytes) -> None:
        """Take in the lines of the trial; one that the kill cut off is left out."""
        for line in said.splitlines():
            try:
                facts: dict[str, Any] = json.loads(line)
            except ValueError:
                return
            took_ns = facts.pop("instruction_ns", None)
            if took_ns is not None:
                self.instruction_ns = min(took_ns, self.instruction_ns or took_ns)
            for name, value in facts.items():
                setattr(self, name, value)


def _try(node: str) -> Told:
    """Run the trial in a process of its own, and end that process if it does not end."""
    import subprocess
    import sys

    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from kvmnb.rawkvm.trial import main; main(*sys.argv[2:])"
    )
    # -I: no current folder, no PYTHON* variables of the notebook; -S: no site packages needed
    argv = [sys.executable, "-I", "-S", "-c", code, package, node, str(DEADLINE_S + 0.5)]
    told = Told()
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            cwd="/",
        )
    except OSError as error:
        told.not_tried = error.strerror
        return told
    try:
        told.hear(child.communicate(timeout=DEADLINE_S)[0])
    except subprocess.TimeoutExpired:
        told.timed_out = True
        child.kill()
        try:
            told.hear(child.communicate(timeout=KILL_S)[0])
        except subprocess.TimeoutExpired:
            assert child.stdout is not None
            child.stdout.close()  # the kernel does not let go of it: no reason to wait for ever
    except BaseException:
        child.kill()
        child.communicate()
        raise
    return told


# -- the verdict --------------------------------------------------------------------------


def judge(told: Told) -> tuple[Verdict, bool]:
    """Return the verdict, and whether it will be the same the next time."""
    from kvmnb.rawkvm import ioctls

    openable = told.api_version is not None if told.not_tried is None else None
    verdict = partial(Verdict, True, openable, told.api_version, instruction_ns=told.instruction_ns)
    early = "the trial took too long" if told.timed_out else "the trial ended early"
    if told.open_error is not None:
        return verdict(False, f"{NODE} does not open: {told.open_error}", _NO_NODE), True
    if told.refused is not None:
        return verdict(False, f"it refuses to run a guest: {told.refused}", _ODD_HOST), True
    if told.api_version is None:
        return verdict(False, f"it could not be tried: {told.not_tried or early}", _AGAIN), False
    if told.api_version != ioctls.API_VERSION:
        reason = f"its API version is {told.api_version}, not {ioctls.API_VERSION}"
        return verdict(False, reason, f"a kernel whose KVM has it; {_TCG}"), True
    if told.step is None:
        return verdict(False, f"no guest could be started: {early}", _AGAIN), False
    faults = _faults(told, told.step)
    if faults:
        reason = f"it does not run a stock kernel: {'; '.join(faults)}"
        return verdict(False, reason, _ODD_HOST), True
    return verdict(True, "KVM runs a guest's kernel code at the processor's own speed"), True


def _faults(told: Told, step: int) -> list[str]:
    """Return what a stock kernel would miss, in words."""
    from kvmnb.rawkvm.longmode import STEPS

    faults = []
    if told.instruction_ns is not None and told.instruction_ns > SLOW_NS:
        faults.append(
            f"an instruction of a guest's kernel takes {told.instruction_ns:.0f} ns, "
            "so it is emulated, far slower than TCG does it"
        )
    if step < max(STEPS):
        how = "the guest hung" if told.timed_out else told.stopped or "the trial ended early"
        faults.append(f"{STEPS[step + 1]} did not work ({how})")
    return faults


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
