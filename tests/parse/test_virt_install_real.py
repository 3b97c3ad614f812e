"""What a line means here, and what the real virt-install makes of it, are the same guest."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._libvirt import virsh
from kvmnb import parse
from kvmnb.compile.libvirt_board import firmware_order
from kvmnb.compile.settled import settled
from kvmnb.compile.virt_install import compile_virt_install
from kvmnb.parse.words import joined
from kvmnb.spec.boot import Boot
from kvmnb.spec.codec import differences
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC, Video
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import NIC
from kvmnb.spec.peripherals import TPM, Input, Share, Sound, Watchdog
from kvmnb.spec.platform import Clock
from kvmnb.spec.ports import Channel, Console
from kvmnb.spec.screens import Spice
from kvmnb.spec.storage import CDROM
from tests.compile.made import runtime
from tests.parse.test_virt_install_outside import LINES, grounded
from tests.parse.virt_install_cases import BARE, CASES, WHOLE
from tests.parse.virt_install_normal import as_defined, normal
from tests.parse.virt_install_real import VirtInstall, filled, made_files, ours

MISSING = [name for name in ("virt-install", "libvirtd", "unshare") if not shutil.which(name)]

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a libvirtd of the tests' own needs root"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, an ISO and an install tree, which are a storage pool as well."""
    folder = tmp_path_factory.mktemp("files")
    made_files(folder)
    return folder


@pytest.fixture(scope="module")
def real(files: Path) -> Iterator[VirtInstall]:
    """The real program, with a daemon that sees folders of its own in place of the host's."""
    with virsh() as client:
        client("pool-define-as", "default", "dir", "--target", files)
        client("pool-start", "default")
        yield VirtInstall(client)


def _line(case: str) -> str:
    """Return a case behind the bare line, less the bare line's options that it gives itself."""
    bare = BARE
    for option, old in (
        ("--disk", "--disk"),
        ("--memory", "--ram"),
        ("--network", "--bridge"),
        ("--graphics", "--vnc"),
    ):
        if f"{option} " in f"{case} " or f"{old} " in f"{case} ":
            bare = re.sub(rf"{option} \S+ ", "", bare)
    return f"{bare} {case}"


def _fetched(xml: str) -> str:
    """Give the kernel that virt-install fetched for an installation the name that ours has."""
    xml = re.sub(r">[^<>]*virtinst-[^<>]*-vmlinuz<", ">/KERNEL<", xml)
    return re.sub(r">[^<>]*virtinst-[^<>]*-initrd.img<", ">/INITRD<", xml)


_VOLUME = re.compile(
    r"type='volume'(.*?)(?: type='\w+')?((?: discard='unmap')?/>\s*<source )pool='default' "
    r"volume='(.*?)'",
    re.DOTALL,
)


def _compare(real: VirtInstall, line: str, files: Path, step: str, *, first: bool) -> None:
    xml = _fetched(real.xml(line, step))
    if step == "2" and re.search("--cdrom|-c ", line):
        # virt-install takes the medium out when the installation is done, and forgets it
        xml = _with_medium(xml, files)
    # virt-install asks the pool for the file of a volume, and for its format
    mine = _VOLUME.sub(
        rf"type='file'\1 type='qcow2'\2file='{files}/\3'", ours(line, first_start=first)
    )
    texts = (as_defined(real.client, each, files) for each in (mine, xml))
    found, expected = (normal(each, line) for each in texts)
    assert found == expected


def _with_medium(xml: str, files: Path) -> str:
    begin, tray, end = xml.partition('device="cdrom"')
    return begin + tray + end.replace("<target", f'<source file="{files}/cd.iso"/><target', 1)


@pytest.mark.parametrize("case", CASES)
def test_an_option_makes_the_same_devices(case, real, files):
    _compare(real, filled(_line(case), files), files, "1", first=False)


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_line_makes_the_same_guest(case, real, files):
    line = filled(case, files)
    installs = re.search(r"--cdrom|--location|-l |--pxe|--install", line) is not None
    installs = installs and "--livecd" not in line
    _compare(real, line, files, "1", first=installs)
    if installs:
        _compare(real, line, files, "2", first=False)


@pytest.mark.parametrize("line", [line for line in LINES if grounded(line, Path("/"))])
def test_a_line_from_outside_makes_the_same_guest(line, real, files):
    text = grounded(line, files) or ""
    installs = re.search(r"--cdrom|-c |--location|--pxe", text) is not None
    first = installs and "--livecd" not in text
    _compare(real, text, files, "1", first=first)


def test_a_pci_device_of_the_host_is_passed_on_as_virt_install_does(real, files):
    nodes = real.client("nodedev-list", "--cap", "pci").split()
    if not nodes:
        pytest.skip("libvirt finds no PCI device on this host")
    domain, bus, slot, function = nodes[0].removeprefix("pci_").split("_")
    for name in (nodes[0], f"{domain}:{bus}:{slot}.{function}"):
        _compare(real, f"{BARE} --hostdev {name}", files, "1", first=False)


PRODUCED = (
    DomainSpec(name="plain"),
    DomainSpec(
        name="bare", serials=(), agent=False, displays=(), videos=(), balloon=None, rng=None
    ),
    DomainSpec(name="q35", machine="q35", nics=(NIC(), NIC(model="e1000e", back=None))),
    DomainSpec(name="cpu", cpu=CPU(count=2, maximum=4, sockets=2, dies=1, cores=2, threads=1)),
    DomainSpec(name="memory", memory=Memory(size_mib=256, current_mib=128, source="memfd")),
    DomainSpec(name="clock", clock=Clock(base="localtime", driftfix="slew", hpet=False)),
    DomainSpec(name="vm-clock", clock=Clock(source="vm", hpet=False), suspend_to_mem=True),
    DomainSpec(
        name="spice", displays=(Spice(port=5911),), videos=(Video("qxl"),), inputs=(Input(),)
    ),
    DomainSpec(name="vnc", displays=(VNC(display=3, password="secret"),), sounds=(Sound("ac97"),)),
    DomainSpec(name="ports", consoles=(Console(),), channels=(Channel("org.example.0"),)),
    DomainSpec(name="events", on_reboot="destroy", watchdog=Watchdog("ib700", "none"), acpi=False),
    DomainSpec(name="cd", cdroms=(CDROM(),), boot=Boot(order="dn", menu=True), nics=(NIC(),)),
    DomainSpec(name="kernel", boot=Boot(kernel="/k", initrd="/i", append="a=b, c")),
    DomainSpec(name="tpm", tpm=TPM(), shares=(Share(source="/tmp", tag="a,b"),), title="a, b"),
    DomainSpec(name="osinfo", osinfo="debian11", usb="xhci", extra_args=("-d", "guest_errors")),
)


@pytest.mark.parametrize("spec", PRODUCED, ids=lambda spec: spec.name)
def test_a_produced_line_makes_what_it_was_produced_from(spec, real):
    made = runtime(spec)
    line = joined(compile_virt_install(spec, made)[1:])
    found = parse.libvirt(real.xml(line, "1")).spec
    expected = settled(spec, made, "virt-install")
    # libvirt's XML always names a first device, of which an open order says nothing; controllers
    # of virt-install's choice and libosinfo's own element are text that no field stands for
    boot = dataclasses.replace(found.boot, order=expected.boot.order or "")
    order = expected.boot.order or firmware_order(expected) or "c"
    assert found.boot.order in {order, "c"} or expected.boot.kernel
    found = dataclasses.replace(found, boot=boot, osinfo=expected.osinfo, extra_xml=())
    assert differences(found, expected) == ()
