"""The process that tries KVM: it may hang or be killed, so it is one of its own.

It tells what it has reached line by line, so that whoever started it knows where it stopped.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import sys
import time

from kvmnb.rawkvm import ioctls, longmode
from kvmnb.rawkvm.machine import VCPU, VM, open_kvm

__all__ = ["main"]

MAX_EXITS = 100
"""More than the guest makes; one that makes more has lost its way."""


def main(node: str, limit_s: str) -> None:
    """Try KVM at `node` and write what happened to stdout, one JSON object a line."""
    # the kernel's own deadline: should our starter die, this process does not stay behind
    signal.setitimer(signal.ITIMER_REAL, float(limit_s))
    try:
        kvm = open_kvm(node)
    except OSError as error:
        _tell(open_error=error.strerror)
        return
    try:
        version = fcntl.ioctl(kvm, ioctls.GET_API_VERSION, 0)
        _tell(api_version=version)
        if version != ioctls.API_VERSION:
            return
        with VM(kvm, longmode.MEMORY_BYTES) as vm:
            vcpu = vm.vcpu()
            try:
                longmode.load(vm, vcpu)
                _tell(step=0)
                _run(vcpu)
            finally:
                vcpu.close()
    except OSError as error:
        code = errno.errorcode.get(error.errno or 0, str(error.errno))
        _tell(refused=f"{error.strerror} ({code})")
    finally:
        os.close(kvm)


def _run(vcpu: VCPU) -> None:
    """Run the guest to its last halt; tell each step, and how long its counting takes."""
    expected, since_ns = 1, 0
    for _ in range(MAX_EXITS):
        reason = vcpu.run()
        if reason == ioctls.EXIT_HLT and expected > len(longmode.STEPS):
            return
        if reason == ioctls.EXIT_HLT and longmode.STEPS[expected] == "an interrupt":
            vcpu.interrupt(longmode.VECTOR)
            continue
        if reason != ioctls.EXIT_IO:
            _tell(stopped=ioctls.EXIT_NAMES.get(reason, f"exit reason {reason}"))
            return
        port, said = vcpu.port_write()
        number = said[0] if port == longmode.PORT else longmode.FAILED
        # the processor time of this thread, so that a busy machine makes no guest look slow
        if number == longmode.COUNT_STARTS:
            since_ns = time.thread_time_ns()
        elif number == longmode.COUNT_ENDS:
            _tell(instruction_ns=(time.thread_time_ns() - since_ns) / longmode.COUNTED)
        elif number == expected:
            _tell(step=expected)
            expected += 1
        else:
            _tell(stopped="a wrong result")
            return
    _tell(stopped=f"more than {MAX_EXITS} exits")


def _tell(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
