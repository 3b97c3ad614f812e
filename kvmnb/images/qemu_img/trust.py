"""Which other files an image makes QEMU open, and whether they may be.

What a guest wrote on a raw disk can look like the header of a qcow2 that stands on any file of
the host. So where nobody names the format it is read from the header, and then an image that
points to other files is refused; who names the format vouches for the header. Below the first
image, each header must name the format of the next (QEMU would guess), and a plain file.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from kvmnb.errors import ImageError
from kvmnb.images.header import Header, peek
from kvmnb.images.qemu_img.names import FORMATS, has_protocol
from kvmnb.spec import validate

__all__ = ["Layer", "format_of", "openable", "stack"]

DEPTH_LIMIT = 200
"""Images in one chain. QEMU keeps each one open; libvirt allows the same number."""

VMDK_DESCRIPTOR_BYTES = 20 * 512
QED_BACKING_FLAG = 1
"""Feature bit 0: there is a backing file (QEMU docs/interop/qed_spec)."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One file of a chain.

    Parameters
    ----------
    path : where it is
    format : how it is read
    named : whether the caller, or the header above, names that format
    """

    path: str
    format: str
    named: bool


def format_of(
    path: str, format: str | None, *, follows: bool = True, argument: str = "format"
) -> str:
    """Return the format to read an image as: the one that is named, else its header's.

    Parameters
    ----------
    follows : whether what is to be done opens the files that the image stands on, too
    argument : of the call that names the format, for the error

    Raises
    ------
    SpecError    an unknown format
    ImageError   no such file, or nobody names the format and the header points to other files
    """
    if format is not None:
        return validate.choice(argument, format, FORMATS)
    header = peek(path)
    points = _points_to(path, header)
    if points is None or (points == header.backing_file and not follows and not header.data_file):
        return header.format
    raise ImageError(
        path,
        f"its header points to {points!r}, and a guest may have written that header on a raw "
        f"disk. If you know that it is a {header.format}, name it: {argument}={header.format!r}",
    )


def openable(path: str, format: str | None, argument: str = "format") -> str:
    """Return the format to read `path` as, when every file below it may be opened too.

    Raises
    ------
    ImageError   see `format_of` and `stack`; or a header does not name the format below it
    """
    found = format_of(path, format, argument=argument)
    above = path
    for layer in stack(path, found):
        if not layer.named:
            raise ImageError(
                above,
                f"its header does not say which format {layer.path!r} has, and QEMU would guess. "
                f"Write it down: rebase({above!r}, {layer.path!r}, backing_format=…, unsafe=True)",
            )
        above = layer.path
    return found


def stack(path: str, format: str) -> tuple[Layer, ...]:
    """Return an image and the files that it stands on, topmost first; opens none as an image.

    Raises
    ------
    ImageError   a file that is not there, a name that is none of a file's, or no end
    """
    layers = [Layer(path, format, named=True)]
    while layers[-1].format == "qcow2":
        top = layers[-1].path
        header = peek(top)
        if header.format != "qcow2" or header.backing_file is None:
            break
        if has_protocol(header.backing_file):
            raise ImageError(
                top, f"it stands on {header.backing_file!r}, which is no file; only files are used"
            )
        # as QEMU does it: from the folder of the name above, not of what a link points to
        below = os.path.join(os.path.dirname(top), header.backing_file)
        below = os.path.abspath(below)
        named = header.backing_format
        layers.append(
            Layer(below, peek(below).format if named is None else named, named is not None)
        )
        if named is not None:
            peek(below)  # refused by name if it is not there
        if below in {layer.path for layer in layers[:-1]}:
            raise ImageError(path, f"its chain comes back to {below!r}")
        if len(layers) > DEPTH_LIMIT:
            raise ImageError(path, f"stands on more than {DEPTH_LIMIT} files")
    return tuple(layers)


def _points_to(path: str, header: Header) -> str | None:
    """Return what an image points to, in words where it is no single name; ``None`` for nothing."""
    if header.data_file:
        return "an external data file"
    if header.backing_file is not None:
        return header.backing_file
    if header.format == "vmdk" and not _vmdk_is_whole(path):
        return "other files"
    if header.format == "qed":
        with open(path, "rb") as file:
            features = file.read(24)[16:24]
        if len(features) == 8 and struct.unpack("<Q", features)[0] & QED_BACKING_FLAG:
            return "a backing file"
    return None


def _vmdk_is_whole(path: str) -> bool:
    """Return whether a vmdk is one sparse file without a parent (VMware, Virtual Disk Format 5)."""
    with open(path, "rb") as file:
        head = file.read(512)
        if head.startswith(b"COWD"):
            return True
        if not head.startswith(b"KDMV") or len(head) < 44:
            return False  # a descriptor in text, which lists its extents' files
        # little-endian: capacity at 12, the descriptor's sector at 28
        capacity, _, sector = struct.unpack("<QQQ", head[12:36])
        if capacity == 0:
            return False
        if sector >= 1 << 32:
            return False
        file.seek(sector * 512)
        descriptor = file.read(VMDK_DESCRIPTOR_BYTES)
    return b"parentfilenamehint" not in descriptor.lower()
