"""The `kvmnb` command, run as its user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from kvmnb.engines.qemu.folders import Roots


def kvmnb(*words: str, status: int = 0) -> str:
    """Run the command and return what it printed, after a look at its exit status."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "kvmnb", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_ls_lists_the_guests_that_run(host, launch):
    guest = launch(host.vm("listed").mem(32).smp(2))
    heading, *rows = kvmnb("ls").splitlines()
    assert heading.split()[:3] == ["name", "pid", "accel"]
    (row,) = (row.split() for row in rows if row.startswith("listed "))
    assert row[1:5] == [str(guest.info.pid), guest.info.accel, "32", "2"]


def test_rm_ends_a_guest_with_all_it_had_and_says_which_it_does_not_know(host, launch):
    guest = launch(host.vm("removed").mem(32).disk(size="1M"))
    said = kvmnb("rm", "removed", "unknown", status=1)
    assert "'unknown'" in said
    assert "removed" not in host.guests
    folder = Roots.from_environment().guest("removed")
    assert not folder.run.exists()
    assert not folder.state.exists()
    guest.wait("shutdown", timeout_s=10)


def test_rm_ends_a_qemu_that_hangs(host, launch):
    guest = launch(host.vm("hung").mem(32))
    os.kill(guest.info.pid, signal.SIGSTOP)
    kvmnb("rm", "hung")
    assert "hung" not in host.guests


def test_reap_ends_what_nobody_owns_and_nothing_else(host, launch):
    launch(host.vm("owned").mem(32))
    code = "from kvmnb import Host; Host().vm('orphan').mem(32).start(wait='running')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert {"owned", "orphan"} <= set(host.guests)
    assert "ended 'orphan'" in kvmnb("reap")
    assert "orphan" not in host.guests
    assert "owned" in host.guests


def test_images_are_listed_added_and_removed(tmp_path):
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    kvmnb("image", "add", "mine", str(disk), "--format", "raw")
    assert "mine" in kvmnb("image", "ls")
    assert kvmnb("image", "get", "mine").strip() == str(disk)
    kvmnb("image", "rm", "mine")
    assert disk.exists()
    assert "no such image" in kvmnb("image", "rm", "mine", status=1)


def test_wrong_words_are_told_with_status_2():
    assert "usage" in kvmnb("start", status=2)
    assert "usage" in kvmnb(status=2)


def test_doctor_prints_its_report():
    report = kvmnb("doctor")
    assert "QEMU" in report
    assert "/dev/kvm" in report


@pytest.mark.guest
def test_demo_does_the_quickstarts_job_and_leaves_nothing(host):
    said = kvmnb("demo")
    for step in ("start()", "balloon", "stats", "record", "shutdown"):
        assert step in said
    assert said.count(" ms") >= 7
    assert "balloon: actual=96" in said
    assert "state: shutdown" in said
    assert "demo" not in host.guests
