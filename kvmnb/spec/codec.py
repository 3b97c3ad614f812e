"""Specs to and from JSON values, so that another process can read what a guest is."""

from __future__ import annotations

import dataclasses
from typing import Any

from kvmnb.errors import SpecError
from kvmnb.spec.boot import Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec, Memory
from kvmnb.spec.network import NIC, User
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, NewFile

__all__ = ["decode", "differences", "encode"]

_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(DomainSpec, Memory, CPU, Boot),
        *(Disk, CDROM, CatalogueImage, ExistingFile, NewFile),
        *(NIC, User),
    )
}


def encode(value: Any) -> Any:
    """Return a JSON value; a dataclass becomes an object that names its kind."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": type(value).__name__, **fields}
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
    kind = _KINDS.get(str(value.get("kind")))
    if kind is None:
        raise SpecError("kind", value.get("kind"), "not a part of a spec in this version")
    fields = {key: decode(item) for key, item in value.items() if key != "kind"}
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
