"""The sections of the three manuals that words are described in."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SECTIONS", "Section"]


class Section(NamedTuple):
    """A section of a manual: its title, whose manual it is, and where it can be read."""

    manual: str
    title: str
    url: str


_QEMU = "https://www.qemu.org/docs/master/system"
_LIBVIRT = "https://libvirt.org"
_VIRT_INSTALL = "https://github.com/virt-manager/virt-manager/blob/main/man/virt-install.rst"

# QEMU's manual numbers the headings of its options: qemu-options.hx, in its order
_INVOCATION = {
    "std": (0, "Standard options"),
    "block": (1, "Block device options"),
    "usb": (2, "USB convenience options"),
    "display": (3, "Display options"),
    "i386": (4, "i386 target only"),
    "net": (5, "Network options"),
    "char": (6, "Character device options"),
    "tpm": (7, "TPM device options"),
    "kernel": (8, "Boot Image or Kernel specific"),
    "debug": (9, "Debug/Expert options"),
    "object": (10, "Generic object creation"),
}

_QEMU_PAGES = {
    "devices": ("device-emulation.html", "Device Emulation"),
    "virtio-pages": ("devices/virtio/index.html", "Device Emulation / virtio"),
    "nvme": ("devices/nvme.html", "Device Emulation / NVMe Emulation"),
    "usb-pages": ("devices/usb.html", "Device Emulation / USB emulation"),
    "net-pages": ("devices/net.html", "Device Emulation / Network emulation"),
    "images": ("images.html", "Disk Images"),
    "cpus": ("qemu-cpu-models.html", "CPU models"),
    "pc": ("i386/pc.html", "i440fx PC"),
    "bootindex": ("bootindex.html", "Managing device boot order with bootindex"),
    "vnc": ("vnc-security.html", "VNC security"),
}

_DOMAIN = {
    "metadata": ("general-metadata", "General metadata"),
    "element": ("element-and-attribute-overview", "Element and attribute overview"),
    "os": ("operating-system-booting", "Operating system booting"),
    "bios": ("bios-bootloader", "BIOS bootloader"),
    "direct": ("direct-kernel-boot", "Direct kernel boot"),
    "vcpu": ("cpu-allocation", "CPU Allocation"),
    "memory": ("memory-allocation", "Memory Allocation"),
    "backing": ("memory-backing", "Memory Backing"),
    "cpu": ("cpu-model-and-topology", "CPU model and topology"),
    "numa": ("guest-numa-topology", "Guest NUMA topology"),
    "events": ("events-configuration", "Events configuration"),
    "pm": ("power-management", "Power Management"),
    "features": ("hypervisor-features", "Hypervisor features"),
    "clock": ("time-keeping", "Time keeping"),
    "devices": ("devices", "Devices"),
    "disk": ("hard-drives-floppy-disks-cdroms", "Hard drives, floppy disks, CDROMs"),
    "filesystem": ("filesystems", "Filesystems"),
    "address": ("device-addresses", "Device Addresses"),
    "controller": ("controllers", "Controllers"),
    "hostdev": ("host-device-assignment", "Host device assignment"),
    "interface": ("network-interfaces", "Network interfaces"),
    "input": ("input-devices", "Input devices"),
    "graphics": ("graphical-framebuffers", "Graphical framebuffers"),
    "video": ("video-devices", "Video devices"),
    "char": (
        "consoles-serial-parallel-channel-devices",
        "Consoles, serial, parallel & channel devices",
    ),
    "sound": ("sound-devices", "Sound devices"),
    "audio": ("audio-backends", "Audio backends"),
    "watchdog": ("watchdog-devices", "Watchdog devices"),
    "balloon": ("memory-balloon-device", "Memory balloon device"),
    "rng": ("random-number-generator-device", "Random number generator device"),
    "tpm": ("tpm-device", "TPM device"),
    "vsock": ("vsock", "Vsock"),
}

_MAN = {
    "connect": "Connecting to libvirt",
    "general": "General options",
    "install": "Installation options",
    "guest-os": "Guest OS options",
    "storage": "Storage options",
    "networking": "Networking options",
    "graphics": "Graphics options",
    "virtualization": "Virtualization options",
    "device": "Device options",
    "misc": "Miscellaneous options",
}


def _sections() -> dict[str, Section]:
    found = {}
    for name, (number, title) in _INVOCATION.items():
        url = f"{_QEMU}/invocation.html#hxtool-{number}"
        found[name] = Section("QEMU", f"System Emulation / Invocation / {title}", url)
    for name, (page, title) in _QEMU_PAGES.items():
        found[name] = Section("QEMU", f"System Emulation / {title}", f"{_QEMU}/{page}")
    for name, (anchor, title) in _DOMAIN.items():
        url = f"{_LIBVIRT}/formatdomain.html#{anchor}"
        found[f"xml-{name}"] = Section("libvirt", f"Domain XML format / {title}", url)
    found["xml-qemu"] = Section(
        "libvirt",
        "QEMU driver / Pass-through of arbitrary qemu commands",
        f"{_LIBVIRT}/drvqemu.html#pass-through-of-arbitrary-qemu-commands",
    )
    for name, title in _MAN.items():
        anchor = title.lower().replace(" ", "-")
        section = Section("virt-install", f"virt-install(1) / {title}", f"{_VIRT_INSTALL}#{anchor}")
        found[f"vi-{name}"] = section
    return found


SECTIONS = _sections()
"""Every section by its short name."""
