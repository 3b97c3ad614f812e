"""Graphics cards, and where the screen is seen: VNC, SPICE, a window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.piece import Piece
from kvmnb.compile.qemu_layout import Layout
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC, Video

if TYPE_CHECKING:
    from kvmnb.spec.screens import Window

__all__ = ["screens", "secrets"]

_FIRST = {
    "std": "VGA",
    "cirrus": "cirrus-vga",
    "vmware": "vmware-svga",
    "qxl": "qxl-vga",
    "virtio": "virtio-vga",
    "bochs": "bochs-display",
    "ramfb": "ramfb",
}
_FURTHER = {
    "std": "secondary-vga",
    "qxl": "qxl",
    "virtio": "virtio-gpu-pci",
    "bochs": "bochs-display",
    "ramfb": "ramfb",
}
"""The devices without VGA's old ports, of which a board has one set."""

_ON_ISA = {"std": "isa-vga", "cirrus": "isa-cirrus-vga"}
"""The cards for a board without PCI."""

_ACCELERATED = {"virtio-vga": "virtio-vga-gl", "virtio-gpu-pci": "virtio-gpu-gl-pci"}

VNC_DISPLAYS = 99
"""How many displays after the first VNC tries for a free port."""


def screens(spec: DomainSpec, layout: Layout) -> Iterator[Piece]:
    """Yield QEMU's own display, the cards, and the servers."""
    yield _display(spec, layout)
    for index, video in enumerate(spec.videos):
        yield _video(video, index, layout)
    keymaps = {each.keymap for each in spec.displays if isinstance(each, VNC)} - {None}
    if len(keymaps) > 1:
        raise SpecError("vnc.keymap", sorted(map(str, keymaps)), "a guest has one keyboard")
    servers = 0
    for index, display in enumerate(spec.displays):
        field = f"displays[{index}]"
        if isinstance(display, VNC):
            yield from _vnc(display, field, servers, layout)
            servers += 1
        else:
            yield from _spice(display, field, layout)


def secrets(spec: DomainSpec) -> dict[str, str]:
    """Return the passwords that the engine has to write, each with the name of its file.

    The argument list, which everybody on the host can read, holds the file's path alone; it is
    `Runtime.secret` of the name.
    """
    found, servers = {}, 0
    for display in spec.displays:
        if isinstance(display, VNC):
            if isinstance(display.password, str):
                found[_vnc_id(servers)] = display.password
            servers += 1
        elif (password := getattr(display, "password", None)) is not None:
            found["spice"] = password
    return found


def _display(spec: DomainSpec, layout: Layout) -> Piece:
    if all(isinstance(each, VNC) for each in spec.displays):
        windows: list[tuple[int, Window]] = []
    else:
        windows = _windows(spec)
    if len(windows) > 1:
        raise SpecError("displays", len(windows), "QEMU opens one window")
    accelerated = any(video.accelerated for video in spec.videos)
    if not windows:
        # 3D wants an OpenGL that draws nowhere in particular
        return Piece("displays", "", ("-display", "egl-headless" if accelerated else "none"))
    index, window = windows[0]
    known = layout.runtime.displays
    if known is not None and window.toolkit not in known:
        hint = f"this QEMU has no -display {window.toolkit}: apt install qemu-system-gui, or vnc()"
        raise Unsupported("qemu", f"displays[{index}]", hint)
    more: dict[str, Value] = {"full-screen": window.fullscreen or None, "gl": window.gl or None}
    return Piece(f"displays[{index}]", "", ("-display", str(Opts(window.toolkit, more))))


def _windows(spec: DomainSpec) -> list[tuple[int, Window]]:
    from kvmnb.spec.screens import Window

    return [(i, each) for i, each in enumerate(spec.displays) if isinstance(each, Window)]


def _video(video: Video, index: int, layout: Layout) -> Piece:
    field = f"videos[{index}]"
    names = _FURTHER if index else _FIRST
    if layout.spec.machine == "isapc":
        names = {**names, **_ON_ISA}
    if video.model not in names:
        hint = "only the first card can be one; a second is " + ", ".join(_FURTHER)
        raise Unsupported("qemu", f"{field}.model={video.model!r}", hint)
    device = names[video.model]
    if video.accelerated:
        device = _ACCELERATED[device]
    size = video.memory_mib
    more: dict[str, Value] = {
        "vgamem_mb": size if video.model in {"std", "vmware"} else None,
        "vram_size_mb": size if video.model == "qxl" else None,
        "vgamem": f"{size}M" if video.model == "bochs" and size is not None else None,
        "max_outputs": video.heads if video.heads > 1 else None,
    }
    return layout.device(field, device, more, id=f"video{index}")


def _vnc_id(number: int) -> str:
    return f"vnc{number}" if number else "vnc"


def _vnc(vnc: VNC, field: str, number: int, layout: Layout) -> Iterator[Piece]:
    id, secret = _vnc_id(number), None
    if isinstance(vnc.password, str):
        secret = f"{id}-secret"
        yield _secret(field, secret, layout.runtime.secret(id))
    host = vnc.listen or "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    if vnc.private:
        where = "unix:" + layout.runtime.socket(id)
    elif vnc.unix is not None:
        where = f"unix:{vnc.unix}"
    else:
        where = f"{host}:{vnc.display or 0}"
    more: dict[str, Value] = {
        "id": id if number else None,
        "to": VNC_DISPLAYS if vnc.display is None and vnc.listen is not None else None,
        "password": True if vnc.password is True else None,
        "password-secret": secret,
        "websocket": vnc.websocket,
    }
    yield Piece(field, "", ("-vnc", str(Opts(None, more, vnc=where))))
    if vnc.keymap is not None:
        yield Piece(field, "", ("-k", vnc.keymap))


def _secret(field: str, id: str, path: str) -> Piece:
    return Piece(field, "", ("-object", str(Opts("secret", id=id, file=path))))


def _spice(display: object, field: str, layout: Layout) -> Iterator[Piece]:
    from kvmnb.spec.screens import Spice

    if not isinstance(display, Spice):
        return  # a window, which -display has said already
    if sum(isinstance(each, Spice) for each in layout.spec.displays) > 1:
        raise SpecError("displays", field, "QEMU has one SPICE server")
    if display.port is None and display.tls_port is None and display.unix is None:
        hint = "QEMU looks for no free port by itself; name a port, or a Unix socket"
        raise Unsupported("qemu", f"{field}.port", hint)
    secret = None
    if display.password is not None:
        secret = "spice-secret"
        yield _secret(field, secret, layout.runtime.secret("spice"))
    more: dict[str, Value] = {
        "tls-port": display.tls_port,
        "addr": display.unix or display.listen or "127.0.0.1",
        "unix": True if display.unix is not None else None,
        "password-secret": secret,
        "disable-ticketing": True if secret is None else None,
    }
    yield Piece(field, "", ("-spice", str(Opts(None, more, port=display.port))))
