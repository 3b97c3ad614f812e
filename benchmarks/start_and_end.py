"""What `start(wait="running")` and `destroy()` cost, beside a bare exec and beside libvirt."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks._bare import Line, bare
from benchmarks._libvirt import domain_xml, unavailable, virsh
from benchmarks._ratio import Figures, in_turn
from kvmnb import VM, Host

ROUNDS = 21
LIBVIRT_ROUNDS = 9


def started(vm: VM, ends: list[float]) -> float:
    """Start and end a guest of ours; return what the start took, note what the end took."""
    begun = time.perf_counter()
    guest = vm.start(wait="running")
    took = time.perf_counter() - begun
    begun = time.perf_counter()
    guest.destroy()
    ends.append(time.perf_counter() - begun)
    return took


def execed(vm: VM) -> float:
    """Return how long a bare QEMU takes until its monitor has answered."""
    with bare(vm) as (folder, begun):
        line = Line(folder / "qmp.sock")
        line.read()
        line.ask("qmp_capabilities")
        line.ask("query-status")
        took = time.perf_counter() - begun
        line.close()
    return took


def main() -> None:
    """Take the four figures."""
    figures = Figures()
    host = Host()
    with tempfile.TemporaryDirectory() as folder, host.vm("keeper").mem(16).start(wait="running"):
        disks = [Path(folder) / f"disk{index}.qcow2" for index in range(3)]
        for disk in disks:
            argv = ["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "64M"]
            subprocess.run(argv, check=True)
        base = host.vm("ours").mem(128).smp(2).nic("virtio").accel("tcg")
        ours, peer = base.disk(disks[0]), base.named("bare").disk(disks[1])
        fresh = base.disk(disks[0], snapshot=True)
        ends: list[float] = []
        mine, theirs, overlaid = in_turn(
            lambda: started(ours, ends),
            lambda: execed(peer),
            lambda: started(fresh, []),
            rounds=ROUNDS,
        )
        what = 'start(wait="running") beside a bare exec until QMP answers'
        figures.ratio(what, mine, theirs, 1.2)
        figures.over("a fresh overlay over an existing disk", overlaid, mine, 0.030)
        if reason := unavailable():
            figures.skip("start() beside virsh create, destroy() beside virsh destroy", reason)
            figures.end()
        xml = Path(folder) / "peer.xml"
        xml.write_text(domain_xml(base, "peer", disks[2]))
        with virsh() as peer_virsh:
            theirs_ends: list[float] = []

            def created() -> float:
                begun = time.perf_counter()
                peer_virsh("create", xml)
                took = time.perf_counter() - begun
                begun = time.perf_counter()
                peer_virsh("destroy", "peer")
                theirs_ends.append(time.perf_counter() - begun)
                return took

            ends.clear()
            mine, theirs = in_turn(lambda: started(ours, ends), created, rounds=LIBVIRT_ROUNDS)
        figures.ratio('start(wait="running") beside virsh create', mine, theirs, 1 / 8)
        figures.ratio("destroy() beside virsh destroy", ends[1:], theirs_ends[1:], 1 / 30)
    figures.end()


if __name__ == "__main__":
    main()
