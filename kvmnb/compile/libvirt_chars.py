"""Character devices as elements of domain XML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from kvmnb.compile.libvirt_board import Item
from kvmnb.compile.libvirt_words import AGENT
from kvmnb.compile.libvirt_xml import Element, refused
from kvmnb.spec.chardev import Private

if TYPE_CHECKING:
    from kvmnb.spec.chardev import CharBack
    from kvmnb.spec.domain import DomainSpec

__all__ = ["SPICE_AGENT", "chars"]

SPICE_AGENT = "com.redhat.spice.0"
"""The channel that SPICE's agent opens in the guest (SPICE, vd_agent protocol)."""


def chars(spec: DomainSpec) -> Iterator[Item]:
    """Yield serial and parallel ports, consoles and channels, in libvirt's order."""
    for index, serial in enumerate(spec.serials):
        field = f"serials[{index}]"
        kind = None if serial.model == "isa" else f"{serial.model}-serial"
        target = Element("target", type=kind, port=index)
        yield Item("devices", field, _device("serial", field, serial.back, target))
    for index, parallel in enumerate(spec.parallels):
        field = f"parallels[{index}]"
        yield Item(
            "devices",
            field,
            _device("parallel", field, parallel.back, Element("target", port=index)),
        )
    for index, console in enumerate(spec.consoles):
        field = f"consoles[{index}]"
        target = Element("target", type="virtio", port=index)
        yield Item("devices", field, _device("console", field, console.back, target))
    if spec.agent:
        target = Element("target", type="virtio", name=AGENT)
        yield Item("devices", "agent", Element("channel", target, type="unix"))
    for index, channel in enumerate(spec.channels):
        field = f"channels[{index}]"
        target = Element("target", type="virtio", name=channel.name)
        yield Item("devices", field, _device("channel", field, channel.back, target))
    if spec.monitors:
        refused("monitors[0]", "libvirt keeps QEMU's monitor: virsh qemu-monitor-command NAME …")


def _device(tag: str, field: str, back: CharBack, target: Element) -> Element:
    kind, children = _back(tag, f"{field}.back", back)
    return Element(tag, *children, target, type=kind)


def _back(tag: str, field: str, back: CharBack) -> tuple[str, tuple[Element, ...]]:
    if isinstance(back, Private):
        return "pty", ()
    from kvmnb.spec import charbacks

    match back:
        case charbacks.Null():
            return "null", ()
        case charbacks.File():
            append = "on" if back.append else None
            return "file", (Element("source", path=back.path, append=append),)
        case charbacks.Pipe():
            return "pipe", (Element("source", path=back.path),)
        case charbacks.HostPort():
            return "dev", (Element("source", path=back.path),)
        case charbacks.TCP():
            if back.wait:
                refused(f"{field}.wait", "libvirt's sockets let the guest start at once")
            mode = "bind" if back.server else "connect"
            protocol = Element("protocol", type="telnet" if back.telnet else "raw")
            return "tcp", (
                Element("source", mode=mode, host=back.host, service=back.port),
                protocol,
            )
        case charbacks.UDP():
            far = Element("source", mode="connect", host=back.host, service=back.port)
            if back.local_port is None:
                return "udp", (far,)
            near = Element(
                "source", mode="bind", host=back.local_host, service=str(back.local_port)
            )
            return "udp", (near, far)
        case charbacks.UnixSocket():
            if back.wait:
                refused(f"{field}.wait", "libvirt's sockets let the guest start at once")
            mode = "bind" if back.server else "connect"
            return "unix", (Element("source", mode=mode, path=back.path),)
        case charbacks.SpicePort():
            if back.name != "vdagent":
                return "spiceport", (Element("source", channel=back.name),)
            if tag != "channel":
                refused(field, f"SPICE's agent has a channel: Channel({SPICE_AGENT!r}, …)")
            return "spicevmc", ()
        case _:
            assert_never(back)
