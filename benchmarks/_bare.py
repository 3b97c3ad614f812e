"""QEMU without kvmnb, to measure beside: one exec, and its sockets spoken to by hand."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kvmnb import VM

__all__ = ["Line", "bare"]

LIMIT_S = 300.0


class Line:
    """A line of JSON messages over a unix socket; connecting waits until QEMU listens."""

    def __init__(self, path: Path) -> None:
        until = time.monotonic() + LIMIT_S
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                self._socket.close()
                if time.monotonic() > until:
                    raise
                time.sleep(0.0005)
        self._socket.settimeout(LIMIT_S)
        self._file = self._socket.makefile("rwb")

    def read(self) -> dict[str, Any]:
        """Return the next message."""
        message: dict[str, Any] = json.loads(self._file.readline().lstrip(b"\xff"))
        return message

    def ask(self, command: str, **arguments: Any) -> Any:
        """Send a command and return its answer."""
        self._file.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self._file.flush()
        while "return" not in (answer := self.read()):
            assert "error" not in answer, answer
        return answer["return"]

    def sync(self) -> None:
        """Begin to talk to a guest agent, as its manual has it."""
        number = secrets.randbits(31)
        message = {"execute": "guest-sync-delimited", "arguments": {"id": number}}
        self._file.write(b"\xff" + json.dumps(message).encode() + b"\n")
        self._file.flush()
        while self.read().get("return") != number:
            pass

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


def _run_dir(argv: Sequence[str]) -> str:
    """Return the folder that a command's sockets lie in."""
    (found,) = (re.search(r"path=(.*)/qmp\.sock", word) for word in argv if "id=qmp," in word)
    assert found is not None
    return found[1]


@contextlib.contextmanager
def bare(vm: VM, argv: Sequence[str] | None = None) -> Iterator[tuple[Path, float]]:
    """Run a VM's own command, without kvmnb; give its folder and when it was started.

    The folder is another one: what lies in kvmnb's own without an owner is reaped.
    """
    command = list(argv or vm.command().argv)
    theirs = _run_dir(command)
    with tempfile.TemporaryDirectory(prefix="kvmnb-bare-") as folder:
        command = [word.replace(theirs, folder) for word in command]
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=None
        )
        try:
            yield Path(folder), begun
        finally:
            process.kill()
            process.wait()
