"""The quickstart notebook's job in a terminal, each step with its time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kvmnb.host import Host
from kvmnb.markup import printable
from kvmnb.units import MIB, human

__all__ = ["demo"]


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Print a step, then how long it took, in milliseconds."""
    print(f"── {what}", flush=True)
    began = time.perf_counter()
    yield
    print(f"   {'':<44}{(time.perf_counter() - began) * 1000:>9.1f} ms", flush=True)


def _say(text: str) -> None:
    for line in text.splitlines():
        print(f"   {printable(line)}", flush=True)


def demo() -> int:
    """Boot a guest, run a command in it, squeeze its balloon, watch it, shut it down."""
    host = Host()
    with _step("the tiny guest's image"):
        image = host.images["tiny"]
        _say(f"{image.os}, {human(image.size_bytes)}, sha256 {str(image.sha256)[:16]}…")
    vm = host.vm("demo").mem(128).smp(2).disk("tiny").nic("virtio")
    with _step('host.vm("demo").mem(128).smp(2).disk("tiny").nic("virtio").start()'):
        guest = vm.start()
        _say(f"pid {guest.info.pid}, {guest.info.accel}: {guest.info.accel_reason}")
    with guest:
        with _step('guest.run("uname -sr; nproc; free -m")'):
            _say(guest.run("uname -sr; nproc; free -m", check=True).stdout)
        with _step('guest.balloon("96M")'), guest.listen() as events:
            guest.balloon("96M")
            while (event := events.get(timeout=30)) is not None:
                if event.kind == "balloon" and event.detail["actual"] <= 96 * MIB:
                    break
            _say(guest.hmp("info balloon"))
        with _step("guest.stats()"):
            _say(str(guest.stats()))
        with _step("guest.record(hz=5), while dd copies 50 MiB in the guest"):
            with guest.record(hz=5) as recording:
                guest.run("dd if=/dev/zero of=/dev/null bs=1M count=50", check=True)
            table = recording.to_pandas()
            _say(f"{len(table)} readings of {table['metric'].nunique()} metrics")
        with _step("guest.shutdown()"):
            guest.shutdown()
            _say(f"state: {guest.state}; guests that still run here: {len(host.guests)}")
    return 0


if __name__ == "__main__":
    sys.exit(demo())
