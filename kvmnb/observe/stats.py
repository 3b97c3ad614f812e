"""One sample, made to be looked at: ``guest.stats()``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvmnb.engines.base import Reading, Sample, State
from kvmnb.markup import columns, element, join, printable, table
from kvmnb.units import MIB, human

if TYPE_CHECKING:
    import pandas

__all__ = ["Stats", "amount"]


@dataclass(frozen=True, slots=True, repr=False)
class Stats:
    """What a guest measured at one moment; what no source could give is not there.

    Parameters
    ----------
    sample : the readings
    rates : what happened per second since the sample before; empty where there was none
    """

    sample: Sample
    rates: tuple[Reading, ...] = ()

    @property
    def guest(self) -> str:
        """Its name."""
        return self.sample.guest

    @property
    def state(self) -> State:
        """The guest's state then."""
        return self.sample.state

    @property
    def balloon(self) -> float | None:
        """The memory that the balloon leaves the guest, in MiB."""
        actual = self.get("balloon.actual")
        return None if actual is None else actual / MIB

    @property
    def run_share(self) -> dict[str, float]:
        """The share of one core that each vCPU used since the sample before, in %."""
        return {rate.device: rate.value for rate in self.rates if rate.metric == "vcpu.share"}

    def get(self, metric: str, device: str = "") -> float | None:
        """Return one reading in its own unit, or ``None`` where its source gave none."""
        for reading in self:
            if reading.metric == metric and reading.device == device:
                return reading.value
        return None

    def __getitem__(self, metric: str) -> float:
        """Return the reading of a metric that has one device or none.

        Raises
        ------
        KeyError   there is no such reading, or one for each of several devices
        """
        found = [reading for reading in self if reading.metric == metric]
        if len(found) == 1:
            return found[0].value
        if not found:
            raise KeyError(metric)
        devices = ", ".join(reading.device for reading in found)
        raise KeyError(f"{metric} has several devices: get({metric!r}, …) takes one of {devices}")

    def __iter__(self) -> Iterator[Reading]:
        """Yield all readings, the rates after them."""
        yield from self.sample.readings
        yield from self.rates

    def __len__(self) -> int:
        return len(self.sample.readings) + len(self.rates)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return metric, device and value with its unit, as text for people."""
        return [
            (reading.metric, reading.device, amount(reading.value, reading.unit))
            for reading in self
        ]

    def to_pandas(self) -> pandas.DataFrame:
        """Return the readings as a table: metric, device, value, unit."""
        import pandas

        rows = [(r.metric, r.device, r.value, r.unit) for r in self]
        return pandas.DataFrame(rows, columns=["metric", "device", "value", "unit"])

    def __repr__(self) -> str:
        rows = self.rows()
        width = max((len(value) for *_, value in rows), default=0)
        body = columns((f"  {m}", device, value.rjust(width)) for m, device, value in rows)
        return f"{printable(self.guest)}: {self.state}\n{body}".rstrip()

    def _repr_html_(self) -> str:
        heading = element("div", element("b", self.guest), f": {self.state}")
        return str(join((heading, table(("metric", "device", "value"), self.rows()))))


def amount(value: float, unit: str) -> str:
    """Return a number with its unit, for people: ``amount(2048, "B/s") == "2 KiB/s"``."""
    match unit:
        case "B":
            return human(value)
        case "B/s":
            return f"{human(value)}/s"
        case "count":
            return f"{value:.0f}"
        case "%":
            return f"{value:.1f} %"
        case _:
            return f"{value:.6g} {unit}"
