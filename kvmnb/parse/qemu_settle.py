"""The end of reading a line of QEMU's: what belongs together is joined, defaults are filled in."""

from __future__ import annotations

import re
from typing import Any

from kvmnb.parse.qemu_board import settle_accel
from kvmnb.parse.qemu_chardev import back_named, chardevs, own_monitors, settle_lines
from kvmnb.parse.qemu_devices import settle_devices
from kvmnb.parse.qemu_draft import Draft, Entry
from kvmnb.parse.qemu_extras import (
    settle_firmware,
    settle_sound,
    settle_watchdog,
)
from kvmnb.parse.qemu_memory import settle_memory
from kvmnb.parse.qemu_network import default_nic, netdevs, settle_hubs
from kvmnb.parse.qemu_old import settle_user_network
from kvmnb.parse.qemu_options import Options, doubled
from kvmnb.parse.qemu_places import board_drives, next_places
from kvmnb.parse.qemu_screens import settle_keymap
from kvmnb.parse.words import Word
from kvmnb.spec.boot import Boot
from kvmnb.spec.chardev import Serial
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC, Video
from kvmnb.spec.memory import Memory

__all__ = ["settle"]

DEFAULT_NAME = "guest"


def settle(draft: Draft, binary: str) -> DomainSpec:
    """Return the spec of a line whose options have all been read.

    Raises
    ------
    ParseError   they do not fit together
    """
    settle_accel(draft, binary)
    own_monitors(draft)
    settle_memory(draft)
    settle_firmware(draft)
    settle_hubs(draft)
    board_drives(draft)
    settle_lines(draft)
    settle_devices(draft)
    _monitors(draft)
    settle_sound(draft)
    settle_watchdog(draft)
    _usb(draft)
    x86 = draft.fields.get("arch", "x86_64") in {"x86_64", "i386"}
    board = draft.fields.get("machine", "pc")
    if "nodefaults" not in draft.said and x86 and board not in {"none", "microvm"}:
        _defaults(draft)
    elif "nographic" in draft.said and not draft.said & {"serial", "nodefaults"}:
        draft.add("serials", Serial())
    settle_user_network(draft)
    settle_keymap(draft)
    next_places(draft)
    _floppies(draft)
    _parts(draft)
    _keep_rest(draft)
    if "name" not in draft.fields:
        draft.fields["name"] = DEFAULT_NAME
        told = f"the line names no guest; kvmnb calls it {DEFAULT_NAME!r}"
        draft.note(draft.binary.position, draft.binary.text, "default", told)
    return draft.spec()


def _monitors(draft: Draft) -> None:
    for entry in draft.entries:
        if entry.option != "-mon" or entry.used:
            continue
        options = entry.options.copy()
        chardev, mode, _ = options.take("chardev"), options.take("mode"), options.take("id")
        if chardev is None or options.items:
            continue
        behind = chardevs(draft).get(chardev.value)
        if behind is not None and behind.options.get("fd") is not None:
            entry.used = behind.used = True
            told = "a monitor on a descriptor of the process that started QEMU then (libvirt's)"
            draft.note(entry.at, f"-mon {entry.word.text}", "ignored", told)
            continue
        back = back_named(draft, chardev.value, chardev.value_at)
        if back is None:
            continue
        from kvmnb.spec.ports import Monitor

        word = "hmp"
        if mode is not None:
            word = draft.choice(mode, "mode", ("readline", "control"))
        qmp = word == "control"
        draft.add("monitors", Monitor(back, "qmp" if qmp else "hmp"))
        entry.used = True


def _usb(draft: Draft) -> None:
    if "usb" in draft.said and "usb" not in draft.fields:
        q35 = "q35" in draft.fields.get("machine", "pc")
        draft.fields["usb"] = "ehci" if q35 else "piix3-uhci"
    users = any(each.bus == "usb" for each in draft.lists.get("inputs", ()))
    users = users or any(
        each.bus == "usb" for field in ("disks", "cdroms") for each in draft.lists.get(field, ())
    )
    users = users or any(
        each.model == "usb"
        for field in ("serials", "sounds")
        for each in draft.lists.get(field, ())
    )
    users = users or any(hasattr(each, "vendor") for each in draft.lists.get("hostdevs", ()))
    if draft.fields.get("usb") == "xhci" and users:
        del draft.fields["usb"]  # which is the one that such devices get anyway


def _defaults(draft: Draft) -> None:
    """Add what QEMU gives a guest whose line does not say otherwise (QEMU manual, -nodefaults)."""
    graphic = "nographic" not in draft.said
    if "serial" not in draft.said:
        draft.lists.setdefault("serials", []).insert(0, Serial())
        told = "QEMU gives the guest a serial port; its other end is a private socket here"
        draft.note(draft.binary.position, draft.binary.text, "default", told)
    if "net" not in draft.said:
        default_nic(draft)
    if "vga" not in draft.said:
        bare = draft.fields.get("machine") == "isapc"
        draft.lists.setdefault("videos", []).insert(0, Video("cirrus" if bare else "std"))
        told = f"QEMU gives the guest a {'Cirrus' if bare else 'standard'} graphics card"
        draft.note(draft.binary.position, draft.binary.text, "default", told)
    if graphic and "display" not in draft.said:
        draft.add("displays", VNC())
        told = "QEMU opens a window, or a VNC server; here the screen is on a private socket"
        draft.note(draft.binary.position, draft.binary.text, "default", told)
    told = "QEMU's empty CD-ROM and floppy drives and its parallel port are left out"
    draft.note(draft.binary.position, draft.binary.text, "default", told)


def _floppies(draft: Draft) -> None:
    given: dict[int, Any] = draft.parts.get("floppies", {})
    if not given:
        return
    from kvmnb.spec.storage import Floppy

    if 0 not in given:
        given[0] = Floppy()
    draft.lists["floppies"] = [given[unit] for unit in sorted(given)]


def _narrow(draft: Draft) -> None:
    """Give a guest of ``qemu-system-i386`` its processor, on the same board."""
    told = "qemu-system-x86_64 has the same boards, and is what runs here"
    cpu = draft.parts.setdefault("cpu", {})
    if cpu.get("model") is None:
        cpu["model"] = "qemu32"
        draft.places.setdefault("cpu", draft.binary.position)
        told += "; qemu32 is the processor that qemu-system-i386 has by itself"
    draft.note(draft.binary.position, draft.binary.text, "changed", told)


def _parts(draft: Draft) -> None:
    """Make the parts that several options describe."""
    at = draft.places
    if "32 bits" in draft.said:
        _narrow(draft)
    if cpu := draft.parts.get("cpu"):
        own_default = draft.run_dir is not None and draft.fields["accel"] == "kvm"
        if own_default and cpu.get("model") == "host":
            cpu["model"] = None
        draft.fields["cpu"] = draft.made(at["cpu"], CPU, **cpu)
    if memory := draft.parts.get("memory"):
        draft.fields["memory"] = draft.made(at["memory"], Memory, **memory)
    if boot := draft.parts.get("boot"):
        draft.fields["boot"] = draft.made(at["boot"], Boot, **boot)
    if clock := draft.parts.get("clock"):
        from kvmnb.spec.platform import Clock

        draft.fields["clock"] = draft.made(at["clock"], Clock, **clock)
    if firmware := draft.parts.get("firmware"):
        from kvmnb.spec.platform import Firmware

        draft.fields["firmware"] = draft.made(at["firmware"], Firmware, **firmware)


# ---- what stays verbatim

_REFERENCES = {
    *("netdev", "drive", "chardev", "memdev", "pcidev", "audiodev", "fsdev", "tpmdev", "device"),
    *("file", "image", "backing", "rng", "indev", "outdev", "primary_in", "secondary_in"),
}
"""Keys whose value is another thing's id."""


def _keep_rest(draft: Draft) -> None:
    for entry in draft.entries:
        if entry.option == "-object" and entry.options.get("id") == "masterKey0":
            entry.used = True
            told = "the key by which libvirt hands over passwords"
            draft.note(entry.at, f"-object {entry.word.text}", "ignored", told)
    entries = [entry for entry in draft.entries if not entry.used]
    entries = _with_what_they_name(draft, entries)
    clashes = _clashes(draft, entries)
    _snapshot(draft, entries)
    for entry in entries:
        _freed(draft, entry)
        value = _rewritten(entry.options, {**draft.renamed, **clashes}, entry.word.text)
        draft.kept.append((entry.at, (entry.option, value)))
        told = entry.message or "no field stands for all that it says; QEMU gets it as it is"
        draft.note(entry.at, f"{entry.option} {entry.word.text}", "kept", told)


_ON_PCI = re.compile(r"(?:0x)?[01]?[0-9a-f](?:\.(?:0x)?[0-7])?", re.ASCII | re.IGNORECASE)
"""A place on PCI, unlike the places in memory that some devices have."""


def _freed(draft: Draft, entry: Entry) -> None:
    """Take the place on the board's own bus from a device that is kept: others got it by now."""
    if entry.option != "-device" or draft.run_dir is not None:
        return
    if entry.options.get("bus") not in {None, "pci.0", "pcie.0"}:
        return
    options = entry.options.copy()
    driver, place = options.take("driver"), draft.free_place(options)
    if place is None or driver is None or _ON_PCI.fullmatch(place.value) is None:
        return
    told = f"the board gives the {driver.value} a place"
    draft.note(place.key_at, f"{place.key}={place.value}", "ignored", told)
    rest = "".join(f",{given.key}={doubled(given.value)}" for given in options.items)
    options.items.insert(0, driver)
    options.json = False
    entry.options = options
    entry.word = Word(driver.value + rest, entry.word.position, entry.word.end)


def _snapshot(draft: Draft, kept: list[Entry]) -> None:
    """Keep ``-snapshot`` for the drives that stay verbatim; all others have it as a field."""
    given = draft.parts.get("snapshot")
    if given is None:
        return
    drives = [each for field in ("disks", "floppies") for each in draft.lists.get(field, ())]
    if any(entry.option == "-drive" for entry in kept):
        draft.keep(given["option"], None)
    elif not any(each.snapshot for each in drives):
        draft.ignore(given["option"], None, "no drive of the line has an overlay by it")


def _with_what_they_name(draft: Draft, kept: list[Entry]) -> list[Entry]:
    """Return what is kept with the backs that it names, even those that fields say too."""
    behind = {
        **{("chardev", name): entry for name, entry in chardevs(draft).items()},
        **{("netdev", name): entry for name, entry in netdevs(draft).items()},
    }
    named = set(map(id, kept))
    for entry in kept:
        for given in entry.options.items:
            other = behind.get((given.key, given.value))
            missing = other is not None and other.used and given.value not in draft.renamed
            if other is not None and missing:
                named.add(id(other))
    return [entry for entry in draft.entries if id(entry) in named]


_COMPILED = re.compile(
    r"(disk|cd|floppy|net|serial|parallel|console|channel|agent|balloon|rng|vmgenid|video|input"
    r"|sound|watchdog|tpm|share|vsock|hostdev|mem|monitor)(\d{1,4})(-.*)?"
    r"|(sata|scsi|usb|sd)-bus|virtio-serial0|fdc0|qmp|qmp-shared"
)
"""Ids that the compiler gives."""


def _clashes(draft: Draft, entries: list[Entry]) -> dict[str, str]:
    """Return new ids for what is kept and bears an id that the compiler gives to something."""
    if draft.run_dir is not None:
        return {}
    renamed = {}
    for entry in entries:
        id_ = entry.options.get("id") or entry.options.get("node-name")
        found = _COMPILED.fullmatch(id_ or "")
        if id_ is not None and found is not None and _given(draft, found):
            renamed[id_] = f"kept-{id_}"
    return renamed


def _given(draft: Draft, found: re.Match[str]) -> bool:
    """Whether the compiler gives this id to something of this guest."""
    kind, number = found.group(1), found.group(2)
    field = _FIELDS.get(kind or "")
    if field is None:
        return kind != "mem" or "memory" in draft.parts or "numa" in draft.lists
    return int(number) < len(draft.lists.get(field, ()))


_FIELDS = {
    "disk": "disks", "cd": "cdroms", "floppy": "floppies", "net": "nics", "serial": "serials",
    "parallel": "parallels", "console": "consoles", "channel": "channels", "video": "videos",
    "input": "inputs", "sound": "sounds", "share": "shares", "hostdev": "hostdevs",
    "monitor": "monitors",
}  # fmt: skip


def _rewritten(options: Options, renamed: dict[str, str], text: str) -> str:
    """Return an option's value with its references written anew."""
    if not renamed:
        return text
    if options.json:
        for old, new in renamed.items():
            text = text.replace(f'"{old}"', f'"{new}"')
        return text
    parts, changed = [], False
    for index, given in enumerate(options.items):
        value = given.value
        if given.key in _REFERENCES or given.key in {"id", "node-name"}:
            value = renamed.get(value, value)
        elif given.key == "bus" and "." in value:
            head, _, tail = value.rpartition(".")
            value = f"{renamed.get(head, head)}.{tail}"
        changed = changed or value != given.value
        bare = index == 0 and "=" not in text.split(",", 1)[0]
        parts.append(doubled(value) if bare else f"{given.key}={doubled(value)}")
    return ",".join(parts) if changed else text
