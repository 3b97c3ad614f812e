"""Who may look at the screen: passwords of VNC, tried by a client of its own."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

import pytest

from kvmnb import SpecError, StateError, Unsupported
from kvmnb.engines.qemu.proc import Process
from tests.engines.qemu.vnc_client import NONE, PASSWORD, VNCClient


def screen_of(guest) -> str:
    return f"{guest.info.run_dir}/vnc.sock"


def test_a_client_is_refused_without_the_password_and_admitted_with_it(host, launch):
    guest = launch(host.vm("secret").mem(32).vnc(password="s3cret,=x"))
    client = VNCClient(screen_of(guest))
    assert client.offered == {PASSWORD}
    assert not client.admitted()
    assert not VNCClient(screen_of(guest)).admitted("wrong")
    assert VNCClient(screen_of(guest)).admitted("s3cret,=x")


def test_without_a_password_a_client_is_let_in(host, launch):
    client = VNCClient(screen_of(launch(host.vm("open").mem(32))))
    assert client.offered == {NONE}
    assert client.admitted()


def test_a_password_that_is_set_later_keeps_everybody_out_until_then(host, launch):
    guest = launch(host.vm("later").mem(32).vnc(password=True))
    assert not VNCClient(screen_of(guest)).admitted("")
    guest.vnc_password("first")
    assert VNCClient(screen_of(guest)).admitted("first")
    guest.vnc_password("second")
    assert not VNCClient(screen_of(guest)).admitted("first")
    assert VNCClient(screen_of(guest)).admitted("second")


def test_a_password_can_expire_and_a_new_one_holds_again(host, launch):
    guest = launch(host.vm("expires").mem(32).vnc(password="once"))
    guest.qmp("expire_password", protocol="vnc", time="now")
    assert not VNCClient(screen_of(guest)).admitted("once")
    guest.vnc_password("again", expires_s=3600)
    assert VNCClient(screen_of(guest)).admitted("again")
    assert guest.history[-1]["hmp"] == "expire_password vnc +3600"


def test_the_password_is_in_no_command_line_and_in_no_history(host, launch):
    vm = host.vm("hidden").mem(32).vnc(password="xyzzy1")
    guest = launch(vm)
    guest.vnc_password("xyzzy2")
    guest.hmp("set_password vnc xyzzy3")
    guest.hmp("change vnc password xyzzy4")
    guest.qmp("set_password", protocol="vnc", password="xyzzy5")
    guest.qmp("human-monitor-command", command_line="set_password vnc xyzzy6")
    process = Path(f"/proc/{guest.info.pid}/cmdline").read_bytes()
    assert b"xyzzy" not in process
    assert "xyzzy" not in " ".join(vm.command().argv)
    assert "xyzzy" not in json.dumps([dict(each) for each in guest.history])
    assert guest.history[0]["hmp"] == "change vnc password ********"
    assert guest.history[0]["virsh"].startswith("virsh qemu-monitor-command hidden --hmp")
    (file,) = Path(guest.info.run_dir).glob("*.secret")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_another_password_under_a_running_name_is_refused_without_telling_either(host, launch):
    vm = host.vm("other").mem(32)
    launch(vm.vnc(password="xyzzy1"))
    with pytest.raises(StateError, match=r"displays\[0\]\.password: another one") as caught:
        vm.vnc(password="xyzzy2").start(wait="running")
    assert "xyzzy" not in str(caught.value)


def test_a_second_screen_has_a_password_of_its_own(host, launch):
    from kvmnb.spec.graphics import VNC

    guest = launch(host.vm("two").mem(32).display(VNC(), VNC(unix=None, password="mine")))
    assert VNCClient(screen_of(guest)).admitted()
    other = f"{guest.info.run_dir}/vnc1.sock"
    assert VNCClient(other).admitted("mine")
    guest.vnc_password("yours")
    assert not VNCClient(other).admitted("mine")
    assert VNCClient(other).admitted("yours")


def test_a_guest_without_a_password_has_none_to_change(host, launch):
    guest = launch(host.vm("none").mem(32))
    with pytest.raises(Unsupported, match=r"vnc\(password=True\)"):
        guest.vnc_password("x")
    for text, expires_s in (("", None), ("x", 0), ("x", 1.5)):
        with pytest.raises(SpecError):
            guest.vnc_password(text, expires_s=expires_s)


def free_display() -> int:
    for display in range(40, 99):
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", 5900 + display)):
                return display
    pytest.skip("no VNC port is free")


def listeners(port: int) -> set[str]:
    """The addresses at which somebody listens at a TCP port (proc(5), /proc/net/tcp)."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            address, _, number = line.split()[1].partition(":")
            if line.split()[3] == "0A" and int(number, 16) == port:
                found.add(address)
    return found


def test_a_display_by_number_listens_on_this_machine_alone(host, launch):
    display = free_display()
    guest = launch(host.vm("numbered").mem(32).vnc(display=display, password="open"))
    assert listeners(5900 + display) == {"0100007F"}
    assert Process.of(guest.info.pid) is not None
    assert VNCClient(("127.0.0.1", 5900 + display)).admitted("open")
