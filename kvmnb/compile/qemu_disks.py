"""Disks and CD-ROMs as -blockdev (the back) and -device (the front)."""

from __future__ import annotations

from collections.abc import Iterator

from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.runtime import Runtime
from kvmnb.errors import SpecError
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import Disk

__all__ = ["disks"]

# cache=  →  (cache.direct, cache.no-flush, write-cache)      QEMU manual, -drive cache=
CACHE = {
    "writeback": (False, False, True),
    "none": (True, False, True),
    "writethrough": (False, False, False),
    "directsync": (True, False, False),
    "unsafe": (False, True, True),
}

CONTROLLERS = {"sata": "ich9-ahci", "scsi": "virtio-scsi-pci", "usb": "qemu-xhci"}
"""Buses that need a controller of their own, which is named after the bus. Devices bear the names
under which QEMU lists them: ``ahci`` is another word for ``ich9-ahci`` that no list has."""


def disks(spec: DomainSpec, runtime: Runtime) -> Iterator[tuple[str, Opts]]:
    """Yield the options for all disks and CD-ROMs of `spec`."""
    for bus in dict.fromkeys(disk.bus for disk in spec.disks):
        if bus in CONTROLLERS:
            yield "-device", Opts(CONTROLLERS[bus], id=f"{bus}-bus")
    ide = _IdeSlots(spec)
    taken: dict[str, int] = {}
    for index, (disk, file) in enumerate(zip(spec.disks, runtime.disks, strict=True)):
        id = f"disk{index}"
        direct, no_flush, write_cache = CACHE[disk.cache]
        yield from _blockdevs(id, file.path, file.format, disk.readonly, direct, no_flush)
        unit = taken[disk.bus] = taken.get(disk.bus, -1) + 1
        if disk.bus == "usb":
            # not usb-storage: it has a write cache whatever it is told (QEMU 7.2)
            yield "-device", Opts("usb-bot", id=f"{id}-usb", bus="usb-bus.0")
        place = ide.disk(unit) if disk.bus == "ide" else _bus(disk, unit, id)
        more: dict[str, Value] = {**place, "write-cache": write_cache}
        yield "-device", Opts(_FRONT[disk.bus], more, id=id, drive=id)
    for index, cdrom in enumerate(spec.cdroms):
        id = f"cd{index}"
        yield from _blockdevs(id, cdrom.path, "raw", True, False, False)
        yield "-device", Opts("ide-cd", ide.cdrom(index), id=id, drive=id)


_FRONT = {
    "virtio": "virtio-blk-pci",
    "ide": "ide-hd",
    "sata": "ide-hd",
    "scsi": "scsi-hd",
    "nvme": "nvme",
    "usb": "scsi-hd",
}


def _blockdevs(
    id: str, path: str, format: str, readonly: bool, direct: bool, no_flush: bool
) -> Iterator[tuple[str, Opts]]:
    more: dict[str, Value] = {
        "cache.direct": direct,
        "cache.no-flush": no_flush,
        "read-only": readonly,
    }
    file: dict[str, Value] = {"node-name": f"{id}-file", **more}
    disk: dict[str, Value] = {"node-name": id, **more}
    yield "-blockdev", Opts(None, file, driver="file", filename=path)
    yield "-blockdev", Opts(None, disk, driver=format, file=f"{id}-file")


def _bus(disk: Disk, unit: int, id: str) -> dict[str, Value]:
    match disk.bus:
        case "sata":
            if unit > 5:
                raise SpecError("disk.bus", "sata", "a controller takes six disks")
            return {"bus": f"sata-bus.{unit}"}
        case "scsi":
            return {"bus": "scsi-bus.0", "scsi-id": unit}
        case "usb":
            return {"bus": f"{id}-usb.0", "lun": 0}
        case "nvme":
            return {"serial": f"kvmnb-{unit}"}
        case _:
            return {}


class _IdeSlots:
    """The board's own IDE ports: four on ``pc`` (two cables of two), six SATA ones on ``q35``.

    A CD-ROM takes the second cable's first place where it can, as ``-cdrom`` always did.
    """

    def __init__(self, spec: DomainSpec) -> None:
        self._q35 = "q35" in spec.machine
        self._count = 6 if self._q35 else 4
        hard_disks = sum(disk.bus == "ide" for disk in spec.disks)
        free = [place for place in (2, 3, 4, 5, 1, 0) if hard_disks <= place < self._count]
        self._free = tuple(free)
        if hard_disks > self._count:
            raise SpecError("disk.bus", "ide", f"{spec.machine} takes {self._count} IDE disks")

    def disk(self, unit: int) -> dict[str, Value]:
        return self._place(unit)

    def cdrom(self, index: int) -> dict[str, Value]:
        if index >= len(self._free):
            raise SpecError("cdrom", index + 1, f"disks and CD-ROMs share {self._count} IDE places")
        return self._place(self._free[index])

    def _place(self, place: int) -> dict[str, Value]:
        if self._q35:
            return {"bus": f"ide.{place}"}
        return {"bus": f"ide.{place // 2}", "unit": place % 2}
