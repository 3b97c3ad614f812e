"""The virtio devices that a guest has unless told otherwise: balloon and entropy source."""

from __future__ import annotations

from dataclasses import dataclass

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["RNG", "Balloon"]


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Balloon(Value):
    """A virtio balloon, by which the guest gives memory back.

    Parameters
    ----------
    stats_s : how often QEMU asks the guest for memory statistics, in seconds; a request costs
        the guest one wake-up; 0 for never
    deflate_on_oom : the guest may take memory back before it kills a process
    free_page_reporting : the guest tells which pages it does not use
    """

    stats_s: int = 2
    deflate_on_oom: bool = False
    free_page_reporting: bool = False

    def __post_init__(self) -> None:
        validate.number("balloon.stats", self.stats_s, 0, 86400)
        validate.switch("balloon.deflate_on_oom", self.deflate_on_oom)
        validate.switch("balloon.free_page_reporting", self.free_page_reporting)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class RNG(Value):
    """A virtio entropy source.

    Parameters
    ----------
    source : ``"builtin"`` for QEMU's own generator, or a device such as ``/dev/urandom``
    max_bytes, period_ms : at most so many bytes each so many milliseconds; both or neither
    """

    source: str = "builtin"
    max_bytes: int | None = None
    period_ms: int | None = None

    def __post_init__(self) -> None:
        validate.path("rng.source", self.source)
        if self.source != "builtin" and not self.source.startswith("/"):
            raise SpecError("rng.source", self.source, "'builtin', or a path such as /dev/urandom")
        if (self.max_bytes is None) != (self.period_ms is None):
            raise SpecError("rng.max_bytes", self.max_bytes, "goes with a period")
        if self.max_bytes is not None:
            validate.positive("rng.max_bytes", self.max_bytes, 1 << 62)
            validate.positive("rng.period", self.period_ms, 1 << 31)
