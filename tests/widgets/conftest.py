"""Views of real guests, on a line whose far end is the test instead of a page."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

from kvmnb.widgets.live import LiveWidget

LIMIT_S = 60.0


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait for a condition and return what it gave."""
    end = time.monotonic() + LIMIT_S
    while not (found := condition()):
        assert time.monotonic() < end, what or "it did not come to pass"
        time.sleep(0.01)
    return found


class Line(BaseComm):
    """A comm that keeps what the view tells, and says what a page would."""

    told: list[tuple[dict[str, Any], list[bytes]]]

    def publish_msg(
        self,
        msg_type: str,
        data: Any = None,
        metadata: Any = None,
        buffers: Any = None,
        **keys: Any,
    ) -> None:
        if not hasattr(self, "told"):
            self.told = []
        if msg_type == "comm_msg" and data and data.get("method") == "custom":
            self.told.append((data["content"], list(buffers or ())))

    def all(self, kind: str) -> list[tuple[dict[str, Any], list[bytes]]]:
        """Return what was told of one kind so far."""
        return [each for each in tuple(self.told) if each[0]["kind"] == kind]


class Page:
    """What a page does, without the page."""

    def __init__(self, view: LiveWidget, name: str = "page") -> None:
        assert view.model_id is not None
        self.view, self.name = view, name
        self.line: Line = view.comm

    def say(self, kind: object, **more: object) -> None:
        """Send a message, on this thread as a kernel would on one of its own."""
        content = {"kind": kind, "from": self.name, **more}
        self.raw(content)

    def raw(self, content: object) -> None:
        data = {"method": "custom", "content": content}
        self.line.handle_msg({"content": {"data": data}, "buffers": []})

    def wait(self, kind: str, count: int = 1) -> list[tuple[dict[str, Any], list[bytes]]]:
        """Wait until so many messages of one kind have been told, and return them all."""
        until(lambda: len(self.line.all(kind)) >= count, f"{count} × {kind}")
        return self.line.all(kind)

    def state(self) -> str | None:
        """Return the state that was told last."""
        told = [m["state"] for m, _ in tuple(self.line.told) if m["kind"] in {"state", "history"}]
        return told[-1] if told else None


def numbers(buffers: list[bytes]) -> list[float]:
    """Return what a message's buffer holds."""
    return list(array("d", buffers[0]))


@pytest.fixture(autouse=True)
def line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let views have a `Line` as their comm."""
    monkeypatch.setattr(comm, "create_comm", Line)


class Shown:
    """Shows views to pages, and closes them with the test."""

    def __init__(self) -> None:
        self.views: list[LiveWidget] = []

    def __call__(self, view: LiveWidget, name: str = "page") -> Page:
        self.views.append(view)
        page = Page(view, name)
        page.say("hello")
        return page


@pytest.fixture
def shown() -> Iterator[Shown]:
    """Show a view to a page; it is closed with the test."""
    shown = Shown()
    yield shown
    for view in shown.views:
        view.close()
