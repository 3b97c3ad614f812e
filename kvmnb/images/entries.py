"""The images that can be downloaded: where they are, and what their bytes must be."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ENTRIES", "Entry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One downloadable image.

    Parameters
    ----------
    name, os : its name in the catalogue, and what is on it
    url : of the image, dated so that its bytes do not change
    size : of the file, in bytes; ``None`` where only the publisher's server knows
    digest : ``"sha256:…"`` or ``"sha512:…"``, pinned here; ``""`` where `digest_url` gives it
    digest_url : the publisher's checksum file, read over https at download time
    format : of the file
    """

    name: str
    os: str
    url: str
    size: int | None = None
    digest: str = ""
    digest_url: str = ""
    format: str = "qcow2"


_DEBIAN = "https://cloud.debian.org/images/cloud"
_UBUNTU = "https://cloud-images.ubuntu.com/releases"

_ALL: tuple[Entry, ...] = (
    Entry(
        name="cirros",
        os="CirrOS 0.6.3, a small test image with cloud-init's basics",
        url="https://download.cirros-cloud.net/0.6.3/cirros-0.6.3-x86_64-disk.img",
        digest="sha256:7d6355852aeb6dbcd191bcda7cd74f1536cfe5cbf8a10495a7283a8396e4b75b",
    ),
    Entry(
        name="debian-12",
        os="Debian 12 (bookworm), cloud image of 2026-09-23",
        url=f"{_DEBIAN}/bookworm/20260923-2610/debian-12-genericcloud-amd64-20260923-2610.qcow2",
        digest="sha512:3d94c9dd66d8a283fde060b8810373b7ae04038b956ee00d553d1ae564f6fbde"
        "aa2fd6e7404e87e53348b5a9509170f3ea7c0731ba737590c5c4cb8d559a47f8",
    ),
    Entry(
        name="debian-13",
        os="Debian 13 (trixie), cloud image of 2026-07-12",
        url=f"{_DEBIAN}/trixie/20260712-2537/debian-13-genericcloud-amd64-20260712-2537.qcow2",
        digest="sha512:7ae53e9dbee282bfc16f289dec483dde3a8598769c38a267948310f7a2a52c66"
        "2620198603bc52c142627efba379863d16079698a10b34102d55bcedd40e8d32",
    ),
    Entry(
        name="ubuntu-22.04",
        os="Ubuntu 22.04 (jammy), cloud image of 2026-09-13",
        url=f"{_UBUNTU}/jammy/release-20260913/ubuntu-22.04-server-cloudimg-amd64.img",
        size=735388672,
        digest="sha256:9144540e8af7637d258b50dbabe82ce1aa6752c9574fedfb048270da0e087899",
    ),
    Entry(
        name="ubuntu-24.04",
        os="Ubuntu 24.04 (noble), cloud image of 2026-09-11",
        url=f"{_UBUNTU}/noble/release-20260911/ubuntu-24.04-server-cloudimg-amd64.img",
        size=625256960,
        digest="sha256:612b2c0cc1bc413a6cb8c38fd611794caf0f2b436c50013d8b3794db12ad7354",
    ),
)

ENTRIES = {entry.name: entry for entry in _ALL}
"""By name."""
