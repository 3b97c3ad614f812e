"""A spec with all that it leaves open filled in, as a text that was compiled from it says it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from kvmnb.compile.runtime import Runtime
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import CatalogueImage, Disk, ExistingFile, NewFile

if TYPE_CHECKING:
    from kvmnb.spec.cpu import CPU
    from kvmnb.spec.network import NIC
    from kvmnb.spec.peripherals import Vsock
    from kvmnb.spec.platform import Firmware
    from kvmnb.spec.storage import DiskBack

__all__ = ["settled"]


def settled(spec: DomainSpec, runtime: Runtime) -> DomainSpec:
    """Return what the texts of `spec` say on this host: addresses, files, accelerator.

    ``parse(compile(spec)) == settled(spec)``, and a settled spec is settled already. A disk of
    the catalogue has become the overlay's file, a MAC address the derived one, and so on.
    """
    disks = tuple(
        dataclasses.replace(
            disk,
            back=ExistingFile(file.path) if _opened(disk) else disk.back,
            format=file.format if _opened(disk) or disk.format else disk.format,
            size_bytes=None,
            # an overlay is what a snapshot writes to, and it is there now
            snapshot=disk.snapshot and isinstance(disk.back, ExistingFile) and _same(disk, file),
        )
        for disk, file in zip(spec.disks, runtime.disks, strict=True)
    )
    cdroms = tuple(
        dataclasses.replace(cdrom, back=_named(cdrom.back, runtime)) for cdrom in spec.cdroms
    )
    floppies = tuple(
        dataclasses.replace(floppy, back=_named(floppy.back, runtime)) for floppy in spec.floppies
    )
    nics = tuple(
        dataclasses.replace(nic, mac=nic.mac or (None if _passed(nic) else mac))
        for nic, mac in zip(spec.nics, runtime.macs, strict=True)
    )
    return dataclasses.replace(
        spec,
        uuid=spec.uuid or runtime.uuid,
        accel=runtime.accel,
        cpu=_processors(spec, runtime),
        firmware=_firmware(spec, runtime),
        vsock=_vsock(spec, runtime),
        disks=disks,
        cdroms=cdroms,
        floppies=floppies,
        nics=nics,
    )


def _processors(spec: DomainSpec, runtime: Runtime) -> CPU:
    if spec.cpu.model is None and runtime.accel == "kvm":
        return dataclasses.replace(spec.cpu, model="host")
    if spec.cpu.model is None and spec.cpu.features:
        return dataclasses.replace(spec.cpu, model="qemu64")
    return spec.cpu


def _firmware(spec: DomainSpec, runtime: Runtime) -> Firmware | None:
    asked, own = spec.firmware, runtime.firmware
    if asked is None or asked.kind == "bios" or own is None:
        return asked
    return dataclasses.replace(
        asked, code=asked.code or own.code, variables=asked.variables or own.variables
    )


def _vsock(spec: DomainSpec, runtime: Runtime) -> Vsock | None:
    if spec.vsock is None or spec.vsock.cid is not None:
        return spec.vsock
    from kvmnb.compile.qemu_peripherals import vsock_cid

    return dataclasses.replace(spec.vsock, cid=vsock_cid(None, runtime))


def _passed(nic: NIC) -> bool:
    from kvmnb.spec.netbacks import HostNIC

    return isinstance(nic.back, HostNIC)


def _opened(disk: Disk) -> bool:
    return isinstance(disk.back, (CatalogueImage, ExistingFile, NewFile))


def _same(disk: Disk, file: object) -> bool:
    return isinstance(disk.back, ExistingFile) and disk.back.path == getattr(file, "path", None)


def _named(back: DiskBack | None, runtime: Runtime) -> DiskBack | None:
    if isinstance(back, CatalogueImage):
        return ExistingFile(runtime.catalogue[back.name])
    return back
