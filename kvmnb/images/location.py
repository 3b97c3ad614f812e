"""The kernel and initramfs of an install tree, as virt-install's ``--location`` finds them.

A location is a folder, a CD-ROM image, or the URL of a distribution's install tree.
"""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import json
import os
import posixpath
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kvmnb.errors import HostError, ImageError
from kvmnb.images.store import MANIFEST, digest_of, identity, locked, same, write_json

if TYPE_CHECKING:
    from kvmnb.images.catalogue import Progress
    from kvmnb.images.iso9660 import CD
    from kvmnb.images.transfer import Answer, Transfer

__all__ = ["KNOWN", "kernel_and_initrd", "local"]

KNOWN = (
    # Fedora, CentOS, RHEL and those made of them (their .treeinfo names the same)
    ("images/pxeboot/vmlinuz", "images/pxeboot/initrd.img"),
    # Debian: its CD-ROM, then its mirrors below dists/<release>/ (Installation Guide, 4.2)
    ("install.amd/vmlinuz", "install.amd/initrd.gz"),
    *(
        (f"{place}/linux", f"{place}/initrd.gz")
        for place in (
            "main/installer-amd64/current/images/netboot/debian-installer/amd64",
            "current/images/netboot/debian-installer/amd64",
            # Ubuntu up to 20.04 kept its older installer apart
            "main/installer-amd64/current/legacy-images/netboot/ubuntu-installer/amd64",
            "main/installer-amd64/current/images/netboot/ubuntu-installer/amd64",
            "install/netboot/ubuntu-installer/amd64",
            "debian-installer/amd64",
        )
    ),
    # Ubuntu's live installer (casper), Debian's live system
    ("casper/vmlinuz", "casper/initrd"),
    ("casper/vmlinuz", "casper/initrd.lz"),
    ("casper/vmlinuz", "casper/initrd.gz"),
    ("live/vmlinuz", "live/initrd.img"),
    # openSUSE and SLES
    ("boot/x86_64/loader/linux", "boot/x86_64/loader/initrd"),
    # Arch, Alpine, Mageia, ALT
    ("arch/boot/x86_64/vmlinuz-linux", "arch/boot/x86_64/initramfs-linux.img"),
    ("boot/vmlinuz-lts", "boot/initramfs-lts"),
    ("boot/vmlinuz-virt", "boot/initramfs-virt"),
    ("isolinux/x86_64/vmlinuz", "isolinux/x86_64/all.rdz"),
    ("boot/vmlinuz", "boot/full.cz"),
    # any other that starts by isolinux
    ("isolinux/vmlinuz", "isolinux/initrd.img"),
    ("isolinux/vmlinuz", "isolinux/initrd.gz"),
)
"""Where distributions for x86-64 keep ``(kernel, initramfs)`` in their install trees."""

TREEINFOS = (".treeinfo", "treeinfo")
"""Files that name them, in ``images-x86_64`` (productmd documentation, "treeinfo")."""

TEXT_LIMIT = 1 << 20
SIZE_LIMIT = 1 << 31
"""2 GiB, the most that fits below 4 GiB for a kernel to be given (kernel x86/boot.rst)."""


class _Source(Protocol):
    def text(self, path: str) -> str | None:
        """Return a small file's text, or ``None`` where there is no such file."""

    def file(self, path: str) -> Path | None:
        """Return a local file of the same content, or ``None`` where there is no such file."""


def kernel_and_initrd(folder: Path, location: str, report: Progress) -> tuple[Path, Path]:
    """Return the files of an install tree's kernel and initramfs.

    Those in a folder are returned where they are; those on a CD-ROM image or behind a URL are
    copied below `folder`, and copied again where the original has changed.

    Parameters
    ----------
    folder : where images are kept
    location : a folder, a CD-ROM image, or a URL of https, http or ftp

    Raises
    ------
    ImageError   the location cannot be read, or holds no kernel and initramfs at a known place
    HostError    no room or no right to write
    """
    try:
        with _open(folder, location, report) as source:
            return _search(source, location)
    except OSError as error:
        raise HostError(f"cannot store {location}: {error}", "free some room") from error


def local(location: str) -> bool:
    """Return whether an install tree is on this machine, where nobody has to wait for it."""
    return "://" not in location or location.startswith("file://")


def _search(source: _Source, location: str) -> tuple[Path, Path]:
    named = [pair for name in TREEINFOS if (pair := _named(source.text(name))) is not None]
    pairs = dict.fromkeys((*named, *KNOWN))
    for kernel_path, initrd_path in pairs:
        if (kernel := source.file(kernel_path)) is None:
            continue
        if (initrd := source.file(initrd_path)) is not None:
            return kernel, initrd
    looked = ", ".join((*TREEINFOS, *dict.fromkeys(kernel for kernel, _ in pairs)))
    raise ImageError(
        location,
        f"no kernel and initrd of an installer were found there; looked for {looked}; for another "
        "place name them yourself: boot(kernel=…, initrd=…)",
    )


def _named(text: str | None) -> tuple[str, str] | None:
    """Return what a treeinfo names, if it stays within its tree."""
    if text is None:
        return None
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    if "images-x86_64" not in parser:
        return None
    section = parser["images-x86_64"]
    paths = [section.get(key, "") for key in ("kernel", "initrd")]
    for path in paths:
        if posixpath.isabs(path) or ".." in path.split("/") or not path.isprintable() or not path:
            return None
    return paths[0], paths[1]


@contextlib.contextmanager
def _open(folder: Path, location: str, report: Progress) -> Iterator[_Source]:
    scheme = urllib.parse.urlsplit(location).scheme.lower()
    if scheme in {"http", "https", "ftp"}:
        with locked(place := _place(folder, location)):
            yield _Web(location, _Copies(place), report)
    elif scheme == "file":
        with _open(
            folder, urllib.parse.unquote(urllib.parse.urlsplit(location).path), report
        ) as it:
            yield it
    elif os.path.isdir(location):
        yield _Folder(Path(os.path.abspath(location)))
    else:
        from kvmnb.images.iso9660 import CD

        with CD(location) as cd, locked(place := _place(folder, os.path.realpath(location))):
            yield _Disc(cd, _Copies(place), identity(location), report)


def _place(folder: Path, location: str) -> Path:
    word = hashlib.sha256(location.encode("utf-8", "surrogateescape")).hexdigest()
    return folder / "locations" / word[:16]


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def text(self, path: str) -> str | None:
        found = self.file(path)
        if found is None or found.stat().st_size > TEXT_LIMIT:
            return None
        return found.read_text("utf-8", "replace")

    def file(self, path: str) -> Path | None:
        found = self._root / path
        return found if found.is_file() else None


class _Copies:
    """Files that were copied from one location, each with what tells whether it is still good."""

    def __init__(self, place: Path) -> None:
        self._place = place
        try:
            self._known: dict[str, Any] = dict(json.loads((place / MANIFEST).read_bytes()))
        except (OSError, ValueError, TypeError):
            self._known = {}

    def find(self, path: str, version: object) -> Path | None:
        """Return the copy of `path` if it is whole and of this version."""
        known = self._known.get(path)
        if not isinstance(known, dict) or known.get("version") != version:
            return None
        target = self._target(path)
        return (
            target
            if {"identity", "size", "sha256"} <= known.keys() and same(target, known)
            else None
        )

    def keep(self, path: str, version: object, pieces: Iterator[bytes]) -> Path:
        """Copy a file, and return its copy once it is whole."""
        target = self._target(path)
        part = target.with_suffix(".part")
        try:
            with open(part, "wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        facts = {"size": target.stat().st_size, "sha256": digest_of(target)}
        self._known[path] = {"version": version, "identity": identity(target), **facts}
        write_json(self._place / MANIFEST, self._known)
        return target

    def _target(self, path: str) -> Path:
        word = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
        return self._place / f"{word[:16]}.file"


class _Disc:
    def __init__(self, cd: CD, copies: _Copies, version: list[int], report: Progress) -> None:
        self._cd, self._copies, self._version, self._report = cd, copies, version, report

    def text(self, path: str) -> str | None:
        size = self._cd.find(path)
        if size is None or size > TEXT_LIMIT:
            return None
        return b"".join(self._cd.pieces(path)).decode("utf-8", "replace")

    def file(self, path: str) -> Path | None:
        size = self._cd.find(path)
        if size is None:
            return None
        if (copy := self._copies.find(path, self._version)) is not None:
            return copy
        return self._copies.keep(path, self._version, self._pieces(path, size))

    def _pieces(self, path: str, size: int) -> Iterator[bytes]:
        done = 0
        for piece in self._cd.pieces(path):
            yield piece
            done += len(piece)
            self._report(f"copying {path}", done, size, "")


class _Web:
    def __init__(self, url: str, copies: _Copies, report: Progress) -> None:
        self._url, self._copies, self._report = url.rstrip("/"), copies, report

    def text(self, path: str) -> str | None:
        found = self._get(path, TEXT_LIMIT)
        return None if found is None else found.read_text("utf-8", "replace")

    def file(self, path: str) -> Path | None:
        return self._get(path, SIZE_LIMIT)

    def _get(self, path: str, limit: int) -> Path | None:
        from kvmnb.images.transfer import Answer, Missing, Transfer

        try:
            with Transfer(f"{self._url}/{urllib.parse.quote(path)}", plain=True) as transfer:
                items = self._items(transfer, path)
                answer = next(item for item in items if isinstance(item, Answer))
                version = answer.validator
                if version and (copy := self._copies.find(path, version)) is not None:
                    return copy
                pieces = self._pieces(items, path, answer.total, limit)
                return self._copies.keep(path, version, pieces)
        except Missing:
            return None

    def _items(self, transfer: Transfer, path: str) -> Iterator[Answer | bytes | None]:
        from kvmnb.images.transfer import Missing, Refused

        try:
            for item in transfer:
                if item is None:
                    self._report(f"waiting for {path}", 0, None, self._url)
                yield item
        except Missing:
            raise
        except (Refused, OSError) as error:
            raise ImageError(self._url, f"{path} cannot be read from there: {error}") from error

    def _pieces(
        self, items: Iterator[Answer | bytes | None], path: str, total: int | None, limit: int
    ) -> Iterator[bytes]:
        done = 0
        for item in items:
            if isinstance(item, bytes):
                done += len(item)
                if done > limit:
                    raise ImageError(self._url, f"{path} is larger than anything of its kind")
                yield item
                self._report(f"downloading {path}", done, total, "")
