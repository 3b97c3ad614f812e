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
    left_out: list[Unsupported] = []
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
    if target == "qemu" and (spec.nics or spec.disks or _is_libvirts(spec)):
        spec = _of_qemus(spec, left_out)
    return spec, tuple(left_out)


def _is_libvirts(spec: DomainSpec) -> bool:
    ends = (spec.on_poweroff, spec.on_reboot, spec.on_crash)
    usual = ends == ("destroy", "restart", "destroy") and spec.cpu.model != "host-model"
    return not usual or spec.machine.startswith(("pc-0.", "pc-1."))


NO_DEEDS = {"on_poweroff": "restart", "on_reboot": "preserve", "on_crash": "restart"}
"""What libvirt does at the end of a guest, and QEMU's ``-action`` has no word for."""


def _of_qemus(spec: DomainSpec, left_out: list[Unsupported]) -> DomainSpec:
    """Return `spec` in words of QEMU's where libvirt has more of them."""
    changes: dict[str, object] = {}

    def without(field: str, hint: str, name: str, value: object) -> None:
        left_out.append(Unsupported("qemu", field, hint))
        changes[name] = value

    for name, deed in NO_DEEDS.items():
        if getattr(spec, name) == deed:
            hint = "QEMU's -action has no such deed; libvirt starts or keeps the guest itself"
            without(name, hint, name, _DEFAULTS[name])
    if spec.cpu.model == "host-model":
        hint = "it is libvirt's; the nearest of QEMU's is the host's own: cpu('host')"
        without("cpu.model", hint, "cpu", dataclasses.replace(spec.cpu, model=None))
    if spec.machine.startswith(("pc-0.", "pc-1.")):
        hint = "it is gone since QEMU 6.0 at the latest; the same board is pc today"
        without("machine", hint, "machine", "pc")
    for index, nic in enumerate(spec.nics):
        if not nic.link:
            hint = f"no option of QEMU's says so; once the guest runs: set_link net{index} off"
            nics = tuple(dataclasses.replace(each, link=True) for each in spec.nics)
            without(f"nics[{index}].link", hint, "nics", nics)
    for index, disk in enumerate(spec.disks):
        if disk.bus == "virtio" and disk.index is not None:
            hint = "virtio disks have no numbered places: they are found in their order"
            disks = tuple(
                dataclasses.replace(each, index=None) if each.bus == "virtio" else each
                for each in spec.disks
            )
            without(f"disks[{index}].index", hint, "disks", disks)
    return dataclasses.replace(spec, **changes) if changes else spec  # type: ignore[arg-type]


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
