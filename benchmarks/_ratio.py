"""Figures as ratios: ours and its peer run in turn, in one process, and their medians compared.

A figure in seconds says as much about the machine as about the code; a ratio taken in one run
holds on any. Each script prints one line a figure and ends with status 1 when one is over::

    import kvmnb beside import docker: ratio 0.006 (limit 0.1) ok  [0.5 ms beside 90 ms, 31 rounds]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence

__all__ = ["Figures", "in_turn"]


def in_turn(*works: Callable[[], object], rounds: int) -> list[list[float]]:
    """Run each of `works` once a round, after one round that does not count.

    Returns
    -------
    One list a work: the seconds each round took. A work that times itself (to leave its
    preparation out) returns its seconds as a float; for any other the whole call is timed.
    """
    taken: list[list[float]] = [[] for _ in works]
    for round_ in range(rounds + 1):
        # Alternate the order, so that no work always has the warmer caches of the one before it.
        order = list(enumerate(works))
        for index, work in order if round_ % 2 else reversed(order):
            begun = time.perf_counter()
            own = work()
            whole = time.perf_counter() - begun
            if round_:
                taken[index].append(own if isinstance(own, float) else whole)
    return taken


class Figures:
    """The figures of one script: each is printed as it comes; `end` tells whether all held."""

    def __init__(self) -> None:
        self._over = False

    def ratio(
        self,
        name: str,
        ours: Sequence[float],
        peer: Sequence[float],
        limit: float,
        *,
        less: Sequence[float] | None = None,
    ) -> float:
        """Compare the medians of `ours` and `peer`, both in seconds, and print their ratio.

        Parameters
        ----------
        limit : the highest ratio that is well; "8 times faster" is a limit of 1/8
        less : what both had to do besides (starting Python, say); its median is taken off both
        """
        base = statistics.median(less) if less else 0.0
        mine, theirs = statistics.median(ours) - base, statistics.median(peer) - base
        found = max(mine, 0.0) / theirs
        detail = f"{mine * 1e3:.2f} ms beside {theirs * 1e3:.2f} ms, {len(ours)} rounds"
        self._tell(name, found, limit, detail)
        return found

    def over(
        self, name: str, ours: Sequence[float], base: Sequence[float], limit_s: float
    ) -> float:
        """Compare how much longer `ours` takes than `base`, by their medians, with `limit_s`."""
        added = statistics.median(ours) - statistics.median(base)
        detail = f"{added * 1e3:.2f} ms more than {statistics.median(base) * 1e3:.2f} ms"
        self._tell(
            name, added / limit_s, 1.0, f"{detail}, of {limit_s * 1e3:g} ms, {len(ours)} rounds"
        )
        return added / limit_s

    def share(self, name: str, ours: float, whole: float, limit: float, unit: str) -> float:
        """Compare `ours` with the `whole` it is a part of, both in `unit`."""
        detail = f"{ours:.4g} {unit} of {whole:.4g} {unit}"
        self._tell(name, ours / whole, limit, detail)
        return ours / whole

    def skip(self, name: str, reason: str) -> None:
        """Say that a figure could not be taken here, and why."""
        print(f"{name}: not taken: {reason}", flush=True)

    def end(self) -> None:
        """Leave the script with status 1 if a figure was over its limit."""
        sys.exit(1 if self._over else 0)

    def _tell(self, name: str, found: float, limit: float, detail: str) -> None:
        verdict = "ok" if found <= limit else "OVER"
        self._over |= found > limit
        print(f"{name}: ratio {found:.3g} (limit {limit:.3g}) {verdict}  [{detail}]", flush=True)
