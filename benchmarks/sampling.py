"""One sample of a hundred guests beside `virsh domstats`, and what sampling costs the kernel."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path

from benchmarks._libvirt import domain_xml, unavailable, virsh
from benchmarks._ratio import Figures, in_turn
from kvmnb import Guest, Host, portal
from kvmnb.observe.sampler import sample_all, sampler

PAUSED, RUNNING = 100, 20
ROUNDS = 9
HZ, WATCH_S = 2.0, 20.0

FIELDS = ("--state", "--cpu-total", "--balloon", "--vcpu", "--interface", "--block")
"""Of domstats: the sources that a sample of ours has too."""


def paused(figures: Figures, host: Host) -> None:
    """Sample machines that stand still: what is measured is asking, not guests."""
    name = "one sample of 100 paused guests beside virsh domstats of the same fields"
    if reason := unavailable():
        figures.skip(name, reason)
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer = stack.enter_context(virsh())
        base = host.vm("paused").mem(16).smp(2).nic("virtio").accel("tcg")
        guests: list[Guest] = []
        for index in range(PAUSED):
            vm = base.named(f"paused-{index}").disk(size="1M")
            guests.append(stack.enter_context(vm.start(wait="running")))
            guests[-1].suspend()
            xml = folder / "domain.xml"
            disk = folder / f"{index}.qcow2"
            disk.write_bytes(Path(_disk(guests[-1])).read_bytes())
            xml.write_text(domain_xml(base, f"peer-{index}", disk))
            peer("create", "--paused", xml)
        controls = [guest._control for guest in guests]
        mine, theirs = in_turn(
            lambda: portal.run(sample_all(controls)) and None,
            lambda: peer("domstats", *FIELDS) and None,
            rounds=ROUNDS,
        )
        figures.ratio(name, mine, theirs, 1 / 8)


def _disk(guest: Guest) -> str:
    (word,) = (word for word in guest.info.command if "filename=" in word)
    return word.split("filename=", 1)[1].split(",", 1)[0]


def running(figures: Figures, host: Host) -> None:
    """Sample guests that run, as twenty live views at once would, and count our CPU time."""
    with contextlib.ExitStack() as stack:
        vm = host.vm("running").mem(128).disk("tiny").nic("virtio")
        guests = [stack.enter_context(vm.named(f"running-{i}").start()) for i in range(RUNNING)]
        samples: list[object] = []
        for guest in guests:
            subscription = sampler().subscribe(guest._control, HZ, samples.append)
            stack.callback(subscription.close)
        time.sleep(5)  # first answers of the agents, first statistics of the balloons
        samples.clear()
        cpu, begun = time.process_time(), time.monotonic()
        time.sleep(WATCH_S)
        cpu, wall = time.process_time() - cpu, time.monotonic() - begun
        whole = f"sampling {RUNNING} running guests at {HZ:g} Hz, of one core"
        figures.share(whole, cpu, wall, 0.08, "s")
        wanted = RUNNING * HZ * wall
        assert len(samples) > 0.9 * wanted, f"only {len(samples)} of {wanted:.0f} samples came"


def main() -> None:
    """Take both figures."""
    figures = Figures()
    host = Host()
    running(figures, host)
    paused(figures, host)
    figures.end()


if __name__ == "__main__":
    main()
