"""The images that a guest can start from: ``host.images["tiny"]``.

A catalogue image is never written. A guest gets a qcow2 overlay on it (`qemu_img.create`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kvmnb.errors import ImageError
from kvmnb.spec.value import Value

if TYPE_CHECKING:
    from pathlib import Path

    from kvmnb.images.added import Added
    from kvmnb.images.qemu_img import Chain, Info
    from kvmnb.images.tools import ImageTools, Show

__all__ = ["Image", "Images", "NetBoot", "Progress"]

Progress = Callable[[str, float, float | None, str], None]
"""Called with what is done, how far, out of how much (``None`` while unknown) and a detail.

It is called at least every half second, in the thread that does the work. What it raises stops
the work, which leaves nothing half-made behind but the part of a download that the next call
goes on from.
"""

TINY = "tiny"
INSTALLER = "tiny-installer"
BUILT = {TINY: "Linux, BusyBox, QEMU guest agent", INSTALLER: "CD-ROM that installs tiny"}
"""Images that are built here, and what they are."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Image(Value):
    """A disk or CD-ROM that guests can start from, and the kernel that starts it directly.

    Parameters
    ----------
    name : its name in the catalogue
    disk_path, format : the file, and the format that QEMU shall read it as
    size_bytes : of the disk that the guest sees
    media : what it is a medium of; a CD-ROM goes into a drive as it is, and needs no overlay
    sha256 : of the file, in hexadecimal; ``None`` for a file of the user's, which may change
    kernel_path, initrd_path, append : for a start without firmware (QEMU manual, -kernel);
        ``None`` and ``""`` where the image starts from firmware only
    least_mib : memory that it needs to start; 0 where that is not known
    os : what is on it, in words
    source : where it comes from: a URL, or what it was built from
    """

    name: str
    disk_path: str
    format: Literal["qcow2", "raw"]
    size_bytes: int
    media: Literal["disk", "cdrom"] = "disk"
    sha256: str | None = None
    kernel_path: str | None = None
    initrd_path: str | None = None
    append: str = ""
    least_mib: int = 0
    os: str = ""
    source: str = ""

    @property
    def disk(self) -> Path:
        """The disk's file."""
        from pathlib import Path

        return Path(self.disk_path)

    @property
    def kernel(self) -> Path | None:
        """The kernel's file, where the image brings one."""
        from pathlib import Path

        return None if self.kernel_path is None else Path(self.kernel_path)

    @property
    def initrd(self) -> Path | None:
        """The initramfs' file, where the image brings one."""
        from pathlib import Path

        return None if self.initrd_path is None else Path(self.initrd_path)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class NetBoot(Value):
    """A folder that a guest can start from over the network, by QEMU's own DHCP and TFTP.

    Parameters
    ----------
    folder : what TFTP serves (QEMU manual, -netdev user, tftp)
    bootfile : what DHCP names, an iPXE script in that folder (-netdev user, bootfile)
    description : what it does, in words
    """

    folder: str
    bootfile: str
    description: str


class Images:
    """The images of one host, by name.

    Parameters
    ----------
    folder : where they are kept; ``None`` means ``kvmnb/images`` under XDG_CACHE_HOME
    show : shows the progress of what `qemu_img` does; ``None`` shows none

    Nothing is read, made or downloaded before a verb asks for it.
    """

    def __init__(self, folder: Path | str | None = None, show: Show | None = None) -> None:
        self._folder = None if folder is None else os.path.abspath(folder)
        self._show = show

    @property
    def folder(self) -> Path:
        """Where the images are kept."""
        from pathlib import Path

        return Path(self._place)

    @property
    def qemu_img(self) -> ImageTools:
        """qemu-img's verbs, to which names of the catalogue stand for their files."""
        from kvmnb.images.tools import ImageTools

        return ImageTools(self, self._show)

    def info(self, image: str | Path, *, force_share: bool = False) -> Info:
        """Return what an image's header says; by its name here or its path."""
        return self.qemu_img.info(image, force_share=force_share)

    def chain(self, image: str | Path, *, force_share: bool = False) -> Chain:
        """Return an image and all that it stands on, as a picture; by its name or its path."""
        return self.qemu_img.chain(image, force_share=force_share)

    @property
    def _place(self) -> str:
        if self._folder is not None:
            return self._folder
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        return os.path.join(os.path.abspath(cache), "kvmnb", "images")

    def names(self) -> tuple[str, ...]:
        """Return every name: the catalogue's own, then the user's. Costs one small file."""
        from kvmnb.images.entries import ENTRIES

        return (*BUILT, *ENTRIES, *self._added.names())

    def __contains__(self, name: object) -> bool:
        return name in BUILT or name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __getitem__(self, name: str) -> Image:
        return self.get(name)

    def get(self, name: str, progress: Progress | None = None) -> Image:
        """Return an image, building or downloading it first where it is not here yet.

        Blocks, for up to a minute (tiny) or as long as the download takes. An image that is
        here is checked by its files' size, time and inode, and by digest where these differ.

        Raises
        ------
        ImageError   no such image, a wrong digest, a download that failed, a file that is gone
        HostError    the host lacks a tool or the room; the remedy names the command
        """
        report = progress or _silent
        if name == TINY:
            from kvmnb.images.tiny.cache import tiny

            return tiny(self._place, report)
        if name == INSTALLER:
            from kvmnb.images.installer.cache import installer

            return installer(self.folder, report)
        from kvmnb.images.entries import ENTRIES

        if (entry := ENTRIES.get(name)) is not None:
            from kvmnb.images.remote import fetch

            return fetch(self.folder, entry, report)
        if (image := self._added.find(name)) is not None:
            return image
        raise self._unknown(name)

    def ready(self, name: str) -> Image | None:
        """Return an image if it is here and whole, else ``None``; builds and downloads nothing.

        Raises
        ------
        ImageError   no such image in the catalogue
        """
        if name == TINY:
            from kvmnb.images.tiny.cache import ready

            return ready(self._place)
        if name == INSTALLER:
            from kvmnb.images.installer.cache import ready as installer_ready

            return installer_ready(self.folder)
        from kvmnb.images.entries import ENTRIES

        if (entry := ENTRIES.get(name)) is not None:
            from kvmnb.images.remote import ready as fetched

            return fetched(self.folder, entry)
        if name not in self._added.names():
            raise self._unknown(name)
        try:
            return self._added.find(name)
        except ImageError:
            return None

    def netboot(
        self, name: str = TINY, bootfile: str = "install.ipxe", progress: Progress | None = None
    ) -> NetBoot:
        """Return what a guest needs to start from the network, building it where it is missing.

        Parameters
        ----------
        bootfile : ``"install.ipxe"`` installs the tiny system on an empty first disk and starts
            a disk that is not empty; ``"live.ipxe"`` runs the tiny system in memory

        With the boot order ``"cn"`` an empty disk falls through to the network, and what was
        installed starts from the disk; with ``"n"`` alone iPXE starts the disk, which takes
        longer.

        Raises
        ------
        SpecError    no such bootfile
        ImageError   only the tiny guest starts from the network; or it cannot be built
        HostError    a tool is not installed, or there is no room
        """
        if name not in BUILT:
            raise ImageError(name, f"has no files to start from over the network; {TINY!r} has")
        from kvmnb.images.installer.cache import netboot

        return netboot(self.folder, bootfile, progress or _silent)

    def install_tree(self, location: str, progress: Progress | None = None) -> tuple[Path, Path]:
        """Return the kernel and the initramfs of an installer, as ``--location`` finds them.

        Parameters
        ----------
        location : a folder, a CD-ROM image (a file, or ``"tiny-installer"``), or the URL of a
            distribution's install tree. What comes over http or ftp is vouched for by nobody

        Raises
        ------
        ImageError   it cannot be read, or no kernel and initramfs are where installers have them
        HostError    no room or no right to write
        """
        from kvmnb.images.location import kernel_and_initrd

        report = progress or _silent
        if location == INSTALLER:
            location = self.get(location, report).disk_path
        return kernel_and_initrd(self.folder, location, report)

    def add(self, name: str, path: str | Path, *, format: str | None = None) -> Image:
        """Add a file of the user's under `name`. The file stays where it is, and is not copied.

        Parameters
        ----------
        format : ``"qcow2"`` or ``"raw"``; ``None`` reads it from the file's header, and then a
            qcow2 that points to other files is refused, since a guest could have written that

        Raises
        ------
        SpecError    `name` cannot be a name, or `format` is unknown
        ImageError   the name is taken; the file is not there, or of a format that cannot serve
        """
        from kvmnb.images.entries import ENTRIES

        return self._added.add(name, path, format=format, taken=(*BUILT, *ENTRIES))

    def remove(self, name: str) -> None:
        """Remove an image: a user's file is forgotten and stays, any other is deleted.

        Raises
        ------
        ImageError   no such image, or a running guest has it open
        """
        from kvmnb.images.entries import ENTRIES

        if name in BUILT or name in ENTRIES:
            from kvmnb.images.store import remove

            remove(self.folder, name)
        elif not self._added.remove(name):
            raise self._unknown(name)

    def rows(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return ``(name, what it is, state, source)`` for a table; builds nothing."""
        from kvmnb.images.entries import ENTRIES
        from kvmnb.images.store import present

        rows = [(name, what, self._state(name), "built here") for name, what in BUILT.items()]
        for entry in ENTRIES.values():
            rows.append((entry.name, entry.os, self._state(entry.name), entry.url))
        for name in self._added.names():
            path = self._added.path(name)
            rows.append((name, "", "here" if present(path) else "file is gone", path))
        return tuple(rows)

    def _state(self, name: str) -> str:
        from kvmnb.images.store import present

        return "here" if present(self.folder / name) else "not here yet"

    def __repr__(self) -> str:
        return f"<Images in {self.folder}: {', '.join(self.names())}>"

    @property
    def _added(self) -> Added:
        from kvmnb.images.added import Added

        return Added(self.folder)

    def _unknown(self, name: str) -> ImageError:
        import difflib

        names = self.names()
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return ImageError(
            name, f"no such image; {hint}there are {', '.join(names)}; add your own: images.add()"
        )


def _silent(what: str, done: float, total: float | None, detail: str) -> None:
    """Show no progress."""
