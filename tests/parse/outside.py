"""Lines that people wrote, and how their guests are given what this host has in place of theirs."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from kvmnb.spec import charbacks
from kvmnb.spec.chardev import Private
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC
from kvmnb.spec.network import NIC, User
from kvmnb.spec.storage import ExistingFile

__all__ = ["FOLDER", "grounded", "lines"]

FOLDER = Path(__file__).parent / "lines"


def lines(*names: str) -> list[str]:
    """Return the lines of these files, each with the comment that names its source."""
    found = list[str]()
    for name in names:
        text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
        found.extend(block.strip() for block in text.split("\n\n") if block.strip())
    return found


def grounded(spec: DomainSpec, folder: Path) -> DomainSpec:
    """Return the same guest on small files in `folder`, with backs that need no rights and no net.

    The fronts, which are what a command line describes of the guest, stay as they are.
    """
    made = _Files(folder)
    cpu = spec.cpu
    if cpu.model == "host":
        cpu = dataclasses.replace(cpu, model="max")
    memory = dataclasses.replace(
        spec.memory,
        path=None if spec.memory.path is None else str(folder),
        hugepages=False,
        hugepage_kib=None,
        preallocated=False,
        locked=False,
    )
    ports: dict[str, Any] = {
        field: tuple(
            dataclasses.replace(each, back=_char(each.back)) for each in getattr(spec, field)
        )
        for field in ("serials", "parallels", "consoles", "channels", "monitors")
    }
    return dataclasses.replace(
        spec,
        accel="tcg",
        cpu=cpu,
        memory=memory,
        boot=_boot(spec, made),
        firmware=_firmware(spec, made),
        disks=tuple(_drive(each, made) for each in spec.disks),
        cdroms=tuple(_drive(each, made) for each in spec.cdroms),
        floppies=tuple(_drive(each, made) for each in spec.floppies),
        nics=tuple(_card(each, folder) for each in spec.nics),
        **ports,
        displays=(VNC(),) if spec.displays else (),
        sounds=tuple(dataclasses.replace(each, back="none") for each in spec.sounds),
        shares=tuple(dataclasses.replace(each, source=str(folder)) for each in spec.shares),
        incoming=None if spec.incoming is None else "defer",
        tpm=None,
        vsock=None,
        hostdevs=(),
        extra_args=tuple(made.named(word) for word in spec.extra_args),
    )


class _Files:
    def __init__(self, folder: Path) -> None:
        self.folder, self._count = folder, 0

    def new(self, format: str | None = None, size: int = 1 << 20) -> str:
        from tests.parse.images import image

        self._count += 1
        path = self.folder / f"file{self._count}"
        path.write_bytes(image(format or "raw", size))
        return str(path)

    def named(self, word: str) -> str:
        """Return an option kept verbatim, with files that are there."""
        format = "qcow2" if "qcow2" in word else "raw"
        word = re.sub(r"mem-path=[^,]+", f"mem-path={self.folder}/memory{self._count}", word)
        return re.sub(
            r"(?<![\w-])(file|filename|rrfile|path)=[^,]*[./][^,]*",
            lambda found: f"{found[1]}={self.new(format)}",
            word,
        )


def _boot(spec: DomainSpec, made: _Files) -> Any:
    fields: dict[str, Any] = {}
    for field in ("initrd", "splash", "dtb"):
        if getattr(spec.boot, field) is not None:
            fields[field] = made.new(size=512)
    if spec.boot.kernel is not None:
        from tests.parse.images import kernel

        fields["kernel"] = str(made.folder / "kernel")
        Path(fields["kernel"]).write_bytes(kernel())
    return dataclasses.replace(spec.boot, **fields)


def _firmware(spec: DomainSpec, made: _Files) -> Any:
    if spec.firmware is None:
        return None
    variables = None if spec.firmware.variables is None else made.new(size=256 << 10)
    code = made.new(size=256 << 10)
    return dataclasses.replace(spec.firmware, code=code, variables=variables)


def _drive(part: Any, made: _Files) -> Any:
    if part.back is None:
        return part
    fields: dict[str, Any] = {"back": ExistingFile(made.new(getattr(part, "format", None)))}
    if getattr(part, "snapshot", False):
        fields["snapshot"] = False  # the engine makes an overlay, which is a file again
    if getattr(part, "cache", None) in {"none", "directsync"} or getattr(part, "aio", None):
        fields |= {"cache": "writeback", "aio": None}
    return dataclasses.replace(part, **fields)


def _card(nic: NIC, folder: Path) -> NIC:
    # a user network has one pair of queues
    return dataclasses.replace(nic, back=_net(nic.back, folder), queues=None)


def _net(back: Any, folder: Path) -> Any:
    if not isinstance(back, User):
        return None if back is None else User()
    forwards = tuple(
        dataclasses.replace(each, host_port=20000 + each.host_port % 20000)
        for each in back.forwards
    )
    tftp = None if back.tftp is None else str(folder)
    return dataclasses.replace(back, forwards=forwards, tftp=tftp, smb=None)


def _char(back: Any) -> Any:
    return back if isinstance(back, Private) else charbacks.Null()
