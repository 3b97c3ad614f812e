"""Network namespaces of a test's own, where it may make taps and bridges."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ETC = (
    "mkdir {place}/etc; mount -t tmpfs kvmnb {place}/etc; cp -a /etc/. {place}/etc;"
    " mkdir -p {place}/etc/qemu; mount --bind {place}/etc /etc"
)
"""A copy of /etc that ends with the namespace: the helper reads its rules there alone."""


BRIDGE = "; echo allow br0 >/etc/qemu/bridge.conf; ip link add br0 type bridge; ip link set br0 up"


def need_bridge_helper() -> None:
    """Skip the test where no guest can join a bridge."""
    if not Path("/usr/lib/qemu/qemu-bridge-helper").exists():
        pytest.skip("there is no qemu-bridge-helper here")


def inside(tmp_path: Path) -> Callable[[str, str], Any]:
    """Run Python in a network namespace and a mount namespace of its own; return what it printed.

    There it is root, so that taps and bridges can be made, and nobody else sees them.
    """
    if os.geteuid() != 0:
        pytest.skip("making taps and bridges needs root")
    for tool in ("unshare", "ip"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} here")
    if subprocess.run(["unshare", "-nm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no right to make namespaces here")
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("the kernel has no tun device")

    def run(setup: str, code: str) -> Any:
        script = tmp_path / "inside.py"
        head = "import json, os, subprocess\nfrom kvmnb import Host\nhost = Host()\n"
        script.write_text(head + textwrap.dedent(code))
        line = f"set -e; {setup}; exec {sys.executable} {script}"
        done = subprocess.run(
            ["unshare", "-nm", "sh", "-c", line],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
