"""A template in use: its files, checked as they are read, and its lock."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kvmnb.engines.qemu.templates import manifest as template_manifest
from kvmnb.engines.qemu.templates.files import (
    DamagedError,
    File,
    copy,
    failure,
    inspect,
    opened,
    plain,
)
from kvmnb.engines.qemu.templates.folders import Place, is_private

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Template"]


class Template:
    """A whole template, held: no other process removes it before it is closed.

    Attributes
    ----------
    key : of the template
    manifest : what was stored with it
    files : what is known of each of its files, by name
    """

    def __init__(
        self, place: Place, folder_name: str, fd: int, discard: Callable[[str, str], None]
    ) -> None:
        self._place, self._name, self._fd, self._discard = place, folder_name, fd, discard
        self.key = folder_name.rpartition(".")[0]
        content = template_manifest.read(fd, self.key)
        self.manifest: Mapping[str, Any] = content.payload
        self.files: Mapping[str, File] = content.files
        if not is_private(os.fstat(fd)):
            raise DamagedError(folder_name, "others can write to it")
        for name, known in self.files.items():
            try:
                found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except OSError as error:
                raise failure(name, error) from error
            if plain(name, found).st_size != known.size_bytes:
                raise DamagedError(name, f"it had {known.size_bytes} bytes")

    @property
    def folder(self) -> Path:
        """Where its files are; they must not be changed, and may be linked to elsewhere."""
        from pathlib import Path

        return Path(self._place.path(self._name))

    def verify(self, name: str) -> None:
        """Read one file and return if it is as it was stored.

        Raises
        ------
        DamagedError   it is not; the template is discarded
        KeyError       the template has no such file
        ValueError     this is closed
        """
        with self._opened(name) as fd:
            inspect(name, fd, self.files[name])

    def verify_all(self) -> None:
        """Read all files and return if they are as they were stored.

        Raises
        ------
        DamagedError   one is not; the template is discarded
        ValueError     this is closed
        """
        for name in self.files:
            self.verify(name)

    def copy_into(self, name: str, fd: int) -> None:
        """Copy a file's data into an open file of the same size, and check what was copied.

        Its holes are left alone: a new memfd stays as sparse as the file.

        Raises
        ------
        DamagedError   the file is not as it was stored; the template is discarded
        HostError      no memory, or no room
        KeyError       the template has no such file
        ValueError     `fd` is of another size, or this is closed
        """
        with self._opened(name) as source:
            copy(name, source, self.files[name], fd)

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        if name not in self.files:
            raise KeyError(name)
        if self._fd < 0:
            raise ValueError("this template is closed")
        try:
            fd = opened(name, self._fd)
            try:
                yield fd
            finally:
                os.close(fd)
        except DamagedError as error:
            self._discard(self._name, str(error))  # we hold it: its files stay until `close`
            raise

    def close(self) -> None:
        """Let go of it; what was discarded meanwhile is removed now."""
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        if self._place.discarded(self._name):
            self._place.remove(self._name)

    def __enter__(self) -> Template:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Template {self.key}: {', '.join(self.files)}>"
