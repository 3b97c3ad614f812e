"""The `kvmnb` command, run as its user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvmnb.engines.qemu.folders import Roots
from kvmnb.engines.qemu.templates.store import Templates
from kvmnb.engines.registry import templates


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


@pytest.fixture
def warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Templates]:
    """The templates that the command sees: of a guest ``web`` and two of ``db``."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store = templates()
    for key, name, size in (("aaaa01", "web", 8192), ("bbbb01", "db", 4096), ("bbbb02", "db", 0)):
        with store.put(key) as draft:
            (draft.folder / "ram").write_bytes(os.urandom(size))
            draft.commit({"name": name})
    yield store
    store.clear()


def test_cache_lists_the_templates(warm):
    held = templates().get("aaaa01")
    assert held is not None
    with held:
        heading, *rows = kvmnb("cache", "ls").splitlines()
    assert heading.split()[:4] == ["guest", "key", "size", "age"]
    assert [row.split()[:2] for row in rows] == [
        ["web", "aaaa01"],
        ["db", "bbbb02"],
        ["db", "bbbb01"],
    ]
    assert rows[0].endswith("in use")
    assert rows[1].endswith("s ago")
    assert "12 KiB" in rows[0]


def test_cache_clear_removes_what_a_name_or_a_key_says_and_tells_what_it_does_not_know(warm):
    said = kvmnb("cache", "clear", "web", "unknown", status=1)
    assert "removed the template of 'web'" in said
    assert "no template of 'unknown'" in said
    kvmnb("cache", "clear", "bbbb02")
    assert [entry.key for entry in warm.entries()] == ["bbbb01"]


def test_cache_clear_alone_removes_all_and_those_in_use_later(warm):
    held = templates().get("bbbb01")
    assert held is not None
    with held:
        said = kvmnb("cache", "clear")
        assert said.count("removed") == 3
        assert said.count("once its reader is done") == 1
        held.verify_all()
    assert warm.entries() == []
    assert list(warm.root.iterdir()) == []


def test_cache_limit_tells_limit_and_use(warm, monkeypatch):
    monkeypatch.setenv("KVMNB_TEMPLATES_LIMIT", "2G")
    said = kvmnb("cache", "limit")
    assert "2 GiB" in said
    assert "in 3 templates" in said
    assert str(warm.root) in said
    monkeypatch.setenv("KVMNB_TEMPLATES_LIMIT", "much")
    assert "KVMNB_TEMPLATES_LIMIT" in kvmnb("cache", "limit", status=1)


def test_a_damaged_template_is_listed_and_can_be_cleared(warm):
    (folder,) = warm.root.glob("aaaa01.*")
    (folder / "manifest").write_bytes(b"")
    assert "(damaged)" in kvmnb("cache", "ls")
    kvmnb("cache", "clear", "aaaa01")
    assert not folder.exists()


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
