"""Calls that change nothing: what an image is, where its data lies, how large it would become."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Literal

from kvmnb.errors import ImageError, SpecError
from kvmnb.images.qemu_img import reading
from kvmnb.images.qemu_img.answers import Bench, Check, Info, Measure
from kvmnb.images.qemu_img.call import Plan
from kvmnb.images.qemu_img.extents import Map
from kvmnb.images.qemu_img.line import Line
from kvmnb.images.qemu_img.names import MADE, Options, PathLike, absolute, option_words
from kvmnb.images.qemu_img.process import reporter, run
from kvmnb.images.qemu_img.trust import format_of, openable, stack
from kvmnb.spec import validate

if TYPE_CHECKING:
    from kvmnb.images.catalogue import Progress
    from kvmnb.units import Size

__all__ = ["bench", "check", "info", "map", "measure"]

NOT_SUPPORTED = 63
"""``check`` ends with it where a format has no check (QEMU qemu-img.c, img_check)."""

FOUND = (0, 2, 3)
"""Exit codes of ``check`` that are answers: right, corrupt, leaks (QEMU manual, qemu-img)."""

REPAIRS = ("leaks", "all")
CACHES = ("none", "writeback", "writethrough", "directsync", "unsafe")
REQUESTS_LIMIT = (1 << 31) - 1
"""Requests, and bytes in one: what fits into qemu-img's int (QEMU qemu-img.c, img_bench)."""

DEPTH_LIMIT = 1 << 16
AIOS = ("threads", "native", "io_uring")


def info(path: PathLike, *, format: str | None = None, force_share: bool = False) -> Plan[Info]:
    """Return what an image's header says (``qemu-img info``).

    The files that it stands on are not opened; `chain` shows them.

    Parameters
    ----------
    path : the image
    format : how it is read; ``None`` reads its header
    force_share : look although a guest has it open, whose last writes are then not seen

    Raises
    ------
    SpecError    an unknown format
    ImageError   it cannot be read as `format`, or is in use
    HostError    qemu-img is not installed
    """
    name = absolute(path)
    words = _read_words("info", force_share, format_of(name, format, follows=False))
    line = Line((*words, name))

    async def work() -> Info:
        ran = await run(line[1:], name)
        return reading.reading(name, ran.out, lambda found: reading.info(name, found, line))

    return Plan(line, work)


def _read_words(verb: str, force_share: bool, format: str) -> tuple[str, ...]:
    return verb, "--output=json", *(("-U",) if force_share else ()), "-f", format


def map(
    path: PathLike,
    *,
    format: str | None = None,
    start: Size | None = None,
    length: Size | None = None,
    force_share: bool = False,
) -> Plan[Map]:
    """Return where each part of a disk is kept, through the whole chain (``qemu-img map``).

    Parameters
    ----------
    path : the topmost image
    format : how it is read; ``None`` reads its header, and then a file that points to further
        files is refused
    start, length : only this part of the guest's disk; a bare number is MiB
    force_share : look although a guest has it open

    Raises
    ------
    SpecError    an unknown format, not a size
    ImageError   it cannot be read as `format`, or is in use
    HostError    qemu-img is not installed
    """
    from kvmnb.units import size_bytes

    name = absolute(path)
    format = openable(name, format)
    words = [*_read_words("map", force_share, format)]
    if start is not None and start != 0:
        words.append(f"--start-offset={size_bytes(start, 'start')}")
    if length is not None:
        words.append(f"--max-length={size_bytes(length, 'length')}")
    line = Line((*words, name))
    files = [layer.path for layer in stack(name, format)]

    async def work() -> Map:
        ran = await run(line[1:], name)
        read = functools.partial(reading.extents, files)
        return Map(path=name, extents=reading.reading(name, ran.out, read), command=line)

    return Plan(line, work)


def check(
    path: PathLike,
    *,
    format: str | None = None,
    repair: Literal["leaks", "all"] | None = None,
    force_share: bool = False,
    progress: Progress | None = None,
) -> Plan[Check]:
    """Return whether an image's own books are right, and mend them (``qemu-img check``).

    That an image is damaged is an answer, not an error: look at its `ok`.

    Parameters
    ----------
    path : the image
    format : how it is read; ``None`` reads its header, and then a file that points to further
        files is refused
    repair : ``"leaks"`` gives lost room back, which is safe; ``"all"`` mends everything, and can
        choose wrongly: keep a copy
    force_share : look although a guest has it open; what it has under way looks like damage
    progress : called with signs of life

    Raises
    ------
    SpecError    an unknown format, or a repair of an image that is only looked at
    ImageError   in use, not readable as `format`, or of a format that has no check, as raw
    HostError    qemu-img is not installed
    """
    name = absolute(path)
    words = [*_read_words("check", force_share, openable(name, format))]
    if repair is not None:
        if force_share:
            raise SpecError("repair", repair, "would change what a guest has open")
        words += ["-r", validate.choice("repair", repair, REPAIRS)]
    line = Line((*words, name))

    async def work() -> Check:
        watch = reporter("checks", progress)
        ran = await run(line[1:], name, report=watch, accept=(*FOUND, NOT_SUPPORTED))
        if ran.code == NOT_SUPPORTED:
            raise ImageError(name, "its format keeps no books that could be checked")
        return reading.reading(name, ran.out, lambda found: reading.check(name, found, line))

    return Plan(line, work)


def measure(
    path: PathLike | None = None,
    *,
    size: Size | None = None,
    target_format: str = "qcow2",
    format: str | None = None,
    options: Options | None = None,
    force_share: bool = False,
) -> Plan[Measure]:
    """Return how large a file would become (``qemu-img measure``).

    Parameters
    ----------
    path : an image that would be converted
    size : or the size of a new, empty disk
    target_format : of the file to be: qcow2 or raw; QEMU can tell it of few others
    format : how `path` is read; ``None`` reads its header, and then a file that points to
        further files is refused
    options : the target format's own, as for ``-o``
    force_share : look although a guest has it open

    Raises
    ------
    SpecError    not one of `path` and `size`, an unknown format
    ImageError   QEMU cannot tell, or the image cannot be read
    HostError    qemu-img is not installed
    """
    from kvmnb.units import size_bytes

    if (path is None) == (size is None):
        raise SpecError("size", size, "give an image or a size, one of them")
    words = [
        "measure",
        "--output=json",
        "-O",
        validate.choice("target_format", target_format, MADE),
    ]
    words += option_words(options, target_format)
    if path is not None:
        name = absolute(path)
        words += [*(["-U"] if force_share else []), "-f", openable(name, format), name]
    else:
        assert size is not None  # checked above
        name = f"a new {target_format}"
        words += ["--size", str(size_bytes(size))]
    line = Line(words)

    async def work() -> Measure:
        ran = await run(line[1:], name)
        read = reading.measure
        return reading.reading(name, ran.out, lambda found: read(target_format, found, line))

    return Plan(line, work)


def bench(
    path: PathLike,
    *,
    format: str | None = None,
    write: bool = False,
    requests: int = 75_000,
    buffer: Size = "4K",
    depth: int = 64,
    step: Size | None = None,
    offset: Size | None = None,
    pattern: int = 0,
    cache: str = "writeback",
    aio: str | None = None,
    force_share: bool = False,
) -> Plan[Bench]:
    """Read or write an image one request after the other and return how fast (``qemu-img bench``).

    Parameters
    ----------
    path : the image
    format : how it is read; ``None`` reads its header, and then a file that points to further
        files is refused
    write : write instead, which DESTROYS the data there
    requests, buffer, depth : how many, how large (a bare number is MiB), how many at a time
    step : from one request to the next; ``None`` for `buffer`
    offset : where on the disk it begins; ``None`` for its start
    pattern : the byte that is written, 0 to 255
    cache : ``none writeback writethrough directsync unsafe``; only ``none`` and ``directsync``
        measure the disk and not the host's memory
    aio : ``threads native io_uring``; ``None`` for QEMU's choice
    force_share : read although a guest has it open

    Raises
    ------
    SpecError    a number or a word that is out of range
    ImageError   it cannot be read as `format`, is too small, or is in use
    HostError    qemu-img is not installed
    """
    from kvmnb.units import size_bytes

    name = absolute(path)
    validate.number("requests", requests, 1, REQUESTS_LIMIT)
    validate.number("depth", depth, 1, DEPTH_LIMIT)
    validate.number("pattern", pattern, 0, 255)
    buffer_bytes = size_bytes(buffer, "buffer")
    validate.number("buffer", buffer_bytes, 1, REQUESTS_LIMIT)
    words = ["bench", "-f", openable(name, format), "-t", validate.choice("cache", cache, CACHES)]
    words += ["-c", str(requests), "-s", str(buffer_bytes), "-d", str(depth)]
    words += ["-S", str(size_bytes(step, "step"))] if step is not None else []
    words += ["-o", str(size_bytes(offset, "offset"))] if offset is not None else []
    words += ["-i", validate.choice("aio", aio, AIOS)] if aio is not None else []
    if write:
        if force_share:
            raise SpecError("write", write, "would destroy what a guest has open")
        words += ["-w", f"--pattern={pattern}"]
    words += ["-U"] if force_share else []
    line = Line((*words, name))

    async def work() -> Bench:
        ran = await run(line[1:], name)
        found = re.search(rb"completed in (\d+\.\d+) seconds", ran.out)
        if found is None:
            raise ImageError(name, "qemu-img's answer cannot be read: it tells no time")
        return Bench(
            path=name,
            write=write,
            requests=requests,
            buffer_bytes=buffer_bytes,
            depth=depth,
            seconds=float(found.group(1)),
            command=line,
        )

    return Plan(line, work)
