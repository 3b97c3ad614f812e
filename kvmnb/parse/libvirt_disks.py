"""Disks, CD-ROMs and floppies of a domain XML, and the controllers that they hang on."""

from __future__ import annotations

from typing import Any, NamedTuple

from kvmnb.compile.libvirt_disks import BLOCKS, FORMATS
from kvmnb.compile.libvirt_places import TOLD, drive_index, fitted, place_named
from kvmnb.compile.libvirt_tree import Node
from kvmnb.compile.libvirt_words import SCSI, USB, own_bus
from kvmnb.errors import SpecError
from kvmnb.parse.libvirt_diskbacks import disk_back
from kvmnb.parse.libvirt_reading import Keep, Reading
from kvmnb.spec.storage import CACHES, CDROM, CDROM_BUSES, Disk, Floppy

__all__ = ["Drives", "furniture"]

BUSES = frozenset({"virtio", "ide", "sata", "scsi", "usb", "sd", "fdc"})
OTHER_BUSES = frozenset({"xen", "uml"})
OTHER_TYPES = frozenset({"nvme", "vhostuser"})
OTHER_FORMATS = frozenset(
    {"dir", "bochs", "cloop", "dmg", "iso", "fat", "vhd", "ploop", "luks", "cow", "qcow", "aio"}
)
_PREFIX_BUSES = {"vd": "virtio", "hd": "ide", "sd": "scsi", "fd": "fdc", "xvd": "xen", "ubd": "uml"}


def furniture(reading: Reading, node: Node) -> None:
    """Count as read what libvirt adds to devices by itself: places on buses, and names."""
    for each in node.children:
        if each.visited:
            continue
        if each.tag == "address":
            each.drop()
            reading.once(each, "places on buses are worked out anew")
        elif each.tag == "alias" and not (each.peek("name") or "").startswith("ua-"):
            each.drop()
            reading.once(each, "names of a running guest's devices are given anew")


class _Drive(NamedTuple):
    node: Node
    device: str
    bus: str
    place: int | None
    fields: dict[str, Any]


class Drives:
    """The drives of one domain, gathered one by one and put in their places at the end."""

    def __init__(self, reading: Reading, machine: str) -> None:
        self.reading, self.own = reading, own_bus(machine)
        self._disks: list[_Drive] = []
        self._cdroms: list[_Drive] = []
        self._floppies: dict[int, tuple[Node, Floppy]] = {}
        self._scsi: list[tuple[int, str, Node]] = []
        self.usb: str | None = None
        self.no_usb = False
        self._usb_models: list[str] = []

    def disk(self, node: Node) -> None:
        """Read one ``<disk>``.

        Raises
        ------
        Keep   libvirt has more kinds of drives than there are fields for
        """
        reading = self.reading
        words = {word: word for word in ("disk", "cdrom", "floppy")}
        device = reading.choice(node, "device", words, frozenset({"lun"})) or "disk"
        target = node.child("target")
        if target is None:
            reading.fail(node, "<disk> needs <target dev='…'>")
        dev = target.take("dev") or ""
        words = {word: word for word in BUSES}
        prefix = "xvd" if dev.startswith("xvd") else dev[:2]
        default = "fdc" if device == "floppy" else _PREFIX_BUSES.get(prefix)
        bus = reading.choice(target, "bus", words, OTHER_BUSES) or default
        if bus is None:
            reading.fail(target, f"{dev[:40]!r} is no disk's name such as vda, sda, hda", "dev")
        if bus in OTHER_BUSES or (bus == "fdc") != (device == "floppy"):
            raise Keep
        if device == "cdrom" and bus not in CDROM_BUSES:
            raise Keep
        if node.peek("snapshot") is None and target.peek("tray") == "closed":
            target.take("tray")
        fields = self._common(node, device)
        if device == "floppy":
            self._floppy(node, dev, fields)
            return
        if node.peek("type") == "dir" and bus in {"ide", "sata"}:
            # a folder is read-only to the guest on any bus, and these have no word for it
            fields.pop("readonly", None)
        drive = _Drive(node, device, bus, self._place(node, bus, dev), fields)
        (self._disks if device == "disk" else self._cdroms).append(drive)

    def _place(self, node: Node, bus: str, dev: str) -> int | None:
        found = place_named(dev) if bus in TOLD else None
        for address in node.all("address"):
            if address.peek("type") == "drive" and bus in {"ide", "sata", "scsi"}:
                parts = [self.reading.number(address, name) or 0 for name in _DRIVE]
                index = drive_index(bus, parts[0], parts[1], parts[3])
                if index is None or index > 255 or parts[2]:
                    raise Keep
                found = index
                address.drop()
        furniture(self.reading, node)
        return found if found is None or found < 256 else None

    def _common(self, node: Node, device: str) -> dict[str, Any]:
        reading, fields = self.reading, dict[str, Any]()
        source = node.child("source")
        driver = node.child("driver")
        format = None
        if driver is not None:
            if driver.peek("name") in {"qemu", None}:
                driver.take("name")
            words = {word: word for word in FORMATS | {"fat"}}
            format = reading.choice(driver, "type", words, OTHER_FORMATS - {"fat"})
            if device == "disk":
                self._driver(driver, fields)
        kind = reading.choice(node, "type", {word: word for word in _TYPES}, OTHER_TYPES) or "file"
        fields["back"] = disk_back(reading, node, kind, source, format)
        if device == "cdrom":
            if format not in {None, "raw"} and driver is not None:
                driver.taken.discard("type")
        elif kind != "dir":
            opened = kind == "file" and device == "disk"
            # what is not named is raw to libvirt; a guest could have written any header
            fields["format"] = format or ("raw" if opened else None)
        if (format == "fat" and kind != "dir") or (kind == "dir" and device != "disk"):
            raise Keep
        for tag, field in (
            ("readonly", "readonly"),
            ("shareable", "shared"),
            ("transient", "snapshot"),
        ):
            if device == "floppy" and field == "shared":
                continue
            if device == "cdrom" and field != "readonly":
                continue
            element = node.child(tag)
            if element is not None and device != "cdrom":
                fields[field] = True
        if device != "floppy":
            boot = node.child("boot")
            if boot is not None:
                fields["bootindex"] = reading.needed(boot, "order")
        if device == "disk":
            serial = node.child("serial")
            if serial is not None:
                fields["serial"] = serial.text
            blocks = node.child("blockio")
            if blocks is not None:
                said = [(name, blocks.take(name)) for name in blocks.attributes if name in BLOCKS]
                fields["options"] = tuple(said)
        for chain in node.all("backingStore"):
            if chain.children or chain.attributes:
                reading.once(chain, "what an image is an overlay of stands in the image")
            chain.drop()
        return fields

    def _driver(self, driver: Node, fields: dict[str, Any]) -> None:
        reading = self.reading
        words = {word: word for word in CACHES} | {"default": "writeback"}
        cache = reading.choice(driver, "cache", words)
        if cache is not None:
            fields["cache"] = cache
        words = {word: word for word in ("threads", "native", "io_uring")}
        fields["aio"] = reading.choice(driver, "io", words)
        words = {word: word for word in ("ignore", "unmap")}
        fields["discard"] = reading.choice(driver, "discard", words)

    def _floppy(self, node: Node, dev: str, fields: dict[str, Any]) -> None:
        index = 1 if dev == "fdb" else 0
        furniture(self.reading, node)
        if dev not in {"fda", "fdb"} or index in self._floppies:
            raise Keep
        with self.reading.checked(node):
            self._floppies[index] = (node, Floppy(**fields))

    def controller(self, node: Node) -> None:
        """Read one ``<controller>``.

        Raises
        ------
        Keep   it is set in a way that no field stands for
        """
        kind, model = node.peek("type"), node.peek("model")
        index = self.reading.number(node, "index") or 0
        furniture(self.reading, node)
        node.take("type")
        if kind == "scsi":
            found = {word: ours for ours, word in SCSI.items()}.get(model or "")
            if found is None:
                raise Keep
            node.take("model")
            self._scsi.append((index, found, node))
            return
        if kind == "usb":
            self._usb(node, index, model)
            return
        plain = not any(each.tag == "driver" for each in node.children)
        plain = plain and not set(node.attributes) - {"type", "index", "model", "ports"}
        if kind == "pci":
            plain = model not in _PXB and not any(each.tag == "pcihole64" for each in node.children)
        if kind == "xenbus" or not plain:
            raise Keep
        if kind not in _CONTROLLERS:
            self.reading.unknown(node, "type", kind or "", _CONTROLLERS)
        self.reading.once(node, "controllers are added as the devices need them")
        node.drop()

    def _usb(self, node: Node, index: int, model: str | None) -> None:
        self._usb_models.append(model or "")
        if "none" in self._usb_models and len(self._usb_models) > 1:
            self.reading.fail(node, "model='none' is a guest without USB; libvirt allows no other")
        usual = "xhci" if self.own == "sata" else "piix3-uhci"
        found = {word: ours for ours, word in USB.items()}.get(model or "")
        alone = self.usb is None and index == 0
        alone = alone and not set(node.attributes) - {"type", "index", "model"}
        alone = alone and all(each.visited for each in node.children)
        if not alone or (found is None and model not in {None, "none"}):
            raise Keep
        if model is None:
            found = usual
            message = f"no model is named: libvirt's USB controller is {USB[usual]}"
            self.reading.note(node, "default", message)
        self.usb, self.no_usb = found, model == "none"
        node.drop()

    def finish(self) -> dict[str, Any]:
        """Return the fields that the drives make up, each drive in its place."""
        drives = [*self._disks, *self._cdroms]
        fitted = self._fitted(drives)
        disks, cdroms = [], []
        for drive, index in zip(drives, fitted, strict=True):
            with self.reading.checked(drive.node):
                if drive.device == "disk":
                    disks.append(Disk(**drive.fields, bus=drive.bus, index=index))
                    parent = f"disks.{len(disks) - 1}"
                else:
                    bus = drive.bus if drive.bus != self.own else None
                    cdroms.append(CDROM(**drive.fields, bus=bus, index=index))
                    parent = f"cdroms.{len(cdroms) - 1}"
            self.reading.leftover(parent, drive.node)
        floppies = []
        for index in range(max(self._floppies, default=-1) + 1):
            if index not in self._floppies:
                floppies.append(Floppy())
                continue
            node, floppy = self._floppies[index]
            floppies.append(floppy)
            self.reading.leftover(f"floppies.{index}", node)
        self._controllers(drives)
        given = {"disks": tuple(disks), "cdroms": tuple(cdroms), "floppies": tuple(floppies)}
        return {**given, "usb": self.usb, "scsi": self._scsi_model(drives)}

    def _controllers(self, drives: list[_Drive]) -> None:
        """Keep what is set of SCSI controllers."""
        there = any(drive.bus == "scsi" for drive in drives)
        for index, model, node in self._scsi:
            if not self.reading.rest(node):
                continue
            if index == 0 and (there or model != "virtio"):
                self.reading.leftover("scsi", node)
            else:
                self.reading.keep("devices", node)

    def _fitted(self, drives: list[_Drive]) -> list[int | None]:
        buses, numbers = [drive.bus for drive in drives], [drive.place for drive in drives]
        try:
            return fitted(buses, numbers)
        except SpecError as error:
            self.reading.fail(drives[-1].node, error.reason)

    def _scsi_model(self, drives: list[_Drive]) -> str:
        models = {model for index, model, _ in self._scsi}
        if models:
            first = min(self._scsi, key=lambda each: each[0])
            if len(models) > 1:
                self.reading.note(
                    first[2],
                    "changed",
                    f"all SCSI controllers are of the first one's kind: {first[1]}",
                )
            return first[1]
        for drive in drives:
            if drive.bus == "scsi" and self.own != "scsi":
                message = "no SCSI controller is named: libvirt's is an LSI 53C895A"
                self.reading.note(drive.node, "default", message)
                return "lsi"
        return "virtio"


_DRIVE = ("controller", "bus", "target", "unit")
_TYPES = ("file", "block", "network", "volume", "dir")
_PXB = frozenset({"pci-expander-bus", "pcie-expander-bus"})
_CONTROLLERS = ("fdc", "sata", "ccid", "scsi", "usb", "ide", "isa", "pci", "virtio-serial")
