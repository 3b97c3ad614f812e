"""Descriptions cut down to what a target has words for."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from kvmnb.errors import Unsupported
from kvmnb.spec.boot import Boot
from kvmnb.spec.domain import DomainSpec

__all__ = ["possible"]

_DEFAULTS = {field.name: field.default for field in dataclasses.fields(DomainSpec)}


def possible(spec: DomainSpec, compile: Callable[[DomainSpec], object]) -> DomainSpec:
    """Return `spec` without the parts that `compile` refuses by name."""
    while True:
        try:
            compile(spec)
        except Unsupported as error:
            smaller = _without(spec, error.field)
            if smaller == spec:
                raise
            spec = smaller
        else:
            return spec


def _without(spec: DomainSpec, field: str) -> DomainSpec:
    name = re.split(r"[.\[]", field)[0]
    value = getattr(spec, name)
    found = re.match(rf"{name}\[(\d+)\]", field)
    if found is not None:
        index = int(found[1])
        return dataclasses.replace(spec, **{name: value[:index] + value[index + 1 :]})
    if name == "boot":
        inner = field.partition(".")[2]
        empty: object = getattr(Boot(), inner)
        return dataclasses.replace(spec, boot=dataclasses.replace(value, **{inner: empty}))
    if name == "cpu":
        return dataclasses.replace(spec, cpu=dataclasses.replace(value, features=()))
    if name == "memory":
        memory = dataclasses.replace(value, source="anonymous", path=None)
        return dataclasses.replace(spec, memory=memory)
    default: Any = () if isinstance(value, tuple) else _DEFAULTS[name]
    return dataclasses.replace(spec, **{name: default})
