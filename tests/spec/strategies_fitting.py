"""Parts that are each valid, and do not fit together for QEMU: what is left of them that does."""

from __future__ import annotations

import dataclasses
import itertools

from kvmnb.spec import charbacks
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC
from kvmnb.spec.netbacks import VhostUser
from kvmnb.spec.screens import Spice, Window

__all__ = ["fitting"]


def fitting(spec: DomainSpec) -> DomainSpec:
    """Return `spec` without what QEMU refuses, since parts that are each valid do not fit."""
    spice = [each for each in spec.displays if isinstance(each, Spice)]
    windows = [each for each in spec.displays if isinstance(each, Window)]
    channels = {
        each.name: each
        for each in spec.channels
        if spice or not isinstance(each.back, charbacks.SpicePort)
    }
    shared = spec.memory.shared
    virtiofs = any(each.kind == "virtiofs" for each in spec.shares)
    tpm, firmware = spec.tpm, spec.firmware
    spec = _in_turn(spec)
    return dataclasses.replace(
        spec,
        displays=tuple(
            each
            for each in spec.displays
            if not (each in spice[1:] or each in windows[1:])
            and not (isinstance(each, VNC) and each.keymap != _keymap(spec))
        ),
        channels=tuple(channels.values()),
        sounds=tuple(each for each in spec.sounds if spice or each.back != "spice"),
        # where a share of virtiofsd's comes from is not in QEMU's words
        shares=() if virtiofs else spec.shares,
        videos=tuple(
            each
            for index, each in enumerate(spec.videos)
            if index == 0 or each.model in {"std", "qxl", "virtio", "bochs"}
        ),
        nics=tuple(each for each in spec.nics if shared or not isinstance(each.back, VhostUser)),
        tpm=None if tpm is not None and (tpm.model, tpm.version) == ("crb", "1.2") else tpm,
        firmware=(
            dataclasses.replace(firmware, secure=False)
            if firmware is not None and firmware.secure and "q35" not in spec.machine
            else firmware
        ),
        usb="xhci" if spec.usb == "ehci" else spec.usb,
        disks=tuple(
            each for index, each in enumerate(spec.disks) if each.bus != "sd" or index == 0
        ),
    )


def _in_turn(spec: DomainSpec) -> DomainSpec:
    """Return `spec` with no two devices that want one turn to boot."""
    turns = itertools.count(1)
    changed = {
        field: tuple(
            part if part.bootindex is None else dataclasses.replace(part, bootindex=next(turns))
            for part in getattr(spec, field)
        )
        for field in ("disks", "cdroms", "nics")
    }
    return dataclasses.replace(spec, **changed)  # type: ignore[arg-type]


def _keymap(spec: DomainSpec) -> str | None:
    return next((each.keymap for each in spec.displays if isinstance(each, VNC)), None)
