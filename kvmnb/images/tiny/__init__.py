"""The tiny guest: a Linux disk image built here, without root, from the distribution's packages.

Read on in this order: ``packages`` (what is fetched), ``kernel`` and ``tree`` (what is taken out
of it), ``disk`` (how it becomes a disk), ``build`` (all of it in turn), ``cache`` (when it is
built at all). The guest's own scripts are the files under ``rootfs/`` and ``initramfs/``.
"""

from __future__ import annotations

__all__ = ["SYSTEM_PACKAGES"]

SYSTEM_PACKAGES = ("apt", "dpkg", "e2fsprogs", "qemu-utils", "zstd")
"""What the host must have installed. All else is fetched into a private folder."""
