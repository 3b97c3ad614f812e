"""QEMU's own rule for option strings, written down once more, to read back what was written."""

from __future__ import annotations

from itertools import pairwise

__all__ = ["parsed", "values"]


def parsed(text: str) -> list[tuple[str | None, str]]:
    """Return ``(key, value)`` in order, as QEMU reads them; what has no key has ``None``.

    After QEMU's util/qemu-option.c: a value ends at a comma that is not doubled, a key at the
    first equals sign before any comma.
    """
    found: list[tuple[str | None, str]] = []
    while text:
        stop = min(i for i in (text.find("="), text.find(","), len(text)) if i >= 0)
        if text[stop : stop + 1] == "=":
            key, text = text[:stop], text[stop + 1 :]
            value, text = _value(text)
            found.append((key, value))
        else:
            value, text = _value(text)
            found.append((None, value))
    return found


def _value(text: str) -> tuple[str, str]:
    value = ""
    while text:
        if text.startswith(",,"):
            value, text = value + ",", text[2:]
        elif text.startswith(","):
            return value, text[1:]
        else:
            value, text = value + text[0], text[1:]
    return value, ""


def values(argv: tuple[str, ...], option: str) -> list[str]:
    """Return what stands after each `option`."""
    return [value for name, value in pairwise(argv) if name == option]
