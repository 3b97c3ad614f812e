"""Further ways to see the guest's screen: SPICE, and a window of QEMU's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["Spice", "Window"]

TOOLKITS = ("sdl", "gtk", "curses")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Spice(Value):
    """The screen as a SPICE server.

    Parameters
    ----------
    port, tls_port : where; ``None`` for both lets libvirt choose
    listen : the address; ``None`` for 127.0.0.1
    unix : a Unix socket in place of ports and address
    password : that a client needs; ``None`` for none
    """

    port: int | None = None
    tls_port: int | None = None
    listen: str | None = None
    unix: str | None = None
    password: str | None = None

    def __post_init__(self) -> None:
        validate.optional(validate.port, "spice.port", self.port)
        validate.optional(validate.port, "spice.tls_port", self.tls_port)
        validate.optional(validate.host, "spice.listen", self.listen)
        if self.listen == "127.0.0.1":
            object.__setattr__(self, "listen", None)  # which means the same
        validate.optional(validate.path, "spice.unix", self.unix)
        ports = (self.port, self.tls_port, self.listen)
        if self.unix is not None and ports != (None, None, None):
            raise SpecError("spice.unix", self.unix, "takes the place of ports and address")
        if self.password is not None and not validate.text("spice.password", self.password):
            raise SpecError("spice.password", "", "is empty; None means no password")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Window(Value):
    """A window, or a text screen, of the QEMU process itself.

    Parameters
    ----------
    toolkit : ``sdl``, ``gtk``, or ``curses`` for the terminal
    gl : it is drawn by OpenGL
    fullscreen : it fills the screen from the start
    """

    toolkit: Literal["sdl", "gtk", "curses"] = "gtk"
    gl: bool = False
    fullscreen: bool = False

    def __post_init__(self) -> None:
        validate.choice("display.toolkit", self.toolkit, TOOLKITS)
        validate.switch("display.gl", self.gl)
        validate.switch("display.fullscreen", self.fullscreen)
        if self.toolkit == "curses" and (self.gl or self.fullscreen):
            raise SpecError("display.toolkit", "curses", "a terminal has no OpenGL")
