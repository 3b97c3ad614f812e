"""What ``guest.record()`` returns: what happens to a guest within a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from kvmnb import portal
from kvmnb.display.axis import tick
from kvmnb.display.panels import chart_panels, event_marks
from kvmnb.display.svg import charts
from kvmnb.markup import columns, element, join, printable
from kvmnb.observe.recorder import MOST_SAMPLES, Recorder
from kvmnb.observe.stats import amount

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects as go

    from kvmnb.display.svg import Panel
    from kvmnb.engines.base import GuestControl, Sample

__all__ = ["Recording"]


class Recording:
    """What happens to a guest within a ``with`` block, or an ``async with`` block.

    Parameters
    ----------
    control : the guest
    hz : how often to sample, from 0.01 to 20
    most : samples to keep; then the oldest go

    Raises
    ------
    SpecError   `hz` or `most` is out of bounds
    """

    def __init__(self, control: GuestControl, hz: float = 2.0, most: int = MOST_SAMPLES) -> None:
        self._recorder = Recorder(control, hz, most)

    # -- the block ------------------------------------------------------------------------

    def __enter__(self) -> Self:
        portal.run(self._recorder.start())
        return self

    def __exit__(self, *_: object) -> None:
        portal.run(self._recorder.stop())

    async def __aenter__(self) -> Self:
        await portal.awaitable(self._recorder.start())
        return self

    async def __aexit__(self, *_: object) -> None:
        await portal.awaitable(self._recorder.stop())

    # -- what it holds ----------------------------------------------------------------------

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples so far, oldest first."""
        return self._recorder.samples

    @property
    def dropped(self) -> int:
        """How many samples had to go, because there were more than it keeps."""
        return self._recorder.dropped

    @property
    def events(self) -> pandas.DataFrame:
        """What happened so far: time (UTC), guest, event, and its detail as JSON."""
        from kvmnb.observe.frame import events_frame

        return events_frame(self._recorder.events)

    def to_pandas(self) -> pandas.DataFrame:
        """Return what was measured so far: time (UTC), guest, metric, device, value, unit."""
        return self._recorder.to_pandas()

    def plot(self) -> go.Figure:
        """Return it as a plotly figure: small charts on one time axis, events as lines."""
        from kvmnb.display.plots import figure

        return figure(self.to_pandas(), event_marks(self._recorder.events))

    # -- looks ------------------------------------------------------------------------------

    def _heading(self) -> str:
        samples, events = self.samples, self._recorder.events
        length_s = samples[-1].time_s - samples[0].time_s if samples else 0.0
        words = f"{len(samples)} samples in {tick(length_s)} s at {self._recorder.hz:g} Hz"
        words += f", {len(events)} event{'s' if len(events) != 1 else ''}"
        if self.dropped:
            words += f"; the {self.dropped} oldest samples were dropped"
        if self._recorder.running:
            words += "; goes on"
        return words

    def __repr__(self) -> str:
        name = printable(self._recorder.control.info.name)
        body = columns(_ranges(chart_panels(self.samples)))
        return f"Recording of {name}: {self._heading()}\n{body}".rstrip()

    def _repr_html_(self) -> str:
        heading = element(
            "div",
            element("b", self._recorder.control.info.name),
            f" · {self._heading()}",
            style="font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px",
        )
        picture = charts(chart_panels(self.samples), event_marks(self._recorder.events))
        return str(join((heading, picture)))


def _ranges(panels: tuple[Panel, ...]) -> list[tuple[str, ...]]:
    """Return for each line of the charts what it went from, through and to."""
    rows: list[tuple[str, ...]] = [("  ", "", "first", "last", "least", "most")]
    for panel in panels:
        for series in panel.series:
            known = [value for value in series.values if value is not None]
            if known:
                numbers = (known[0], known[-1], min(known), max(known))
                shown = (amount(number, panel.unit) for number in numbers)
                rows.append((f"  {panel.title}", series.label, *shown))
    return rows if len(rows) > 1 else []
