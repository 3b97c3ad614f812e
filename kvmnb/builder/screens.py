"""Verbs for the screen: the graphics card, and where the picture is seen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from kvmnb.builder.base import Builder
from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.graphics import VNC, Video

if TYPE_CHECKING:
    from typing import Self

    from kvmnb.spec.graphics import Display

__all__ = ["ScreenVerbs"]


class ScreenVerbs(Builder):
    """What the guest shows."""

    __slots__ = ()

    def vnc(
        self,
        on: bool = True,
        *,
        display: int | None = None,
        listen: str | None = None,
        unix: str | os.PathLike[str] | None = None,
        password: bool | str = False,
        websocket: int | None = None,
        keymap: str | None = None,
    ) -> Self:
        """Give it a screen, as VNC on a private socket unless more is said.

        Parameters
        ----------
        on : ``False`` takes away the screen and the graphics card
        display : ``1`` is port 5901, on 127.0.0.1
        listen : another address; a guest's screen is then open to whoever reaches it
        unix : a Unix socket
        password : a client needs one; ``True`` for one that is set later in the monitor
        websocket : a port where browsers can connect
        keymap : the keyboard of clients that send no key codes
        """
        if not validate.switch("vnc", on):
            return self._with(displays=(), videos=())
        vnc = VNC(
            display=display,
            listen=listen,
            unix=None if unix is None else os.path.abspath(os.fspath(unix)),
            password=password,
            websocket=websocket,
            keymap=keymap,
        )
        return self._with(displays=(vnc,), videos=self.spec.videos or (Video(),))

    def display(self, *displays: Display | Literal["none", "sdl", "gtk", "curses"]) -> Self:
        """Show the screen in these ways: `VNC`, `Spice`, `Window`, ``"sdl"``, ``"gtk"``, …

        Without any, or with ``"none"``, it is shown nowhere; the graphics card stays.
        """
        made: list[Display] = []
        for display in displays:
            if display == "none":
                continue
            if isinstance(display, str):
                from kvmnb.spec.screens import Window

                made.append(Window(toolkit=display))
            else:
                made.append(display)
        return self._with(displays=tuple(made))

    def video(self, *cards: str | Video | Literal[False]) -> Self:
        """Give it these graphics cards: ``"std"``, ``"virtio"``, ``"qxl"``, or `Video` values.

        ``False``, or none, takes away the one that it has.
        """
        made = []
        for card in cards:
            if card is False:
                if cards != (False,):
                    raise SpecError("video", card, "stands alone: no cards")
                continue
            made.append(card if isinstance(card, Video) else Video(card))
        return self._with(videos=tuple(made))
