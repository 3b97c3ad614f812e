"""Drives: ``-drive``, its short forms, ``-blockdev`` and what each of them holds.

A drive has two halves. The back is a `Medium`: what ``-drive`` or a chain of ``-blockdev`` says of
the bytes. The front is what ``if=`` or a ``-device`` makes of it; `qemu_places` joins them.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from kvmnb.parse.qemu_draft import Draft, Entry, suggestion
from kvmnb.parse.qemu_files import file_named, protocol_back
from kvmnb.parse.qemu_options import Given, Options
from kvmnb.parse.words import Word
from kvmnb.spec.storage import CACHES, FORMATS, ExistingFile

if TYPE_CHECKING:
    from kvmnb.spec.storage import DiskBack

__all__ = ["CACHE", "Medium", "blockdev_entry", "drive_entry", "media", "medium_of", "short_drive"]

CACHE = {
    (False, False, True): "writeback",
    (True, False, True): "none",
    (False, False, False): "writethrough",
    (True, False, False): "directsync",
    (False, True, True): "unsafe",
}
"""``cache.direct``, ``cache.no-flush``, ``write-cache``, and their word (QEMU manual, -drive)."""

_MODES = {word: modes for modes, word in CACHE.items()}

INTERFACES = ("ide", "scsi", "sd", "mtd", "floppy", "pflash", "virtio", "none", "xen")


@dataclass(slots=True)
class Medium:
    """What is known of a drive's bytes.

    ``None`` as `back` stands for an empty drive.
    """

    back: DiskBack | None
    at: int
    format: str | None = None
    direct: bool = False
    no_flush: bool = False
    write_cache: bool = True
    readonly: bool = False
    snapshot: bool = False
    aio: str | None = None
    discard: str | None = None
    serial: str | None = None
    cdrom: bool = False

    def cache(self, write_cache: bool | None) -> str | None:
        """Return the cache's word; ``None`` for a mixture that has none."""
        written = self.write_cache if write_cache is None else write_cache
        return CACHE.get((self.direct, self.no_flush, written))


SHORT = {
    "hda": ("", 0, "disk"),
    "hdb": ("", 1, "disk"),
    "hdc": ("", 2, "disk"),
    "hdd": ("", 3, "disk"),
    "cdrom": ("", 2, "cdrom"),
    "fda": ("floppy", 0, "disk"),
    "fdb": ("floppy", 1, "disk"),
    "sd": ("sd", None, "disk"),
    "mtdblock": ("mtd", None, "disk"),
    "pflash": ("pflash", None, "disk"),
}
"""The short forms, as interface (``""`` for the board's own), index, medium (QEMU manual)."""


def short_drive(draft: Draft, option: Word, value: Word) -> None:
    """``-hda``, ``-cdrom``, ``-fda`` and the like: a file on a place that the option names."""
    name = option.text.lstrip("-")
    interface, index, medium = SHORT[name]
    options = Options(draft.text, Word("", value.position, value.end))
    options.word = value
    at = option.position
    options.items = [Given("file", value.text, value.position, value.position)]
    options.items.append(Given("media", medium, at, at))
    if interface:
        options.items.append(Given("if", interface, at, at))
    if index is not None:
        options.items.append(Given("index", str(index), at, at))
    draft.entries.append(Entry(option, value, options))


def drive_entry(draft: Draft, option: Word, value: Word) -> None:
    """``-drive``: understood once all drives and devices are known."""
    options = Options(draft.text, value)
    for given in options.items:
        if given.key not in DRIVE_KEYS and get_close_matches(given.key, DRIVE_KEYS, 1, 0.75):
            near = suggestion(given.key, DRIVE_KEYS)
            told = f"-drive has no {given.key[:40]!r}; {near}"
            raise draft.refused(given.key_at, told.rstrip())
    draft.entries.append(Entry(option, value, options))


DRIVE_KEYS = ("file", "format", "media", "cache", "readonly", "snapshot", "index", "discard")
"""Keys whose near misses are slips: no driver's own properties come close to them."""


def blockdev_entry(draft: Draft, option: Word, value: Word) -> None:
    """``-blockdev``: a node, understood with those below it and its device."""
    draft.entries.append(Entry(option, value, Options(draft.text, value, "driver")))


def media(draft: Draft) -> dict[str, Entry]:
    """Return what a ``drive=`` can name: drives by id, nodes by name."""
    found = draft.parts.setdefault("media", {})
    if not found:
        for entry in draft.entries:
            key = {"-drive": "id", "-blockdev": "node-name"}.get(entry.option)
            name = entry.options.get(key) if key else None
            if name is None:
                continue
            if name in found:
                told = f"a drive or node is called {name[:40]!r} already"
                raise draft.refused(entry.at, told)
            found[name] = entry
    return found


def medium_of(draft: Draft, entry: Entry) -> tuple[Medium, list[Entry]] | None:
    """Return what a drive holds, and the options that say so; ``None`` where no fields stand."""
    if entry.option == "-blockdev":
        return _chain(draft, entry)
    options = entry.options.copy()
    for key in ("id", "if", "index", "bus", "unit", "media", "node-name"):
        options.take(key)
    for key in ("cyls", "heads", "secs", "trans", "addr", "werror", "rerror"):
        options.take(key)  # the front's
    medium = Medium(None, entry.word.position)
    _modes(draft, medium, options)
    if (given := options.take("boot")) is not None:
        told = "boot= was qemu-kvm's; the firmware starts from any disk today"
        draft.note(given.key_at, f"boot={given.value}", "removed", told)
    media_ = entry.options.get("media")
    medium.cdrom = media_ == "cdrom"
    if medium.cdrom:
        medium.readonly = False
    file = options.take("file")
    if file is not None and file.value:
        back = file_named(draft, file.value, file.value_at)
        medium.at = file.value_at
        if back is None or options.items:
            return None
        medium.back = back
        if not isinstance(back, ExistingFile) and medium.format == "raw":
            medium.format = None  # what far bytes are unless told otherwise
        return medium, [entry]
    keys = _nested(options, "file.")
    if keys and not options.items:
        back = protocol_back(draft, keys, entry.word.position)
        if back is None:
            return None
        medium.back = back
        return medium, [entry]
    return None if keys or options.items else (medium, [entry])


def _nested(options: Options, prefix: str) -> dict[str, tuple[str, int]]:
    found = {
        given.key.removeprefix(prefix): (given.value, given.value_at)
        for given in options.items
        if given.key.startswith(prefix)
    }
    options.items = [given for given in options.items if not given.key.startswith(prefix)]
    return found


def _modes(draft: Draft, medium: Medium, options: Options) -> None:
    """Take how the bytes are read and written out of ``-drive``."""
    if given := options.take("cache"):
        word = {"off": "none"}.get(given.value, given.value)
        draft.choice(given._replace(value=word), "cache", CACHES)
        medium.direct, medium.no_flush, medium.write_cache = _MODES[word]
    for key, field in (
        *(("cache.direct", "direct"), ("cache.no-flush", "no_flush")),
        *(("cache.writeback", "write_cache"), ("snapshot", "snapshot")),
    ):
        if given := options.take(key):
            setattr(medium, field, draft.switch(given, key))
    if given := options.take("readonly", "read-only"):
        medium.readonly = draft.switch(given, "readonly")
    if given := options.take("format", "driver"):
        if given.value in FORMATS:
            medium.format = given.value
        elif given.value not in {"host_device", "host_cdrom", "file"}:
            options.items.append(given)
    if given := options.take("aio"):
        medium.aio = draft.choice(given, "aio", ("threads", "native", "io_uring"))
        if medium.aio == "native" and not medium.direct:
            told = "without cache=none QEMU used threads for it, and refuses it today"
            draft.note(given.key_at, "aio=native", "changed", told)
            medium.aio = None
    if given := options.take("discard"):
        word = {"on": "unmap", "off": "ignore"}.get(given.value, given.value)
        medium.discard = draft.choice(given._replace(value=word), "discard", ("ignore", "unmap"))
    if given := options.take("serial"):
        told = "serial= of -drive is gone since QEMU 3.0; it is the device's today"
        draft.note(given.key_at, f"serial={given.value}", "removed", told)
        medium.serial = given.value
    options.take("auto-read-only")
    if "snapshot" in draft.said and not medium.readonly:
        medium.snapshot = True


# ---- -blockdev


def _chain(draft: Draft, entry: Entry) -> tuple[Medium, list[Entry]] | None:
    """Return a format's node over a protocol's, or a protocol's alone."""
    options = entry.options.copy()
    options.take("node-name")
    if options.get("backing") == "":
        options.take("backing")  # JSON's null: the image's own
    driver = options.take("driver")
    if driver is None:
        raise draft.refused(entry.word.position, "-blockdev names its driver: raw, qcow2, file, …")
    medium, used = Medium(None, entry.word.position), [entry]
    node = _node_modes(draft, options)
    keys: dict[str, tuple[str, int]]
    if driver.value in FORMATS:
        medium.format = driver.value
        below = options.take("file")
        if below is not None:
            lower = media(draft).get(below.value)
            if lower is None:
                near = suggestion(below.value, media(draft))
                told = f"no -blockdev has the node-name {below.value[:40]!r}; {near}"
                raise draft.refused(below.value_at, told.rstrip("; "))
            if lower.option != "-blockdev" or lower.used:
                return None
            used.append(lower)
            given = lower.options.copy()
            given.take("node-name")
            modes = _node_modes(draft, given)
            keys = {item.key: (item.value, item.value_at) for item in given.items}
        else:
            keys = _nested(options, "file.")
            given = Options(draft.text, Word("", entry.word.position, entry.word.end))
            given.items = [Given(key, value, at, at) for key, (value, at) in keys.items()]
            modes = _node_modes(draft, given)
            keys = {item.key: (item.value, item.value_at) for item in given.items}
        if options.items:
            return None
    else:
        medium.format = "raw"
        modes, keys = node, {item.key: (item.value, item.value_at) for item in options.items}
        keys["driver"] = (driver.value, driver.value_at)
    at = next((place for key, (_, place) in keys.items() if key == "filename"), medium.at)
    back = protocol_back(draft, keys, entry.word.position)
    if back is None:
        return None
    if not isinstance(back, ExistingFile) and medium.format == "raw":
        medium.format = None
    medium.back, medium.at = back, at
    medium.direct = node["direct"] or modes["direct"]
    medium.no_flush = node["no_flush"] or modes["no_flush"]
    medium.readonly = bool(node["readonly"] or modes["readonly"])
    medium.discard = node["discard"] or modes["discard"]
    medium.aio = modes["aio"] or node["aio"]
    return medium, used


def _node_modes(draft: Draft, options: Options) -> dict[str, Any]:
    modes: dict[str, Any] = dict.fromkeys(("direct", "no_flush", "readonly"), False)
    for key, field in (
        *(("cache.direct", "direct"), ("cache.no-flush", "no_flush"), ("read-only", "readonly")),
    ):
        if given := options.take(key):
            modes[field] = draft.switch(given, key)
    options.take("auto-read-only")  # of files that nobody may write to, which are not these
    modes["discard"] = modes["aio"] = None
    if given := options.take("discard"):
        modes["discard"] = draft.choice(given, "discard", ("ignore", "unmap"))
    if given := options.take("aio"):
        modes["aio"] = draft.choice(given, "aio", ("threads", "native", "io_uring"))
    return modes
