"""Every field of a description is in every target's text, or is refused by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from kvmnb import SpecError, Unsupported
from kvmnb.compile.runtime import Runtime
from kvmnb.spec.cloud_init import CloudInit
from kvmnb.spec.codec import HOMES, kind_named
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import CatalogueImage, Disk, NewFile
from tests.compile.flips import BASES, FLIPS, flipped
from tests.compile.made import runtime


def _qemu(spec: DomainSpec, given: Runtime) -> object:
    """Return all that a start is made of: words, passwords in files, programs beside QEMU."""
    from kvmnb.compile.qemu import compile_qemu
    from kvmnb.compile.qemu_graphics import secrets
    from kvmnb.compile.qemu_peripherals import helpers

    return compile_qemu(spec, given), secrets(spec), helpers(spec, given)


def _libvirt(spec: DomainSpec, given: Runtime) -> object:
    from kvmnb.compile.libvirt import compile_libvirt

    return (
        compile_libvirt(spec, given),
        compile_libvirt(spec, given, first_start=True),
    )


def _virt_install(spec: DomainSpec, given: Runtime) -> object:
    from kvmnb.compile.virt_install import compile_virt_install

    return compile_virt_install(spec, given)


TARGETS: dict[str, Callable[[DomainSpec, Runtime], object]] = {
    "qemu": _qemu,
    "libvirt": _libvirt,
    "virt-install": _virt_install,
}

MADE_BEFORE = {
    *((NewFile, field) for field in ("size_bytes", "path", "format", "sparse")),
    *((CloudInit, field.name) for field in dataclasses.fields(CloudInit)),
    (CatalogueImage, "name"),
    (Disk, "size_bytes"),
}
"""What is in a file that is made before the guest is: a text only has the file's path."""

PAIRED = {
    ("NUMANode", "memory_mib"): "two nodes change together, or they do not hold the memory",
}


def _fields() -> set[tuple[type, str]]:
    kinds = [kind_named(name) for name in HOMES]
    return {(kind, each.name) for kind in kinds if kind for each in dataclasses.fields(kind)}


def test_a_new_field_needs_a_flip():
    assert set(FLIPS) == _fields()
    assert set(BASES) == {kind_named(name) for name in HOMES}
    empty = {(kind.__name__, field) for (kind, field), flips in FLIPS.items() if not flips}
    assert empty == set(PAIRED)


def _outcome(target: str, spec: DomainSpec) -> Any:
    try:
        return TARGETS[target](spec, runtime(spec, version="10.0"))
    except (Unsupported, SpecError) as error:
        return error


CASES = [(kind, field, changes) for (kind, field), flips in FLIPS.items() for changes in flips]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("kind", "field", "changes"),
    CASES,
    ids=[f"{kind.__name__}.{field}-{i}" for i, (kind, field, _) in enumerate(CASES)],
)
def test_a_change_of_any_field_changes_the_text_or_is_refused_by_name(target, kind, field, changes):
    pytest.importorskip(f"kvmnb.compile.{target.replace('-', '_')}")
    base, _ = BASES[kind]
    before, after = _outcome(target, base), _outcome(target, flipped(kind, changes))
    if isinstance(after, Exception):
        assert isinstance(after, (Unsupported, SpecError))
        assert after.field
        return
    if (kind, field) in MADE_BEFORE and after == before:
        pytest.skip("it is in a file that is made beforehand")
    assert after != before


@pytest.mark.parametrize("kind", BASES, ids=lambda kind: kind.__name__)
def test_what_is_compared_for_qemu_compiles_unless_it_is_libvirts(kind):
    outcome = _outcome("qemu", BASES[kind][0])
    if isinstance(outcome, Exception):
        assert kind.__name__ in {"ExtraXML", "Volume", "LibvirtNetwork", "Direct", "Passt"}, outcome


def test_two_nodes_share_out_the_memory_as_asked():
    spec, _ = BASES[kind_named("NUMANode")]  # type: ignore[index]
    one, two = spec.numa
    moved = dataclasses.replace(
        spec,
        numa=(
            dataclasses.replace(one, memory_mib=32),
            dataclasses.replace(two, memory_mib=96),
        ),
    )
    assert _outcome("qemu", moved) != _outcome("qemu", spec)
