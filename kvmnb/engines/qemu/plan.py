"""What a spec leaves open, decided: accelerator, addresses, files. Changes nothing."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass

from kvmnb.compile.qemu import asks_kinds, compile_qemu
from kvmnb.compile.runtime import DirectBoot, DiskFile, FirmwareFiles, Runtime
from kvmnb.compile.targets import expressible
from kvmnb.engines.qemu import accel, macs
from kvmnb.engines.qemu.facts import QemuFacts, backends
from kvmnb.engines.qemu.folders import GuestFolder, Roots
from kvmnb.errors import HostError, SpecError, Unsupported
from kvmnb.images.catalogue import Image, Images
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import FORMATS, CatalogueImage, Disk, ExistingFile, Floppy, NewFile
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
    contents : files to write before the start, as ``(path, content)``
    links : files of another guest's to share, as ``(source, target)``
    inherited : descriptors of ours that QEMU is to have under the same numbers
    """

    spec: DomainSpec
    told: DomainSpec
    left_out: tuple[Unsupported, ...]
    folder: GuestFolder
    choice: accel.Choice
    runtime: Runtime
    new_disks: tuple[NewDisk, ...]
    copies: tuple[tuple[str, str], ...]
    contents: tuple[tuple[str, bytes], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    inherited: tuple[int, ...] = ()

    @property
    def argv(self) -> tuple[str, ...]:
        return compile_qemu(self.told, self.runtime)


def make_plan(
    spec: DomainSpec,
    roots: Roots,
    facts: QemuFacts,
    images: Images,
    *,
    looking: bool = False,
    folder: GuestFolder | None = None,
) -> Plan:
    """Decide what `spec` leaves open.

    Parameters
    ----------
    folder : for its files; ``None`` for the one of its name
    looking : somebody wants to read the texts, and nothing is to start: a file that is not there,
        firmware that is not installed or a KVM that does not work keep nobody from reading

    Raises
    ------
    SpecError    a MAC address, a file or a format does not fit this host
    ImageError   an image of the catalogue cannot be had
    HostError    KVM was asked for and does not work
    """
    folder = folder or roots.guest(spec.name)
    choice = accel.asked(spec.accel) if looking else accel.choose(spec.accel)
    told, left_out = expressible(spec, "qemu")
    if told.cdroms or told.floppies:
        told = _sniffed(told)
    if told.cpu.model == "host-model":
        # libvirt's word for the nearest named model; the host's own is nearer still
        told = dataclasses.replace(told, cpu=dataclasses.replace(told.cpu, model=None))
    files, new_disks, direct = [], [], None
    for index, disk in enumerate(spec.disks):
        target = f"{folder.state_dir}/disk{index}.qcow2"
        file, new = _disk(disk, target, images, looking)
        files.append(file)
        if new is not None:
            new_disks.append(new)
        if isinstance(disk.back, CatalogueImage):
            image = images[disk.back.name]
            _check_fit(spec, disk, image)
            direct = direct or _direct_boot(image)
    if spec.boot.location is not None:
        direct = _tree(spec.boot.location, spec.boot.append, images, looking)
    firmware, copies = _firmware(spec, folder, looking)
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
    if asks_kinds(spec):
        kinds = backends(facts.path)
        runtime = dataclasses.replace(
            runtime,
            netdevs=kinds.netdevs,
            chardevs=kinds.chardevs,
            audiodevs=kinds.audiodevs,
            displays=kinds.displays,
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


USUAL_UEFI = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
"""Where Debian's package ``ovmf`` puts them: shown where a host has none."""


def _firmware(
    spec: DomainSpec, folder: GuestFolder, looking: bool
) -> tuple[FirmwareFiles | None, tuple[tuple[str, str], ...]]:
    """Return the host's UEFI where it is asked for, and the copy that its variables are kept in."""
    if spec.firmware is None or spec.firmware.kind == "bios" or spec.firmware.code is not None:
        return None, ()
    from kvmnb.engines.qemu.firmware import find_uefi

    try:
        code, template = find_uefi(spec.machine, secure=spec.firmware.secure)
    except HostError:
        if not looking:
            raise
        code, template = USUAL_UEFI
    # the compilers know a file's format by its name
    suffix = ".qcow2" if template.endswith(".qcow2") else ".fd"
    variables = f"{folder.state_dir}/uefi-variables{suffix}"
    return FirmwareFiles(code=code, variables=variables), ((template, variables),)


def _tree(location: str, append: str, images: Images, looking: bool) -> DirectBoot:
    """Return the kernel of an install tree, fetched where it has to be."""
    from kvmnb.images.location import local

    if looking and not local(location):
        # nobody waits for a server to read a text; the names are those that a tree of Debian has
        base = location.rstrip("/")
        return DirectBoot(kernel=f"{base}/linux", initrd=f"{base}/initrd.gz", append=append)
    kernel, initrd = images.install_tree(location)
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


def _disk(
    disk: Disk, target: str, images: Images, looking: bool
) -> tuple[DiskFile, NewDisk | None]:
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
                _check_header(path, format)
                return file, None
            return file, NewDisk(path=path, format=format, size_bytes=size_bytes, sparse=sparse)
        case ExistingFile(path=path):
            gone = looking and not os.path.lexists(path)
            format = disk.format or (_format_by_name(path) if gone else _format_of(path))
            if disk.snapshot:
                return overlay, NewDisk(path=target, base=path, base_format=format)
            return DiskFile(path=path, format=format), None
        case far:
            if disk.snapshot:
                reason = "only a file can have its writes thrown away"
                raise SpecError("disk.snapshot", type(far).__name__, reason)
            return DiskFile(path="", format=disk.format or "raw"), None


def _sniffed(spec: DomainSpec) -> DomainSpec:
    """Return `spec` with the formats of its floppies; a CD-ROM has but one."""
    for cdrom in spec.cdroms:
        if isinstance(cdrom.back, ExistingFile) and os.path.isfile(cdrom.back.path):
            format = _format_of(cdrom.back.path, "cdrom")
            if format != "raw":
                raise SpecError("cdrom", cdrom.back.path, f"is a disk in {format}, no ISO image")
    return dataclasses.replace(spec, floppies=tuple(map(_floppy, spec.floppies)))


def _floppy(floppy: Floppy) -> Floppy:
    back = floppy.back
    if floppy.format is not None or not isinstance(back, ExistingFile):
        return floppy
    if not os.path.isfile(back.path):
        return floppy  # a drive, or a file that is gone, as QEMU will say
    format = _format_of(back.path, "floppy")
    return floppy if format == "raw" else dataclasses.replace(floppy, format=format)


def _check_header(path: str, format: str) -> None:
    """Refuse a file that points to another one: this disk was to be a new, empty one."""
    if format == "qcow2" and os.path.isfile(path):
        from kvmnb.images.header import peek

        if not peek(path).self_contained:
            reason = f"is there and stands on another file; disk(path, format={format!r}) takes it"
            raise SpecError("disk.path", path, reason)


def _format_of(path: str, field: str = "disk") -> str:
    from kvmnb.images.header import peek

    header = peek(path)
    if header.format not in SNIFFED:
        raise SpecError(field, path, f"looks like {header.format}; name it with format= if it is")
    if not header.self_contained:
        raise SpecError(
            field,
            path,
            "its header points to another file, and a guest could have written that; "
            f"if you trust it, say so: {field}(path, format={header.format!r})",
        )
    return header.format


def _format_by_name(path: str) -> str:
    ending = path.rpartition(".")[2].lower()
    return ending if ending in FORMATS else "raw"


def _direct_boot(image: Image) -> DirectBoot | None:
    if image.kernel_path is None:
        return None
    return DirectBoot(kernel=image.kernel_path, initrd=image.initrd_path, append=image.append)
