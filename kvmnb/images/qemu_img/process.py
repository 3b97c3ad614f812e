"""One run of qemu-img: its answer, its progress, its refusals in words that help."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvmnb.errors import HostError, ImageError
from kvmnb.images.qemu_img.line import BINARY

if TYPE_CHECKING:
    import asyncio

    from kvmnb.images.catalogue import Progress

__all__ = ["Ran", "Report", "reporter", "run"]

REMEDY = "sudo apt-get install -y qemu-utils"

WAKE_S = 0.25
"""Progress is told at least so often, whether there is news or not."""

Report = Callable[[float | None], None]
"""Called with the percentage that is done; ``None`` where nothing is known yet."""

_PERCENT = re.compile(rb"\(\s*(\d{1,3}(?:\.\d+)?)/100%\)")
_LOCKED = re.compile(r"Failed to (?:get|lock) .*(?:lock|byte)|is another process using", re.I)


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run.

    Parameters
    ----------
    code : the exit code
    out : what it printed, its progress among it where that was asked for
    err : what it complained of
    """

    code: int
    out: bytes
    err: str


def reporter(what: str, progress: Progress | None) -> Report | None:
    """Return what tells `progress` how far qemu-img has come with `what`."""
    if progress is None:
        return None
    began = time.monotonic()

    def report(percent: float | None) -> None:
        if percent is None:
            progress(what, time.monotonic() - began, None, "")
        else:
            progress(what, percent, 100.0, "")

    return report


async def run(
    words: Sequence[str],
    image: str,
    *,
    report: Report | None = None,
    accept: Sequence[int] = (0,),
    keep_fds: Sequence[int] = (),
) -> Ran:
    """Run ``qemu-img WORDS…`` to its end. Cancelled, it ends the process first.

    Parameters
    ----------
    image : whom an error shall name
    report : gets the progress; `words` need ``-p`` for more than signs of life
    accept : exit codes that are answers
    keep_fds : descriptors that the process shall hold open, for their locks

    Raises
    ------
    ImageError   qemu-img refused
    HostError    qemu-img is not installed
    """
    import asyncio

    if "\0" in "".join(words):
        raise ImageError(image, "a file's name cannot hold a zero byte")
    try:
        process = await asyncio.create_subprocess_exec(
            BINARY,
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,  # a Ctrl-C at the terminal is ours to handle
            pass_fds=tuple(keep_fds),
        )
    except FileNotFoundError as error:
        raise HostError(f"{BINARY} is not installed", REMEDY) from error
    except OSError as error:
        raise HostError(f"{BINARY} cannot be run: {error}", REMEDY) from error
    try:
        if report is None:
            out, err = await process.communicate()
        else:
            out, err = await _watched(process, report)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # reaped even if we are cancelled once more: no zombie, no writer after the file is gone
        await asyncio.shield(process.wait())
        raise
    ran = Ran(process.returncode or 0, out, err.decode("utf-8", "replace").strip())
    if ran.code not in accept:
        raise ImageError(image, _reason(ran))
    return ran


async def _watched(process: asyncio.subprocess.Process, report: Report) -> tuple[bytes, bytes]:
    """Tell `report` of the progress until the process has ended; return all that it printed."""
    import asyncio

    out, errors = process.stdout, process.stderr
    assert out is not None  # both were asked for
    assert errors is not None
    complaints = asyncio.ensure_future(errors.read())
    piece: asyncio.Future[bytes] = asyncio.ensure_future(out.read(4096))
    percent, printed = None, bytearray()
    try:
        report(None)
        while True:
            done, _ = await asyncio.wait({piece}, timeout=WAKE_S)
            if done:
                came = piece.result()
                if not came:
                    break
                printed += came
                # the newest figure; it may be cut in two, so what came before is looked at too
                figures = _PERCENT.findall(printed[-len(came) - 32 :])
                percent = float(figures[-1]) if figures else percent
                piece = asyncio.ensure_future(out.read(4096))
            report(percent)
        await process.wait()
        return bytes(printed), await complaints
    finally:
        piece.cancel()
        complaints.cancel()


def _reason(ran: Ran) -> str:
    said = ran.err or f"exit code {ran.code}"
    if ran.code < 0:
        said = f"ended by signal {-ran.code}\n{ran.err}".strip()
    words = "\n".join(line.removeprefix(f"{BINARY}: ") for line in said.splitlines()[-4:])
    if _LOCKED.search(said):
        return (
            "is in use: a running guest or another qemu-img has it, or a file below it, open. "
            "End that guest first; only to look into the image, say force_share=True, and then "
            f"the guest's last writes are not seen\n{BINARY}: {words}"
        )
    return f"{BINARY}: {words}"
