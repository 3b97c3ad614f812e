"""`guest.view()`: one guest, live."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kvmnb.errors import GuestLost
from kvmnb.observe.rates import Rates
from kvmnb.observe.sampler import sampler
from kvmnb.widgets.deeds import LEAST_MIB, Deeds, Said, failed, last_done
from kvmnb.widgets.live import LiveWidget
from kvmnb.widgets.ring import Ring
from kvmnb.widgets.series import mark, panels, points
from kvmnb.widgets.still import Snapshot, guest_snapshot

if TYPE_CHECKING:
    from kvmnb.display.svg import Mark
    from kvmnb.engines.base import Event, GuestControl, Sample
    from kvmnb.observe.sampler import Subscription

__all__ = ["GuestView"]

HZ = 2.0
ROWS = 1200
"""Ten minutes of them."""
MARKS = 200

ONE_S = 5.0
"""Marks with the same word that follow each other so soon are one: a balloon moves in steps."""


class GuestView(LiveWidget):
    """A live view of one guest: charts, its state, and buttons that act.

    Nothing runs until it is shown. It can be shown in several places, and again after a page
    was loaded anew: the last ten minutes are still there.

    Parameters
    ----------
    control : the guest
    """

    _module = "guest_view"

    def __init__(self, control: GuestControl) -> None:
        self._control = control
        self._panels = panels(control.info.spec)
        self._ring = Ring(ROWS)
        self._marks: deque[Mark] = deque(maxlen=MARKS)
        self._rates = Rates()
        self._deeds = Deeds(control, self._on_deed)
        self._subscription: Subscription | None = None
        self._listener: asyncio.Task[None] | None = None
        self._said: Said | None = None
        self._done: Said | None = None
        self._told: tuple[str, str] = "", ""
        self._ended = False
        super().__init__()

    def snapshot(self) -> Snapshot:
        """Return what it shows now as a still picture, which stays when the view is gone."""
        times, series = self._ring.table()
        control = self._control
        return guest_snapshot(
            control.info, control.state, self._panels, times, series, tuple(self._marks)
        )

    # -- what happens ---------------------------------------------------------------------

    @property
    def _over(self) -> bool:
        return self._ended

    def _begin(self) -> None:
        self._rates = Rates()
        self._subscription = sampler().subscribe(self._control, HZ, self._on_sample)
        self._listener = asyncio.get_running_loop().create_task(self._listen())

    def _end(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
        # at the guest's end it is the listener itself that comes here
        if self._listener is not None and self._listener is not asyncio.current_task():
            self._listener.cancel()
        if self._closed:
            self._deeds.cancel()
        self._subscription = self._listener = None

    def _on_sample(self, sample: Sample) -> None:
        if not self._working or not sample.readings:
            return
        columns = len(self._ring.columns)
        row = self._ring.add(sample.time_s, points(sample, self._rates.update(sample)))
        if len(self._ring.columns) != columns:
            self._tell({"kind": "columns", "columns": self._columns()})
        self._tell({"kind": "row"}, row)
        self._tell_changes()

    async def _listen(self) -> None:
        async with contextlib.aclosing(self._control.events()) as events:  # type: ignore[type-var]
            async for event in events:
                self._on_event(event)
        self._ended = True
        self._tell_changes()
        self._sleep()
        self._renew_picture()

    def _on_event(self, event: Event) -> None:
        found = mark(event)
        if found is not None and not self._repeats(found):
            self._marks.append(found)
            self._tell({"kind": "mark", "mark": _mark(found)})
        if event.kind == "lost":
            code, log = event.detail.get("exit_code"), str(event.detail.get("log") or "")
            self._say(failed("lost", GuestLost(event.guest, code, log)))
        self._tell_changes()

    def _repeats(self, found: Mark) -> bool:
        if not self._marks or found.strong:
            return False
        last = self._marks[-1]
        return last.label == found.label and found.time_s - last.time_s < ONE_S

    # -- what is done ---------------------------------------------------------------------

    def _asked(self, message: Mapping[str, Any]) -> None:
        if message.get("kind") == "press":
            self._deeds.press(message.get("verb"), message.get("mib"))

    def _on_deed(self, said: Said | None) -> None:
        if said is not None:
            self._say(said)
        self._tell_changes()

    # -- what is told ---------------------------------------------------------------------

    def _tell_changes(self) -> None:
        """Tell of the state, and of what was done to the guest, here or elsewhere."""
        state, busy = self._control.state, self._deeds.busy
        if (state, busy) != self._told:
            self._told = state, busy
            self._tell({"kind": "state", "state": state, "busy": busy})
        done = last_done(self._control)
        if done != self._done:
            self._done = done
            self._say(done)

    def _say(self, said: Said | None) -> None:
        self._said = said
        self._tell({"kind": "said", "said": said})

    def _columns(self) -> list[Mapping[str, str]]:
        return [dataclasses.asdict(column) for column in self._ring.columns]

    def _history(self) -> tuple[Mapping[str, Any], bytes]:
        info, control = self._control.info, self._control
        self._told = control.state, self._deeds.busy
        if self._said is None:
            self._said = self._done = last_done(control)
        about = {
            "name": info.name,
            "accel": info.accel,
            "why": info.accel_reason,
            "vcpus": info.spec.cpu.count,
            "memory_mib": info.spec.memory.size_mib,
            "least_mib": LEAST_MIB,
            "balloon": info.spec.balloon is not None,
            "panels": [dataclasses.asdict(panel) for panel in self._panels],
            "rows": ROWS,
            "marks": MARKS,
        }
        facts = {
            "about": about,
            "state": control.state,
            "busy": self._deeds.busy,
            "said": self._said,
            "columns": self._columns(),
            "marks": [_mark(each) for each in self._marks],
        }
        return facts, self._ring.packed()


def _mark(shown: Mark) -> Mapping[str, Any]:
    return {"time": shown.time_s, "label": shown.label, "strong": shown.strong}
