"""Calls that change an image where it lies: its size, and what it stands on.

Such an image must be open nowhere else; QEMU's locks refuse it otherwise. Ended half-way, each
of these leaves an image that reads as before: `rebase` copies first and changes the header last,
`commit` empties the overlay last. Run it again; what room was lost, ``check(repair="leaks")``
gives back.
"""

from __future__ import annotations

import dataclasses
import os
import re
from typing import TYPE_CHECKING

from kvmnb.errors import ImageError, SpecError
from kvmnb.images.header import peek
from kvmnb.images.qemu_img.call import Plan
from kvmnb.images.qemu_img.line import Line
from kvmnb.images.qemu_img.looking import info
from kvmnb.images.qemu_img.names import PathLike, absolute
from kvmnb.images.qemu_img.process import reporter, run
from kvmnb.images.qemu_img.trust import format_of, openable, stack
from kvmnb.spec import validate
from kvmnb.units import Size, human, size_bytes

if TYPE_CHECKING:
    from kvmnb.images.catalogue import Progress
    from kvmnb.images.qemu_img.answers import Info

__all__ = ["commit", "rebase", "resize"]

PREALLOCATIONS = ("off", "metadata", "falloc", "full")
SECTOR_BYTES = 512


def resize(
    path: PathLike,
    size: Size,
    *,
    format: str | None = None,
    shrink: bool = False,
    preallocation: str | None = None,
    progress: Progress | None = None,
) -> Plan[Info]:
    """Make a disk larger or smaller (``qemu-img resize``) and return its facts.

    The partitions and file systems on it stay as they are: grow them in the guest afterwards,
    shrink them there before.

    Parameters
    ----------
    path : the image, qcow2 or raw
    size : the new one, ``"80G"``; or by how much, ``"+20G"`` and ``"-10G"``; a bare number is MiB
    format : how it is read; ``None`` reads its header, and then a file that points to further
        files is refused
    shrink : it may become smaller; what lies beyond the new end is LOST
    preallocation : of what is added: ``off metadata falloc full``
    progress : called with signs of life, since preallocation takes time

    Raises
    ------
    SpecError    not a size, or smaller without `shrink`
    ImageError   in use, or of a format that QEMU cannot resize
    HostError    qemu-img is not installed
    """
    name = absolute(path)
    format = openable(name, format)
    new = _new_size(name, format, size)
    now = _size_now(name, format)
    if now is not None and new < now and not shrink:
        raise SpecError(
            "size",
            size,
            f"the disk has {human(now)}, and what lies beyond {human(new)} would be lost; "
            "if that is meant, say shrink=True",
        )
    words = ["resize", "-q", "-f", format, *(["--shrink"] if shrink else [])]
    if preallocation is not None:
        validate.choice("preallocation", preallocation, PREALLOCATIONS)
        words.append(f"--preallocation={preallocation}")
    line = Line((*words, name, str(new)))
    return _changing(line, name, format, "resizes", progress)


def _size_now(name: str, format: str) -> int | None:
    header = peek(name)
    if format == "raw":
        return os.stat(name).st_size if header.format != "raw" else header.size_bytes
    return header.size_bytes


def _new_size(name: str, format: str, size: Size) -> int:
    if not isinstance(size, str) or not re.match(r"\s*[+-]", size):
        return size_bytes(size)
    now = _size_now(name, format)
    if now is None:
        raise ImageError(name, f"QEMU cannot resize a {format}; convert it to qcow2 first")
    sign, rest = size.strip()[0], size.strip()[1:]
    change = size_bytes(rest)
    new = now + change if sign == "+" else now - change
    if new < SECTOR_BYTES:
        raise SpecError("size", size, f"the disk has {human(now)}; nothing would be left")
    return new


def rebase(
    path: PathLike,
    backing: PathLike | None,
    *,
    backing_format: str | None = None,
    format: str | None = None,
    unsafe: bool = False,
    progress: Progress | None = None,
) -> Plan[Info]:
    """Set an overlay on another file, or on none (``qemu-img rebase``), and return its facts.

    What the guest sees stays the same: what differs between the old and the new file is copied
    into the overlay.

    Parameters
    ----------
    path : the overlay; name its `format`, since its header points to another file
    backing : the file to stand on from now on; ``None`` for none, which makes it whole by itself
    backing_format : how that is read; ``None`` reads its header, and then a file that points to
        further files is refused
    format : how the overlay is read
    unsafe : only write the name down, copy nothing: for a file that was moved or renamed. If it
        has another content than the old one, the disk is ruined
    progress : called with the percentage that is done

    Raises
    ------
    SpecError    an unknown format; ``unsafe`` without a backing file
    ImageError   in use, or of a format that stands on no other file; a file is not there
    HostError    qemu-img is not installed
    """
    name = absolute(path)
    # with unsafe no file below is opened, and the old one may be gone
    format = format_of(name, format, follows=False) if unsafe else openable(name, format)
    words = ["rebase", *(["-p"] if progress else []), "-f", format, *(["-u"] if unsafe else [])]
    if backing is None:
        if unsafe:
            raise SpecError("backing", None, "without copying, the disk would lose what lies there")
        if backing_format is not None:
            raise SpecError("backing_format", backing_format, "goes with a backing file")
        words += ["-b", ""]
    else:
        below = absolute(backing, "backing")
        below_format = openable(below, backing_format, "backing_format")
        if name in {layer.path for layer in stack(below, below_format)}:
            raise ImageError(name, f"would stand on itself: {below!r} stands on it already")
        words += ["-b", below, "-F", below_format]
    line = Line((*words, name))
    return _changing(line, name, format, "rebases", progress)


def commit(
    path: PathLike,
    *,
    format: str | None = None,
    base: PathLike | None = None,
    keep: bool = False,
    progress: Progress | None = None,
) -> Plan[Info]:
    """Write what an overlay holds down into the file it stands on (``qemu-img commit``).

    Returns the facts of the file that was written. Every other overlay on that file is ruined.

    Parameters
    ----------
    path : the overlay; name its `format`, since its header points to another file
    format : how the overlay is read
    base : the file of its chain to write to; ``None`` for the one right below
    keep : leave the overlay as it is, instead of emptying it (``-d``); so it is always with a
        `base` further down
    progress : called with the percentage that is done

    Raises
    ------
    SpecError    an unknown format, or a `base` that is not below
    ImageError   in use, or it stands on no file
    HostError    qemu-img is not installed
    """
    name = absolute(path)
    format = openable(name, format)
    below = stack(name, format)[1:]
    if not below:
        raise ImageError(name, "stands on no other file, so there is nothing to commit it to")
    into = below[0]
    words = ["commit", "-q", *(["-p"] if progress else []), "-f", format]
    if base is not None:
        where = absolute(base, "base")
        into = next((layer for layer in below if layer.path == where), into)
        if into.path != where:
            chain = ", ".join(layer.path for layer in below)
            raise SpecError("base", base, f"is not below this image; there are {chain}")
        words += ["-b", where]
    line = Line((*words, *(["-d"] if keep else []), name))
    return _changing(line, into.path, into.format, "commits", progress, image=name)


def _changing(
    line: Line,
    name: str,
    format: str,
    what: str,
    progress: Progress | None,
    image: str | None = None,
) -> Plan[Info]:
    """Run a line, then look at `name`."""

    async def work() -> Info:
        await run(line[1:], image or name, report=reporter(what, progress))
        return dataclasses.replace(await info(name, format=format).work(), command=line)

    return Plan(line, work)
