"""Numbers along an axis: round steps, in a unit that keeps them short."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Scale", "PALETTE", "scale", "steps", "tick"]

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
"""Colours that colour-blind people can tell apart (Okabe and Ito, "Color Universal Design",
2008), without black, which vanishes in a dark theme, and yellow, which does in a light one."""

LEAST = 1e-12
"""Below this an axis has nothing to show; steps of it would be lost in rounding."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What a chart's values are divided by, and the unit that they have then."""

    divisor: float
    unit: str


def scale(most: float, unit: str) -> Scale:
    """Return the scale for values up to `most` of a unit: ``B`` becomes ``MiB``."""
    if unit not in {"B", "B/s"}:
        return Scale(1.0, unit)
    divisor, prefix = 1.0, ""
    for larger in ("Ki", "Mi", "Gi", "Ti"):
        if most < divisor * 1024:
            break
        divisor, prefix = divisor * 1024, larger
    return Scale(divisor, prefix + unit)


def steps(most: float, count: int = 4) -> tuple[float, ...]:
    """Return about `count` round numbers from 0 to `most` or just above."""
    if not most > LEAST or math.isinf(most):
        return 0.0, 1.0
    rough = most / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough * 0.999), rough)
    return tuple(step * index for index in range(math.ceil(most / step * 0.999) + 1))


def tick(value: float) -> str:
    """Return a number for an axis: ``tick(0.30000000000000004) == "0.3"``."""
    return f"{value:.4g}"
