"""The verdict on KVM is what a stock kernel finds, and costs next to nothing the second time."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kvmnb.rawkvm import ioctls, longmode, probe, weigh
from kvmnb.rawkvm.probe import NODE, Verdict, cached
from kvmnb.rawkvm.weigh import Told, judge

needs_kvm = pytest.mark.skipif(
    not os.access(NODE, os.R_OK | os.W_OK), reason=f"{NODE} does not open here"
)

ALL_STEPS = b"".join(b'{"step": %d}\n' % number for number in range(len(longmode.STEPS) + 1))
FAST = b'{"instruction_ns": 1.3}\n'
KVM_12 = b'{"api_version": 12}\n'


@pytest.fixture
def nothing_known(tmp_path, monkeypatch) -> Path:
    """A cache folder with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "kvmnb/kvm.json"


def judged(said: bytes, timed_out: bool = False) -> tuple[Verdict, bool]:
    told = Told(timed_out=timed_out)
    told.hear(said)
    return judge(told)


# -- for real -----------------------------------------------------------------------------


@needs_kvm
def test_the_verdict_is_remembered_and_read_back_whole(nothing_known):
    assert cached() is None
    verdict = probe.probe()
    assert (verdict.present, verdict.openable) == (True, True)
    assert verdict.api_version == ioctls.API_VERSION
    assert verdict.instruction_ns is not None
    assert verdict.usable or verdict.remedy
    assert cached() == verdict
    assert [each.name for each in nothing_known.parent.iterdir()] == [nothing_known.name]


@needs_kvm
def test_the_trial_leaves_no_process_and_no_descriptor(nothing_known):
    def left() -> tuple[int, str]:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        return len(os.listdir("/proc/self/fd")), children

    before = left()
    probe.probe()
    assert left() == before


@needs_kvm
def test_a_trial_that_takes_too_long_is_ended_and_not_held_against_kvm(nothing_known, monkeypatch):
    monkeypatch.setattr(weigh, "DEADLINE_S", 0.0)
    verdict = probe.probe()
    assert not verdict.usable
    assert "took too long" in verdict.reason
    assert cached() is None


@needs_kvm
@pytest.mark.guest
def test_the_verdict_is_what_a_stock_kernel_finds(host):
    kernel = host.images["tiny"].kernel
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"]
    argv += ["-accel", "kvm", "-m", "128", "-serial", "stdio", "-kernel", str(kernel)]
    argv += ["-append", "console=ttyS0 panic=-1", "-no-reboot"]
    verdict = probe.probe()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as qemu:
        try:
            assert qemu.stdout is not None
            said = read_until(qemu.stdout.fileno(), b"Linux version", limit_s=10)
        finally:
            qemu.kill()
    assert verdict.usable == (b"Linux version" in said), said


def read_until(fd: int, words: bytes, limit_s: float) -> bytes:
    """Return what `fd` says until `words` are among it, it ends, or the time is over."""
    said, end = b"", time.monotonic() + limit_s
    while words not in said and (left_s := end - time.monotonic()) > 0:
        if select.select([fd], [], [], left_s)[0]:
            piece = os.read(fd, 4096)
            if not piece:
                break
            said += piece
    return said


# -- what is told by a look ---------------------------------------------------------------


def test_no_node_needs_no_trial_and_no_cache(nothing_known, tmp_path):
    verdict = cached(str(tmp_path / "kvm"))
    assert verdict is not None
    assert (verdict.present, verdict.openable, verdict.usable) == (False, None, False)
    assert "modprobe" in verdict.remedy
    assert not nothing_known.exists()


def test_a_node_that_is_no_kvm_is_no_kvm(nothing_known):
    verdict = probe.probe("/dev/null")
    assert not verdict.usable
    assert "Inappropriate ioctl" in verdict.reason


def test_reading_what_is_known_loads_nothing_heavy():
    def modules_after(code: str) -> set[str]:
        report = f"{code}\nimport sys; print(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", report], capture_output=True, text=True, check=True, timeout=60
        )
        return set(done.stdout.split())

    added = modules_after("from kvmnb.rawkvm.probe import cached; cached()") - modules_after("")
    assert added & {"asyncio", "ctypes", "fcntl", "mmap", "pathlib", "subprocess"} == set()


# -- what is remembered -------------------------------------------------------------------

KNOWN = Verdict(True, True, 12, True, "KVM runs")


def remember(nothing_known: Path, **changes: object) -> None:
    """Write a verdict down as if it had been found now, but for `changes` of its identity."""
    identity = dict(enumerate(probe._identity("/dev/null")))
    identity |= {int(name.removeprefix("_")): value for name, value in changes.items()}
    probe._store(list(identity.values()), KNOWN)
    assert nothing_known.exists()


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="not examined on this processor")
def test_what_was_found_in_this_boot_on_this_node_by_this_user_holds(nothing_known):
    remember(nothing_known)
    assert cached("/dev/null") == KNOWN


@pytest.mark.parametrize(
    ("part", "value"),
    [("_1", "another-boot"), ("_3", 4711), ("_4", 1), ("_5", 54321)],
    ids=["boot", "node made anew", "node's mode changed", "user"],
)
def test_what_was_found_elsewhere_is_not_believed(nothing_known, part, value):
    remember(nothing_known, **{part: value})
    assert cached("/dev/null") is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"identity": 1, "verdict": {"x": 1}}'])
def test_a_damaged_memory_is_no_memory(nothing_known, content):
    remember(nothing_known)
    nothing_known.write_text(content)
    assert cached("/dev/null") is None


def test_a_memory_of_another_form_is_no_memory(nothing_known):
    remember(nothing_known)
    known = json.loads(nothing_known.read_text())
    nothing_known.write_text(json.dumps(known | {"verdict": {"usable": True}}))
    assert cached("/dev/null") is None


def test_a_cache_that_cannot_be_written_costs_no_more_than_memory(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert not probe.probe("/dev/null").usable
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


# -- what a trial's words mean ------------------------------------------------------------


def test_all_steps_at_the_processors_speed_mean_usable():
    verdict, certain = judged(KVM_12 + ALL_STEPS + FAST)
    assert (verdict.usable, certain) == (True, True)
    assert verdict.remedy == ""


def test_one_slow_count_on_a_busy_machine_does_not_spoil_the_fast_ones():
    slow = b'{"instruction_ns": 900.0}\n'
    verdict, _ = judged(KVM_12 + ALL_STEPS + slow + FAST + slow)
    assert verdict.usable
    assert verdict.instruction_ns == 1.3


def test_emulated_instructions_are_not_usable_though_every_step_worked():
    verdict, _ = judged(KVM_12 + ALL_STEPS + b'{"instruction_ns": 720.0}\n')
    assert not verdict.usable
    assert "720 ns" in verdict.reason


@pytest.mark.parametrize("step", longmode.STEPS)
def test_a_step_that_does_not_work_is_named(step):
    said = KVM_12 + b'{"step": %d}\n{"stopped": "shutdown"}\n' % (step - 1)
    verdict, certain = judged(said)
    assert (verdict.usable, certain) == (False, True)
    assert f"{longmode.STEPS[step]} did not work (shutdown)" in verdict.reason


def test_a_guest_that_hangs_is_named_with_the_step_it_hung_in():
    verdict, certain = judged(KVM_12 + b'{"step": 0}\n{"step": 1}\n{"st', timed_out=True)
    assert (verdict.usable, certain) == (False, True)
    assert "cpuid did not work (the guest hung)" in verdict.reason


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b'{"open_error": "No such device"}\n', "does not open: No such device"),
        (b'{"api_version": 11}\n', "11, not 12"),
        (KVM_12 + b'{"refused": "Cannot allocate memory (ENOMEM)"}\n', "ENOMEM"),
    ],
)
def test_a_refusal_is_told_in_the_kernels_words(said, words):
    verdict, certain = judged(said)
    assert (verdict.usable, certain) == (False, True)
    assert words in verdict.reason
    assert verdict.remedy


@pytest.mark.parametrize("said", [b"", KVM_12], ids=["nothing", "no guest yet"])
@pytest.mark.parametrize("timed_out", [False, True])
def test_a_trial_that_ended_before_its_guest_ran_is_tried_again(said, timed_out):
    verdict, certain = judged(said, timed_out)
    assert (verdict.usable, certain) == (False, False)
