"""Samples and events as tidy pandas tables."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kvmnb.engines.base import Event, Sample
from kvmnb.observe.rates import Rates

if TYPE_CHECKING:
    import pandas

__all__ = ["EVENT_COLUMNS", "SAMPLE_COLUMNS", "events_frame", "frame"]

SAMPLE_COLUMNS = ("time", "guest", "metric", "device", "value", "unit")
EVENT_COLUMNS = ("time", "guest", "event", "detail")


def frame(samples: Iterable[Sample], *, rates: bool = True) -> pandas.DataFrame:
    """Return one row a reading: time (UTC), guest, metric, device, value, unit.

    Parameters
    ----------
    samples : oldest first
    rates : add what can be derived between samples: shares in %, bytes a second, …
    """
    import pandas

    derive = Rates()
    times, guests, metrics, devices, values, units = columns = [], [], [], [], [], []  # type: ignore[var-annotated]
    for sample in samples:
        derived = derive.update(sample) if rates else ()
        readings = (*sample.readings, *derived)
        times += [sample.time_s] * len(readings)
        guests += [sample.guest] * len(readings)
        metrics += [reading.metric for reading in readings]
        devices += [reading.device for reading in readings]
        values += [reading.value for reading in readings]
        units += [reading.unit for reading in readings]
    table = pandas.DataFrame(dict(zip(SAMPLE_COLUMNS, columns, strict=True)))
    table["time"] = _utc(times)
    return table.astype({"value": "float64", **dict.fromkeys(SAMPLE_COLUMNS[1:4], "str")}).astype(
        {"unit": "str"}
    )


def events_frame(events: Iterable[Event]) -> pandas.DataFrame:
    """Return one row an event: time (UTC), guest, event, and its detail as JSON."""
    import pandas

    events = list(events)
    table = pandas.DataFrame(
        {
            "time": _utc([event.time_s for event in events]),
            "guest": [event.guest for event in events],
            "event": [event.kind for event in events],
            # JSON in ASCII: what QEMU's log or the guest says cannot reach a terminal as it is
            "detail": [json.dumps(dict(event.detail), default=str) for event in events],
        }
    )
    return table.astype(dict.fromkeys(EVENT_COLUMNS[1:], "str"))


def _utc(times_s: list[float]) -> pandas.DatetimeIndex:
    import pandas

    # whole microseconds: a float holds no more of an epoch time
    whole = [round(time_s * 1e6) for time_s in times_s]
    return pandas.DatetimeIndex(pandas.to_datetime(whole, unit="us", utc=True)).as_unit("us")
