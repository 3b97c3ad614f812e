"""What QEMU of several versions is and can, as it was recorded (tools/record_probes.py)."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Probe", "probes"]

FOLDER = Path(__file__).parent / "probes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one QEMU answered.

    Parameters
    ----------
    source : where the answers are from
    version : such as ``(7, 2, 22)``
    devices : QOM types that are devices, without CPUs
    machines : board types and their aliases
    netdevs, chardevs, displays, tpms : back ends
    audiodevs : back ends; ``None`` where this QEMU was not asked
    options : command-line options that have parameters, such as ``"sandbox"``
    properties : of the devices whose properties were recorded
    """

    source: str
    version: tuple[int, int, int]
    devices: frozenset[str]
    machines: frozenset[str]
    netdevs: frozenset[str]
    chardevs: frozenset[str]
    displays: frozenset[str]
    tpms: frozenset[str]
    audiodevs: frozenset[str] | None
    options: frozenset[str]
    properties: dict[str, frozenset[str]]

    @property
    def sandbox(self) -> bool:
        """Whether it was built with seccomp."""
        return "sandbox" in self.options


@functools.cache
def probes() -> dict[str, Probe]:
    """Return each recorded QEMU by its version, such as ``"7.2"``, the oldest first."""
    found = (_read(path) for path in FOLDER.glob("qemu-*.json"))
    return {
        f"{probe.version[0]}.{probe.version[1]}": probe
        for probe in sorted(found, key=lambda probe: probe.version)
    }


def _read(path: Path) -> Probe:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    properties = content.pop("properties")
    version = tuple(content.pop("version"))
    names: dict[str, Any] = {
        key: frozenset(value) if isinstance(value, list) else value
        for key, value in content.items()
    }
    return Probe(
        version=version,
        properties={device: frozenset(of_it) for device, of_it in properties.items()},
        **names,
    )
