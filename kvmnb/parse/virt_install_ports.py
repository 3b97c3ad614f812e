"""``--serial``, ``--parallel``, ``--console`` and ``--channel`` of virt-install."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kvmnb.compile.virt_install_ports import AGENT_CHANNEL, SPICE_CHANNEL
from kvmnb.parse.virt_install_draft import Draft
from kvmnb.parse.virt_install_options import Given
from kvmnb.parse.virt_install_subs import Subs
from kvmnb.spec.charbacks import TCP, UDP, File, HostPort, Null, Pipe, SpicePort, UnixSocket
from kvmnb.spec.chardev import Private, Serial
from kvmnb.spec.ports import Channel, Console, Parallel

if TYPE_CHECKING:
    from kvmnb.spec.chardev import CharBack

__all__ = ["channel", "console", "parallel", "serial"]

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.%]{2,60})\]|([^:\[\]]{0,255}))(?::(\d{1,5}))?", re.ASCII)
TYPES = ("pty", "null", "file", "pipe", "dev", "tcp", "udp", "unix", "spicevmc", "spiceport")
TERMINALS = {"stdio": "a terminal of virt-install's own", "vc": "a screen of QEMU's own"}


def serial(draft: Draft, given: Given) -> None:
    """Read ``--serial``."""
    if given.value == "none":
        draft.note(given.position, "--serial none", "ignored", "--console none has no console")
        return
    subs = Subs(draft, given, "type", option="serial")
    target = subs.filled("target.type", "target_type") or "isa-serial"
    if target not in {"isa-serial", "pci-serial", "usb-serial"}:
        draft.fail(given.position, "target.type is isa-serial, pci-serial or usb-serial")
    back = _back(draft, subs)
    model = target.partition("-")[0]
    field = draft.add("serials", draft.make(given.position, Serial, back, model))
    subs.keep(field)


def parallel(draft: Draft, given: Given) -> None:
    """Read ``--parallel``."""
    subs = Subs(draft, given, "type", option="parallel")
    field = draft.add("parallels", draft.make(given.position, Parallel, _back(draft, subs)))
    subs.keep(field)


def console(draft: Draft, given: Given) -> None:
    """Read ``--console``: a virtio console, or the first serial port."""
    if given.value == "none":
        draft.silenced.add("console")
        return
    subs = Subs(draft, given, "type", option="console")
    target = subs.filled("target.type", "target_type") or "serial"
    back = _back(draft, subs)
    if target == "virtio":
        subs.keep(draft.add("consoles", draft.make(given.position, Console, back)))
        return
    if target != "serial":
        draft.fail(given.position, "target.type is serial or virtio")
    if draft.lists.get("serials"):
        message = "libvirt shows the first serial port as this console; it is no second device"
        draft.note(given.position, "--console", "ignored", message)
        subs.rest()
        return
    subs.keep(draft.add("serials", draft.make(given.position, Serial, back)))


def channel(draft: Draft, given: Given) -> None:
    """Read ``--channel``: a virtio port, the agents' among them."""
    if given.value == "none":
        draft.silenced.add("channel")
        return
    subs = Subs(draft, given, "type", option="channel")
    target = subs.filled("target.type", "target_type") or "virtio"
    if target != "virtio":
        draft.keep_words("--channel", given.value or "")
        message = "no field of the description stands for such a channel; it stays as it is"
        draft.note(given.position, given.value or "", "kept", message)
        draft.said["channel"] = given.position
        return
    kind = subs.filled("type", "char_type") or "pty"
    name = subs.filled("target.name", "name")
    if name is None and kind == "spicevmc":
        name = SPICE_CHANNEL
    has_path = subs.has("path", "source.path")
    if name == AGENT_CHANNEL and (kind == "pty" or (kind == "unix" and not has_path)):
        subs.filled("mode", "source.mode")
        draft.fields["agent"] = True
        draft.said["channel"] = given.position
        subs.keep("agent")
        return
    if name is None:
        draft.fail(given.position, "a channel needs a name: target.name=org.example.0")
    part = draft.make(given.position, Channel, name, _back(draft, subs, kind))
    subs.keep(draft.add("channels", part))


def _back(draft: Draft, subs: Subs, kind: str | None = None) -> CharBack:
    position = subs.position
    if kind is None:
        kind = subs.filled("type", "char_type") or "pty"
    if kind in TERMINALS:
        message = f"{TERMINALS[kind]}; kvmnb gives it a private socket, for the notebook's console"
        draft.note(position, kind, "changed", message)
        return Private()
    path = subs.filled("path", "source.path")
    match kind:
        case "pty":
            if path is not None:
                draft.note(position, path[:40], "ignored", "libvirt chooses the terminal itself")
            return Private()
        case "null":
            return Null()
        case "spicevmc":
            return SpicePort()
        case "spiceport":
            return draft.make(position, SpicePort, subs.filled("source.channel") or "")
        case "tcp":
            return _tcp(draft, subs)
        case "udp":
            return _udp(draft, subs)
    if kind not in TYPES:
        draft.fail(position, f"a port leads to one of {', '.join(TYPES)}; not to {kind[:40]!r}")
    if path is None:
        draft.fail(position, f"{kind} needs a path: {kind},path=…")
    match kind:
        case "file":
            return draft.make(position, File, path)
        case "pipe":
            return draft.make(position, Pipe, path)
        case "dev":
            return draft.make(position, HostPort, path)
        case _:
            server = _is_server(draft, subs)
            return draft.make(position, UnixSocket, path=path, server=server)


def _is_server(draft: Draft, subs: Subs) -> bool:
    mode = subs.filled("mode", "source.mode") or "bind"
    if mode not in {"bind", "connect"}:
        draft.fail(subs.position, "mode is bind or connect")
    return mode == "bind"


def _tcp(draft: Draft, subs: Subs) -> TCP:
    server = _is_server(draft, subs)
    side = "bind" if server else "connect"
    host, port = _end(draft, subs, "host", "source.host", f"source.{side}_host")
    service = subs.number("source.service", f"source.{side}_service")
    protocol = subs.filled("protocol", "protocol.type") or "raw"
    if protocol not in {"raw", "telnet"}:
        draft.fail(subs.position, "protocol is raw or telnet")
    return draft.make(
        subs.position,
        TCP,
        port=service if port is None else port,
        host=host or "127.0.0.1",
        server=server,
        telnet=protocol == "telnet",
    )


def _udp(draft: Draft, subs: Subs) -> UDP:
    subs.filled("mode", "source.mode")
    host, port = _end(draft, subs, "host", "source.host", "source.connect_host")
    service = subs.number("source.connect_service", "source.service")
    local_host, local_port = _end(draft, subs, "bind_host", "source.bind_host")
    local = subs.number("source.bind_service")
    return draft.make(
        subs.position,
        UDP,
        port=service if port is None else port,
        host=host or "127.0.0.1",
        local_port=local if local_port is None else local_port,
        local_host=local_host,
    )


def _end(draft: Draft, subs: Subs, *keys: str) -> tuple[str | None, int | None]:
    """Return the host and the port of ``HOST:PORT``."""
    sub = subs.sub(*keys)
    if sub is None or not sub.value:
        return None, None
    found = _ADDRESS.fullmatch(sub.value)
    if found is None:
        draft.fail(sub.position, f"{sub.key} is HOST:PORT")
    return found[1] or found[2] or None, None if found[3] is None else int(found[3])
