"""Checks that need nothing but the value itself; each raises `SpecError` with the field's name."""

from __future__ import annotations

import re

from kvmnb.errors import SpecError

__all__ = ["choice", "kind", "kinds", "mac", "name", "path", "positive", "switch", "text"]

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
