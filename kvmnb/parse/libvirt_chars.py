"""Character devices of a domain XML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvmnb.compile.libvirt_chars import SPICE_AGENT
from kvmnb.compile.libvirt_tree import Node
from kvmnb.compile.libvirt_words import AGENT
from kvmnb.parse.libvirt_disks import furniture
from kvmnb.parse.libvirt_reading import Keep, Reading
from kvmnb.spec.chardev import Private, Serial
from kvmnb.spec.ports import Channel, Console, Parallel

if TYPE_CHECKING:
    from kvmnb.spec.chardev import CharBack

__all__ = ["Ports"]

KINDS = (
    *("pty", "stdio", "vc", "null", "file", "pipe", "dev", "tcp", "udp", "unix"),
    *("spicevmc", "spiceport"),
)
OTHER_KINDS = frozenset({"nmdm", "qemu-vdagent", "dbus"})
MODELS = {f"{model}-serial": model for model in ("isa", "pci", "usb")}
OTHER_MODELS = frozenset({"spapr-vio-serial", "system-serial", "sclp-serial", "isa-debug"})
CONSOLES = {"serial": "serial", "virtio": "virtio"}
OTHER_CONSOLES = frozenset({"xen", "uml", "lxc", "openvz", "sclp", "sclplm"})
OWN_FOLDERS = ("/var/lib/libvirt/qemu/", "/run/libvirt/qemu/", "/var/run/libvirt/qemu/")
"""Where libvirt makes the sockets of channels that have no path of their own."""


class Ports:
    """The character devices of one domain."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.serials: list[Serial] = []
        self.parallels: list[Parallel] = []
        self.consoles: list[Console] = []
        self.channels: list[Channel] = []
        self.agent = False
        self._mirror: Node | None = None

    def serial(self, node: Node) -> None:
        """Read one ``<serial>``."""
        reading, target = self.reading, node.child("target")
        model: Any = None
        if target is not None:
            model = reading.choice(target, "type", MODELS, OTHER_MODELS)
            for named in target.all("model"):
                if named.peek("name") in MODELS:
                    named.drop()
            target.take("port")
        back = self._back(node, "serial")
        with reading.checked(node):
            self.serials.append(Serial(back, model or "isa"))
        reading.leftover(f"serials.{len(self.serials) - 1}", node)

    def parallel(self, node: Node) -> None:
        """Read one ``<parallel>``."""
        target = node.child("target")
        if target is not None:
            target.take("port")
            target.take("type")
        self.parallels.append(Parallel(self._back(node, "parallel")))
        self.reading.leftover(f"parallels.{len(self.parallels) - 1}", node)

    def console(self, node: Node) -> None:
        """Read one ``<console>``: a virtio one, or another word for the first serial port."""
        reading, target = self.reading, node.child("target")
        kind = None
        if target is not None:
            kind = reading.choice(target, "type", CONSOLES, OTHER_CONSOLES)
            target.take("port")
        if kind == "virtio":
            back = self._back(node, "console")
            self.consoles.append(Console(back))
            reading.leftover(f"consoles.{len(self.consoles) - 1}", node)
        elif self._mirror is None:
            self._mirror = node
        else:
            raise Keep

    def channel(self, node: Node) -> None:
        """Read one ``<channel>``."""
        reading, target = self.reading, node.child("target")
        if target is None or target.peek("type") != "virtio":
            raise Keep
        target.take("type")
        target.take("state")
        name = target.take("name")
        own = self._own_socket(node)
        if name == AGENT and own and not self.agent:
            self._forget(node)
            furniture(reading, node)
            self.agent = True
            reading.leftover("agent", node)
            return
        if own:
            self._forget(node)
            reading.note(node, "changed", "the channel gets a private socket of kvmnb's")
        if name is None and node.peek("type") == "spicevmc":
            name = SPICE_AGENT
        if name is None:
            raise Keep
        if name == AGENT and (own or node.peek("type") in {"pty", "stdio", "vc"}):
            raise Keep
        back: CharBack = Private() if own else self._back(node, "channel")
        furniture(reading, node)
        with reading.checked(node):
            self.channels.append(Channel(name, back))
        reading.leftover(f"channels.{len(self.channels) - 1}", node)

    def _own_socket(self, node: Node) -> bool:
        if node.peek("type") != "unix":
            return False
        paths = [source.peek("path") for source in node.all("source")]
        return all(path is None or path.startswith(OWN_FOLDERS) for path in paths)

    def _forget(self, node: Node) -> None:
        node.take("type")
        for source in node.all("source"):
            source.visited = True
            source.take("path")
            source.take("mode")

    def finish(self) -> None:
        """Make the first serial port of a console, where no port of that kind is named."""
        node = self._mirror
        if node is None:
            return
        if self.serials:
            node.drop()
            self.reading.once(node, "the console is another word for the first serial port")
            return
        try:
            back = self._back(node, "console")
        except Keep:
            self.reading.keep("devices", node)
            return
        self.serials.append(Serial(back))
        rest = self.reading.rest(node)
        if rest:
            self.reading.note(node, "ignored", f"of the console, {rest[:80]} is left out")

    def _back(self, node: Node, device: str) -> CharBack:
        reading = self.reading
        kind = reading.choice(node, "type", {word: word for word in KINDS}, OTHER_KINDS)
        if kind is None and not node.children and device == "console":
            kind = "pty"
        if kind is None:
            reading.fail(node, f"<{node.tag}> needs type='pty', 'unix', 'file' …")
        furniture(reading, node)
        sources = node.all("source")
        for source in sources:
            source.visited = True
        if kind in {"pty", "stdio", "vc"}:
            node.take("tty")
            for source in sources:
                if source.take("path") is not None:
                    reading.once(source, "the terminals of a running guest are made anew")
            if kind != "pty":
                message = f"{kind} becomes a private socket, which the notebook's console opens"
                reading.note(node, "changed", message)
            return Private()
        if kind == "null":
            return self._null()
        return self._open(node, device, kind, sources)

    def _null(self) -> CharBack:
        from kvmnb.spec.charbacks import Null

        return Null()

    def _open(self, node: Node, device: str, kind: str, sources: list[Node]) -> CharBack:
        from kvmnb.spec import charbacks

        reading = self.reading
        if kind == "spicevmc":
            if device != "channel":
                raise Keep
            return charbacks.SpicePort()
        if not sources:
            reading.fail(node, f"<{node.tag} type='{kind}'> needs <source>")
        source = sources[0]
        with reading.checked(source):
            match kind:
                case "spiceport":
                    if source.peek("channel") in {None, "vdagent"}:
                        raise Keep
                    return charbacks.SpicePort(self._text(source, "channel"))
                case "file":
                    append = reading.flag(source, "append") or False
                    return charbacks.File(self._text(source, "path"), append)
                case "pipe":
                    return charbacks.Pipe(self._text(source, "path"))
                case "dev":
                    return charbacks.HostPort(self._text(source, "path"))
                case "unix":
                    server = self._server(source)
                    return charbacks.UnixSocket(path=self._text(source, "path"), server=server)
                case "tcp":
                    return self._tcp(node, source)
                case _:
                    return self._udp(node, sources)

    def _text(self, source: Node, name: str) -> str:
        found = source.take(name)
        if found is None:
            self.reading.fail(source, f"<{source.tag}> needs {name}='…'")
        return found

    def _server(self, source: Node) -> bool:
        found = self.reading.choice(source, "mode", {"bind": True, "connect": False})
        return found or False

    def _port(self, source: Node) -> int:
        return self.reading.needed(source, "service")

    def _tcp(self, node: Node, source: Node) -> CharBack:
        from kvmnb.spec.charbacks import TCP

        telnet = False
        for protocol in node.all("protocol"):
            protocol.visited = True
            words = {"raw": False, "telnet": True}
            telnet = (
                self.reading.choice(protocol, "type", words, frozenset({"telnets", "tls"})) or False
            )
        host = source.take("host") or "127.0.0.1"
        return TCP(port=self._port(source), host=host, server=self._server(source), telnet=telnet)

    def _udp(self, node: Node, sources: list[Node]) -> CharBack:
        from kvmnb.spec.charbacks import UDP

        given: dict[str, Any] = {}
        for source in sources:
            if self._server(source):
                given["local_host"] = source.take("host")
                given["local_port"] = self._port(source)
            else:
                given["host"] = source.take("host") or "127.0.0.1"
                given["port"] = self._port(source)
        for protocol in node.all("protocol"):
            protocol.drop()
        if "port" not in given:
            raise Keep
        return UDP(**given)
