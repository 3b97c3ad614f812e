"""What a compiler is told of the host: nothing here is asked for, all of it is passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kvmnb.spec.value import Value

__all__ = ["DirectBoot", "DiskFile", "FirmwareFiles", "Runtime"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class DiskFile(Value):
    """The file behind one disk: its path and the format QEMU shall read it as."""

    path: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class DirectBoot(Value):
    """A kernel that QEMU loads itself."""

    kernel: str
    initrd: str | None = None
    append: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class FirmwareFiles(Value):
    """The firmware that the host has: its code, and the private file for its variables."""

    code: str
    variables: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Runtime(Value):
    """Probed facts, paths and choices that a spec leaves to the host.

    Parameters
    ----------
    qemu : the binary
    version : of it, such as ``(7, 2, 22)``
    devices : what ``-device help`` lists
    netdevs, chardevs, audiodevs, displays : what ``-netdev help`` and the others list;
        ``None`` where nobody asked
    sandbox : whether it was built with seccomp
    accel : the accelerator that was chosen
    run_dir : the folder for sockets and logs
    uuid : the guest's SMBIOS UUID
    disks : one file for each disk of the spec, in order
    macs : one address for each NIC of the spec, in order
    direct_boot : the kernel of the first disk's image, where it brings one, or of the spec's
        install tree
    catalogue : the file of each further image of the catalogue, by name (CD-ROMs, floppies)
    firmware : what ``Firmware`` without files means on this host; ``None`` where there is none
    seed : the ISO that `cloud_init` is written to
    """

    qemu: str
    version: tuple[int, int, int]
    devices: frozenset[str]
    sandbox: bool
    accel: Literal["kvm", "tcg"]
    run_dir: str
    uuid: str
    disks: tuple[DiskFile, ...] = ()
    macs: tuple[str, ...] = ()
    direct_boot: DirectBoot | None = None
    netdevs: frozenset[str] | None = None
    chardevs: frozenset[str] | None = None
    audiodevs: frozenset[str] | None = None
    displays: frozenset[str] | None = None
    catalogue: Mapping[str, str] = field(default_factory=dict)
    firmware: FirmwareFiles | None = None
    seed: str | None = None

    def socket(self, name: str) -> str:
        """Return the path of one of the guest's sockets, such as ``"agent"``."""
        return f"{self.run_dir}/{name}.sock"

    def log(self, name: str) -> str:
        """Return the path of one of the guest's logs, such as ``"serial"``."""
        return f"{self.run_dir}/{name}.log"

    def secret(self, name: str) -> str:
        """Return the path of the private file that holds one password, such as ``"vnc"``."""
        return f"{self.run_dir}/{name}.secret"
