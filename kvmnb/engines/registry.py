"""Which engine a URI means; the only place that chooses one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvmnb.errors import Unsupported

if TYPE_CHECKING:
    from kvmnb.engines.qemu.engine import QemuEngine
    from kvmnb.engines.qemu.templates.store import Templates
    from kvmnb.images.catalogue import Images

__all__ = ["engine_for", "templates"]


def engine_for(uri: str | None, images: Images, qemu: str | None) -> QemuEngine:
    """Return the engine for `uri`: ``None`` is QEMU itself.

    Raises
    ------
    Unsupported   no engine of this version speaks that URI
    """
    if uri is None:
        from kvmnb.engines.qemu.engine import QemuEngine

        return QemuEngine(images, qemu)
    raise Unsupported("kvmnb", f"uri={uri!r}", "Host() without a URI runs guests in QEMU itself")


def templates() -> Templates:
    """Return the warm-start templates of this user's guests; nothing is made on disk."""
    from kvmnb.engines.qemu.templates.store import Templates

    return Templates()
