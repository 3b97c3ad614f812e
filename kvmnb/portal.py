"""One event loop on one daemon thread, and the blocking face of every verb.

A notebook's own loop is already running, so nothing can be run to its end on it. All of kvmnb's
waiting is therefore done by coroutines on one loop of its own. A verb is written once, as a
coroutine, and called either way::

    guest.run("true")  # blocks; works in a script, in IPython, in a cell, in any thread
    await guest.run.aio("true")  # the same verb, awaited on the caller's own loop
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
from _thread import allocate_lock
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    import asyncio
    import threading
    from concurrent.futures import Future
    from queue import SimpleQueue

__all__ = ["Verb", "awaitable", "loop", "queue", "run", "Stream", "verb"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

PATIENCE_S = 10.0
"""How long work that is interrupted may take to clean up behind itself."""

_lock = allocate_lock()  # as threading.Lock; importing that costs what all of this does
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_parents: list[asyncio.AbstractEventLoop] = []
"""Loops of the processes that this one was forked from; see `_forget`."""


def loop() -> asyncio.AbstractEventLoop:
    """Return the portal's loop, starting its thread on first use (and anew after a fork)."""
    global _loop, _thread
    import asyncio
    import threading

    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_loop.run_forever, name="kvmnb-portal", daemon=True)
            _thread.start()
            if not _parents:
                os.register_at_fork(after_in_child=_forget)
        return _loop


def _forget() -> None:
    """Leave the parent's loop to the parent: a fork takes no thread along, and a lock as it is."""
    global _lock, _loop, _thread
    if _loop is not None:
        # never closed: it shares its epoll with the parent's, which would stop hearing
        _parents.append(_loop)
    _lock, _loop, _thread = allocate_lock(), None, None


def run(work: Coroutine[Any, Any, R]) -> R:
    """Run `work` on the portal's loop and block until it is done.

    An interrupt (Ctrl-C, a notebook's stop button) cancels the work, and returns when it has
    cleaned up behind itself; a second one does not wait for that.
    """
    import threading
    from concurrent.futures import wait

    if threading.current_thread() is _thread:
        work.close()
        raise RuntimeError("a blocking verb was called on kvmnb's own loop; await its .aio() form")
    job = _Job(work)
    try:
        job.submit()
        return job.future.result()
    except BaseException:
        if not job.future.done():
            job.cancel()
            wait((job.future,), PATIENCE_S)
        raise
    finally:
        del job  # an error's traceback holds this frame, which shall not hold the error


class _Job(Generic[R]):
    """Work on the portal's loop, and a future that is done when the work has ended.

    One of `asyncio.run_coroutine_threadsafe` is done as soon as it is cancelled, while the work
    still cleans up.
    """

    def __init__(self, work: Coroutine[Any, Any, R]) -> None:
        from concurrent.futures import Future

        self.future: Future[R] = Future()
        self._work = work
        self._task: asyncio.Task[R] | None = None  # the loop itself holds it by a weak reference

    def submit(self) -> None:
        loop().call_soon_threadsafe(self._begin)

    def cancel(self) -> None:
        """Cancel the work, however far it has come: an interrupt may fall into `submit` itself."""
        loop().call_soon_threadsafe(self._cancel)

    def _begin(self) -> None:
        self._task = loop().create_task(self._work)
        self._task.add_done_callback(self._end)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:
            self._work.close()
            self._cancelled()

    def _end(self, task: asyncio.Task[R]) -> None:
        if task.cancelled():
            self._cancelled()
        elif (error := task.exception()) is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())

    def _cancelled(self) -> None:
        self.future.cancel()
        self.future.set_running_or_notify_cancel()


def awaitable(work: Coroutine[Any, Any, R]) -> asyncio.Future[R]:
    """Run `work` on the portal's loop; the result can be awaited on the running loop."""
    import asyncio

    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        work.close()
        raise RuntimeError(".aio() is for async code; call the verb itself to block") from None
    return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop()), loop=here)


class Stream(Generic[R]):
    """What a source on the portal's loop yields from now on, to be iterated on the running loop.

    It listens from when it is made, not from the first step: what happens between the two is
    kept. Its source ends when it is closed or nobody holds it any more.
    """

    def __init__(self, source: Callable[[], AsyncIterator[R]]) -> None:
        import asyncio

        here = asyncio.get_running_loop()
        items: asyncio.Queue[R | _End] = asyncio.Queue()

        def hand_over(item: R | _End) -> None:
            with contextlib.suppress(RuntimeError):  # the listener's loop has been closed
                here.call_soon_threadsafe(items.put_nowait, item)

        self._pump = asyncio.run_coroutine_threadsafe(_pump(source, hand_over), loop())
        self._steps = _drain(items, self._pump)

    def __aiter__(self) -> Stream[R]:
        return self

    async def __anext__(self) -> R:
        return await anext(self._steps)

    async def aclose(self) -> None:
        """Stop listening."""
        self._pump.cancel()
        await self._steps.aclose()

    def __del__(self) -> None:
        if (pump := getattr(self, "_pump", None)) is not None:
            pump.cancel()


async def _drain(items: asyncio.Queue[R | _End], pump: Future[None]) -> AsyncGenerator[R, None]:
    # a generator, since a loop that ends closes those that it has begun
    try:
        while not isinstance(item := await items.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        pump.cancel()


@contextlib.contextmanager
def queue(source: Callable[[], AsyncIterator[R]]) -> Iterator[SimpleQueue[R | None]]:
    """Give a queue that gets what `source` yields, and ``None`` at its end.

    If it ended by an error, the block raises that error when it is left.
    """
    import asyncio
    import threading
    from queue import SimpleQueue

    items: SimpleQueue[R | None] = SimpleQueue()
    began = threading.Event()
    errors: list[BaseException] = []

    def hand_over(item: R | _End) -> None:
        if isinstance(item, _End):
            errors.extend([] if item.error is None else [item.error])
            items.put(None)
        else:
            items.put(item)

    pump = asyncio.run_coroutine_threadsafe(_pump(source, hand_over, began), loop())
    began.wait()
    try:
        yield items
    finally:
        pump.cancel()
    for error in errors:
        raise error


class _End:
    """Marks the end of a stream, since ``None`` may be an item; says what ended it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error


async def _pump(
    source: Callable[[], AsyncIterator[R]],
    hand_over: Callable[[R | _End], object],
    began: threading.Event | None = None,
) -> None:
    end = _End()
    try:
        items = source()
        if began is not None:
            began.set()
        async for item in items:
            hand_over(item)
    except Exception as error:
        end = _End(error)
    finally:
        hand_over(end)
        if began is not None:
            began.set()


class Verb(Generic[P, R]):
    """A verb bound to its object: call it to block, or await its ``aio`` form."""

    __slots__ = ("__wrapped__", "_owner")

    def __init__(self, work: Callable[..., Coroutine[Any, Any, R]], owner: object) -> None:
        self.__wrapped__ = work
        self._owner = owner

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return run(self.__wrapped__(self._owner, *args, **kwargs))

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
        """Start the verb and return a future to await on the running loop."""
        return awaitable(self.__wrapped__(self._owner, *args, **kwargs))

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.__wrapped__.__doc__

    @property
    def __name__(self) -> str:
        return self.__wrapped__.__name__

    @property
    def __signature__(self) -> inspect.Signature:
        whole = inspect.signature(self.__wrapped__)
        return whole.replace(parameters=list(whole.parameters.values())[1:])

    def __repr__(self) -> str:
        return f"<verb {self.__wrapped__.__qualname__} of {self._owner!r}; await it as .aio(…)>"


class verb(Generic[S, P, R]):  # noqa: N801 - a decorator, named as it reads
    """Make a coroutine method a `Verb`: blocking when called, awaitable through ``.aio``."""

    def __init__(self, work: Callable[Concatenate[S, P], Coroutine[Any, Any, R]]) -> None:
        self._work = work
        functools.update_wrapper(self, work)  # type: ignore[arg-type]

    @overload
    def __get__(self, owner: None, kind: type) -> verb[S, P, R]: ...
    @overload
    def __get__(self, owner: S, kind: type) -> Verb[P, R]: ...
    def __get__(self, owner: S | None, kind: type) -> verb[S, P, R] | Verb[P, R]:
        return self if owner is None else Verb(self._work, owner)
