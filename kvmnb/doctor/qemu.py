"""Looks at QEMU: its version, and what it was built with."""

from __future__ import annotations

import re

from kvmnb.doctor.check import Finding, Look
from kvmnb.doctor.distribution import install
from kvmnb.doctor.root import Answer, Root

__all__ = ["LOOKS"]

BINARIES = ("qemu-system-x86_64", "qemu-kvm", "/usr/libexec/qemu-kvm")
OLDEST = (6, 2)

DEVICES = (
    *("virtio-blk-pci", "virtio-net-pci", "virtio-balloon-pci", "virtio-serial-pci"),
    *("virtio-rng-pci", "vmgenid"),
)
"""What every guest has unless it is switched off."""

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def _binary(root: Root) -> str | None:
    return root.which(*BINARIES)


def _version(text: str) -> tuple[int, ...]:
    found = re.search(r"version (\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups("0")) if found else ()


def _silent(command: str, answer: Answer) -> Finding:
    """Return what to say of a command that did not do what it was asked."""
    ended = "" if answer.returncode is None else f" (exit code {answer.returncode})"
    return Finding("limited", f"{command}: {answer.complaint or 'no answer'}{ended}")


def _absent(root: Root) -> Finding:
    return Finding("missing", "no QEMU to ask", install(root, "QEMU"))


def qemu(root: Root) -> Finding:
    """Look for QEMU, version 6.2 or newer."""
    binary = root.once(_binary)
    if binary is None:
        return Finding("missing", f"none of {', '.join(BINARIES)} in PATH", install(root, "QEMU"))
    answer = root.ask(binary, "--version")
    version = _version(answer.stdout)
    if not version:
        found = _silent(f"{binary} --version", answer)
        return Finding("missing", found.evidence, install(root, "QEMU"))
    words = ".".join(map(str, version))
    if version < OLDEST:
        return Finding(
            "missing",
            f"{binary} is version {words}; 6.2 is the oldest that works",
            "upgrade the distribution: this one's QEMU is too old",
        )
    return Finding("ok", f"{binary}: {answer.stdout.splitlines()[0]}")


def devices(root: Root) -> Finding:
    """Look for the paravirtual devices that every guest has."""
    binary = root.once(_binary)
    if binary is None:
        return _absent(root)
    answer = root.ask(binary, "-device", "help")
    known = set(re.findall(r'^name "([^"]+)"', answer.stdout, re.MULTILINE))
    if not known:
        return _silent(f"{binary} -device help", answer)
    lacking = [name for name in DEVICES if name not in known]
    if lacking:
        return Finding(
            "limited", f"{binary} -device help: no {', '.join(lacking)}", install(root, "QEMU")
        )
    count = sum(name.startswith("virtio-") for name in known)
    return Finding("ok", f"{binary} -device help: {count} virtio devices, vmgenid")


def slirp(root: Root) -> Finding:
    """Look for user networking: guests reach out without any right on the host."""
    binary = root.once(_binary)
    if binary is None:
        return _absent(root)
    answer = root.ask(binary, "-netdev", "help")
    kinds = answer.stdout.split()
    if not kinds:
        return _silent(f"{binary} -netdev help", answer)
    if "user" in kinds:
        return Finding("ok", f"{binary} -netdev help: user")
    return Finding(
        "missing",
        f"{binary} -netdev help: no user (built without slirp)",
        "a QEMU that is built with slirp: the distribution's own, instead of this one",
    )


def _session(root: Root) -> tuple[Answer, Answer]:
    """Start QEMU without a machine, once in its sandbox and once more if that fails."""
    binary = root.once(_binary) or ""
    argv = [binary, "-no-user-config", "-nodefaults", "-display", "none", "-machine", "none"]
    argv += ["-qmp", "stdio"]
    names = ("qmp_capabilities", "query-commands", "quit")
    questions = "".join(f'{{"execute": "{name}"}}\n' for name in names)
    boxed = root.ask(*argv, "-sandbox", SANDBOX, stdin=questions)
    return boxed, boxed if boxed.returncode == 0 else root.ask(*argv, stdin=questions)


def seccomp(root: Root) -> Finding:
    """Look whether QEMU can lock itself in: no new processes, no rights gained."""
    if root.once(_binary) is None:
        return _absent(root)
    boxed, _ = root.once(_session)
    if boxed.returncode == 0:
        return Finding("ok", "QEMU started with -sandbox on")
    found = _silent("QEMU with -sandbox on", boxed)
    return Finding(
        "missing",
        found.evidence,
        "a QEMU built with seccomp, on a kernel with CONFIG_SECCOMP_FILTER",
    )


def vnc(root: Root) -> Finding:
    """Look for the VNC server that a guest's screen is seen by."""
    if root.once(_binary) is None:
        return _absent(root)
    _, answer = root.once(_session)
    if '"query-version"' not in answer.stdout:
        return _silent("QEMU, asked query-commands", answer)
    if '"query-vnc"' in answer.stdout:
        return Finding("ok", "query-commands: query-vnc")
    return Finding("missing", "query-commands: no query-vnc", install(root, "QEMU"))


def qemu_img(root: Root) -> Finding:
    """Look for the tool that makes and converts disks."""
    tool = root.which("qemu-img")
    if tool is None:
        return Finding("missing", "no qemu-img in PATH", install(root, "qemu-img"))
    answer = root.ask(tool, "--version")
    if answer.returncode != 0 or not answer.stdout:
        return _silent(f"{tool} --version", answer)
    return Finding("ok", f"{tool}: {answer.stdout.splitlines()[0]}")


LOOKS = (
    Look("QEMU", qemu, needed=True),
    Look("virtio devices", devices),
    Look("seccomp sandbox", seccomp, "a guest that breaks out of its devices finds QEMU locked in"),
    Look("user networking", slirp, "guests that reach the network without rights on this machine"),
    Look("VNC", vnc, "guest.screenshot(), and the guest's screen in a notebook"),
    Look("qemu-img", qemu_img, "building the tiny guest, overlays on images"),
)
