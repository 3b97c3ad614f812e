"""What a spec leaves open, decided: accelerator, addresses, files. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from kvmnb.compile.qemu import compile_qemu
from kvmnb.compile.runtime import DirectBoot, DiskFile, Runtime
from kvmnb.engines.qemu import accel, macs
from kvmnb.engines.qemu.facts import QemuFacts
from kvmnb.engines.qemu.folders import GuestFolder, Roots
from kvmnb.errors import SpecError
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
    base, base_format : the file under it; ``None`` for an empty disk
    size_bytes : of the disk; ``None`` for the base's own size
    """

    path: str
    base: str | None = None
    base_format: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Plan(Value):
    """All that `start` will do, before it does any of it."""

    spec: DomainSpec
    folder: GuestFolder
    choice: accel.Choice
    runtime: Runtime
    new_disks: tuple[NewDisk, ...]

    @property
    def argv(self) -> tuple[str, ...]:
        return compile_qemu(self.spec, self.runtime)


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
    runtime = Runtime(
        qemu=facts.path,
        version=facts.version,
        devices=facts.devices,
        sandbox="sandbox" in facts.options,
        accel=choice.accel,
        run_dir=folder.run_dir,
        uuid=macs.uuid(spec.name),
        disks=tuple(files),
        macs=macs.assign(spec, _taken(spec.name, roots) if spec.nics else {}),
        direct_boot=direct,
    )
    return Plan(
        spec=spec, folder=folder, choice=choice, runtime=runtime, new_disks=tuple(new_disks)
    )


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
        case NewFile(size_bytes=size_bytes):
            return overlay, NewDisk(path=target, size_bytes=size_bytes)
        case ExistingFile(path=path):
            format = disk.format or _format_of(path)
            if disk.snapshot:
                return overlay, NewDisk(path=target, base=path, base_format=format)
            return DiskFile(path=path, format=format), None
        case _:
            assert_never(disk.back)


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
