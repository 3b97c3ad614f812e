"""What a command in the guest writes, while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Self

from kvmnb import portal
from kvmnb.engines.base import Completed, Output

__all__ = ["Streamed"]


class Streamed:
    """A command's output, piece by piece as it comes; made by `Guest.stream`.

    Iterate it by ``for`` or ``async for``; the command starts with the first step. It is ended
    in the guest when the iteration is broken off by an interrupt, when `close` is called or the
    ``with`` block left, and when nobody holds this any more.

    Attributes
    ----------
    returncode : its exit status, negative for the signal that ended it; ``None`` while it runs
    """

    def __init__(self, items: AsyncGenerator[Output | Completed, None]) -> None:
        self._items = items
        self._turn = asyncio.Lock()
        self.returncode: int | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Output:
        output = portal.run(self._step())
        if output is None:
            raise StopIteration
        return output

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Output:
        output = await portal.awaitable(self._step())
        if output is None:
            raise StopAsyncIteration
        return output

    async def _step(self) -> Output | None:
        async with self._turn:
            item = await anext(self._items, None)
            if isinstance(item, Completed):
                self.returncode = item.returncode
                await self._items.aclose()
                return None
            return item

    async def _end(self) -> None:
        # a step that was cancelled may still be cleaning up
        async with self._turn:
            await self._items.aclose()

    def close(self) -> None:
        """End the command, unless it has ended."""
        portal.run(self._end())

    async def aclose(self) -> None:
        """End the command, unless it has ended; for async code."""
        await portal.awaitable(self._end())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
