"""Commands and files inside a real guest."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest

from kvmnb import CommandError, GuestTimeout, SpecError, StateError

pytestmark = pytest.mark.guest


def test_run_gives_status_output_and_errors(booted):
    done = booted.run("echo out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_run_takes_arguments_that_no_shell_reads(booted):
    assert booted.run(["printf", "%s|", "$HOME", "a b", ";", "'"]).stdout == "$HOME|a b|;|'|"


def test_run_feeds_standard_input_byte_by_byte(booted):
    data = bytes(range(256)) * 64
    assert booted.run("cat", stdin=data).stdout_bytes == data


def test_output_that_is_no_text_is_kept_as_it_came(booted):
    done = booted.run(r"printf '\377\000\033[31m'")
    assert done.stdout_bytes == b"\xff\0\x1b[31m"
    assert "�" in done.stdout


def test_three_megabytes_of_output_come_whole(booted):
    assert len(booted.run("head -c 3000000 /dev/zero").stdout_bytes) == 3_000_000


def test_a_command_ended_by_a_signal_says_which(booted):
    assert booted.run("kill -9 $$").returncode == -9


def test_check_raises_with_what_the_command_said(booted):
    with pytest.raises(CommandError, match="ls: /nowhere"):
        booted.run("ls /nowhere", check=True)


def test_a_program_that_is_not_there_is_refused(booted):
    with pytest.raises(CommandError):
        booted.run(["/no/such/program"])


def test_nothing_to_run_is_refused(booted):
    nothing: tuple[object, ...] = ("", [], None, 3)
    for command in nothing:
        with pytest.raises(SpecError):
            booted.run(command)


def test_a_command_over_its_time_is_ended_in_the_guest_too(booted):
    with pytest.raises(GuestTimeout) as caught:
        booted.run("exec sleep 4321", timeout_s=0.5)
    assert caught.value.waited_s == 0.5
    until = time.monotonic() + 10
    while booted.run("pgrep -f 'sleep 4321' | grep -v $$").stdout:
        assert time.monotonic() < until


def test_threads_run_commands_side_by_side_and_get_their_own_answers(booted):
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        answers[number] = booted.run(f"echo {number}").stdout

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f"{number}\n" for number in range(8)}


def test_a_slow_command_holds_up_no_other(booted):
    slow = booted.run.aio  # started in the background, on kvmnb's own loop

    async def both() -> tuple[str, bool]:
        first = slow("sleep 3; echo slow")
        quick = await slow("echo quick")
        early = not first.done()
        await first
        return quick.stdout, early

    assert asyncio.run(both()) == ("quick\n", True)


def test_a_suspended_guest_cannot_answer_and_says_so(booted):
    booted.suspend()
    try:
        with pytest.raises(StateError, match=r"resume\(\) it first"):
            booted.run("true")
    finally:
        booted.resume()
    assert booted.run("true").returncode == 0


def test_files_of_any_size_and_content_go_in_and_come_out(booted, tmp_path):
    data = b""
    for size in (0, 1, 256 << 10, (1 << 20) + 17):
        data = os.urandom(size)
        assert booted.put(data, "/tmp/file") == size
        assert booted.get("/tmp/file") == data
    (tmp_path / "in").write_bytes(data)
    booted.put(tmp_path / "in", "/tmp/file with, 'odd' \"name\"")
    booted.get("/tmp/file with, 'odd' \"name\"", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    booted.run("rm /tmp/file*")


def test_a_file_that_is_not_there_leaves_none_here(booted, tmp_path):
    with pytest.raises(CommandError, match="No such file"):
        booted.get("/no/such/file", tmp_path / "out")
    with pytest.raises(CommandError):
        booted.put(b"x", "/no/such/folder/file")
    with pytest.raises(SpecError):
        booted.put(tmp_path / "missing", "/tmp/x")
    assert list(tmp_path.iterdir()) == []


def test_the_guest_has_what_was_asked(booted):
    facts = booted.run("nproc; cat /sys/class/net/eth0/address; cat /sys/class/dmi/id/product_uuid")
    count, mac, uuid = facts.stdout.split()
    assert count == "2"
    assert (mac,) == booted.info.macs
    assert uuid.lower() in booted.info.command


def test_the_balloon_takes_memory_and_gives_it_back(booted):
    with booted.listen() as events:

        def settled(mib: int) -> None:
            booted.balloon(mib)
            while events.get(timeout=60).detail.get("actual") != mib << 20:
                pass

        total = "awk '/MemTotal/ {print $2}' /proc/meminfo"
        before = int(booted.run(total).stdout)
        settled(96)
        assert int(booted.run(total).stdout) < before - 20_000
        assert booted.stats().balloon == 96
        settled(128)
    assert booted.history[-1]["virsh"] == "virsh setmem booted 131072"


def test_keys_that_are_pressed_reach_the_guest(booted):
    presses = "grep i8042 /proc/interrupts | head -1"
    before = booted.run(presses).stdout
    booted.sendkey("ret")
    until = time.monotonic() + 10
    while booted.run(presses).stdout == before:
        assert time.monotonic() < until
    with pytest.raises(CommandError):
        booted.sendkey("no_such_key")
    with pytest.raises(SpecError):
        booted.sendkey("ctrl--")


def test_a_reboot_comes_back_with_a_new_boot_id(booted):
    read = "cat /proc/sys/kernel/random/boot_id"
    before = booted.run(read).stdout
    booted.reboot()
    assert booted.run(read).stdout != before
