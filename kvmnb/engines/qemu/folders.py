"""Where a guest's files lie, and the locks on them.

``<runtime>/kvmnb/<guest>/``         sockets, logs, guest.json, owners/ (small; gone at logout)
``<state>/kvmnb/guests-…/<guest>/``  overlays and new disks           (large; on a real disk)

Both are private to the user. The root folder itself is the lock under which guests are
claimed and cleaned away, so that no lock file is ever left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvmnb.errors import HostError, SpecError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GuestFolder", "Roots"]

SOCKET_PATH_LIMIT = 107
"""Bytes in a unix socket's path (sun_path of unix(7), less the final NUL)."""

LONGEST_SOCKET = "qmp-shared.sock"
SLUG_LIMIT = 40

OWN, HALF = "kvmnb", "guests-"
"""How the names of all run roots and state roots begin; nothing is cleaned away elsewhere."""


def _slug(name: str) -> str:
    """Return a folder name for a guest: itself where that is plain, else with a digest."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    if plain == name and len(plain) <= SLUG_LIMIT and not plain.startswith((".", "-")):
        return plain
    import hashlib

    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:10]
    return f"{plain.strip('._-')[: SLUG_LIMIT - 11]}~{digest}"


def _private(folder: Path) -> Path:
    """Make `folder` 0700, or refuse one that somebody else could have laid there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise HostError(f"cannot make {folder}: {error.strerror}", "set XDG_RUNTIME_DIR") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise HostError(
            f"{folder} is not a folder of yours", "remove it, or set XDG_RUNTIME_DIR elsewhere"
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


class _Places:
    """Gives the two folders as paths; pathlib is imported when one is asked for."""

    __slots__ = ()
    if TYPE_CHECKING:
        run_dir: str
        state_dir: str

    @property
    def run(self) -> Path:
        from pathlib import Path

        return Path(self.run_dir)

    @property
    def state(self) -> Path:
        from pathlib import Path

        return Path(self.state_dir)


@dataclass(frozen=True, slots=True)
class GuestFolder(_Places):
    """One guest's places; nothing is made before `create`.

    Parameters
    ----------
    run_dir, state_dir : the two folders; `run` and `state` give them as paths
    """

    run_dir: str
    state_dir: str

    @property
    def record(self) -> Path:
        return self.run / "guest.json"

    @property
    def owners(self) -> Path:
        return self.run / "owners"

    def create(self) -> None:
        """Make the folders.

        Raises
        ------
        HostError   no room, no right, or a socket's path would be too long
        SpecError   the guest's name makes a socket's path too long
        """
        length = len(os.fsencode(self.run / LONGEST_SOCKET))
        if length > SOCKET_PATH_LIMIT:
            raise SpecError(
                "name",
                self.run.name,
                f"a socket's path under {self.run.parent} would have {length} bytes, at most "
                f"{SOCKET_PATH_LIMIT} work; use a shorter name or a shorter XDG_RUNTIME_DIR",
            )
        try:
            self.run.mkdir(mode=0o700)
            self.owners.mkdir(mode=0o700)
            self.state.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise HostError(
                f"cannot make a folder for the guest: {error}", "free some room: df -h, df -i"
            ) from error

    def remove(self) -> None:
        """Remove everything; the record goes last, so that a broken removal is found again."""
        import shutil

        shutil.rmtree(self.state, ignore_errors=True)
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.run):
                if entry.name == self.record.name:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(entry.path)
        self.record.unlink(missing_ok=True)
        shutil.rmtree(self.run, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Roots(_Places):
    """The two folders under which all guests of one user lie.

    What lies there is removed when its guest is gone, so both must be folders of kvmnb's own.

    Raises
    ------
    ValueError   one of them is relative, or is not named as kvmnb names its own
    """

    run_dir: str
    state_dir: str

    def __post_init__(self) -> None:
        for kind, folder, begin in (("run", self.run_dir, OWN), ("state", self.state_dir, HALF)):
            if not (os.path.isabs(folder) and os.path.basename(folder).startswith(begin)):
                raise ValueError(f"not a {kind} root of kvmnb's own: {folder}")

    @classmethod
    def from_environment(cls) -> Roots:
        """Return the roots that XDG_RUNTIME_DIR and XDG_STATE_HOME name; makes nothing."""
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        if runtime and os.path.isdir(runtime) and os.access(runtime, os.W_OK):
            run = os.path.join(runtime, OWN)
        else:
            run = os.path.join(os.environ.get("TMPDIR") or "/tmp", f"{OWN}-{os.getuid()}")
        # absolute: QEMU, the reaper and other kernels have other working folders
        run = os.path.abspath(run)
        state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        # each run root has its own half, since what has no run folder there is cleaned away
        half = f"{HALF}{zlib.crc32(os.fsencode(run)):08x}"
        return cls(run, os.path.join(os.path.abspath(state), OWN, half))

    def make(self) -> None:
        """Make both, private to the user."""
        _private(self.run)
        _private(self.state)

    def guest(self, name: str) -> GuestFolder:
        """Return the places of the guest called `name`."""
        slug = _slug(name)
        return GuestFolder(f"{self.run_dir}/{slug}", f"{self.state_dir}/{slug}")

    def folders(self) -> Iterator[GuestFolder]:
        """Yield the places of every guest there is a run folder of."""
        with contextlib.suppress(FileNotFoundError):
            for entry in sorted(os.scandir(self.run_dir), key=lambda found: found.name):
                if entry.is_dir(follow_symlinks=False):
                    yield GuestFolder(entry.path, f"{self.state_dir}/{entry.name}")

    def strays(self) -> Iterator[Path]:
        """Yield the state folders whose run folder is gone, as it is after a reboot."""
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.state_dir):
                if not os.path.lexists(f"{self.run_dir}/{entry.name}"):
                    yield self.state / entry.name

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the root's lock; waits for whoever has it. Released by the kernel on kill -9."""
        self.make()
        fd = os.open(self.run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    @contextlib.asynccontextmanager
    async def alock(self) -> AsyncIterator[None]:
        """Hold the root's lock without stopping the loop while waiting for it."""
        import asyncio

        self.make()
        fd = os.open(self.run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        ours = True
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting = asyncio.ensure_future(asyncio.to_thread(fcntl.flock, fd, fcntl.LOCK_EX))
                try:
                    await asyncio.shield(waiting)
                except asyncio.CancelledError:
                    # the thread cannot be called back: it drops the lock when it gets it
                    ours = False
                    waiting.add_done_callback(lambda _: os.close(fd))
                    raise
            yield
        finally:
            if ours:
                os.close(fd)
