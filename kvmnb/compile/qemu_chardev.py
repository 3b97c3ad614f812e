"""Character devices: serial and parallel ports, consoles, channels, monitors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.piece import Half, Piece
from kvmnb.compile.qemu_layout import Layout, private_socket
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec import charbacks
from kvmnb.spec.chardev import Private
from kvmnb.spec.domain import DomainSpec

if TYPE_CHECKING:
    from kvmnb.spec.chardev import CharBack

__all__ = ["further", "serials"]

_SERIALS = {"isa": "isa-serial", "pci": "pci-serial", "usb": "usb-serial"}
_ISA_SERIALS = 4
_ISA_PARALLELS = 3
"""Places that ISA has for them (``MAX_ISA_SERIAL_PORTS``, ``MAX_PARALLEL_PORTS`` in QEMU)."""

_VMC = ("vdagent", "usbredir", "smartcard")
"""Channels that SPICE's own clients know (QEMU manual, -chardev spicevmc); others are ports."""


def serials(spec: DomainSpec, layout: Layout) -> Iterator[Piece]:
    """Yield the serial ports; the first one's socket is called ``serial``."""
    if sum(each.model == "isa" for each in spec.serials) > _ISA_SERIALS:
        raise SpecError("serials", len(spec.serials), "ISA takes four; use model 'pci' or 'usb'")
    for index, serial in enumerate(spec.serials):
        id, field = f"serial{index}", f"serials[{index}]"
        socket = id if index else "serial"
        yield _chardev(serial.back, field, "back", id, socket, layout, logged=True)
        if serial.model == "usb":
            yield from layout.usb()
        more: dict[str, Value] = {"bus": "usb-bus.0"} if serial.model == "usb" else {}
        yield layout.device(field, _SERIALS[serial.model], more, id=id, chardev=id)


def further(spec: DomainSpec, layout: Layout) -> Iterator[Piece]:
    """Yield parallel ports, virtio consoles, virtio channels and monitors."""
    if len(spec.parallels) > _ISA_PARALLELS:
        raise SpecError("parallels", len(spec.parallels), "a board takes three")
    for index, parallel in enumerate(spec.parallels):
        id, field = f"parallel{index}", f"parallels[{index}]"
        yield _chardev(parallel.back, field, "back", id, id, layout, parallel=True)
        yield layout.device(field, "isa-parallel", id=id, chardev=id)
    for index, console in enumerate(spec.consoles):
        id, field = f"console{index}", f"consoles[{index}]"
        yield from layout.virtio_serial(field)
        yield _chardev(console.back, field, "back", id, id, layout, logged=True)
        yield layout.device(field, "virtconsole", id=id, chardev=id)
    names = [channel.name for channel in spec.channels]
    for index, channel in enumerate(spec.channels):
        if names.index(channel.name) != index:
            raise SpecError("channel", channel.name, "another channel is called so already")
        id, field = f"channel{index}", f"channels[{index}]"
        yield from layout.virtio_serial(field)
        yield _chardev(channel.back, field, "back", id, id, layout)
        yield layout.device(field, "virtserialport", id=id, chardev=id, name=channel.name)
    for index, monitor in enumerate(spec.monitors):
        id, field = f"monitor{index}", f"monitors[{index}]"
        yield _chardev(monitor.back, field, "", id, id, layout)
        mode = "control" if monitor.mode == "qmp" else "readline"
        yield Piece(field, "", ("-mon", str(Opts(None, chardev=id, mode=mode))))


def _chardev(
    back: CharBack,
    field: str,
    half: Half,
    id: str,
    socket: str,
    layout: Layout,
    *,
    logged: bool = False,
    parallel: bool = False,
) -> Piece:
    if isinstance(back, Private):
        return private_socket(field, half, id, socket, layout.runtime, logged)
    return Piece(field, half, ("-chardev", str(_open(back, field, id, layout, parallel))))


def _open(back: CharBack, field: str, id: str, layout: Layout, parallel: bool) -> Opts:
    match back:
        case charbacks.Null():
            return Opts("null", id=id)
        case charbacks.File():
            return Opts("file", id=id, path=back.path, append=back.append)
        case charbacks.Pipe():
            return Opts("pipe", id=id, path=back.path)
        case charbacks.HostPort():
            return Opts("parallel" if parallel else "serial", id=id, path=back.path)
        case charbacks.TCP():
            return Opts(
                "socket",
                id=id,
                host=back.host,
                port=back.port,
                server=back.server,
                wait=back.wait if back.server else None,
                telnet=back.telnet or None,
            )
        case charbacks.UDP():
            return Opts(
                "udp",
                id=id,
                host=back.host,
                port=back.port,
                localaddr=back.local_host,
                localport=back.local_port,
            )
        case charbacks.UnixSocket():
            wait = back.wait if back.server else None
            return Opts("socket", id=id, path=back.path, server=back.server, wait=wait)
        case charbacks.SpicePort():
            if not layout.has_spice():
                raise Unsupported("qemu", f"{field}.back", "it needs a Spice display")
            kind = "spicevmc" if back.name in _VMC else "spiceport"
            return Opts(kind, id=id, name=back.name)
        case Private():
            raise AssertionError("a private socket has a file of the engine's")
        case _:
            assert_never(back)
