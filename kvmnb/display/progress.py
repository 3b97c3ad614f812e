"""How far long work has come: one line in a terminal, one output in a notebook's cell.

Work of less than a second shows nothing. What fails here is kept from the work: a closed
terminal or a kernel that shuts down is no reason to break off a start.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import shutil
import sys
import threading
import time
import unicodedata
import uuid
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from kvmnb.markup import element, printable

if TYPE_CHECKING:
    from kvmnb.engines.base import Progress, Step

__all__ = ["progress", "Showing"]

QUIET_S = 1.0
"""Work that is done sooner shows nothing."""

INTERVAL_S = 0.2
"""The least time between two updates of what is shown."""


def progress(title: str) -> Showing:
    """Return a context manager that gives ``report(Step)`` and shows what it is told.

    Call it in the thread of the user's code: what is shown belongs to the cell that runs
    there, whichever thread reports.
    """
    shell = _notebook_shell()
    if shell is not None:
        return Showing(title, _Cell(shell))
    if _is_terminal(sys.stderr):
        return Showing(title, _Terminal(sys.stderr))
    return Showing(title, _Plain(sys.stderr))


class _Place(Protocol):
    """Where progress is shown."""

    def update(self, line: Line) -> None: ...
    def finish(self, text: str, shown: bool) -> None: ...


class Line:
    """What is to be seen of one step: all of it quoted for a terminal."""

    def __init__(self, title: str, step: Step, elapsed_s: float) -> None:
        self.title = printable(title)
        self.what = printable(step.what)
        self.detail = printable(step.detail.strip())
        self.share = min(1.0, max(0.0, step.done / step.total)) if step.total else None
        self.elapsed = _seconds(elapsed_s)

    @property
    def text(self) -> str:
        percent = [] if self.share is None else [f"{_bar(self.share)} {self.share:4.0%}"]
        parts = [self.title, *percent, self.what, self.elapsed, self.detail]
        return " · ".join(part for part in parts if part)


class Showing:
    """Shows the steps of one piece of work; made by `progress`."""

    def __init__(self, title: str, place: _Place) -> None:
        self._title, self._place = title, place
        self._lock = threading.Lock()
        self._began = self._next = time.monotonic()
        self._shown = self._over = False

    def __enter__(self) -> Progress:
        self._began = time.monotonic()
        self._next = self._began + QUIET_S
        return self._report

    def _report(self, step: Step) -> None:
        with self._lock, contextlib.suppress(Exception):
            now = time.monotonic()
            if self._over or now < self._next:
                return
            self._next, self._shown = now + INTERVAL_S, True
            self._place.update(Line(self._title, step, now - self._began))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock, contextlib.suppress(Exception):
            self._over = True
            took_s = time.monotonic() - self._began
            if not self._shown and took_s < QUIET_S:
                return
            took = _seconds(took_s)
            title = printable(self._title)
            text = f"✓ {title}: {took}" if kind is None else f"✗ {title}: {kind.__name__}, {took}"
            self._place.finish(text, self._shown)


# -- a terminal, and what is none ------------------------------------------------------------


class _Terminal:
    """One line, written over in place."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def update(self, line: Line) -> None:
        # a line that fills the last column would scroll in some terminals
        columns = shutil.get_terminal_size().columns - 1
        # CSI K clears to the end of the line (ECMA-48, EL)
        self._stream.write(f"\r{fit(line.text, columns)}\x1b[K")
        self._stream.flush()

    def finish(self, text: str, shown: bool) -> None:
        self._stream.write(f"\r{text}\x1b[K\n")
        self._stream.flush()


class _Plain:
    """One line when all is over, for a log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def update(self, line: Line) -> None:
        pass

    def finish(self, text: str, shown: bool) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()


def _is_terminal(stream: TextIO | None) -> bool:
    if stream is None or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except ValueError:  # it has been closed
        return False


def fit(text: str, columns: int) -> str:
    """Return `text` cut to so many columns of a terminal; some characters take two."""
    used = 0
    for index, character in enumerate(text):
        width = _columns(character)
        if used + width > columns:
            # the sign for what is missing needs a column itself
            while text[:index] and used + 1 > columns:
                index -= 1
                used -= _columns(text[index])
            return text[:index] + "…" if columns > 0 else ""
        used += width
    return text


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _bar(share: float, width: int = 12) -> str:
    full = round(share * width)
    return "█" * full + "░" * (width - full)


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


# -- a notebook ------------------------------------------------------------------------------


def _notebook_shell() -> Any:
    """Return IPython's shell where a kernel runs it, and ``None`` elsewhere."""
    ipython = sys.modules.get("IPython")
    try:
        shell = None if ipython is None else ipython.get_ipython()
    except AttributeError:  # it is being imported just now
        return None
    return shell if hasattr(shell, "kernel") else None


class _Cell:
    """One output of the cell that made this, updated in place."""

    def __init__(self, shell: Any) -> None:
        self._publisher = shell.display_pub
        self._id = uuid.uuid4().hex
        # the kernel keeps in a context variable which cell an output belongs to
        self._context = contextvars.copy_context()
        self._visible = False

    def update(self, line: Line) -> None:
        self._publish(line.text, _html(line))

    def finish(self, text: str, shown: bool) -> None:
        self._publish(text, str(element("div", text, style=_FINAL)))

    def _publish(self, text: str, html: str) -> None:
        data = {"text/plain": text, "text/html": html}
        # a context cannot be entered twice at once, and two threads may report
        self._context.copy().run(
            self._publisher.publish,
            data,
            transient={"display_id": self._id},
            update=self._visible,
        )
        self._visible = True


_FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px"
_FINAL = f"{_FONT};opacity:.8"
_ROW = f"{_FONT};display:flex;gap:.8em;align-items:center;white-space:nowrap;overflow:hidden"
_DETAIL = "opacity:.65;overflow:hidden;text-overflow:ellipsis"
_TRACK = "flex:0 0 10em;height:6px;border-radius:3px;background:rgba(128,128,128,.3)"
_FILL = "height:6px;border-radius:3px;background:#0072B2;width"


def _html(line: Line) -> str:
    bar = []
    if line.share is not None:
        fill = element("div", style=f"{_FILL}:{line.share:.1%}")
        bar = [element("div", fill, style=_TRACK), element("span", f"{line.share:.0%}")]
    return str(
        element(
            "div",
            element("b", line.title),
            *bar,
            element("span", line.what),
            element("span", line.elapsed, style="opacity:.65"),
            element("code", line.detail, style=_DETAIL) if line.detail else "",
            style=_ROW,
        )
    )
