"""guest.json: what a guest is, so that any process can find, adopt or reap it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from kvmnb.engines.base import GuestInfo
from kvmnb.engines.qemu.folders import GuestFolder, Roots
from kvmnb.engines.qemu.proc import Process
from kvmnb.errors import SpecError
from kvmnb.spec.codec import decode, encode
from kvmnb.spec.domain import DomainSpec

__all__ = ["Record", "read", "records", "write"]

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The content of guest.json.

    Parameters
    ----------
    spec : what was asked
    process : the QEMU process; ``None`` between the claim of the name and QEMU's start
    companions : the processes that serve it: an emulated TPM, shares
    argv, accel, accel_reason, macs : what was made of the spec
    created_s : seconds since the epoch
    keep_s : how long the guest outlives its last owner, in seconds; ``None`` for ever
    """

    spec: DomainSpec
    process: Process | None
    argv: tuple[str, ...]
    accel: Literal["kvm", "tcg"]
    accel_reason: str
    macs: tuple[str, ...]
    created_s: float
    keep_s: float | None
    companions: tuple[Process, ...] = ()

    def info(self, folder: GuestFolder) -> GuestInfo:
        """Return the engine-neutral part."""
        return GuestInfo(
            name=self.spec.name,
            spec=self.spec,
            engine="qemu",
            pid=self.process.pid if self.process else None,
            accel=self.accel,
            accel_reason=self.accel_reason,
            command=self.argv,
            run_dir=str(folder.run),
            created_s=self.created_s,
            keep_s=self.keep_s,
            macs=self.macs,
        )

    def started(self, process: Process) -> Record:
        """Return the record with its process."""
        return replace(self, process=process)

    def outliving(self, keep_s: float | None) -> Record:
        """Return the record with how long the guest outlives its last owner."""
        return replace(self, keep_s=keep_s)

    def accompanied(self, companions: tuple[Process, ...]) -> Record:
        """Return the record with the processes that serve the guest."""
        return replace(self, companions=companions)


def write(folder: GuestFolder, record: Record) -> None:
    """Write guest.json so that a reader sees the old one or the new one, never a half."""
    content: dict[str, Any] = {
        "version": VERSION,
        "spec": encode(record.spec),
        "process": str(record.process) if record.process else None,
        "companions": [str(each) for each in record.companions],
        "argv": list(record.argv),
        "accel": record.accel,
        "accel_reason": record.accel_reason,
        "macs": list(record.macs),
        "created_s": record.created_s,
        "keep_s": record.keep_s,
    }
    part = folder.run / "guest.json.part"
    part.write_text(json.dumps(content), encoding="utf-8")
    os.replace(part, folder.record)


def read(folder: GuestFolder) -> Record | None:
    """Return what guest.json holds, or ``None`` where there is none that can be read."""
    try:
        content = json.loads(folder.record.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            return None
        return Record(
            spec=decode(content["spec"]),
            process=Process.parse(content["process"]) if content["process"] else None,
            argv=tuple(content["argv"]),
            accel=content["accel"],
            accel_reason=content["accel_reason"],
            macs=tuple(content["macs"]),
            created_s=content["created_s"],
            keep_s=content["keep_s"],
            companions=tuple(
                found for text in content["companions"] if (found := Process.parse(text))
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, SpecError):
        return None


def records(roots: Roots) -> Iterator[tuple[GuestFolder, Record]]:
    """Yield every guest that has a record, alive or not."""
    for folder in roots.folders():
        with contextlib.suppress(OSError):
            record = read(folder)
            if record is not None:
                yield folder, record
