"""The folders in which templates lie, their locks, and their removal.

``<root>/<key>.<number>/``         one template; without a manifest it is discarded
``<root>/.draft-<key>.<number>/``  one that is being written
``<root>/.gone-<number>/``         one that is being removed

Who uses a folder has it locked (flock): readers shared, its writer exclusively, and so for a
moment who renames it to be removed. The kernel drops a lock with its process, so what nobody
holds is nobody's. The root is locked while a draft appears, is swept away or becomes a template.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator

from kvmnb.errors import HostError

__all__ = ["MANIFEST", "NO_FOLDER", "Place", "is_private", "valid_key"]

MANIFEST = "manifest"
DRAFT, GONE = ".draft-", ".gone-"

NO_FOLDER = {errno.ELOOP, errno.ENOTDIR, errno.EACCES}
"""What opening a folder fails for where something else lies in its place, or its mode is wrong."""

KEY = r"[0-9A-Za-z_-]{1,64}"
NUMBER = r"[0-9a-f]{8}"

PATIENCE_S = 1.0
"""How long a reader waits for a lock that is held exclusively; that takes microseconds."""


def valid_key(key: str) -> str:
    """Return `key`; ``ValueError`` if it cannot be the name of a folder here."""
    if re.fullmatch(KEY, key) is None:
        raise ValueError(f"not a template's key: {key!r}")
    return key


def is_private(found: os.stat_result) -> bool:
    """Return whether this is a folder that we alone may read and write."""
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return mine and not found.st_mode & 0o077


class Place:
    """The root folder of all templates; making one does nothing on disk.

    Folders are told by their names within it. Nothing else that lies there is ever touched.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def path(self, name: str) -> str:
        """Return where the folder `name` is."""
        return f"{self.root}/{name}"

    def make(self) -> None:
        """Make the root, private to the user.

        Raises
        ------
        HostError   no room, no right, or it is somebody else's
        """
        try:
            os.makedirs(self.root, mode=0o700, exist_ok=True)
            found = os.stat(self.root)
            if found.st_uid == os.geteuid() and not is_private(found):
                os.chmod(self.root, 0o700)
                found = os.stat(self.root)
        except OSError as error:
            raise HostError(
                f"cannot make {self.root}: {error.strerror}",
                "set XDG_CACHE_HOME to a folder of yours",
            ) from error
        if not is_private(found):
            raise HostError(
                f"{self.root} is not a folder of yours", "remove it, or set XDG_CACHE_HOME"
            )

    def names(self, key: str | None = None) -> list[str]:
        """Return the folders of finished templates, of `key` alone if it is given."""
        wanted = re.compile(rf"{KEY if key is None else re.escape(key)}\.{NUMBER}")
        return [name for name in self._all() if wanted.fullmatch(name)]

    def _all(self) -> list[str]:
        try:
            # what others can write to is not looked at; `make` mends it
            return os.listdir(self.root) if is_private(os.stat(self.root)) else []
        except OSError:
            return []

    # -- locks ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self, *, wait: bool = True) -> Iterator[bool]:
        """Hold the root's lock; gives ``False`` if somebody has it and we do not `wait`."""
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield _lock(fd, fcntl.LOCK_EX, wait=wait)
        finally:
            os.close(fd)

    def hold(self, name: str) -> int | None:
        """Return a descriptor of the folder, locked as its readers do; ``None`` if it is gone.

        Raises
        ------
        OSError   it is not a folder, or cannot be opened
        """
        try:
            fd = self._open(name)
        except FileNotFoundError:
            return None
        deadline = time.monotonic() + PATIENCE_S
        try:
            while not _lock(fd, fcntl.LOCK_SH, wait=False):
                if time.monotonic() > deadline:
                    os.close(fd)
                    return None
                time.sleep(0.001)
            if self._is_at(fd, name):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return None

    def in_use(self, name: str) -> bool:
        """Return whether anybody holds the folder."""
        try:
            fd = self._open(name)
        except OSError:
            return False
        try:
            return not _lock(fd, fcntl.LOCK_EX, wait=False)
        except OSError:  # no locks here, so nobody holds one
            return False
        finally:
            os.close(fd)

    def _open(self, name: str) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self.path(name), flags)

    def _is_at(self, fd: int, name: str) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), os.lstat(self.path(name)))
        except FileNotFoundError:
            return False

    # -- drafts ---------------------------------------------------------------------------

    def draft(self, key: str) -> tuple[str, int]:
        """Make a folder to write a template in; return its name and its locked descriptor."""
        name = f"{DRAFT}{key}.{secrets.token_hex(4)}"
        with self.lock():  # a sweeper must not see it before it is held
            os.mkdir(self.path(name), 0o700)
            fd = -1
            try:
                os.chmod(self.path(name), 0o700)  # whatever the umask
                fd = self._open(name)
                _lock(fd, fcntl.LOCK_EX, wait=True)
            except OSError:
                if fd >= 0:
                    os.close(fd)
                os.rmdir(self.path(name))
                raise
        return name, fd

    def publish(self, draft: str, fd: int, key: str) -> str:
        """Give a whole draft its final name, which is returned; older templates are discarded.

        Its lock becomes that of a reader.
        """
        name = draft.removeprefix(DRAFT)
        with self.lock():  # of two that come at once, the later one stays
            older = self.names(key)
            for each in older:  # first, so that whoever is killed here never leaves two
                self._void(each)
            os.rename(self.path(draft), self.path(name))
            _lock(fd, fcntl.LOCK_SH, wait=True)
        for each in older:
            self.remove(each)
        return name

    # -- removal --------------------------------------------------------------------------

    def discard(self, name: str) -> None:
        """Let nobody get the template any more; it goes when its last reader does."""
        self._void(name)
        self.remove(name)

    def discarded(self, name: str) -> bool:
        """Return whether the template has been discarded."""
        return not os.path.lexists(f"{self.path(name)}/{MANIFEST}")

    def _void(self, name: str) -> None:
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(os.lstat(self.path(name)).st_mode):
                os.unlink(f"{self.path(name)}/{MANIFEST}")

    def remove(self, name: str) -> bool:
        """Remove the folder unless somebody holds it; return whether it is gone."""
        gone = self._take(name)
        if gone:
            _empty(self.path(gone))
        return gone is not None

    def bury(self, name: str) -> None:
        """Remove a folder that the caller holds exclusively."""
        gone = f"{GONE}{secrets.token_hex(4)}"
        with contextlib.suppress(OSError):
            os.rename(self.path(name), self.path(gone))
            _empty(self.path(gone))

    def _take(self, name: str) -> str | None:
        """Rename the folder out of everybody's sight; ``None`` if held, ``""`` if not there."""
        gone = f"{GONE}{secrets.token_hex(4)}"
        fd = -1
        try:
            try:
                fd = self._open(name)
            except OSError as error:
                if error.errno not in NO_FOLDER:
                    raise
            if fd >= 0 and not _lock(fd, fcntl.LOCK_EX, wait=False):
                return None
            if fd >= 0 and not self._is_at(fd, name):
                return ""
            os.rename(self.path(name), self.path(gone))
        except FileNotFoundError:
            return ""
        except OSError:  # no right, a file system that only reads, too many open files
            return None
        finally:
            if fd >= 0:
                os.close(fd)
        return gone

    def sweep(self) -> None:
        """Remove what killed writers, readers and removers have left behind."""
        names = self._all()
        gone = [name for name in names if re.fullmatch(rf"\.gone-{NUMBER}", name)]
        drafts = [name for name in names if re.fullmatch(rf"\.draft-{KEY}\.{NUMBER}", name)]
        if drafts:
            with contextlib.suppress(OSError), self.lock(wait=False) as ours:
                gone += [taken for name in drafts if ours and (taken := self._take(name))]
        for name in gone:
            _empty(self.path(name))
        for name in names:
            if re.fullmatch(rf"{KEY}\.{NUMBER}", name) and self.discarded(name):
                self.remove(name)


def _lock(fd: int, kind: int, *, wait: bool) -> bool:
    """Lock an open folder and return whether that was possible.

    Raises
    ------
    OSError   the file system knows no locks on folders
    """
    try:
        fcntl.flock(fd, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _empty(path: str) -> None:
    """Remove a file, a link, or a folder with all that is in it, as far as that can be."""
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return
        os.chmod(path, 0o700)
        for name in os.listdir(path):
            _empty(f"{path}/{name}")
        os.rmdir(path)
