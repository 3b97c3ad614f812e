"""What the doctor says of networks, libvirt and the user's groups."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from kvmnb.doctor import Root, libvirt, network, user


def test_the_first_nameserver_is_shown_with_its_line(machine):
    machine.write("/etc/resolv.conf", "# by hand\nsearch lan\nnameserver 192.0.2.1\n")
    found = network.resolver(machine.root())
    assert found.evidence == "/etc/resolv.conf line 3: nameserver 192.0.2.1"


@pytest.mark.parametrize("text", ["", "# nameserver 192.0.2.1\nnameserver\n", None])
def test_no_nameserver_is_said_since_qemu_does_not(machine, text):
    if text is not None:
        machine.write("/etc/resolv.conf", text)
    found = network.resolver(machine.root())
    assert found.verdict == "limited"
    assert found.remedy


@pytest.mark.parametrize(
    ("span", "verdict"), [("0\t2147483647", "ok"), ("1\t0", "limited"), ("500\t600", "limited")]
)
def test_ping_needs_a_group_of_the_user_in_the_range(machine, span, verdict):
    machine.write("/proc/sys/net/ipv4/ping_group_range", f"{span}\n")
    assert network.ping(machine.root(groups=(1000, 27))).verdict == verdict


@pytest.mark.parametrize(("look", "node"), [("tun", "net/tun"), ("vhost_net", "vhost-net")])
def test_a_node_is_there_or_comes_with_its_module(machine, look, node):
    examine = getattr(network, look)
    machine.modules(loadable=look)
    assert examine(machine.root()).remedy == f"sudo modprobe {look}"
    machine.write(f"/dev/{node}")
    assert examine(machine.root()).verdict == "ok"


def test_the_bridge_helper_needs_its_bit_and_its_list(machine):
    machine.command("/usr/lib/qemu/qemu-bridge-helper", "exit 1")
    found = network.bridge_helper(machine.root())
    assert found.verdict == "limited"
    assert "sudo chmod u+s /usr/lib/qemu/qemu-bridge-helper" in found.remedy
    assert 'echo "allow br0" | sudo tee -a /etc/qemu/bridge.conf' in found.remedy
    machine.write("/etc/qemu/bridge.conf", "# allow br7\nallow br0\nallow virbr0\n")
    found = network.bridge_helper(machine.root(uid=0))
    assert (found.verdict, "allow br0, virbr0" in found.evidence) == ("ok", True)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="makes a file of root's setuid")
def test_a_setuid_helper_with_a_list_is_ok_for_everybody(machine):
    machine.command("/usr/libexec/qemu-bridge-helper", "exit 1").chmod(0o4755)
    machine.write("/etc/qemu/bridge.conf", "allow all\n")
    assert network.bridge_helper(machine.root()).verdict == "ok"


def test_a_namespace_of_ones_own_is_tried(machine):
    machine.command("/usr/bin/unshare", 'test "$1" = -Urn')
    assert network.namespaces(machine.root()).verdict == "ok"


@pytest.mark.parametrize(
    ("file", "value", "setting"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "=0"),
        ("kernel/unprivileged_userns_clone", "0", "=1"),
        ("user/max_user_namespaces", "0", "=15000"),
    ],
)
def test_what_forbids_a_namespace_is_found(machine, file, value, setting):
    machine.command("/usr/bin/unshare", "echo 'unshare: Operation not permitted' >&2; exit 1")
    machine.write(f"/proc/sys/{file}", f"{value}\n")
    found = network.namespaces(machine.root())
    assert "Operation not permitted" in found.evidence
    assert found.remedy == f"sudo sysctl -w {file.replace('/', '.')}{setting}"


def test_netem_is_found_in_the_kernels_lists_without_a_trial(machine):
    machine.modules(loadable="sch_netem")
    assert network.netem(machine.root()).evidence.endswith("modules.dep: sch_netem")


def test_netem_is_tried_where_no_list_has_it(machine):
    machine.command("/usr/bin/unshare", 'shift; exec "$@"')
    machine.command("/usr/bin/true", "exit 0")
    machine.command("/usr/bin/tc", "echo 'Error: Specified qdisc kind is unknown.' >&2; exit 2")
    found = network.netem(machine.root())
    assert (found.verdict, "qdisc kind is unknown" in found.evidence) == ("missing", True)
    machine.command("/usr/bin/tc", "exit 0")
    assert network.netem(machine.root()).verdict == "ok"


def test_cards_with_virtual_functions_are_counted(machine):
    machine.write("/sys/class/net/lo/mtu", "65536\n")
    assert network.sriov(machine.root()).verdict == "missing"
    machine.write("/sys/class/net/eth1/device/sriov_totalvfs", "63\n")
    assert "eth1 63" in network.sriov(machine.root()).evidence


def test_a_daemon_that_listens_is_reachable():
    # a unix socket's path has 107 bytes at most, and tmp_path may be longer
    with tempfile.TemporaryDirectory(prefix="kvmnb-test-") as short:
        root = Root(Path(short), environ={"PATH": "/usr/bin"}, uid=1000, groups=frozenset())
        folder = Path(short, "run/libvirt")
        folder.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(folder / "libvirt-sock"))
            found = libvirt.reachable(root)
            assert (found.verdict, "refused" in found.evidence) == ("limited", True)
            server.listen()
            found = libvirt.reachable(root)
            assert found.evidence == "/run/libvirt/libvirt-sock: takes connections"


def test_a_daemon_that_is_not_running_comes_with_the_command_that_starts_it(machine):
    assert libvirt.reachable(machine.root()).remedy.startswith("sudo apt-get install")
    machine.command("/usr/sbin/libvirtd", "echo 'libvirtd (libvirt) 9.0.0'")
    assert "9.0.0" in libvirt.daemon(machine.root()).evidence
    assert libvirt.reachable(machine.root()).remedy == "sudo /usr/sbin/libvirtd --daemon"
    machine.folder("/run/systemd/system")
    expected = "sudo systemctl enable --now libvirtd.socket"
    assert libvirt.reachable(machine.root()).remedy == expected


@pytest.mark.parametrize(
    ("groups", "line", "verdict", "remedy"),
    [
        ((1000, 107), "kvm:x:107:ada", "ok", ""),
        ((1000,), "kvm:x:107:ada", "limited", "log out and in again"),
        ((1000,), "kvm:x:107:bob", "missing", "sudo usermod -aG kvm ada, then log in again"),
    ],
)
def test_a_group_counts_for_this_session(machine, groups, line, verdict, remedy):
    machine.write("/etc/group", f"{line}\n")
    found = user.member(machine.root(groups=groups), "kvm")
    assert (found.verdict, found.remedy) == (verdict, remedy)


def test_root_needs_no_group(machine):
    assert user.member(machine.root(uid=0, groups=(0,)), "kvm").verdict == "ok"
