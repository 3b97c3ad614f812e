"""Descriptions cut down to what libvirt has words for."""

from __future__ import annotations

from hypothesis import reject

from kvmnb import SpecError, Unsupported
from kvmnb.compile.libvirt import compile_libvirt
from kvmnb.spec.domain import DomainSpec
from tests.compile.made import runtime
from tests.compile.possible import possible

__all__ = ["sayable"]


def sayable(spec: DomainSpec) -> DomainSpec:
    """Return `spec` without what is refused by name; what falls apart then is not tried."""
    try:
        return possible(spec, lambda each: compile_libvirt(each, runtime(each)))
    except (SpecError, Unsupported):
        reject()
