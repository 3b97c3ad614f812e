"""What a target has no words for, and its text can do without: the guest stays as it is."""

from __future__ import annotations

import dataclasses
from typing import Literal

from kvmnb.errors import Unsupported
from kvmnb.spec.domain import DomainSpec

__all__ = ["Target", "expressible", "refuse"]

Target = Literal["qemu", "libvirt", "virt-install"]

_HINTS: dict[Target, dict[str, str]] = {
    "qemu": {
        "title": "QEMU keeps no words for people; libvirt does",
        "description": "QEMU keeps no words for people; libvirt does",
        "autostart": "nothing starts a bare QEMU with the host; libvirt does",
        "osinfo": "QEMU does not ask what runs in a guest",
        "extra_xml": "it is libvirt's own; QEMU runs the guest without it",
        "memory.current_mib": "the balloon is set once the guest runs: balloon N in the monitor",
    },
    "libvirt": {
        "autostart": "it is no part of the XML; run: virsh autostart NAME",
        "paused": "it is no part of the XML; run: virsh start --paused NAME",
        "incoming": "libvirt opens the door itself: virsh migrate --live NAME URI",
        "monitors": "libvirt keeps the monitor: virsh qemu-monitor-command NAME --hmp LINE",
    },
    "virt-install": {
        "paused": "run: virsh suspend NAME",
        "incoming": "libvirt opens the door itself: virsh migrate --live NAME URI",
        "monitors": "libvirt keeps the monitor: virsh qemu-monitor-command NAME --hmp LINE",
    },
}


def expressible(spec: DomainSpec, target: Target) -> tuple[DomainSpec, tuple[Unsupported, ...]]:
    """Return `spec` without what `target` says elsewhere or not at all, and what that was.

    The guest's devices are the same with and without these fields.
    """
    left_out = []
    for field, hint in _HINTS[target].items():
        name, _, inner = field.partition(".")
        value = getattr(spec, name)
        default = _DEFAULTS[name]
        if inner:
            if getattr(value, inner) is None:
                continue
            changed: object = dataclasses.replace(value, **{inner: None})
        elif value == default:
            continue
        else:
            changed = default
        spec = dataclasses.replace(spec, **{name: changed})  # type: ignore[arg-type]
        left_out.append(Unsupported(target, field, hint))
    return spec, tuple(left_out)


def refuse(spec: DomainSpec, target: Target) -> None:
    """Raise for the first field that `expressible` would leave out.

    Raises
    ------
    Unsupported   by that field's name
    """
    _, left_out = expressible(spec, target)
    if left_out:
        raise left_out[0]


_DEFAULTS = {field.name: field.default for field in dataclasses.fields(DomainSpec)}
