"""A real libvirtd takes our domain XML, gives the same guest back, and runs it."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks._libvirt import Virsh, unavailable, virsh
from kvmnb.compile.libvirt import compile_libvirt
from kvmnb.compile.settled import settled
from kvmnb.compile.virt_install_extra import respelled
from kvmnb.parse.domain_xml import parse_domain
from kvmnb.spec.boot import Boot
from kvmnb.spec.chardev import Serial
from kvmnb.spec.codec import differences
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.diskbacks import BlockDevice, FatFolder, Server, Volume
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC, Video
from kvmnb.spec.memory import Memory
from kvmnb.spec.netbacks import Bridge, Direct, LibvirtNetwork, Tap
from kvmnb.spec.network import NIC
from kvmnb.spec.peripherals import HostPCI, HostUSB, Input, Share, Sound, Vsock, Watchdog
from kvmnb.spec.platform import Clock, ExtraXML, Firmware
from kvmnb.spec.ports import Channel, Console, Parallel
from kvmnb.spec.screens import Spice
from kvmnb.spec.storage import CDROM, Disk, ExistingFile, Floppy
from tests.compile.made import runtime
from tests.compile.test_libvirt_argv import SPECS

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())

FILE = ExistingFile("/images/a.qcow2")


def _guest(name: str, **fields: Any) -> DomainSpec:
    plain: dict[str, Any] = {"displays": (), "videos": (), "accel": "tcg", "serials": ()}
    return DomainSpec(name=name, **{**plain, **fields})


GUESTS = (
    *SPECS.values(),
    _guest("serials", serials=(Serial(), Serial()), parallels=(Parallel(),)),
    _guest("ports", consoles=(Console(),), channels=(Channel("org.example.0"),)),
    _guest("vnc", displays=(VNC(display=3, password="secret"),), videos=(Video(),)),
    _guest("spice", displays=(Spice(port=5911),), videos=(Video("qxl"),), sounds=(Sound("ich6"),)),
    _guest("cards", nics=(NIC(back=LibvirtNetwork()), NIC(back=Bridge("br0"), mtu=1400))),
    _guest("taps", nics=(NIC(back=Direct(device="eth0")), NIC(back=Tap(ifname="tap0")))),
    _guest(
        "far disks",
        disks=(
            Disk(back=Server(protocol="nbd", host="h", name="x"), format="raw"),
            Disk(back=Volume(pool="default", name="v.qcow2"), format="qcow2"),
            Disk(back=FatFolder(path="/srv/fat"), readonly=True),
            # libvirt puts the disks of a bus together
            Disk(back=BlockDevice("/dev/vg/lv"), format="raw", bus="scsi"),
        ),
        floppies=(Floppy(FILE, format="raw"),),
    ),
    _guest("tree", boot=Boot(location="/tree", append="ks=x"), disks=(Disk(back=FILE),)),
    _guest(
        "once", boot=Boot(once="d", order="cn"), disks=(Disk(back=FILE),), cdroms=(CDROM(FILE),)
    ),
    _guest("kernel", boot=Boot(kernel="/k", initrd="/i", append="a=b, c")),
    _guest("uefi", machine="q35", firmware=Firmware(), usb="xhci", inputs=(Input(),)),
    _guest(
        "shares",
        shares=(Share(source="/tmp", tag="a,b"), Share(source="/srv", tag="v", kind="virtiofs")),
        memory=Memory(size_mib=64, source="memfd", shared=True),
    ),
    _guest("passed on", hostdevs=(HostPCI(address="0000:01:00.0"), HostUSB(vendor=1, product=2))),
    _guest(
        "small",
        balloon=Balloon(deflate_on_oom=True),
        rng=RNG(max_bytes=10, period_ms=20),
        watchdog=Watchdog("ib700", "none"),
        vsock=Vsock(7),
        clock=Clock(driftfix="slew", hpet=False),
    ),
    _guest(
        "kept",
        disks=(Disk(back=FILE, format="qcow2"),),
        extra_args=("-d", "guest_errors"),
        extra_xml=(
            ExtraXML(parent="features", xml="<hyperv mode='custom'><relaxed state='on'/></hyperv>"),
            ExtraXML(parent="disks.0", xml="<disk><driver queues='2'/></disk>"),
            ExtraXML(parent="devices", xml="<panic model='isa'/>"),
        ),
    ),
)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Virsh]:
    """A libvirtd of the tests' own."""
    with virsh() as client:
        yield client


def _as_libvirt_keeps(spec: DomainSpec) -> DomainSpec:
    """Return a guest less what libvirt fills in where an XML leaves it open.

    That is the first device to start from, the board's version, a generation id, QEMU's own
    processor by its name, a die for each socket, the memory of a graphics card, and the USB
    controller that a device needs. Elements that were kept are laid out by it.
    """
    machine = re.sub(r"^pc-i440fx-[\d.]+$", "pc", spec.machine)
    videos = tuple(dataclasses.replace(video, memory_mib=None) for video in spec.videos)
    cpu = dataclasses.replace(spec.cpu, model=spec.cpu.model or "qemu64", dies=spec.cpu.dies or 1)
    needed = any(each.bus == "usb" for each in spec.inputs) or spec.hostdevs != ()
    return dataclasses.replace(
        spec,
        boot=dataclasses.replace(spec.boot, order=spec.boot.order or "c"),
        machine=re.sub(r"^pc-q35-[\d.]+$", "q35", machine),
        vmgenid=None,
        cpu=cpu,
        videos=videos,
        usb=None if needed else spec.usb,
        extra_xml=tuple(map(respelled, spec.extra_xml)),
    )


@pytest.mark.parametrize("spec", GUESTS, ids=lambda spec: spec.name)
def test_a_defined_guest_comes_back_from_libvirt(daemon: Virsh, spec: DomainSpec, tmp_path: Path):
    made = runtime(spec)
    file = tmp_path / "domain.xml"
    file.write_text(compile_libvirt(spec, made))
    daemon("define", "--file", file)
    try:
        text = daemon("dumpxml", "--inactive", "--security-info", made.uuid)
    finally:
        daemon("undefine", "--nvram", made.uuid)
    found = _as_libvirt_keeps(parse_domain(text).spec)
    assert differences(found, _as_libvirt_keeps(settled(spec, made, "libvirt"))) == ()


@pytest.mark.guest
def test_libvirt_runs_a_guest_from_our_xml(daemon: Virsh, tmp_path: Path):
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        pytest.skip("qemu-system-x86_64 is not installed")
    spec = _guest("tiny", memory=Memory(size_mib=32), serials=(Serial(),), nics=(NIC(),))
    made = runtime(spec, qemu=qemu)
    file = tmp_path / "domain.xml"
    file.write_text(compile_libvirt(spec, made))
    daemon("create", "--file", file)
    try:
        assert daemon("domstate", "tiny").strip() == "running"
        running = parse_domain(daemon("dumpxml", "tiny")).spec
        assert (running.serials, running.nics) == (spec.serials, settled(spec, made).nics)
    finally:
        daemon("destroy", "tiny")
