"""Looks at libvirt, which runs guests for those who do not want to do it themselves."""

from __future__ import annotations

import socket

from kvmnb.doctor.check import Finding, Look
from kvmnb.doctor.distribution import install
from kvmnb.doctor.root import Root

__all__ = ["LOOKS"]

DAEMONS = ("virtqemud", "libvirtd")
SOCKETS = ("/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock")
CONNECT_S = 1.0
PURPOSE = 'Host("qemu:///system"), and the lessons on libvirt'


def daemon(root: Root) -> Finding:
    """Look for the daemon's program."""
    found = root.which(*DAEMONS)
    if found is None:
        return Finding("missing", f"no {' or '.join(DAEMONS)} in PATH", install(root, "libvirt"))
    answer = root.ask(found, "--version")
    said = answer.stdout.strip() or answer.complaint
    return Finding("ok", f"{found}: {said}" if said else found)


def reachable(root: Root) -> Finding:
    """Look whether the daemon of the whole machine takes connections."""
    there = [name for name in SOCKETS if root.exists(name)]
    if not there:
        return Finding("missing", f"none of {', '.join(SOCKETS)}", _start(root))
    answers = {name: _connect(root, name) for name in there}
    for name, error in answers.items():
        if error is None:
            return Finding("ok", f"{name}: takes connections")
    name, error = next(iter(answers.items()))
    remedy = _start(root)
    if isinstance(error, PermissionError):
        remedy = f"{root.sudo}usermod -aG libvirt {root.user}, then log in again"
    words = error.strerror if error is not None and error.strerror else str(error)
    return Finding("limited", f"{name}: {words}", remedy)


def _connect(root: Root, name: str) -> OSError | None:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(CONNECT_S)
        try:
            line.connect(str(root.at(name)))
        except OSError as error:
            return error
    return None


def _start(root: Root) -> str:
    found = root.which(*DAEMONS)
    if found is None:
        return install(root, "libvirt")
    name = found.rsplit("/", 1)[-1]
    # sd_booted(3): this folder is there where systemd is in charge
    if root.exists("/run/systemd/system"):
        return f"{root.sudo}systemctl enable --now {name}.socket"
    return f"{root.sudo}{found} --daemon"


def bindings(root: Root) -> Finding:
    """Look for libvirt-python; it is not loaded."""
    from importlib.util import find_spec

    found = find_spec("libvirt")
    if found is not None:
        return Finding("ok", f"module libvirt: {found.origin}")
    return Finding("missing", "this Python has no module libvirt", "pip install 'kvmnb[libvirt]'")


LOOKS = (
    Look("libvirt daemon", daemon, PURPOSE),
    Look("libvirt reachable", reachable, PURPOSE),
    Look("libvirt-python", bindings, PURPOSE),
)
