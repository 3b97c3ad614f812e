"""The verbs of a guest that keep its state within its disks, or in a file."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from kvmnb import portal
from kvmnb.cells import before_change
from kvmnb.portal import verb

if TYPE_CHECKING:
    from kvmnb.display.progress import Showing
    from kvmnb.display.snapshots import Snapshots
    from kvmnb.engines.base import GuestControl

__all__ = ["GuestSaved"]


class GuestSaved:
    """What `Guest` can do with snapshots and saved states, as QEMU and virsh have them."""

    def __init__(self, control: GuestControl) -> None:
        self._control = control

    # -- its snapshots, and its state in a file -------------------------------------------

    @property
    def snapshots(self) -> Snapshots:
        """The snapshots that `loadvm` can go back to, as a table (HMP's ``info snapshots``).

        Unlike the other properties this one asks QEMU.
        """
        from kvmnb.display.snapshots import Snapshots

        return Snapshots(portal.run(self._control.snapshots()))

    @verb
    def savevm(self, name: str) -> Coroutine[Any, Any, None]:
        """Keep its state, memory and disks, as a snapshot within its qcow2 disks.

        It stands still while QEMU writes, longer than for a `checkpoint`. The snapshot lives as
        long as the disk: on an overlay of an image, until the guest ends.

        Parameters
        ----------
        name : up to 255 bytes, not a number

        Raises
        ------
        SpecError      not a name, or one that a snapshot of this guest bears
        Unsupported    it has no disk to keep it in, a disk that is no qcow2, or a device whose
            state cannot be kept
        StateError     a migration is under way
        CommandError   QEMU could not write it
        """
        from kvmnb.display.progress import progress

        async def work(shown: Showing) -> None:
            with shown as report:
                await self._control.savevm(name, report)

        return work(progress(f"savevm {name}"))

    @verb
    def loadvm(self, name: str) -> Coroutine[Any, Any, None]:
        """Set it back to a snapshot: memory and disks as they were, the clock as it is now.

        What came after the snapshot is lost; other snapshots stay, later ones too.

        Raises
        ------
        SpecError      there is none of that name
        Unsupported    it has a disk that is no qcow2
        StateError     a migration is under way
        CommandError   QEMU could not load it; the guest may be of no use then
        """
        from kvmnb.display.progress import progress

        async def work(shown: Showing) -> None:
            await before_change(self._control)
            with shown as report:
                await self._control.loadvm(name, report)

        return work(progress(f"loadvm {name}"))

    @verb
    def delvm(self, name: str) -> Coroutine[Any, Any, None]:
        """Forget a snapshot; the guest stays as it is.

        Raises
        ------
        SpecError      there is none of that name
        StateError     a migration is under way
        CommandError   QEMU could not delete it
        """
        from kvmnb.display.progress import progress

        async def work(shown: Showing) -> None:
            with shown as report:
                await self._control.delvm(name, report)

        return work(progress(f"delvm {name}"))

    @verb
    def save(self, path: str | os.PathLike[str]) -> Coroutine[Any, Any, None]:
        """Write its whole state to one file and end it; `Host.restore` starts it there again.

        The file holds memory, devices, and all that was written to disks that lie on an image or
        are the guest's own; it can be moved, and only you can read it. Images, and disks that
        are files of yours, stay where they are. If anything fails, the guest goes on.

        Parameters
        ----------
        path : of the file; an older saved guest there is replaced

        Raises
        ------
        SpecError     there is no such folder, or something else is at `path`
        HostError     no room, or no right to write there
        StateError    it neither runs nor is paused, or a migration is under way
        Unsupported   it has a device whose state cannot be kept
        """
        from kvmnb.display.progress import progress

        async def work(shown: Showing) -> None:
            with shown as report:
                await self._control.save(os.fspath(path), report)

        return work(progress(f"save {self._control.info.name}"))
