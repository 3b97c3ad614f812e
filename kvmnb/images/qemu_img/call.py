"""A call of qemu-img, before it is made and while it is.

Each verb is a plain function that checks what it was given and returns a `Plan`: the line, and
the coroutine that runs it. `Call` makes of it what people use: called, it blocks; ``.aio(…)`` is
awaited; ``.command(…)`` shows the line and runs nothing.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from kvmnb import portal
from kvmnb.images.qemu_img.line import Line

if TYPE_CHECKING:
    import asyncio

__all__ = ["Call", "Plan"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Plan(Generic[R]):
    """What a call will do.

    Parameters
    ----------
    line : the command
    work : the coroutine that runs it and returns the answer
    """

    line: Line
    work: Callable[[], Coroutine[Any, Any, R]]


class Call(Generic[P, R]):
    """A verb of qemu-img's: call it to block, await its ``aio``, look at its ``command``."""

    __name__: str

    def __init__(
        self, plan: Callable[P, Plan[R]], described: Callable[..., object] | None = None
    ) -> None:
        self._plan = plan
        functools.update_wrapper(self, plan)
        if described is not None:  # one whose first argument is known already
            self.__name__, self.__doc__ = described.__name__, described.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return portal.run(self._plan(*args, **kwargs).work())

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
        """Start the call and return a future to await on the running loop."""
        return portal.awaitable(self._plan(*args, **kwargs).work())

    def command(self, *args: P.args, **kwargs: P.kwargs) -> Line:
        """Return the line that the same call would run; reads headers, and runs nothing."""
        return self._plan(*args, **kwargs).line

    @property
    def __signature__(self) -> inspect.Signature:
        whole = inspect.signature(self._plan)
        answer = str(whole.return_annotation).removeprefix("Plan[").removesuffix("]")
        return whole.replace(return_annotation=answer)

    def __repr__(self) -> str:
        return f"<qemu-img {self.__name__}; await it as .aio(…), see its line with .command(…)>"
