"""What ``qemu-img`` does for kvmnb: make an empty disk or an overlay, and look into an image.

A name is handed over as an absolute path, which begins with a slash. QEMU looks for ``nbd:``,
``json:`` and the like before the first slash only, and an option begins with a dash, so such a
name is that of a file and nothing else (QEMU block.c, path_has_protocol).
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from kvmnb.errors import HostError, ImageError, SpecError

__all__ = ["create", "info", "Info"]

BINARY = "qemu-img"
REMEDY = "sudo apt-get install -y qemu-utils"


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What qemu-img says of an image.

    Parameters
    ----------
    format : it was read as
    size_bytes : of the disk that a guest sees
    on_disk_bytes : that the file takes on the host
    backing : the file it stands on, as its header names it; ``None`` without one
    backing_format : of that file; ``None`` where the header does not say
    """

    format: str
    size_bytes: int
    on_disk_bytes: int
    backing: str | None = None
    backing_format: str | None = None


async def create(
    path: Path,
    *,
    format: str,
    size_bytes: int | None = None,
    backing: Path | None = None,
    backing_format: str | None = None,
) -> None:
    """Make an image that is not there yet, readable by its owner alone.

    Parameters
    ----------
    size_bytes : of the disk; ``None`` takes the backing file's
    backing, backing_format : the file it stands on, which is never written, and how to read it

    Cancelled, it ends qemu-img and leaves no file.

    Raises
    ------
    SpecError    neither a size nor a backing file, or a backing file without its format
    ImageError   qemu-img refused, or there is a file of this name already
    HostError    qemu-img is not installed
    """
    if size_bytes is None and backing is None:
        raise SpecError("size", size_bytes, "a disk needs a size or a backing file")
    if (backing is None) != (backing_format is None):
        # without it QEMU would guess from bytes that a guest may have written
        raise SpecError("backing_format", backing_format, "goes with a backing file, always")
    target = os.path.abspath(path)
    argv = ["create", "-q", "-f", format]
    if backing is not None and backing_format is not None:
        argv += ["-b", os.path.abspath(backing), "-F", backing_format]
    argv.append(target)
    if size_bytes is not None:
        argv.append(str(size_bytes))
    try:
        # ours first: what is there already is not overwritten, and what fails is ours to remove
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError as error:
        raise ImageError(target, "there is a file of this name already") from error
    except (OSError, ValueError) as error:
        raise ImageError(target, f"cannot be made: {error}") from error
    try:
        await _run(target, argv)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(target)
        raise


async def info(path: Path, format: str) -> Info:
    """Return what an image's header says; the files that it stands on are not opened.

    It may be open in a running guest, whose last writes are then not seen.

    Raises
    ------
    ImageError   it cannot be read as `format`
    HostError    qemu-img is not installed
    """
    target = os.path.abspath(path)
    answer = await _run(target, ["info", "--output=json", "-U", "-f", format, target])
    try:
        found = json.loads(answer)
        return Info(
            format=found["format"],
            size_bytes=found["virtual-size"],
            on_disk_bytes=found["actual-size"],
            backing=found.get("backing-filename"),
            backing_format=found.get("backing-filename-format"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ImageError(target, f"qemu-img's answer cannot be read: {error}") from error


async def _run(image: str, argv: list[str]) -> bytes:
    import asyncio

    if "\0" in "".join(argv):
        raise ImageError(image, "a file's name cannot hold a zero byte")
    try:
        process = await asyncio.create_subprocess_exec(
            BINARY,
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,  # a Ctrl-C at the terminal is ours to handle
        )
    except FileNotFoundError as error:
        raise HostError(f"{BINARY} is not installed", REMEDY) from error
    except OSError as error:
        raise HostError(f"{BINARY} cannot be run: {error}", REMEDY) from error
    try:
        out, err = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # reaped even if we are cancelled once more: no zombie, no writer after the file is gone
        await asyncio.shield(process.wait())
        raise
    if process.returncode:
        said = err.decode("utf-8", "replace").strip() or f"exit code {process.returncode}"
        lines = [line.removeprefix(f"{BINARY}: ") for line in said.splitlines()[-4:]]
        raise ImageError(image, f"{BINARY}: " + "\n".join(lines))
    return out
