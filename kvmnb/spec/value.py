"""What all parts of a description have in common: they look like what was asked."""

from __future__ import annotations

import dataclasses

__all__ = ["Value"]


class Value:
    """The base of frozen dataclasses whose repr shows the fields that differ from their defaults.

    Made once here rather than by each dataclass for itself, which would cost every fresh process
    a third of a millisecond a class (benchmarks/fluent_line.py).
    """

    __slots__ = ()

    def __repr__(self) -> str:
        asked = (
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
            if field.default is dataclasses.MISSING or getattr(self, field.name) != field.default
        )
        return f"{type(self).__name__}({', '.join(asked)})"
