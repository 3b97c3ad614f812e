"""QEMU's last words, turned into a cause and what to do."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kvmnb import StartError
from kvmnb.engines.qemu.diagnose import log_cause
from kvmnb.engines.qemu.folders import Roots
from kvmnb.spec.forwards import Forward
from kvmnb.spec.network import User


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens at, one that VNC displays have too."""
    with socket.socket() as line:
        for port in range(5950, 5999):
            try:
                line.bind(("127.0.0.1", port))
            except OSError:
                continue
            line.listen()
            yield port
            return
        pytest.skip("no VNC port is free")


def cause(vm) -> str:
    with pytest.raises(StartError) as caught:
        vm.start(wait="running")
    assert caught.value.remedy
    return caught.value.cause


def test_a_port_that_is_taken_is_named(host, taken):
    vm = host.vm("ports").mem(32)
    forward = Forward(host_port=taken, guest_port=22)
    assert f"tcp:127.0.0.1:{taken}" in cause(vm.nic(net=User(forwards=(forward,))))
    assert f"VNC display 127.0.0.1:{taken - 5900}" in cause(vm.vnc(display=taken - 5900))
    assert f"incoming tcp:127.0.0.1:{taken}" in cause(vm.replace(incoming=f"tcp:127.0.0.1:{taken}"))


# as QEMU 7.2 to 10.0 and its helpers say it
LOGS = {
    "qemu: could not configure /dev/net/tun (tap0): Device or resource busy": "tap0 is in use",
    "qemu: could not configure /dev/net/tun (tap0): Operation not permitted": "right to the tap",
    "qemu: could not open /dev/net/tun: Permission denied": "no right to make a tap",
    "failed to create tun device: Operation not permitted\nbridge helper failed": "make a tap",
    "network script /etc/qemu-ifup failed with status 256": "script /etc/qemu-ifup failed",
    "failed to parse default acl file `/x'\nbridge helper failed": "may not join",
    "failed to get mtu of bridge `br7': No such device\nbridge helper failed": "no bridge br7",
    "qemu: -netdev bridge: bridge helper failed": "has no right to join",
    "warning: tap: open vhost char device failed: No such file or directory": "no vhost-net",
    "vhost-vsock: failed to open vhost device: No such file or directory": "no vhost-vsock",
    "Could not find '/usr/sbin/smbd', please install it": "Samba",
    "Could not initialize SDL(x11 not available) - exiting": "no desktop",
    "gtk initialization failed": "no desktop",
    "Display 'sdl' is not available.": "no desktop",
    "We need a terminal output": "curses draws on a terminal",
    "cannot initialize fsdev 'f': failed to open '/none': No such file": "share cannot be opened",
    "Failed to connect to '/run/x.sock': No such file or directory": "nothing listens at /run/x",
    "vfio 0000:00:03.0: no iommu_group found: No such file": "no IOMMU",
    "unable to map backing store for guest RAM: Cannot allocate memory": "huge pages",
    "qemu: could not load PC BIOS 'none.fd'": "firmware cannot be loaded: none.fd",
    "warning: Spice: reds.cpp:reds_init_socket: binding socket to :5910 failed": "port of SPICE",
}


@pytest.mark.parametrize("log", LOGS)
def test_what_qemu_says_becomes_a_cause_with_a_remedy(log):
    found, remedy = log_cause(log, (), Roots.from_environment())
    assert LOGS[log] in found
    assert remedy


def test_a_window_that_cannot_open_names_the_screen_that_works(host):
    remedy = log_cause("gtk initialization failed", (), Roots.from_environment())[1]
    assert "vnc()" in remedy


def test_words_that_nobody_knows_have_no_cause():
    assert log_cause("something else went wrong", (), Roots.from_environment()) == ("", "")
