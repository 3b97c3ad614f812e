"""Any line of the classic texts, by the program or the monitor that it is for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kvmnb.errors import ParseError, SpecError
from kvmnb.parse.result import HostCommand, MonitorCommand, Parsed, Query
from kvmnb.parse.words import Word, split

__all__ = ["Command", "parse_command"]

if TYPE_CHECKING:
    from kvmnb.parse.qemu_img import ImageCommand

    Command = Parsed | Query | MonitorCommand | HostCommand | ImageCommand

HOST = (
    *("grep", "egrep", "modprobe", "lsmod", "modinfo", "rmmod", "ethtool", "lscpu", "lspci"),
    *("lsusb", "brctl", "ip", "ifconfig", "cat", "ls", "free", "top", "ps", "virsh", "dmesg"),
    *("vncviewer", "mount", "uname", "kvm-ok", "systemctl", "service", "yum", "apt", "dnf"),
)
"""Programs that look at the host, or set it up."""

MONITOR = (
    *("info", "balloon", "change", "migrate", "migrate_cancel", "migrate_set_downtime"),
    *("migrate_set_speed", "stop", "cont", "c", "quit", "q", "system_powerdown"),
    *("system_reset", "system_wakeup", "eject", "savevm", "loadvm", "delvm", "sendkey"),
    *("screendump", "device_add", "device_del", "netdev_add", "netdev_del", "drive_add"),
    *("hostfwd_add", "hostfwd_remove", "set_link", "commit", "usb_add", "usb_del"),
    *("cpu-add", "x", "xp", "print", "p", "gdbserver", "help", "nmi", "block_resize"),
    *("set_password", "expire_password", "object_add", "object_del", "mouse_move"),
    *("logfile", "migrate_set_capability", "migrate_set_parameter", "watchdog_action"),
    *("snapshot_blkdev", "boot_set", "chardev_add", "chardev_remove"),
)
"""Verbs of QEMU's human monitor (QEMU manual, "QEMU Monitor")."""


def parse_command(line: str) -> Command:
    """Return what a line means, by the program that it calls.

    Raises
    ------
    ParseError   it cannot be read, or nobody here knows the program
    """
    from kvmnb.parse.qemu_line import parse_words, program, query

    words, notes = split(line)
    if not words:
        raise ParseError(line, 0, "there is no command in it")
    first = words[0]
    name = first.text.rpartition("/")[2]
    if program(first) is not None:
        return query(line, words) or parse_words(line, words, notes)
    if name in {"virt-install", "virt-install.py"}:
        from kvmnb.parse import virt_install

        return virt_install(line)
    if name == "qemu-img":
        from kvmnb.parse.qemu_img import parse_qemu_img

        return parse_qemu_img(words, line)
    if first.text in MONITOR:
        return _monitor(line, words)
    if name in HOST:
        return HostCommand(text=line, words=tuple(word.text for word in words), notes=notes)
    from kvmnb.parse.qemu_draft import suggestion

    known = ("qemu-kvm", "qemu-system-x86_64", "qemu-img", "virt-install", *MONITOR, *HOST)
    near = suggestion(name, known)
    told = f"{first.text[:40]!r} is no program that kvmnb reads: {near}".rstrip(": ")
    raise ParseError(line, first.position, told)


_INFO = {
    "balloon": "query-balloon", "status": "query-status", "cpus": "query-cpus-fast",
    "block": "query-block", "blockstats": "query-blockstats", "chardev": "query-chardev",
    "kvm": "query-kvm", "migrate": "query-migrate", "mice": "query-mice", "name": "query-name",
    "pci": "query-pci", "uuid": "query-uuid", "version": "query-version", "vnc": "query-vnc",
    "spice": "query-spice", "tpm": "query-tpm", "iothreads": "query-iothreads",
    "hotpluggable-cpus": "query-hotpluggable-cpus", "memdev": "query-memdev",
    "memory-devices": "query-memory-devices", "rx-filter": "query-rx-filter",
}  # fmt: skip

_PLAIN = {
    "stop": "stop", "cont": "cont", "c": "cont", "quit": "quit", "q": "quit",
    "system_powerdown": "system_powerdown", "system_reset": "system_reset",
    "system_wakeup": "system_wakeup", "migrate_cancel": "migrate_cancel", "nmi": "inject-nmi",
}  # fmt: skip


def _monitor(line: str, words: tuple[Word, ...]) -> MonitorCommand:
    verb, args = words[0], tuple(word.text for word in words[1:])
    qmp, given = _qmp(line, verb.text, words[1:])
    return MonitorCommand(text=line, verb=verb.text, args=args, qmp=qmp, qmp_args=given)


def _qmp(
    line: str, verb: str, words: tuple[Word, ...]
) -> tuple[str | None, tuple[tuple[str, str | int], ...]]:
    """Return the command of QMP's that does the same, where one does."""
    args = [word.text for word in words]
    match verb, args:
        case "info", [what]:
            return _INFO.get(what), ()
        case "balloon", [size]:
            from kvmnb.units import size_bytes

            try:
                return "balloon", (("value", size_bytes(size, "balloon")),)
            except SpecError as error:
                raise ParseError(line, words[0].position, error.reason) from error
        case "change", ["vnc", "password", *secret]:
            # the monitor asks for the password where the line does not give it
            given = (("protocol", "vnc"), *((("password", secret[0]),) if secret else ()))
            return "set_password", given
        case "change", [device, file]:
            return "blockdev-change-medium", (("device", device), ("filename", file))
        case "eject", [device]:
            return "eject", (("device", device),)
        case "migrate", [*flags, uri] if all(re.fullmatch(r"-[dbir]", flag) for flag in flags):
            if uri.partition(":")[0] not in {"tcp", "unix", "fd", "exec", "rdma", "file"}:
                told = "where to: tcp:HOST:PORT, unix:PATH, fd:N or exec:COMMAND"
                raise ParseError(line, words[-1].position, told)
            return "migrate", (("uri", uri),)
        case "device_del", [id_]:
            return "device_del", (("id", id_),)
        case "netdev_del", [id_]:
            return "netdev_del", (("id", id_),)
        case "screendump", [file]:
            return "screendump", (("filename", file),)
        case "set_link", [name, up] if up in {"on", "off"}:
            return "set_link", (("name", name), ("up", int(up == "on")))
    return (_PLAIN.get(verb), ()) if not args else (None, ())
