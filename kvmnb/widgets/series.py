"""What a guest's view shows: its charts, and the lines that a sample adds a point to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvmnb.display.panels import time_mark
from kvmnb.display.svg import Mark
from kvmnb.widgets.ring import Column

if TYPE_CHECKING:
    from kvmnb.engines.base import Event, Reading, Sample
    from kvmnb.spec.domain import DomainSpec

__all__ = ["Panel", "panels", "points", "mark"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart.

    Parameters
    ----------
    id : what its columns are known by
    title : above it
    unit : of all its lines
    empty : what to say as long as it has none
    """

    id: str
    title: str
    unit: str
    empty: str


def panels(spec: DomainSpec) -> tuple[Panel, ...]:
    """Return the charts that a guest has."""
    found = [
        Panel("memory", "Memory", "B", "no figures yet"),
        Panel("vcpu", "vCPUs", "%", "no figures yet: a share needs two samples"),
    ]
    if spec.nics:
        why = "no figures: they come from the guest's agent" + (
            ", which has not answered yet" if spec.agent else ", which this guest has not got"
        )
        found.append(Panel("net", "Network", "B/s", why))
    if spec.disks or spec.cdroms:
        found.append(Panel("disk", "Disks", "B/s", "no figures yet: a rate needs two samples"))
    return tuple(found)


_MEMORY = {
    "balloon.actual": Column("memory", "balloon"),
    "memory.available": Column("memory", "available in guest"),
    "process.rss": Column("memory", "QEMU on host"),
}
_USED = Column("memory", "used in guest")

_PER_DEVICE = {
    "vcpu.share": ("vcpu", ""),
    "net.rx_rate": ("net", " received"),
    "net.tx_rate": ("net", " sent"),
    "disk.read_rate": ("disk", " read"),
    "disk.write_rate": ("disk", " written"),
}
"""Panel and the words behind the device's name."""


def points(sample: Sample, rates: tuple[Reading, ...]) -> Mapping[Column, float]:
    """Return what a sample and the rates up to it add to the lines."""
    return dict(_points(sample, rates))


def _points(sample: Sample, rates: tuple[Reading, ...]) -> Iterator[tuple[Column, float]]:
    for metric, column in _MEMORY.items():
        value = sample.get(metric)
        if value is not None:
            yield column, value
    total, available = sample.get("memory.total"), sample.get("memory.available")
    if total is not None and available is not None:
        yield _USED, total - available
    for reading in rates:
        if reading.metric in _PER_DEVICE:
            panel, what = _PER_DEVICE[reading.metric]
            yield Column(panel, f"{reading.device}{what}"), reading.value


_MARKS = {
    "balloon": "balloon",
    "paused": "paused",
    "resumed": "resumed",
    "reset": "reset",
    "powerdown": "power button",
    "shutdown": "shut down",
    "lost": "lost",
    "guest_panicked": "panic",
    "guest_crashloaded": "crash kernel",
    "watchdog": "watchdog",
    "block_io_error": "disk error",
    "suspend": "asleep",
    "wakeup": "awake",
}


def mark(event: Event) -> Mark | None:
    """Return an event as a line with words beside it; ``None`` for one that is not shown."""
    word = _MARKS.get(event.kind)
    return time_mark(event) if word is None else Mark(event.time_s, word)
