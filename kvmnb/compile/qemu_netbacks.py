"""The backs of network cards that are not just user-mode networking."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, assert_never

from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.piece import Piece
from kvmnb.compile.qemu_layout import Layout
from kvmnb.compile.runtime import Runtime
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec import netbacks
from kvmnb.spec.forwards import Forward, GuestForward
from kvmnb.spec.network import NIC, User

if TYPE_CHECKING:
    from kvmnb.spec.network import NetBack

__all__ = ["forward_words", "host_card", "netdev", "passed_through", "spawns_for", "spawns_kept"]

_FIRST = {
    "stream": (7, 2),
    "dgram": (7, 2),
    "passt": (10, 1),
}
"""The QEMU that each kind of ``-netdev`` came with (QEMU's change log); all others are older."""

_RECONNECT = (8, 0)
_RECONNECT_MS = (9, 2)
"""``reconnect=`` in seconds came first, ``reconnect-ms=`` took its place (QEMU, "Deprecated")."""


Spawned = Literal["plain", "session", "setuid"]
"""How a program is started: just so; as the leader of a session of its own (setsid(2), which
``elevateprivileges=deny`` forbids); or with rights that it has and QEMU has not."""


def spawns_for(back: NetBack) -> frozenset[Spawned]:
    """Return which kinds of programs QEMU starts for `back`."""
    match back:
        case netbacks.Bridge():
            return frozenset({"setuid"})
        case netbacks.Tap() if back.script is not None or back.downscript is not None:
            return frozenset({"setuid"})  # an ordinary user's calls sudo, or it could do nothing
        case netbacks.Passt():
            return frozenset({"session"})
        case User():
            commands = any(each.target.startswith("cmd:") for each in back.guest_forwards)
            return frozenset({"session"}) if back.smb is not None or commands else frozenset()
        case _:
            return frozenset()


_KEPT_SETUID = re.compile(
    r"-(?:netdev|nic|net) (?:type=)?(?:bridge\b|tap\b(?!.*\bfds?=)"
    r"(?!(?=.*(?<!down)script=no\b)(?=.*downscript=no\b)))|-(?:netdev|nic|net) .*\bhelper="
    r"|-runas |-run-with (?:.*,)?user=",
    re.DOTALL,
)
_KEPT_SESSION = re.compile(
    r"-(?:netdev|nic|net) (?:type=)?user\b.*(?:\bsmb=|-cmd:)|-display spice-app", re.DOTALL
)
"""Options kept verbatim for which QEMU starts programs, or takes another user's rights."""


def spawns_kept(words: tuple[str, ...]) -> frozenset[Spawned]:
    """Return which kinds of programs QEMU starts for options that no field stands for."""
    found: set[Spawned] = set()
    for option, value in itertools.pairwise((*words, "")):
        told = f"{option} {value}"
        if _KEPT_SETUID.match(told):
            found.add("setuid")
        elif _KEPT_SESSION.match(told):
            found.add("session")
    return frozenset(found)


def passed_through(back: NetBack) -> bool:
    """Return whether the card is a device of the host, with no back of QEMU's at all."""
    return isinstance(back, netbacks.HostNIC)


def host_card(nic: NIC, field: str, id: str, layout: Layout) -> Piece:
    """Return the front of a card that is the host's own."""
    back = nic.back
    assert isinstance(back, netbacks.HostNIC)
    own = {
        "model": nic.model != "virtio",
        "mac": nic.mac is not None,
        **{key: getattr(nic, key) is not None for key in ("vectors", "queues", "mtu")},
    }
    for name, asked in own.items():
        if asked:
            raise Unsupported("qemu", f"{field}.{name}", "a card of the host's brings its own")
    if not back.managed:
        hint = "QEMU takes no device from its driver; bind it to vfio-pci, and leave this out"
        raise Unsupported("qemu", f"{field}.back.managed", hint)
    more = {"addr": nic.address, "bootindex": nic.bootindex, **dict(nic.options)}
    return layout.device(field, "vfio-pci", more, id=id, host=back.address)


def netdev(nic: NIC, field: str, id: str, layout: Layout) -> Iterator[Piece]:
    """Yield the back half of a card.

    Raises
    ------
    Unsupported   only libvirt, or a newer QEMU, provides it
    SpecError     it does not fit the card, or the memory
    """
    back = nic.back
    assert back is not None
    if isinstance(back, netbacks.VhostUser):
        if not layout.spec.memory.shared:
            reason = "its process maps the guest's memory: mem(…, source='memfd', shared=True)"
            raise SpecError(f"{field}.back", back, reason)
        more: dict[str, Value] = {"server": back.server, "wait": False if back.server else None}
        socket = Opts("socket", more, id=f"{id}-vhost", path=back.path)
        yield Piece(field, "back", ("-chardev", str(socket)))
    yield Piece(field, "back", ("-netdev", str(_netdev(nic, back, field, id, layout.runtime))))


def _netdev(nic: NIC, back: NetBack, field: str, id: str, runtime: Runtime) -> Opts:
    match back:
        case User():
            return _user(back, id)
        case netbacks.Tap():
            return _tap(nic, back, id)
        case netbacks.Bridge():
            return Opts("bridge", id=id, br=back.name, helper=back.helper)
        case netbacks.Socket():
            return _socket(back, id)
        case netbacks.Stream():
            _check_kind("stream", field, runtime)
            return _stream(back, field, id, runtime)
        case netbacks.Dgram():
            _check_kind("dgram", field, runtime)
            ends: dict[str, Value] = {}
            for end in ("local", "remote"):
                path, host = getattr(back, f"{end}_path"), getattr(back, f"{end}_host")
                ends.update(_address(end, path, host, getattr(back, f"{end}_port")))
            return Opts("dgram", ends, id=id)
        case netbacks.VDE():
            return Opts(
                "vde", id=id, sock=back.socket, port=back.port, group=back.group, mode=back.mode
            )
        case netbacks.Passt():
            _check_kind("passt", field, runtime)
            return Opts("passt", id=id, interface=back.interface)
        case netbacks.VhostUser():
            queues = None if nic.queues in {None, 1} else nic.queues
            return Opts("vhost-user", id=id, chardev=f"{id}-vhost", queues=queues)
        case netbacks.LibvirtNetwork():
            hint = "the network is libvirt's; use Host('qemu:///system'), or a Bridge on its bridge"
            raise Unsupported("qemu", f"{field}.back", hint)
        case netbacks.Direct():
            hint = "libvirt makes the macvtap; make one, open it, and hand it over: Tap(fd=)"
            raise Unsupported("qemu", f"{field}.back", hint)
        case netbacks.HostNIC():
            raise AssertionError("a card of the host's has no back of QEMU's")
        case _:
            assert_never(back)


def _check_kind(kind: str, field: str, runtime: Runtime) -> None:
    words = ".".join(map(str, _FIRST[kind]))
    if runtime.netdevs is None:
        there = runtime.version >= _FIRST[kind]
    else:
        there = kind in runtime.netdevs
    if not there:
        ours = ".".join(map(str, runtime.version))
        hint = f"-netdev {kind} came with QEMU {words}, where it was built in; this is {ours}"
        raise Unsupported("qemu", f"{field}.back", hint)


def _user(back: User, id: str) -> Opts:
    six = ":" in (back.network or "")
    more: dict[str, Value] = {
        "ipv6-net" if six else "net": back.network,
        "ipv6-host" if ":" in (back.host or "") else "host": back.host,
        "restrict": back.restricted or None,
        "hostname": back.hostname,
        "dhcpstart": back.dhcpstart,
        "ipv6-dns" if ":" in (back.dns or "") else "dns": back.dns,
        "dnssearch": back.search,
        "domainname": back.domain,
        "tftp": back.tftp,
        "bootfile": back.bootfile,
        "smb": back.smb,
        "hostfwd": tuple(map(forward_words, back.forwards)),
        "guestfwd": tuple(map(_guest_forward, back.guest_forwards)),
        "ipv4": back.ipv4,
        "ipv6": back.ipv6,
    }
    return Opts("user", more, id=id)


def forward_words(forward: Forward) -> str:
    """Return a forwarded port as QEMU writes it, after ``hostfwd=`` and ``hostfwd_add``."""
    for address in (forward.host_address, forward.guest_address):
        if address is not None and not re.fullmatch(r"[0-9]+(\.[0-9]+){3}", address, re.ASCII):
            raise SpecError("nic.hostfwd", address, "QEMU forwards between IPv4 addresses only")
    to = f"{forward.guest_address or ''}:{forward.guest_port}"
    return f"{forward.protocol}:{forward.host_address}:{forward.host_port}-{to}"


def _guest_forward(forward: GuestForward) -> str:
    return f"tcp:{forward.address}:{forward.port}-{forward.target}"


def _tap(nic: NIC, back: netbacks.Tap, id: str) -> Opts:
    if nic.queues is not None and back.queues is not None and nic.queues != back.queues:
        raise SpecError("nic.queues", nic.queues, f"the tap has {back.queues}")
    queues = back.queues if nic.queues in {None, 1} else nic.queues
    if back.fd is not None:
        for name, value in {"vnet_hdr": back.vnet_hdr, "queues": queues}.items():
            if value is not None:
                raise SpecError(f"nic.{name}", value, "a tap that is open has it or not already")
        return Opts("tap", id=id, fd=back.fd, vhost=back.vhost)
    return Opts(
        "tap",
        id=id,
        ifname=back.ifname,
        script=_script("script", back.script),
        downscript=_script("downscript", back.downscript),
        vnet_hdr=back.vnet_hdr,
        vhost=back.vhost,
        queues=queues,
    )


def _script(field: str, path: str | None) -> str:
    if path == "no":
        raise SpecError(f"nic.{field}", path, "QEMU takes it for none at all; write './no'")
    return path or "no"


def _socket(back: netbacks.Socket, id: str) -> Opts:
    to = f"{_bracketed(back.host or '')}:{back.port}"
    own = None if back.local_host is None else _bracketed(back.local_host)
    if back.local_port is not None:
        own = f"{own or ''}:{back.local_port}"
    return (
        Opts("socket", {back.role: to}, id=id, localaddr=None)
        if own is None
        else Opts("socket", {back.role: to, "localaddr": own}, id=id)
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _stream(back: netbacks.Stream, field: str, id: str, runtime: Runtime) -> Opts:
    more: dict[str, Value] = {
        "server": back.server,
        **_address("addr", back.path, back.host, back.port),
    }
    if back.reconnect_s:
        if runtime.version < _RECONNECT:
            hint = "a stream that tries again came with QEMU 8.0"
            raise Unsupported("qemu", f"{field}.back.reconnect_s", hint)
        if runtime.version < _RECONNECT_MS:
            more["reconnect"] = back.reconnect_s
        else:
            more["reconnect-ms"] = back.reconnect_s * 1000
    return Opts("stream", more, id=id)


def _address(key: str, path: str | None, host: str | None, port: int | None) -> dict[str, Value]:
    if path is not None:
        return {f"{key}.type": "unix", f"{key}.path": path}
    if host is not None:
        return {f"{key}.type": "inet", f"{key}.host": host, f"{key}.port": port}
    return {}
