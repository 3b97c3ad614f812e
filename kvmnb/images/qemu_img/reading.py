"""qemu-img's JSON as values. Which keys there are depends on the format and on QEMU's age."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from kvmnb.errors import ImageError
from kvmnb.images.qemu_img.answers import Check, Info, Measure, Snapshot, created
from kvmnb.images.qemu_img.extents import Extent
from kvmnb.images.qemu_img.line import Line

__all__ = ["check", "extents", "info", "measure", "reading"]

R = TypeVar("R")


def reading(image: str, out: bytes, read: Callable[[Any], R]) -> R:
    """Return what `read` makes of the JSON in `out`.

    Raises
    ------
    ImageError   it is none, or not what was expected
    """
    try:
        return read(json.loads(out))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError(image, f"qemu-img's answer cannot be read: {error!r}") from error


def info(path: str, found: dict[str, Any], line: Line) -> Info:
    """Return what ``info --output=json`` says (QEMU qapi/block-core.json, ImageInfo)."""
    special = (found.get("format-specific") or {}).get("data") or {}
    return Info(
        path=path,
        format=found["format"],
        size_bytes=found["virtual-size"],
        on_disk_bytes=found["actual-size"],
        backing=found.get("backing-filename"),
        backing_format=found.get("backing-filename-format"),
        backing_path=found.get("full-backing-filename"),
        cluster_bytes=found.get("cluster-size"),
        dirty=bool(found.get("dirty-flag")),
        corrupt=bool(special.get("corrupt")),
        encrypted=bool(found.get("encrypted")),
        compressed=bool(found.get("compressed")),
        snapshots=tuple(map(_snapshot, found.get("snapshots") or ())),
        children=tuple(
            name
            for each in found.get("children") or ()
            if (name := each["info"]["filename"]) != path
        ),
        details=tuple(
            (name, value) for name, value in special.items() if isinstance(value, (str, int))
        ),
        command=line,
    )


def _snapshot(found: dict[str, Any]) -> Snapshot:
    return Snapshot(
        id=found["id"],
        name=found["name"],
        created=created(found["date-sec"], found["date-nsec"]),
        vm_state_bytes=found["vm-state-size"],
        vm_clock_s=found["vm-clock-sec"] + found["vm-clock-nsec"] / 1e9,
    )


def check(path: str, found: dict[str, Any], line: Line) -> Check:
    """Return what ``check --output=json`` says (QEMU qapi/block-core.json, ImageCheck)."""
    return Check(
        path=path,
        format=found["format"],
        errors=found["check-errors"],
        corruptions=found.get("corruptions", 0),
        leaks=found.get("leaks", 0),
        corruptions_fixed=found.get("corruptions-fixed", 0),
        leaks_fixed=found.get("leaks-fixed", 0),
        allocated_clusters=found.get("allocated-clusters"),
        total_clusters=found.get("total-clusters"),
        compressed_clusters=found.get("compressed-clusters"),
        fragmented_clusters=found.get("fragmented-clusters"),
        end_bytes=found.get("image-end-offset"),
        command=line,
    )


def extents(files: Sequence[str], found: list[dict[str, Any]]) -> tuple[Extent, ...]:
    """Return what ``map --output=json`` says (QEMU qapi/block-core.json, MapEntry).

    Parameters
    ----------
    files : of the chain, topmost first; the answer itself has but their depth
    """
    return tuple(
        Extent(
            start=each["start"],
            length=each["length"],
            depth=each["depth"],
            present=each.get("present", True),  # told since QEMU 6.1
            zero=each["zero"],
            data=each["data"],
            compressed=each.get("compressed", False),  # told since QEMU 8.2
            offset=each.get("offset"),
            file=files[each["depth"]] if each["data"] and each["depth"] < len(files) else None,
        )
        for each in found
    )


def measure(target_format: str, found: dict[str, Any], line: Line) -> Measure:
    """Return what ``measure --output=json`` says (QEMU qapi/block-core.json, BlockMeasureInfo)."""
    return Measure(
        target_format=target_format,
        required_bytes=found["required"],
        full_bytes=found["fully-allocated"],
        bitmaps_bytes=found.get("bitmaps"),
        command=line,
    )
