"""Other processes that use kvmnb, to be killed, and ways to see what became of guests."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 30.0


class Kernel:
    """Another process that uses kvmnb, as a notebook's kernel does; it can be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-i", "-q", "-c", "import sys; sys.ps1 = sys.ps2 = ''; import kvmnb"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def __call__(self, code: str) -> str:
        """Run a line and return what it printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{code}\nprint('\\x04')\n")
        self._process.stdin.flush()
        lines: list[str] = []
        while (line := self._process.stdout.readline()) and "\x04" not in line:
            lines.append(line)
        assert line, "".join(lines)
        return "".join(lines).strip()

    def send(self, code: str) -> None:
        """Start on a line without waiting for it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{code}\n")
        self._process.stdin.flush()

    def ended(self) -> None:
        """Wait until something has killed it."""
        self._process.wait(LIMIT_S)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


def until(true: Callable[[], object]) -> None:
    """Wait for another process's doing."""
    end = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
