"""The distribution's packages, fetched as any user: apt with private folders, nothing installed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from kvmnb.errors import HostError, ImageError
from kvmnb.images.tiny.tools import Tick, run

__all__ = ["Apt", "Package", "KERNELS", "OPTIONAL", "REQUIRED"]

KERNELS = ("linux-image-amd64", "linux-image-generic", "linux-image-virtual")
"""Debian's standard kernel, then Ubuntu's. Not Debian's cloud kernel: it has no e1000, no ahci,
and no VMGENID."""

REQUIRED = ("busybox-static", "qemu-guest-agent", "syslinux", "syslinux-common", "mtools")
OPTIONAL = ("ethtool", "iperf3", "stress", "isolinux", "extlinux", "e2fsprogs")
"""Left out where the configured sources lack them (Ubuntu's ``universe``, say); the last three
are what ``kvmnb.images.installer`` is made of."""

UPDATE_S = 180.0
FETCH_S = 900.0

_INSTALL = re.compile(r"^Inst (\S+?)(?::\S+)? .*?\((\S+) ")
_URI = re.compile(r"^'([^']+)' (\S+) (\d+) (?:SHA256|SHA512|MD5Sum):([0-9a-f]+)$")
_KERNEL_PART = re.compile(r"linux-(image|modules|modules-extra)-\d\S*")


@dataclass(frozen=True, slots=True)
class Package:
    """One package's file, as the distribution's signed lists name it."""

    name: str
    file: str
    size: int
    digest: str


class Apt:
    """apt with folders of its own, so that it needs no rights and changes nothing on the host.

    Parameters
    ----------
    folder : for its lists and for the packages
    options : more of apt's options, such as another list of sources
    """

    def __init__(self, folder: Path, options: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self.packages = folder / "packages"
        settings = {
            "Dir::State": folder / "state",
            "Dir::State::Lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Debug::NoLocking": "1",
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Install-Recommends": "0",
            "APT::Sandbox::User": "root",
            "Acquire::GzipIndexes": "1",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "20",
            "Acquire::https::Timeout": "20",
        }
        self._options = [f"-o{key}={value}" for key, value in settings.items()]
        self._options += [f"-o{option}" for option in options]

    def update(self, tick: Tick) -> None:
        """Bring the lists up to date.

        Raises
        ------
        ImageError   no list could be had
        HostError    apt is not installed, or there is no room
        """
        try:
            for name in ("state", "lists/partial", "cache/archives/partial", "packages"):
                (self._folder / name).mkdir(parents=True, exist_ok=True)
            (self._folder / "status").touch()
        except OSError as error:
            raise HostError(f"cannot write {self._folder}: {error}", "free some room") from error
        run(["apt-get", *self._options, "-q", "update"], limit_s=UPDATE_S, tick=tick)

    def resolve(self, tick: Tick) -> tuple[Package, ...]:
        """Return the kernel's packages, those of the tools, and the libraries the tools need.

        Raises
        ------
        ImageError   the configured sources do not have them
        """
        kernel = self._kernel(tick)
        roots = [*REQUIRED, *OPTIONAL]
        closure = self._closure(tuple(roots), tick)
        if not closure:  # asking for each alone takes a second each
            roots = [*REQUIRED, *(name for name in OPTIONAL if self._closure((name,), tick))]
            closure = self._closure(tuple(roots), tick)
        if not closure:
            missing = [name for name in REQUIRED if not self._closure((name,), tick)]
            raise ImageError(
                "tiny",
                f"the configured apt sources lack {', '.join(missing)}; "
                "on Ubuntu enable universe: sudo add-apt-repository universe",
            )
        libraries = [name for name in closure if name.startswith("lib")]
        return self._files((*kernel, *roots, *libraries), tick)

    def fetch(self, packages: tuple[Package, ...], tick: Tick) -> None:
        """Download what is not here yet; apt checks each file's digest.

        Raises
        ------
        ImageError   a download failed
        """
        from kvmnb.images.store import digest_of

        wanted = {package.file for package in packages}
        for path in self.packages.iterdir():
            if path.name not in wanted:
                path.unlink()
        missing = []
        for package in packages:
            path = self.packages / package.file
            algorithm = "sha512" if len(package.digest) == 128 else "sha256"
            if path.is_file() and digest_of(path, algorithm) == package.digest:
                continue
            path.unlink(missing_ok=True)
            missing.append(package.name)
        if missing:
            argv = ["apt-get", *self._options, "-q", "download", *missing]
            run(argv, limit_s=FETCH_S, tick=tick, cwd=self.packages)
        for package in packages:
            if not (self.packages / package.file).is_file():
                raise ImageError("tiny", f"apt did not bring {package.file}")

    def _kernel(self, tick: Tick) -> tuple[str, ...]:
        for name in KERNELS:
            parts = [part for part in self._closure((name,), tick) if _KERNEL_PART.fullmatch(part)]
            if parts:
                return tuple(parts)
        raise ImageError("tiny", f"the configured apt sources lack a kernel: {', '.join(KERNELS)}")

    def _closure(self, names: tuple[str, ...], tick: Tick) -> tuple[str, ...]:
        argv = ["apt-get", *self._options, "-q", "--simulate", "install", *names]
        try:
            answer = run(argv, limit_s=60, tick=tick).decode("utf-8", "replace")
        except ImageError:
            return ()
        found = (_INSTALL.match(line) for line in answer.splitlines())
        return tuple(sorted(match[1] for match in found if match))

    def _files(self, names: tuple[str, ...], tick: Tick) -> tuple[Package, ...]:
        argv = ["apt-get", *self._options, "-q", "--print-uris", "download", *sorted(set(names))]
        packages = []
        for line in run(argv, limit_s=60, tick=tick).decode("utf-8", "replace").splitlines():
            if (match := _URI.match(line)) is not None:
                file = match[2]
                if os.path.basename(file) != file or not file.endswith(".deb"):
                    raise ImageError("tiny", f"apt names an odd file: {file!r}")
                name = file.split("_", 1)[0]
                packages.append(Package(name, file, int(match[3]), match[4]))
        return tuple(sorted(packages, key=lambda package: package.name))


def unpack(package: Path, target: Path, tick: Tick) -> None:
    """Unpack one package's files; none of its scripts is run."""
    run(["dpkg-deb", "-x", package, target], limit_s=120, tick=tick)
