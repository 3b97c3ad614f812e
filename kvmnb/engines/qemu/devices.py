"""What is done to a guest's devices while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvmnb.engines.qemu import echo
from kvmnb.errors import SpecError, Unsupported

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["balloon", "sendkey"]


async def balloon(control: QemuControl, memory_mib: int) -> None:
    """Ask the guest to hold so much memory; see `Guest.balloon`."""
    spec = control.info.spec
    if not spec.balloon:
        raise Unsupported("this guest", "balloon", "it was started with balloon(False)")
    if memory_mib > spec.memory.size_mib:
        raise SpecError("balloon", memory_mib, f"above its {spec.memory.size_mib} MiB")
    await control.change(
        "balloon",
        "balloon",
        {"value": memory_mib << 20},
        hmp=f"balloon {memory_mib}",
        virsh=control.virsh("setmem", str(memory_mib << 10)),
    )


async def sendkey(control: QemuControl, keys: tuple[str, ...], hold_ms: int) -> None:
    """Press keys together; see `Guest.sendkey`."""
    await control.change(
        "sendkey",
        "send-key",
        {"keys": [{"type": "qcode", "data": key} for key in keys], "hold-time": hold_ms},
        hmp=f"sendkey {'-'.join(keys)} {hold_ms}",
        virsh=control.virsh("send-key", "--holdtime", str(hold_ms), *map(echo.linux_key, keys)),
    )
