"""A spec with all that it leaves open filled in, as a text that was compiled from it says it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from kvmnb.compile.accel import of_accelerator
from kvmnb.compile.runtime import Runtime
from kvmnb.compile.targets import Target
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, Floppy, NewFile

if TYPE_CHECKING:
    from kvmnb.spec.boot import Boot
    from kvmnb.spec.cpu import CPU
    from kvmnb.spec.network import NIC
    from kvmnb.spec.peripherals import Vsock
    from kvmnb.spec.platform import Firmware
    from kvmnb.spec.storage import DiskBack

__all__ = ["settled"]


def settled(spec: DomainSpec, runtime: Runtime, target: Target = "qemu") -> DomainSpec:
    """Return what the text of `spec` for `target` says on this host: addresses, files, kernel.

    ``parse(compile(spec)) == settled(spec)``, and a settled spec is settled already. A disk of
    the catalogue has become the overlay's file, a MAC address the derived one, the seed of
    `cloud_init` a CD-ROM, and the kernel that an image brings stands in `boot`.

    QEMU is told every file and number. libvirt finds the firmware's files and a free address for
    a vsock by itself, so that its texts leave them open. virt-install makes new disks, which its
    lines say how; and cloud-init's files are its own, so that the seed is none of them.
    """
    given = dataclasses.replace(
        spec,
        uuid=spec.uuid or runtime.uuid,
        accel=runtime.accel,
        accel_options=of_accelerator(spec.accel_options, runtime.accel),
        cpu=_processors(spec, runtime),
        boot=_boot(spec, runtime, target),
        disks=_disks(spec, runtime, target),
        cdroms=_cdroms(spec, runtime),
        floppies=_floppies(spec, runtime),
        nics=tuple(
            dataclasses.replace(nic, mac=nic.mac or (None if _passed(nic) else mac))
            for nic, mac in zip(spec.nics, runtime.macs, strict=True)
        ),
    )
    if spec.cloud_init is not None and runtime.seed is not None:
        given = dataclasses.replace(given, cloud_init=None)
    if target == "qemu" and (spec.firmware is not None or spec.vsock is not None):
        firmware, vsock = _firmware(spec, runtime), _vsock(spec, runtime)
        given = dataclasses.replace(given, firmware=firmware, vsock=vsock)
    if target == "libvirt":
        given = _placed(given)
    if target == "virt-install" and spec.extra_xml:
        from kvmnb.compile.virt_install_extra import respelled

        given = dataclasses.replace(given, extra_xml=tuple(map(respelled, spec.extra_xml)))
    return given


def _boot(spec: DomainSpec, runtime: Runtime, target: Target) -> Boot:
    boot, direct = spec.boot, runtime.direct_boot
    if direct is None or boot.kernel is not None:
        return boot
    append = direct.append
    if boot.location is not None:
        if target != "qemu":
            # its kernel is the first start's alone
            return boot
        append = " ".join(filter(None, (direct.append, boot.append)))
    elif boot.from_firmware:
        return boot
    more: dict[str, Any] = {"kernel": direct.kernel, "initrd": direct.initrd, "append": append}
    return dataclasses.replace(boot, **more, location=None)


def _disks(spec: DomainSpec, runtime: Runtime, target: Target) -> tuple[Disk, ...]:
    made = []
    for disk, file in zip(spec.disks, runtime.disks, strict=True):
        if target == "virt-install" and _new(disk):
            made.append(disk)
            continue
        opened = _opened(disk)
        made.append(
            dataclasses.replace(
                disk,
                back=ExistingFile(file.path) if opened else disk.back,
                format=file.format if opened or disk.format else disk.format,
                size_bytes=None,
                # an overlay is what a snapshot writes to, and it is there now
                snapshot=disk.snapshot
                and isinstance(disk.back, ExistingFile)
                and disk.back.path == file.path,
            )
        )
    return _volumes(spec, made) if target == "libvirt" else tuple(made)


def _placed(spec: DomainSpec) -> DomainSpec:
    """Return `spec` with the indices that the names and addresses of its drives tell.

    A CD-ROM that is on the board's own bus anyway is not told to be there.
    """
    from kvmnb.compile.libvirt_places import PREFIXES, TOLD, fitted, places
    from kvmnb.compile.libvirt_words import own_bus

    own = own_bus(spec.machine)
    drives: tuple[Disk | CDROM, ...] = (*spec.disks, *spec.cdroms)
    buses = [drive.bus or own for drive in drives]
    if not drives or not set(buses) <= set(PREFIXES):
        return spec  # which the compiler refuses by name
    found = places([(bus, drive.index) for bus, drive in zip(buses, drives, strict=True)])
    index = fitted(buses, [place.number if place.bus in TOLD else None for place in found])
    count = len(spec.disks)
    disks = zip(spec.disks, index[:count], strict=True)
    cdroms = zip(spec.cdroms, index[count:], strict=True)
    return dataclasses.replace(
        spec,
        disks=tuple(dataclasses.replace(disk, index=at) for disk, at in disks),
        cdroms=tuple(
            dataclasses.replace(cdrom, index=at, bus=None if cdrom.bus == own else cdrom.bus)
            for cdrom, at in cdroms
        ),
    )


def _new(disk: Disk) -> bool:
    return isinstance(disk.back, NewFile) and disk.back.path is not None


def _volumes(spec: DomainSpec, disks: list[Disk]) -> tuple[Disk, ...]:
    """Return disks whose new volumes have the names that virt-install gives them.

    They are called as the guest is, with a number from the second on (virtinst's
    StorageVolume.find_free_name); a pool of files makes them qcow2.
    """
    made, count = [], 0
    for disk in disks:
        size = getattr(disk.back, "size_bytes", None)
        if size is not None and not isinstance(disk.back, NewFile):
            from kvmnb.spec.diskbacks import Volume

            assert isinstance(disk.back, Volume)
            number = f"-{count}" if count else ""
            name = disk.back.name or f"{spec.name}{number}.qcow2"
            count += disk.back.name is None
            back = Volume(pool=disk.back.pool, name=name)
            disk = dataclasses.replace(disk, back=back, format=disk.format or "qcow2")
        made.append(disk)
    return tuple(made)


def _cdroms(spec: DomainSpec, runtime: Runtime) -> tuple[CDROM, ...]:
    cdroms = tuple(
        dataclasses.replace(cdrom, back=_named(cdrom.back, runtime)) for cdrom in spec.cdroms
    )
    if spec.cloud_init is None or runtime.seed is None:
        return cdroms
    return (*cdroms, CDROM(ExistingFile(runtime.seed)))


def _floppies(spec: DomainSpec, runtime: Runtime) -> tuple[Floppy, ...]:
    return tuple(
        dataclasses.replace(
            floppy,
            back=_named(floppy.back, runtime),
            # a floppy's file is raw unless told otherwise: nobody guesses by what is in it
            format=floppy.format or ("raw" if _in_a_file(floppy.back) else None),
        )
        for floppy in spec.floppies
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


def _in_a_file(back: DiskBack | None) -> bool:
    return isinstance(back, (CatalogueImage, ExistingFile))


def _named(back: DiskBack | None, runtime: Runtime) -> DiskBack | None:
    if isinstance(back, CatalogueImage):
        return ExistingFile(runtime.catalogue[back.name])
    return back
