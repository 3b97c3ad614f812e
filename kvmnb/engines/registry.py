"""Which engine a URI means; the only place that chooses one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvmnb.errors import Unsupported

if TYPE_CHECKING:
    from kvmnb.engines.qemu.engine import QemuEngine
    from kvmnb.images.catalogue import Images

__all__ = ["engine_for"]


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
