"""`run("true")` beside the same two agent commands over a bare socket."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks._bare import Line
from benchmarks._ratio import Figures
from kvmnb import Guest, Host, portal

ROUNDS, EACH = 9, 20


def ours(guest: Guest) -> list[float]:
    """Return how long each of some runs took."""
    taken = []
    guest.run("true")  # takes the agent's line
    for _ in range(EACH):
        begun = time.perf_counter()
        guest.run(["true"])
        taken.append(time.perf_counter() - begun)
    portal.run(guest._control.agent.close())  # type: ignore[attr-defined]
    return taken


def theirs(guest: Guest) -> list[float]:
    """Return the same for the agent's commands alone, each asked as soon as the last answered."""
    line = Line(Path(guest.info.run_dir) / "agent.sock")
    line.sync()
    taken = []
    for _ in range(EACH):
        begun = time.perf_counter()
        pid = line.ask("guest-exec", **{"path": "true", "capture-output": True})["pid"]
        while not line.ask("guest-exec-status", pid=pid)["exited"]:
            pass
        taken.append(time.perf_counter() - begun)
    line.close()
    return taken


def main() -> None:
    """Take the figure."""
    figures = Figures()
    vm = Host().vm("run-true").mem(128).smp(2).disk("tiny")
    mine: list[float] = []
    peer: list[float] = []
    with vm.start() as guest:
        ours(guest)
        for _ in range(ROUNDS):
            mine += ours(guest)
            peer += theirs(guest)
    figures.ratio('run("true") beside the same commands over a bare socket', mine, peer, 1.3)
    figures.end()


if __name__ == "__main__":
    main()
