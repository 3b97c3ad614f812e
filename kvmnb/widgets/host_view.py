"""`host.view()`: all guests of a host in one live table."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from array import array
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from kvmnb.errors import KvmnbError
from kvmnb.observe.rates import Rates
from kvmnb.observe.sampler import sampler
from kvmnb.widgets.deeds import Deeds, Said, last_done
from kvmnb.widgets.live import LiveWidget
from kvmnb.widgets.still import Snapshot, host_snapshot

if TYPE_CHECKING:
    from kvmnb.engines.base import GuestControl, Sample, State

__all__ = ["HostView"]

HZ = 1.0
POINTS = 120
"""Two minutes of them."""

LOOK_S = 1.0
"""How often to look which guests there are."""

GATHER_S = 0.5
"""Figures of several guests that come so soon after each other travel together."""

ENDED_S = 10.0
"""How long a guest that has ended stays in the table."""

_log = logging.getLogger(__name__)


class HostView(LiveWidget):
    """A live table of all guests: new ones appear, ended ones go after a while.

    Nothing runs until it is shown.

    Parameters
    ----------
    controls : asks which guests there are
    """

    _module = "host_view"

    def __init__(self, controls: Callable[[], Awaitable[list[GuestControl]]]) -> None:
        self._controls = controls
        self._lines: dict[int, _Line] = {}
        self._count = 0
        self._fresh: list[bytes] = []
        self._sending: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._said: Said | None = None
        self._told: list[Mapping[str, Any]] = []
        super().__init__()

    def snapshot(self) -> Snapshot:
        """Return what it shows now as a still picture, which stays when the view is gone."""
        lines = tuple(self._lines.values())
        return host_snapshot([(line.control.info, line.state, *line.newest) for line in lines])

    # -- which guests there are -------------------------------------------------------------

    def _begin(self) -> None:
        self._lines.clear()
        self._looking = asyncio.get_running_loop().create_task(self._look())

    def _end(self) -> None:
        for task in (self._looking, self._sending):
            if task is not None:
                task.cancel()
        for line in self._lines.values():
            line.close()  # it stays for the still picture
        self._fresh.clear()
        self._looking = self._sending = None

    async def _look(self) -> None:
        while True:
            try:
                found = await self._controls()
            except KvmnbError:
                found = []  # one of them has ended in between; the next look knows
            except Exception:
                _log.exception("the guests could not be listed")
                found = []
            self._take_in(found)
            await asyncio.sleep(LOOK_S)

    def _take_in(self, found: list[GuestControl]) -> None:
        known = {id(line.control) for line in self._lines.values()}
        for control in found:
            if id(control) not in known:
                self._count += 1
                line = _Line(self._count, control, self._on_deed)
                self._lines[self._count] = line
                line.begin(partial(self._on_sample, line))
        now_s = time.monotonic()
        for line in [line for line in self._lines.values() if line.gone(now_s)]:
            line.close()
            del self._lines[line.id]
        self._tell_guests()

    # -- what happens -----------------------------------------------------------------------

    def _on_sample(self, line: _Line, sample: Sample) -> None:
        if not self._working:
            return
        row = line.take(sample)
        if row is not None:
            self._fresh.append(row)
            if self._sending is None:
                loop = asyncio.get_running_loop()
                self._sending = loop.call_later(GATHER_S, self._send_rows)
        self._tell_guests()

    def _send_rows(self) -> None:
        self._sending = None
        rows, self._fresh = b"".join(self._fresh), []
        self._tell({"kind": "rows"}, rows)

    def _asked(self, message: Mapping[str, Any]) -> None:
        if message.get("kind") != "press":
            return
        name = message.get("guest")
        for line in self._lines.values():
            if line.control.info.name == name and not line.ended:
                line.deeds.press(message.get("verb"))

    def _on_deed(self, line: _Line, said: Said | None) -> None:
        name = line.control.info.name
        if said is None and not line.deeds.busy:
            said = last_done(line.control)
        if said is not None:
            self._said = {**said, "guest": name}
            self._tell({"kind": "said", "said": self._said})
        self._tell_guests()

    # -- what is told -----------------------------------------------------------------------

    def _tell_guests(self) -> None:
        guests = self._guests()
        if guests != self._told:
            self._told = guests
            self._tell({"kind": "guests", "guests": guests})

    def _guests(self) -> list[Mapping[str, Any]]:
        return [line.facts() for line in self._lines.values()]

    def _history(self) -> tuple[Mapping[str, Any], bytes]:
        self._told = self._guests()
        rows = b"".join(row for line in self._lines.values() for row in line.rows)
        return {"guests": self._told, "said": self._said}, rows


class _Line:
    """One guest of the table."""

    def __init__(
        self, id: int, control: GuestControl, on_deed: Callable[[_Line, Said | None], None]
    ) -> None:
        self.id, self.control = id, control
        self.deeds = Deeds(control, partial(on_deed, self))
        self.rows: deque[bytes] = deque(maxlen=POINTS)
        self.newest: tuple[float | None, float | None, float | None] = None, None, None
        """CPU in %, what the balloon leaves it and QEMU's memory in bytes."""
        self._rates = Rates()
        self._ended_s: float | None = None
        self._subscription: Any = None

    @property
    def state(self) -> State:
        return self.control.state

    @property
    def ended(self) -> bool:
        return self._ended_s is not None

    def begin(self, on_sample: Callable[[Sample], None]) -> None:
        self._subscription = sampler().subscribe(self.control, HZ, on_sample)

    def close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
        self.deeds.cancel()

    def gone(self, now_s: float) -> bool:
        """Whether it ended long enough ago to leave the table."""
        return self._ended_s is not None and now_s - self._ended_s > ENDED_S

    def take(self, sample: Sample) -> bytes | None:
        """Take in a sample and return its row; ``None`` for the last one, which has no figures."""
        if not sample.readings:
            if sample.state in {"shutdown", "lost"}:
                self._ended_s = time.monotonic()
            return None
        rates = self._rates.update(sample)
        cpu = next((rate.value for rate in rates if rate.metric == "process.share"), None)
        self.newest = cpu, sample.get("balloon.actual"), sample.get("process.rss")
        row = [self.id, *(math.nan if value is None else value for value in self.newest)]
        packed = array("d", row).tobytes()
        self.rows.append(packed)
        return packed

    def facts(self) -> Mapping[str, Any]:
        info = self.control.info
        return {
            "id": self.id,
            "name": info.name,
            "state": self.state,
            "busy": self.deeds.busy,
            "accel": info.accel,
            "why": info.accel_reason,
            "vcpus": info.spec.cpu.count,
            "memory_mib": info.spec.memory.size_mib,
        }
