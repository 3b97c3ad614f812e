"""Networks between guests, and with the host: sockets, taps, bridges."""

from __future__ import annotations

import functools
import socket
from pathlib import Path
from typing import Any

import pytest

from kvmnb.spec.netbacks import Dgram, Socket, Stream
from kvmnb.spec.network import NIC
from tests.engines.qemu.kernels import until
from tests.engines.qemu.namespaces import ETC


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


@pytest.mark.guest
def test_two_guests_ping_each_other_over_every_kind_of_socket(host, launch, tmp_path):
    port, udp = free_port(), (free_port(), free_port())
    if host.engine.facts.version < (7, 2, 0):
        pytest.skip("stream and dgram came with QEMU 7.2")

    def dgram(mine: int, theirs: int) -> Dgram:
        return Dgram(
            local_host="127.0.0.1",
            local_port=udp[mine],
            remote_host="127.0.0.1",
            remote_port=udp[theirs],
        )

    paths = [str(tmp_path / f"dgram,{end}") for end in range(2)]
    stream = str(tmp_path / "stream,=x")
    backs: tuple[tuple[Any, Any], ...] = (
        (
            Socket(role="listen", host="127.0.0.1", port=port),
            Socket(role="connect", host="127.0.0.1", port=port),
        ),
        (Stream(path=stream, server=True), Stream(path=stream)),
        (
            Dgram(local_path=paths[0], remote_path=paths[1]),
            Dgram(local_path=paths[1], remote_path=paths[0]),
        ),
        (dgram(0, 1), dgram(1, 0)),
    )
    guests = []
    for end in range(2):  # who listens is started first
        nics = tuple(NIC(back=pair[end]) for pair in backs)
        vm = host.vm(f"end{end}").mem(128).disk("tiny").replace(nics=nics)
        guests.append(launch(vm, wait="agent"))

    def reached(card: int) -> bool:
        for end, guest in enumerate(guests):
            mac = guest.info.macs[card]
            name = guest.run(f"grep -l {mac} /sys/class/net/*/address | cut -d/ -f5").stdout.strip()
            # again each time: the guest's DHCP client takes the address away while it comes up
            guest.run(f"ip link set {name} up; ip addr replace 10.9.{card}.{end + 1}/24 dev {name}")
        return bool(guests[0].run(f"ping -c 1 -W 2 10.9.{card}.2").returncode == 0)

    for card in range(len(backs)):
        until(functools.partial(reached, card))


def test_a_tap_that_was_made_beforehand_is_joined_and_its_scripts_run(namespace, tmp_path):
    for name in ("up", "down"):
        script = tmp_path / name
        lines = ("#!/bin/sh", f'echo "{name} $1" >>{tmp_path}/said', f'ip link set "$1" {name}')
        script.write_text("\n".join(lines) + "\n")
        script.chmod(0o755)
    flags = namespace(
        "ip tuntap add tap0 mode tap",
        f"""
        from kvmnb.spec.netbacks import Tap
        tap = Tap(ifname="tap0", script="{tmp_path}/up", downscript="{tmp_path}/down")
        with host.vm("tap").mem(32).nic(net=tap).start(wait="running") as guest:
            shown = subprocess.run(["ip", "-j", "link", "show", "tap0"], capture_output=True)
        print(json.dumps(json.loads(shown.stdout)[0]["flags"]))
        """,
    )
    assert {"UP", "LOWER_UP"} <= set(flags)
    assert (tmp_path / "said").read_text() == "up tap0\ndown tap0\n"


def test_a_tap_that_is_open_already_is_handed_over(namespace):
    flags = namespace(
        "ip tuntap add tap0 mode tap; ip link set tap0 up",
        """
        import fcntl, struct
        from kvmnb.spec.netbacks import Tap
        fd = os.open("/dev/net/tun", os.O_RDWR)
        # TUNSETIFF with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR (Linux, if_tun.h)
        fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", b"tap0", 0x0002 | 0x1000 | 0x4000))
        with host.vm("open").mem(32).nic(net=Tap(fd=fd)).start(wait="running") as guest:
            os.close(fd)
            shown = subprocess.run(["ip", "-j", "link", "show", "tap0"], capture_output=True)
        print(json.dumps(json.loads(shown.stdout)[0]["flags"]))
        """,
    )
    assert "LOWER_UP" in flags


def test_a_tap_in_use_and_a_script_that_fails_are_told(namespace):
    causes = namespace(
        "ip tuntap add tap0 mode tap",
        """
        from kvmnb import StartError
        from kvmnb.spec.netbacks import Tap
        causes = []
        with host.vm("first").mem(32).nic(net=Tap(ifname="tap0")).start(wait="running"):
            for tap in (Tap(ifname="tap0"), Tap(ifname="tap1", script="/bin/false")):
                try:
                    host.vm("second").mem(32).nic(net=tap).start(wait="running")
                except StartError as error:
                    causes.append(error.cause)
        print(json.dumps(causes))
        """,
    )
    assert causes == ["the tap tap0 is in use by another process", "the script /bin/false failed"]


def test_a_bridge_is_joined_by_the_helper_once_it_is_allowed(namespace, tmp_path):
    helper = Path("/usr/lib/qemu/qemu-bridge-helper")
    if not helper.exists():
        pytest.skip("there is no qemu-bridge-helper here")
    causes, ports = namespace(
        ETC.format(place=tmp_path) + "; ip link add br0 type bridge; ip link set br0 up",
        """
        from pathlib import Path
        from kvmnb import StartError
        from kvmnb.spec.netbacks import Bridge
        vm, allowed, causes = host.vm("bridge").mem(32), Path("/etc/qemu/bridge.conf"), []
        for rule, bridge in (("deny br0", "br0"), ("allow all", "br1")):
            allowed.write_text(rule + "\\n")
            try:
                vm.nic(net=Bridge(bridge)).start(wait="running")
            except StartError as error:
                causes.append(error.cause)
        show = ["ip", "-j", "link", "show", "master", "br0"]
        with vm.nic(net=Bridge("br0")).start(wait="running") as guest:
            shown = subprocess.run(show, capture_output=True)
        print(json.dumps([causes, [each["ifname"] for each in json.loads(shown.stdout)]]))
        """,
    )
    assert causes == [
        "the bridge helper may not join that bridge",
        "there is no bridge br1 here",
    ]
    assert len(ports) == 1


def test_an_ordinary_user_joins_a_bridge_too(namespace, tmp_path):
    # the helper is setuid: any sandbox of QEMU's would take its rights (no_new_privs)
    helper = Path("/usr/lib/qemu/qemu-bridge-helper")
    if not helper.exists():
        pytest.skip("there is no qemu-bridge-helper here")
    place = tmp_path / "place"
    place.mkdir()
    setup = (
        f"{ETC.format(place=tmp_path)}; echo allow br0 >/etc/qemu/bridge.conf;"
        f" mount -t tmpfs -o mode=755 kvmnb {place};"
        f" cp {helper} {place}/helper; chmod 4755 {place}/helper; mkdir {place}/net;"
        f" mknod {place}/net/tun c 10 200; chmod 666 {place}/net/tun;"
        f" mount --bind {place}/net /dev/net; mount --bind {place}/helper {helper};"
        " ip link add br0 type bridge; ip link set br0 up"
    )
    ports = namespace(
        setup,
        """
        from kvmnb.spec.netbacks import Bridge
        argv = list(host.vm("user").mem(32).nic(net=Bridge("br0")).command().argv)
        run = f"/tmp/kvmnb-user-{os.getpid()}"
        os.mkdir(run, 0o700)
        os.chown(run, 65534, 65534)
        argv = [word.replace(host.engine.roots.guest("user").run_dir, run) for word in argv]
        child = subprocess.Popen(argv, user=65534, group=65534, extra_groups=[])
        try:
            import time
            until = time.monotonic() + 20
            found = []
            while not found and child.poll() is None and time.monotonic() < until:
                shown = subprocess.run(
                    ["ip", "-j", "link", "show", "master", "br0"], capture_output=True
                )
                found = json.loads(shown.stdout or "[]")
                time.sleep(0.05)
        finally:
            child.kill()
            child.wait()
            import shutil
            shutil.rmtree(run)
        print(json.dumps([each["ifname"] for each in found]))
        """,
    )
    assert len(ports) == 1
