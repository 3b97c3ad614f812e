"""A guest that was read from a text, brought to this host: paths, names of images, notes."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from kvmnb.parse.result import Note, Parsed
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.network import User
from kvmnb.spec.storage import CatalogueImage, ExistingFile, NewFile

if TYPE_CHECKING:
    from kvmnb.builder.base import HostLike
    from kvmnb.spec.storage import DiskBack

__all__ = ["brought_here"]


def brought_here(parsed: Parsed, host: HostLike) -> tuple[DomainSpec, tuple[Note, ...]]:
    """Return the spec with absolute paths, so that a later chdir changes nothing, and its notes.

    A disk that is called like an image of the catalogue, where there is no file of that name,
    means the image: ``qemu-kvm -hda tiny`` runs.
    """
    notes = list(parsed.notes)
    spec = parsed.spec

    def back(given: DiskBack | None) -> DiskBack | None:
        match given:
            case ExistingFile(path=path) if not os.path.lexists(path) and path in host.images:
                notes.append(_image_note(parsed.text, path))
                return CatalogueImage(path)
            case ExistingFile(path=path):
                return ExistingFile(os.path.abspath(path))
            case NewFile(path=str(path)):
                return dataclasses.replace(given, path=os.path.abspath(path))
            case _:
                return given

    def placed(parts: tuple[Any, ...]) -> tuple[Any, ...]:
        moved = []
        for part in parts:
            new = back(part.back)
            named = isinstance(new, CatalogueImage) and not isinstance(part.back, CatalogueImage)
            # an image brings its own format
            more = {"format": None} if named and hasattr(part, "format") else {}
            moved.append(dataclasses.replace(part, back=new, **more))
        return tuple(moved)

    boot = {
        field: os.path.abspath(path)
        for field in ("splash", "kernel", "initrd", "dtb")
        if (path := getattr(spec.boot, field)) is not None
    }
    here = dataclasses.replace(
        spec,
        disks=placed(spec.disks),
        cdroms=placed(spec.cdroms),
        floppies=placed(spec.floppies),
        boot=dataclasses.replace(spec.boot, **boot),
        nics=tuple(
            dataclasses.replace(
                nic, back=dataclasses.replace(nic.back, tftp=os.path.abspath(nic.back.tftp))
            )
            if isinstance(nic.back, User) and nic.back.tftp is not None
            else nic
            for nic in spec.nics
        ),
    )
    return here, tuple(notes)


def _image_note(text: str, name: str) -> Note:
    return Note(
        position=max(text.find(name), 0),
        text=name,
        kind="changed",
        message=f"there is no file {name!r} here; it means the image of that name, and the guest "
        "gets a fresh overlay on it",
    )
