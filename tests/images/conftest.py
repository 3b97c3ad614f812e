"""The tiny guest's image, folders for images that a test may spoil, and a server of one image."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvmnb.images import qemu_img, remote
from kvmnb.images.catalogue import Image, Images
from kvmnb.images.entries import Entry
from tests.images.serving import Server, serving
from tests.images.writing import io


@pytest.fixture(scope="session")
def tiny(private_folders: Path) -> Image:
    """The image that is already built (or is built now, where this recipe's is missing)."""
    return Images().get("tiny")


@pytest.fixture
def images(tmp_path: Path) -> Images:
    """A catalogue in a folder of its own, where nothing is downloaded or built."""
    return Images(tmp_path / "images")


@pytest.fixture(scope="session")
def body(tmp_path_factory) -> bytes:
    """A qcow2 of some size, with noise in it."""
    folder = tmp_path_factory.mktemp("body")
    (folder / "raw").write_bytes(os.urandom(3 << 20))
    argv = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", folder / "raw", folder / "disk"]
    subprocess.run(argv, check=True)
    return (folder / "disk").read_bytes()


@pytest.fixture
def server(body: bytes, monkeypatch) -> Iterator[Server]:
    """A server of that image, reached without a proxy and tried again without a pause."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(remote, "PAUSE_S", 0.0)
    with serving(body) as made:
        yield made


@pytest.fixture
def entry(server: Server, body: bytes) -> Entry:
    """The catalogue's entry of that image."""
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    return Entry(name="net", os="a test", url=server.url(), size=len(body), digest=digest)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A qcow2 of 8 MiB, of which the first 64 KiB are 0x11."""
    path = tmp_path / "disk.qcow2"
    qemu_img.create(path, size="8M")
    io(path, "write -P 0x11 0 64k")
    return path


@pytest.fixture
def overlay(tmp_path: Path, disk: Path) -> Path:
    """An overlay on `disk`, of which 64 KiB from 1 MiB on are 0x22."""
    path = tmp_path / "overlay.qcow2"
    qemu_img.create(path, backing=disk)
    io(path, "write -P 0x22 1M 64k")
    return path
