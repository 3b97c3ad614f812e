"""Made-up facts of a host, to compile descriptions with, without asking anybody."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

from kvmnb.compile.qemu import compile_qemu
from kvmnb.compile.runtime import DirectBoot, DiskFile, FirmwareFiles, Runtime
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import ExistingFile, NewFile
from tests.compile.probes import probes

__all__ = ["compiled", "files_for", "runtime"]


def files_for(spec: DomainSpec) -> tuple[DiskFile, ...]:
    """Return the files behind the disks of `spec`, as an engine would choose them."""
    found = []
    for index, disk in enumerate(spec.disks):
        path, format = f"/state/disk{index}.qcow2", "qcow2"
        if isinstance(disk.back, ExistingFile) and not disk.snapshot:
            path, format = disk.back.path, disk.format or "qcow2"
        elif isinstance(disk.back, NewFile) and disk.back.path is not None:
            path, format = disk.back.path, disk.back.format
        found.append(DiskFile(path=path, format=format))
    return tuple(found)


def runtime(spec: DomainSpec, version: str = "7.2", **changes: Any) -> Runtime:
    """Return made-up facts that fit `spec`, of a host with the recorded QEMU of that version."""
    probe = probes()[version]
    kvm = spec.accel == "kvm" or spec.cpu.model == "host"
    made = Runtime(
        qemu="/usr/bin/qemu-system-x86_64",
        version=probe.version,
        devices=probe.devices,
        sandbox=True,
        accel="kvm" if kvm else "tcg",
        run_dir="/run/user/1000/kvmnb/test",
        uuid=spec.uuid or "12345678-1234-8234-8234-123456789abc",
        disks=files_for(spec),
        macs=tuple(nic.mac or f"52:54:00:00:00:{i:02x}" for i, nic in enumerate(spec.nics)),
        direct_boot=DirectBoot(kernel="/tree/vmlinuz") if spec.boot.location else None,
        netdevs=probe.netdevs,
        chardevs=probe.chardevs,
        audiodevs=probe.audiodevs,
        catalogue=collections.defaultdict(lambda: "/images/one.img"),
        firmware=FirmwareFiles(code="/ovmf/code.fd", variables="/state/variables.fd"),
        seed="/state/seed.iso" if spec.cloud_init is not None else None,
    )
    return dataclasses.replace(made, **changes)


def compiled(spec: DomainSpec, version: str = "7.2", **changes: Any) -> tuple[str, ...]:
    """Return the argument list of `spec` on that host."""
    return compile_qemu(spec, runtime(spec, version, **changes))
