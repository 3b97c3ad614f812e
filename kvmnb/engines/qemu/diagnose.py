"""Why a guest did not start: QEMU's and its own last words, turned into a cause and a remedy."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from kvmnb.engines.qemu.folders import Roots
from kvmnb.engines.qemu.record import records

__all__ = ["console_cause", "log_cause", "screen_text"]

# what QEMU says  →  the cause, and what to do; the first match counts
_SAYINGS: tuple[tuple[str, str, str], ...] = (
    (
        r"Could not open '(?P<what>[^']*)': No such file",
        "there is no such file: {what}",
        "check the path; host.images lists the images by name",
    ),
    (
        r"Could not open '(?P<what>[^']*)': Permission denied",
        "no right to open {what}",
        "give yourself the right: ls -l, chown, chmod",
    ),
    (
        r"Image is not in (?P<what>\w+) format",
        "the disk is not in {what} format",
        'name its format: disk(path, format="raw"); qemu-img info tells it',
    ),
    (
        r"forwarding rule '(?P<what>\w+:[^-']*)-",
        "the host's port {what} cannot be listened at: it is in use, or only root may",
        "choose another port, from 1024 on; ss -tlnp shows who listens",
    ),
    (
        r"-vnc (?:vnc=)?(?P<what>[^:\s]*:\d+)\S*: .*Address already in use",
        "the port of VNC display {what} is in use",
        "another display=, or vnc() for a private socket; ss -tlnp shows who listens",
    ),
    (
        r"-incoming (?P<what>\S+): .*Address already in use",
        "the port of incoming {what} is in use",
        "choose another port; ss -tlnp shows who listens",
    ),
    (
        r"Failed to open SPICE sockets|binding socket to :(?P<port>\d+) failed",
        "the port of SPICE is in use",
        "choose another port; ss -tlnp shows who listens",
    ),
    (
        r"/dev/net/tun \((?P<what>[^)]*)\): Device or resource busy",
        "the tap {what} is in use by another process",
        "choose another ifname, or end what has it open; ip -d tuntap shows them",
    ),
    (
        r"/dev/net/tun \((?P<what>[^)]*)\): Operation not permitted",
        "no right to the tap {what}",
        "root makes it yours: ip tuntap add NAME mode tap user $USER",
    ),
    (
        r"could not open /dev/net/tun|failed to create tun device",
        "no right to make a tap, or the kernel has none (/dev/net/tun)",
        "modprobe tun; root makes a tap that is yours: ip tuntap add NAME mode tap user $USER",
    ),
    (
        r"network script (?P<what>.*) failed with status",
        "the script {what} failed",
        "run it by hand with the tap's name; it may need root, and must be executable",
    ),
    (
        r"failed to parse default acl file|access denied by acl file",
        "the bridge helper may not join that bridge",
        "root writes 'allow BRIDGE' into /etc/qemu/bridge.conf",
    ),
    (
        r"failed to get mtu of bridge [`'](?P<what>[^']*)'",
        "there is no bridge {what} here",
        "ip link add NAME type bridge; ip link shows what there is",
    ),
    (
        r"bridge helper failed|failed to add interface [`'].*' to bridge|must be setuid root",
        "QEMU's bridge helper has no right to join the bridge",
        "root gives it: chmod u+s /usr/lib/qemu/qemu-bridge-helper",
    ),
    (
        r"open vhost char device failed|vhost-net requested but could not be initialized",
        "the host's kernel has no vhost-net, or gives no right to it",
        "modprobe vhost_net, and ls -l /dev/vhost-net; or leave vhost= out",
    ),
    (
        r"vhost-vsock: failed to open vhost device",
        "the host's kernel has no vhost-vsock, or gives no right to it",
        "modprobe vhost_vsock; ls -l /dev/vhost-vsock",
    ),
    (
        r"Could not find '(?P<what>[^']*smbd)'",
        "Samba, which serves smb=, is not installed: {what}",
        "apt install samba",
    ),
    (
        r"(?i)could not initialize sdl|gtk initialization failed|cannot open display|"
        r"Display '(?:sdl|gtk)' is not available|no opengl",
        "there is no desktop here that QEMU could open a window on",
        'vnc() needs none and is seen in the notebook; display("none") shows nothing',
    ),
    (
        r"We need a terminal output|Error opening terminal",
        "curses draws on a terminal, and a guest of a notebook has none",
        "vnc() is seen in the notebook; the console is there without a screen",
    ),
    (
        r"cannot initialize fsdev '.*': failed to open '(?P<what>[^']*)'",
        "the folder to share cannot be opened: {what}",
        "check the path, and your right to it",
    ),
    (
        r"Failed to connect to '(?P<what>[^']*)'",
        "nothing listens at {what}",
        "start what listens there first",
    ),
    (
        r"no iommu_group found|vfio .*: failed to open",
        "the device cannot be given to a guest: no IOMMU, or not bound to vfio-pci",
        "switch the IOMMU on (intel_iommu=on), and bind the device to vfio-pci",
    ),
    (
        r"unable to map backing store for guest RAM",
        "the host has not that many huge pages free",
        "root makes some: sysctl vm.nr_hugepages=N",
    ),
    (
        r"could not load PC BIOS '(?P<what>[^']*)'",
        "the firmware cannot be loaded: {what}",
        "check the path; apt install ovmf brings UEFI",
    ),
    (
        r"Address already in use|Failed to bind socket",
        "a port or a socket is in use",
        "choose another port, or stop what uses it",
    ),
    (
        r"cannot set up guest memory|Cannot allocate memory|out of memory",
        "the host has not that much memory free",
        "a smaller .mem(), or end other guests: kvmnb ls",
    ),
    (r"No space left on device", "the disk is full", "free some room: df -h; kvmnb reap"),
    (
        r"[Cc]ould not access KVM kernel module|failed to initialize kvm",
        "KVM cannot be used",
        'accel("tcg"); host.doctor() says what KVM lacks',
    ),
    (
        r"unable to find CPU model '(?P<what>[^']*)'",
        "this QEMU knows no CPU {what}",
        "host.cpus lists them",
    ),
    (
        r"unsupported machine type",
        "this QEMU knows no such machine",
        "host.machines lists them",
    ),
    (
        r"[Ee]rror loading uncompressed kernel|invalid kernel header|qemu: could not load kernel",
        "the kernel cannot be loaded",
        "name a bzImage, or an ELF image with a PVH note",
    ),
    (
        r"O_DIRECT|does not support.*direct",
        "the file system under the disk has no direct I/O",
        'use cache="writeback"',
    ),
)

_LOCKED = re.compile(r'Failed to get "?(?:write|consistent read)"? ?lock|Failed to lock')

_CONSOLE: tuple[tuple[str, str, str], ...] = (
    (
        r"Kernel panic - not syncing: (?P<what>.*)",
        "the guest's kernel panicked: {what}",
        "check the root disk, and root= on the kernel's command line",
    ),
    (
        r"No bootable device|No bootable option",
        "no disk, CD-ROM or network that could be started from",
        'an installed disk, or an ISO with boot(order="d"); a kernel with boot(kernel=)',
    ),
    (
        r"Out of memory: Killed process|System is deadlocked on memory",
        "the guest ran out of memory",
        "give it more: .mem()",
    ),
    (
        r"Unable to mount root fs|can't find root",
        "the guest's kernel found no root file system",
        "check the disk and root= on the kernel's command line",
    ),
)


def log_cause(log: str, files: Iterable[str], roots: Roots) -> tuple[str, str]:
    """Return ``(cause, remedy)`` for QEMU's log; both empty where nothing is recognised.

    Parameters
    ----------
    log : QEMU's last lines
    files : the guest's disks, to find which other guest has one open
    roots : where the other guests are recorded
    """
    if _LOCKED.search(log):
        remedy = "stop what uses it, or start from a copy: disk(path, snapshot=True)"
        for path in files:
            for _, other in records(roots):
                used = any(path in argument for argument in other.argv)
                if used and other.process is not None and other.process.alive:
                    who = f"{other.spec.name!r} (pid {other.process.pid})"
                    return f"the disk is in use: {path} is open in guest {who}", remedy
        names = ", ".join(os.path.basename(path) for path in files)
        return f"a disk is in use by another process: {names}", remedy
    return _match(_SAYINGS, log)


def console_cause(text: str) -> tuple[str, str]:
    """Return ``(cause, remedy)`` for the guest's console or screen."""
    return _match(_CONSOLE, text)


def _match(table: tuple[tuple[str, str, str], ...], text: str) -> tuple[str, str]:
    for pattern, cause, remedy in table:
        found = re.search(pattern, text)
        if found is not None:
            return cause.format(**found.groupdict()).strip(), remedy
    return "", ""


def screen_text(memory: bytes) -> str:
    """Return the text of a VGA text screen of 80 by 25, two bytes a character.

    `memory` is what lies at guest address 0xB8000 in text mode (IBM VGA, mode 3).
    """
    letters = bytes(memory[0:4000:2]).decode("cp437", "replace")
    rows = [letters[start : start + 80].replace("\0", " ").rstrip() for start in range(0, 2000, 80)]
    return "\n".join(row for row in rows if row)
