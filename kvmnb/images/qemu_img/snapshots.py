"""Internal snapshots: states of a disk that are kept within one qcow2 file.

virsh does the same to a guest that is defined, as ``snapshot-create-as``, ``snapshot-list``,
``snapshot-revert`` and ``snapshot-delete``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvmnb.errors import ImageError, SpecError
from kvmnb.images.qemu_img.answers import SnapshotList
from kvmnb.images.qemu_img.call import Call, Plan
from kvmnb.images.qemu_img.line import Line
from kvmnb.images.qemu_img.looking import info
from kvmnb.images.qemu_img.names import PathLike, absolute
from kvmnb.images.qemu_img.process import run
from kvmnb.images.qemu_img.trust import openable
from kvmnb.spec import validate

if TYPE_CHECKING:
    from kvmnb.images.qemu_img.answers import Info

__all__ = ["Snapshots", "apply", "create", "delete", "list", "snapshot"]

NAME_LIMIT_BYTES = 255
"""What QEMU keeps of a snapshot's name (QEMU block/snapshot.h, QEMUSnapshotInfo)."""


class Snapshots:
    """The internal snapshots of one image; made by `snapshot`.

    ``create(name)``, ``apply(name)``, ``delete(name)`` and ``list()`` each return the snapshots
    that there are afterwards. Like all calls, they have an ``aio`` form and show their
    ``command``.
    """

    def __init__(self, path: PathLike, format: str | None, force_share: bool) -> None:
        self.path = absolute(path)

        def plan_create(name: str) -> Plan[SnapshotList]:
            return create(self.path, name, format=format)

        def plan_apply(name: str) -> Plan[SnapshotList]:
            return apply(self.path, name, format=format)

        def plan_delete(name: str) -> Plan[SnapshotList]:
            return delete(self.path, name, format=format)

        def plan_list() -> Plan[SnapshotList]:
            return list(self.path, format=format, force_share=force_share)

        self.create, self.apply = Call(plan_create, create), Call(plan_apply, apply)
        self.delete, self.list = Call(plan_delete, delete), Call(plan_list, list)

    def __repr__(self) -> str:
        return f"<snapshots of {self.path!r}: .list() .create(name) .apply(name) .delete(name)>"


def snapshot(path: PathLike, *, format: str | None = None, force_share: bool = False) -> Snapshots:
    """Return the handle on an image's internal snapshots; asks nobody yet.

    Parameters
    ----------
    path : a qcow2
    format : how it is read; ``None`` reads its header, and then a file that points to further
        files is refused
    force_share : list them although a guest has it open
    """
    return Snapshots(path, format, force_share)


def list(
    path: PathLike, *, format: str | None = None, force_share: bool = False
) -> Plan[SnapshotList]:
    """Return an image's snapshots (``qemu-img snapshot -l``).

    They are read from ``qemu-img info``, whose answer is made for programs.

    Raises
    ------
    ImageError   it cannot be read, or is in use
    """
    name = absolute(path)
    facts = info(name, format=format, force_share=force_share)
    line = Line(("snapshot", "-l", *(("-U",) if force_share else ()), name))

    async def work() -> SnapshotList:
        return _listed(await facts.work(), line)

    return Plan(line, work)


def create(path: PathLike, name: str, *, format: str | None = None) -> Plan[SnapshotList]:
    """Keep the disk's present state under a name (``qemu-img snapshot -c``).

    Raises
    ------
    SpecError    not a name, or one that cannot be told from an id
    ImageError   there is one of this name already; in use; a format without snapshots
    """
    if validate.text("name", name).isdecimal():
        raise SpecError("name", name, "looks like a snapshot's id, which a number is")
    return _changing(path, "-c", name, format)


def apply(path: PathLike, name: str, *, format: str | None = None) -> Plan[SnapshotList]:
    """Set the disk back to a snapshot (``qemu-img snapshot -a``); what came after it is LOST.

    Raises
    ------
    SpecError    not a name
    ImageError   no such snapshot; in use
    """
    return _changing(path, "-a", name, format)


def delete(path: PathLike, name: str, *, format: str | None = None) -> Plan[SnapshotList]:
    """Forget a snapshot (``qemu-img snapshot -d``); the disk stays as it is.

    Raises
    ------
    SpecError    not a name
    ImageError   no such snapshot; in use
    """
    return _changing(path, "-d", name, format)


def _changing(path: PathLike, option: str, name: str, format: str | None) -> Plan[SnapshotList]:
    image = absolute(path)
    if not validate.text("name", name):
        raise SpecError("name", name, "must not be empty")
    if len(name.encode("utf-8", "surrogateescape")) > NAME_LIMIT_BYTES:
        raise SpecError("name", name, f"at most {NAME_LIMIT_BYTES} bytes fit")
    found = openable(image, format)
    if found != "qcow2":
        # qemu-img takes no format here and reads the header, which then says qcow2 as well
        raise ImageError(image, f"a {found} keeps no snapshots; a qcow2 does")
    # joined, so that a name which begins with a dash is no option
    line = Line(("snapshot", "-q", f"{option}{name}", image))

    async def work() -> SnapshotList:
        before = _listed(await info(image, format=found).work(), line)
        known = any(name in (each.id, each.name) for each in before.snapshots)
        if known == (option == "-c"):
            there = ", ".join(before.names) or "none"
            what = "there is a snapshot of this name already" if known else "no such snapshot"
            raise ImageError(image, f"{what}: {name!r}; there are: {there}")
        await run(line[1:], image)
        return _listed(await info(image, format=found).work(), line)

    return Plan(line, work)


def _listed(facts: Info, line: Line) -> SnapshotList:
    return SnapshotList(path=facts.path, snapshots=facts.snapshots, command=line)
