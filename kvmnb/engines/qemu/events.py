"""QEMU's events in our words, handed to everyone who listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from kvmnb.engines.base import Event, State

__all__ = ["STATES", "EventHub", "translate"]

BACKLOG = 1000
"""Events kept for a listener that does not listen; then the oldest go."""

_KINDS = {
    "STOP": "paused",
    "RESUME": "resumed",
    "RESET": "reset",
    "SHUTDOWN": "shutdown",
    "POWERDOWN": "powerdown",
    "BALLOON_CHANGE": "balloon",
}


# RunState of QMP (qapi/run-state.json) → our words
STATES: dict[str, State] = {
    "running": "running",
    "prelaunch": "paused",
    "paused": "paused",
    "suspended": "paused",
    "io-error": "paused",
    "watchdog": "paused",
    "save-vm": "paused",
    "restore-vm": "paused",
    "debug": "paused",
    "finish-migrate": "paused",
    "postmigrate": "paused",
    "inmigrate": "starting",
    "shutdown": "shutdown",
    "internal-error": "crashed",
    "guest-panicked": "crashed",
}


def translate(guest: str, message: Mapping[str, Any]) -> Event:
    """Return a QMP event as one of ours."""
    stamp = message.get("timestamp", {})
    time_s = float(stamp.get("seconds", 0)) + float(stamp.get("microseconds", 0)) / 1e6
    word = str(message.get("event", ""))
    return Event(guest, time_s, _KINDS.get(word, word.lower()), message.get("data", {}))


class EventHub:
    """Hands each event to every subscriber."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self._closed = False

    @property
    def listened(self) -> bool:
        """Whether anybody listens."""
        return bool(self._queues) and not self._closed

    def publish(self, event: Event) -> None:
        """Hand on one event."""
        for queue in self._queues:
            if queue.qsize() >= BACKLOG:
                queue.get_nowait()
            queue.put_nowait(event)

    def close(self) -> None:
        """End all subscriptions after what they still hold."""
        self._closed = True
        for queue in self._queues:
            queue.put_nowait(None)

    def subscribe(self) -> AsyncIterator[Event]:
        """Return all events from now on."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        if self._closed:
            queue.put_nowait(None)
        self._queues.add(queue)
        return self._drain(queue)

    async def _drain(self, queue: asyncio.Queue[Event | None]) -> AsyncIterator[Event]:
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._queues.discard(queue)
