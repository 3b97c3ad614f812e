"""The commands that install things on this distribution, told by /etc/os-release."""

from __future__ import annotations

from kvmnb.doctor.root import Root

__all__ = ["family", "install"]

_FAMILIES = {
    "debian": "debian",
    "ubuntu": "debian",
    "rhel": "rhel",
    "centos": "rhel",
    "rocky": "rhel",
    "almalinux": "rhel",
    "fedora": "fedora",
    "arch": "arch",
    "suse": "suse",
    "opensuse": "suse",
    "sles": "suse",
}

_INSTALL = {
    "debian": "apt-get install -y",
    "fedora": "dnf install -y",
    "rhel": "dnf install -y",
    "arch": "pacman -S --needed",
    "suse": "zypper install -y",
}

_PACKAGES = {
    "QEMU": {
        "debian": "qemu-system-x86",
        "fedora": "qemu-system-x86",
        "rhel": "qemu-kvm",
        "arch": "qemu-base",
        "suse": "qemu-x86",
    },
    "qemu-img": {
        "debian": "qemu-utils",
        "fedora": "qemu-img",
        "rhel": "qemu-img",
        "arch": "qemu-img",
        "suse": "qemu-img",
    },
    "libvirt": {
        "debian": "libvirt-daemon-system libvirt-clients",
        "fedora": "libvirt-daemon-kvm libvirt-client",
        "rhel": "libvirt-daemon-kvm libvirt-client",
        "arch": "libvirt dnsmasq",
        "suse": "libvirt-daemon-qemu libvirt-client",
    },
    "unshare": {
        "debian": "util-linux",
        "fedora": "util-linux",
        "rhel": "util-linux",
        "arch": "util-linux",
        "suse": "util-linux",
    },
    "tc": {
        "debian": "iproute2",
        "fedora": "iproute-tc",
        "rhel": "iproute-tc",
        "arch": "iproute2",
        "suse": "iproute2",
    },
}


def family(root: Root) -> str | None:
    """Return ``debian``, ``fedora``, ``rhel``, ``arch`` or ``suse``; ``None`` for any other."""
    fields = {}
    text = root.read("/etc/os-release") or root.read("/usr/lib/os-release") or ""
    for line in text.splitlines():
        name, _, value = line.partition("=")
        fields[name.strip()] = value.strip().strip("\"'")
    # its own name first: Rocky is like rhel, and like fedora
    for word in [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]:
        known = _FAMILIES.get(word) or _FAMILIES.get(word.partition("-")[0])
        if known is not None:
            return known
    return None


def install(root: Root, *things: str) -> str:
    """Return the command that installs things by our names for them, such as ``"QEMU"``."""
    found = family(root)
    if found is None:
        return f"install {' and '.join(things)} with this distribution's package manager"
    packages = " ".join(_PACKAGES[thing][found] for thing in things)
    return f"{root.sudo}{_INSTALL[found]} {packages}"
