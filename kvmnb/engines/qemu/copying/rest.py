"""Bring a guest that has just booted to rest, so that its state is small and has no work left."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from kvmnb.engines.qemu.copying import identity
from kvmnb.errors import GuestTimeout, KvmnbError
from kvmnb.spec.network import User

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["settled"]

LIMIT_S = 20.0
"""How long it may go on with its boot; a guest that never rests is kept as it is."""

LOOK_S = 0.25
BUSY_SHARE = 0.08
"""Of one core: above it, a guest still does something."""

BALLOON_S = 10.0
WHOLE_S = 60.0
"""How long it may take to have all of it again."""

SPARE_MIB = 8
"""What the guest keeps free while the rest is taken back: below it, it would begin to reclaim."""

TICKS = 100
"""Clock ticks a second in /proc/PID/stat (proc(5), USER_HZ, which is 100 on Linux)."""


async def settled(control: QemuControl) -> None:
    """Return when the guest has come to rest, and has given back what memory it does not use.

    Raises
    ------
    GuestTimeout   it has not got all of its memory again
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_S):
            await _addressed(control)
            await _quiet(control)
    if control.info.spec.balloon:
        await _give_back(control)
    await identity.reseeds(control)


async def _addressed(control: QemuControl) -> None:
    """Wait until each of its cards on a user network has an address."""
    nics = zip(control.info.spec.nics, control.info.macs, strict=True)
    waited_for = {mac for nic, mac in nics if isinstance(nic.back, User) and nic.link}
    while waited_for:
        with contextlib.suppress(KvmnbError):
            for card in await control.inside.ask("guest-network-get-interfaces", {}):
                addresses = card.get("ip-addresses", ())
                if any(each["ip-address-type"] == "ipv4" for each in addresses):
                    waited_for.discard(str(card.get("hardware-address", "")).lower())
        if waited_for:
            await asyncio.sleep(LOOK_S)


async def _quiet(control: QemuControl) -> None:
    before = _ticks(control)
    while True:
        await asyncio.sleep(LOOK_S)
        now = _ticks(control)
        if now - before < BUSY_SHARE * LOOK_S * TICKS:
            return
        before = now


def _ticks(control: QemuControl) -> int:
    try:
        with open(f"/proc/{control.info.pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return int(fields[11]) + int(fields[12])
    except OSError:
        return 0


async def _give_back(control: QemuControl) -> None:
    """Inflate the balloon by what is free, and let it go: the host has the pages then."""
    memory = control.info.spec.memory
    whole_mib = memory.current_mib or memory.size_mib
    with contextlib.suppress(KvmnbError, TimeoutError, ValueError, KeyError):
        async with asyncio.timeout(BALLOON_S):
            done = await control.inside.run(("cat", "/proc/meminfo"), stdin=None, timeout_s=None)
            told = (line.split() for line in done.stdout.splitlines())
            free_kib = {words[0]: words[1] for words in told if len(words) > 1}["MemFree:"]
            least_mib = memory.size_mib - (int(free_kib) >> 10) + SPARE_MIB
            if least_mib >= whole_mib:
                return
            await _balloon(control, least_mib)
    # a guest that went on to shrink in each of its copies would run out of memory there
    try:
        async with asyncio.timeout(WHOLE_S):
            await _balloon(control, whole_mib)
    except TimeoutError as error:
        what = "the guest to take back its memory"
        raise GuestTimeout(control.name, WHOLE_S, what) from error


async def _balloon(control: QemuControl, memory_mib: int) -> None:
    """Ask the guest to hold so much memory, and wait until it does."""
    await control.qmp("balloon", {"value": memory_mib << 20})
    while int((await control.qmp("query-balloon"))["actual"]) != memory_mib << 20:
        await asyncio.sleep(0.05)
