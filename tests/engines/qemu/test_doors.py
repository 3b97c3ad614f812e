"""Ports of the host go on leading into a guest that gets another QEMU."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kvmnb import VM, Guest, Host, StateError, portal
from kvmnb.engines.qemu.copying import doors
from tests.engines.qemu.kernels import until
from tests.engines.qemu.test_networks import free_port


@pytest.fixture
def door() -> int:
    return free_port()


def described(host: Host, door: int) -> VM:
    return host.vm("doors").mem(128).smp(2).disk("tiny").nic("virtio", hostfwd=f"{door}:7")


@pytest.fixture
def guest(host: Host, door: int) -> Iterator[Guest]:
    with described(host, door).start(warm=True) as guest:
        guest.run("nc -ll -p 7 -e /bin/cat >/dev/null 2>&1 </dev/null &", check=True)
        yield guest


def echoes(door: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", door), timeout=5) as line:
            line.settimeout(5)
            line.sendall(b"hello")
            return line.recv(5) == b"hello"
    except OSError:
        return False


def test_a_guest_that_is_put_back_is_reached_as_before(guest, door):
    until(lambda: echoes(door))
    guest.checkpoint("one")
    for _ in range(2):
        guest.rewind("one")
        assert echoes(door)


def test_a_port_that_somebody_took_meanwhile_is_named_and_the_guest_goes_on(
    guest, door, monkeypatch
):
    guest.checkpoint("one")
    taken = socket.socket()
    opened = doors.open_again

    async def late(control):
        taken.bind(("127.0.0.1", door))
        taken.listen()
        await opened(control)

    monkeypatch.setattr(doors, "open_again", late)
    with taken, pytest.raises(StateError, match=str(door)):
        guest.rewind("one")
    assert guest.run("true").returncode == 0
    monkeypatch.undo()
    guest.rewind("one")
    until(lambda: echoes(door))


def test_who_puts_a_guest_back_and_is_killed_leaves_it_reached(guest, door, kernel):
    guest.checkpoint("one")
    other = kernel()
    other("import os, signal; g = kvmnb.Host().guests['doors']")
    other("from kvmnb.engines.qemu.copying import doors")
    other("doors.open_again = lambda *_: os.kill(os.getpid(), signal.SIGKILL)")
    other.send("g.rewind('one')")
    other.ended()
    try:
        until(lambda: echoes(door))
    finally:
        Host().guests["doors"].destroy()


def test_a_spare_listens_on_no_port_until_it_is_used(door):
    host = Host(warm=True, spare=1)
    try:
        with described(host, door).start():
            portal.run(host.engine.spares.settled())
            assert len(host.engine.spares._ready) == 1
        with described(host, door).start() as guest:
            assert not host.engine.spares._ready
            guest.run("nc -ll -p 7 -e /bin/cat >/dev/null 2>&1 </dev/null &", check=True)
            until(lambda: echoes(door))
    finally:
        portal.run(host.engine.spares.clear())
