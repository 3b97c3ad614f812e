"""One loop of our own: verbs block anywhere, and are awaited where a loop runs."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from kvmnb import portal
from kvmnb.portal import Verb, verb

LIMIT_S = 30.0


class Thing:
    """Something with verbs."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @verb
    async def add(self, one: int, *, other: int = 1) -> int:
        """Add two numbers."""
        await asyncio.sleep(0)
        self.seen.append(threading.current_thread().name)
        return one + other

    @verb
    async def fail(self) -> None:
        raise KeyError("gone")

    @verb
    async def nested(self) -> int:
        return self.add(1)  # blocks, on the very loop that would have to do the work


def test_a_verb_blocks_in_a_plain_thread_and_works_on_the_portals():
    thing = Thing()
    assert thing.add(2) == 3
    assert thing.add(2, other=5) == 7
    assert set(thing.seen) == {"kvmnb-portal"}


def test_an_error_comes_out_as_it_was_raised():
    with pytest.raises(KeyError, match="gone"):
        Thing().fail()


def test_several_threads_work_at_the_same_time():
    together = asyncio.Barrier(8)

    async def meet(number: int) -> int:
        # only if all eight are under way at once does the barrier open
        async with asyncio.timeout(LIMIT_S):
            await together.wait()
        return number

    with ThreadPoolExecutor(8) as pool:
        numbers = pool.map(lambda number: portal.run(meet(number)), range(8))
        assert list(numbers) == list(range(8))


def test_a_verb_blocks_inside_a_running_loop_as_in_a_notebooks_cell():
    async def cell() -> int:
        return Thing().add(1)

    assert asyncio.run(cell()) == 2


def test_a_verb_is_awaited_while_the_callers_loop_goes_on():
    begun, go_on = threading.Event(), threading.Event()

    async def work() -> str:
        begun.set()
        await asyncio.to_thread(go_on.wait, LIMIT_S)
        return "done"

    async def cell() -> str:
        answer = portal.awaitable(work())
        await asyncio.to_thread(begun.wait, LIMIT_S)
        assert not answer.done()
        go_on.set()
        return await answer

    assert asyncio.run(cell()) == "done"


def test_the_awaited_form_raises_the_same_errors():
    async def cell() -> None:
        await Thing().fail.aio()

    with pytest.raises(KeyError, match="gone"):
        asyncio.run(cell())


def test_many_are_awaited_together():
    async def cell() -> list[int]:
        thing = Thing()
        return await asyncio.gather(*(thing.add.aio(number) for number in range(50)))

    assert asyncio.run(cell()) == list(range(1, 51))


def test_cancelling_the_awaited_form_cancels_the_work():
    ended = threading.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def cell() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(portal.awaitable(work()), 0.01)

    asyncio.run(cell())
    assert ended.wait(LIMIT_S)


def test_the_awaited_form_without_a_loop_is_refused_and_nothing_is_begun():
    thing = Thing()
    with pytest.raises(RuntimeError, match="async code"):
        thing.add.aio(1)
    assert thing.add(1) == 2
    assert len(thing.seen) == 1


def test_blocking_on_the_portals_own_loop_is_refused_since_it_would_wait_for_itself():
    with pytest.raises(RuntimeError, match=r"await its \.aio"):
        Thing().nested()


def test_the_awaited_form_works_on_the_portals_own_loop():
    thing = Thing()

    async def work() -> int:
        return await thing.add.aio(1)

    assert portal.run(work()) == 2


INTERRUPTED = """
import asyncio, os, signal, threading
from kvmnb import portal

async def work():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.05)  # what cleaning up takes
        print("cleaned", flush=True)

try:
    portal.run(work())
except KeyboardInterrupt:
    print("interrupted", flush=True)
os._exit(0)
"""


def test_an_interrupt_cancels_the_work_and_returns_when_it_has_cleaned_up():
    assert _python(INTERRUPTED) == ["cleaned", "interrupted"]


BEFORE_IT_BEGAN = """
import asyncio, os, signal, sys, threading
from kvmnb import portal

held, go = threading.Event(), threading.Event()
portal.loop().call_soon_threadsafe(lambda: (held.set(), go.wait(20)))
held.wait(20)

def waits():
    frame, names = sys._current_frames()[threading.main_thread().ident], []
    while frame:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names[:2] == ["wait", "result"]

def interrupt():
    while not waits():
        pass
    os.kill(os.getpid(), signal.SIGINT)
    go.set()

async def work():
    print("began", flush=True)
    await asyncio.Event().wait()

threading.Thread(target=interrupt).start()
try:
    portal.run(work())
except KeyboardInterrupt:
    print("interrupted", flush=True)
os._exit(0)
"""


def test_an_interrupt_before_the_work_began_ends_it_too():
    assert _python(BEFORE_IT_BEGAN)[-1] == "interrupted"


FORKED = """
import asyncio, os, threading
from kvmnb import portal

async def who():
    await asyncio.sleep(0)
    return os.getpid()

assert portal.run(who()) == os.getpid()
for held in (False, True):
    if held:  # as by another thread that is just starting the loop
        portal._lock.acquire()
    child = os.fork()
    if child == 0:
        ok = portal.run(who()) == os.getpid() and portal.run(who()) == os.getpid()
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(0 if portal.run(who()) == os.getpid() else 1)
        ok = ok and os.waitpid(grandchild, 0)[1] == 0
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    if held:
        portal._lock.release()
# the parent's loop still hears what is sent to it from another thread
assert portal.run(who()) == os.getpid()
print("ok")
"""


def test_after_a_fork_the_child_has_a_loop_of_its_own_and_the_parent_keeps_its():
    assert _python(FORKED) == ["ok"]


def test_importing_starts_no_thread():
    code = "import threading; from kvmnb import portal; print(threading.active_count())"
    assert _python(code) == ["1"]


def _python(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_S,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


def test_work_that_cancels_itself_says_so():
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(CancelledError):
        portal.run(work())


def test_an_error_is_not_kept_alive_by_the_call_that_raised_it():
    class Held(Exception):
        pass

    async def work() -> None:
        raise Held

    gc.collect()
    gc.disable()
    try:
        seen = _seen(work)
        # one round of the loop, in which it lets go of the task that has ended
        portal.run(asyncio.sleep(0))
        portal.run(asyncio.sleep(0))
        assert seen() is None
    finally:
        gc.enable()


def _seen(work) -> weakref.ref:
    try:
        portal.run(work())
    except Exception as error:
        return weakref.ref(error)
    raise AssertionError("it raised nothing")


# -- streams ----------------------------------------------------------------------------------


async def _three():
    for number in range(3):
        await asyncio.sleep(0)
        yield number


async def _three_then_fail():
    async for number in _three():
        yield number
    raise KeyError("gone")


def _never_ending(ended: threading.Event):
    async def numbers():
        try:
            number = 0
            while True:
                yield number
                number += 1
                await asyncio.sleep(0)
        finally:
            ended.set()

    return numbers


def test_a_stream_yields_what_its_source_yields_on_the_callers_loop():
    async def cell() -> list[int]:
        return [number async for number in portal.Stream(_three)]

    assert asyncio.run(cell()) == [0, 1, 2]


def test_a_stream_raises_what_its_source_raises_after_its_items():
    seen = []

    async def cell() -> None:
        async for number in portal.Stream(_three_then_fail):
            seen.append(number)

    with pytest.raises(KeyError, match="gone"):
        asyncio.run(cell())
    assert seen == [0, 1, 2]


def test_a_stream_listens_from_when_it_is_made():
    begun = threading.Event()

    async def source() -> AsyncIterator[int]:
        begun.set()
        yield 1

    async def cell() -> int:
        numbers = portal.Stream(source)
        assert await asyncio.to_thread(begun.wait, LIMIT_S)  # and nobody has asked for a step
        return await anext(numbers)

    assert asyncio.run(cell()) == 1


def test_leaving_a_stream_ends_its_source():
    ended = threading.Event()

    async def cell() -> None:
        numbers = portal.Stream(_never_ending(ended))
        assert await anext(numbers) == 0
        await numbers.aclose()

    asyncio.run(cell())
    assert ended.wait(LIMIT_S)


def test_a_stream_whose_listeners_loop_is_gone_ends_its_source_without_a_word():
    ended = threading.Event()
    kept = []

    async def cell() -> None:
        kept.append(portal.Stream(_never_ending(ended)))
        await anext(kept[0])

    asyncio.run(cell())  # closes the generators that are left
    assert ended.wait(LIMIT_S)


def test_a_queue_gets_what_its_source_yields_and_then_none():
    with portal.queue(_three) as numbers:
        assert [numbers.get(timeout=LIMIT_S) for _ in range(4)] == [0, 1, 2, None]


def test_leaving_a_queue_ends_its_source():
    ended = threading.Event()
    with portal.queue(_never_ending(ended)) as numbers:
        assert numbers.get(timeout=LIMIT_S) == 0
    assert ended.wait(LIMIT_S)


def test_a_queue_ends_and_raises_when_its_source_fails():
    with pytest.raises(KeyError, match="gone"), portal.queue(_three_then_fail) as numbers:
        assert [numbers.get(timeout=LIMIT_S) for _ in range(4)] == [0, 1, 2, None]


def test_a_queue_whose_source_fails_at_once_does_not_wait_for_ever():
    def source():
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"), portal.queue(source) as numbers:
        assert numbers.get(timeout=LIMIT_S) is None


def test_a_queue_has_subscribed_before_its_block_begins():
    subscribed = []

    def source():
        subscribed.append(threading.current_thread().name)
        return _three()

    with portal.queue(source):
        assert subscribed == ["kvmnb-portal"]


# -- a verb, looked at --------------------------------------------------------------------------


def test_a_verb_looks_like_the_method_that_it_is():
    thing = Thing()
    assert isinstance(thing.add, Verb)
    assert thing.add.__name__ == "add"
    assert inspect.getdoc(thing.add) == "Add two numbers."
    assert str(inspect.signature(thing.add)) == "(one: 'int', *, other: 'int' = 1) -> 'int'"
    assert "await it as .aio" in repr(thing.add)
    assert Thing.add.__doc__ == "Add two numbers."


def test_the_portals_thread_does_not_keep_a_script_from_ending():
    code = "import asyncio; from kvmnb import portal; portal.run(asyncio.sleep(0)); print('end')"
    assert _python(code) == ["end"]
    assert os.getpid() == portal.run(_pid())


async def _pid() -> int:
    return os.getpid()


@pytest.mark.parametrize("submitted", [True, False])
def test_an_interrupt_that_falls_into_the_handing_over_leaves_no_work_behind(
    monkeypatch, submitted
):
    heard: list[str] = []
    began = threading.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            heard.append("cleaned")

    submit = portal._Job.submit

    def interrupted(job):
        if submitted:
            submit(job)
            began.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr(portal._Job, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        portal.run(work())
    assert heard == (["cleaned"] if submitted else [])
