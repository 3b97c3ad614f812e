"""New images: empty, on top of another, or from one of another format.

A target that is there already is never written to. One that is made is its owner's alone, and is
there whole or not at all (see `part`).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kvmnb.errors import SpecError
from kvmnb.images.qemu_img.call import Plan
from kvmnb.images.qemu_img.line import Line
from kvmnb.images.qemu_img.names import (
    FORMATS,
    MADE,
    Options,
    PathLike,
    absolute,
    option_words,
)
from kvmnb.images.qemu_img.part import making
from kvmnb.images.qemu_img.process import reporter, run
from kvmnb.spec import validate

if TYPE_CHECKING:
    from kvmnb.images.catalogue import Progress
    from kvmnb.images.qemu_img.answers import Info
    from kvmnb.units import Size

__all__ = ["convert", "create", "create_disk", "create_layer"]

SUFFIXES = {
    ".qcow2": "qcow2",
    ".raw": "raw",
    ".img": "raw",
    ".vmdk": "vmdk",
    ".vdi": "vdi",
    ".vhdx": "vhdx",
    ".vhd": "vpc",
}


async def create_disk(
    path: Path,
    *,
    format: str,
    size_bytes: int | None = None,
    backing: Path | None = None,
    backing_format: str | None = None,
    options: Options | None = None,
) -> None:
    """Make an image that is not there yet, and look at nothing: what starting a guest needs.

    Parameters
    ----------
    size_bytes : of the disk; ``None`` takes the backing file's
    backing, backing_format : the file it stands on, which is never written, and how to read it
    options : the format's own, as for ``-o``

    Cancelled, it ends qemu-img and leaves no file.

    Raises
    ------
    SpecError    neither a size nor a backing file, or a backing file without its format
    ImageError   qemu-img refused, or there is a file of this name already
    HostError    qemu-img is not installed
    """
    target = absolute(path)
    below = None if backing is None else absolute(backing, "backing")
    await _make(_create_words(target, format, size_bytes, below, backing_format, options), target)


async def create_layer(path: Path, below: str, size_bytes: int) -> None:
    """Make an empty qcow2 on another one of its folder, by name, without opening that one.

    Parameters
    ----------
    below : the name of the file it stands on, which somebody may have open
    size_bytes : of the disk

    Raises
    ------
    ImageError   qemu-img refused, or there is a file of this name already
    HostError    qemu-img is not installed
    """
    target = absolute(path)
    # -u: qemu-img(1), "create": the backing file is not opened
    words = ("create", "-q", "-u", "-f", "qcow2", "-b", below, "-F", "qcow2")
    await _make((*words, target, str(size_bytes)), target)


def create(
    path: PathLike,
    size: Size | None = None,
    *,
    format: str = "qcow2",
    backing: PathLike | None = None,
    backing_format: str | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Plan[Info]:
    """Make an empty image, or an overlay on another (``qemu-img create``), and return its facts.

    Parameters
    ----------
    path : of the new file
    size : of the disk: ``"60G"``, or a number of MiB; ``None`` takes the backing file's
    format : of the new file: ``qcow2 raw vmdk vdi vhdx vpc qed``
    backing : the file it stands on, which is never written
    backing_format : how that is read; ``None`` reads its header, and then a file that points to
        further files is refused
    options : the format's own, as for ``-o``: ``{"cluster_size": "2M", "preallocation": "full"}``
    progress : called with signs of life, since preallocation takes time

    Raises
    ------
    SpecError    no size and no backing file, an unknown format, an option that is not for here
    ImageError   there is a file of this name already, or qemu-img refused
    HostError    qemu-img is not installed
    """
    from kvmnb.images.qemu_img.trust import openable
    from kvmnb.units import size_bytes

    target = absolute(path)
    below = None if backing is None else absolute(backing, "backing")
    if below is not None:
        backing_format = openable(below, backing_format, "backing_format")
    how_large = None if size is None else size_bytes(size)
    words = _create_words(target, format, how_large, below, backing_format, options)
    line = Line(words)

    async def work() -> Info:
        await _make(words, target, progress)
        return await _facts(target, format, line)

    return Plan(line, work)


def _create_words(
    target: str,
    format: str,
    size_bytes: int | None,
    backing: str | None,
    backing_format: str | None,
    options: Options | None = None,
) -> tuple[str, ...]:
    validate.choice("format", format, MADE)
    if size_bytes is None and backing is None:
        raise SpecError("size", size_bytes, "a disk needs a size or a backing file")
    if (backing is None) != (backing_format is None):
        # without it QEMU would guess from bytes that a guest may have written
        raise SpecError("backing_format", backing_format, "goes with a backing file, always")
    words = ["create", "-q", "-f", format]
    if backing is not None and backing_format is not None:
        words += ["-b", backing, "-F", validate.choice("backing_format", backing_format, FORMATS)]
    words += [*option_words(options, format), target]
    if size_bytes is not None:
        words.append(str(size_bytes))
    return tuple(words)


def convert(
    source: PathLike,
    target: PathLike,
    *,
    target_format: str | None = None,
    source_format: str | None = None,
    backing: PathLike | None = None,
    backing_format: str | None = None,
    snapshot: str | None = None,
    compress: bool = False,
    options: Options | None = None,
    force_share: bool = False,
    progress: Progress | None = None,
) -> Plan[Info]:
    """Copy a disk into a new file of another format (``qemu-img convert``); return its facts.

    The copy stands alone: what the source's chain holds is all in it. Room that reads as zeroes
    is left out, so a conversion from qcow2 to qcow2 shrinks a file.

    Parameters
    ----------
    source : the image to read
    target : the new file
    target_format : ``qcow2 raw vmdk vdi vhdx vpc qed``; ``None`` takes it from the target's
        name: ``.qcow2 .raw .img .vmdk .vdi .vhdx .vhd``
    source_format : how the source is read; ``None`` reads its header, and then a file that
        points to further files is refused
    backing, backing_format : a file with the same content as the source's backing file; the
        target stands on it and holds only what differs (``-B``, ``-F``)
    snapshot : of this internal snapshot of the source instead of its present state (``-l``)
    compress : compress the target's clusters, once (qcow2, and vmdk as streamOptimized)
    options : the target format's own, as for ``-o``
    force_share : read the source although a guest has it open; what is copied may be torn
    progress : called with the percentage that is done

    Raises
    ------
    SpecError    a format that is unknown, or not to be seen from the target's name
    ImageError   the target is there already, the source is in use, or qemu-img refused
    HostError    qemu-img is not installed
    """
    from kvmnb.images.qemu_img.trust import openable

    start, end = absolute(source, "source"), absolute(target, "target")
    to = (
        _by_suffix(end)
        if target_format is None
        else validate.choice("target_format", target_format, MADE)
    )
    words = ["convert", *(["-p"] if progress else []), *(["-U"] if force_share else [])]
    words += ["-f", openable(start, source_format, "source_format"), "-O", to]
    if compress:
        words.append("-c")
    if backing is not None:
        below = absolute(backing, "backing")
        words += ["-B", below, "-F", openable(below, backing_format, "backing_format")]
    elif backing_format is not None:
        raise SpecError("backing_format", backing_format, "goes with a backing file")
    if snapshot is not None:
        from kvmnb.compile.opts import Opts

        words += ["-l", str(Opts(None, {"snapshot.name": snapshot}))]
    words += [*option_words(options, to), start, end]
    line = Line(words)

    async def work() -> Info:
        await _make(words, end, progress)
        return await _facts(end, to, line)

    return Plan(line, work)


def _by_suffix(target: str) -> str:
    suffix = os.path.splitext(target)[1].lower()
    if suffix not in SUFFIXES:
        raise SpecError(
            "target_format", None, f"not to be seen from the name {target!r}; name it: {MADE}"
        )
    return SUFFIXES[suffix]


async def _make(words: Sequence[str], target: str, progress: Progress | None = None) -> None:
    """Run a command that makes `target`, so that it is there whole or not at all."""
    report = reporter("makes the image" if words[0] == "create" else "converts", progress)
    with making(target) as part:
        # the last one: what comes after it is a size
        at = max(index for index, word in enumerate(words) if word == target)
        there = [*words[:at], part.path, *words[at + 1 :]]
        await run(there, target, report=report, keep_fds=(part.lock_fd,))


async def _facts(path: str, format: str, line: Line) -> Info:
    from kvmnb.images.qemu_img.looking import info

    return dataclasses.replace(await info(path, format=format).work(), command=line)
