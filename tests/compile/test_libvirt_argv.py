"""libvirt's own command for our domain XML has the devices that our own command has."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks._libvirt import Virsh, unavailable, virsh
from kvmnb.compile.libvirt import compile_libvirt
from kvmnb.compile.qemu import compile_qemu
from kvmnb.compile.runtime import Runtime
from kvmnb.parse.qemu_line import parse_qemu
from kvmnb.spec.cpu import CPU
from kvmnb.spec.devices import RNG
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.memory import Memory
from kvmnb.spec.netbacks import Socket
from kvmnb.spec.network import NIC
from kvmnb.spec.numa import NUMANode
from kvmnb.spec.peripherals import Input, Watchdog
from kvmnb.spec.platform import Clock
from kvmnb.spec.storage import CDROM, Disk, ExistingFile
from tests.compile.made import runtime

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())

FILE, OTHER = ExistingFile("/images/a,b.qcow2"), ExistingFile("/images/c=d.img")


def _guest(**fields: Any) -> DomainSpec:
    return DomainSpec(**fields, accel="tcg", displays=(), videos=())


SPECS = {
    "bare": _guest(name="a,b <c>", agent=False),
    "processors": DomainSpec(
        displays=(),
        videos=(),
        name="p",
        cpu=CPU(count=2, maximum=8, cores=4, model="max"),
    ),
    "memory": DomainSpec(
        displays=(),
        videos=(),
        name="m",
        memory=Memory(size_mib=256, source="memfd", shared=True),
    ),
    "nodes": DomainSpec(
        displays=(),
        videos=(),
        name="n",
        memory=Memory(size_mib=96),
        cpu=CPU(count=2),
        numa=(NUMANode(memory_mib=64, cpus=(0,)), NUMANode(memory_mib=32, cpus=(1,))),
    ),
    "disks": DomainSpec(
        displays=(),
        videos=(),
        name="d",
        disks=(
            Disk(back=FILE, format="qcow2", cache="none", aio="native", discard="unmap"),
            Disk(back=OTHER, format="raw", bus="ide", serial="AB-12"),
            Disk(back=OTHER, format="raw", bus="scsi", readonly=True),
            Disk(back=FILE, format="qcow2", bus="sata", cache="writethrough"),
        ),
        cdroms=(CDROM(OTHER),),
    ),
    "cards": DomainSpec(
        displays=(),
        videos=(),
        name="c",
        nics=(
            NIC(mac="52:54:00:00:00:01"),
            NIC(mac="52:54:00:00:00:02", model="e1000"),
            NIC(
                mac="52:54:00:00:00:03",
                model="rtl8139",
                back=Socket(role="connect", host="127.0.0.1", port=4000),
            ),
        ),
    ),
    "q35": DomainSpec(
        displays=(),
        videos=(),
        name="q",
        machine="q35",
        disks=(Disk(back=FILE, format="qcow2"),),
        inputs=(Input("tablet"),),
        watchdog=Watchdog(action="pause"),
        rng=RNG(source="/dev/urandom"),
        clock=Clock(base="localtime", driftfix="slew"),
    ),
}


@pytest.fixture(scope="module")
def daemon() -> Iterator[Virsh]:
    """A libvirtd of the tests' own."""
    with virsh() as client:
        yield client


def _argv(daemon: Virsh, spec: DomainSpec, made: Runtime, folder: Path) -> str:
    file = folder / "domain.xml"
    file.write_text(compile_libvirt(spec, made))
    return daemon("domxml-to-native", "qemu-argv", file)


def _machine(line: str) -> dict[str, object]:
    """Return what both commands must agree on.

    Not among it is where a card's frames go, since virsh prints a tap for every one of them, and
    what a disk's freed blocks come to, since libvirt has QEMU free them unasked.
    """
    spec = parse_qemu(line).spec
    return {
        "machine": spec.machine.replace("pc-i440fx-7.2", "pc").replace("pc-q35-7.2", "q35"),
        "memory": spec.memory.size_mib,
        "vcpus": (spec.cpu.count, spec.cpu.most),
        "model": spec.cpu.model or "qemu64",
        "numa": [(node.memory_mib, node.cpus) for node in spec.numa],
        "disks": [
            (disk.back, disk.bus, disk.format, disk.cache, disk.aio, disk.readonly, disk.serial)
            for disk in spec.disks
        ],
        "cdroms": [cdrom.back for cdrom in spec.cdroms],
        "nics": [(nic.model, nic.mac) for nic in spec.nics],
        "rest": (spec.watchdog, spec.rng, spec.clock, spec.inputs, spec.displays, spec.videos),
    }


def test_shared_memory_is_a_memfd_that_others_may_map(daemon: Virsh, tmp_path: Path):
    spec = SPECS["memory"]
    command = _argv(daemon, spec, runtime(spec), tmp_path)
    assert '"qom-type":"memory-backend-memfd"' in command
    assert '"share":true' in command


@pytest.mark.parametrize("name", SPECS)
def test_libvirt_runs_the_guest_that_we_would_run(daemon: Virsh, name: str, tmp_path: Path):
    spec = SPECS[name]
    made = runtime(spec)
    theirs = shlex.split(_argv(daemon, spec, made, tmp_path))
    # before the program stand the variables that libvirt starts it with
    command = theirs[theirs.index(made.qemu) :]
    assert _machine(shlex.join(command)) == _machine(shlex.join(compile_qemu(spec, made)))
