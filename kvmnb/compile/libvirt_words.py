"""Words of libvirt's for words of ours, for the compiler and the parser alike."""

from __future__ import annotations

__all__ = [
    *(
        "AGENT",
        "ARCHES",
        "AUDIO",
        "BOOT",
        "KVMNB",
        "BOARD_OPTIONS",
        "QEMU_XMLNS",
        "SCSI",
        "SECURITY",
    ),
    *("TRACKS", "USB", "VIDEOS", "own_bus"),
]

KVMNB = "https://kvmnb.org/xmlns/domain/1"
"""The namespace of what libvirt has no words for, below ``<metadata>``."""

QEMU_XMLNS = "http://libvirt.org/schemas/domain/qemu/1.0"
"""The namespace of options for QEMU (libvirt, "QEMU driver", "Pass-through of arbitrary qemu
commands")."""

AGENT = "org.qemu.guest_agent.0"
"""The name by which the guest agent finds its port (QEMU manual, "QEMU Guest Agent")."""

ARCHES = {"i386": "i686", "arm": "armv7l"}
"""Architectures that libvirt calls otherwise than QEMU."""

BOOT = {"a": "fd", "c": "hd", "d": "cdrom", "n": "network"}

SCSI = {
    "virtio": "virtio-scsi",
    "lsi": "lsilogic",
    "megasas": "lsisas1078",
    "mptsas": "lsisas1068",
    "pvscsi": "vmpvscsi",
}

USB = {"xhci": "qemu-xhci", "ehci": "ehci", "uhci": "ich9-uhci1", "piix3-uhci": "piix3-uhci"}

VIDEOS = {
    "std": "vga",
    "vmware": "vmvga",
    "cirrus": "cirrus",
    "qxl": "qxl",
    "virtio": "virtio",
    "bochs": "bochs",
    "ramfb": "ramfb",
}

AUDIO = {
    "none": "none",
    "alsa": "alsa",
    "oss": "oss",
    "pa": "pulseaudio",
    "jack": "jack",
    "sdl": "sdl",
    "spice": "spice",
    "dbus": "dbus",
}

SECURITY = {"mapped-xattr": "mapped", "passthrough": "passthrough", "none": "squash"}
"""Whose the files of a 9p share are (libvirt, "Filesystems", accessmode)."""

TRACKS = {"vm": "guest", "rt": "realtime"}
"""What the RTC follows (libvirt, "Time keeping", track)."""

BOARD_OPTIONS = {
    ("smm", "on"): ("smm", "state", "on"),
    ("smm", "off"): ("smm", "state", "off"),
    ("vmport", "on"): ("vmport", "state", "on"),
    ("vmport", "off"): ("vmport", "state", "off"),
    ("kernel_irqchip", "on"): ("ioapic", "driver", "kvm"),
    ("kernel_irqchip", "split"): ("ioapic", "driver", "qemu"),
}
"""Options of the board that are elements of ``<features>``: tag, attribute, value."""


def own_bus(machine: str) -> str:
    """Return the bus that a board has for its CD-ROMs."""
    if "q35" in machine:
        return "sata"
    if machine in {"pc", "isapc"} or machine.startswith("pc-"):
        return "ide"
    return "scsi"
