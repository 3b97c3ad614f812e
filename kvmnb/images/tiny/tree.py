"""A file tree in memory, from which the initramfs and the root file system are written."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from kvmnb.errors import ImageError
from kvmnb.images.tiny.elf import Elf

__all__ = ["EPOCH", "Tree", "add_programs"]

EPOCH = 1704067200
"""The time that every file bears (2024-01-01), so that the same inputs give the same bytes."""

MERGED = ("bin", "sbin", "lib", "lib64")
"""Folders that are links into /usr, as in the distributions themselves."""


class Tree:
    """Files, folders and links by their path without a leading slash; all belong to root."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[int, bytes]] = {}
        for name in MERGED:
            self.folder(f"usr/{name}")
            self.link(name, f"usr/{name}")

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Put a file at `path`, and the folders above it."""
        self._put(path, stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link at `path`."""
        self._put(path, stat.S_IFLNK | 0o777, target.encode())

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Put a folder at `path`."""
        self._put(path, stat.S_IFDIR | mode, b"")

    def copy(self, source: Path) -> None:
        """Put all files under `source` where they are there; scripts become executable."""
        for path in sorted(source.rglob("*")):
            if path.is_file() and not path.name.endswith((".pyc", "~")):
                data = path.read_bytes()
                where = path.relative_to(source).as_posix()
                self.file(where, data, 0o755 if data.startswith(b"#!") else 0o644)

    def __contains__(self, path: str) -> bool:
        return self._place(path) in self._nodes

    def __iter__(self) -> Iterator[tuple[str, int, bytes]]:
        """Yield ``(path, mode, content or link target)``, folders before what is in them."""
        for path, (mode, data) in sorted(self._nodes.items()):
            yield path, mode, data

    def cpio(self) -> bytes:
        """Return the tree as the kernel takes an initramfs (kernel buffer-format.rst, newc)."""
        out = io.BytesIO()
        nodes = [*self, ("TRAILER!!!", 0, b"")]
        for inode, (path, mode, data) in enumerate(nodes, 1):
            name = path.encode() + b"\0"
            links = 2 if stat.S_ISDIR(mode) else 1
            numbers = (inode, mode, 0, 0, links, EPOCH, len(data), 0, 0, 0, 0, len(name), 0)
            out.write(b"070701" + b"".join(b"%08X" % number for number in numbers) + name)
            out.write(bytes(-out.tell() % 4))
            out.write(data)
            out.write(bytes(-out.tell() % 4))
        out.write(bytes(-out.tell() % 512))
        return out.getvalue()

    def write(self, folder: Path) -> None:
        """Write the tree into an empty folder, every time set to `EPOCH`."""
        for path, mode, data in self:
            target = folder / path
            if stat.S_ISDIR(mode):
                target.mkdir(parents=True, exist_ok=True)
            elif stat.S_ISLNK(mode):
                target.symlink_to(data.decode())
            else:
                target.write_bytes(data)
        for path, mode, _ in reversed(list(self)):
            if not stat.S_ISLNK(mode):
                os.chmod(folder / path, stat.S_IMODE(mode))
            os.utime(folder / path, (EPOCH, EPOCH), follow_symlinks=False)
        os.utime(folder, (EPOCH, EPOCH))

    def _place(self, path: str) -> str:
        top, slash, rest = path.partition("/")
        return f"usr/{top}/{rest}" if slash and top in MERGED else path

    def _put(self, path: str, mode: int, data: bytes) -> None:
        place = self._place(path)
        if any(c in place for c in ' "\\\n') or ".." in PurePosixPath(place).parts:
            raise ImageError("tiny", f"a file name that the tools cannot take: {place!r}")
        for parent in PurePosixPath(place).parents:
            if str(parent) != ".":
                self._nodes.setdefault(str(parent), (stat.S_IFDIR | 0o755, b""))
        self._nodes[place] = (mode, data)


def add_programs(tree: Tree, unpacked: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Add programs out of the unpacked packages, and the libraries they need; return those found.

    Raises
    ------
    ImageError   a library is in none of the packages
    """
    found = []
    for name in names:
        folders = ("usr/sbin", "usr/bin", "sbin", "bin")
        paths = [path for folder in folders if (path := unpacked / folder / name).is_file()]
        if paths:
            found.append(name)
            _add_elf(tree, unpacked, paths[0], f"usr/bin/{name}")
    return tuple(found)


def _add_elf(tree: Tree, unpacked: Path, source: Path, where: str) -> None:
    data = source.read_bytes()
    tree.file(where, data, 0o755)
    elf = Elf(data)
    if (linker := elf.interpreter) is not None and linker.lstrip("/") not in tree:
        path = _library(unpacked, os.path.basename(linker))
        tree.file(linker.lstrip("/"), path.read_bytes(), 0o755)
    for library in elf.needed:
        if f"usr/lib/{library}" not in tree and not library.startswith("ld-linux"):
            _add_elf(tree, unpacked, _library(unpacked, library), f"usr/lib/{library}")


def _library(unpacked: Path, name: str) -> Path:
    for folder in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib64", "lib64"):
        path = unpacked / folder / name
        if path.exists():
            return path
    raise ImageError("tiny", f"no package that was fetched holds the library {name}")
