"""Specs to and from JSON values, so that another process can read what a guest is."""

from __future__ import annotations

import dataclasses
from typing import Any

from kvmnb.errors import SpecError

__all__ = ["decode", "differences", "encode", "HOMES", "kind_named"]

_HOMES = {
    "boot": ("Boot",),
    "chardev": ("Private", "Serial"),
    "charbacks": ("Null", "File", "Pipe", "HostPort", "TCP", "UDP", "UnixSocket", "SpicePort"),
    "cloud_init": ("CloudInit",),
    "cpu": ("CPU",),
    "devices": ("Balloon", "RNG"),
    "diskbacks": ("BlockDevice", "Server", "Volume", "FatFolder"),
    "domain": ("DomainSpec",),
    "forwards": ("Forward", "GuestForward"),
    "graphics": ("VNC", "Video"),
    "memory": ("Memory",),
    "netbacks": (
        *("Tap", "Bridge", "Socket", "Stream", "Dgram", "VDE", "Passt", "VhostUser"),
        *("LibvirtNetwork", "Direct", "HostNIC"),
    ),
    "network": ("NIC", "User"),
    "numa": ("NUMANode",),
    "peripherals": (
        *("Input", "Sound", "Watchdog", "TPM", "Share", "Vsock"),
        *("HostPCI", "HostUSB", "Mediated"),
    ),
    "platform": ("Firmware", "Clock", "ExtraXML"),
    "ports": ("Parallel", "Console", "Channel", "Monitor"),
    "screens": ("Spice", "Window"),
    "storage": ("Disk", "CDROM", "Floppy", "CatalogueImage", "ExistingFile", "NewFile"),
}
HOMES = {kind: home for home, kinds in _HOMES.items() for kind in kinds}
"""The module of ``kvmnb.spec`` that each kind of part lives in."""


def kind_named(name: str) -> type[Any] | None:
    """Return the class of a part of a spec, loading its module only now."""
    if name not in HOMES:
        return None
    from importlib import import_module

    found: type[Any] = getattr(import_module(f"kvmnb.spec.{HOMES[name]}"), name)
    return found


def encode(value: Any) -> Any:
    """Return a JSON value; a dataclass becomes an object that names its part."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"part": type(value).__name__, **fields}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def decode(value: Any) -> Any:
    """Return what `encode` was given, checked again field by field.

    Raises
    ------
    SpecError   a kind or a field that this version does not know
    """
    if isinstance(value, list):
        return tuple(decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    kind = kind_named(str(value.get("part")))
    if kind is None:
        raise SpecError("part", value.get("part"), "not a part of a spec in this version")
    fields = {key: decode(item) for key, item in value.items() if key != "part"}
    try:
        return kind(**fields)
    except TypeError as error:
        raise SpecError(kind.__name__, sorted(fields), f"fields do not fit: {error}") from error


def differences(one: Any, other: Any, field: str = "") -> tuple[tuple[str, Any, Any], ...]:
    """Return ``(dotted field, value of one, value of other)`` for each leaf that differs."""
    if one == other:
        return ()
    if type(one) is type(other) and dataclasses.is_dataclass(one):
        return tuple(
            found
            for f in dataclasses.fields(one)
            for found in differences(
                getattr(one, f.name), getattr(other, f.name), f"{field}.{f.name}".lstrip(".")
            )
        )
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return tuple(
            found
            for index, pair in enumerate(zip(one, other, strict=True))
            for found in differences(*pair, f"{field}[{index}]")
        )
    return ((field, one, other),)
