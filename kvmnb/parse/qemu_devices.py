"""``-device`` and what goes with it: each front that a field stands for, all others verbatim."""

from __future__ import annotations

import re

from kvmnb.parse.qemu_draft import Draft, Entry
from kvmnb.parse.qemu_elsewhere import device_of_today
from kvmnb.parse.qemu_network import MODELS, hub_device, nic_device
from kvmnb.parse.qemu_options import Options
from kvmnb.parse.qemu_places import AHCI, SCSI_MODELS, disk_device
from kvmnb.parse.words import Word

__all__ = ["USB_CONTROLLERS", "device_entry", "object_entry", "objects", "settle_devices"]

USB_CONTROLLERS = {
    "qemu-xhci": "xhci", "nec-usb-xhci": "xhci", "usb-ehci": "ehci", "ich9-usb-ehci1": "ehci",
    "piix4-usb-uhci": "uhci", "ich9-usb-uhci1": "uhci", "piix3-usb-uhci": "piix3-uhci",
}  # fmt: skip

FIRST_SCREENS = {
    *("VGA", "isa-vga", "cirrus-vga", "isa-cirrus-vga", "vmware-svga", "qxl-vga", "ati-vga"),
    *("virtio-vga", "virtio-vga-gl", "vhost-user-vga", "secondary-vga"),
}
"""Devices beside which QEMU adds no graphics card of its own (softmmu/vl.c, default_list)."""


def device_entry(draft: Draft, option: Word, value: Word) -> None:
    """``-device``: understood once the backs that it names are known."""
    entry = Entry(option, value, Options(draft.text, value, "driver"))
    driver, id_ = entry.options.get("driver"), entry.options.get("id")
    if driver is None:
        raise draft.refused(value.position, "-device begins with the device's name")
    draft.entries.append(entry)
    if id_ is not None:
        ids = draft.parts.setdefault("device ids", {})
        if id_ in ids:
            given = next(item for item in entry.options.items if item.key == "id")
            raise draft.refused(given.value_at, f"a device has the id {id_[:40]!r} already")
        ids[id_] = entry
    if driver in MODELS and entry.options.get("vlan") is not None:
        hub_device(draft, option, value, driver)
        entry.used = True
    if driver in BRIDGES:
        draft.parts.setdefault("bridges", {})[id_ or ""] = entry
    # microvm's virtio controllers are those of PCI on another bus
    driver = driver.removesuffix("-device") + "-pci" if driver in _ON_MMIO else driver
    if driver in _CONTROLLERS:
        number = len(draft.parts.setdefault("controller ids", {}))
        draft.parts["controller ids"][id_ or f" {number}"] = driver
        draft.parts.setdefault("controller entries", {})[id_ or f" {number}"] = entry


def object_entry(draft: Draft, option: Word, value: Word) -> None:
    """``-object``: understood with the device, or the memory, that it is behind."""
    draft.entries.append(Entry(option, value, Options(draft.text, value, "qom-type")))


def objects(draft: Draft) -> dict[str, Entry]:
    """Return the line's objects by id."""
    return {
        entry.options.get("id") or "": entry for entry in draft.entries if entry.option == "-object"
    }


_CONTROLLERS = {
    *SCSI_MODELS, *AHCI, *USB_CONTROLLERS,
    "virtio-serial-pci", "virtio-serial", "usb-bot", "usb-uas", "sdhci-pci", "isa-fdc",
}  # fmt: skip

_ON_MMIO = {"virtio-serial-device", "virtio-scsi-device"}

_TUNING = {
    *("max_ports", "vectors", "num_queues", "cmd_per_lun", "max_sectors", "virtqueue_size"),
    *("iothread", "ioeventfd", "disable-legacy", "disable-modern"),
}
"""Properties of a controller that change how fast, and not what, the guest has there."""


def settle_devices(draft: Draft) -> None:
    """Take each device into the spec that fields can say, in the order of the line."""
    for entry in draft.entries:
        if entry.option != "-device" or entry.used:
            continue
        device_of_today(draft, entry)
        driver = _on_pci(draft, entry)
        if driver in FIRST_SCREENS:
            draft.said.add("vga")
        if driver == "isa-serial":
            draft.said.add("serial")
        if driver == "isa-parallel":
            draft.said.add("parallel")
        if driver in MODELS and driver != "virtio":
            nic_device(draft, entry, driver)
        elif driver in _DRIVES:
            disk_device(draft, entry, driver)
        else:
            _other(draft, entry, driver)
    _settle_controllers(draft)
    _settle_bridges(draft)


def _other(draft: Draft, entry: Entry, driver: str) -> None:
    from kvmnb.parse.qemu_fronts import FRONTS

    if driver not in FRONTS:
        return
    options = entry.options.copy()
    options.take("driver")
    place = draft.free_place(options)
    if FRONTS[driver](draft, entry, options):
        entry.used = True
        if place is not None:
            told = f"the board gives the {driver} a place"
            draft.note(place.key_at, f"{place.key}={place.value}", "ignored", told)


BRIDGES = {
    *("pcie-root-port", "ioh3420", "pcie-pci-bridge", "pci-bridge", "i82801b11-bridge"),
    *("x3130-upstream", "xio3130-downstream"),
}
"""What only gives other devices a place on PCI."""


def _on_pci(draft: Draft, entry: Entry) -> str:
    """Return a device's name, on microvm the one that it has on a board with PCI."""
    driver = entry.options.get("driver") or ""
    if draft.fields.get("machine", "pc").startswith("microvm"):
        found = re.fullmatch(r"((?:virtio|vhost)-[a-z-]+)-device", driver)
        if found is not None:
            return found.group(1) + "-pci"
    return driver


_DRIVES = {
    *("virtio-blk-pci", "virtio-blk", "ide-hd", "ide-cd", "scsi-hd", "scsi-cd", "nvme"),
    *("usb-storage", "sd-card", "floppy", "virtio-blk-pci-transitional"),
    "virtio-blk-pci-non-transitional",
}

_NEED_BUS = {
    "scsi": ("scsi-",),
    "usb": ("usb-", "u2f-", "canokey"),
    "ports": ("virtserialport", "virtconsole"),
}
"""Devices that take the first controller of a family, unless they name one."""


def _settle_controllers(draft: Draft) -> None:
    """Drop controllers that the compiler makes by itself; others stay verbatim.

    One stays where a device that is kept needs it, or where nothing in the spec does.
    """
    entries: dict[str, Entry] = draft.parts.get("controller entries", {})
    used: dict[str, str] = draft.parts.get("controllers", {})
    # what stands between a controller and a disk comes first: it needs the controller itself
    for between in (True, False):
        wanted, loose = _wanted(draft)
        needed = {
            family
            for family, prefixes in _NEED_BUS.items()
            if any(name.startswith(prefixes) for name in loose)
        }
        for id_, entry in entries.items():
            driver = draft.parts["controller ids"][id_]
            family = _family(driver)
            options = entry.options.copy()
            draft.free_place(options)
            plain = {"driver", "id", "p2", "p3", *({"bus"} if between else ())}
            tuned = [given for given in options.items if given.key in _TUNING]
            bare = all(given.key in plain or given in tuned for given in options.items)
            if options.get("masterbus") is not None and id_ not in wanted:
                entry.used = True
                told = "the slow half of an EHCI controller, which kvmnb's tablets do without"
                draft.note(entry.at, f"-device {entry.word.text}", "ignored", told)
                continue
            if _between(entry) != between or not bare or family in needed or id_ in wanted:
                continue
            if driver in USB_CONTROLLERS:
                # a controller without devices is something the guest has, too
                word = USB_CONTROLLERS[driver]
                if draft.fields.setdefault("usb", word) == word and "usb taken" not in draft.said:
                    draft.said.add("usb taken")
                    entry.used = True
            elif id_ in used or family in used.values():
                entry.used = True
                for given in tuned:
                    told = f"the {driver} of kvmnb's has QEMU's own"
                    draft.note(given.key_at, f"{given.key}={given.value}", "ignored", told)


def _settle_bridges(draft: Draft) -> None:
    """Drop what gave a place to devices that the compiler places by itself."""
    bridges: dict[str, Entry] = draft.parts.get("bridges", {})
    wanted = {
        each.options.get("bus")
        for each in draft.entries
        if each.option == "-device" and not each.used and each not in bridges.values()
    }
    for id_, entry in reversed(bridges.items()):
        if id_ in wanted:
            wanted.add(entry.options.get("bus"))
            continue
        entry.used = True
        text = f"-device {entry.word.text}"
        draft.note(entry.at, text, "ignored", "the board gives the devices behind it a place")


def _wanted(draft: Draft) -> tuple[set[str], set[str]]:
    """Return the controllers that kept devices name, and the devices that take any."""
    kept = [each for each in draft.entries if each.option == "-device" and not each.used]
    wanted = {(each.options.get("bus") or "").rpartition(".")[0] for each in kept}
    loose = {each.options.get("driver") or "" for each in kept if not each.options.get("bus")}
    return wanted, loose - _CONTROLLERS


def _between(entry: Entry) -> bool:
    return entry.options.get("driver") == "usb-bot"


def _family(driver: str) -> str:
    if driver in SCSI_MODELS:
        return "scsi"
    if driver in USB_CONTROLLERS:
        return "usb"
    if driver in AHCI:
        return "sata"
    if driver.startswith("virtio-serial"):
        return "ports"
    return {"sdhci-pci": "sd", "isa-fdc": "floppy", "usb-bot": "usb-bot"}.get(driver, driver)
