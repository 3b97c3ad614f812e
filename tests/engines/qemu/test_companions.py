"""What runs beside QEMU for a guest: it is there when the guest is, and gone with it."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest

from kvmnb import VM, Host, HostError
from kvmnb.engines.qemu import companions
from kvmnb.engines.qemu.companions import PLACES
from kvmnb.engines.qemu.folders import Roots
from kvmnb.engines.qemu.proc import find_by_argument
from tests.engines.qemu.kernels import alive, until


def installed(name: str) -> bool:
    folders = (*os.environ["PATH"].split(os.pathsep), *PLACES)
    return any(os.access(f"{folder}/{name}", os.X_OK) for folder in folders)


@pytest.fixture
def needs_swtpm() -> None:
    if not installed("swtpm"):
        pytest.skip("swtpm is not installed")


@pytest.fixture
def needs_virtiofsd() -> None:
    if not installed("virtiofsd"):
        pytest.skip("virtiofsd is not installed")


def with_tpm(host: Host, name: str) -> VM:
    return host.vm(name).mem(32).tpm()


def serving(name: str) -> list[int]:
    """The processes that have the guest's run folder in their command line."""
    folder = Roots.from_environment().guest(name)
    return [process.pid for process in find_by_argument(f"{folder.run}/")]


def gone(name: str) -> bool:
    folder = Roots.from_environment().guest(name)
    return not folder.run.exists() and not folder.state.exists() and not serving(name)


@pytest.mark.usefixtures("needs_swtpm")
def test_an_emulated_tpm_is_started_before_the_guest_and_ends_with_it(host, launch):
    guest = launch(with_tpm(host, "tpm"))
    (tpm,) = guest.qmp("query-tpm")
    assert tpm["model"] == "tpm-tis"
    assert len(serving("tpm")) == 2
    socket = Path(guest.info.run_dir) / "tpm.sock"
    assert stat.S_IMODE(socket.stat().st_mode) & 0o077 == 0
    guest.destroy()
    assert gone("tpm")


@pytest.mark.usefixtures("needs_swtpm")
def test_an_older_tpm_is_one(host, launch):
    guest = launch(host.vm("old").mem(32).tpm(version="1.2"))
    assert len(guest.qmp("query-tpm")) == 1


@pytest.mark.usefixtures("needs_virtiofsd")
def test_each_virtiofs_share_has_its_server_whatever_the_folder_is_called(host, launch, tmp_path):
    vm = host.vm("shares").mem(32, memfd=True, shared=True)
    for index, name in enumerate(("plain", "with,comma", "back\\slash", "two words")):
        (tmp_path / name).mkdir()
        vm = vm.share(tmp_path / name, f"share{index}", kind="virtiofs")
    guest = launch(vm)
    assert len(serving("shares")) >= 5
    guest.destroy()
    assert gone("shares")


@pytest.mark.usefixtures("needs_swtpm", "needs_virtiofsd")
def test_qemu_killed_takes_its_companions_along(host, launch, tmp_path):
    vm = with_tpm(host, "killed").mem(32, memfd=True, shared=True)
    guest = launch(vm.share(tmp_path, "share", kind="virtiofs"))
    os.kill(guest.info.pid, signal.SIGKILL)
    until(lambda: gone("killed"))


@pytest.mark.usefixtures("needs_swtpm")
def test_a_companion_that_hangs_is_ended_all_the_same(host, launch, monkeypatch):
    monkeypatch.setattr(companions, "TERM_S", 0.2)
    guest = launch(with_tpm(host, "hung"))
    (tpm,) = set(serving("hung")) - {guest.info.pid}
    os.kill(tpm, signal.SIGSTOP)
    guest.destroy()
    assert gone("hung")


def vm_line(name: str, folder: Path) -> str:
    return (
        f"kvmnb.Host().vm({name!r}).mem(32, memfd=True, shared=True).tpm()"
        f".share({str(folder)!r}, 'share', kind='virtiofs').start(wait='running', keep=0)"
    )


@pytest.mark.usefixtures("needs_swtpm", "needs_virtiofsd")
def test_the_owner_killed_takes_guest_and_companions_along(kernel, tmp_path):
    other = kernel()
    pid = int(other(f"g = {vm_line('owned', tmp_path)}; print(g.info.pid)"))
    assert len(serving("owned")) >= 3
    other.kill()
    until(lambda: not alive(pid) and gone("owned"))


@pytest.mark.usefixtures("needs_swtpm", "needs_virtiofsd")
def test_a_starter_killed_at_any_moment_leaves_no_companion_for_long(kernel, host, tmp_path):
    for delay_s in (0.01, 0.03, 0.05, 0.07, 0.1, 0.15):
        other = kernel()
        other("import os, signal, threading")
        shot = f"threading.Timer({delay_s}, os.kill, (os.getpid(), signal.SIGKILL)).start()"
        other.send(f"{shot}; {vm_line('midway', tmp_path)}")
        other.ended()
        with host.vm("waker").mem(32).start(wait="running"):
            until(lambda: gone("midway") and "midway" not in host.guests)


def test_a_program_that_is_not_installed_names_the_package(host, monkeypatch, tmp_path):
    monkeypatch.setattr(companions, "PLACES", ())
    monkeypatch.setattr(host.engine, "_facts", host.engine.facts)  # it has found QEMU already
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="apt install swtpm"):
        with_tpm(host, "lacking").start(wait="running")
    vm = host.vm("lacking").mem(32, memfd=True, shared=True)
    with pytest.raises(HostError, match="apt install virtiofsd"):
        vm.share(tmp_path, "share", kind="virtiofs").start(wait="running")
    assert gone("lacking")


def test_one_that_ends_at_once_is_told_with_its_last_words(host, monkeypatch, tmp_path):
    program = tmp_path / "swtpm"
    program.write_text("#!/bin/sh\necho no room for a TPM >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(HostError, match="no room for a TPM"):
        with_tpm(host, "failing").start(wait="running")
    assert gone("failing")


def test_a_tpm_or_a_share_that_is_served_already_starts_nothing(host, tmp_path):
    vm = host.vm("served").mem(32, memfd=True, shared=True).tpm(socket="/run/tpm.sock")
    vm = vm.share(tmp_path, "share", kind="virtiofs", socket="/run/share.sock")
    vm = vm.share(tmp_path, "nine")
    assert companions.lines(vm.spec, host.engine.runtime(vm.spec)) == ()
