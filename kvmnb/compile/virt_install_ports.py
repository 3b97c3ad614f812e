"""Character devices as options of virt-install: ports, consoles, channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from kvmnb.compile.piece import Piece
from kvmnb.compile.virt_install_words import Pairs, joined, option, refused
from kvmnb.spec.charbacks import TCP, UDP, File, HostPort, Null, Pipe, SpicePort, UnixSocket
from kvmnb.spec.chardev import Private
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.screens import Spice

if TYPE_CHECKING:
    from kvmnb.spec.chardev import CharBack

__all__ = ["AGENT_CHANNEL", "SPICE_CHANNEL", "char_back", "ports"]

AGENT_CHANNEL = "org.qemu.guest_agent.0"
SPICE_CHANNEL = "com.redhat.spice.0"
"""The names by which QEMU's and SPICE's agents find their ports (libvirt, "Channel")."""


def ports(spec: DomainSpec, more: dict[str, list[str]]) -> Iterator[Piece]:
    """Yield the options for all character devices, and those against unasked ones."""
    if spec.monitors:
        refused("monitors", "libvirt keeps QEMU's monitor: virsh qemu-monitor-command NAME")
    for index, serial in enumerate(spec.serials):
        target = None if serial.model == "isa" else f"{serial.model}-serial"
        field = f"serials[{index}]"
        yield _port(field, "--serial", serial.back, [("target.type", target)], more)
    for index, parallel in enumerate(spec.parallels):
        yield _port(f"parallels[{index}]", "--parallel", parallel.back, [], more)
    for index, console in enumerate(spec.consoles):
        field = f"consoles[{index}]"
        yield _port(field, "--console", console.back, [("target.type", "virtio")], more)
    if not spec.serials and not spec.consoles:
        yield option("serials", "--console", "none")
    yield from _channels(spec, more)


def _channels(spec: DomainSpec, more: dict[str, list[str]]) -> Iterator[Piece]:
    has_vdagent = any(each.back == SpicePort() for each in spec.channels)
    has_spice = any(isinstance(each, Spice) for each in spec.displays)
    if (has_spice and not has_vdagent) or not (spec.channels or spec.agent):
        yield option("channels", "--channel", "none")
    if spec.agent:
        target = [("target.type", "virtio"), ("target.name", AGENT_CHANNEL)]
        yield option("agent", "--channel", joined("unix", target))
    for index, channel in enumerate(spec.channels):
        field = f"channels[{index}]"
        target = [("target.type", "virtio"), ("target.name", channel.name)]
        yield _port(field, "--channel", channel.back, target, more)


def _port(
    field: str, name: str, back: CharBack, target: Pairs, more: dict[str, list[str]]
) -> Piece:
    head, source = char_back(back, field)
    text = joined(head, [*source, *target])
    return option(field, name, ",".join([text, *more.get(field, ())]))


def char_back(back: CharBack, field: str) -> tuple[str, Pairs]:
    """Return libvirt's word for a back end, and the sub-options that say where it is."""
    match back:
        case Private():
            return "pty", ()
        case Null():
            return "null", ()
        case File():
            if back.append:
                refused(f"{field}.back.append", "virt-install has no option for it; libvirt has")
            return "file", (("path", back.path),)
        case Pipe():
            return "pipe", (("path", back.path),)
        case HostPort():
            return "dev", (("path", back.path),)
        case TCP():
            if back.wait:
                refused(f"{field}.back.wait", "libvirt's servers let the guest start at once")
            return "tcp", (
                ("host", _address(back.host, back.port, field)),
                ("mode", "bind" if back.server else "connect"),
                ("protocol.type", "telnet" if back.telnet else None),
            )
        case UDP():
            return "udp", (
                ("host", _address(back.host, back.port, field)),
                ("bind_host", _local(back, field)),
                ("source.bind_service", back.local_port if back.local_host is None else None),
            )
        case UnixSocket():
            if back.wait:
                refused(f"{field}.back.wait", "libvirt's servers let the guest start at once")
            return "unix", (("path", back.path), ("mode", "bind" if back.server else "connect"))
        case SpicePort():
            if back == SpicePort():
                return "spicevmc", ()
            return "spiceport", (("source.channel", back.name),)
        case _:
            assert_never(back)


def _address(host: str, port: int, field: str) -> str:
    if ":" in host:
        hint = "virt-install takes what follows the first colon for the port; use a name"
        refused(f"{field}.back.host", hint)
    return f"{host}:{port}"


def _local(back: UDP, field: str) -> str | None:
    if back.local_port is None or back.local_host is None:
        return None
    return _address(back.local_host, back.local_port, field)
