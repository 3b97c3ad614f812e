"""What it costs to read 1,000 different QEMU lines, beside `shlex` and `argparse` splitting them.

The peer knows the options' names and nothing of their values; what is more is the meaning.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable

from benchmarks._ratio import Figures, in_turn

COUNT = 1000
ROUNDS = 5
LIMIT_S = 2.0

LINES = (
    "qemu-kvm -m 128 -smp 2 -name g{0} -hda /images/{0}.img",
    "qemu-kvm -name g{0} -smp 4,sockets=1,cores=2,threads=2 -m 512 -drive file=/images/{0}.img,"
    "if=ide,media=disk,cache=writeback,format=qcow2 -drive file=/iso/{0}.iso,media=cdrom",
    "qemu-kvm -m 128 -name g{0} -drive file=/images/{0}.img,if=virtio,cache=none,format=qcow2 "
    "-net nic,model=virtio -net tap,script=/etc/if-up,downscript=no -nographic",
    "qemu-kvm -name g{0} -vnc :{0},password -monitor stdio -usbdevice tablet -balloon virtio",
    "/usr/bin/qemu-system-x86_64 -name guest=g{0} -no-user-config -nodefaults -machine pc "
    "-accel kvm -m size=256M -smp 2 -chardev socket,id=qmp,path=/run/{0}/qmp.sock,server=on,"
    "wait=off -mon chardev=qmp,mode=control -blockdev driver=file,filename=/images/{0}.img,"
    "node-name=disk0-file,cache.direct=off,cache.no-flush=off,read-only=off -blockdev "
    "driver=qcow2,file=disk0-file,node-name=disk0,cache.direct=off,cache.no-flush=off,"
    "read-only=off -device virtio-blk-pci,id=disk0,drive=disk0,write-cache=on -netdev user,"
    "id=net0 -device virtio-net-pci,id=net0,netdev=net0,mac=52:54:00:12:34:56 -display none",
)
"""Lines of the classic text, and one that kvmnb writes."""

OPTIONS = (
    *("m", "smp", "name", "hda", "drive", "net", "vnc", "monitor", "usbdevice", "balloon"),
    *("machine", "accel", "chardev", "mon", "blockdev", "device", "netdev", "display"),
)
SWITCHES = ("nographic", "no-user-config", "nodefaults")


def peer() -> Callable[[str], object]:
    """Return a parser that knows which of the options have a value."""
    parser = argparse.ArgumentParser(add_help=False)
    for name in OPTIONS:
        parser.add_argument(f"-{name}", action="append")
    for name in SWITCHES:
        parser.add_argument(f"-{name}", action="store_true")
    return lambda line: parser.parse_args(shlex.split(line)[1:])


def main() -> None:
    """Take the figure."""
    from kvmnb import parse

    lines = [LINES[number % len(LINES)].format(number) for number in range(COUNT)]
    split = peer()

    def read() -> None:
        for line in lines:
            parse.qemu(line)

    def beside() -> None:
        for line in lines:
            split(line)

    ours, theirs = in_turn(read, beside, rounds=ROUNDS)
    figures = Figures()
    figures.over(f"{COUNT} lines of QEMU's as specs over shlex and argparse", ours, theirs, LIMIT_S)
    figures.end()


if __name__ == "__main__":
    main()
