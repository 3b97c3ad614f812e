"""When the installer is built, and whether what was built is still whole.

``<folder>/tiny-installer/<key>/``          the CD-ROM, and the folder ``netboot``
``<folder>/tiny-installer/manifest.json``   which build is the current one, and its digests
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kvmnb.errors import HostError, ImageError
from kvmnb.images.catalogue import INSTALLER, Image, NetBoot, Progress
from kvmnb.images.store import MANIFEST, digest_of, identity, locked, same, write_json
from kvmnb.images.tiny.cache import ready as tiny_ready
from kvmnb.images.tiny.cache import recipe_digest, tidy, tiny

if TYPE_CHECKING:
    from kvmnb.images.installer.build import Parts

__all__ = ["installer", "netboot", "ready"]

FORMAT = 1
PHASES = 2
LEAST_MIB = 192
"""It unpacks what it installs from memory."""


def ready(folder: Path) -> Image | None:
    """Return the installer if it is whole and made of the current tiny guest, else ``None``."""
    base = tiny_ready(folder)
    return None if base is None else _ready(folder / INSTALLER, base)


def installer(folder: Path, report: Progress) -> Image:
    """Return the installer's CD-ROM, building it, and the tiny guest, where that is missing.

    Raises
    ------
    ImageError   a package is missing, or a tool failed
    HostError    a tool is not installed, or there is no room
    """
    base = tiny(folder, report)
    place = folder / INSTALLER

    def waiting() -> None:
        report("waiting for another process that builds it", 0, PHASES, "")

    if (image := _ready(place, base)) is not None:
        return image
    with locked(place, waiting):
        if (image := _ready(place, base)) is not None:
            return image
        known = _manifest(place)
        tidy(place, "" if known is None else known["key"])
        try:
            _build(place, base, report)
        except OSError as error:
            raise HostError(f"cannot build {INSTALLER}: {error}", "free some room") from error
        if (image := _ready(place, base)) is None:
            raise ImageError(INSTALLER, "changed while it was built; is the disk full?")
        return image


def netboot(folder: Path, bootfile: str, report: Progress) -> NetBoot:
    """Return the folder that a guest starts from over the network; see `Images.netboot`."""
    from kvmnb.images.installer.build import BOOTFILES
    from kvmnb.spec import validate

    validate.choice("bootfile", bootfile, tuple(BOOTFILES))
    image = installer(folder, report)
    return NetBoot(
        folder=str(image.disk.parent / "netboot"),
        bootfile=bootfile,
        description=BOOTFILES[bootfile],
    )


def _recipe() -> str:
    from kvmnb.images import iso9660

    return recipe_digest(os.path.dirname(__file__), FORMAT) + digest_of(iso9660.__file__)[:16]


def _base_key(base: Image) -> str:
    return base.disk.parent.name


def _ready(place: Path, base: Image) -> Image | None:
    from kvmnb.images.installer.build import FILES, ISO

    manifest = _manifest(place)
    if manifest is None or manifest["recipe"] != _recipe() or manifest["tiny"] != _base_key(base):
        return None
    folder = place / manifest["key"][:16]
    files = manifest["files"]
    if not all(name in files and same(folder / name, files[name]) for name in FILES):
        return None
    return Image(
        name=INSTALLER,
        disk_path=str(folder / ISO),
        format="raw",
        media="cdrom",
        size_bytes=files[ISO]["size"],
        sha256=files[ISO]["sha256"],
        least_mib=LEAST_MIB,
        os=f"installer of {base.os}",
        source="built here from the image tiny",
    )


def _build(place: Path, base: Image, report: Progress) -> None:
    import hashlib
    import tempfile

    from kvmnb.images.installer.build import FILES, build

    start = time.monotonic()

    def tick() -> None:
        report("making the installer", 1, PHASES, f"{time.monotonic() - start:.0f} s")

    tick()
    recipe = _recipe()
    key = hashlib.sha256(f"{recipe} {_base_key(base)}".encode()).hexdigest()
    target = place / key[:16]
    with tempfile.TemporaryDirectory(prefix=".build-", dir=place) as temporary:
        work, out = Path(temporary), Path(temporary) / "out"
        out.mkdir()
        build(_parts(base), work, out, tick)
        files = {}
        for name in FILES:
            os.chmod(out / name, 0o444)
            with open(out / name, "rb") as file:
                os.fsync(file.fileno())
            files[name] = {
                "size": (out / name).stat().st_size,
                "sha256": digest_of(out / name),
                "identity": identity(out / name),
            }
        if target.exists():
            target.rename(work / "damaged")
        out.rename(target)
    manifest = {"format": FORMAT, "recipe": recipe, "tiny": _base_key(base), "key": key}
    write_json(place / MANIFEST, manifest | {"files": files})
    report("ready", PHASES, PHASES, f"{time.monotonic() - start:.1f} s")


def _parts(base: Image) -> Parts:
    from kvmnb.images.installer.build import Parts

    place = base.disk.parent.parent
    names = json.loads((place / MANIFEST).read_bytes())["packages"]
    packages = tuple(place / "apt/packages" / f"{name}.deb" for name in names)
    if missing := [package.name for package in packages if not package.is_file()]:
        raise ImageError(
            INSTALLER,
            f"the packages that the tiny guest was built from are gone ({missing[0]}); "
            "bring them back: python -m kvmnb.images.tiny --refresh",
        )
    assert base.initrd is not None
    return Parts(disk=base.disk, initrd=base.initrd, packages=packages)


def _manifest(place: Path) -> dict[str, Any] | None:
    try:
        content = json.loads((place / MANIFEST).read_bytes())
        if content["format"] == FORMAT and {"recipe", "tiny", "key", "files"} <= content.keys():
            return dict(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return None
