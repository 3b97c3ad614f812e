"""Files of the user's that bear a name in the catalogue: one small JSON file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kvmnb.errors import ImageError, SpecError
from kvmnb.images.header import Header, peek
from kvmnb.spec import validate

if TYPE_CHECKING:
    from typing import Literal

    from kvmnb.images.catalogue import Image

__all__ = ["Added"]

FORMATS = ("qcow2", "raw")


class Added:
    """The names that the user gave to files; read anew at each call, since others add too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._where = folder / "added.json"

    def names(self) -> tuple[str, ...]:
        """Return the user's names, oldest first."""
        return tuple(self._load())

    def path(self, name: str) -> str:
        """Return the file's path, as it was when added."""
        return str(self._load()[name]["path"])

    def find(self, name: str) -> Image | None:
        """Return a user's image, or ``None`` for an unknown name.

        Raises
        ------
        ImageError   its file is gone, or is of another format than when it was added
        """
        known = self._load().get(name)
        if known is None:
            return None
        header = peek(known["path"])
        if known["sniffed"]:
            # the file may have changed since: what was safe then may point elsewhere now
            _accept(known["path"], header, explicit=False)
            if header.format != known["format"]:
                raise ImageError(
                    name,
                    f"was {known['format']} when added and is {header.format} now; "
                    "remove it and add it again",
                )
        return _image(name, known["path"], known["format"], header)

    def add(
        self, name: str, path: str | Path, *, format: str | None, taken: tuple[str, ...]
    ) -> Image:
        """Record a file under a name; see `Images.add`."""
        validate.name("image", name)
        if format is not None:
            validate.choice("format", format, FORMATS)
        where = os.path.abspath(validate.path("path", os.fspath(path)))
        header = peek(where)
        _accept(where, header, explicit=format is not None)
        chosen = format or header.format
        if chosen == "qcow2" and header.format != "qcow2":
            raise ImageError(where, "has no qcow2 header; leave format= out, or say 'raw'")
        from kvmnb.images.store import locked

        with locked(self._folder):
            known = self._load()
            if name in taken or name in known:
                raise ImageError(name, "there is an image of this name already; choose another")
            known[name] = {"path": where, "format": chosen, "sniffed": format is None}
            self._save(known)
        return _image(name, where, chosen, header)

    def remove(self, name: str) -> bool:
        """Forget a name; return whether it was known."""
        from kvmnb.images.store import locked

        if name not in self._load():
            return False
        with locked(self._folder):
            known = self._load()
            found = known.pop(name, None) is not None
            self._save(known)
        return found

    def _load(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self._where.read_text(encoding="utf-8", errors="surrogateescape"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ImageError(str(self._where), f"cannot be read: {error}; remove it") from error
        if not isinstance(content, dict):
            raise ImageError(str(self._where), "is damaged; remove it")
        return cast("dict[str, dict[str, Any]]", content)

    def _save(self, known: dict[str, dict[str, Any]]) -> None:
        from kvmnb.images.store import write_json

        write_json(self._where, known)


def _accept(path: str, header: Header, *, explicit: bool) -> None:
    """Refuse what nobody should open on the word of its header alone."""
    if explicit:
        return
    if header.format not in FORMATS:
        raise ImageError(
            path,
            f"is a {header.format} image; convert it: "
            f"qemu-img convert -f {header.format} -O qcow2 …, or say format='raw'",
        )
    if not header.self_contained:
        other = "an external data file" if header.data_file else repr(header.backing_file)
        raise ImageError(
            path,
            f"its header points to {other}, and whoever wrote the header would choose what is "
            "opened; if it is your own, say format='qcow2'",
        )


def _image(name: str, path: str, format: str, header: Header) -> Image:
    from kvmnb.images.catalogue import Image

    size = header.size_bytes if format == header.format else os.path.getsize(path)
    if not size:
        raise SpecError("path", path, "holds no disk: its size is zero")
    chosen = cast("Literal['qcow2', 'raw']", format)
    return Image(name=name, disk_path=path, format=chosen, size_bytes=size, source="added by you")
