"""What the doctor says of memory and folders."""

from __future__ import annotations

import pytest

from kvmnb.doctor import memory, storage
from kvmnb.units import GIB, MIB

MEMINFO = """\
MemTotal:       16777216 kB
MemAvailable:   {available_kb} kB
CommitLimit:     9437184 kB
Committed_AS:    8388608 kB
HugePages_Total:      {huge}
HugePages_Free:       {huge}
Hugepagesize:       2048 kB
"""


def meminfo(machine, available_mib: int = 8192, huge: int = 0) -> None:
    machine.write("/proc/meminfo", MEMINFO.format(available_kb=available_mib * 1024, huge=huge))


@pytest.mark.parametrize(("available_mib", "verdict"), [(8192, "ok"), (300, "limited")])
def test_available_memory_is_read_not_guessed(machine, available_mib, verdict):
    meminfo(machine, available_mib)
    found = memory.available(machine.root())
    assert found.verdict == verdict
    assert "of 16 GiB" in found.evidence


@pytest.mark.parametrize("mode", ["0", "1"])
def test_overcommit_is_ok_where_memory_counts_when_touched(machine, mode):
    machine.write("/proc/sys/vm/overcommit_memory", f"{mode}\n")
    assert memory.overcommit(machine.root()).verdict == "ok"


def test_strict_overcommit_says_how_much_is_left(machine):
    meminfo(machine)
    machine.write("/proc/sys/vm/overcommit_memory", "2\n")
    found = memory.overcommit(machine.root())
    assert (found.verdict, "1 GiB left" in found.evidence) == ("limited", True)
    assert found.remedy == "sudo sysctl -w vm.overcommit_memory=0"


def test_the_tightest_limit_of_version_2_counts_wherever_above_it_is_set(machine):
    meminfo(machine)
    machine.write("/proc/self/cgroup", "0::/user.slice/session.scope\n")
    machine.write("/sys/fs/cgroup/user.slice/memory.max", f"{512 * MIB}\n")
    machine.write("/sys/fs/cgroup/user.slice/session.scope/memory.max", "max\n")
    found = memory.cgroup(machine.root())
    assert found.verdict == "limited"
    assert found.evidence == "/sys/fs/cgroup/user.slice/memory.max: 512 MiB"


def test_a_limit_of_version_1_seen_from_inside_a_container_counts(machine):
    meminfo(machine)
    machine.write("/proc/self/cgroup", "5:cpu:/\n4:memory:/docker/0123\n0::/\n")
    machine.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", f"{4 * GIB}\n")
    found = memory.cgroup(machine.root())
    assert (found.verdict, found.evidence.endswith("limit_in_bytes: 4 GiB")) == ("ok", True)


def test_a_limit_above_the_machines_memory_is_none(machine):
    meminfo(machine)
    machine.write("/proc/self/cgroup", "4:memory:/\n")
    machine.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    assert memory.cgroup(machine.root()).evidence.endswith("no limit below the machine's memory")


@pytest.mark.parametrize(("run", "verdict"), [("1", "ok"), ("0", "limited"), (None, "missing")])
def test_ksm_is_on_off_or_not_there(machine, run, verdict):
    if run is not None:
        machine.write("/sys/kernel/mm/ksm/run", f"{run}\n")
    found = memory.ksm(machine.root())
    assert found.verdict == verdict
    if verdict == "limited":
        assert found.remedy == "echo 1 | sudo tee /sys/kernel/mm/ksm/run"


def test_huge_pages_are_counted(machine):
    meminfo(machine, huge=64)
    assert memory.huge_pages(machine.root()).verdict == "ok"
    meminfo(machine, huge=0)
    assert memory.huge_pages(machine.root()).remedy == "sudo sysctl -w vm.nr_hugepages=64"


def test_userfaultfd_is_for_root_alone_unless_allowed(machine):
    machine.write("/proc/sys/vm/unprivileged_userfaultfd", "0\n")
    assert memory.userfaultfd(machine.root()).verdict == "limited"
    assert memory.userfaultfd(machine.root(uid=0)).verdict == "ok"
    machine.write("/proc/sys/vm/unprivileged_userfaultfd", "1\n")
    assert memory.userfaultfd(machine.root()).verdict == "ok"


def test_a_folder_not_made_yet_is_measured_where_it_would_be_made(machine):
    machine.folder("/home/ada")
    found = storage.room(machine.root(), "XDG_CACHE_HOME", 1, 1)
    assert found.verdict == "ok"
    assert found.evidence.startswith("/home/ada/.cache/kvmnb: ")
    assert "not made yet; measured at /home/ada" in found.evidence


def test_the_folders_are_those_that_the_environment_names(machine):
    machine.folder("/big/kvmnb")
    machine.environ["XDG_STATE_HOME"] = "/big"
    found = storage.room(machine.root(), "XDG_STATE_HOME", 1, 1)
    assert found.evidence.startswith("/big/kvmnb: ")


@pytest.mark.parametrize(
    ("enough", "least", "verdict"),
    [(0, 0, "ok"), (1 << 62, 0, "limited"), (1 << 62, 1 << 62, "missing")],
)
def test_little_room_is_limited_and_none_is_missing(machine, enough, least, verdict):
    machine.folder("/home/ada")
    found = storage.room(machine.root(), "XDG_CACHE_HOME", enough, least)
    assert found.verdict == verdict
    assert ("export XDG_CACHE_HOME" in found.remedy) == (verdict != "ok")


def test_a_file_where_the_folder_should_be_is_no_room(machine):
    machine.write("/home/ada/.cache")
    assert storage.room(machine.root(), "XDG_CACHE_HOME", 0, 0).verdict == "missing"


def test_without_a_runtime_folder_the_temporary_one_is_looked_at(machine):
    machine.folder("/tmp")
    machine.environ["XDG_RUNTIME_DIR"] = "/run/user/1000"
    found = storage.room(machine.root(), "XDG_RUNTIME_DIR", 0, 0)
    assert found.evidence.startswith("/tmp/kvmnb-1000: ")
