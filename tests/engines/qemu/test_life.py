"""A guest's life: started once, found by name, suspended, restarted, ended, and nothing left."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from kvmnb import CommandError, GuestLost, GuestTimeout, SpecError, StateError, Unsupported
from kvmnb.engines.qemu.folders import Roots


def places(name: str) -> list[Path]:
    """What is on disk of the guest called `name`."""
    folder = Roots.from_environment().guest(name)
    return [path for path in (folder.run, folder.state) if path.exists()]


def test_a_started_guest_runs_exactly_the_command_that_was_shown(host, launch):
    vm = host.vm("argv").mem(32).smp(2).nic("e1000").disk(size="1M")
    shown = vm.command().argv
    guest = launch(vm)
    ran = Path(f"/proc/{guest.info.pid}/cmdline").read_bytes().split(b"\0")[:-1]
    assert [os.fsdecode(word) for word in ran] == list(shown)
    assert guest.info.command == tuple(shown)


def test_the_run_folder_and_its_sockets_are_the_users_alone(host, launch):
    guest = launch(host.vm("private").mem(32))
    run = Path(guest.info.run_dir)
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    sockets = {path.name: path for path in run.iterdir() if path.is_socket()}
    assert {"qmp.sock", "agent.sock", "serial.sock", "vnc.sock"} <= sockets.keys()
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in sockets.values()} == {0}


def test_qemu_inherits_no_descriptor_of_ours(host, launch):
    with open("/dev/zero", "rb") as file:
        os.set_inheritable(file.fileno(), True)
        guest = launch(host.vm("descriptors").mem(32))
        links = Path(f"/proc/{guest.info.pid}/fd").iterdir()
        targets = {os.readlink(link) for link in links}
    assert "/dev/zero" not in targets
    assert not any(target.startswith("pipe:") for target in targets)


def test_the_same_spec_again_gives_the_running_guest(host, launch):
    vm = host.vm("twice").mem(32)
    first = launch(vm)
    assert vm.start(wait="running").info.pid == first.info.pid


def test_a_suspended_guest_that_is_started_again_stays_as_it_is(host, launch):
    vm = host.vm("twice").mem(32)
    first = launch(vm)
    first.suspend()
    assert vm.start().info.pid == first.info.pid
    assert first.refresh() == "paused"


def test_another_spec_under_a_running_name_is_refused_with_what_differs(host, launch):
    launch(host.vm("name").mem(32))
    with pytest.raises(StateError, match=r"memory\.size_mib: 32 runs, 48 was asked") as caught:
        host.vm("name").mem(48).start(wait="running")
    assert "replace=True" in str(caught.value)


def test_replace_ends_the_running_guest_first(host, launch):
    first = launch(host.vm("name").mem(32))
    second = launch(host.vm("name").mem(48), replace=True)
    assert second.info.pid != first.info.pid
    assert list(host.guests).count("name") == 1
    with pytest.raises(StateError, match="shut down"):
        first.hmp("info status")


def test_many_threads_that_start_one_guest_get_one_guest(host):
    vm, pids = host.vm("race").mem(32), []
    threads = [
        threading.Thread(target=lambda: pids.append(vm.start(wait="running").info.pid))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    host.guests["race"].destroy()
    assert len(pids) == 8
    assert len(set(pids)) == 1


def test_a_guest_as_a_block_ends_with_it(host):
    with host.vm("block").mem(32).start(wait="running") as guest:
        assert "block" in host.guests
    assert guest.state == "shutdown"
    assert "block" not in host.guests
    assert places("block") == []


def test_suspend_and_resume_are_seen_in_the_state_and_remembered_in_three_languages(host, launch):
    guest = launch(host.vm("pause").mem(32))
    guest.suspend()
    assert (guest.state, guest.refresh()) == ("paused", "paused")
    guest.resume()
    assert (guest.state, guest.refresh()) == ("running", "running")
    assert [(each["qmp"], each["hmp"], each["virsh"]) for each in guest.history] == [
        ('{"execute": "stop"}', "stop", "virsh suspend pause"),
        ('{"execute": "cont"}', "cont", "virsh resume pause"),
    ]


def test_every_verb_that_changes_a_guest_is_remembered_in_three_languages(host, launch):
    guest = launch(host.vm("deeds").mem(32))
    guest.balloon(20)
    guest.sendkey("ctrl-a")
    guest.reset()
    guest.hmp("info balloon")
    guest.qmp("query-status")
    guest.hmp("stop")
    guest.qmp("cont")
    guest.destroy()
    said = [(each["verb"], each["hmp"], each["virsh"]) for each in guest.history]
    assert said == [
        ("balloon", "balloon 20", "virsh setmem deeds 20480"),
        ("sendkey", "sendkey ctrl-a 100", "virsh send-key deeds --holdtime 100 KEY_LEFTCTRL KEY_A"),
        ("reset", "system_reset", "virsh reset deeds"),
        ("hmp", "stop", "virsh qemu-monitor-command deeds --hmp stop"),
        ("qmp", "cont", """virsh qemu-monitor-command deeds '{"execute": "cont"}'"""),
        ("destroy", "quit", "virsh destroy deeds"),
    ]
    assert all(each["qmp"].startswith('{"execute": ') for each in guest.history)


def test_events_come_to_whoever_listens(host, launch):
    guest = launch(host.vm("events").mem(32))
    with guest.listen() as events:
        guest.suspend()
        guest.resume()
        guest.reset()
        kinds = [events.get(timeout=10).kind for _ in range(3)]
        guest.destroy()
        while (event := events.get(timeout=10)) is not None:
            kinds.append(event.kind)
    assert kinds[:3] == ["paused", "resumed", "reset"]
    assert kinds[-1] == "ended"


def test_async_code_awaits_the_same_verbs_and_iterates_events(host):
    async def work() -> list[str]:
        guest = await host.vm("awaited").mem(32).start.aio(wait="running")
        async with guest:
            events = guest.events()
            first = asyncio.ensure_future(anext(events))
            await guest.suspend.aio()
            kinds = [(await first).kind]
            await guest.resume.aio()
            kinds.append((await anext(events)).kind)
        return kinds

    assert asyncio.run(work()) == ["paused", "resumed"]
    assert places("awaited") == []


def test_a_blocking_verb_works_where_a_loop_is_already_running(host):
    async def cell() -> str:
        with host.vm("cell").mem(32).start(wait="running") as guest:
            return guest.refresh()

    assert asyncio.run(cell()) == "running"


def test_qemu_killed_from_outside_is_guest_lost_at_the_next_call(host, launch):
    guest = launch(host.vm("killed").mem(32))
    os.kill(guest.info.pid, signal.SIGKILL)
    with pytest.raises(GuestLost) as caught:
        guest.hmp("info status")
    assert caught.value.exit_code == -signal.SIGKILL
    assert guest.state == "lost"
    with pytest.raises(GuestLost):
        guest.run("true")
    with pytest.raises(GuestLost):
        guest.stats()
    guest.destroy()
    assert places("killed") == []


def test_qemu_killed_under_a_waiting_command_ends_the_wait(host, launch):
    guest = launch(host.vm("killed").mem(32))
    threading.Timer(0.2, os.kill, (guest.info.pid, signal.SIGKILL)).start()
    with pytest.raises(GuestLost):
        guest.run("true", timeout_s=60)  # no guest is there to answer it


def test_a_hung_qemu_is_ended_all_the_same(host, launch, monkeypatch):
    monkeypatch.setattr("kvmnb.engines.qemu.life.DESTROY_S", 0.2)
    guest = launch(host.vm("hung").mem(32))
    os.kill(guest.info.pid, signal.SIGSTOP)
    guest.destroy()
    assert not Path(f"/proc/{guest.info.pid}").exists()
    assert places("hung") == []


def test_a_power_button_that_nobody_hears_is_said_so(host, launch):
    guest = launch(host.vm("deaf").mem(32))
    with pytest.raises(GuestTimeout, match=r"destroy\(\) ends it"):
        guest.shutdown(timeout_s=0.3)
    assert guest.state == "running"
    guest.suspend()
    with pytest.raises(StateError, match=r"resume\(\) it first"):
        guest.shutdown()


def test_wait_returns_at_the_state_and_gives_up_in_time(host, launch):
    guest = launch(host.vm("waits").mem(32))
    guest.wait("running", timeout_s=5)
    with pytest.raises(GuestTimeout):
        guest.wait("paused", timeout_s=0.1)
    threading.Timer(0.1, guest.suspend).start()
    guest.wait("paused", timeout_s=10)


def test_hmp_and_qmp_reach_qemu_and_its_refusals_come_back(host, launch):
    guest = launch(host.vm("monitor").mem(32))
    assert "VM status: running" in guest.hmp("info status")
    assert guest.qmp("query-name") == {"name": "monitor"}
    for answer in (
        guest.qmp("human-monitor-command", command_line="info name"),
        guest.qmp("human-monitor-command", {"command-line": "info name"}),
    ):
        assert answer.strip() == "monitor"
    with pytest.raises(CommandError) as caught:
        guest.qmp("device_del", id="nothing")
    assert caught.value.error_class == "DeviceNotFound"
    with pytest.raises(CommandError) as caught:
        guest.qmp("no-such-command")
    assert caught.value.error_class == "CommandNotFound"


def test_a_screenshot_is_a_png_of_the_screen(host, launch):
    picture = launch(host.vm("screen").mem(32)).screenshot()
    assert bytes(picture.png).startswith(b"\x89PNG\r\n")


def test_what_was_switched_off_is_refused_by_name(host, launch):
    guest = launch(host.vm("less").mem(32).balloon(False).agent(False).vnc(False).serial(False))
    for verb in (lambda: guest.balloon(16), lambda: guest.run("true"), guest.screenshot):
        with pytest.raises(Unsupported):
            verb()
    assert guest.console_text() == ""


def test_a_balloon_out_of_range_is_refused(host, launch):
    guest = launch(host.vm("balloon").mem(64))
    for size in (8, 65, "1G", 0, "x"):
        with pytest.raises(SpecError):
            guest.balloon(size)


def test_two_guests_of_one_host_have_their_own_addresses(host, launch):
    guests = [launch(host.vm(f"mac{i}").mem(32).nic().nic()) for i in range(3)]
    macs = [mac for guest in guests for mac in guest.info.macs]
    assert len(set(macs)) == 6
    assert all(mac.startswith("52:54:00:") for mac in macs)


def test_an_address_that_another_guest_has_is_refused(host, launch):
    launch(host.vm("first").mem(32).nic(mac="52:54:00:12:34:56"))
    with pytest.raises(SpecError, match="guest 'first' has it already"):
        host.vm("second").mem(32).nic(mac="52-54-00-12-34-56").start(wait="running")
    assert places("second") == []


def test_kvm_that_does_not_work_is_refused_with_the_remedy_and_auto_says_why_not(host, launch):
    from kvmnb.errors import HostError
    from kvmnb.rawkvm import probe

    guest = launch(host.vm("auto").mem(32))
    verdict = probe.cached()
    assert verdict is not None
    assert guest.info.accel == ("kvm" if verdict.usable else "tcg")
    assert verdict.reason in guest.info.accel_reason
    assert guest.info.accel in repr(guest)
    if verdict.usable:
        pytest.skip("KVM works here: nothing to refuse")
    with pytest.raises(HostError, match=r"host\.doctor\(\)"):
        host.vm("kvm").accel("kvm").start(wait="running")
