"""What a line means here, and what the real virt-install makes of it, are the same guest."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

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
from tests.parse.virt_install_cases import BARE, CASES, WHOLE
from tests.parse.virt_install_normal import normal
from tests.parse.virt_install_real import VirtInstall, filled, made_files, ours

MISSING = [name for name in ("virt-install", "libvirtd", "unshare") if not shutil.which(name)]

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a libvirtd of the tests' own needs root"),
]

START_S = 20.0
SETTINGS = """
stdio_handler = "file"
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
"""
"""qemu.conf: without the users, QEMU could not be asked what it can, and would be asked each time.
"""

PLACES = {
    "run": "/run",
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "log": "/var/log",
    "cache": "/var/cache",
}


@pytest.fixture(scope="module")
def real() -> Iterator[VirtInstall]:
    """The real program, with a daemon that sees folders of its own in place of the host's."""
    with tempfile.TemporaryDirectory(prefix="kvmnb-vi-") as name:
        place = Path(name)
        for folder in PLACES:
            (place / folder).mkdir()
        shutil.copytree("/etc/libvirt", place / "etc", dirs_exist_ok=True, symlinks=True)
        for link in (place / "etc").rglob("autostart/*"):
            link.unlink()
        with (place / "etc/qemu.conf").open("a") as file:
            file.write(SETTINGS)
        binds = [f"mount --bind '{place}/{mine}' '{theirs}'" for mine, theirs in PLACES.items()]
        script = " && ".join([*binds, "exec libvirtd"])
        argv = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script]
        with (place / "libvirtd.log").open("wb") as log:
            daemon = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            line = place / "run/libvirt/libvirt-sock"
            _wait_for(line, daemon, place / "libvirtd.log")
            yield VirtInstall(f"qemu+unix:///system?socket={line}")
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(START_S)


def _wait_for(line: Path, daemon: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(line))
            return
        if daemon.poll() is not None or time.monotonic() > until:
            pytest.skip(f"no libvirtd can be started here: {log.read_text()[-200:]}")
        time.sleep(0.02)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, an ISO and an install tree."""
    folder = tmp_path_factory.mktemp("files")
    made_files(folder)
    return folder


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


@pytest.mark.parametrize("case", CASES)
def test_an_option_makes_the_same_devices(case, real, files):
    line = filled(_line(case), files)
    assert normal(ours(line, first_start=False), line) == normal(real.xml(line, "1"), line)


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_line_makes_the_same_guest(case, real, files):
    line = filled(case, files)
    installs = re.search(r"--cdrom|--location|-l |--pxe", line) and "--livecd" not in line
    xml = _fetched(real.xml(line, "1"))
    assert normal(ours(line, first_start=bool(installs)), line) == normal(xml, line)
    if not installs:
        return
    after = normal(real.xml(line, "2"), line)
    kept = normal(ours(line, first_start=False), line)
    if "--cdrom" in line:
        # virt-install takes the medium out when the installation is done
        kept = [re.sub(r" <source file='[^']*cd.iso'>", "", each) for each in kept]
    assert kept == after


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
