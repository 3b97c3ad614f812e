"""Work that reads and writes much memory, shared between two threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["in_two_threads"]

T = TypeVar("T")


def in_two_threads(jobs: Sequence[T], worker: Callable[[], Callable[[T], None]]) -> None:
    """Do all `jobs` here and in one thread more, and raise the first error.

    Reading, writing and checksums let go of the interpreter; beyond two threads memory is the
    limit.

    Parameters
    ----------
    worker : is called once in each thread, and returns what does one job: it may hold a buffer
    """
    turns = iter(jobs)
    errors: list[BaseException] = []

    def each() -> None:
        try:
            work = worker()
            for job in turns:
                if errors:
                    return
                work(job)
        except BaseException as error:
            errors.append(error)

    if len(jobs) > 1:
        import threading

        helper = threading.Thread(target=each, name="kvmnb-memory")
        helper.start()
        each()
        while helper.is_alive():  # its descriptors must not be closed under it, come what may
            try:
                helper.join()
            except BaseException as error:
                errors.append(error)
    elif jobs:
        each()
    if errors:
        raise errors[0]
