"""The store of warm-start templates: booted guests in files, kept in the user's cache.

``$XDG_CACHE_HOME/kvmnb/templates``; see `folders` for what lies there and who locks it.
A template is a folder with any files and a manifest: what they are for, their sizes and their
checksums, under a digest of its own. It is got whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kvmnb import units
from kvmnb.engines.qemu.templates import manifest as template_manifest
from kvmnb.engines.qemu.templates.files import DamagedError, File, measure, opened
from kvmnb.engines.qemu.templates.folders import MANIFEST, NO_FOLDER, Place, valid_key
from kvmnb.engines.qemu.templates.reader import Template
from kvmnb.errors import HostError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DamagedError", "Draft", "Entry", "File", "Template", "Templates", "key"]

LIMIT_VARIABLE = "KVMNB_TEMPLATES_LIMIT"
LIMIT = 8 * units.GIB

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def key(parts: Mapping[str, Any]) -> str:
    """Return the key of the template that `parts` shape: the same ones, the same key, anywhere.

    Parameters
    ----------
    parts : everything that the booted guest depends on, as JSON can say it

    Raises
    ------
    TypeError   JSON cannot say one of them
    """
    import hashlib
    import json

    shapes = [template_manifest.FORMAT, parts]
    text = json.dumps(shapes, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One template, as a list shows it.

    Parameters
    ----------
    key, name : its key, and its guest's name; ``""`` where its manifest cannot be read
    size_bytes : what it takes on the disk
    created_s, used_s : seconds since the epoch
    in_use : whether anybody holds it
    """

    key: str
    name: str
    size_bytes: int
    created_s: float
    used_s: float
    in_use: bool


class Draft:
    """A template that is being written: put its files into `folder`, then `commit`."""

    def __init__(self, store: Templates, key: str) -> None:
        self._store, self._place, self.key = store, store.place, key
        self._name, self._fd = self._place.draft(key)
        self._committed = False

    @property
    def folder(self) -> Path:
        """Where to write; on the file system of the template to be."""
        from pathlib import Path

        return Path(self._place.path(self._name))

    def commit(self, payload: Mapping[str, Any]) -> None:
        """Make what is in `folder` the template of this key, in place of an older one.

        Parameters
        ----------
        payload : what the template's `manifest` gives back, as JSON can say it; its ``"name"``
            is the guest's name, for people

        Raises
        ------
        HostError    no room, or it alone is above the limit of all
        ValueError   there is something else than plain files, or it is committed already
        """
        if self._committed:
            raise ValueError("this draft is committed already")
        try:
            files = self._measured()
            template_manifest.write(self._fd, self.key, payload, files)
            self._demand_room()
            os.fsync(self._fd)
            self._name = self._place.publish(self._name, self._fd, self.key)
            self._committed = True
        except OSError as error:
            raise _unwritable(self._place.root, error) from error
        self._store.evict()

    def _measured(self) -> dict[str, File]:
        files = {}
        for name in sorted(os.listdir(self._fd)):
            kind = os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_mode
            if name == MANIFEST or not stat.S_ISREG(kind):
                raise ValueError(f"a template cannot hold {name!r}: not a file, or its manifest")
            fd = opened(name, self._fd)
            try:
                # without this, a loss of power could leave a name whose file has no content yet
                os.fsync(fd)
                files[name] = measure(fd)
            finally:
                os.close(fd)
        return files

    def _demand_room(self) -> None:
        size, limit = _size(self._place.path(self._name)), self._store.limit_bytes
        if size > limit:
            raise HostError(
                f"a template of {units.human(size)} is above the limit of all, "
                f"{units.human(limit)}",
                f"raise the limit: {LIMIT_VARIABLE}={-(-size // units.GIB)}G",
            )

    def close(self) -> None:
        """Let go of it; without a commit nothing is left."""
        if self._fd < 0:
            return
        if not self._committed:
            self._place.bury(self._name)
        os.close(self._fd)
        self._fd = -1


class Templates:
    """All templates of the user; making this does nothing on disk.

    Parameters
    ----------
    root : the folder; ``None`` means ``kvmnb/templates`` under XDG_CACHE_HOME
    limit_bytes : what all may take on the disk; ``None`` reads KVMNB_TEMPLATES_LIMIT, else 8 GiB

    Attributes
    ----------
    discarded : the reason for each key of which this object has discarded a template
    """

    def __init__(self, root: str | Path | None = None, limit_bytes: int | None = None) -> None:
        if root is None:
            cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
            root = os.path.join(cache, "kvmnb", "templates")
        self.place = Place(os.path.abspath(root))
        self._limit_bytes = limit_bytes
        self.discarded: dict[str, str] = {}

    @property
    def root(self) -> Path:
        """The folder that all of them are in."""
        from pathlib import Path

        return Path(self.place.root)

    @property
    def limit_bytes(self) -> int:
        """What all templates together may take on the disk, in bytes.

        Raises
        ------
        SpecError   KVMNB_TEMPLATES_LIMIT is not a size
        """
        if self._limit_bytes is not None:
            return self._limit_bytes
        told = os.environ.get(LIMIT_VARIABLE)
        return units.size_bytes(told, LIMIT_VARIABLE) if told else LIMIT

    def get(self, key: str) -> Template | None:
        """Return the template of that key, held, and note its use; ``None`` if there is none.

        Its manifest and its files' sizes are checked; their content is when it is read. One
        that is not whole is discarded.
        """
        self.place.sweep()
        valid_key(key)
        for _ in range(2):  # what was listed may have made way for a newer one meanwhile
            for name in self.place.names(key):
                # too many open files, say: the template is not damaged
                with contextlib.suppress(HostError, OSError):
                    template = self._held(name)
                    if template is not None:
                        return template
        return None

    def _held(self, name: str) -> Template | None:
        try:
            fd = self.place.hold(name)
        except OSError as error:
            if error.errno not in NO_FOLDER:
                raise
            self._discard(name, os.strerror(error.errno))
            return None
        if fd is None:
            return None
        try:
            template = Template(self.place, name, fd, self._discard)
        except BaseException as error:
            os.close(fd)
            if not isinstance(error, DamagedError):
                raise
            self._discard(name, str(error))
            return None
        now = time.time_ns()
        with contextlib.suppress(OSError):
            os.utime(MANIFEST, ns=(now, now), dir_fd=fd, follow_symlinks=False)
        return template

    @contextlib.contextmanager
    def put(self, key: str) -> Iterator[Draft]:
        """Give a `Draft` to write a template in; without its commit nothing is left.

        Raises
        ------
        HostError   no room or no right, also while the files are written
        SpecError   KVMNB_TEMPLATES_LIMIT is not a size
        """
        valid_key(key)
        self.place.make()
        self.place.sweep()
        _ = self.limit_bytes  # a wrong one is told before the work
        try:
            draft = Draft(self, key)
        except OSError as error:
            raise _unwritable(self.place.root, error) from error
        try:
            yield draft
        except OSError as error:
            if error.errno in FULL:
                raise _unwritable(self.place.root, error) from error
            raise
        finally:
            draft.close()

    def discard(self, key: str, reason: str) -> None:
        """Let nobody get the template of that key any more; those who hold it keep it."""
        for name in self.place.names(valid_key(key)):
            self._discard(name, reason)

    def _discard(self, name: str, reason: str) -> None:
        self.discarded[name.rpartition(".")[0]] = reason
        self.place.discard(name)

    def entries(self) -> list[Entry]:
        """Return all templates, the one used last first; changes nothing."""
        return [entry for _, entry in self._listed()]

    def _listed(self) -> list[tuple[str, Entry]]:
        found = []
        for name in self.place.names():
            with contextlib.suppress(FileNotFoundError):
                found.append((name, self._entry(name)))
        return sorted(found, key=lambda each: each[1].used_s, reverse=True)

    def _entry(self, name: str) -> Entry:
        key, path = name.rpartition(".")[0], self.place.path(name)
        used_s = os.lstat(f"{path}/{MANIFEST}").st_mtime
        created_s, guest = used_s, ""
        with contextlib.suppress(DamagedError, HostError, OSError):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                content = template_manifest.read(fd, key)
            finally:
                os.close(fd)
            created_s, guest = content.created_s, str(content.payload.get("name", ""))
        return Entry(
            key=key,
            name=guest,
            size_bytes=_size(path),
            created_s=created_s,
            used_s=used_s,
            in_use=self.place.in_use(name),
        )

    def evict(self) -> list[Entry]:
        """Remove the least recently used until all are below the limit, and return those.

        Templates in use are passed over.
        """
        listed = self._listed()
        left = sum(entry.size_bytes for _, entry in listed)
        removed = []
        while left > self.limit_bytes and listed:
            name, entry = listed.pop()
            if self.place.remove(name):
                left -= entry.size_bytes
                removed.append(entry)
        return removed

    def clear(self) -> list[Entry]:
        """Discard all templates and return them; those in use go when they are closed."""
        listed = self._listed()
        for name, _ in listed:
            self._discard(name, "cleared")
        self.place.sweep()
        return [entry for _, entry in listed]

    def __repr__(self) -> str:
        return f"<Templates in {self.place.root}>"


def _size(path: str) -> int:
    """Return what a folder's files take on the disk, in bytes."""
    blocks = 0
    with contextlib.suppress(OSError):
        blocks = sum(entry.stat(follow_symlinks=False).st_blocks for entry in os.scandir(path))
    return blocks * 512  # st_blocks counts these whatever the file system's own are (stat(2))


def _unwritable(root: str, error: OSError) -> HostError:
    if error.errno in FULL:
        return HostError(
            f"no room for a template in {root}: {error.strerror}",
            f"free some: kvmnb cache clear, df -h {root}",
        )
    return HostError(
        f"cannot write a template in {root}: {error}",
        "set XDG_CACHE_HOME to a folder on a local disk",
    )
