"""Where disks sit on their buses, and which letter each gets: ``vda``, ``sdb``, ``hdc``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kvmnb.errors import SpecError

__all__ = [
    "PREFIXES",
    "TOLD",
    "Place",
    "drive_address",
    "drive_index",
    "fitted",
    "letters",
    "place_named",
    "places",
]

PREFIXES = {
    "virtio": "vd",
    "ide": "hd",
    "sata": "sd",
    "scsi": "sd",
    "usb": "sd",
    "sd": "sd",
    "fdc": "fd",
}
"""How libvirt's names begin for each bus (libvirt, "Hard drives, floppy disks, CDROMs")."""

LIMITS = {"ide": 4}
"""Disks that a bus takes; the others' controllers are added as they are needed."""


class Place(NamedTuple):
    """One disk's number on its bus, and its name."""

    bus: str
    number: int
    dev: str

    @property
    def addressed(self) -> bool:
        """Whether libvirt would derive another place from the name, so that it has to be told."""
        return self.bus in {"sata", "scsi"} and place_named(self.dev) != self.number


def places(wanted: Sequence[tuple[str, int | None]]) -> tuple[Place, ...]:
    """Return a place for each ``(bus, index)``; what has no index gets the next free one.

    SATA, SCSI and USB disks share the letters of ``sda``: a disk has its own place's letter
    where that is free, and the next free one where it is not.

    Raises
    ------
    SpecError   two disks want one place, or a bus is full
    """
    taken = {bus: set[int]() for bus, _ in wanted}
    for bus, index in wanted:
        if index is not None:
            if index in taken[bus]:
                raise SpecError("disk.index", index, f"two disks want this place on bus {bus}")
            taken[bus].add(index)
    named = {prefix: set[int]() for prefix in PREFIXES.values()}
    found = []
    for bus, index in wanted:
        if index is None:
            index = _next(taken[bus])
            taken[bus].add(index)
        if index >= LIMITS.get(bus, 256):
            raise SpecError("disk.index", index, f"bus {bus} takes {LIMITS.get(bus, 256)} disks")
        names = named[PREFIXES[bus]]
        letter = index if index not in names else _next(names)
        names.add(letter)
        found.append(Place(bus, index, PREFIXES[bus] + letters(letter)))
    return tuple(found)


TOLD = frozenset({"virtio", "ide", "sata", "scsi"})
"""Buses on which a disk's name or address tells its place."""


def fitted(buses: Sequence[str], numbers: Sequence[int | None]) -> list[int | None]:
    """Return the index of each drive: ``None`` where it sits in the next free place anyway.

    Parameters
    ----------
    numbers : the place of each drive, where it is known

    Raises
    ------
    SpecError   two disks want one place, or a bus is full
    """
    index: list[int | None] = [None] * len(buses)
    for _ in range(len(PREFIXES)):
        found = places(list(zip(buses, index, strict=True)))
        off = {
            bus
            for bus, at, number, place in zip(buses, index, numbers, found, strict=True)
            if at is None and number is not None and number != place.number
        }
        if not off:
            break
        index = [
            number if bus in off else at
            for bus, at, number in zip(buses, index, numbers, strict=True)
        ]
    return index


def _next(taken: set[int]) -> int:
    index = 0
    while index in taken:
        index += 1
    return index


def letters(index: int) -> str:
    """Return ``a`` for 0, ``z`` for 25, ``aa`` for 26, as Linux names disks."""
    made = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        made = chr(ord("a") + letter) + made
    return made


def place_named(dev: str) -> int | None:
    """Return the place that a disk's name tells, or ``None`` if it tells none."""
    word = dev[3:] if dev.startswith("xvd") else dev[2:]
    if not word or not word.isascii() or not word.isalpha() or not word.islower():
        return None
    index = 0
    for letter in word[:4]:
        index = index * 26 + ord(letter) - ord("a") + 1
    return index - 1


SATA_PORTS = 6
SCSI_UNITS = 15
"""Places of a wide SCSI bus but its controller's own, which is unit 7."""


def drive_address(bus: str, index: int) -> tuple[int, int, int]:
    """Return ``(controller, bus, unit)`` of a place, as libvirt numbers them."""
    if bus == "ide":
        return 0, index // 2, index % 2
    if bus == "sata":
        return index // SATA_PORTS, 0, index % SATA_PORTS
    unit = index % SCSI_UNITS
    return index // SCSI_UNITS, 0, unit + (unit >= 7)


def drive_index(bus: str, controller: int, sub: int, unit: int) -> int | None:
    """Return the place that an address means, or ``None`` where it is out of the ordinary."""
    match bus:
        case "ide" if controller == 0 and sub < 2 and unit < 2:
            return sub * 2 + unit
        case "sata" if sub == 0 and unit < SATA_PORTS:
            return controller * SATA_PORTS + unit
        case "scsi" if sub == 0 and unit <= SCSI_UNITS and unit != 7:
            return controller * SCSI_UNITS + unit - (unit > 7)
        case _:
            return None
