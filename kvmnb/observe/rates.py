"""What happens per second: derived between two samples, here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

from kvmnb.engines.base import Reading, Sample

__all__ = ["Rates", "RATES", "Rate"]

LEAST_S = 0.02
"""Between samples closer than this nothing is derived: the kernel books a running thread's CPU
time once a tick (1 to 10 ms), so that the error would be as large as the value."""

FORGET_S = 120.0
"""A counter that has not been read for so long starts anew; threads come and go."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a growing counter becomes.

    Parameters
    ----------
    metric, unit : of the rate
    factor : from the counter's unit per second to that unit
    most : a bound that no measurement can exceed
    """

    metric: str
    unit: str
    factor: float = 1.0
    most: float = float("inf")


# one thread runs on one CPU at a time, so a share above 100 % is an error in time
_SHARE = 100.0

RATES = {
    "vcpu.time": Rate("vcpu.share", "%", 100.0, _SHARE),
    "vcpu.wait": Rate("vcpu.wait_share", "%", 100.0, _SHARE),
    "thread.time": Rate("thread.share", "%", 100.0, _SHARE),
    "net.rx_bytes": Rate("net.rx_rate", "B/s"),
    "net.tx_bytes": Rate("net.tx_rate", "B/s"),
    "net.rx_packets": Rate("net.rx_packet_rate", "1/s"),
    "net.tx_packets": Rate("net.tx_packet_rate", "1/s"),
    "disk.read_bytes": Rate("disk.read_rate", "B/s"),
    "disk.write_bytes": Rate("disk.write_rate", "B/s"),
    "disk.read_ops": Rate("disk.read_op_rate", "1/s"),
    "disk.write_ops": Rate("disk.write_op_rate", "1/s"),
    "memory.swap_in": Rate("memory.swap_in_rate", "B/s"),
    "memory.swap_out": Rate("memory.swap_out_rate", "B/s"),
    "memory.major_faults": Rate("memory.major_fault_rate", "1/s"),
    "memory.minor_faults": Rate("memory.minor_fault_rate", "1/s"),
}
"""The rate that each counter gives, by the counter's metric."""

_FROM_GUEST = ("net.", "memory.")


class Rates:
    """Turns the counters of each new sample into rates, since the sample before it.

    A counter that was missing in between gives the mean since it was last read. One that has
    restarted, as a guest's do at a reset, gives nothing this once.
    """

    def __init__(self) -> None:
        self._last: dict[str, dict[tuple[str, str], tuple[float, float]]] = {}

    def update(self, sample: Sample) -> tuple[Reading, ...]:
        """Return the rates up to `sample`; the first sample of a guest has none."""
        if sample.state in {"shutdown", "lost"}:
            self._last.pop(sample.guest, None)
            return ()
        last = self._last.setdefault(sample.guest, {})
        found = []
        seen = set()
        cpu = None
        for reading in sample.readings:
            rate = RATES.get(reading.metric)
            if rate is None:
                continue
            key = reading.metric, reading.device
            seen.add(key)
            value = _step(last, key, sample.time_s, reading.value)
            if value is not None:
                value = min(value * rate.factor, rate.most)
                found.append(Reading(rate.metric, reading.device, value, rate.unit))
                if reading.metric == "thread.time":
                    cpu = (cpu or 0.0) + value
        if cpu is not None:
            found.append(Reading("process.share", "", cpu, "%"))
        self._tidy(sample, last, seen)
        return tuple(found)

    def _tidy(
        self,
        sample: Sample,
        last: dict[tuple[str, str], tuple[float, float]],
        seen: set[tuple[str, str]],
    ) -> None:
        """Forget counters that are gone, and those that a paused guest cannot tell.

        What a guest does after a pause is not spread over the pause.
        """
        paused = sample.state != "running"
        for key in [key for key in last if key not in seen]:
            old = sample.time_s - last[key][0] > FORGET_S
            if old or (paused and key[0].startswith(_FROM_GUEST)):
                del last[key]


def _step(
    last: dict[tuple[str, str], tuple[float, float]],
    key: tuple[str, str],
    time_s: float,
    value: float,
) -> float | None:
    """Return the counter's growth per second, and remember where it stands."""
    before = last.get(key)
    if before is None:
        last[key] = time_s, value
        return None
    passed_s = time_s - before[0]
    if 0 <= passed_s < LEAST_S:
        return None
    last[key] = time_s, value
    # the clock was set back, or the counter has restarted
    if passed_s < 0 or value < before[1]:
        return None
    return (value - before[1]) / passed_s
