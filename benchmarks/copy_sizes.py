"""What memory's size costs: warm start, fork, checkpoint and rewind of 128 MiB, 512 MiB, 2 GiB.

``python -m benchmarks.copy_sizes docs/images/copy-sizes.svg`` also draws them.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from benchmarks._guests import answered, start_s, vm, with_touched
from benchmarks._ratio import Figures

SIZES_MIB = (128, 512, 2048)
ROUNDS = 9


def measured(memory_mib: int) -> dict[str, list[float]]:
    """Return the seconds that each takes, until the guest has answered."""
    machine = vm(memory_mib, f"size-{memory_mib}")
    found: dict[str, list[float]] = {"cold start": [start_s(machine) for _ in range(3)]}
    with_touched(machine).destroy()

    def note(what: str, begun: float) -> float:
        now = time.perf_counter()
        found.setdefault(what, []).append(now - begun)
        return time.perf_counter()

    for _ in range(ROUNDS):
        begun = time.perf_counter()
        guest = with_touched(machine)
        answered([guest])
        begun = note("warm start", begun)
        with guest:
            copies = guest.fork()
            answered(copies)
            note("fork", begun)
            copies[0].destroy()
            begun = time.perf_counter()
            guest.checkpoint("size")
            begun = note("checkpoint", begun)
            guest.rewind("size")
            answered([guest])
            note("rewind", begun)
    return found


def draw(found: dict[int, dict[str, list[float]]], path: Path) -> None:
    """Draw the medians as bars, in parts of the cold start of the same guest."""
    kinds = [kind for kind in found[SIZES_MIB[0]] if kind != "cold start"]
    width, height, left, top = 640, 260, 110, 34
    rows, at = [], top
    for kind in kinds:
        rows.append(f'<text x="{left - 8}" y="{at + 22}" text-anchor="end">{kind}</text>')
        for memory_mib, opacity in zip(SIZES_MIB, (0.95, 0.65, 0.4), strict=True):
            cold = statistics.median(found[memory_mib]["cold start"])
            share = statistics.median(found[memory_mib][kind]) / cold
            length = min(share / 0.25, 1.0) * (width - left - 150)
            rows.append(
                f'<rect x="{left}" y="{at}" width="{length:.0f}" height="12" rx="2" '
                f'fill="#2b7fd4" fill-opacity="{opacity}"/>'
                f'<text x="{left + length + 6:.0f}" y="{at + 10}" font-size="10">'
                f"{memory_mib} MiB: {share:.3f}</text>"
            )
            at += 15
        at += 10
    title = "Until the guest answers, in parts of its cold start"
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12" fill="#444" role="img" aria-label="{title}">'
        f'<text x="8" y="18" font-weight="bold">{title}</text>{"".join(rows)}</svg>\n',
        encoding="utf-8",
    )


def main() -> None:
    """Compare each size with the smallest one."""
    found = {memory_mib: measured(memory_mib) for memory_mib in SIZES_MIB}
    figures = Figures()
    for memory_mib in SIZES_MIB[1:]:
        for kind in ("warm start", "fork", "checkpoint", "rewind"):
            what = f"{kind} of {memory_mib} MiB beside {SIZES_MIB[0]} MiB"
            figures.ratio(what, found[memory_mib][kind], found[SIZES_MIB[0]][kind], 1.5)
    if len(sys.argv) > 1:
        draw(found, Path(sys.argv[1]))
    figures.end()


if __name__ == "__main__":
    main()
