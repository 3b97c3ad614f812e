"""Where the other end of a character device can be, apart from a private socket."""

from __future__ import annotations

from dataclasses import dataclass

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = [
    *("Null", "File", "Pipe", "HostPort", "TCP", "UDP", "UnixSocket", "SpicePort"),
    *("OpenBack", "OPEN_BACKS"),
]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Null(Value):
    """Nowhere: what is written is lost, nothing is ever read."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class File(Value):
    """A file that takes what the guest writes.

    Parameters
    ----------
    path : of the file
    append : after what it holds; else it is emptied first
    """

    path: str
    append: bool = False

    def __post_init__(self) -> None:
        validate.path("file", self.path)
        validate.switch("file.append", self.append)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Pipe(Value):
    """Two FIFOs, ``path.in`` and ``path.out``, or one FIFO for both."""

    path: str

    def __post_init__(self) -> None:
        validate.path("pipe", self.path)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class HostPort(Value):
    """A port or terminal of the host, such as ``/dev/ttyS0`` or ``/dev/parport0``."""

    path: str

    def __post_init__(self) -> None:
        validate.path("device", self.path)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class TCP(Value):
    """A TCP connection.

    Parameters
    ----------
    port, host : where
    server : it listens there; else it connects
    wait : a server lets the guest start only when somebody is connected
    telnet : it speaks the telnet protocol
    """

    port: int
    host: str = "127.0.0.1"
    server: bool = False
    wait: bool = False
    telnet: bool = False

    def __post_init__(self) -> None:
        validate.port("tcp.port", self.port)
        validate.host("tcp.host", self.host)
        for field in ("server", "wait", "telnet"):
            validate.switch(f"tcp.{field}", getattr(self, field))
        if self.wait and not self.server:
            raise SpecError("tcp.wait", True, "only a server waits")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class UDP(Value):
    """UDP datagrams.

    Parameters
    ----------
    port, host : where they go
    local_port, local_host : where answers come in; ``None`` for any
    """

    port: int
    host: str = "127.0.0.1"
    local_port: int | None = None
    local_host: str | None = None

    def __post_init__(self) -> None:
        validate.port("udp.port", self.port)
        validate.host("udp.host", self.host)
        validate.optional(validate.port, "udp.local_port", self.local_port)
        validate.optional(validate.host, "udp.local_host", self.local_host)
        if self.local_host is not None and self.local_port is None:
            raise SpecError("udp.local_host", self.local_host, "goes with a local port")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class UnixSocket(Value):
    """A Unix socket.

    Parameters
    ----------
    path : of it
    server : it listens there; else it connects
    wait : a server lets the guest start only when somebody is connected
    """

    path: str
    server: bool = True
    wait: bool = False

    def __post_init__(self) -> None:
        validate.path("unix.path", self.path)
        validate.switch("unix.server", self.server)
        validate.switch("unix.wait", self.wait)
        if self.wait and not self.server:
            raise SpecError("unix.wait", True, "only a server waits")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SpicePort(Value):
    """A channel of the SPICE server; ``vdagent`` is its own agent's."""

    name: str = "vdagent"

    def __post_init__(self) -> None:
        validate.word("spice.name", self.name)


OpenBack = Null | File | Pipe | HostPort | TCP | UDP | UnixSocket | SpicePort
OPEN_BACKS = (Null, File, Pipe, HostPort, TCP, UDP, UnixSocket, SpicePort)
