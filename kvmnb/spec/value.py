"""What all parts of a description have in common: they look like what was asked."""

from __future__ import annotations

import dataclasses

__all__ = ["Value"]


class Value:
    """The base of frozen, slotted dataclasses that are equal when all of their fields are.

    Their repr shows the fields that differ from their defaults. Both are made once here rather
    than by each dataclass for itself (``eq=False, repr=False``), which would cost every fresh
    process a half of a millisecond a class (benchmarks/fluent_line.py).
    """

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self.__slots__)))

    def __repr__(self) -> str:
        asked = (
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
            if field.default is dataclasses.MISSING or getattr(self, field.name) != field.default
        )
        return f"{type(self).__name__}({', '.join(asked)})"
