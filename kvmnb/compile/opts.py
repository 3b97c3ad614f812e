"""The one place where QEMU's option strings are put together and quoted."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Opts", "Value"]

Value = str | int | bool | None | tuple[str, ...]


class Opts:
    """``Opts("scsi-hd", id="disk0", drive="disk0")`` → ``scsi-hd,id=disk0,drive=disk0``.

    A comma in a value is doubled, which is QEMU's only quoting (QEMU manual, "Invocation").
    ``None`` leaves a key out, booleans become ``on`` and ``off``, a tuple is its key with each
    of its values in turn, and an underscore at the end of a Python name is dropped, so that
    ``file_`` can be written. Keys that are no Python names (``write-cache``, ``cache.direct``)
    are given as a mapping. What has no key of its own comes first, and must not hold an equals
    sign, which QEMU has no quoting for there.
    """

    __slots__ = ("_text",)

    def __init__(
        self, head: str | None = None, more: Mapping[str, Value] | None = None, /, **keys: Value
    ) -> None:
        if head is not None and "=" in head:
            raise ValueError(f"{head!r} would be read as a key and its value")
        parts = [] if head is None else [_quoted(head)]
        for given in (keys, more or {}):
            for key, value in given.items():
                if isinstance(value, tuple):
                    parts.extend(key.rstrip("_") + "=" + _quoted(each) for each in value)
                elif value is not None:
                    parts.append(key.rstrip("_") + "=" + _quoted(value))
        self._text = ",".join(parts)

    def __str__(self) -> str:
        return self._text


def _quoted(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value).replace(",", ",,")
