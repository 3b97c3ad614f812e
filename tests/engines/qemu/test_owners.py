"""Who a guest belongs to: it outlives its kernel, is found again, and is reaped in the end."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from kvmnb import Host
from kvmnb.engines.qemu.folders import Roots
from tests.engines.qemu.kernels import LIMIT_S, alive, until


def start(name: str, options: str = "") -> str:
    return (
        f"g = kvmnb.Host().vm({name!r}).mem(32).start(wait='running'{options}); print(g.info.pid)"
    )


def gone(name: str) -> bool:
    folder = Roots.from_environment().guest(name)
    return not folder.run.exists() and not folder.state.exists()


def test_a_guest_outlives_its_kernel_and_is_found_again(kernel, host):
    first = kernel()
    pid = int(first(start("found")))
    first.kill()
    assert alive(pid)
    guest = host.guests["found"]
    assert guest.info.pid == pid
    assert guest.hmp("info name").strip() == "found"
    guest.suspend()
    guest.destroy()
    assert gone("found")


def test_two_kernels_use_one_guest_at_once(kernel, host):
    first, second = kernel(), kernel()
    pid = first(start("shared"))
    assert second("g = kvmnb.Host().guests['shared']; print(g.info.pid)") == pid
    for each in (first, second, first, second):
        assert "running" in each("print(g.hmp('info status'))")
    second("g.suspend()")
    assert first("print(g.refresh())") == "paused"
    guest = host.guests["shared"]
    with guest.listen() as events:  # a third process: it hears no events, it has to look
        first("g.resume()")
        assert events.get(timeout=LIMIT_S).kind == "resumed"
    first.kill()
    assert "running" in second("print(g.hmp('info status'))")
    guest.destroy()


def test_a_guest_that_another_kernel_ends_is_shut_down_and_not_lost(kernel, host):
    first, second = kernel(), kernel()
    for end in ("g.destroy()", "import os; os.system(sys.executable + ' -m kvmnb rm ended')"):
        first(start("ended"))
        second("g = kvmnb.Host().guests['ended']")
        second(end)
        first("g.wait('shutdown', timeout_s=20)")
        assert first("print(g.state)") == "shutdown"
        first(start("ended"))
        second("g = kvmnb.Host().guests['ended']")
        first(end)
        second("g.wait('shutdown', timeout_s=20)")
        assert second("print(g.state)") == "shutdown"


def test_a_guest_that_was_killed_is_lost_to_every_kernel(kernel, host):
    first, second = kernel(), kernel()
    pid = int(first(start("killed")))
    second("g = kvmnb.Host().guests['killed']")
    os.kill(pid, signal.SIGKILL)
    for each in (first, second):
        each("g.wait('lost', timeout_s=20)")
        assert each("print(g.state)") == "lost"


def test_the_kernel_killed_in_the_middle_of_a_command_leaves_a_guest_that_answers(kernel, booted):
    other = kernel()
    other(f"g = kvmnb.Host().guests[{booted.name!r}]")
    assert other("print(g.run('echo 1').stdout)") == "1"
    thread = "threading.Thread(target=g.run, args=('sleep 2',), daemon=True).start()"
    other(f"import threading; {thread}")
    assert booted.run("echo 2").stdout == "2\n"
    other.kill()
    assert booted.run("echo 3").stdout == "3\n"


def test_keep_0_ends_the_guest_with_its_owner(kernel):
    other = kernel()
    pid = int(other(start("short", ", keep=0")))
    other.kill()
    until(lambda: not alive(pid) and gone("short"))


def test_a_guest_is_kept_while_any_owner_lives(kernel):
    first, second = kernel(), kernel()
    pid = int(first(start("both", ", keep=0")))
    second("g = kvmnb.Host().guests['both']")
    first.kill()
    # the reaper has seen the first owner go once it has removed its entry
    owners = Roots.from_environment().guest("both").owners
    until(lambda: len(list(owners.iterdir())) == 1)
    assert alive(pid)
    second.kill()
    until(lambda: not alive(pid) and gone("both"))


def test_a_kept_guest_is_reaped_on_demand_only_when_nobody_owns_it(kernel, host):
    other = kernel()
    pid = int(other(start("kept", ", keep='forever'")))
    assert "kept" not in host.guests.reap()
    other.kill()
    until(lambda: not alive(other.pid))
    assert alive(pid)
    assert "kept" in host.guests.reap()
    assert not alive(pid)
    assert gone("kept")


def test_an_overlay_goes_with_its_guest(kernel):
    other = kernel()
    line = start("overlay", ", keep=0").replace(".mem(32)", ".mem(32).disk(size='8M')")
    pid = int(other(line))
    assert (Roots.from_environment().guest("overlay").state / "disk0.qcow2").exists()
    other.kill()
    until(lambda: not alive(pid) and gone("overlay"))


def test_a_reaper_that_is_killed_is_replaced_at_the_next_start(kernel, host):
    other = kernel()
    pid = int(other(start("reaped", ", keep=0")))
    run = Roots.from_environment().run
    found = subprocess.run(
        ["pgrep", "-f", f"reaper import main.*{run}"], capture_output=True, text=True, check=True
    )
    killed = [int(reaper) for reaper in found.stdout.split()]
    for reaper in killed:
        os.kill(reaper, signal.SIGKILL)
    until(lambda: not any(map(alive, killed)))  # they let go of their lock
    other.kill()
    with host.vm("next").mem(32).start(wait="running"):
        until(lambda: not alive(pid) and gone("reaped"))


def test_a_starter_killed_at_any_moment_leaves_nothing_for_long(kernel, host):
    for delay_s in (0.0, 0.01, 0.02, 0.04, 0.08):
        other = kernel()
        other("import os, signal, threading")
        shot = f"threading.Timer({delay_s}, os.kill, (os.getpid(), signal.SIGKILL)).start()"
        vm = "kvmnb.Host().vm('midway').mem(32).disk(size='8M').start(wait='running', keep=0)"
        other.send(f"{shot}; {vm}")
        other.ended()
        with host.vm("waker").mem(32).start(wait="running"):
            until(lambda: gone("midway") and "midway" not in host.guests)


def test_a_damaged_record_is_no_guest_and_is_cleaned_away(kernel, host):
    other = kernel()
    pid = int(other(start("damaged", ", keep=0")))
    record = Roots.from_environment().guest("damaged").record
    record.write_text('{"version": 1, "spec')
    assert "damaged" not in host.guests
    other.kill()
    until(lambda: not alive(pid) and gone("damaged"))


def test_the_reaper_ends_when_there_is_nothing_to_watch_over(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with Host().vm("one").mem(32).start(wait="running"):
        until(lambda: (tmp_path / "kvmnb/reaper.sock").exists())
    until(lambda: list((tmp_path / "kvmnb").iterdir()) == [])


@pytest.mark.parametrize("run", ["kvmnb", ".", "/", "/tmp", ""])
def test_roots_that_are_not_kvmnbs_own_are_refused(run):
    # what lies in a root without an owner is removed: no other folder may ever be one
    with pytest.raises(ValueError, match="root of kvmnb's own"):
        Roots(run, "/tmp/kvmnb/guests-0")
    with pytest.raises(ValueError, match="root of kvmnb's own"):
        Roots("/tmp/kvmnb", run)
