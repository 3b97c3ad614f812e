"""What the guest's screen is drawn by, and where it is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

if TYPE_CHECKING:
    from kvmnb.spec.screens import Spice, Window

__all__ = ["VNC", "VNC_PORT", "Video"]

VNC_PORT = 5900
"""The TCP port of VNC display 0 (RFC 6143)."""

VIDEO_MODELS = ("std", "cirrus", "vmware", "qxl", "virtio", "bochs", "ramfb")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class VNC(Value):
    """The screen as a VNC server; with nothing given, on a socket that is the engine's own.

    Parameters
    ----------
    display : its number, which is its port less 5900; ``None`` for the first that is free
    listen : the address; ``None`` with a display means 127.0.0.1, and not every address
    unix : a Unix socket in place of display and address
    password : a client needs one: ``True`` for one that is set later in the monitor, or the
        password itself, of which VNC heeds 8 characters
    websocket : a port where browsers can connect too
    keymap : the keyboard of clients that send no key codes, such as ``"de"``
    """

    display: int | None = None
    listen: str | None = None
    unix: str | None = None
    password: bool | str = False
    websocket: int | None = None
    keymap: str | None = None

    def __post_init__(self) -> None:
        if self.display is not None:
            validate.number("vnc.display", self.display, 0, 65535 - VNC_PORT)
        validate.optional(validate.host, "vnc.listen", self.listen)
        if self.display is not None and self.listen == "127.0.0.1":
            object.__setattr__(self, "listen", None)  # which means the same
        validate.optional(validate.path, "vnc.unix", self.unix)
        if self.unix is not None and (self.display is not None or self.listen is not None):
            raise SpecError("vnc.unix", self.unix, "takes the place of display and address")
        if isinstance(self.password, str):
            if not validate.text("vnc.password", self.password):
                raise SpecError("vnc.password", "", "is empty; True means one that is set later")
        else:
            validate.switch("vnc.password", self.password)
        if self.websocket is not None:
            validate.port("vnc.websocket", self.websocket)
            if self.private or self.unix is not None:
                raise SpecError("vnc.websocket", self.websocket, "needs a display or an address")
        validate.optional(validate.word, "vnc.keymap", self.keymap)

    @property
    def private(self) -> bool:
        """Whether it is on the engine's own socket."""
        return self.display is None and self.listen is None and self.unix is None


if TYPE_CHECKING:
    Display = VNC | Spice | Window


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Video(Value):
    """A graphics card.

    Parameters
    ----------
    model : ``std cirrus vmware qxl virtio bochs ramfb``, the words of QEMU's ``-vga``
    memory_mib : of the card; ``None`` for its own default
    heads : screens that can be plugged in (qxl, virtio)
    accelerated : 3D is drawn by the host's GPU (virtio)
    """

    model: str = "std"
    memory_mib: int | None = None
    heads: int = 1
    accelerated: bool = False

    def __post_init__(self) -> None:
        validate.choice("video.model", self.model, VIDEO_MODELS)
        if self.memory_mib is not None:
            validate.positive("video.memory", self.memory_mib, 1 << 14)
            if self.model not in {"std", "qxl", "vmware", "bochs"}:
                raise SpecError("video.memory", self.memory_mib, f"{self.model} has none to set")
        validate.positive("video.heads", self.heads, 16)
        if self.heads > 1 and self.model not in {"qxl", "virtio"}:
            raise SpecError("video.heads", self.heads, f"{self.model} has one head")
        validate.switch("video.accelerated", self.accelerated)
        if self.accelerated and self.model != "virtio":
            raise SpecError("video.accelerated", True, "only virtio draws 3D on the host's GPU")
