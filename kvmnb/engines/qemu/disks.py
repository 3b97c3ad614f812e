"""The files that are made for a guest when it starts."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from kvmnb.compile.runtime import Runtime
from kvmnb.engines.qemu.copying import layers
from kvmnb.engines.qemu.plan import NewDisk, Plan
from kvmnb.errors import SpecError
from kvmnb.spec.domain import DomainSpec

__all__ = ["create", "prepare", "remove"]

PREALLOCATED = ("qcow2", "raw")
"""The formats that can take all their room at once (qemu-img(1), "Notes"): of the others, even
a fixed one leaves holes in its file."""


async def prepare(plan: Plan, kept: list[str]) -> None:
    """Make the disks, the copy of the firmware's variables, the passwords and the seed of a guest.

    Parameters
    ----------
    kept : is given the files that were made outside the guest's own folder, as each one is there

    Raises
    ------
    ImageError   qemu-img refused: no room, a damaged base, …
    SpecError    a format that cannot take all its room at once
    """
    for disk in plan.new_disks:
        await create(disk)
        if not disk.path.startswith(f"{plan.folder.state_dir}/"):
            kept.append(disk.path)
    for source, target in plan.links:
        layers.link(source, target)
    for source, target in plan.copies:
        shutil.copyfile(source, target)
        os.chmod(target, 0o600)
    for path, content in plan.contents:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
    _passwords(plan.spec, plan.runtime)
    if plan.spec.cloud_init is not None and plan.runtime.seed is not None:
        import asyncio

        from kvmnb.images import seed

        await asyncio.to_thread(seed.write, plan.runtime.seed, plan.spec.cloud_init)


def remove(kept: Iterable[str]) -> None:
    """Take back what `prepare` has made for a guest that did not start."""
    for path in kept:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


async def create(disk: NewDisk) -> None:
    """Make one disk: empty, or an overlay that leaves its base as it is.

    Raises
    ------
    ImageError   qemu-img refused: no room, a damaged base, …
    SpecError    a format that cannot take all its room at once
    """
    from kvmnb.images.qemu_img.making import create_disk

    if not disk.sparse and disk.format not in PREALLOCATED:
        reason = f"{disk.format} files are always sparse; qcow2 and raw ones need not be"
        raise SpecError("disk.sparse", False, reason)
    await create_disk(
        Path(disk.path),
        format=disk.format,
        size_bytes=disk.size_bytes,
        backing=None if disk.base is None else Path(disk.base),
        backing_format=disk.base_format,
        options=None if disk.sparse else {"preallocation": "falloc"},
    )


def _passwords(spec: DomainSpec, runtime: Runtime) -> None:
    """Write the passwords of its screens, each to a private file that the command line names."""
    if not any(isinstance(getattr(each, "password", None), str) for each in spec.displays):
        return
    from kvmnb.compile.qemu_graphics import secrets

    for name, password in secrets(spec).items():
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(runtime.secret(name), flags, 0o600), "wb") as file:
            file.write(password.encode("utf-8", "surrogateescape"))
