"""Which readings make up which chart, for still pictures and for recordings alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kvmnb.display.svg import Mark, Panel, Series
from kvmnb.engines.base import Event, Sample
from kvmnb.markup import printable
from kvmnb.observe.rates import Rates

__all__ = ["LAYOUT", "Chart", "chart_panels", "event_marks", "natural", "series_label", "time_mark"]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart.

    Parameters
    ----------
    title, unit : above it
    metrics : what it shows, each with its name there; a device's name comes before it
    """

    title: str
    unit: str
    metrics: tuple[tuple[str, str], ...]


LAYOUT = (
    Chart(
        "Memory of the guest",
        "B",
        (
            ("balloon.actual", "balloon"),
            ("memory.available", "available"),
            ("memory.free", "free"),
        ),
    ),
    Chart("vCPU, share of a core", "%", (("vcpu.share", ""),)),
    Chart("Network", "B/s", (("net.rx_rate", "in"), ("net.tx_rate", "out"))),
    Chart("Disk", "B/s", (("disk.read_rate", "read"), ("disk.write_rate", "written"))),
    Chart("Memory of QEMU", "B", (("process.rss", "resident"), ("process.swap", "swapped"))),
)


GAP_S, GAP_STEPS = 1.5, 3.0

MARKED = {
    *("balloon", "paused", "resumed", "reset", "powerdown", "shutdown", "ended", "lost"),
    *("guest_panicked", "watchdog", "block_io_error", "suspend", "wakeup"),
}
"""The events that are marked in charts; a recording's table has QEMU's others, too."""

TRAVEL = {"checkpoint": "⚑", "rewind": "↶"}
"""The events by which a guest's time is kept or turned back, each with its sign."""

LONGEST_LABEL = 24


def series_label(device: str, name: str) -> str:
    """Return what a line is called: ``"net0 in"``."""
    return f"{device} {name}".strip()


def chart_panels(samples: Iterable[Sample]) -> tuple[Panel, ...]:
    """Return the charts of one guest's samples, oldest first; those without data are left out."""
    derive = Rates()
    times: list[float] = []
    # chart → (device, metric) → one value for each time
    columns: list[dict[tuple[str, str], list[float | None]]] = [{} for _ in LAYOUT]
    chart_of = {metric: at for at, chart in enumerate(LAYOUT) for metric, _ in chart.metrics}
    for sample in samples:
        for readings in (sample.readings, derive.update(sample)):
            for reading in readings:
                if (at := chart_of.get(reading.metric)) is None:
                    continue
                values = columns[at].setdefault((reading.device, reading.metric), [])
                values += [None] * (len(times) - len(values))
                values.append(reading.value)
        times.append(sample.time_s)
    return tuple(
        Panel(chart.title, chart.unit, _series(chart, found, times))
        for chart, found in zip(LAYOUT, columns, strict=True)
        if found
    )


def _series(
    chart: Chart, found: dict[tuple[str, str], list[float | None]], times: Sequence[float]
) -> tuple[Series, ...]:
    order = {metric: index for index, (metric, _) in enumerate(chart.metrics)}
    names = dict(chart.metrics)
    made = []
    for device, metric in sorted(found, key=lambda key: (natural(key[0]), order[key[1]])):
        values = found[device, metric]
        if metric == "process.swap" and not any(values):
            continue  # a line at zero on every chart tells nothing
        known = [(t, v) for t, v in zip(times, values, strict=False) if v is not None]
        made.append(_line(series_label(device, names[metric]), known, _gap_s(times)))
    return tuple(made)


def _gap_s(times: Sequence[float]) -> float:
    """Return from which length on a time without readings is a gap.

    Some sources are asked more seldom than samples are taken, which breaks no line.
    """
    steps = sorted(later - earlier for earlier, later in pairwise(times))
    return max(GAP_S, GAP_STEPS * steps[len(steps) // 2]) if steps else GAP_S


def _line(label: str, known: Sequence[tuple[float, float]], gap_s: float) -> Series:
    times: list[float] = []
    values: list[float | None] = []
    for time, value in known:
        if times and time - times[-1] > gap_s:
            times.append(times[-1] + (time - times[-1]) / 2)
            values.append(None)
        times.append(time)
        values.append(value)
    return Series(label, times, values)


def natural(device: str) -> tuple[str, int]:
    """Return what to sort by, so that ``vcpu10`` comes after ``vcpu9``."""
    stem = device.rstrip("0123456789")
    return stem, int(device[len(stem) :] or 0)


def time_mark(event: Event) -> Mark | None:
    """Return a strong mark for a checkpoint taken or gone back to, else ``None``."""
    sign = TRAVEL.get(event.kind)
    if sign is None:
        return None
    label = printable(str(event.detail.get("label") or event.kind)[: LONGEST_LABEL + 1])
    if len(label) > LONGEST_LABEL:
        label = label[: LONGEST_LABEL - 1] + "…"
    return Mark(event.time_s, f"{sign} {label}", strong=True)


def event_marks(events: Iterable[Event]) -> tuple[Mark, ...]:
    """Return what matters of the events as marks; of balloon changes in a row the last."""
    marks: list[Mark] = []
    last = None
    for event in events:
        if (travel := time_mark(event)) is not None:
            marks.append(travel)
            last = event.kind
            continue
        if event.kind not in MARKED:
            continue
        label = event.kind
        if event.kind == "balloon":
            actual = event.detail.get("actual")
            if isinstance(actual, (int, float)):
                label = f"balloon {actual / (1 << 20):.0f} MiB"
        mark = Mark(event.time_s, label)
        # QEMU tells of each step of a balloon that moves
        if event.kind == last == "balloon" and event.time_s - marks[-1].time_s < 2:
            marks[-1] = mark
        else:
            marks.append(mark)
        last = event.kind
    return tuple(marks)
