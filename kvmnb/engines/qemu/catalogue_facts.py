"""What this machine's QEMU has to offer, in more words than a start needs: asked when asked for.

One binary is asked each question once in a process.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kvmnb.compile.nics import NIC_MODELS
from kvmnb.errors import HostError, SpecError
from kvmnb.spec.value import Value

__all__ = ["Catalogue", "Device", "Property"]

ANSWER_S = 20.0

_DEVICE = re.compile(
    r'name "(?P<name>[^"]+)"(?:, bus (?P<bus>[^,\s]+))?(?:, alias "(?P<alias>[^"]+)")?'
    r'(?:, desc "(?P<description>.*)")?'
)
_CATEGORY = re.compile(r"(.+) devices:")
_MACHINE = re.compile(r"(\S+)\s+(.*?)(?: \((?:alias of \S+|default|deprecated)\))*")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Device(Value):
    """A device that ``-device`` takes, as ``-device help`` lists it."""

    name: str
    category: str
    bus: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Property(Value):
    """A property of a device, as QMP's ``device-list-properties`` tells it."""

    name: str
    type: str
    default: Any
    description: str


class Catalogue:
    """What one QEMU binary has to offer.

    Parameters
    ----------
    path : of the binary
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def devices(self) -> tuple[Device, ...]:
        """Return all devices, by category and name."""
        return _devices(self.path, _changed_ns(self.path))

    def nics(self) -> tuple[tuple[str, Device], ...]:
        """Return the network cards that ``nic`` takes, each with the word that it takes."""
        words = {device: word for word, device in NIC_MODELS.items()}
        return tuple(
            (words[device.name], device) for device in self.devices() if device.name in words
        )

    def properties(self, device: str) -> tuple[Property, ...]:
        """Return the properties of a device by name, those that QEMU keeps for tests last.

        Raises
        ------
        SpecError   this QEMU has no such device
        """
        return _properties(self.path, _changed_ns(self.path), device)

    def machines(self) -> dict[str, str]:
        """Return what this QEMU says of each board."""
        return _machines(self.path, _changed_ns(self.path))

    def cpus(self, accel: Literal["kvm", "tcg"]) -> tuple[dict[str, Any], ...]:
        """Return what QMP tells of each CPU model (``query-cpu-definitions``)."""
        return _cpus(self.path, _changed_ns(self.path), accel)


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}", "Host(qemu=…) names the binary") from error


@functools.lru_cache(maxsize=8)
def _devices(path: str, changed_ns: int) -> tuple[Device, ...]:
    found: dict[str, Device] = {}
    category = ""
    for line in _answer([path, "-device", "help"]).splitlines():
        if heading := _CATEGORY.fullmatch(line):
            category = heading[1]
        elif told := _DEVICE.fullmatch(line):
            device = Device(
                name=told["name"],
                category=category,
                bus=told["bus"] or "",
                description=told["description"] or "",
            )
            found.setdefault(device.name, device)
    return tuple(found.values())


@functools.lru_cache(maxsize=8)
def _machines(path: str, changed_ns: int) -> dict[str, str]:
    _, *lines = _answer([path, "-machine", "help"]).splitlines()
    told = (_MACHINE.fullmatch(line) for line in lines)
    return {found[1]: found[2] for found in told if found}


@functools.lru_cache(maxsize=512)
def _properties(path: str, changed_ns: int, device: str) -> tuple[Property, ...]:
    known = {each.name for each in _devices(path, changed_ns)}
    if device not in known:
        import difflib

        near = difflib.get_close_matches(device, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else "host.devices lists them"
        raise SpecError("devices", device, f"this QEMU has no such device; {hint}")
    ask = {"execute": "device-list-properties", "arguments": {"typename": device}}
    found = [
        Property(
            name=each["name"],
            type=each["type"],
            default=each.get("default-value"),
            description=each.get("description", ""),
        )
        for each in _ask(path, ask, "tcg")
    ]
    return tuple(sorted(found, key=lambda each: (each.name.startswith("x-"), each.name)))


@functools.lru_cache(maxsize=8)
def _cpus(path: str, changed_ns: int, accel: str) -> tuple[dict[str, Any], ...]:
    return tuple(_ask(path, {"execute": "query-cpu-definitions"}, accel))


def _ask(path: str, question: dict[str, Any], accel: str) -> Any:
    # the machine "none" starts at once and answers every question
    argv = [path, "-no-user-config", "-nodefaults", "-display", "none", "-machine", "none"]
    argv += ["-accel", accel, "-qmp", "stdio"]
    lines = ({"execute": "qmp_capabilities"}, {**question, "id": "asked"}, {"execute": "quit"})
    told = _answer(argv, "".join(json.dumps(line) + "\n" for line in lines))
    for line in told.splitlines():
        message = json.loads(line)
        if message.get("id") == "asked" and "return" in message:
            return message["return"]
    raise HostError(f"{path} does not answer {question['execute']}", "reinstall QEMU")


def _answer(argv: Sequence[str], asked: str = "") -> str:
    import subprocess

    try:
        done = subprocess.run(
            argv, input=asked, capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"{argv[0]} does not answer: {error}", "reinstall QEMU") from error
    return done.stdout
