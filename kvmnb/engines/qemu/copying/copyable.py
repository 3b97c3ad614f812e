"""What keeps a guest from being copied while it runs, seen from its description."""

from __future__ import annotations

from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import CatalogueImage, Disk, ExistingFile, NewFile

__all__ = ["own_disk", "reason"]


def own_disk(disk: Disk) -> bool:
    """Return whether what the guest writes to this disk goes to its own state folder."""
    match disk.back:
        case CatalogueImage() | NewFile(path=None):
            return True
        case ExistingFile():
            return disk.snapshot
        case _:
            return False


def reason(spec: DomainSpec) -> str:
    """Return why a guest described so cannot be copied while it runs, or ``""``."""
    for index, disk in enumerate(spec.disks):
        if disk.readonly or own_disk(disk):
            continue
        if disk.shared:
            return f"disk {index} is shared: another guest may write to it at any moment"
        return (
            f"disk {index} is written in place, and a copy needs it as it is now: "
            "let it be an overlay, with disk(…, snapshot=True)"
        )
    for index, floppy in enumerate(spec.floppies):
        if floppy.back is not None and not floppy.readonly:
            return f"floppy {index} is written in place: floppy(…, readonly=True)"
    parts = (
        (spec.hostdevs, "a device of the host is passed through: hostdev()"),
        (spec.vsock, "its vsock address is the host kernel's: vsock()"),
        (spec.tpm, "its TPM keeps a state of its own: tpm()"),
        (spec.shares, "it shares a folder with the host: share()"),
    )
    for part, why in parts:
        if part:
            return why
    if spec.memory.hugepages or spec.memory.source == "file":
        return "its memory is a file or huge pages of the user's choice: mem()"
    if spec.numa and not spec.memory.plain:
        return "its memory is in several parts: numa()"
    if spec.incoming is not None:
        return "it waits for a guest to move in: incoming()"
    return ""
