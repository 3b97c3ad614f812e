"""When the tiny guest is built, and whether what was built is still whole.

``<folder>/tiny/<key>/``          one build's disk, kernel and initramfs
``<folder>/tiny/manifest.json``   which build is the current one, its digests and its origin
``<folder>/tiny/apt/``            lists and packages, for the next build
"""

from __future__ import annotations

import functools
import json
import os
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvmnb.errors import HostError, ImageError
from kvmnb.images.store import MANIFEST, digest_of, identity, in_use, locked, same, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from kvmnb.images.catalogue import Image, Progress

__all__ = ["ready", "recipe_digest", "source_digest", "tidy", "tiny"]

FORMAT = 1
FILES = ("disk", "kernel", "initrd")
PHASES = 8
LEAST_MIB = 104
"""Below this the kernel, uncompressed in memory, leaves no room to unpack the initramfs."""

KEEP_OLD_S = 30 * 86400.0


def ready(folder: str | Path) -> Image | None:
    """Return the current build if it is whole and of this version's recipe, else ``None``."""
    place = os.path.join(folder, "tiny")
    manifest = _manifest(place)
    if manifest is None:
        return None
    # reading the whole recipe costs as much as describing a guest; its files' times do not
    if manifest["recipe_seen"] != _recipe_seen() and manifest["recipe"] != source_digest():
        return None
    return _image(place, manifest)


def tiny(folder: str | Path, report: Progress, *, refresh: bool = False) -> Image:
    """Return the tiny guest's image, building it where it is missing, damaged or outdated.

    `refresh` looks for newer packages even where a whole image is here.

    Raises
    ------
    ImageError   the packages cannot be had, or a tool failed
    HostError    a tool is not installed, or there is no room
    """
    if not refresh and (image := ready(folder)) is not None:
        return image
    from pathlib import Path

    place = Path(folder) / "tiny"

    def waiting() -> None:
        report("waiting for another process that builds it", 0, PHASES, "")

    with locked(place, waiting):
        if not refresh and (image := ready(folder)) is not None:
            return image
        known = _manifest(place)
        tidy(place, "" if known is None else known["key"])
        try:
            return _image_or_error(place, _build(place, report))
        except (ImageError, HostError) as error:
            # offline, say: an image of an older recipe is better than none
            manifest = _manifest(place)
            image = _image(place, manifest) if manifest else None
            if image is None:
                raise
            report("the older image stays", PHASES, PHASES, str(error).splitlines()[0])
            return image
        except OSError as error:
            raise HostError(f"cannot build the tiny guest: {error}", "free some room") from error


def _recipe_files(folder: str = os.path.dirname(__file__)) -> Iterator[os.DirEntry[str]]:
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        if entry.is_file():
            yield entry
        elif entry.name != "__pycache__":
            yield from _recipe_files(entry.path)


def _recipe_seen() -> int:
    """Return what changes whenever a file of the recipe does, told by sizes and times alone."""
    seen = FORMAT
    for entry in _recipe_files():
        found = entry.stat()
        seen = zlib.crc32(f"{entry.path} {found.st_size} {found.st_mtime_ns}".encode(), seen)
    return seen


@functools.cache
def source_digest() -> str:
    """Return the digest of the recipe: this package's own files."""
    return recipe_digest(os.path.dirname(__file__), FORMAT)


def recipe_digest(folder: str, format: int) -> str:
    """Return the digest of all files below `folder`, and of the form of what they make."""
    import hashlib

    whole = hashlib.sha256(str(format).encode())
    for entry in _recipe_files(folder):
        with open(entry.path, "rb") as file:
            data = file.read()
        name = os.path.relpath(entry.path, folder)
        whole.update(f"{name}\0{len(data)}\0".encode() + data)
    return whole.hexdigest()


def _build(place: Path, report: Progress) -> dict[str, Any]:
    import hashlib
    import tempfile
    from pathlib import Path

    from kvmnb.images.tiny.build import build
    from kvmnb.images.tiny.packages import Apt

    state: list[Any] = ["", -1, time.monotonic()]

    def tick() -> None:
        report(state[0], max(state[1], 0), PHASES, f"{time.monotonic() - state[2]:.0f} s")

    def phase(what: str) -> None:
        state[0], state[1] = what, state[1] + 1
        tick()

    apt = Apt(place / "apt")
    phase("reading the package lists")
    apt.update(tick)
    phase("choosing packages")
    packages = apt.resolve(tick)
    recipe = source_digest()
    whole = hashlib.sha256(recipe.encode())
    for package in packages:
        whole.update(f"{package.file} {package.digest}\n".encode())
    key = whole.hexdigest()
    target = place / key[:16]
    phase(f"fetching {len(packages)} packages")
    apt.fetch(packages, tick)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=place) as temporary:
        work = Path(temporary)
        built = build(packages, apt.packages, work, key, phase, tick)
        phase("checking the result")
        out = work / "out"
        out.mkdir()
        files: dict[str, Any] = {}
        for name in FILES:
            path: Path = getattr(built, name)
            os.chmod(path, 0o444)
            moved = path.rename(out / path.name)
            with open(moved, "rb") as file:
                os.fsync(file.fileno())
            files[name] = {
                "path": f"{target.name}/{moved.name}",
                "size": moved.stat().st_size,
                "sha256": digest_of(moved),
                "identity": identity(moved),
            }
        if target.exists():
            target.rename(work / "damaged")
        out.rename(target)
    manifest = {
        "format": FORMAT,
        "recipe": recipe,
        "recipe_seen": _recipe_seen(),
        "key": key,
        "files": files,
        "append": built.append,
        "size_bytes": built.size_bytes,
        "os": built.os,
        "programs": built.programs,
        "packages": [package.file.removesuffix(".deb") for package in packages],
        "seconds": round(time.monotonic() - state[2], 1),
    }
    write_json(place / MANIFEST, manifest)
    report("ready", PHASES, PHASES, f"{manifest['seconds']} s")
    return manifest


def _manifest(place: str | Path) -> dict[str, Any] | None:
    try:
        with open(os.path.join(place, MANIFEST), "rb") as file:
            content = json.load(file)
        if (
            content["format"] == FORMAT
            and "recipe_seen" in content
            and set(FILES) <= content["files"].keys()
        ):
            return dict(content)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def _image(place: str | Path, manifest: dict[str, Any]) -> Image | None:
    from kvmnb.images.catalogue import Image

    files = manifest["files"]
    paths = {name: os.path.join(place, files[name]["path"]) for name in FILES}
    if not all(same(paths[name], files[name]) for name in FILES):
        return None
    return Image(
        name="tiny",
        disk_path=paths["disk"],
        format="qcow2",
        size_bytes=manifest["size_bytes"],
        sha256=files["disk"]["sha256"],
        kernel_path=paths["kernel"],
        initrd_path=paths["initrd"],
        append=manifest["append"],
        least_mib=LEAST_MIB,
        os=manifest["os"],
        source=f"built here from {len(manifest['packages'])} packages",
    )


def _image_or_error(place: Path, manifest: dict[str, Any]) -> Image:
    image = _image(place, manifest)
    if image is None:
        raise ImageError("tiny", "changed while it was built; is the disk full?")
    return image


def tidy(place: Path, current: str) -> None:
    """Remove what a builder that was killed left, and builds that nobody has used for long.

    `current` is the key of the build that stays, ``""`` for none.
    """
    import shutil

    for path in place.iterdir():
        if path.name.startswith(".build-") or path.suffix == ".part":
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        elif len(path.name) == 16 and path.is_dir() and path.name != current[:16]:
            old = time.time() - path.stat().st_mtime > KEEP_OLD_S
            if old and not any(in_use(file) for file in path.rglob("*") if file.is_file()):
                shutil.rmtree(path, ignore_errors=True)
