"""What the writers of fluent Python share: values and calls as source text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kvmnb.spec.domain import DomainSpec

__all__ = [
    "Call",
    "Job",
    "Writer",
    "call",
    "changed",
    "each",
    "mib",
    "one",
    "same",
    "size",
    "source_text",
]


class Job(NamedTuple):
    """What is written: a spec, what it is compared with, and what a verb would refuse here."""

    spec: DomainSpec
    base: DomainSpec
    refused: frozenset[str]


class Call(NamedTuple):
    """A verb and its arguments, as source text."""

    verb: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f".{self.verb}({', '.join(self.arguments)})"

    def laid_out(self, width: int) -> str:
        """Return the call with one argument a line where it would be wider than `width`."""
        if len(str(self)) <= width or not self.arguments:
            return str(self)
        return f".{self.verb}(\n" + "".join(f"    {each},\n" for each in self.arguments) + ")"


Writer = Callable[[Job], Iterator[Call]]
"""Yields the calls that make one part of the spec."""


def call(verb: str, *values: Any, **keys: Any) -> Call:
    """Return ``.verb(values, keys)``."""
    given = [source_text(value) for value in values]
    given += [f"{key}={source_text(value)}" for key, value in keys.items()]
    return Call(verb, tuple(given))


def source_text(value: Any) -> str:
    """Return a value as Python source that black would leave alone, where that is cheap."""
    if isinstance(value, str) and '"' not in value and value.isprintable() and "\\" not in value:
        return f'"{value}"'
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}({', '.join(_arguments(value))})"
    if isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""
        return f"({', '.join(map(source_text, value))}{comma})"
    return repr(value)


def _arguments(part: Any) -> Iterator[str]:
    """Yield a part's fields that differ from their defaults, by position as long as that goes."""
    by_position = True
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if value == field.default:
            by_position = False
            continue
        by_position = by_position and not field.kw_only
        yield source_text(value) if by_position else f"{field.name}={source_text(value)}"


def changed(value: Any, base: Any, **keys: str) -> dict[str, Any]:
    """Return ``{key: value.field}`` of those ``key=field`` that differ from `base`."""
    return {
        key: getattr(value, field)
        for key, field in keys.items()
        if getattr(value, field) != getattr(base, field)
    }


def same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def size(bytes_: int) -> str:
    for unit, scale in (("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if bytes_ % scale == 0:
            return f"{bytes_ // scale}{unit}"
    return f"{bytes_}B"


def mib(mib: int) -> int | str:
    return f"{mib // 1024}G" if mib % 1024 == 0 else mib


def one(verb: str, field: str) -> Writer:
    def write(job: Job) -> Iterator[Call]:
        value = getattr(job.spec, field)
        yield call(verb, *(() if value is True else (value,)))

    return write


def each(verb: str, field: str) -> Writer:
    def write(job: Job) -> Iterator[Call]:
        yield call(verb, *getattr(job.spec, field))

    return write
