"""Screens, graphics cards, input and sound of a domain XML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvmnb.compile.libvirt_screens import usual_sound
from kvmnb.compile.libvirt_tree import Node
from kvmnb.compile.libvirt_words import AUDIO, VIDEOS
from kvmnb.parse.libvirt_chars import OWN_FOLDERS
from kvmnb.parse.libvirt_disks import furniture
from kvmnb.parse.libvirt_reading import Keep, Reading
from kvmnb.spec.graphics import VNC, VNC_PORT, Video
from kvmnb.spec.peripherals import Input, Sound

if TYPE_CHECKING:
    from kvmnb.spec.graphics import Display

__all__ = ["Screens"]

GRAPHICS = ("vnc", "spice", "sdl")
OTHER_GRAPHICS = frozenset({"dbus", "rdp", "desktop", "egl-headless"})
OTHER_VIDEOS = frozenset({"xen", "vbox", "gop"})
INPUTS = ("tablet", "mouse", "keyboard")
SOUNDS = ("ac97", "es1370", "sb16", "ich6", "ich9", "usb", "pcspk")
QXL_KIB = {"ram": "65536", "vgamem": "16384"}
"""What libvirt writes into every qxl card (virDomainVideoDefaultRAM, QEMU_QXL_VGAMEM_DEFAULT)."""


class Screens:
    """What one domain shows and plays."""

    def __init__(self, reading: Reading, arch: str) -> None:
        self.reading, self.arch = reading, arch
        self.displays: list[Display] = []
        self.videos: list[Video] = []
        self.inputs: list[Input] = []
        self._sounds: list[tuple[Node, str, str | None]] = []
        self._players: dict[str, tuple[Node, str]] = {}
        self._spoken_of = False

    def graphics(self, node: Node) -> None:
        """Read one ``<graphics>``."""
        words = {word: word for word in GRAPHICS}
        kind = self.reading.choice(node, "type", words, OTHER_GRAPHICS)
        with self.reading.checked(node):
            match kind:
                case "vnc":
                    display: Display = self._vnc(node)
                case "spice":
                    display = self._spice(node)
                case "sdl":
                    display = self._sdl(node)
                case _:
                    self.reading.fail(node, "<graphics> needs type='vnc', 'spice' or 'sdl'")
        self.displays.append(display)
        self.reading.leftover(f"displays.{len(self.displays) - 1}", node)

    def _listen(self, node: Node) -> tuple[str | None, str | None, bool]:
        """Return the address, the socket, and whether the socket is one of libvirt's own."""
        address, socket = node.take("listen"), node.take("socket")
        elements = node.all("listen")
        if len(elements) > 1:
            raise Keep
        own = False
        for each in elements:
            each.visited = True
            kinds = {"address": "address", "socket": "socket"}
            others = frozenset({"network", "none"})
            kind = self.reading.choice(each, "type", kinds, others)
            if kind == "socket":
                socket = each.take("socket")
                own = socket is None or socket.startswith(OWN_FOLDERS)
            else:
                address = each.take("address") or address
        return address or None, None if own else socket, own

    def _port(self, node: Node, name: str) -> int | None:
        text = node.take(name)
        if text in {None, "-1", "0"}:
            return None
        return self.reading.number(node, name)

    def _vnc(self, node: Node) -> VNC:
        reading = self.reading
        address, socket, own = self._listen(node)
        given: dict[str, Any] = {}
        word = node.take("passwd")
        if word is not None:
            given["password"] = word or True
        given["keymap"] = node.take("keymap")
        auto, port = reading.flag(node, "autoport"), self._port(node, "port")
        if own:
            return VNC(**given)
        if socket is not None:
            return VNC(unix=socket, **given)
        if node.peek("websocket") != "-1":
            given["websocket"] = reading.number(node, "websocket")
        if port is None or auto:
            return VNC(listen=address or "127.0.0.1", **given)
        if port < VNC_PORT:
            reading.fail(node, f"display 0 is port {VNC_PORT}; {port} is before it", "port")
        return VNC(display=port - VNC_PORT, listen=address, **given)

    def _spice(self, node: Node) -> Display:
        from kvmnb.spec.screens import Spice

        address, socket, own = self._listen(node)
        if own:
            raise Keep
        given: dict[str, Any] = {"password": node.take("passwd") or None}
        port, tls_port = self._port(node, "port"), self._port(node, "tlsPort")
        auto = self.reading.flag(node, "autoport")
        if socket is not None:
            return Spice(unix=socket, **given)
        if auto:
            port = tls_port = None
        return Spice(port=port, tls_port=tls_port, listen=address, **given)

    def _sdl(self, node: Node) -> Display:
        from kvmnb.spec.screens import Window

        gl = False
        for each in node.all("gl"):
            each.visited = True
            gl = self.reading.flag(each, "enable") or False
        fullscreen = self.reading.flag(node, "fullscreen") or False
        return Window(toolkit="sdl", gl=gl, fullscreen=fullscreen)

    def video(self, node: Node) -> None:
        """Read one ``<video>``."""
        self._spoken_of = True
        model = node.child("model")
        if model is None:
            self.videos.append(Video(self._usual_card(node)))
            furniture(self.reading, node)
            self.reading.leftover(f"videos.{len(self.videos) - 1}", node)
            return
        if model.peek("type") == "none":
            node.drop()
            return
        words = {word: ours for ours, word in VIDEOS.items()}
        kind = self.reading.choice(model, "type", words, OTHER_VIDEOS) or self._usual_card(node)
        given: dict[str, Any] = {"memory_mib": self._memory(model, kind)}
        if model.peek("heads") == "1":
            model.take("heads")
        elif kind in {"qxl", "virtio"} and "heads" in model.attributes:
            given["heads"] = self.reading.needed(model, "heads")
        if not self.videos and model.peek("primary") == "yes":
            model.take("primary")
        for each in model.all("acceleration"):
            each.visited = True
            if kind == "virtio" and each.peek("accel3d") == "yes":
                each.take("accel3d")
                given["accelerated"] = True
            elif each.peek("accel3d") == "no":
                each.take("accel3d")
        furniture(self.reading, node)
        with self.reading.checked(model):
            self.videos.append(Video(kind, **given))
        self.reading.leftover(f"videos.{len(self.videos) - 1}", node)

    def _memory(self, model: Node, kind: str) -> int | None:
        if kind == "qxl":
            for name, usual in QXL_KIB.items():
                if model.peek(name) == usual:
                    model.take(name)
        text = model.peek("vram")
        if text is None or not text.isdecimal() or int(text[:12]) % 1024 or int(text[:12]) == 0:
            return None
        if kind not in {"std", "qxl", "vmware", "bochs"}:
            # libvirt writes 16 MiB for every card, and QEMU has no such option for these
            if text == "16384":
                model.take("vram")
            return None
        model.take("vram")
        return int(text[:12]) // 1024

    def _usual_card(self, node: Node) -> str:
        kind = "cirrus" if self.arch in {"x86_64", "i386"} else "virtio"
        if self.arch in {"ppc64", "ppc"}:
            kind = "std"
        self.reading.note(node, "default", f"no graphics card is named: libvirt's is {kind}")
        return kind

    def input(self, node: Node) -> None:
        """Read one ``<input>``."""
        words, others = {word: word for word in INPUTS}, frozenset({"passthrough", "evdev"})
        kind: Any = self.reading.choice(node, "type", words, others)
        if kind is None:
            self.reading.fail(node, "<input> needs type='tablet', 'mouse' or 'keyboard'")
        words = {word: word for word in ("usb", "virtio", "ps2")}
        bus: Any = self.reading.choice(node, "bus", words, frozenset({"xen"}))
        if bus is None:
            bus = "usb" if kind == "tablet" or self.arch not in {"x86_64", "i386"} else "ps2"
        if bus == "ps2":
            node.drop()
            self.reading.once(node, "the board has a mouse and a keyboard of its own")
            return
        furniture(self.reading, node)
        self.inputs.append(Input(kind, bus))
        self.reading.leftover(f"inputs.{len(self.inputs) - 1}", node)

    def sound(self, node: Node) -> None:
        """Read one ``<sound>``."""
        words = {word: word for word in SOUNDS}
        model = self.reading.choice(node, "model", words, frozenset({"ich7"}))
        if model is None:
            self.reading.fail(node, "<sound> needs model='ich9', 'ac97' …")
        player = node.child("audio")
        furniture(self.reading, node)
        self._sounds.append((node, model, None if player is None else player.take("id")))

    def audio(self, node: Node) -> None:
        """Read one ``<audio>``: what plays the sound of cards."""
        words = {word: ours for ours, word in AUDIO.items()}
        back = self.reading.choice(node, "type", words, frozenset({"coreaudio", "file"}))
        number = node.take("id")
        if back is None or number is None:
            self.reading.fail(node, "<audio> needs id='1' and type='none', 'alsa' …")
        self._players[number] = (node, back)

    def finish(self, root: Node) -> list[Sound]:
        """Return the sound cards, and add the card that libvirt adds to a bare screen."""
        if self.displays and not self._spoken_of:
            self.videos.append(Video(self._usual_card(root)))
        sounds, used = [], dict[str, str]()
        first = next(iter(self._players), None)
        for node, model, number in self._sounds:
            player = number if number in self._players else first
            back = self._players[player][1] if player is not None else self._usual(node)
            if player is not None and back not in used:
                used[back] = player
            sounds.append(Sound(model, back))
            self.reading.leftover(f"sounds.{len(sounds) - 1}", node)
        order = list(dict.fromkeys(sound.back for sound in sounds))
        for number, (node, back) in self._players.items():
            if used.get(back) == number:
                self.reading.leftover(f"audio.{order.index(back) + 1}", node)
            else:
                self.reading.once(node, "no sound card plays through it")
        return sounds

    def _usual(self, node: Node) -> str:
        back = usual_sound(tuple(self.displays))
        self.reading.note(node, "default", f"nothing is said to play the sound: it is {back!r}")
        return back
