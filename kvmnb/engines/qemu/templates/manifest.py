"""A template's manifest: what it is and what its files hold, under a digest.

The first line is the SHA-256 of all that follows, which is JSON; so no byte changes unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kvmnb.engines.qemu.templates.files import DamagedError, File, failure, opened
from kvmnb.engines.qemu.templates.folders import MANIFEST

__all__ = ["FORMAT", "Manifest", "read", "write"]

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest tells.

    Parameters
    ----------
    created_s : when it was written, in seconds since the epoch
    payload : what the store was given along with the files
    files : by name
    """

    created_s: float
    payload: Mapping[str, Any]
    files: Mapping[str, File]


def write(folder: int, key: str, payload: Mapping[str, Any], files: Mapping[str, File]) -> None:
    """Write the manifest of an open folder that has none, down to the disk.

    Raises
    ------
    OSError     no room or no right
    TypeError   JSON cannot say the payload
    """
    content = {
        "format": FORMAT,
        "key": key,
        "created_s": time.time(),
        "payload": dict(payload),
        "files": {name: file.to_json() for name, file in files.items()},
    }
    text = json.dumps(content, separators=(",", ":")).encode("ascii")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(MANIFEST, flags, 0o600, dir_fd=folder), "wb") as file:
        file.write(hashlib.sha256(text).hexdigest().encode("ascii") + b"\n" + text)
        file.flush()
        os.fsync(file.fileno())


def read(folder: int, key: str) -> Manifest:
    """Return the manifest of an open folder.

    Raises
    ------
    DamagedError   it is not as it was written, or another key's
    HostError      too many files are open
    """
    with open(opened(MANIFEST, folder), "rb") as file:
        try:
            digest, _, text = file.read().partition(b"\n")
        except OSError as error:
            raise failure(MANIFEST, error) from error
    if digest != hashlib.sha256(text).hexdigest().encode("ascii"):
        raise DamagedError(MANIFEST, "wrong digest")
    try:
        content = json.loads(text)
        if content["format"] != FORMAT or content["key"] != key:
            raise DamagedError(MANIFEST, "of another format or key")
        return Manifest(
            created_s=float(content["created_s"]),
            payload=dict(content["payload"]),
            files={name: File.from_json(told) for name, told in content["files"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(MANIFEST, f"not a manifest: {error!r}") from error
