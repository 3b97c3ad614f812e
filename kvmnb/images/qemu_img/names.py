"""Names and options at the border to qemu-img.

A name is handed over as an absolute path, which begins with a slash. QEMU looks for ``nbd:``,
``json:`` and the like before the first slash only, and an option begins with a dash, so such a
name is that of a file and nothing else (QEMU block.c, path_has_protocol).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from kvmnb.errors import ImageError, SpecError
from kvmnb.spec import validate

__all__ = ["FORMATS", "Options", "PathLike", "absolute", "has_protocol", "option_words"]

PathLike = str | os.PathLike[str]
Options = Mapping[str, str | int | bool]

FORMATS = ("qcow2", "raw", "vmdk", "vdi", "vhdx", "vpc", "qed", "parallels", "luks")
"""Formats of files that qemu-img reads (QEMU manual, "Disk image file formats")."""

MADE = ("qcow2", "raw", "vmdk", "vdi", "vhdx", "vpc", "qed")
"""Of these, what qemu-img can make without a secret to encrypt with."""

_ELSEWHERE = {
    "size": "give the size as an argument",
    "backing_file": "give backing=…",
    "backing_fmt": "give backing_format=…",
    "data_file": "an image is made in one file here",
}
_ONE_FILE = ("monolithicSparse", "streamOptimized")


def absolute(path: PathLike, field: str = "path") -> str:
    """Return the absolute path of a file's name.

    Raises
    ------
    SpecError    not a name
    ImageError   a name with a zero byte in it
    """
    try:
        name = os.fspath(path)
    except TypeError:
        name = None
    if not isinstance(name, str) or not name:
        raise SpecError(field, path, "must be a file's name: a text or a Path")
    if "\0" in name:
        raise ImageError(name, "a file's name cannot hold a zero byte")
    return os.path.abspath(name)


def has_protocol(name: str) -> bool:
    """Return whether QEMU would read `name` as ``protocol:…`` and not as a file's name."""
    return re.match(r"[^:/]*:", name) is not None


def option_words(options: Options | None, format: str) -> tuple[str, ...]:
    """Return ``-o`` and its value for a format's own options; nothing where there are none.

    Raises
    ------
    SpecError   what cannot be an option, or is not for here
    """
    from kvmnb.compile.opts import Opts

    if not options:
        return ()
    for key, value in options.items():
        validate.word("options", key)
        if key in _ELSEWHERE:
            raise SpecError("options", key, _ELSEWHERE[key])
        validate.kind(f"options[{key!r}]", value, str, int)
    if format == "vmdk" and "subformat" in options:
        validate.choice("options['subformat']", str(options["subformat"]), _ONE_FILE)
    return "-o", str(Opts(None, options))
