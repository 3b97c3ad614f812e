"""What buttons do to a guest, and what to say of it afterwards."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kvmnb.errors import KvmnbError, SpecError

if TYPE_CHECKING:
    from kvmnb.engines.base import GuestControl

__all__ = ["Deeds", "Said", "last_done", "failed", "LEAST_MIB"]

Said = Mapping[str, str]
"""Keys ``verb``, ``qmp`` and ``virsh`` of what was done, or ``verb`` and ``error``."""

LEAST_MIB = 16
"""Below this a Linux guest has nothing left to give and kills its own processes."""

MOST_CHARACTERS = 2000

_log = logging.getLogger(__name__)


class Deeds:
    """What buttons do to one guest, one after the other; lives on the portal's loop.

    Parameters
    ----------
    control : the guest
    on_change : called when a deed begins or has ended, with what to say if it failed
    """

    def __init__(self, control: GuestControl, on_change: Callable[[Said | None], None]) -> None:
        self._control, self._on_change = control, on_change
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.busy = ""

    def press(self, verb: object, memory_mib: object = None) -> None:
        """Begin what a page asks for.

        Parameters
        ----------
        verb : ``suspend resume shutdown balloon``
        memory_mib : what the balloon is to leave the guest
        """
        task = asyncio.get_running_loop().create_task(self._do(verb, memory_mib))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Wait for nothing any longer; a power button stays pressed."""
        for task in tuple(self._tasks):
            task.cancel()

    async def _do(self, verb: object, memory_mib: object) -> None:
        said: Said | None = None
        try:
            if verb == "shutdown":
                await self._shutdown()
            else:
                async with self._turn:
                    await self._change(verb, memory_mib)
        except KvmnbError as error:
            said = failed(str(verb), error)
        except Exception as error:
            _log.exception("%s of guest %r failed", verb, self._control.info.name)
            said = failed(str(verb), error)
        self._on_change(said)

    async def _shutdown(self) -> None:
        """Press the power button once, however often the button here is pressed meanwhile."""
        if self.busy:
            return
        self.busy = "shutdown"
        self._on_change(None)
        try:
            await self._control.shutdown(None)
        finally:
            self.busy = ""

    async def _change(self, verb: object, memory_mib: object) -> None:
        match verb:
            case "suspend":
                await self._control.suspend()
            case "resume":
                await self._control.resume()
            case "balloon":
                await self._control.balloon(self._size_mib(memory_mib))
            case _:
                raise SpecError("verb", verb, "must be suspend, resume, shutdown or balloon")

    def _size_mib(self, memory_mib: object) -> int:
        if isinstance(memory_mib, bool) or not isinstance(memory_mib, int):
            raise SpecError("balloon", memory_mib, "must be a whole number of MiB")
        most_mib = self._control.info.spec.memory.size_mib
        if memory_mib < min(LEAST_MIB, most_mib):
            raise SpecError("balloon", memory_mib, f"below {LEAST_MIB} MiB no guest goes on")
        return memory_mib


def last_done(control: GuestControl) -> Said | None:
    """Return what changed the guest last, whoever did it; ``None`` if nothing has."""
    history = control.history
    if not history:
        return None
    return {key: history[-1].get(key, "") for key in ("verb", "qmp", "virsh", "time_s")}


def failed(verb: str, error: Exception) -> Said:
    """Return what to say of a verb that failed."""
    return {"verb": verb, "error": str(error)[:MOST_CHARACTERS]}
