"""Running the host's tools: argument lists, a time limit, and errors that name the package."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kvmnb.errors import HostError, ImageError

__all__ = ["Tick", "run"]

Tick = Callable[[], None]
"""Called a few times a second while a tool runs; what it raises ends the tool and the work."""

PACKAGE_OF = {
    "apt-get": "apt",
    "apt-config": "apt",
    "dpkg-deb": "dpkg",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "zstd": "zstd",
    "lz4": "lz4",
}
"""Which package of Debian and Ubuntu brings a tool."""

TICK_S = 0.2


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which tools speak English and are found as root's are."""
    path = os.environ.get("PATH", os.defpath)
    keep = {k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}
    home = os.environ.get("HOME", "/")
    return {**keep, "PATH": f"{path}:/usr/sbin:/sbin", "LC_ALL": "C", "HOME": home, **more}


def run(
    argv: Sequence[str | Path],
    *,
    limit_s: float,
    tick: Tick | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> bytes:
    """Run a tool and return what it wrote to its standard output.

    Raises
    ------
    HostError    the tool is not installed
    ImageError   it failed, with its last lines, or took longer than `limit_s`
    """
    import contextlib
    import shutil
    import signal
    import subprocess
    import tempfile
    import time

    words = [os.fspath(word) for word in argv]
    name = os.path.basename(words[0])
    variables = environment(**(env or {}))
    binary = shutil.which(words[0], path=variables["PATH"])
    if binary is None:
        package = PACKAGE_OF.get(name, name)
        raise HostError(f"{name} is not installed", f"sudo apt-get install -y {package}")
    # files, not pipes: a tool that writes much never waits for us
    with contextlib.ExitStack() as files:
        out, err = (files.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        feed = files.enter_context(tempfile.TemporaryFile())
        feed.write(stdin)
        feed.seek(0)
        process = subprocess.Popen(
            [binary, *words[1:]],
            stdin=feed,
            stdout=out,
            stderr=err,
            cwd=cwd,
            env=variables,
            start_new_session=True,
        )
        end = time.monotonic() + limit_s
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(TICK_S)
                    break
                if tick is not None:
                    tick()
                if time.monotonic() > end:
                    raise ImageError(name, f"took longer than {limit_s:.0f} s")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        out.seek(0)
        answer = out.read()
        if code := process.returncode:
            err.seek(0)
            said = (err.read() + answer).decode("utf-8", "replace").strip().splitlines()
            raise ImageError(name, "failed: " + "\n".join(said[-6:] or [f"exit code {code}"]))
        return answer
