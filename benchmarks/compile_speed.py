"""What it costs to say guests in three languages: a thousand different ones in all three.

The peer is the least that any program does which writes down a guest as libvirt has it: to build
a tree of elements of the same size and to print it, with the standard library.
"""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET

from benchmarks._ratio import Figures, in_turn
from kvmnb.compile.libvirt import compile_libvirt
from kvmnb.compile.qemu import compile_qemu
from kvmnb.compile.runtime import DiskFile, Runtime
from kvmnb.compile.virt_install import compile_virt_install
from kvmnb.engines.qemu.facts import facts
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import NIC
from kvmnb.spec.storage import Disk, ExistingFile

GUESTS = 1000
ROUNDS = 5
LIMIT_S = 1.0
"""For all of them in all three languages."""

BUSES = ("virtio", "scsi", "sata", "usb")
CACHES = ("writeback", "none", "unsafe")


def guests() -> list[tuple[DomainSpec, Runtime]]:
    """Return so many guests, no two alike, each with a disk or two and a network card or two."""
    found = facts()
    made = []
    for number in range(GUESTS):
        disks = tuple(
            Disk(
                back=ExistingFile(f"/images/{number}-{index}.qcow2"),
                bus=BUSES[(number + index) % len(BUSES)],
                cache=CACHES[number % len(CACHES)],
                format="qcow2",
            )
            for index in range(1 + number % 2)
        )
        spec = DomainSpec(
            name=f"guest-{number}",
            uuid=f"12345678-1234-8234-8234-{number:012x}",
            machine=("pc", "q35")[number % 2],
            memory=Memory(size_mib=128 + number),
            cpu=CPU(count=1 + number % 8, model="max"),
            accel="tcg",
            disks=disks,
            nics=tuple(
                NIC(mac=f"52:54:00:{index:02x}:{number >> 8:02x}:{number & 255:02x}")
                for index in range(1 + number % 3 // 2)
            ),
        )
        runtime = Runtime(
            qemu=found.path,
            version=found.version,
            devices=found.devices,
            sandbox=True,
            accel="tcg",
            run_dir=f"/run/kvmnb/{spec.name}",
            uuid=spec.uuid or "",
            disks=tuple(
                DiskFile(path=f"/images/{number}-{index}.qcow2", format="qcow2")
                for index in range(len(disks))
            ),
            macs=tuple(nic.mac or "" for nic in spec.nics),
        )
        made.append((spec, runtime))
    return made


def tree(number: int) -> str:
    """Return a domain's XML of about the size that a guest has, built element by element."""
    domain = ET.Element("domain", type="qemu")
    for name in ("name", "uuid", "memory", "currentMemory", "vcpu"):
        ET.SubElement(domain, name).text = f"{name}-{number}"
    devices = ET.SubElement(domain, "devices")
    for index in range(14):
        device = ET.SubElement(devices, "disk", type="file", device="disk")
        ET.SubElement(device, "driver", name="qemu", type="qcow2", cache="none")
        ET.SubElement(device, "source", file=f"/images/{number}-{index}.qcow2")
        ET.SubElement(device, "target", dev=f"vd{index}", bus="virtio")
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode")


def main() -> None:
    """Take both figures: each language's beside the peer's, and the sum's in seconds."""
    made = guests()
    figures = Figures()

    # processor time: what else the machine does is no part of it
    def all_three() -> float:
        begun = time.process_time()
        for spec, runtime in made:
            compile_qemu(spec, runtime)
            compile_libvirt(spec, runtime)
            compile_virt_install(spec, runtime)
        return time.process_time() - begun

    def peer() -> float:
        begun = time.process_time()
        for number in range(GUESTS):
            tree(number)
        return time.process_time() - begun

    ours, theirs, nothing = in_turn(all_three, peer, lambda: 0.0, rounds=ROUNDS)
    figures.over("1,000 guests in three languages", ours, nothing, LIMIT_S)
    figures.ratio("1,000 guests in three languages beside one bare tree each", ours, theirs, 4.0)
    figures.end()


if __name__ == "__main__":
    main()
