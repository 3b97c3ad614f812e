"""Names that the QEMU of another age, or of one distribution, had: boards and devices."""

from __future__ import annotations

import re
from typing import NamedTuple

from kvmnb.parse.qemu_draft import Draft, Entry
from kvmnb.parse.qemu_options import Given
from kvmnb.parse.result import Kind
from kvmnb.parse.words import Word

__all__ = ["DISK_DEVICES", "board_of_today", "device_of_today"]


class _Board(NamedTuple):
    pattern: re.Pattern[str]
    today: str
    kind: Kind
    told: str


_BOARDS = (
    _Board(
        re.compile(r"pc-[01]\.\d{1,2}", re.ASCII),
        "pc",
        "removed",
        "is gone since QEMU 6.0 at the latest; today: pc, the same board as it is now",
    ),
    _Board(
        re.compile(r"rhel[\d.]+|pc-i440fx-[a-z][\w.-]*", re.ASCII),
        "pc",
        "changed",
        "is known to one distribution's QEMU only; any other has pc",
    ),
    _Board(
        re.compile(r"pc-q35-[a-z][\w.-]*", re.ASCII),
        "q35",
        "changed",
        "is known to one distribution's QEMU only; any other has q35",
    ),
)
"""Boards that today's QEMU lacks (QEMU manual, "Removed features", "System emulator machines";
the patches of Red Hat's and Ubuntu's packages)."""

_REVISION = re.compile(r"(.+)\+pve\d+", re.ASCII)
"""Proxmox's own revision of a board."""


def board_of_today(draft: Draft, given: Given) -> str:
    """Return a board's name as any QEMU of today knows it."""
    if found := _REVISION.fullmatch(given.value):
        told = f"{given.value} is known to Proxmox's QEMU only; any other has {found.group(1)}"
        draft.note(given.value_at, given.value, "changed", told)
        return found.group(1)
    for board in _BOARDS:
        if board.pattern.fullmatch(given.value):
            draft.note(given.value_at, given.value, board.kind, f"{given.value} {board.told}")
            return board.today
    return given.value


DISK_DEVICES = {"ide-drive": ("ide-hd", "ide-cd"), "scsi-disk": ("scsi-hd", "scsi-cd")}
"""Devices that were a disk or a CD-ROM drive as their medium was, and what each is today."""

_OLD_DEVICES = {
    **dict.fromkeys(DISK_DEVICES, "6.0"),
    **dict.fromkeys(("pci-assign", "kvm-pci-assign"), "2.12"),
}
"""Devices that are gone, and since when (QEMU manual, "Removed features")."""


def device_of_today(draft: Draft, entry: Entry) -> None:
    """Call a device that is gone by its name of today."""
    driver = entry.options.get("driver") or ""
    since = _OLD_DEVICES.get(driver)
    if since is None:
        return
    today = "vfio-pci"
    if driver in DISK_DEVICES:
        today = DISK_DEVICES[driver][_cdrom(draft, entry)]
    told = f"{driver} is gone since QEMU {since}; today: {today}"
    items = entry.options.items
    at = next(given.value_at for given in items if given.key == "driver")
    draft.note(at, driver, "removed", told)
    entry.options.items = [
        given._replace(value=today) if given.key == "driver" else given for given in items
    ]
    word = entry.word
    entry.word = Word(word.text.replace(driver, today, 1), word.position, word.end)


def _cdrom(draft: Draft, entry: Entry) -> bool:
    from kvmnb.parse.qemu_drives import media

    behind = media(draft).get(entry.options.get("drive") or "")
    return behind is not None and behind.options.get("media") == "cdrom"
