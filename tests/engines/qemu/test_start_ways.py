"""Other ways to start: paused, moved in from elsewhere, with less memory, from an old line."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from kvmnb import StateError
from kvmnb.spec.network import User
from tests.engines.qemu.kernels import until


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def test_a_paused_guest_is_returned_at_once_and_goes_on_when_told(host, launch):
    guest = launch(host.vm("paused").mem(32).replace(paused=True), wait="agent")
    assert guest.state == "paused"
    with pytest.raises(StateError, match=r"resume\(\) it first"):
        guest.shutdown()
    guest.resume()
    assert guest.refresh() == "running"


def test_a_guest_that_waits_for_another_hosts_is_returned_and_takes_it_in(host, launch):
    port = free_port()
    source = launch(host.vm("source").mem(32))
    vm = host.vm("target").mem(32).replace(incoming=f"tcp:127.0.0.1:{port}")
    target = launch(vm, wait="agent")
    assert target.refresh() == "starting"
    assert target.qmp("query-status")["status"] == "inmigrate"
    source.qmp("migrate", uri=f"tcp:127.0.0.1:{port}")
    target.wait("running", timeout_s=60)
    assert source.refresh() == "paused"


def test_a_guest_that_waits_to_be_told_where_from_is_returned(host, launch):
    guest = launch(host.vm("defer").mem(32).replace(incoming="defer"), wait="agent")
    assert guest.qmp("query-status")["status"] == "inmigrate"


def test_less_memory_at_the_start_is_what_the_balloon_is_told(host, launch):
    guest = launch(host.vm("less").mem(64, current=48))
    assert guest.history[0]["hmp"] == "balloon 48"
    without = launch(host.vm("without").mem(64, current=48).balloon(False))
    assert list(without.history) == []


@pytest.mark.guest
def test_a_classic_line_runs(host, launch):
    port = free_port()
    line = (
        "qemu-kvm -m 128 -smp 2 -name classic -hda tiny -nographic "
        f"-net nic,model=virtio -net user,hostfwd=tcp:127.0.0.1:{port}-:7"
    )
    vm = host.from_command(line)
    guest = launch(vm, wait="agent")
    assert guest.state == "running"
    assert guest.spec.cpu.count == 2
    until(lambda: "login" in guest.console_text() or "#" in guest.console_text())
    assert port in {each.host_port for nic in guest.spec.nics for each in nic.back.forwards}


@pytest.mark.guest
def test_a_port_of_the_host_leads_to_who_listens_in_the_guest(host, launch):
    from kvmnb.spec.forwards import Forward

    port = free_port()
    forward = Forward(host_port=port, guest_port=7777)
    vm = host.vm("forward").mem(160, current=136).disk("tiny").nic(net=User(forwards=(forward,)))
    guest = launch(vm, wait="agent")
    guest.run("nc -l -p 7777 -e echo hello from the guest >/dev/null 2>&1 &")

    def answer() -> str:
        try:
            with closing(socket.create_connection(("127.0.0.1", port), 10)) as line:
                return line.makefile().read()
        except OSError:
            return ""

    until(lambda: answer() == "hello from the guest\n")
    until(lambda: guest.stats().balloon == 136)
