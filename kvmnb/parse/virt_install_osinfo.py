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
    vcpus, memory_mib : that libosinfo recommends; ``None`` where it does not
    """

    known: bool
    flags: str = ""
    vcpus: int = 1
    memory_mib: int | None = None

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
        *(((11,), FULL), ((9,), "dnsrqc"), ((8,), "dnsrc")),
        *(((7,), "dnsc"), ((5,), "dn")),
    ),
    "fedora": (((24,), FULL), ((23,), "dnsrqc"), ((17,), "dnsrc"), ((10,), "dnsr"), ((9,), "ns")),
    "freebsd": (((10,), "dn"),),
    "linux": (((2018,), FULL), ((2016,), "dn")),
    "mageia": (((1,), "dn"),),
    "ol": (((8,), FULL), ((7, 2), "dnsrqc"), ((7,), "dnsr"), ((6,), "dns"), ((5, 6), "dn")),
    "openbsd": (((5, 4), "dn"),),
    "opensuse": (((42, 2), FULL), ((13,), "dnsrc"), ((12, 3), "dnsrc")),
    "rhel": (((8,), FULL), ((7, 2), "dnsrqc"), ((7,), "dnsr"), ((6,), "dns"), ((5, 6), "dn")),
    "rocky": (((8,), FULL),),
    "sles": (((12, 2), FULL), ((11, 3), "dnsrc")),
    "ubuntu": (
        *(((22, 10), FULL), ((22, 4), "dnsrqc"), ((18, 4), FULL), ((17, 4), "dnsrqc")),
        *(((9, 4), "dn"), ((8, 4), "n")),
    ),
}
"""The least version that has the drivers, the newest first (libosinfo's database, 2022)."""

_RED_HAT = (((9,), 2, 1536), ((8,), 2, 1536), ((6,), 2, 1024), ((5,), 1, 1024), ((4,), 1, 512))
_NEEDS: dict[str, tuple[tuple[tuple[int, ...], int, int], ...]] = {
    **dict.fromkeys(("almalinux", "centos", "centos-stream", "rhel", "rocky"), _RED_HAT),
    "alpinelinux": (((3,), 1, 768),),
    "archlinux": (((0,), 1, 1024),),
    "cirros": (((0,), 2, 256),),
    "debian": (((7,), 2, 1024), ((5,), 2, 512)),
    "debiantesting": (((0,), 2, 1024),),
    "fedora": (((20,), 2, 2048), ((14,), 2, 1152)),
    "gentoo": (((0,), 1, 512),),
    "linux": (((2022,), 2, 4096), ((2016,), 2, 2048)),
    "mageia": (((8,), 1, 2048),),
    "opensuse": (((13,), 2, 2048), ((10,), 2, 1024)),
    "sles": (((12,), 1, 1024),),
    "ubuntu": (*(((20, 4), 2, 4096), ((16, 4), 2, 2048), ((14, 4), 2, 1024), ((10, 4), 2, 512)),),
    "win11": (((0,), 4, 8192),),
    **dict.fromkeys(("win7", "win8", "win8.1", "win10"), (((0,), 2, 4096),)),
    **dict.fromkeys(("win2k8", "win2k8r2", "win2k16", "win2k19", "win2k22"), (((0,), 2, 2048),)),
    **dict.fromkeys(("win2k3", "winvista", "win2k12", "win2k12r2"), (((0,), 2, 1024),)),
    **dict.fromkeys(("fedora-rawhide", "opensusetumbleweed"), (((0,), 2, 2048),)),
    **dict.fromkeys(
        [f"fedora-coreos-{stream}" for stream in ("stable", "testing", "next")],
        (((0,), 2, 2048),),
    ),
    "winxp": (((0,), 2, 512),),
}
"""The vCPUs and the MiB of memory that are recommended from a version on (the same database)."""

_ROLLING = {
    **dict.fromkeys(("archlinux", "opensusetumbleweed", "debiantesting", "fedora-rawhide"), FULL),
    **dict.fromkeys([f"fedora-coreos-{stream}" for stream in ("stable", "testing", "next")], FULL),
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
        return System(True, _ROLLING[name], *_least(_NEEDS.get(name, ()), (0, 0)))
    found = _NAME.fullmatch(name.lower())
    if found is None or found[1] not in _FAMILIES:
        return System(False)
    version = (int(found[2]), int(found[3] or 0))
    if found[1] == "opensuse" and 15 <= version[0] < 42:
        version = (version[0] + 42, version[1])  # Leap went on from 42.3 to 15.0
    flags = next((flags for least, flags in _FAMILIES[found[1]] if version >= least), "")
    return System(True, flags, *_least(_NEEDS.get(found[1], ()), version))


def _least(
    needs: tuple[tuple[tuple[int, ...], int, int], ...], version: tuple[int, int]
) -> tuple[int, int | None]:
    for least, vcpus, memory in needs:
        if version >= least:
            return vcpus, memory
    return 1, None
