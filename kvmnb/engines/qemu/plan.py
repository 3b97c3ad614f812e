"""What a spec leaves open, decided: accelerator, addresses, files. Changes nothing."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass

from kvmnb.compile.qemu import compile_qemu
from kvmnb.compile.runtime import DirectBoot, DiskFile, FirmwareFiles, Runtime
from kvmnb.compile.targets import expressible
from kvmnb.engines.qemu import accel, macs
from kvmnb.engines.qemu.facts import QemuFacts
from kvmnb.engines.qemu.folders import GuestFolder, Roots
from kvmnb.errors import SpecError, Unsupported
from kvmnb.images.catalogue import Image, Images
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import CatalogueImage, Disk, ExistingFile, NewFile
from kvmnb.spec.value import Value

__all__ = ["NewDisk", "Plan", "make_plan"]


SNIFFED = {"qcow2", "raw"}
"""Formats that are read from a file's header; in any other, a header could name other files."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class NewDisk(Value):
    """A qcow2 to make before the guest starts.

    Parameters
    ----------
    path : where
    format : of it
    base, base_format : the file under it; ``None`` for an empty disk
    size_bytes : of the disk; ``None`` for the base's own size
    sparse : it takes room only as it is written
    """

    path: str
    format: str = "qcow2"
    base: str | None = None
    base_format: str | None = None
    size_bytes: int | None = None
    sparse: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Plan(Value):
    """All that `start` will do, before it does any of it.

    Parameters
    ----------
    spec : what was asked
    told : what QEMU is told: the spec without what a command line has no words for
    left_out : that, by name
    folder, choice, runtime : where it runs, by which accelerator, with which files
    new_disks : to make before the start
    copies : files to copy before the start, as ``(source, target)``
    """

    spec: DomainSpec
    told: DomainSpec
    left_out: tuple[Unsupported, ...]
    folder: GuestFolder
    choice: accel.Choice
    runtime: Runtime
    new_disks: tuple[NewDisk, ...]
    copies: tuple[tuple[str, str], ...]

    @property
    def argv(self) -> tuple[str, ...]:
        return compile_qemu(self.told, self.runtime)


def make_plan(spec: DomainSpec, roots: Roots, facts: QemuFacts, images: Images) -> Plan:
    """Decide what `spec` leaves open.

    Raises
    ------
    SpecError    a MAC address, a file or a format does not fit this host
    ImageError   an image of the catalogue cannot be had
    HostError    KVM was asked for and does not work
    """
    folder = roots.guest(spec.name)
    choice = accel.choose(spec.accel)
    told, left_out = expressible(spec, "qemu")
    if told.cpu.model == "host-model":
        # libvirt's word for the nearest named model; the host's own is nearer still
        told = dataclasses.replace(told, cpu=dataclasses.replace(told.cpu, model=None))
    files, new_disks, direct = [], [], None
    for index, disk in enumerate(spec.disks):
        target = f"{folder.state_dir}/disk{index}.qcow2"
        file, new = _disk(disk, target, images)
        files.append(file)
        if new is not None:
            new_disks.append(new)
        if isinstance(disk.back, CatalogueImage):
            image = images[disk.back.name]
            _check_fit(spec, disk, image)
            direct = direct or _direct_boot(image)
    if spec.boot.location is not None:
        direct = _tree(spec.boot.location, spec.boot.append, images)
    firmware, copies = _firmware(spec, folder)
    runtime = Runtime(
        qemu=facts.path,
        version=facts.version,
        devices=facts.devices,
        sandbox="sandbox" in facts.options,
        accel=choice.accel,
        run_dir=folder.run_dir,
        uuid=spec.uuid or macs.uuid(spec.name),
        disks=tuple(files),
        macs=macs.assign(spec, _taken(spec.name, roots) if spec.nics else {}),
        direct_boot=direct,
        catalogue={
            back.name: images[back.name].disk_path
            for back in spec.backs[len(spec.disks) :]
            if isinstance(back, CatalogueImage)
        },
        firmware=firmware,
        seed=f"{folder.state_dir}/seed.iso" if spec.cloud_init is not None else None,
    )
    return Plan(
        spec=spec,
        told=told,
        left_out=left_out,
        folder=folder,
        choice=choice,
        runtime=runtime,
        new_disks=tuple(new_disks),
        copies=copies,
    )


def _firmware(
    spec: DomainSpec, folder: GuestFolder
) -> tuple[FirmwareFiles | None, tuple[tuple[str, str], ...]]:
    """Return the host's UEFI where it is asked for, and the copy that its variables are kept in."""
    if spec.firmware is None or spec.firmware.kind == "bios" or spec.firmware.code is not None:
        return None, ()
    from kvmnb.engines.qemu.firmware import find_uefi

    code, template = find_uefi(spec.machine, secure=spec.firmware.secure)
    variables = f"{folder.state_dir}/uefi-variables.fd"
    return FirmwareFiles(code=code, variables=variables), ((template, variables),)


def _tree(location: str, append: str, images: Images) -> DirectBoot:
    """Return the kernel of an install tree, where it is kept once it has been fetched."""
    from kvmnb.images.location import fetched

    kernel, initrd = fetched(images.folder, location)
    return DirectBoot(kernel=str(kernel), initrd=str(initrd), append=append)


def _check_fit(spec: DomainSpec, disk: Disk, image: Image) -> None:
    if spec.memory.size_mib < image.least_mib:
        reason = f"image {image.name!r} needs at least {image.least_mib} MiB to start"
        raise SpecError("mem", spec.memory.size_mib, reason)
    if disk.size_bytes is not None and disk.size_bytes < image.size_bytes:
        reason = f"image {image.name!r} has {image.size_bytes} bytes; an overlay cannot be smaller"
        raise SpecError("disk.size", disk.size_bytes, reason)


def _taken(name: str, roots: Roots) -> dict[str, str]:
    """Return the addresses of all other guests that run, each with its guest's name."""
    if next(roots.folders(), None) is None:
        return {}
    from kvmnb.engines.qemu.record import records

    return {
        mac: found.spec.name
        for _, found in records(roots)
        if found.spec.name != name and found.process is not None and found.process.alive
        for mac in found.macs
    }


def _disk(disk: Disk, target: str, images: Images) -> tuple[DiskFile, NewDisk | None]:
    overlay = DiskFile(path=target, format="qcow2")
    match disk.back:
        case CatalogueImage(name=name):
            image = images[name]
            return overlay, NewDisk(
                path=target,
                base=image.disk_path,
                base_format=image.format,
                size_bytes=disk.size_bytes,
            )
        case NewFile(path=None, size_bytes=size_bytes):
            return overlay, NewDisk(path=target, size_bytes=size_bytes)
        case NewFile(path=str(path), size_bytes=size_bytes, format=format, sparse=sparse):
            file = DiskFile(path=path, format=format)
            if os.path.exists(path):
                return file, None
            return file, NewDisk(path=path, format=format, size_bytes=size_bytes, sparse=sparse)
        case ExistingFile(path=path):
            format = disk.format or _format_of(path)
            if disk.snapshot:
                return overlay, NewDisk(path=target, base=path, base_format=format)
            return DiskFile(path=path, format=format), None
        case far:
            if disk.snapshot:
                reason = "only a file can have its writes thrown away"
                raise SpecError("disk.snapshot", type(far).__name__, reason)
            return DiskFile(path="", format=disk.format or "raw"), None


def _format_of(path: str) -> str:
    from kvmnb.images.header import peek

    header = peek(path)
    if header.format not in SNIFFED:
        raise SpecError("disk", path, f"looks like {header.format}; name it with format= if it is")
    if not header.self_contained:
        raise SpecError(
            "disk",
            path,
            "its header points to another file, and a guest could have written that; "
            f"if you trust it, say so: disk(path, format={header.format!r})",
        )
    return header.format


def _direct_boot(image: Image) -> DirectBoot | None:
    if image.kernel_path is None:
        return None
    return DirectBoot(kernel=image.kernel_path, initrd=image.initrd_path, append=image.append)
