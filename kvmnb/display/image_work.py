"""Progress of work on images, shown as that of a start is."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from kvmnb.display.progress import progress
from kvmnb.engines.base import Step

if TYPE_CHECKING:
    from kvmnb.images.catalogue import Progress

__all__ = ["ImageWork"]


class ImageWork:
    """A context manager that gives ``report(what, done, total, detail)`` and shows what it is told.

    Make it in the thread of the user's code; it may be entered in another.
    """

    def __init__(self, title: str) -> None:
        self._showing = progress(title)

    def __enter__(self) -> Progress:
        report = self._showing.__enter__()
        return lambda what, done, total, detail: report(Step(what, done, total, detail))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._showing.__exit__(kind, error, trace)
