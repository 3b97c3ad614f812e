"""Which function reads which of QEMU's options, and which options are the engine's business."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kvmnb.parse import (
    qemu_board,
    qemu_chardev,
    qemu_devices,
    qemu_drives,
    qemu_extras,
    qemu_network,
    qemu_old,
    qemu_screens,
)
from kvmnb.parse.qemu_draft import Draft
from kvmnb.parse.words import Word

__all__ = ["HANDLERS", "IGNORED"]


def _said(word: str) -> Callable[[Draft, Word, Word | None], None]:
    def handler(draft: Draft, option: Word, value: Word | None) -> None:
        draft.said.add(word)

    return handler


def _snapshot(draft: Draft, option: Word, value: Word | None) -> None:
    draft.said.add("snapshot")
    draft.parts["snapshot"] = {"option": option}


def _incoming(draft: Draft, option: Word, value: Word) -> None:
    draft.fields["incoming"], draft.places["incoming"] = value.text, value.position


def _bios(draft: Draft, option: Word, value: Word) -> None:
    draft.part("firmware", value.position, kind="bios", code=value.text)


def _mem_path(draft: Draft, option: Word, value: Word) -> None:
    draft.part("memory", value.position, source="file", path=value.text)


def _mem_prealloc(draft: Draft, option: Word, value: Word | None) -> None:
    draft.part("memory", option.position, preallocated=True)


def _watchdog_action(draft: Draft, option: Word, value: Word) -> None:
    head = "watchdog="
    runs = ((len(head), value.position),)
    word = Word(head + value.text, value.position, value.end, runs)
    qemu_board.action(draft, option, word)
    told = "-watchdog-action is old; today: -action watchdog="
    draft.note(option.position, f"{option.text} {value.text}", "old", told)


HANDLERS: dict[str, Callable[..., Any]] = {
    "name": qemu_board.name,
    "uuid": qemu_board.uuid,
    "machine": qemu_board.machine,
    "M": qemu_board.machine,
    "accel": qemu_board.accel,
    "enable-kvm": qemu_board.enable_kvm,
    "cpu": qemu_board.cpu,
    "smp": qemu_board.smp,
    "m": qemu_board.memory,
    "mem-path": _mem_path,
    "mem-prealloc": _mem_prealloc,
    "overcommit": qemu_board.overcommit,
    "numa": qemu_board.numa_entry,
    "boot": qemu_board.boot,
    "kernel": qemu_board.boot_file,
    "initrd": qemu_board.boot_file,
    "append": qemu_board.boot_file,
    "dtb": qemu_board.boot_file,
    "bios": _bios,
    "rtc": qemu_board.rtc,
    "action": qemu_board.action,
    "watchdog-action": _watchdog_action,
    "no-reboot": qemu_board.no_option,
    "no-shutdown": qemu_board.no_option,
    "no-acpi": qemu_board.no_option,
    "no-hpet": qemu_board.no_option,
    "S": qemu_board.no_option,
    "incoming": _incoming,
    "global": qemu_extras.global_,
    "drive": qemu_drives.drive_entry,
    "blockdev": qemu_drives.blockdev_entry,
    **dict.fromkeys(qemu_drives.SHORT, qemu_drives.short_drive),
    "snapshot": _snapshot,
    "nic": qemu_network.nic,
    "net": qemu_network.net,
    "netdev": qemu_network.netdev_entry,
    "device": qemu_devices.device_entry,
    "object": qemu_devices.object_entry,
    "chardev": qemu_chardev.chardev_entry,
    "mon": qemu_chardev.mon_entry,
    "serial": qemu_chardev.serial,
    "parallel": qemu_chardev.parallel,
    "monitor": qemu_chardev.monitor,
    "qmp": qemu_chardev.monitor,
    "usb": _said("usb"),
    "usbdevice": qemu_old.usbdevice,
    "fsdev": qemu_extras.entry,
    "tpmdev": qemu_extras.entry,
    "audiodev": qemu_extras.entry,
    "audio": qemu_extras.audio,
    "virtfs": qemu_extras.virtfs,
    "vga": qemu_screens.vga,
    "display": qemu_screens.display,
    "full-screen": qemu_screens.full_screen,
    "nographic": qemu_screens.nographic,
    "vnc": qemu_screens.vnc,
    "spice": qemu_screens.spice,
    "k": qemu_screens.keymap,
}

IGNORED = {
    "daemonize": "the engine starts guests in the background",
    "pidfile": "the engine keeps the process's number",
    "D": "the engine keeps QEMU's messages",
    "d": "the engine keeps QEMU's messages",
    "trace": "the engine keeps QEMU's messages",
    "no-user-config": "the engine gives it to every guest",
    "msg": "the engine keeps QEMU's messages",
    "g": "a PC's screen has the size that the guest chooses",
    "id": "it is Proxmox's own number of the guest",
    "echr": "the notebook's console has its own keys",
    "enable-sync-profile": "it is for QEMU's own developers",
}
"""What has no effect on the guest, and why."""
