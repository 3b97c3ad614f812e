"""What a command in a real guest writes, while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from kvmnb import CommandError, GuestTimeout, SpecError, StateError, portal

pytestmark = pytest.mark.guest


def whole(output, stream="stdout"):
    return b"".join(piece.data for piece in output if piece.stream == stream)


def left_over(guest):
    """Return what a streamed command can leave behind: files, processes, the agent's handles."""
    found = guest.run(
        "ls -A /tmp; pgrep -f kvmnb-; pgrep sleep; pgrep cat; "
        "for fd in /proc/$(pidof qemu-ga)/fd/*; do readlink $fd; done | grep /tmp"
    )
    return found.stdout


def gone(guest):
    until = time.monotonic() + 20
    while left := left_over(guest):
        assert time.monotonic() < until, left
    return True


def test_output_comes_while_the_command_runs(booted):
    booted.run("rm -f /run/go")
    # a second command is heard only if the first one's output has come before its end
    with booted.stream("echo first; until [ -e /run/go ]; do sleep 0.1; done; echo last") as out:
        assert next(out).data == b"first\n"
        booted.run("touch /run/go")
        assert whole(out) == b"last\n"
    assert out.returncode == 0


def test_both_streams_come_apart_and_the_exit_status_last(booted):
    out = booted.stream("echo out; echo err >&2; exit 7")
    pieces = {piece.stream: piece.data for piece in out}
    assert pieces == {"stdout": b"out\n", "stderr": b"err\n"}
    assert out.returncode == 7


def test_a_command_without_output_has_only_a_status(booted):
    out = booted.stream("exit 3")
    assert (list(out), out.returncode) == ([], 3)


def test_a_signal_that_ends_the_command_is_told_apart_from_a_status(booted):
    for command, code in (("kill -9 $$", -9), ("kill -TERM $$", -15), ("exit 137", 137)):
        out = booted.stream(command)
        assert (list(out), out.returncode) == ([], code)


def test_three_megabytes_come_whole(booted):
    out = booted.stream("head -c 3000000 /dev/zero; echo end")
    assert whole(out) == bytes(3_000_000) + b"end\n"


def test_a_program_and_its_arguments_are_read_by_no_shell(booted):
    out = booted.stream(["printf", "%s|", "$HOME", "a b", ";", "'"])
    assert whole(out) == b"$HOME|a b|;|'|"


def test_what_opens_its_standard_output_anew_cuts_nothing_off(booted):
    out = booted.stream("echo one; echo two >/proc/self/fd/1; echo three")
    assert whole(out) == b"one\ntwo\nthree\n"


def test_no_name_is_left_in_the_guest_while_the_command_runs(booted):
    with booted.stream("ls -A /tmp; echo end") as out:
        assert whole(out) == b"end\n"
    assert gone(booted)


def test_what_a_command_starts_is_waited_for_if_it_holds_the_output(booted):
    out = booted.stream("(sleep 1; echo late) & echo early")
    assert whole(out) == b"early\nlate\n"


def test_what_has_another_place_to_write_to_lives_on(booted):
    out = booted.stream("sleep 4321 >/dev/null 2>&1 & echo $!")
    pid = whole(out).decode().strip()
    assert booted.run(f"kill {pid}", check=True).returncode == 0
    assert gone(booted)


def test_a_command_over_its_time_is_ended_with_all_that_it_started(booted):
    with pytest.raises(GuestTimeout) as caught:
        list(booted.stream("sleep 4321 & sleep 4321", timeout_s=1))
    assert caught.value.waited_s == 1
    assert gone(booted)


def test_leaving_the_block_ends_the_command(booted):
    with booted.stream("echo begun; trap '' INT; sleep 4321 & sleep 4321") as out:
        next(out)
    assert out.returncode is None
    assert gone(booted)


def test_what_outlives_its_command_is_ended_too_as_long_as_it_holds_the_output(booted):
    with booted.stream("sleep 4321 & echo begun") as out:
        next(out)
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(anext(out), 1))
    assert gone(booted)


def test_an_iterator_that_nobody_holds_any_more_ends_its_command(booted):
    next(booted.stream("echo begun; exec sleep 4321"))
    assert gone(booted)


@pytest.mark.parametrize("after_s", [0, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.4])
def test_nothing_is_left_however_early_it_is_cancelled(booted, after_s):
    async def cancelled():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(after_s):
                async for _ in booted._control.stream("sleep 4321 & sleep 4321", timeout_s=None):
                    pass

    portal.run(cancelled())
    assert gone(booted)


def test_async_code_iterates_the_same(booted):
    async def collect():
        out = booted.stream("echo one; exit 4")
        return [piece.data async for piece in out], out.returncode

    assert asyncio.run(collect()) == ([b"one\n"], 4)


def test_commands_stream_side_by_side(booted):
    async def collect(number):
        out = booted.stream(f"for i in 1 2 3; do echo {number}; sleep 0.1; done")
        return b"".join([piece.data async for piece in out])

    async def both():
        return await asyncio.gather(*(collect(number) for number in range(4)))

    assert asyncio.run(both()) == [f"{number}\n".encode() * 3 for number in range(4)]


def test_a_program_that_is_not_there_ends_as_in_a_shell(booted):
    out = booted.stream(["/no/such/program"])
    assert b"/no/such/program" in whole(out, "stderr")
    assert out.returncode in {126, 127}


def test_a_guest_without_a_place_for_the_output_says_so(booted):
    booted.run("mount -t tmpfs -o ro none /tmp", check=True)
    try:
        with pytest.raises(CommandError, match="/tmp"):
            list(booted.stream("true"))
    finally:
        booted.run("umount /tmp", check=True)


def test_a_suspended_guest_cannot_stream_and_says_so(booted):
    booted.suspend()
    try:
        with pytest.raises(StateError, match=r"resume\(\) it first"):
            list(booted.stream("true"))
    finally:
        booted.resume()


def test_nothing_to_run_is_refused_at_once(booted):
    nothing: tuple[object, ...] = ("", [], None, 3)
    for command in nothing:
        with pytest.raises(SpecError):
            booted.stream(command)
