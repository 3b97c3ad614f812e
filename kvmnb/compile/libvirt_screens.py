"""What the guest shows and plays, and what moves in it: screens, cards, input, sound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kvmnb.compile.libvirt_board import Item
from kvmnb.compile.libvirt_words import AUDIO, VIDEOS
from kvmnb.compile.libvirt_xml import Element, path_of, refused, server_of
from kvmnb.spec.graphics import VNC, VNC_PORT

if TYPE_CHECKING:
    from kvmnb.spec.domain import DomainSpec
    from kvmnb.spec.graphics import Display
    from kvmnb.spec.screens import Spice, Window

__all__ = ["graphics", "inputs", "sounds", "usual_sound", "videos"]

VNC_PASSWORD_LIMIT = 8
"""Characters of a VNC password that count (RFC 6143, 7.2.2); libvirt refuses longer ones."""


ANY_PORT = -1
"""A port that libvirt chooses (libvirt, "Graphical framebuffers", port)."""


def inputs(spec: DomainSpec) -> Iterator[Item]:
    """Yield tablets, mice and keyboards."""
    for index, device in enumerate(spec.inputs):
        element = Element("input", type=device.kind, bus=device.bus)
        yield Item("devices", f"inputs[{index}]", element)


def graphics(spec: DomainSpec) -> Iterator[Item]:
    """Yield where the screen is seen."""
    for index, display in enumerate(spec.displays):
        field = f"displays[{index}]"
        yield Item("devices", field, _graphics(field, display))


def _graphics(field: str, display: Display) -> Element:
    if isinstance(display, VNC):
        return _vnc(field, display)
    from kvmnb.spec.screens import Spice

    if isinstance(display, Spice):
        return _spice(field, display)
    return _window(field, display)


def _vnc(field: str, vnc: VNC) -> Element:
    password: str | None = None
    if vnc.password is True:
        # no client passes an empty one: it is set later
        password = ""
    elif isinstance(vnc.password, str):
        password = vnc.password
        if len(password.encode(errors="surrogateescape")) > VNC_PASSWORD_LIMIT:
            refused(f"{field}.password", f"libvirt takes {VNC_PASSWORD_LIMIT} bytes at most")
    port = None if vnc.display is None else VNC_PORT + vnc.display
    listen, autoport = vnc.listen, None
    if port is not None:
        autoport = "no"
    elif listen is not None:
        # as libvirt itself writes a port that it chooses
        port, autoport = ANY_PORT, "yes"
        # and the address that it has every server listen on (qemu.conf, vnc_listen)
        listen = None if listen == "127.0.0.1" else listen
    return Element(
        "graphics",
        _listen(field, listen, vnc.unix, private=vnc.private),
        type="vnc",
        port=port,
        autoport=autoport,
        websocket=vnc.websocket,
        passwd=password,
        keymap=vnc.keymap,
    )


def _listen(field: str, listen: str | None, unix: str | None, *, private: bool) -> Element | None:
    if private:
        return Element("listen", type="socket")
    if unix is not None:
        return Element("listen", type="socket", socket=path_of(f"{field}.unix", unix))
    if listen is None:
        return None
    return Element("listen", type="address", address=server_of(f"{field}.listen", listen))


def _spice(field: str, spice: Spice) -> Element:
    port, tls_port, autoport = spice.port, spice.tls_port, None
    if spice.unix is None:
        autoport = "yes" if (port, tls_port) == (None, None) else "no"
        # the second is opened only where TLS is switched on (qemu.conf, spice_tls)
        port, tls_port = port or ANY_PORT, tls_port or ANY_PORT
    return Element(
        "graphics",
        _listen(field, spice.listen, spice.unix, private=False),
        type="spice",
        port=port,
        tlsPort=tls_port,
        autoport=autoport,
        passwd=spice.password,
    )


def _window(field: str, window: Window) -> Element:
    if window.toolkit != "sdl":
        refused(f"{field}.toolkit", f"libvirt opens no {window.toolkit} window; use VNC or SPICE")
    gl = Element("gl", enable=True) if window.gl else None
    return Element("graphics", gl, type="sdl", fullscreen=True if window.fullscreen else None)


def videos(spec: DomainSpec) -> Iterator[Item]:
    """Yield graphics cards; a screen without one is said so, or libvirt adds a card."""
    if spec.displays and not spec.videos and not (spec.extra_xml and _kept(spec)):
        yield Item("devices", "videos", Element("video", Element("model", type="none")))
    for index, video in enumerate(spec.videos):
        memory = None if video.memory_mib is None else video.memory_mib * 1024
        model = Element(
            "model",
            Element("acceleration", accel3d=True) if video.accelerated else None,
            type=VIDEOS[video.model],
            vram=memory,
            heads=video.heads if video.heads > 1 else None,
        )
        yield Item("devices", f"videos[{index}]", Element("video", model))


def _kept(spec: DomainSpec) -> bool:
    from kvmnb.compile.libvirt_extra import kept

    return kept(spec.extra_xml, "video")


def sounds(spec: DomainSpec) -> Iterator[Item]:
    """Yield sound cards, and what plays their sound, which several may share."""
    players = {back: number for number, back in enumerate(_backs(spec), 1)}
    if list(players) == [usual_sound(spec.displays)] and not _player_kept(spec):
        # libvirt would choose the same
        players = {}
    for index, sound in enumerate(spec.sounds):
        field = f"sounds[{index}]"
        if sound.model == "virtio":
            refused(f"{field}.model", "libvirt 9.0 has no virtio sound card; use ich9")
        if sound.back not in AUDIO:
            refused(f"{field}.back", f"libvirt 9.0 plays no sound through {sound.back}; use pa")
        audio = Element("audio", id=players[sound.back]) if players else None
        yield Item("devices", field, Element("sound", audio, model=sound.model))
    for back, number in players.items():
        yield Item("devices", f"audio[{number}]", Element("audio", id=number, type=AUDIO[back]))


def usual_sound(displays: tuple[Display, ...]) -> str:
    """Return what plays the sound of a guest that does not say it (libvirt, "Audio backends")."""
    kinds = {type(each).__name__ for each in displays}
    return "spice" if "Spice" in kinds else "sdl" if "Window" in kinds else "none"


def _player_kept(spec: DomainSpec) -> bool:
    return any(extra.parent.startswith("audio.") for extra in spec.extra_xml)


def _backs(spec: DomainSpec) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sound.back for sound in spec.sounds))
