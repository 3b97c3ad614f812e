"""QEMU's migration to and from a file of this host: how the state of its devices is had."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from kvmnb.errors import CommandError, KvmnbError, StateError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.events import EventHub
    from kvmnb.engines.qemu.monitor import Monitor

__all__ = ["UNDER_WAY", "Speaker", "carry_on", "migrate", "state_migration"]

MIGRATION_S = 120.0
"""How long QEMU may take over a state: a full one of many GiB takes that long."""

FINISHED_S = 10.0
"""How long QEMU may take to be done with a migration that it has called completed."""

UNLIMITED = 1 << 40
"""Bytes a second, for a file on this host (QMP, migrate-set-parameters, max-bandwidth)."""

IGNORE_SHARED = "x-ignore-shared"
"""Memory that others can map is left out of the state (QEMU ≥ 4.0, qapi/migration.json)."""

NAME = "kvmnb-state"


UNDER_WAY = frozenset(
    ("setup", "active", "device", "pre-switchover", "postcopy-active", "cancelling")
)
"""What a migration's status is until it has ended (qapi/migration.json, MigrationStatus)."""


class Speaker(Protocol):
    """A QEMU that can be spoken to."""

    monitor: Monitor
    hub: EventHub

    @property
    def name(self) -> str: ...
    @property
    def ended(self) -> bool: ...
    async def qmp(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any: ...


@contextlib.asynccontextmanager
async def state_migration(speaker: Speaker, *, without_ram: bool) -> AsyncIterator[None]:
    """Let QEMU migrate at full speed within the block, with or without shared memory."""
    on = [
        {"capability": "events", "state": True},
        {"capability": IGNORE_SHARED, "state": without_ram},
    ]
    await speaker.qmp("migrate-set-capabilities", {"capabilities": on})
    await speaker.qmp("migrate-set-parameters", {"max-bandwidth": UNLIMITED})
    try:
        yield
    finally:
        if without_ram and not speaker.ended:
            off = [{"capability": IGNORE_SHARED, "state": False}]
            await speaker.qmp("migrate-set-capabilities", {"capabilities": off})


async def carry_on(speaker: Speaker, *, pause: bool = False) -> None:
    """Let a guest go on after its state was written; raises `CommandError` if QEMU does not.

    Parameters
    ----------
    pause : and stand still again at once
    """
    commands = ("cont", "stop") if pause else ("cont",)
    async with asyncio.timeout(FINISHED_S):
        while True:
            # one that was cancelled goes on for an instant, and would stop the guest once more
            while (await speaker.qmp("query-migrate")).get("status") in UNDER_WAY:
                await asyncio.sleep(0.001)
            try:
                await asyncio.gather(*map(speaker.qmp, commands))
                return
            except CommandError as error:
                # between "completed" and the end of it QEMU refuses for an instant
                if "finalized" not in str(error):
                    raise
            await asyncio.sleep(0.001)


async def migrate(speaker: Speaker, command: str, fd: int) -> None:
    """Let QEMU write its state to a descriptor (``migrate``) or read it (``migrate-incoming``).

    Raises
    ------
    StateError   it failed, with QEMU's reason
    """
    status = ""
    async with speaker.monitor.hearing():
        events = speaker.hub.subscribe()
        await speaker.monitor.give_fd(NAME, fd)
        try:
            await speaker.qmp(command, {"uri": f"fd:{NAME}"})
            async with asyncio.timeout(MIGRATION_S):
                async for event in events:
                    if event.kind == "migration":
                        status = str(event.detail.get("status"))
                        if status in {"completed", "failed", "cancelled"}:
                            break
        except BaseException:
            if command == "migrate":
                with contextlib.suppress(KvmnbError):
                    await asyncio.shield(asyncio.ensure_future(speaker.qmp("migrate_cancel")))
            raise
        if status != "completed":
            told = {} if speaker.ended else await speaker.qmp("query-migrate")
            why = told.get("error-desc") or status or "QEMU ended"
            raise StateError(speaker.name, "not copied", f"{command}: {why}")
