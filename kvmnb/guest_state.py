"""The verbs of a guest that keep its state, copy it and put it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from kvmnb.engines.base import Checkpoint
from kvmnb.errors import SpecError
from kvmnb.portal import verb
from kvmnb.spec import validate
from kvmnb.units import FOREVER, Duration, duration_s

if TYPE_CHECKING:
    from kvmnb.display.checkpoints import Checkpoints
    from kvmnb.engines.base import GuestControl
    from kvmnb.guest import Guest

__all__ = ["GuestState"]

FORKS_LIMIT = 1000
"""More copies at once are a slip of the keyboard: each is a QEMU of its own."""


class GuestState:
    """What `Guest` can do with its state."""

    def __init__(self, control: GuestControl) -> None:
        self._control = control

    # -- checkpoints ----------------------------------------------------------------------

    @property
    def checkpoints(self) -> Checkpoints:
        """The states that it can be put back to, as a tree: name, when, size, by which cell."""
        from kvmnb.display.checkpoints import Checkpoints

        found, current = self._control.checkpoints()
        return Checkpoints(found, current, self._control.info.name)

    @verb
    async def checkpoint(self, label: str = "", *, keep: bool = False) -> Checkpoint:
        """Keep its state as it is now: memory, devices and disks; it goes on after a blink.

        Parameters
        ----------
        label : what to call it; ``""`` numbers it
        keep : it outlives the guest

        Raises
        ------
        StateError   the guest cannot be copied while it runs, and why
        HostError    no room on the host's disk
        """
        validate.switch("checkpoint.keep", keep)
        name = validate.text("checkpoint.label", label) if label else ""
        if not name:
            name = f"checkpoint {len(self._control.checkpoints()[0]) + 1}"
        return await self._control.checkpoint(name, cell=None, keep=keep)

    @verb
    async def rewind(self, to: Checkpoint | str) -> None:
        """Put it back to a checkpoint: memory, devices and disks as they were, the clock as it is.

        It is the same guest afterwards, at the same addresses, and this object its handle.

        Parameters
        ----------
        to : a checkpoint, its label (of several alike the newest), or its id

        Raises
        ------
        KeyError     it has no such checkpoint
        StateError   the checkpoint is damaged; the guest goes on as it was
        """
        await self._control.rewind(self._meant(to))

    @verb
    async def drop(self, checkpoint: Checkpoint | str) -> None:
        """Forget a checkpoint; those that were taken after it stay.

        Raises
        ------
        KeyError   it has no such checkpoint
        """
        await self._control.drop(self._meant(checkpoint))

    def _meant(self, which: Checkpoint | str) -> str:
        if isinstance(which, Checkpoint):
            return which.id
        return self.checkpoints[validate.text("checkpoint", which)].id

    # -- copies ---------------------------------------------------------------------------

    @verb
    async def fork(
        self,
        count: int = 1,
        *,
        names: Sequence[str] | None = None,
        keep: Duration | None = None,
    ) -> list[Guest]:
        """Start running copies of it, and return them once they answer.

        A copy goes on from the same instant, in a machine of its own: name, UUID, MAC addresses,
        disks, clock and random numbers. Memory that none of them has written is there once.

        Parameters
        ----------
        count : how many
        names : of the copies; ``None`` for ``test-1``, ``test-2`` …
        keep : how long each outlives its last owner; ``None`` as this guest

        Raises
        ------
        StateError   it cannot be copied while it runs, and why; or a name is taken
        StartError   a copy did not start; then there is none of them
        """
        if names is not None:
            names = tuple(names)
            for name in names:
                validate.name("fork.names", name)
            if len(set(names)) != len(names) or not names:
                raise SpecError("fork.names", names, "must be names, each for one copy")
            count = len(names)
        validate.positive("fork.count", count, FORKS_LIMIT)
        keep_s = self._control.info.keep_s
        if keep is not None:
            keep_s = None if keep == FOREVER else duration_s(keep, "fork.keep")
        controls = await self._control.fork(names or count, keep_s=keep_s)
        return cast("list[Guest]", [type(self)(control) for control in controls])
