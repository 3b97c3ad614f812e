"""Where drives are plugged in: what ``if=``, ``index=`` and a ``-device`` make of a medium."""

from __future__ import annotations

import dataclasses
from typing import Any

from kvmnb.parse.qemu_draft import Draft, Entry
from kvmnb.parse.qemu_drives import INTERFACES, Medium, media, medium_of
from kvmnb.parse.qemu_options import Options
from kvmnb.spec.storage import CDROM, Disk, ExistingFile, Floppy

__all__ = ["board_drives", "disk_device", "next_places"]

SCSI_MODELS = {
    "virtio-scsi-pci": "virtio", "virtio-scsi": "virtio", "lsi53c895a": "lsi", "lsi": "lsi",
    "megasas": "megasas", "mptsas1068": "mptsas", "pvscsi": "pvscsi",
}  # fmt: skip
"""Controllers, and the words that `DomainSpec.scsi` has for them."""

AHCI = ("ich9-ahci", "ahci")

_GEOMETRY = {"cyls": "cyls", "heads": "heads", "secs": "secs", "trans": "bios-chs-trans"}

_OWN = {"id", "drive", "bus", "unit", "scsi-id", "lun", "channel"}
"""Properties that say where a device is plugged in."""


# ---- drives with if=


def board_drives(draft: Draft) -> None:
    """Put each drive that the board itself plugs in on its place."""
    taken: dict[tuple[str, int], Entry] = {}
    short = (
        "-hda",
        "-hdb",
        "-hdc",
        "-hdd",
        "-cdrom",
        "-fda",
        "-fdb",
        "-sd",
        "-mtdblock",
        "-pflash",
    )
    for entry in draft.entries:
        if entry.option != "-drive" and entry.option not in short:
            continue
        given = next((item for item in entry.options.items if item.key == "if"), None)
        interface = "ide" if given is None else draft.choice(given, "if", INTERFACES)
        if interface == "none":
            continue
        place = _place(draft, entry, interface, taken)
        found = medium_of(draft, entry)
        if found is None or not _plugged(draft, entry, interface, place, found[0]):
            entry.message = "no fields stand for all that it says; QEMU gets it as it is"
            continue
        entry.used = True


def _place(draft: Draft, entry: Entry, interface: str, taken: dict[tuple[str, int], Entry]) -> int:
    """Return the drive's index on its interface.

    Raises
    ------
    ParseError   another drive is there already
    """
    options = entry.options.copy()
    index, bus, unit = options.take("index"), options.take("bus"), options.take("unit")
    per_bus = {"ide": 1 if "q35" in draft.fields.get("machine", "pc") else 2, "scsi": 7}
    units = per_bus.get(interface, 0)
    if index is not None:
        place = draft.number(index, "index", 0, 255)
    elif bus is not None or unit is not None:
        place = draft.number(unit, "unit", 0, 255) if unit is not None else 0
        if bus is not None:
            place += draft.number(bus, "bus", 0, 255) * (units or 1)
    else:
        place = 0
        while (interface, place) in taken:
            place += 1
    other = taken.get((interface, place))
    if other is not None:
        named = f"{other.option} {other.word.text}"[:60]
        reason = f"{interface} place {place} is taken by {named!r}"
        if {entry.option, other.option} == {"-cdrom", "-hdc"}:
            reason = (
                "-cdrom and -hdc are one place (the second cable's first); "
                "write -drive file=…,media=cdrom,index=3, or use -hdd"
            )
        raise draft.refused(entry.at, reason)
    if place > 255:
        raise draft.refused(entry.at, "no board takes more than 256 drives")
    taken[interface, place] = entry
    return place


def _plugged(draft: Draft, entry: Entry, interface: str, place: int, medium: Medium) -> bool:
    options = entry.options.copy()
    front = [
        (_GEOMETRY.get(key, key), given.value)
        for key in ("cyls", "heads", "secs", "trans", "addr", "werror", "rerror")
        if (given := options.take(key)) is not None
    ]
    match interface:
        case "floppy":
            return _floppy(draft, entry, medium, place)
        case "pflash":
            return _pflash(draft, medium, place)
        case "xen":
            return False
    if interface == "scsi":
        draft.fields.setdefault("scsi", "lsi")
        told = "if=scsi meant an LSI controller; no board of today brings one along, kvmnb does"
        draft.note(entry.at, f"{entry.option} {entry.word.text}"[:80], "old", told)
    named = entry.options.get("id")
    if medium.cdrom and interface in {"ide", "scsi"}:
        bus = None if interface == "ide" else interface
        new = _cdrom(draft, medium, bus, place, {}, tuple(front))
    else:
        if medium.cdrom:
            medium.readonly, medium.snapshot = True, False
        if medium.back is None:
            return False
        placed = place if interface in {"ide", "scsi"} else None
        bus = interface if interface != "mtd" else "mtd"
        new = _disk(draft, medium, bus, placed, {}, tuple(front), None)
    if new is None:
        return False
    if named is not None:
        draft.renamed[named] = new
    return True


def _floppy(draft: Draft, entry: Entry, medium: Medium, unit: int) -> bool:
    if unit > 1:
        raise draft.refused(entry.at, "a floppy controller takes two drives, index 0 and 1")
    back = medium.back
    readonly = medium.readonly or _fixed(back)
    snapshot = medium.snapshot and not readonly and back is not None
    floppy = draft.made(
        medium.at, Floppy, back, format=medium.format, readonly=readonly, snapshot=snapshot
    )
    draft.parts.setdefault("floppies", {})[unit] = floppy
    return True


def _fixed(back: object) -> bool:
    """Whether nothing can be written there: a folder as FAT, a server of files."""
    from kvmnb.spec.diskbacks import FatFolder, Server

    if isinstance(back, FatFolder):
        return not back.writable
    return isinstance(back, Server) and back.protocol.startswith(("http", "ftp"))


def _pflash(draft: Draft, medium: Medium, unit: int) -> bool:
    """Put a flash chip's file into the firmware: the code first, then its variables."""
    if not isinstance(medium.back, ExistingFile) or unit > 1 or medium.format not in {None, "raw"}:
        return False
    key = "variables" if unit else "code"
    draft.part("firmware", medium.at, **{"kind": "uefi", key: medium.back.path})
    return True


# ---- drives with -device

_DISKS = {
    "virtio-blk-pci": "virtio", "virtio-blk": "virtio", "virtio-blk-pci-transitional": "virtio",
    "virtio-blk-pci-non-transitional": "virtio", "ide-hd": "ide", "ide-cd": "ide",
    "scsi-hd": "scsi", "scsi-cd": "scsi", "nvme": "nvme", "usb-storage": "usb",
    "sd-card": "sd", "floppy": "floppy",
}  # fmt: skip


def disk_device(draft: Draft, entry: Entry, driver: str) -> bool:
    """Take a ``-device`` that is a disk, CD-ROM or floppy into the spec, if fields say it."""
    options = entry.options.copy()
    options.take("driver")
    id_, named = options.take("id"), options.take("drive")
    medium, used = Medium(None, entry.word.position), list[Entry]()
    if named is not None:
        backed = media(draft).get(named.value)
        if backed is None:
            if named.value == "none":
                return False
            from kvmnb.parse.qemu_draft import suggestion

            near = suggestion(named.value, media(draft))
            told = f"no -drive or -blockdev is called {named.value[:40]!r}; {near}".rstrip("; ")
            raise draft.refused(named.value_at, told)
        found = None if backed.used else medium_of(draft, backed)
        if found is None:
            return False
        medium, used = found
    new = _device(draft, entry, driver, options, medium)
    if new is None:
        return False
    entry.used = True
    for each in used:
        each.used = True
    for old in (named, id_):
        if old is not None and new:
            draft.renamed[old.value] = new
    return True


def _device(
    draft: Draft, entry: Entry, driver: str, options: Options, medium: Medium
) -> str | None:
    """Return the id that the compiler will give the device; ``None`` to keep it verbatim."""
    bus = _DISKS[driver]
    if bus == "floppy":
        return _floppy_device(draft, entry, options, medium)
    place = _bus_place(draft, options, bus)
    if place is None:
        return None
    bus, index, controller = place
    own = draft.run_dir is not None and (options.get("serial") or "").startswith("kvmnb-")
    if bus == "nvme" and own:
        options.take("serial")
    if any(given.key in _OWN for given in options.items):
        return None
    cdrom = driver in {"ide-cd", "scsi-cd"} or (driver == "usb-storage" and medium.cdrom)
    fields: dict[str, Any] = {}
    if given := options.take("bootindex"):
        fields["bootindex"] = draft.number(given, "bootindex", 1, 1 << 30)
    if cdrom:
        more = tuple((given.key, given.value) for given in options.items)
        new = _cdrom(draft, medium, None if bus == "ide" else bus, index, fields, more)
    else:
        if medium.back is None:
            return None
        if given := options.take("serial"):
            fields["serial"] = given.value
        if given := options.take("share-rw"):
            fields["shared"] = draft.switch(given, "share-rw")
        written = options.take("write-cache")
        write_cache = None
        if written is not None and written.value != "auto":
            write_cache = draft.switch(written, "write-cache")
        if medium.cdrom:
            medium.readonly, medium.snapshot = True, False
        more = tuple((given.key, given.value) for given in options.items)
        new = _disk(draft, medium, bus, index, fields, more, write_cache)
    if new is not None and controller is not None:
        draft.parts.setdefault("controllers", {})[controller] = bus
    return new


def _bus_place(
    draft: Draft, options: Options, bus: str
) -> tuple[str, int | None, str | None] | None:
    """Return the bus, the place on it, and the id of its controller, all taken out of `options`."""
    machine = draft.fields.get("machine", "pc")
    given = options.take("bus")
    name, _, number = (given.value if given is not None else "").rpartition(".")
    named = (name, int(number)) if number.isdigit() and len(number) < 4 else (number, 0)
    controllers = draft.parts.get("controller ids", {})
    driver = controllers.get(named[0])
    match bus:
        case "ide":
            unit = options.take("unit")
            if given is None:
                return ("ide", None, None) if unit is None else None
            if driver in AHCI:
                if not _first(draft, named[0], AHCI):
                    return None
                return "sata", named[1], named[0]
            if named[0] != "ide":
                return None
            second = draft.number(unit, "unit", 0, 7) if unit is not None else 0
            return "ide", named[1] if "q35" in machine else named[1] * 2 + second, None
        case "scsi":
            for key in ("lun", "channel"):
                if options.get(key) == "0":
                    options.take(key)
            if driver in {"usb-bot", "usb-uas"}:
                return ("usb", None, named[0]) if driver == "usb-bot" else None
            target = options.take("scsi-id")
            place = draft.number(target, "scsi-id", 0, 255) if target is not None else None
            if given is None:
                first = next((i for i, each in controllers.items() if each in SCSI_MODELS), None)
                if first is None:
                    return None
                draft.fields["scsi"] = SCSI_MODELS[controllers[first]]
                return "scsi", place, first
            if driver not in SCSI_MODELS or not _first(draft, named[0], SCSI_MODELS):
                return None
            draft.fields["scsi"] = SCSI_MODELS[driver]
            return "scsi", place, named[0]
        case "usb":
            return None if options.get("port") or options.get("removable") else ("usb", None, None)
        case "sd":
            first = next((i for i, each in controllers.items() if each == "sdhci-pci"), None)
            return ("sd", None, first) if first is not None else None
    if given is not None and given.value in draft.parts.get("bridges", {}):
        options.take("addr")
    elif given is not None and given.value not in {"pci.0", "pcie.0"}:
        options.items.insert(0, given)
    return bus, None, None


def _first(draft: Draft, id_: str, drivers: Any) -> bool:
    """Whether this controller is the line's first of its family: a spec has one of each."""
    ids = draft.parts.get("controller ids", {})
    return next((each for each, driver in ids.items() if driver in drivers), None) == id_


def _floppy_device(draft: Draft, entry: Entry, options: Options, medium: Medium) -> str | None:
    _, unit = options.take("bus"), options.take("unit")
    options.take("drive-type")
    if options.items:
        return None
    place = draft.number(unit, "unit", 0, 1) if unit else len(draft.parts.get("floppies", {}))
    if not _floppy(draft, entry, medium, place):
        return None
    draft.parts.setdefault("controllers", {})["floppies"] = "floppy"
    return f"floppy{place}"


# ---- the parts of the spec


def _disk(
    draft: Draft,
    medium: Medium,
    bus: str,
    index: int | None,
    fields: dict[str, Any],
    more: tuple[tuple[str, str], ...],
    write_cache: bool | None,
) -> str | None:
    cache = medium.cache(True if bus == "sd" else write_cache)
    if cache is None:
        return None
    readonly = medium.readonly or _fixed(medium.back)
    if readonly and bus in {"ide", "sata"} and not medium.readonly:
        readonly = False
    if medium.serial is not None:
        fields.setdefault("serial", medium.serial)
    disk = draft.made(
        medium.at,
        Disk,
        back=medium.back,
        bus=bus,
        index=index,
        cache=cache,
        format=medium.format,
        readonly=readonly,
        snapshot=medium.snapshot and not readonly,
        aio=medium.aio,
        discard=medium.discard,
        options=more,
        **fields,
    )
    draft.add("disks", disk)
    return f"disk{len(draft.lists['disks']) - 1}"


def _cdrom(
    draft: Draft,
    medium: Medium,
    bus: str | None,
    index: int | None,
    fields: dict[str, Any],
    more: tuple[tuple[str, str], ...],
) -> str | None:
    if medium.format not in {None, "raw"}:
        return None
    if medium.aio or medium.discard or medium.serial or (medium.direct or medium.no_flush):
        draft.note(medium.at, "cache", "ignored", "nothing is written to a CD-ROM")
    cdrom = draft.made(medium.at, CDROM, medium.back, bus=bus, index=index, options=more, **fields)
    draft.add("cdroms", cdrom)
    return f"cd{len(draft.lists['cdroms']) - 1}"


_CDROM_FIRST = (2, 3, 4, 5, 1, 0)


def next_places(draft: Draft) -> None:
    """Leave out each index that the compiler gives anyway: a plain line has a plain spec."""
    disks, cdroms = draft.lists.get("disks", []), draft.lists.get("cdroms", [])
    parts = [*disks, *cdroms]
    limit = 6 if "q35" in draft.fields.get("machine", "pc") else 4
    for bus in {part.bus or "ide" for part in parts if part.index is not None}:
        numbers = [n for n, part in enumerate(parts) if (part.bus or "ide") == bus]
        most = limit if bus == "ide" else 256
        kinds = [isinstance(parts[n], CDROM) and bus == "ide" for n in numbers]
        wanted = [parts[n].index for n in numbers]
        places = _given(wanted, kinds, most)
        for which, n in enumerate(numbers):
            kept, wanted[which] = wanted[which], None
            if kept is not None and _given(wanted, kinds, most) == places:
                parts[n] = dataclasses.replace(parts[n], index=None)
            else:
                wanted[which] = kept
    draft.lists["disks"], draft.lists["cdroms"] = parts[: len(disks)], parts[len(disks) :]


def _given(wanted: list[int | None], cdroms: list[bool], most: int) -> list[int | None]:
    """Return the places that the compiler gives: those asked for, then the first that are free."""
    taken = {index for index in wanted if index is not None}
    places: list[int | None] = []
    for index, cdrom in zip(wanted, cdroms, strict=True):
        order = _CDROM_FIRST if cdrom else range(most)
        if index is None:
            index = next((place for place in order if place < most and place not in taken), None)
            taken.add(-1 if index is None else index)
        places.append(index)
    return places
