"""Looks at what guests' networks can be made of."""

from __future__ import annotations

import os

from kvmnb.doctor.check import Finding, Look
from kvmnb.doctor.distribution import install
from kvmnb.doctor.modules import listed, load
from kvmnb.doctor.root import Root

__all__ = ["LOOKS"]

HELPERS = (
    "/usr/lib/qemu/qemu-bridge-helper",
    "/usr/libexec/qemu-bridge-helper",
    "/usr/libexec/qemu/qemu-bridge-helper",
)
ACL = "/etc/qemu/bridge.conf"
PING = "/proc/sys/net/ipv4/ping_group_range"
RESOLV = "/etc/resolv.conf"


def tun(root: Root) -> Finding:
    """Look for the node that taps are made by."""
    return _node(root, "/dev/net/tun", "tun")


def vhost_net(root: Root) -> Finding:
    """Look for the kernel's own half of a virtio network card."""
    return _node(root, "/dev/vhost-net", "vhost_net")


def _node(root: Root, node: str, module: str) -> Finding:
    if not root.exists(node):
        return Finding("missing", f"no {node}", load(root, module))
    if root.usable(node):
        return Finding("ok", f"{node}: {root.mode(node)}")
    group = root.mode(node).rsplit(":", 1)[-1]
    remedy = f"{root.sudo}usermod -aG {group} {root.user}, then log in again"
    return Finding(
        "limited",
        f"{node}: {root.mode(node)}; user {root.user} may not read and write",
        f"{root.sudo}chmod 666 {node}" if group == "root" else remedy,
    )


def bridge_helper(root: Root) -> Finding:
    """Look for the helper that puts an ordinary user's guest on a bridge."""
    helper = root.which(*HELPERS)
    if helper is None:
        return Finding("missing", f"none of {', '.join(HELPERS)}", install(root, "QEMU"))
    evidence, mend = f"{helper}: {root.mode(helper)}", []
    file = root.at(helper)
    found = file.stat()
    able = bool(found.st_mode & 0o4000) and found.st_uid == 0
    if not able and "security.capability" in os.listxattr(file):
        able, evidence = True, f"{evidence}, with a capability"
    if not able:
        if root.uid != 0:
            mend.append(f"{root.sudo}chmod u+s {helper}")
        evidence += ", neither setuid nor a capability"
    rules = [line.split() for line in (root.read(ACL) or "").splitlines()]
    allowed = [rule[1] for rule in rules if len(rule) > 1 and rule[0] == "allow"]
    if allowed:
        evidence += f"; {ACL}: allow {', '.join(allowed)}"
    else:
        evidence += f"; {ACL}: {'allows nothing' if root.exists(ACL) else 'not there'}"
        folder = "" if root.exists("/etc/qemu") else f"{root.sudo}mkdir -p /etc/qemu; "
        mend.append(f'{folder}echo "allow br0" | {root.sudo}tee -a {ACL}')
    return Finding("limited" if mend else "ok", evidence, "; ".join(mend))


def _namespace(root: Root) -> Finding:
    tool = root.which("unshare")
    if tool is None:
        return Finding("missing", "no unshare in PATH", install(root, "unshare"))
    answer = root.ask(tool, "-Urn", root.which("true") or "true")
    if answer.returncode == 0:
        return Finding("ok", "unshare -Urn true: exit code 0")
    evidence = f"unshare -Urn true: {answer.complaint}"
    for file, good in (
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "0"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "1"),
        ("/proc/sys/user/max_user_namespaces", "15000"),
    ):
        value = root.value(file)
        bad = "0" if good != "0" else "1"
        if value == bad:
            name = file.removeprefix("/proc/sys/").replace("/", ".")
            return Finding(
                "missing", f"{evidence}; {file}: {value}", f"{root.sudo}sysctl -w {name}={good}"
            )
    return Finding("missing", evidence, "let this container or session make user namespaces")


def namespaces(root: Root) -> Finding:
    """Look whether this user may have a network of their own, without rights on the host's."""
    return root.once(_namespace)


def netem(root: Root) -> Finding:
    """Look whether the host can delay and lose packets on purpose."""
    if root.exists("/sys/module/sch_netem"):
        return Finding("ok", "/sys/module/sch_netem")
    file = listed(root, "sch_netem")
    if file is not None:
        return Finding("ok", f"{file}: sch_netem")
    release = root.value("/proc/sys/kernel/osrelease")
    remedy = "delay and loss inside the guest (tc there), or a kernel with CONFIG_NET_SCH_NETEM"
    tool, unshare = root.which("tc"), root.which("unshare")
    if tool is None:
        return Finding("limited", "no tc in PATH to try it with", install(root, "tc"))
    if unshare is None or root.once(_namespace).verdict != "ok":
        return Finding("limited", f"kernel {release}: no sch_netem found, not tried", remedy)
    # in a network of its own, which is gone with the command
    words = ["-Urn", str(root.at(tool)), "qdisc", "add", "dev", "lo", "root", "netem"]
    answer = root.ask(unshare, *words, "delay", "1ms")
    if answer.returncode == 0:
        return Finding("ok", "tc qdisc add … netem worked in a network namespace")
    return Finding("missing", f"tc qdisc add … netem: {answer.complaint}", remedy)


def ping(root: Root) -> Finding:
    """Look whether guests on a user network may ping."""
    value = root.value(PING)
    if value is None:
        return Finding("limited", f"{PING} cannot be read")
    low, high = map(int, value.split())
    if any(low <= group <= high for group in root.groups):
        return Finding("ok", f"{PING}: {low} {high}")
    return Finding(
        "limited",
        f"{PING}: {low} {high} holds no group of user {root.user}",
        f'{root.sudo}sysctl -w net.ipv4.ping_group_range="0 2147483647"',
    )


def resolver(root: Root) -> Finding:
    """Look whether names resolve: QEMU starts without a word where they do not."""
    lines = (root.read(RESOLV) or "").splitlines()
    for number, line in enumerate(lines, 1):
        word, *rest = line.split() or [""]
        if word == "nameserver" and rest:
            return Finding("ok", f"{RESOLV} line {number}: nameserver {rest[0]}")
    evidence = f"{RESOLV}: no nameserver" if lines else f"{RESOLV}: empty or not there"
    return Finding("limited", evidence, f'echo "nameserver ADDRESS" | {root.sudo}tee -a {RESOLV}')


def sriov(root: Root) -> Finding:
    """Look for network cards that can show themselves as several."""
    base = "/sys/class/net"
    able = {}
    for name in root.entries(base):
        count = root.value(f"{base}/{name}/device/sriov_totalvfs")
        if count is not None and count.isdigit() and int(count):
            able[name] = int(count)
    if able:
        words = ", ".join(f"{name} {count}" for name, count in able.items())
        return Finding("ok", f"{base}/*/device/sriov_totalvfs: {words}")
    return Finding(
        "missing", f"{base}/*/device/sriov_totalvfs: no card has it", "a network card with SR-IOV"
    )


LOOKS = (
    Look("name resolution", resolver, "names inside guests on a user network"),
    Look("ping", ping, "pinging the outside from guests on a user network"),
    Look("own network namespace", namespaces, "bridges and taps without root"),
    Look("tun", tun, "taps: guests on bridges of this machine"),
    Look("bridge helper", bridge_helper, "an ordinary user's guests on a bridge"),
    Look("vhost-net", vhost_net, "faster virtio network cards on taps"),
    Look("netem", netem, "delay and loss on this machine's side of a network"),
    Look("SR-IOV", sriov, "a part of a real network card for a guest"),
)
