"""How an option of virt-install is put together: its sub-options, and their quoting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from kvmnb.compile.piece import Piece
from kvmnb.errors import Unsupported

__all__ = ["Pairs", "differing", "joined", "option", "refused", "removed"]

Pairs = Iterable[tuple[str, str | int | bool | None]]

_QUOTED = str.maketrans({sign: "\\" + sign for sign in ",'\"\\"})
"""What virt-install would take for a separator, a quote or an escape (it reads sub-options as
Python's ``shlex`` does, with a comma for a blank)."""


def joined(head: str | None, pairs: Pairs) -> str:
    """Return ``head,key=value,…``; ``None`` leaves a key out, a boolean is ``on`` or ``off``."""
    parts = [] if head is None else [head.translate(_QUOTED)]
    for key, value in pairs:
        if value is None:
            continue
        if isinstance(value, bool):
            value = "on" if value else "off"
        parts.append(f"{key}={str(value).translate(_QUOTED)}")
    return ",".join(parts)


def option(field: str, name: str, value: str | None = None) -> Piece:
    """Return one option as a piece; a value that looks like an option is tied to its name."""
    if value is None:
        return Piece(field, "", (name,))
    if value.startswith("-"):
        return Piece(field, "", (f"{name}={value}",))
    return Piece(field, "", (name, value))


def removed(field: str, xpath: str) -> Piece:
    """Return the option that takes out again what virt-install would add unasked."""
    return Piece(field, "", ("--xml", f"xpath.delete={xpath}"))


def refused(field: str, hint: str) -> NoReturn:
    """Raise that virt-install has no word for `field`."""
    raise Unsupported("virt-install", field, hint)


def differing(field: str, part: Any, names: Mapping[str, object], hint: str) -> None:
    """Refuse `part` if one of `names` is not what is given here, its default."""
    for name, default in names.items():
        if getattr(part, name) != default:
            refused(f"{field}.{name}", hint)
