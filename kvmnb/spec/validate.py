"""Checks that need nothing but the value itself; each raises `SpecError` with the field's name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kvmnb.errors import SpecError

__all__ = [
    *("choice", "disk_size", "host", "kind", "kinds", "mac", "name", "number", "numbers"),
    *("optional", "pairs", "parts", "path", "port", "positive", "switch", "text", "texts"),
    *("uuid", "word"),
]

_MAC = r"[0-9a-f]{2}(:[0-9a-f]{2}){5}"

NAME_LIMIT = 64
"""Characters in a guest's name: libvirt sets no limit, a socket's path of 107 bytes does."""


def text(field: str, value: object) -> str:
    """Return `value` if it is text that can stand in an argument list (no NUL, valid UTF-8)."""
    if not isinstance(value, str):
        raise SpecError(field, value, "must be text")
    if "\0" in value:
        raise SpecError(field, value, "must not hold a NUL character")
    try:
        # surrogateescape: a file name that is not UTF-8 is still a file name
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise SpecError(field, value, "is not valid text (a lone surrogate)") from None
    return value


def name(field: str, value: object) -> str:
    """Return `value` if a guest may bear it.

    As libvirt has it, a name has no slash and no control character (a newline, say);
    commas, quotes, spaces and any script's letters are fine.
    """
    given = text(field, value)
    if not given.strip():
        raise SpecError(field, value, "must not be empty")
    if given in {".", ".."} or "/" in given:
        raise SpecError(field, value, "must not be '.', '..' or hold a slash")
    if not given.isprintable():
        raise SpecError(field, value, "must hold printable characters only (no newline, no tab)")
    if len(given) > NAME_LIMIT:
        raise SpecError(field, value, f"has {len(given)} characters, at most {NAME_LIMIT} fit")
    return given


def path(field: str, value: object) -> str:
    """Return `value` if it can be a file's path."""
    given = text(field, value)
    if not given:
        raise SpecError(field, value, "must not be empty")
    return given


def positive(field: str, value: object, limit: int) -> int:
    """Return `value` if it is a whole number from 1 to `limit`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise SpecError(field, value, "must be a whole number")
    if not 1 <= value <= limit:
        raise SpecError(field, value, f"must be from 1 to {limit}")
    return value


def number(field: str, value: object, least: int, limit: int) -> int:
    """Return `value` if it is a whole number from `least` to `limit`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise SpecError(field, value, "must be a whole number")
    if not least <= value <= limit:
        raise SpecError(field, value, f"must be from {least} to {limit}")
    return value


def numbers(field: str, values: object, least: int, limit: int) -> tuple[int, ...]:
    """Return `values` if it is a tuple of whole numbers from `least` to `limit`."""
    if not isinstance(values, tuple):
        raise SpecError(field, values, "must be a tuple of whole numbers")
    return tuple(number(field, value, least, limit) for value in values)


SECTOR_BYTES = 512
SIZE_LIMIT_BYTES = 1 << 51
"""2 PiB, the most that a qcow2 with clusters of 64 KiB addresses (QEMU docs/interop/qcow2)."""


def disk_size(field: str, value: object) -> int:
    """Return `value` if a disk can have so many bytes."""
    size = positive(field, value, SIZE_LIMIT_BYTES)
    if size % SECTOR_BYTES:
        raise SpecError(field, value, f"must be a multiple of {SECTOR_BYTES} bytes")
    return size


def port(field: str, value: object) -> int:
    """Return `value` if it is a TCP or UDP port."""
    return number(field, value, 1, 65535)


def texts(field: str, values: object) -> tuple[str, ...]:
    """Return `values` if it is a tuple of text."""
    if not isinstance(values, tuple):
        raise SpecError(field, values, "must be a tuple of text")
    return tuple(text(field, value) for value in values)


def pairs(field: str, values: object) -> tuple[tuple[str, str], ...]:
    """Return `values` if it is a tuple of ``(key, value)``, each key a plain word."""
    if not isinstance(values, tuple):
        raise SpecError(field, values, "must be a tuple of (key, value)")
    for pair in values:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise SpecError(field, pair, "must be (key, value)")
        word(field, pair[0])
        text(field, pair[1])
    return values


def word(field: str, value: object) -> str:
    """Return `value` if it can stand unquoted as a key, a model or a device's name."""
    given = text(field, value)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:+-]*", given, re.ASCII):
        raise SpecError(field, value, "a word has letters, digits and '-._:+' only")
    return given


def host(field: str, value: object) -> str:
    """Return `value` if it can be an address or the name of a machine."""
    given = text(field, value)
    if not re.fullmatch(r"[A-Za-z0-9_.:%-]+", given, re.ASCII):
        raise SpecError(field, value, "not an address such as 127.0.0.1 or ::1, nor a host's name")
    return given


def uuid(field: str, value: object) -> str:
    """Return `value` in lower case if it is a UUID in its usual spelling."""
    given = text(field, value).lower()
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", given, re.ASCII):
        raise SpecError(field, value, "not a UUID such as 5b2a9e3e-8a43-4d7e-9d7c-0f4c1c9f6a10")
    return given


def optional(check: Callable[[str, Any], object], field: str, value: object) -> None:
    """Apply `check` unless `value` is ``None``."""
    if value is not None:
        check(field, value)


def switch(field: str, value: object) -> bool:
    """Return `value` if it is ``True`` or ``False``."""
    if not isinstance(value, bool):
        raise SpecError(field, value, "must be True or False")
    return value


def kind(field: str, value: object, *allowed: type) -> None:
    """Refuse `value` unless it is one of `allowed`."""
    if not isinstance(value, allowed):
        raise SpecError(field, value, "must be " + _words(allowed))


def kinds(field: str, values: object, *allowed: type) -> None:
    """Refuse `values` unless it is a tuple of nothing but `allowed`."""
    if not isinstance(values, tuple) or not all(isinstance(each, allowed) for each in values):
        raise SpecError(field, values, "must be a tuple, each of its items " + _words(allowed))


def parts(field: str, values: object, home: str, *names: str) -> None:
    """Refuse `values` unless it is a tuple of nothing but classes `names` of ``kvmnb.spec.home``.

    The module is loaded only where there is something to check: most guests have no sound card.
    """
    if values == ():
        return
    from importlib import import_module

    module = import_module(f"kvmnb.spec.{home}")
    kinds(field, values, *(getattr(module, each) for each in names))


def _words(allowed: tuple[type, ...]) -> str:
    return "a " + " or a ".join(each.__name__ for each in allowed)


def choice(field: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of `allowed`; the error names a near miss."""
    if value in allowed:
        return value
    raise SpecError(field, value, _suggest(value, allowed) + "one of: " + ", ".join(allowed))


def _suggest(value: object, allowed: tuple[str, ...]) -> str:
    import difflib

    near = difflib.get_close_matches(str(value), allowed, n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def mac(field: str, value: object) -> str:
    """Return a card's own address in QEMU's spelling: six lower-case octets with colons."""
    given = text(field, value).lower().replace("-", ":")
    if re.fullmatch(_MAC, given, re.ASCII) is None:
        raise SpecError(field, value, "not six octets such as 52:54:00:12:34:56")
    if int(given[:2], 16) & 1:
        raise SpecError(field, value, "is a group address (its first octet is odd)")
    if given == "00:00:00:00:00:00":
        raise SpecError(field, value, "is the zero address")
    return given
