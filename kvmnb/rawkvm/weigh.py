"""The trial of KVM, run in a process of its own, and what is made of what it told."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import partial
from typing import Any

from kvmnb.rawkvm.probe import AGAIN, NO_NODE, NODE, ODD_HOST, TCG, Verdict

__all__ = ["Told", "judge", "trial"]

DEADLINE_S = 2.5
"""For the whole trial; where KVM works it takes 50 ms, nearly all of it Python's start."""

KILL_S = 0.4
"""How long a killed trial may take to go."""

SLOW_NS = 50.0
"""Above this an instruction is emulated: a processor's own takes about 1 ns with the exit's share,
an emulator that reads each one hundreds, TCG's compiled code 5 to 10."""


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


def trial(node: str) -> Told:
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
        return verdict(False, f"{NODE} does not open: {told.open_error}", NO_NODE), True
    if told.refused is not None:
        return verdict(False, f"it refuses to run a guest: {told.refused}", ODD_HOST), True
    if told.api_version is None:
        return verdict(False, f"it could not be tried: {told.not_tried or early}", AGAIN), False
    if told.api_version != ioctls.API_VERSION:
        reason = f"its API version is {told.api_version}, not {ioctls.API_VERSION}"
        return verdict(False, reason, f"a kernel whose KVM has it; {TCG}"), True
    if told.step is None:
        return verdict(False, f"no guest could be started: {early}", AGAIN), False
    faults = _faults(told, told.step)
    if faults:
        reason = f"it does not run a stock kernel: {'; '.join(faults)}"
        return verdict(False, reason, ODD_HOST), True
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
