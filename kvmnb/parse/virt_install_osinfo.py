"""What virt-install gives a guest because of the system that is said to run in it.

It asks libosinfo's database, which is not here; what a system's first version with a driver is,
does not change any more. A system that is not in the table is treated as an unknown one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kvmnb.spec.value import Value

__all__ = ["System", "system"]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class System(Value):
    """What a guest system has drivers for.

    Parameters
    ----------
    known : whether the table has it
    flags : ``d`` virtio disk, ``n`` virtio network, ``s`` virtio serial, ``r`` virtio RNG,
        ``q`` the q35 board (with virtio 1.0, where it knows virtio), ``g`` virtio GPU,
        ``c`` virtio SCSI, ``l`` a clock that runs at local time, ``h`` Hyper-V's interfaces
    """

    known: bool
    flags: str = ""

    def has(self, flag: str) -> bool:
        """Return whether it has a driver, or a habit."""
        return flag in self.flags


FULL = "dnsrqgc"

_FAMILIES: dict[str, tuple[tuple[tuple[int, ...], str], ...]] = {
    "almalinux": (((8,), FULL),),
    "alpinelinux": (((3, 11), "dnsrqc"),),
    "centos-stream": (((8,), "dnsrqc"),),
    "centos": (((8,), FULL), ((7,), "dnsrqc"), ((6,), "dns"), ((5, 6), "dn")),
    "cirros": (((0, 4), "dnsrc"), ((0, 3), "dn")),
    "debian": (
        *(((10,), FULL), ((9,), "dnsrqc"), ((8,), "dnsrc")),
        *(((7,), "dnsc"), ((5,), "dn")),
    ),
    "fedora": (((25,), FULL), ((23,), "dnsrqc"), ((17,), "dnsrc"), ((10,), "dnsr"), ((9,), "ns")),
    "freebsd": (((10,), "dn"),),
    "linux": (((2018,), FULL), ((2016,), "dn")),
    "mageia": (((1,), "dn"),),
    "ol": (((8,), FULL), ((7, 2), "dnsrqc"), ((7,), "dnsr"), ((6,), "dns"), ((5, 6), "dn")),
    "openbsd": (((5, 4), "dn"),),
    "opensuse": (((42, 2), FULL), ((13,), "dnsrc"), ((12, 3), "dnsrc")),
    "rhel": (((8,), FULL), ((7, 2), "dnsrqc"), ((7,), "dnsr"), ((6,), "dns"), ((5, 6), "dn")),
    "rocky": (((8,), FULL),),
    "sles": (((12, 2), FULL), ((11, 3), "dnsrc")),
    "ubuntu": (((18, 4), FULL), ((17, 4), "dnsrqc"), ((9, 4), "dn"), ((8, 4), "n")),
}
"""The least version that has the drivers, the newest first (libosinfo's database, 2022)."""

_ROLLING = {
    **dict.fromkeys(("archlinux", "opensusetumbleweed", "debiantesting", "fedora-rawhide"), FULL),
    **dict.fromkeys(("gentoo", "nixos-unstable"), "dnsrqc"),
    **dict.fromkeys(("win7", "win2k8r2"), "qlh"),
    **dict.fromkeys(("win8", "win8.1", "win10", "win11"), "qlh"),
    **dict.fromkeys(("win2k12", "win2k12r2", "win2k16", "win2k19", "win2k22", "win2k25"), "qlh"),
    **dict.fromkeys(("winxp", "winvista", "win2k3", "win2k3r2", "win2k8", "win2k"), "lh"),
    **dict.fromkeys(("win95", "win98", "winme", "winnt4.0"), "lh"),
    **dict.fromkeys(("generic", "unknown"), ""),
}

_NAME = re.compile(r"([a-z]+(?:-stream)?)[-_]?(\d{1,6})(?:(?:\.|sp|u)(\d{1,4}))?.{0,40}", re.ASCII)


def system(name: str | None) -> System:
    """Return what is known of a system by its name in libosinfo, such as ``debian12``."""
    if name is None:
        return System(False)
    if name in _ROLLING:
        return System(True, _ROLLING[name])
    found = _NAME.fullmatch(name.lower())
    if found is None or found[1] not in _FAMILIES:
        return System(False)
    version = (int(found[2]), int(found[3] or 0))
    for least, flags in _FAMILIES[found[1]]:
        if version >= least:
            return System(True, flags)
    return System(True)
