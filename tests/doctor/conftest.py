"""Machines laid out as file trees: real files and real commands, of what this machine may lack."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvmnb.doctor import Root

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n'


class Machine:
    """A machine's file tree, to be filled by a test; pytest removes it with its `tmp_path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environ = {"PATH": "/usr/bin", "HOME": "/home/ada"}
        self.write("/etc/os-release", DEBIAN)
        self.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n")
        self.write("/etc/group", "root:x:0:\nkvm:x:107:\nlibvirt:x:106:\nada:x:1000:\n")
        self.write("/proc/sys/kernel/osrelease", "6.1.0-test\n")

    def write(self, name: str, text: str = "") -> Path:
        file = self.path / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def folder(self, name: str) -> Path:
        folder = self.path / name.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def command(self, name: str, script: str) -> Path:
        """Install a command: a shell script that answers as the real one does."""
        file = self.write(name, f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    def cpu(self, flags: str, vendor: str = "GenuineIntel", model: str = "Test CPU") -> None:
        self.write(
            "/proc/cpuinfo",
            f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: {model}\n"
            f"flags\t\t: {flags}\n\nprocessor\t: 1\n",
        )

    def modules(self, loaded: str = "", loadable: str = "", built_in: str = "") -> None:
        lines = [f"{name} 4096 0 - Live 0x0\n" for name in loaded.split()]
        self.write("/proc/modules", "".join(lines))
        folder = "/lib/modules/6.1.0-test"
        lines = [f"kernel/some/{name.replace('_', '-')}.ko" for name in built_in.split()]
        self.write(f"{folder}/modules.builtin", "\n".join(lines))
        lines = [f"kernel/some/{name}.ko.xz: kernel/x.ko" for name in loadable.split()]
        self.write(f"{folder}/modules.dep", "\n".join(lines))

    def root(self, uid: int = 1000, groups: tuple[int, ...] = (1000,)) -> Root:
        """Return the machine as a user sees it who asks."""
        return Root(self.path, environ=self.environ, uid=uid, groups=frozenset(groups))


@pytest.fixture
def machine(tmp_path) -> Machine:
    """A bare machine."""
    return Machine(tmp_path / "m")
