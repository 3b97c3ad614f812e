"""Disk images through qemu-img, as typed calls.

::

    from kvmnb.images import qemu_img

    qemu_img.create("win7.img", size="60G", format="qcow2")
    qemu_img.info("win7.img")
    qemu_img.convert("a.vmdk", "b.qcow2")
    qemu_img.chain("overlay.qcow2")
    qemu_img.snapshot("win7.img").create("before the update")

Each verb blocks until it is done and returns a value that shows itself, whose ``command`` is the
qemu-img line that was run. ``await qemu_img.info.aio(…)`` is the same in async code, and
``qemu_img.info.command(…)`` shows the line and runs nothing. `run` takes such a line, typed as
one would in a shell.

A name is a file's name, never a protocol. A format that is not named is read from the file's
header, and then an image that points to other files is refused by the calls that would open
them, since a guest may have written that header: name the format of what is yours.

A new file is there whole or not at all; what a kill -9 leaves (``.kvmnb-*.part`` beside the
target), the next call that makes a file in that folder removes.

Every line here is understood by QEMU 6.2 to 10. What differs: `Info.children` is told since
QEMU 8.0, `Extent.compressed` since 8.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvmnb.images.qemu_img.answers import (
        Bench,
        Check,
        Info,
        Measure,
        Snapshot,
        SnapshotList,
    )
    from kvmnb.images.qemu_img.chains import Chain
    from kvmnb.images.qemu_img.extents import Extent, Map
    from kvmnb.images.qemu_img.line import Line
    from kvmnb.images.qemu_img.snapshots import Snapshots
    from kvmnb.images.qemu_img.verbs import (
        bench,
        chain,
        check,
        command,
        commit,
        convert,
        create,
        info,
        map,  # noqa: A004
        measure,
        rebase,
        resize,
        run,
        snapshot,
    )

__all__ = [
    "info",
    "create",
    "convert",
    "chain",
    "resize",
    "snapshot",
    "rebase",
    "commit",
    "check",
    "map",
    "measure",
    "bench",
    "run",
    "command",
    "Info",
    "Chain",
    "Snapshots",
    "SnapshotList",
    "Snapshot",
    "Check",
    "Map",
    "Extent",
    "Measure",
    "Bench",
    "Line",
]

_homes = {
    **dict.fromkeys(("Info", "SnapshotList", "Snapshot", "Check", "Measure", "Bench"), "answers"),
    **dict.fromkeys(("Map", "Extent"), "extents"),
    "Chain": "chains",
    "Snapshots": "snapshots",
    "Line": "line",
}
"""Where the names are that are not in `verbs`; imported at their first use, since starting a
guest needs few of them."""


if not TYPE_CHECKING:  # a type checker is to see the names above, and no others

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value: object = getattr(import_module(f"{__name__}.{_homes.get(name, 'verbs')}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
