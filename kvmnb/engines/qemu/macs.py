"""MAC addresses under 52:54:00: the same at every start, and no other guest's."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping

from kvmnb.errors import SpecError
from kvmnb.spec.domain import DomainSpec

__all__ = ["assign", "uuid"]

PREFIX = "52:54:00"
"""The range that QEMU and libvirt give to guests (locally administered, from QEMU's default)."""


def _host_seed() -> str:
    """Return what tells this user on this machine from any other."""
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            machine = file.read().strip()
    except OSError:
        machine = os.uname().nodename
    return f"{machine}:{os.getuid()}"


def assign(spec: DomainSpec, taken: Mapping[str, str]) -> tuple[str, ...]:
    """Return one address for each NIC of `spec`.

    Parameters
    ----------
    spec : its NICs may name addresses of their own
    taken : address → the other guest of this host that has it

    Raises
    ------
    SpecError   an address given by hand is another guest's
    """
    by_hand = {nic.mac for nic in spec.nics}
    found: list[str] = []
    for index, nic in enumerate(spec.nics):
        if nic.mac is not None:
            if nic.mac in taken:
                raise SpecError("nic.mac", nic.mac, f"guest {taken[nic.mac]!r} has it already")
            found.append(nic.mac)
            continue
        salt = 0
        while True:
            mac = _derive(f"{_host_seed()}:{spec.name}:{index}:{salt}")
            if mac not in taken and mac not in by_hand and mac not in found:
                break
            salt += 1
        found.append(mac)
    return tuple(found)


def _derive(seed: str) -> str:
    return PREFIX + "".join(f":{octet:02x}" for octet in _octets(seed, 3))


def _octets(seed: str, count: int) -> bytes:
    """Return bytes that follow from `seed`: to tell guests apart, not to be hard to guess."""
    data, found = seed.encode("utf-8", "surrogateescape"), b""
    while len(found) < count:
        found += zlib.crc32(b"%d:" % len(found) + data).to_bytes(4, "big")
    return found[:count]


def uuid(name: str) -> str:
    """Return the guest's UUID: the same at every start, of version 8 (RFC 9562, own making)."""
    octets = bytearray(_octets(f"{_host_seed()}:{name}:uuid", 16))
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    text = octets.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
