"""Events for a process that does not hear QEMU's own: another one has the monitor that tells them.

QEMU sends its events to its first monitor's client alone. A second process that listens looks
at the guest's state now and then instead, and stops once it has become the first.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from kvmnb.engines.base import Event
from kvmnb.errors import KvmnbError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["Onlooker"]

LOOK_S = 0.5


class Onlooker:
    """Looks at one guest while somebody listens and nobody tells."""

    def __init__(self, control: QemuControl) -> None:
        self._control = control
        self._task: asyncio.Task[None] | None = None

    def ensure(self) -> None:
        """Begin to look, where that is needed and not yet done."""
        if self._needed and (self._task is None or self._task.done()):
            self._task = asyncio.ensure_future(self._look())

    @property
    def _needed(self) -> bool:
        control = self._control
        return (
            control.hub.listened
            and not control.monitor.hears_events
            and not control.process.exited.is_set()
        )

    async def _look(self) -> None:
        control = self._control
        while self._needed:
            before = control.state, control.balloon_bytes
            try:
                await control.refresh()
                if control.info.spec.balloon:
                    found = await control.qmp("query-balloon")
                    control.balloon_bytes = int(found["actual"])
            except (KvmnbError, TimeoutError):
                pass  # a guest that ends is told of by its process
            state, balloon_bytes = control.state, control.balloon_bytes
            if state != before[0] and state in {"paused", "running"}:
                kind = "paused" if state == "paused" else "resumed"
                control.hub.publish(Event(control.info.name, time.time(), kind))
            if balloon_bytes != before[1] and before[1] is not None:
                detail = {"actual": balloon_bytes}
                control.hub.publish(Event(control.info.name, time.time(), "balloon", detail))
            await asyncio.sleep(LOOK_S)
