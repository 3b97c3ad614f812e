"""Sizes and durations as people write them: ``128``, ``"1.5G"``, ``90``, ``"15 min"``."""

from __future__ import annotations

import re

from kvmnb.errors import SpecError

__all__ = [
    "FOREVER",
    "GIB",
    "KIB",
    "MIB",
    "Duration",
    "Size",
    "duration_s",
    "human",
    "size_bytes",
    "size_mib",
]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

Size = int | str
"""A number of MiB, or text with a unit: ``B``, ``K``, ``M``, ``G``, ``T`` (powers of 1024)."""

FOREVER = "forever"
"""A guest that is kept so long is never ended for want of an owner."""

_UNIT = {"B": 1, "K": KIB, "M": MIB, "G": GIB, "T": 1 << 40}
# the digits are bounded, since Python refuses to read thousands of them
_NUMBER = r"\s*(\d{1,20}(?:\.\d{1,20})?)\s*"
_SIZE = _NUMBER + r"(?:([KMGT])(?:i?B)?|(B)|)\s*"


def size_bytes(size: Size, field: str = "size") -> int:
    """Return `size` in bytes; a bare number is MiB, as QEMU's ``-m`` has it.

    Raises
    ------
    SpecError   not a size, not positive, not a whole number of bytes, or above 8 EiB
    """
    if isinstance(size, bool) or not isinstance(size, (int, str)):
        raise SpecError(field, size, 'a size is a number of MiB, or text such as "128M" or "1G"')
    bytes_ = size * MIB if isinstance(size, int) else _read(size, field)
    if bytes_ <= 0:
        raise SpecError(field, size, "must be above zero")
    if bytes_ >= 1 << 63:
        raise SpecError(field, size, "above what QEMU can count (8 EiB)")
    return bytes_


def _read(size: str, field: str) -> int:
    found = re.fullmatch(_SIZE, size, re.IGNORECASE | re.ASCII)
    if found is None:
        raise SpecError(field, size, 'not a size; write a number of MiB, or "128M", "1G"')
    number, unit, byte = found.groups()
    scale = _UNIT[(unit or byte or "M").upper()]
    whole, _, fraction = number.partition(".")
    part, rest = divmod(int(fraction or 0) * scale, int("1" + "0" * len(fraction)))
    if rest:
        raise SpecError(field, size, "not a whole number of bytes")
    return int(whole) * scale + part


def size_mib(size: Size, field: str = "size") -> int:
    """Return `size` in MiB, refusing what is not a whole number of them."""
    bytes_ = size_bytes(size, field)
    if bytes_ % MIB:
        raise SpecError(field, size, "must be a whole number of MiB")
    return bytes_ // MIB


Duration = float | str
"""A number of seconds, or text with a unit: ``ms``, ``s``, ``min`` or ``m``, ``h``, ``d``."""

LONGEST_S = 100 * 365.25 * 86400
"""A hundred years; the kernel counts nanoseconds in 63 bits, which is thrice as long."""

_SECONDS = {"ms": 0.001, "": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_DURATION = _NUMBER + r"(ms|s|min|m|h|d|)\s*"


def duration_s(duration: Duration, field: str = "duration") -> float:
    """Return `duration` in seconds.

    Raises
    ------
    SpecError   not a duration, below zero, or without an end
    """
    if isinstance(duration, bool) or not isinstance(duration, (int, float, str)):
        raise SpecError(field, duration, 'a duration is a number of seconds, or text: "15 min"')
    if isinstance(duration, (int, float)):
        if not 0 <= duration < LONGEST_S:  # false for what is not a number, too
            raise SpecError(field, duration, "must be a number of seconds from zero on")
        return float(duration)
    found = re.fullmatch(_DURATION, duration, re.ASCII)
    if found is None:
        raise SpecError(
            field, duration, 'not a duration; write seconds, or "90 s", "15 min", "2 h"'
        )
    seconds = float(found.group(1)) * _SECONDS[found.group(2)]
    if seconds >= LONGEST_S:
        raise SpecError(field, duration, "is above a hundred years")
    return seconds


def human(bytes_: float) -> str:
    """Return a size for people: ``human(100663296) == "96 MiB"``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(bytes_) < 1023.5:  # what is nearer to 1024 is one of the next unit
            return f"{bytes_:.4g} {unit}"
        bytes_ /= 1024
    return f"{bytes_:.4g} TiB" if abs(bytes_) < 9999.5 else f"{bytes_:.0f} TiB"
