"""What a text says of a spec: two specs that one text stands for are one here."""

from __future__ import annotations

import dataclasses
from typing import Any

from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC
from kvmnb.spec.netbacks import Tap
from kvmnb.spec.storage import CDROM

__all__ = ["said_by_qemu"]


def said_by_qemu(spec: DomainSpec) -> DomainSpec:
    """Return `spec` as a QEMU line can say it, where it leaves two ways open.

    A password is in a file of the engine's, a window comes before the servers, a CD-ROM without
    a bus is on the board's own, a controller that something needs is not asked for besides.
    """
    fields: dict[str, Any] = {
        "displays": _displays(spec),
        "cdroms": tuple(map(_cdrom, spec.cdroms)),
        "nics": tuple(map(_nic, spec.nics)),
    }
    drives: tuple[Any, ...] = (*spec.disks, *spec.cdroms)
    if not any(part.bus == "scsi" for part in drives):
        fields["scsi"] = "virtio"
    if spec.usb == "xhci" and _on_usb(spec):
        fields["usb"] = None
    if spec.cpu.model == "host" and spec.accel == "kvm":
        fields["cpu"] = dataclasses.replace(spec.cpu, model=None)
    return dataclasses.replace(spec, **fields)


def _displays(spec: DomainSpec) -> tuple[Any, ...]:
    found = []
    each: Any
    for each in spec.displays:
        if isinstance(each, VNC):
            keys = {other.keymap for other in spec.displays if isinstance(other, VNC)} - {None}
            own = each.display is not None and each.listen == "127.0.0.1"
            each = dataclasses.replace(
                each,
                password=bool(each.password),
                listen=None if own else each.listen,
                keymap=next(iter(keys), None),
            )
        elif getattr(each, "password", None) is not None:
            each = dataclasses.replace(each, password="secret")
        if getattr(each, "listen", None) == "127.0.0.1" and not isinstance(each, VNC):
            each = dataclasses.replace(each, listen=None)
        found.append(each)
    return tuple(sorted(found, key=lambda each: not hasattr(each, "toolkit")))


def _cdrom(cdrom: CDROM) -> CDROM:
    return dataclasses.replace(cdrom, bus=None) if cdrom.bus == "ide" else cdrom


def _nic(nic: Any) -> Any:
    if nic.queues is not None and isinstance(nic.back, Tap):
        nic = dataclasses.replace(nic, back=dataclasses.replace(nic.back, queues=None))
    if nic.queues is not None and nic.vectors == 2 * nic.queues + 2:
        nic = dataclasses.replace(nic, vectors=None)
    return nic


def _on_usb(spec: DomainSpec) -> bool:
    placed: tuple[Any, ...] = (*spec.disks, *spec.cdroms, *spec.inputs)
    made: tuple[Any, ...] = (*spec.serials, *spec.sounds)
    buses, models = [part.bus for part in placed], [part.model for part in made]
    return "usb" in (*buses, *models) or any(hasattr(each, "vendor") for each in spec.hostdevs)
