"""A libvirtd of the benchmark's own, to measure beside; the machine's is never touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from kvmnb import VM

__all__ = ["Virsh", "domain_xml", "unavailable", "virsh"]

PRIVATE = {
    "run": "/run",
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "log": "/var/log",
    "cache": "/var/cache",
}
"""Folders that the daemon finds in its own mount namespace, each bound over one of the host's."""

SETTINGS = """
stdio_handler = "file"
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
"""
"""qemu.conf: no further daemon for logs, and QEMU as the user that also owns our guests."""

START_S = 20.0


def unavailable() -> str:
    """Return why there is no libvirtd to measure beside here, or nothing."""
    missing = [name for name in ("libvirtd", "virsh", "unshare") if shutil.which(name) is None]
    if missing:
        return f"{missing[0]} is not installed"
    return "" if os.geteuid() == 0 else "a libvirtd in a namespace of its own needs root"


class Virsh:
    """``virsh`` connected to one daemon; each call is one process, as its users run it."""

    def __init__(self, socket_path: Path) -> None:
        self._argv = ("virsh", "-q", "-c", f"qemu+unix:///system?socket={socket_path}")

    def __call__(self, *words: str | Path) -> str:
        """Run one command and return what it printed."""
        done = subprocess.run(
            [*self._argv, *words], check=True, capture_output=True, text=True, timeout=120
        )
        return done.stdout


@contextlib.contextmanager
def virsh() -> Iterator[Virsh]:
    """Start a libvirtd and give a virsh that talks to it; all of it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="kvmnb-libvirt-") as name:
        place = Path(name)
        for folder in PRIVATE:
            (place / folder).mkdir()
        shutil.copytree("/etc/libvirt", place / "etc", dirs_exist_ok=True, symlinks=True)
        for link in (place / "etc").rglob("autostart/*"):
            link.unlink()
        with open(place / "etc/qemu.conf", "a", encoding="utf-8") as file:
            file.write(SETTINGS)
        binds = [f"mount --bind '{place}/{ours}' '{theirs}'" for ours, theirs in PRIVATE.items()]
        script = " && ".join([*binds, "exec libvirtd"])
        argv = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script]
        with open(place / "libvirtd.log", "wb") as log:
            daemon = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            line = place / "run/libvirt/libvirt-sock"
            _wait_for(line, daemon, place / "libvirtd.log")
            client = Virsh(line)
            try:
                yield client
            finally:
                for domain in client("list", "--name").split():
                    client("destroy", domain)
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
            raise RuntimeError(f"libvirtd did not start:\n{log.read_text()}")
        time.sleep(0.02)


def domain_xml(vm: VM, name: str, disk: Path | None) -> str:
    """Return the machine that `vm` describes as libvirt has it, by hand: the same devices."""
    spec = vm.spec
    domain = ElementTree.Element("domain", type="qemu")

    def add(
        parent: ElementTree.Element, tag: str, text: str = "", **more: str
    ) -> ElementTree.Element:
        element = ElementTree.SubElement(parent, tag, more)
        element.text = text or None
        return element

    add(domain, "name", name)
    add(domain, "memory", str(spec.memory.size_mib), unit="MiB")
    add(domain, "vcpu", str(spec.cpu.count))
    add(add(domain, "os"), "type", "hvm", arch="x86_64", machine=spec.machine)
    add(add(domain, "features"), "acpi")
    devices = add(domain, "devices")
    if disk is not None:
        one = add(devices, "disk", type="file", device="disk")
        add(one, "driver", name="qemu", type="qcow2")
        add(one, "source", file=str(disk))
        add(one, "target", dev="vda", bus="virtio")
    for nic in spec.nics:
        add(add(devices, "interface", type="user"), "model", type=nic.model)
    add(devices, "serial", type="pty")
    channel = add(devices, "channel", type="unix")
    add(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    add(devices, "graphics", type="vnc", autoport="yes", listen="127.0.0.1")
    add(add(devices, "video"), "model", type="vga")
    add(add(devices, "memballoon", model="virtio"), "stats", period="2")
    add(add(devices, "rng", model="virtio"), "backend", model="builtin")
    return ElementTree.tostring(domain, encoding="unicode")
