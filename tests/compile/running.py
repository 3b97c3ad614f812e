"""A real QEMU, started with a compiled argument list and asked over QMP what it made of it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from kvmnb.compile.qemu import compile_qemu
from kvmnb.compile.runtime import DiskFile, Runtime
from kvmnb.compile.targets import expressible
from kvmnb.engines.qemu.facts import backends, facts
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import ExistingFile

__all__ = ["MISSING", "Running", "real_runtime", "running"]

LIMIT_S = 30.0

MISSING = (
    "/dev/net/tun: ",
    "could not open /dev/",
    "could not configure /dev/net/tun",
    "failed to open vhost device",
    "tap: open vhost char device failed",
    "vhost-net requested but could not be initialized",
    "bridge helper failed",
    "no such host device",
    "vfio ",
    "sysfsdev",
    "failed to find host usb device",
    "Failed to connect to",
    "Could not open vde",
    "Could not open '/dev/",
    "Could not init `",
    "spice is not supported",
    "no spice",
    "There is no option group 'spice'",
    "missing object type",
    "Unknown driver",
    "QEMU waiting for connection on",
    "We need a terminal output",
    "Cannot access TPM device",
    "is not a valid device model name",
    "OpenGL support",
    "egl: no drm render node available",
    "unable to map backing store for guest RAM: Cannot allocate memory",
)
"""Words of QEMU's by which a host lacks a device, a right or a part of QEMU."""


class Running:
    """One QEMU that has not run an instruction yet.

    Attributes
    ----------
    argv : that it was started with
    """

    def __init__(self, argv: tuple[str, ...], monitor: str, log: Path) -> None:
        self.argv, self._log = argv, log
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=log.parent
            )
        self._socket = socket.socket(socket.AF_UNIX)
        self._lines: Any = None
        try:
            self._greet(monitor)
        except OSError as error:  # QEMU ended while it was greeted
            self.end()
            raise RefusedError(self.said or str(error)) from None
        except RefusedError:
            self.end()
            raise

    def _greet(self, monitor: str) -> None:
        begun = time.monotonic()
        while True:
            if self._process.poll() is not None:
                raise RefusedError(self.said)
            try:
                self._socket.connect(monitor)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                # the socket is not there before QEMU has read its options
                if time.monotonic() - begun > LIMIT_S:
                    raise
                time.sleep(0.01)
        self._socket.settimeout(LIMIT_S)
        self._lines = self._socket.makefile("rw", encoding="utf-8")
        if not self._lines.readline():
            self._process.wait(LIMIT_S)
            raise RefusedError(self.said)
        self.qmp("qmp_capabilities")

    @property
    def said(self) -> str:
        """What QEMU wrote on its standard output and error."""
        return self._log.read_text(encoding="utf-8", errors="replace").strip()

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Return the answer to one command."""
        self._lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._lines.flush()
        while line := self._lines.readline():
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RefusedError(answer["error"]["desc"])
        raise RefusedError(self.said)

    def hmp(self, line: str) -> str:
        """Return what the monitor for people prints."""
        return str(self.qmp("human-monitor-command", **{"command-line": line}))

    def get(self, id: str, property: str) -> Any:
        """Return a property of the device `id`."""
        return self.qmp("qom-get", path=f"/machine/peripheral/{id}", property=property)

    def ids(self) -> set[str]:
        """Return the ids of all devices."""
        listed = self.qmp("qom-list", path="/machine/peripheral")
        return {each["name"] for each in listed if each["type"].startswith("child<")}

    def end(self) -> None:
        """End the process."""
        if self._lines is not None:
            with suppress(OSError):
                self._lines.close()
        self._socket.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(LIMIT_S)


class RefusedError(Exception):
    """QEMU did not take what it was told."""


def real_runtime(spec: DomainSpec, folder: Path, **changes: Any) -> Runtime:
    """Return this host's QEMU, with `folder` as the run folder, and small files as disks."""
    found = facts()
    kinds = backends(found.path)
    disks = []
    for index, disk in enumerate(spec.disks):
        path, format = folder / f"disk{index}.img", "raw"
        if isinstance(disk.back, ExistingFile) and not disk.snapshot:
            # what is written nowhere else: a line's own relative path means the run folder here
            path, format = folder / disk.back.path, disk.format or "raw"
        if not path.exists():
            path.write_bytes(bytes(1 << 20))
        disks.append(DiskFile(path=str(path), format=format))
    made = Runtime(
        qemu=found.path,
        version=found.version,
        devices=found.devices,
        sandbox="sandbox" in found.options,
        accel="tcg",
        run_dir=str(folder),
        uuid=spec.uuid or "12345678-1234-8234-8234-123456789abc",
        disks=tuple(disks),
        macs=tuple(nic.mac or f"52:54:00:00:00:{i:02x}" for i, nic in enumerate(spec.nics)),
        netdevs=kinds.netdevs,
        chardevs=kinds.chardevs,
        audiodevs=kinds.audiodevs,
        displays=kinds.displays,
    )
    return dataclasses.replace(made, **changes)


@contextmanager
def running(spec: DomainSpec, **changes: Any) -> Iterator[Running]:
    """Start `spec` on the real QEMU, paused; skip where this host lacks what it needs."""
    # the path is short, since a Unix socket's path may have 107 bytes at most
    folder = Path(tempfile.mkdtemp(prefix="kvmnb-q-"))
    paused = dataclasses.replace(expressible(spec, "qemu")[0], paused=True)
    try:
        argv = compile_qemu(paused, real_runtime(paused, folder, **changes))
        for name in _secret_files(argv):
            Path(name).write_text("secret", encoding="utf-8")
        try:
            guest = Running(argv, str(folder / "qmp.sock"), folder / "log")
        except RefusedError as error:
            if any(word in str(error) for word in MISSING):
                pytest.skip(f"QEMU here says: {str(error).splitlines()[-1]}")
            raise AssertionError(f"{error}\n{argv}") from None
        else:
            try:
                yield guest
            finally:
                guest.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _secret_files(argv: tuple[str, ...]) -> list[str]:
    found = [word for word in argv if word.startswith("secret,")]
    return [os.path.normpath(word.partition("file=")[2]) for word in found]
