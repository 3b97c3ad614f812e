"""What the live views stand on: a widget that works only while a page shows it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import sys
import threading
import uuid
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from kvmnb import portal
from kvmnb.markup import Html, element

if TYPE_CHECKING:
    from kvmnb.widgets.still import Snapshot

__all__ = ["LiveWidget"]

HEARTBEAT_S = 10.0
"""How often the pages are asked whether they are still there."""

MOST_UNANSWERED = 3
"""So many heartbeats may a page leave unanswered before it counts as gone."""

MOST_UNSEEN = 6
"""So many heartbeats are waited for the first page, since a display comes before its page."""

PICTURE_BEATS = 6
"""After so many heartbeats the still picture in the notebook is renewed."""

MOST_PAGES = 32
MOST_DISPLAYS = 8

_UNSEEN = ""
"""Stands for the page that a display is expected to bring."""

STATIC = Path(__file__).parent / "static"


@functools.cache
def _static(name: str) -> str:
    # a string and not a path: anywidget would watch the file, and keep every view alive for it
    return (STATIC / name).read_text(encoding="utf-8")


_SWAP = """\
.jp-OutputArea-child:has(.kvmnb) + .jp-OutputArea-child:has(.kvmnb-stand-in),
.jp-OutputArea-child:has(+ .jp-OutputArea-child .kvmnb-stand-in):not(:has(.kvmnb)) {display: none}
"""
"""Of a live view and the picture behind it JupyterLab shows one: the view while it lives."""


def _stand_in(still: Snapshot) -> dict[str, str]:
    style = element("style", Html(_SWAP))
    html = element("div", style, Html(still.html), class_="kvmnb-stand-in")
    return {"text/plain": still.text, "text/html": str(html)}


def _kernel() -> Any:
    """Return the kernel that this process is, or ``None``."""
    module = sys.modules.get("ipykernel.kernelbase")
    return module.Kernel.instance() if module and module.Kernel.initialized() else None


class LiveWidget(anywidget.AnyWidget):
    """A widget that works only while a page shows it.

    Making one does nothing, not even tell the page: that comes with the first display. From then
    on pages say hello, answer heartbeats and say bye; work begins with the first and ends with
    the last of them. All that changes does so on the portal's loop, whichever thread a message
    comes from.
    """

    _module: ClassVar[str] = ""
    """Name of its built module and style sheet."""

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        self._pages: dict[str, int] = {}
        """Heartbeats that each page has left unanswered."""
        self._displays: deque[str] = deque(maxlen=MOST_DISPLAYS)
        self._working = False
        self._heartbeat: asyncio.TimerHandle | None = None
        self._beats = 0
        self._kernel_free = True
        self._closed = False
        self._opening = threading.RLock()
        self._ready = False
        self._own_layout: Any = None
        super().__init__()
        self._ready = True

    @traitlets.default("_esm")
    def _default_esm(self) -> str:
        return _static(f"{self._module}.js")

    @traitlets.default("_css")
    def _default_css(self) -> str:
        return _static(f"{self._module}.css")

    # -- for the views that stand on it ---------------------------------------------------

    def _begin(self) -> None:
        """Begin to work; on the portal's loop, as all of these."""
        raise NotImplementedError

    def _end(self) -> None:
        """Stop working, so that nothing of it is left."""
        raise NotImplementedError

    def _history(self) -> tuple[Mapping[str, Any], bytes]:
        """Return all that a page needs to begin with."""
        raise NotImplementedError

    def _asked(self, message: Mapping[str, Any]) -> None:
        """Do what a page asks for."""
        raise NotImplementedError

    @property
    def _over(self) -> bool:
        """Whether there will never be anything new."""
        return False

    def snapshot(self) -> Snapshot:
        """Return what it shows now as a still picture, which stays when the view is gone."""
        raise NotImplementedError

    # -- its line to the pages ------------------------------------------------------------

    def open(self) -> None:
        """Tell the pages of it, unless they know."""
        with self._opening:
            if not self._ready or self._closed or self.comm is not None:
                return
            given = "layout" in self._trait_values
            super().open()
            self._own_layout = None if given else self.layout
            line: Any = self.comm
            if line is not None:
                line.on_close(self._lost_line)

    @property
    def model_id(self) -> str | None:
        """What the pages know it by; asking for it is showing it, as containers do."""
        self.open()
        return None if self.comm is None else str(self.comm.comm_id)

    def _lost_line(self, _: object) -> None:
        portal.loop().call_soon_threadsafe(self._sleep)

    def _handle_custom_msg(self, content: object, buffers: object) -> None:
        # on whichever thread the kernel hears from its pages
        if isinstance(content, dict) and not self._closed:
            portal.loop().call_soon_threadsafe(self._hear, content)

    def _tell(self, content: Mapping[str, Any], buffer: bytes | None = None) -> None:
        line = self.comm
        if line is not None and not self._closed:
            data = {"method": "custom", "content": content}
            line.send(data=data, buffers=None if buffer is None else [buffer])

    def _hear(self, message: Mapping[str, Any]) -> None:
        page = message.get("from")
        if self._closed or not isinstance(page, str) or not 0 < len(page) <= 64:
            return
        match message.get("kind"):
            case "hello":
                self._welcome(page)
            case "here":
                if page in self._pages:
                    self._pages[page] = 0
                else:
                    self._welcome(page)
            case "bye":
                if self._pages.pop(page, None) is not None and not self._pages:
                    self._sleep()
            case _:
                self._asked(message)

    def _welcome(self, page: str) -> None:
        self._pages.pop(_UNSEEN, None)
        if page in self._pages or len(self._pages) < MOST_PAGES:
            self._pages[page] = 0
            self._wake()
            facts, rows = self._history()
            self._tell({"kind": "history", "to": page, **facts}, rows)

    # -- awake and asleep -----------------------------------------------------------------

    def _expect_page(self) -> None:
        """Begin to work for a page that is on its way."""
        if not self._pages and not self._closed:
            self._pages[_UNSEEN] = MOST_UNANSWERED - MOST_UNSEEN
            self._wake()

    def _wake(self) -> None:
        if self._working or self._closed or self._over:
            return
        self._working = True
        self._kernel_free = True
        self._beats = 0
        self._heartbeat = asyncio.get_running_loop().call_later(HEARTBEAT_S, self._beat)
        self._begin()

    def _sleep(self) -> None:
        if not self._working:
            return
        self._working = False
        self._pages.clear()
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self._end()
        if not self._over:
            # a page that is there after all says hello again
            self._tell({"kind": "asleep"})

    def _beat(self) -> None:
        if self._kernel_free:
            for page in list(self._pages):
                self._pages[page] += 1
                if self._pages[page] > MOST_UNANSWERED:
                    del self._pages[page]
        if not self._pages:
            self._sleep()
            return
        self._ask_kernel()
        self._tell({"kind": "ping"})
        # the first soon: a notebook may be saved at any time
        if self._beats % PICTURE_BEATS == 0:
            self._renew_picture()
        self._beats += 1
        self._heartbeat = asyncio.get_running_loop().call_later(HEARTBEAT_S, self._beat)

    def _ask_kernel(self) -> None:
        """Find out whether the kernel is free to hear its pages.

        Where comm messages wait for the cell that runs, no answer means nothing.
        """
        kernel = _kernel()
        if kernel is not None:
            self._kernel_free = False
            kernel.io_loop.add_callback(self._kernel_is_free)

    def _kernel_is_free(self) -> None:
        self._kernel_free = True

    # -- shown ----------------------------------------------------------------------------

    def _ipython_display_(self, **_: object) -> None:
        """Show it, and behind it the still picture that stands in for it without a kernel.

        They are two outputs, since JupyterLab shows nothing but an error for a widget that is no
        more, whatever else its output holds; and so the picture can be renewed while the live
        view stays as it is.
        """
        from IPython.display import display

        still = self.snapshot()
        if self._closed or _kernel() is None:
            display({"text/plain": still.text, "text/html": still.html}, raw=True)  # type: ignore[no-untyped-call]
            return
        live: Any = super()._repr_mimebundle_()
        data = {**live[0], "text/plain": still.text.partition("\n")[0]}
        display(data, metadata=live[1], raw=True)  # type: ignore[no-untyped-call]
        display_id = uuid.uuid4().hex
        display(_stand_in(still), raw=True, display_id=display_id)  # type: ignore[no-untyped-call]
        self._displays.append(display_id)
        portal.loop().call_soon_threadsafe(self._expect_page)

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the live view, and its still picture for where no kernel is."""
        still = self.snapshot()
        data: dict[str, Any] = {"text/plain": still.text, "text/html": still.html}
        if not self._closed:
            live: Any = super()._repr_mimebundle_()
            return {**live[0], **data}, live[1]
        return data, {}

    def __repr__(self) -> str:
        return self.snapshot().text

    def _renew_picture(self) -> None:
        """Put the newest still picture behind the view; notebooks are saved with it."""
        if not self._displays or _kernel() is None:
            return
        from IPython.display import publish_display_data

        data = _stand_in(self.snapshot())
        for display_id in self._displays:
            place = {"display_id": display_id}
            # in a context without a cell of its own, so that it belongs to the one that runs
            contextvars.Context().run(publish_display_data, data, transient=place, update=True)

    # -- its end --------------------------------------------------------------------------

    def close(self) -> None:
        """Take it off all pages and let go of the guests; where it was, its picture stays."""
        if self._closed:
            return
        self._closed = True
        if self._working:
            portal.run(self._asleep())
        shown = self.comm is not None
        super().close()
        # ipywidgets shadows the method when it closes
        self.__dict__.pop("_repr_mimebundle_", None)
        if self._own_layout is not None:
            self._own_layout.close()
        if shown:
            self._renew_picture()

    async def _asleep(self) -> None:
        self._sleep()

    def __del__(self) -> None:
        # one that was shown is known to ipywidgets and does not come here before it is closed
        self._closed = True
