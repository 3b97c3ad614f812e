"""What carries a card's frames, other than user-mode networking."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = [
    *("Tap", "Bridge", "Socket", "Stream", "Dgram", "VDE", "Passt", "VhostUser"),
    *("LibvirtNetwork", "Direct", "HostNIC", "HostBack", "HOST_BACKS"),
]

_INTERFACE = re.compile(r"[^\s/:]{1,15}")
"""A network interface's name (Linux, IFNAMSIZ and dev_valid_name)."""

_PCI = re.compile(r"([0-9a-f]{4}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", re.ASCII)


def interface(field: str, value: object) -> str:
    """Return `value` if a network interface of Linux can be called so."""
    given = validate.text(field, value)
    if not _INTERFACE.fullmatch(given) or given in {".", ".."}:
        raise SpecError(field, value, "an interface's name has 1 to 15 signs, no slash, no space")
    return given


def pci(field: str, value: object) -> str:
    """Return a PCI address with its domain, in lower case: ``0000:01:00.0``."""
    given = validate.text(field, value).lower()
    if not _PCI.fullmatch(given):
        raise SpecError(field, value, "not a PCI address such as 0000:01:00.0 (see lspci -D)")
    return given if given.count(":") == 2 else f"0000:{given}"


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Tap(Value):
    """A tap interface of the host.

    Parameters
    ----------
    ifname : its name; ``None`` lets the kernel choose
    script, downscript : what is run with the interface's name at the start and the end;
        ``None`` for nothing
    fd : a descriptor that QEMU inherits and that has the tap open; no other field goes with it
        but `vhost` and `vnet_hdr`
    vhost : the host's kernel moves the frames; ``None`` for QEMU's default, which is not
    vnet_hdr : frames carry virtio's header; ``None`` for QEMU's default, where it can
    queues : pairs of queues; ``None`` for one
    """

    ifname: str | None = None
    script: str | None = None
    downscript: str | None = None
    fd: int | None = None
    vhost: bool | None = None
    vnet_hdr: bool | None = None
    queues: int | None = None

    def __post_init__(self) -> None:
        validate.optional(interface, "nic.ifname", self.ifname)
        validate.optional(validate.path, "nic.script", self.script)
        validate.optional(validate.path, "nic.downscript", self.downscript)
        if self.fd is not None:
            validate.number("nic.fd", self.fd, 0, 1 << 20)
            if self.ifname is not None or self.script is not None or self.downscript is not None:
                raise SpecError("nic.fd", self.fd, "an open tap has its name and scripts already")
        validate.optional(validate.switch, "nic.vhost", self.vhost)
        validate.optional(validate.switch, "nic.vnet_hdr", self.vnet_hdr)
        if self.queues is not None:
            validate.positive("nic.queues", self.queues, 256)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Bridge(Value):
    """A bridge of the host, joined by a tap that QEMU's bridge helper makes.

    Parameters
    ----------
    name : of the bridge
    helper : the helper's path; ``None`` for QEMU's own
    """

    name: str = "br0"
    helper: str | None = None

    def __post_init__(self) -> None:
        interface("nic.bridge", self.name)
        validate.optional(validate.path, "nic.helper", self.helper)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Socket(Value):
    """An L2 between QEMU processes over TCP or UDP, QEMU's old way (``-netdev socket``).

    Parameters
    ----------
    role : ``listen`` and ``connect`` over TCP, ``mcast`` and ``udp`` over UDP
    host, port : where; ``host`` is ``None`` for every address of a listener
    local_host, local_port : from where, which `udp` needs; `mcast` takes a local address
    """

    role: Literal["listen", "connect", "mcast", "udp"]
    port: int
    host: str | None = None
    local_host: str | None = None
    local_port: int | None = None

    def __post_init__(self) -> None:
        validate.choice("nic.socket", self.role, ("listen", "connect", "mcast", "udp"))
        validate.port("nic.port", self.port)
        validate.optional(validate.host, "nic.host", self.host)
        validate.optional(validate.host, "nic.local_host", self.local_host)
        validate.optional(validate.port, "nic.local_port", self.local_port)
        if self.host is None and self.role != "listen":
            raise SpecError("nic.host", None, f"{self.role} needs one")
        if (self.local_port is None) == (self.role == "udp"):
            raise SpecError("nic.local_port", self.local_port, "goes with udp, and only with udp")
        if self.local_host is not None and self.role not in {"mcast", "udp"}:
            raise SpecError("nic.local_host", self.local_host, "goes with mcast and udp only")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Stream(Value):
    """A stream of frames to one other process (``-netdev stream``, QEMU 7.2 and later).

    Parameters
    ----------
    path : of a Unix socket, or else
    host, port : of a TCP socket
    server : it listens; else it connects
    reconnect_s : a client tries again after so many seconds (QEMU 8.0); 0 for never
    """

    path: str | None = None
    host: str | None = None
    port: int | None = None
    server: bool = False
    reconnect_s: int = 0

    def __post_init__(self) -> None:
        validate.optional(validate.path, "nic.path", self.path)
        validate.optional(validate.host, "nic.host", self.host)
        validate.optional(validate.port, "nic.port", self.port)
        validate.switch("nic.server", self.server)
        validate.number("nic.reconnect", self.reconnect_s, 0, 86400)
        if (self.path is None) == (self.port is None) or (self.host is None) != (self.port is None):
            raise SpecError("nic.path", self.path, "either a path, or a host and a port")
        if self.server and self.reconnect_s:
            raise SpecError("nic.reconnect", self.reconnect_s, "a server waits, and never tries")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Dgram(Value):
    """Frames as datagrams (``-netdev dgram``, QEMU 7.2 and later).

    Parameters
    ----------
    local_path, remote_path : of Unix sockets, or else
    local_host, local_port, remote_host, remote_port : of UDP; a multicast group as remote
        needs no local end
    """

    local_path: str | None = None
    remote_path: str | None = None
    local_host: str | None = None
    local_port: int | None = None
    remote_host: str | None = None
    remote_port: int | None = None

    def __post_init__(self) -> None:
        for end in ("local", "remote"):
            path, host = getattr(self, f"{end}_path"), getattr(self, f"{end}_host")
            port = getattr(self, f"{end}_port")
            validate.optional(validate.path, f"nic.{end}_path", path)
            validate.optional(validate.host, f"nic.{end}_host", host)
            validate.optional(validate.port, f"nic.{end}_port", port)
            if (host is None) != (port is None):
                raise SpecError(f"nic.{end}_port", port, "a host and a port go together")
            if path is not None and host is not None:
                raise SpecError(f"nic.{end}_path", path, "either a path, or a host and a port")
        if self.remote_path is None and self.remote_host is None and self.local_path is None:
            raise SpecError("nic.remote_host", None, "a remote end, or a local path, is needed")
        if (self.local_path is None) != (self.remote_path is None) and (
            self.remote_host is not None or self.local_host is not None
        ):
            raise SpecError("nic.local_path", self.local_path, "both ends must be of one kind")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class VDE(Value):
    """A port of a VDE switch.

    Parameters
    ----------
    socket : the switch's folder; ``None`` for VDE's default
    port : of the switch; ``None`` for any
    group : that may reach it
    mode : of the socket, such as ``"0700"``
    """

    socket: str | None = None
    port: int | None = None
    group: str | None = None
    mode: str | None = None

    def __post_init__(self) -> None:
        validate.optional(validate.path, "nic.socket", self.socket)
        validate.optional(validate.port, "nic.port", self.port)
        validate.optional(validate.word, "nic.group", self.group)
        if self.mode is not None and not re.fullmatch("[0-7]{3,4}", self.mode, re.ASCII):
            raise SpecError("nic.mode", self.mode, "must be octal, such as 0700")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Passt(Value):
    """User-mode networking by passt, a process of its own.

    Parameters
    ----------
    interface : of the host whose addresses the guest gets; ``None`` for that of the default route
    """

    interface: str | None = None

    def __post_init__(self) -> None:
        validate.optional(interface, "nic.interface", self.interface)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class VhostUser(Value):
    """A switch in another process that maps the guest's memory, such as Open vSwitch with DPDK.

    Parameters
    ----------
    path : of its Unix socket
    server : QEMU listens; else it connects
    """

    path: str
    server: bool = False

    def __post_init__(self) -> None:
        validate.path("nic.path", self.path)
        validate.switch("nic.server", self.server)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class LibvirtNetwork(Value):
    """A network that libvirt keeps, such as ``default``.

    Parameters
    ----------
    name : of the network
    portgroup : of it
    """

    name: str = "default"
    portgroup: str | None = None

    def __post_init__(self) -> None:
        validate.name("nic.network", self.name)
        validate.optional(validate.name, "nic.portgroup", self.portgroup)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Direct(Value):
    """A macvtap on an interface of the host: the guest is on its wire, the host not seen by it.

    Parameters
    ----------
    device : the host's interface
    mode : ``vepa bridge private passthrough`` (libvirt, "Direct attachment")
    """

    device: str
    mode: Literal["vepa", "bridge", "private", "passthrough"] = "bridge"

    def __post_init__(self) -> None:
        interface("nic.device", self.device)
        modes = ("vepa", "bridge", "private", "passthrough")
        validate.choice("nic.mode", self.mode, modes)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class HostNIC(Value):
    """A network function of the host, given to the guest whole: the card's model is its own.

    Parameters
    ----------
    address : on the host's PCI bus, such as ``"0000:01:10.0"``
    managed : libvirt takes it from its driver and gives it back
    """

    address: str
    managed: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", pci("nic.address", self.address))
        validate.switch("nic.managed", self.managed)


HostBack = (
    Tap | Bridge | Socket | Stream | Dgram | VDE | Passt | VhostUser | LibvirtNetwork
    | Direct | HostNIC
)  # fmt: skip
HOST_BACKS = (
    *(Tap, Bridge, Socket, Stream, Dgram, VDE, Passt, VhostUser),
    *(LibvirtNetwork, Direct, HostNIC),
)
