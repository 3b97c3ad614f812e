"""From nothing to a guest whose agent answers, beside a bare exec and the distribution's kernel."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks._bare import Line, bare
from benchmarks._ratio import Figures, in_turn
from kvmnb import VM, Host
from kvmnb.images.catalogue import Image

ROUNDS = 9


def started(vm: VM) -> float:
    """Return how long `start()` takes; the guest is ended outside of that time."""
    begun = time.perf_counter()
    guest = vm.start()
    took = time.perf_counter() - begun
    guest.destroy()
    return took


def execed(vm: VM, image: Image, disk: Path, kernel: Path | None = None) -> float:
    """Return how long a bare QEMU takes until the guest's agent has answered."""
    argv = list(vm.command().argv)
    argv = [re.sub(r"filename=[^,]+", f"filename={disk}", word) for word in argv]
    if kernel is not None:
        argv[argv.index("-kernel") + 1] = str(kernel)
    disk.unlink(missing_ok=True)
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image.disk), "-F", "qcow2"]
    subprocess.run([*create, str(disk)], check=True)
    with bare(vm, argv) as (folder, begun):
        line = Line(folder / "agent.sock")
        line.sync()
        line.ask("guest-ping")
        took = time.perf_counter() - begun
        line.close()
    return took


def distribution_kernel(images: Path, target: Path) -> Path:
    """Unpack the bzImage that the tiny guest's kernel was taken from."""
    (package,) = images.glob("tiny/apt/packages/linux-image-[0-9]*.deb")
    subprocess.run(["dpkg-deb", "-x", package, target], check=True)
    (kernel,) = target.glob("boot/vmlinuz-*")
    return kernel


def main() -> None:
    """Take both figures in the same rounds."""
    host = Host()
    image = host.images["tiny"]
    vm = host.vm("cold").mem(128).smp(2).disk("tiny").nic("virtio").accel("tcg")
    place = Path(tempfile.mkdtemp(prefix="kvmnb-bench-"))
    figures = Figures()
    try:
        kernel = distribution_kernel(host.images.folder, place)
        peer = vm.named("bare")
        ours, direct, stock = in_turn(
            lambda: started(vm),
            lambda: execed(peer, image, place / "disk.qcow2"),
            lambda: execed(peer, image, place / "disk.qcow2", kernel),
            rounds=ROUNDS,
        )
    finally:
        shutil.rmtree(place)
    what = "start() beside a bare exec of the same argv until the agent answers"
    figures.ratio(what, ours, direct, 1.1)
    what = "start() beside the same system from the distribution's bzImage"
    figures.ratio(what, ours, stock, 0.5)
    figures.end()


if __name__ == "__main__":
    main()
