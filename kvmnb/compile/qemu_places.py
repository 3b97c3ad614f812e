"""Which place of its bus each disk and CD-ROM takes."""

from __future__ import annotations

from kvmnb.compile.opts import Value
from kvmnb.compile.qemu_layout import Layout
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import CDROM

__all__ = ["Places"]

_TARGETS = {"virtio": 256, "lsi": 7, "megasas": 64, "mptsas": 8, "pvscsi": 64}
"""SCSI ids that each has for disks (``max_target`` in QEMU's hw/scsi; the LSI's own is 7)."""

_AHCI_PORTS = 6

_NUMBERED = frozenset({"ide", "sata", "scsi"})
"""Buses whose places have numbers; on any other, a disk comes after those that are there."""

_CDROM_FIRST = (2, 3, 4, 5, 1, 0)
"""A CD-ROM takes the second cable's first place where it can, as ``-cdrom`` always did."""


class Places:
    """The places of all buses, given out: those that were asked for, then the next that are free.

    The board's own IDE ports are four on ``pc`` (two cables of two) and six SATA ones on ``q35``.

    Attributes
    ----------
    buses : that are used, in the order of first use

    Raises
    ------
    SpecError     two want one place, or a bus has no place left
    Unsupported   the board or the bus has no such places
    """

    __slots__ = ("_cdroms", "_disks", "_layout", "buses")

    def __init__(self, spec: DomainSpec, cdroms: tuple[CDROM, ...], layout: Layout) -> None:
        self._layout = layout
        own = "scsi" if spec.machine == "microvm" else "ide"
        wanted = [(disk.bus, disk.index, "disk") for disk in spec.disks]
        wanted += [(cdrom.bus or own, cdrom.index, "cdrom") for cdrom in cdroms]
        self.buses = tuple(dict.fromkeys(bus for bus, _, _ in wanted))
        taken: dict[str, list[int]] = {bus: [] for bus in self.buses}
        for bus, index, kind in wanted:
            if index is not None and bus in _NUMBERED:
                if index in taken[bus]:
                    raise SpecError(f"{kind}.index", index, f"is taken already on bus {bus}")
                taken[bus].append(index)
        found = [(bus, self._place(bus, index, kind, taken[bus])) for bus, index, kind in wanted]
        self._disks, self._cdroms = found[: len(spec.disks)], found[len(spec.disks) :]

    def disk(self, index: int, id: str) -> dict[str, Value]:
        """Return the properties that put a disk in its place."""
        bus, place = self._disks[index]
        return self._properties(bus, place, id)

    def cdrom(self, index: int, id: str) -> tuple[str, dict[str, Value]]:
        """Return the bus of a CD-ROM, and the properties that put it in its place."""
        bus, place = self._cdroms[index]
        return bus, self._properties(bus, place, id)

    def _place(self, bus: str, index: int | None, kind: str, taken: list[int]) -> int:
        limit = self._limit(bus)
        if index is not None and bus not in _NUMBERED:
            if index != len(taken):
                hint = f"bus {bus} has no numbered places; put the disks in the order you want"
                raise Unsupported("qemu", f"{kind}.index", hint)
        elif index is not None:
            if index >= limit:
                raise SpecError(f"{kind}.index", index, f"bus {bus} has places 0 to {limit - 1}")
            return index
        order = _CDROM_FIRST if kind == "cdrom" and bus == "ide" else range(limit)
        for place in order:
            if place < limit and place not in taken:
                taken.append(place)
                return place
        raise self._full(bus, kind, limit)

    def _full(self, bus: str, kind: str, limit: int) -> SpecError:
        machine = self._layout.spec.machine
        if bus == "ide" and kind == "cdrom":
            count = len(self._layout.spec.cdroms)
            return SpecError("cdrom", count, f"disks and CD-ROMs share {limit} IDE places")
        reasons = {
            "ide": f"{machine} takes {limit} IDE disks",
            "sata": "a controller takes six disks",
            "sd": "a board takes one SD card",
            "scsi": f"the {self._layout.spec.scsi} controller takes {limit} disks",
        }
        field = "disk.bus" if kind == "disk" else "cdrom"
        return SpecError(field, bus, reasons.get(bus, f"bus {bus} takes {limit} disks"))

    def _limit(self, bus: str) -> int:
        if bus == "ide":
            if self._layout.spec.machine == "microvm":
                raise Unsupported("qemu", "disk.bus", "the board 'microvm' has no IDE; virtio")
            return _AHCI_PORTS if self._layout.q35 else 4
        limits = {"sata": _AHCI_PORTS, "sd": 1, "scsi": _TARGETS[self._layout.spec.scsi]}
        return limits.get(bus, 256)

    def _properties(self, bus: str, place: int, id: str) -> dict[str, Value]:
        match bus:
            case "ide":
                if self._layout.q35:
                    return {"bus": f"ide.{place}"}
                return {"bus": f"ide.{place // 2}", "unit": place % 2}
            case "sata":
                return {"bus": f"sata-bus.{place}"}
            case "scsi":
                return {"bus": "scsi-bus.0", "scsi-id": place}
            case "usb":
                return {"bus": f"{id}-usb.0", "lun": 0}
            case "nvme":
                return {"serial": f"kvmnb-{place}"}
            case _:
                return {}
