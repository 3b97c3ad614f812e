"""The machine as the doctor sees it: its files, its commands, and who asks."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

__all__ = ["Answer", "Root"]

_Fact = TypeVar("_Fact")

COMMAND_S = 3.0
"""How long a command may take."""

READ_BYTES = 1 << 20
"""How much of a file is read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said: exit code, output, and its last line on stderr.

    A command that was ended because it took too long, or did not start, has no exit code.
    """

    returncode: int | None
    stdout: str
    complaint: str


@dataclass(frozen=True, slots=True)
class Root:
    """A machine to examine.

    Parameters
    ----------
    path : where its file tree starts
    environ : the variables of the user who asks
    uid : that user's id
    groups : ids of that user's groups
    """

    path: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    uid: int = field(default_factory=os.geteuid)
    groups: frozenset[int] = field(
        default_factory=lambda: frozenset({os.getegid(), *os.getgroups()})
    )
    _known: dict[Callable[..., object], object] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def once(self, find: Callable[[Root], _Fact]) -> _Fact:
        """Return what `find` says of this machine; several looks share one answer."""
        if find not in self._known:
            self._known[find] = find(self)
        return cast(_Fact, self._known[find])

    def at(self, name: str) -> Path:
        """Return where a file of the machine lies: ``at("/proc/modules")``."""
        return self.path / name.lstrip("/")

    def read(self, name: str) -> str | None:
        """Return a file's text, or ``None`` where there is no such file or no right to read it."""
        try:
            with open(self.at(name), "rb") as file:
                return file.read(READ_BYTES).decode("utf-8", "replace")
        except OSError:
            return None

    def value(self, name: str) -> str | None:
        """Return a file's text without the space around it."""
        text = self.read(name)
        return None if text is None else text.strip()

    def exists(self, name: str) -> bool:
        """Return whether there is such a file, folder or node."""
        return os.path.exists(self.at(name))

    def entries(self, name: str) -> list[str]:
        """Return the names in a folder, sorted; none where there is no such folder."""
        try:
            return sorted(os.listdir(self.at(name)))
        except OSError:
            return []

    def usable(self, name: str) -> bool:
        """Return whether this user may read and write a node."""
        return os.access(self.at(name), os.R_OK | os.W_OK)

    def mode(self, name: str) -> str:
        """Return mode and owners of a file for people: ``crw-rw---- root:kvm``."""
        found = self.at(name).stat()
        owner = self.name_of("/etc/passwd", found.st_uid)
        group = self.name_of("/etc/group", found.st_gid)
        return f"{stat.filemode(found.st_mode)} {owner}:{group}"

    def name_of(self, table: str, id: int) -> str:
        """Return the name that /etc/passwd or /etc/group has for an id, else the id."""
        for line in (self.read(table) or "").splitlines():
            name, *rest = line.split(":")
            if len(rest) > 1 and rest[1] == str(id):
                return name
        return str(id)

    @property
    def user(self) -> str:
        """The name of the user who asks."""
        return self.name_of("/etc/passwd", self.uid)

    @property
    def sudo(self) -> str:
        """What a command for root begins with: nothing for root itself."""
        return "" if self.uid == 0 else "sudo "

    def which(self, *names: str) -> str | None:
        """Return the first of these commands that is there, as a path of the machine.

        The folders for root's commands are looked into too: an ordinary user's PATH lacks them.
        """
        folders = self.environ.get("PATH", os.defpath).split(os.pathsep)
        folders += ["/usr/sbin", "/sbin", "/usr/local/sbin"]
        for name in names:
            for folder in [""] if name.startswith("/") else folders:
                path = os.path.join(folder, name)
                found = self.at(path)
                if path.startswith("/") and os.path.isfile(found) and os.access(found, os.X_OK):
                    return path
        return None

    def ask(self, *argv: str, stdin: str = "") -> Answer:
        """Run a command of the machine without a shell; its words are cut at 1 MiB."""
        import subprocess

        try:
            child = subprocess.Popen(
                [str(self.at(argv[0])), *argv[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                close_fds=True,
                start_new_session=True,
                env={"PATH": self.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                cwd="/",
            )
        except OSError as error:
            return Answer(None, "", error.strerror or type(error).__name__)
        try:
            output, errors = child.communicate(stdin.encode(), timeout=COMMAND_S)
        except subprocess.TimeoutExpired:
            # all of its session: a script's own child would keep the pipes open
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return Answer(None, "", f"no answer within {COMMAND_S:g} s")
        said = output[:READ_BYTES].decode("utf-8", "replace")
        complaints = errors[:READ_BYTES].decode("utf-8", "replace").strip().splitlines()
        return Answer(child.returncode, said, complaints[-1] if complaints else "")
