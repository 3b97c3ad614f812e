"""Downloads of catalogue images: resumed where they broke off, checked before they are used.

``<folder>/<name>/<digest>.img``    the image, once its digest is right
``<folder>/<name>/download.part``   what has come so far
``<folder>/<name>/download.json``   of which version of the file that is
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from kvmnb.errors import HostError, ImageError
from kvmnb.images.store import MANIFEST, identity, in_use, locked, same, write_json

if TYPE_CHECKING:
    from typing import Literal

    from kvmnb.images.catalogue import Image, Progress
    from kvmnb.images.entries import Entry

__all__ = ["fetch", "ready"]

PART, STATE = "download.part", "download.json"
BARREN_TRIES = 4
"""Tries in a row that bring no byte, after which it is given up."""

PAUSE_S = 1.0
CHECKSUMS_LIMIT = 1 << 20
SIZE_LIMIT = 1 << 36
"""64 GiB: what a server may send that does not say how much."""

ROOM = 64 << 20
"""Bytes that stay free on the file system."""

_SUM = re.compile(
    r"^(?:([0-9a-f]{64}|[0-9a-f]{128}) [ *]?(\S+)|\w+ ?\((\S+)\) = ([0-9a-f]{64,128}))$"
)


def ready(folder: Path, entry: Entry) -> Image | None:
    """Return an image that was downloaded and is whole, else ``None``; asks nobody."""
    place = folder / entry.name
    try:
        manifest = json.loads((place / MANIFEST).read_bytes())
        known = manifest["url"] == entry.url and entry.digest in {"", manifest["digest"]}
        if not known or not same(place / manifest["disk"]["path"], manifest["disk"]):
            return None
        return _image(place, entry, manifest)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fetch(folder: Path, entry: Entry, report: Progress) -> Image:
    """Return an image, downloading it where it is not here or not whole.

    A part of a download stays when it breaks off, and the next call goes on from there.

    Raises
    ------
    ImageError   the server fails, or what it sends is not what the catalogue names
    HostError    no room, or no right to write
    """
    if (image := ready(folder, entry)) is not None:
        return image
    place = folder / entry.name

    def waiting() -> None:
        report(f"waiting for another process that downloads {entry.name}", 0, None, "")

    with locked(place, waiting):
        if (image := ready(folder, entry)) is not None:
            return image
        try:
            return _download(place, entry, report)
        except ImageError:
            with contextlib.suppress(OSError):
                place.rmdir()  # it is empty where nothing is worth another try
            raise
        except OSError as error:
            _forget(place)
            raise HostError(
                f"cannot store {entry.name}: {error.strerror or error}", "free some room"
            ) from error


def _download(place: Path, entry: Entry, report: Progress) -> Image:
    digest = entry.digest or _published(entry, report)
    with open(place / PART, "ab") as part:
        part.truncate(_kept(place, entry, digest))
        _fill(place, entry, digest, part, report)
        part.flush()
        os.fsync(part.fileno())
    found, sha256 = _digests(place / PART, digest, entry, report)
    if found != digest:
        _forget(place)
        raise ImageError(
            entry.name,
            f"what came from {entry.url} has another digest than the catalogue names "
            f"({found}, not {digest}); it was thrown away",
        )
    from kvmnb.images.header import peek

    header = peek(place / PART)
    if header.format != entry.format or not header.self_contained or not header.size_bytes:
        _forget(place)
        raise ImageError(entry.name, f"{entry.url} is not a {entry.format} image of its own")
    # named by its digest: overlays on an older version keep their base
    disk = place / f"{sha256[:16]}.img"
    os.chmod(place / PART, 0o444)
    os.replace(place / PART, disk)
    manifest = {
        "url": entry.url,
        "digest": digest,
        "size_bytes": header.size_bytes,
        "disk": {
            "path": disk.name,
            "size": disk.stat().st_size,
            "sha256": sha256,
            "identity": identity(disk),
        },
    }
    write_json(place / MANIFEST, manifest)
    (place / STATE).unlink(missing_ok=True)
    for older in place.glob("*.img"):
        if older != disk and not in_use(older):
            older.unlink(missing_ok=True)
    return _image(place, entry, manifest)


def _image(place: Path, entry: Entry, manifest: dict[str, Any]) -> Image:
    from kvmnb.images.catalogue import Image

    return Image(
        name=entry.name,
        disk_path=str(place / manifest["disk"]["path"]),
        format=cast("Literal['qcow2', 'raw']", entry.format),
        size_bytes=manifest["size_bytes"],
        sha256=manifest["disk"]["sha256"],
        os=entry.os,
        source=entry.url,
    )


def _kept(place: Path, entry: Entry, digest: str) -> int:
    """Return how many bytes of an earlier try can serve: those of the same file, or none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        state = json.loads((place / STATE).read_bytes())
        if state["url"] == entry.url and state["digest"] == digest and state["validator"]:
            return (place / PART).stat().st_size
    (place / STATE).unlink(missing_ok=True)
    return 0


def _forget(place: Path) -> None:
    for name in (PART, STATE):
        with contextlib.suppress(OSError):
            (place / name).unlink(missing_ok=True)


def _fill(place: Path, entry: Entry, digest: str, part: BinaryIO, report: Progress) -> None:
    """Bring `part` to the file's end, with as many requests as it takes."""
    from kvmnb.images.transfer import Refused

    barren = 0
    while True:
        before = part.seek(0, os.SEEK_END)
        if before and before == entry.size:
            return
        try:
            if _request(place, entry, digest, part, report):
                return
            problem = "the server cannot go on where it broke off"
        except Refused as error:
            raise ImageError(
                entry.name, f"cannot be downloaded from {entry.url}: {error}"
            ) from None
        except _Lost as error:
            problem = str(error)
        barren = 0 if part.seek(0, os.SEEK_END) > before else barren + 1
        if barren >= BARREN_TRIES:
            raise ImageError(
                entry.name,
                f"the download from {entry.url} broke off: {problem}; try again, it goes on "
                "where it was",
            )
        _pause(entry, barren, problem, part, report)


class _Lost(Exception):
    """A connection failed; the next may not."""


def _request(place: Path, entry: Entry, digest: str, part: BinaryIO, report: Progress) -> bool:
    """Make one request and write what it brings; return whether the file is complete now."""
    from kvmnb.images.transfer import Answer, Refused, Transfer
    from kvmnb.units import human

    offset = part.seek(0, os.SEEK_END)
    validator = _validator(place) if offset else ""
    if offset and not validator:
        part.truncate(0)
        offset = part.seek(0)
    total = entry.size
    begun, start, told = time.monotonic(), offset, 0.0
    with Transfer(entry.url, offset=offset, validator=validator) as transfer:
        items = iter(transfer)
        while True:
            try:
                item = next(items)
            except StopIteration:
                break
            except OSError as error:
                raise _Lost(str(error)) from error
            if isinstance(item, Answer):
                if item.status == 416:
                    part.truncate(0)
                    return False
                start = part.truncate(item.start)
                part.seek(item.start)
                if entry.size is not None and item.total not in {None, entry.size}:
                    raise Refused(f"it has {item.total} bytes there, not {entry.size}")
                total = item.total if item.total is not None else entry.size
                _check_room(place, (total or 0) - item.start)
                write_json(
                    place / STATE,
                    {"url": entry.url, "digest": digest, "validator": item.validator},
                )
            elif item is not None:
                if part.tell() + len(item) > (total or SIZE_LIMIT):
                    _forget(place)
                    raise Refused("the server sends more bytes than the file has")
                part.write(item)
            now = time.monotonic()
            if now - told >= 0.2:
                told = now
                speed = human((part.tell() - start) / max(now - begun, 0.001))
                report(f"downloading {entry.name}", part.tell(), total, f"{speed}/s")
    if total is not None and part.tell() < total:
        raise _Lost(f"it ended {total - part.tell()} bytes early")
    report(f"downloading {entry.name}", part.tell(), total, "")
    return True


def _validator(place: Path) -> str:
    try:
        return str(json.loads((place / STATE).read_bytes())["validator"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _check_room(place: Path, needed: int) -> None:
    import shutil

    from kvmnb.units import human

    free = shutil.disk_usage(place).free
    if needed > 0 and needed + ROOM > free:
        raise HostError(
            f"no room in {place}: {human(needed)} are needed and {human(free)} are free",
            "free some room, or set XDG_CACHE_HOME to a folder on another disk",
        )


def _pause(entry: Entry, barren: int, problem: str, part: BinaryIO, report: Progress) -> None:
    end = time.monotonic() + PAUSE_S * barren
    while (left := end - time.monotonic()) > 0:
        report(f"trying {entry.name} again", part.tell(), entry.size, problem)
        time.sleep(min(left, 0.2))


def _digests(path: Path, digest: str, entry: Entry, report: Progress) -> tuple[str, str]:
    """Return a file's digest in the form of `digest`, and its SHA-256 for the manifest."""
    algorithm = digest.partition(":")[0]
    asked, sha256 = hashlib.new(algorithm), hashlib.sha256()
    done, told, total = 0, 0.0, path.stat().st_size
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            sha256.update(data)
            if algorithm != "sha256":
                asked.update(data)
            done += len(data)
            if time.monotonic() - told >= 0.2:
                told = time.monotonic()
                report(f"checking {entry.name}", done, total, "")
    found = sha256 if algorithm == "sha256" else asked
    return f"{algorithm}:{found.hexdigest()}", sha256.hexdigest()


def _published(entry: Entry, report: Progress) -> str:
    """Return the digest that the publisher's checksum file gives for this image."""
    from kvmnb.images.transfer import Refused, Transfer

    text = b""
    try:
        with Transfer(entry.digest_url) as transfer:
            for item in transfer:
                if isinstance(item, bytes):
                    text += item
                if len(text) > CHECKSUMS_LIMIT:
                    raise Refused("it is too large for a list of digests")
                report(f"reading the digest of {entry.name}", 0, None, "")
    except (Refused, OSError) as error:
        raise ImageError(
            entry.name, f"its digest cannot be read from {entry.digest_url}: {error}"
        ) from error
    wanted = entry.url.rpartition("/")[2]
    for line in text.decode("utf-8", "replace").splitlines():
        if (found := _SUM.match(line.strip())) is None:
            continue
        name, value = found[2] or found[3], found[1] or found[4]
        if name.rpartition("/")[2] == wanted and len(value) in {64, 128}:
            return f"{'sha256' if len(value) == 64 else 'sha512'}:{value}"
    raise ImageError(entry.name, f"{entry.digest_url} names no digest for {wanted}")
