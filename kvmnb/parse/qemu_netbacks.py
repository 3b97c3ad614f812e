"""What carries a card's frames, as ``-netdev``, ``-nic`` and ``-net`` write it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kvmnb.parse.qemu_draft import Draft, suggestion
from kvmnb.parse.qemu_options import Given, Options
from kvmnb.spec.network import User

if TYPE_CHECKING:
    from kvmnb.spec.network import NetBack

__all__ = ["KINDS", "back_of"]

KINDS = (
    *("user", "tap", "bridge", "socket", "stream", "dgram", "vde", "vhost-user", "passt"),
    *("l2tpv3", "vhost-vdpa", "hubport", "netmap", "af-xdp", "vmnet-host", "vmnet-shared"),
    "vmnet-bridged",
)
"""The backs that QEMU has; fields stand for the first nine."""


def back_of(draft: Draft, kind: Given, options: Options) -> NetBack | None:
    """Return the back, its options taken out; ``None``, or options left, where no field stands.

    Raises
    ------
    ParseError   QEMU has no such back, or a value of it is wrong
    """
    match kind.value:
        case "user":
            return _user(draft, options)
        case "tap":
            return _tap(draft, kind, options)
        case "bridge":
            return _bridge(draft, kind, options)
        case "socket":
            return _socket(draft, kind, options)
        case "stream":
            return _stream(draft, kind, options)
        case "dgram":
            return _dgram(draft, kind, options)
        case "vde":
            return _vde(draft, kind, options)
        case "vhost-user":
            return _vhost_user(draft, options)
        case "passt":
            return _passt(draft, kind, options)
    if kind.value in KINDS:
        return None
    near = suggestion(kind.value, KINDS)
    told = f"QEMU has no network back {kind.value[:40]!r}: {near}one of: {', '.join(KINDS[:9])}"
    raise draft.refused(kind.value_at, told)


def _user(draft: Draft, options: Options) -> User:
    fields: dict[str, Any] = {}
    at = options.word.position
    for key, field in (
        *(("host", "host"), ("dhcpstart", "dhcpstart"), ("dns", "dns"), ("hostname", "hostname")),
        *(("domainname", "domain"), ("tftp", "tftp"), ("smb", "smb")),
    ):
        if given := options.take(key):
            fields[field], at = given.value, given.value_at
    if given := options.take("bootfile", "bootp"):
        fields["bootfile"] = given.value
    for key, field in (("ipv6-host", "host"), ("ipv6-dns", "dns"), ("ipv6-net", "network")):
        if field not in fields and (given := options.take(key)):
            fields[field], at = given.value, given.value_at
    if given := options.take("net"):
        fields["network"], at = _network(given.value), given.value_at
    for key, field in (("restrict", "restricted"), ("ipv4", "ipv4"), ("ipv6", "ipv6")):
        if given := options.take(key):
            fields[field] = draft.switch(given, key)
    if search := options.all("dnssearch"):
        fields["search"] = tuple(given.value for given in search)
    if forwards := options.all("hostfwd"):
        fields["forwards"] = tuple(
            forward(draft, given.value, given.value_at) for given in forwards
        )
    if guests := options.all("guestfwd"):
        fields["guest_forwards"] = tuple(_guest_forward(draft, given) for given in guests)
    return draft.made(at, User, **fields)


def _network(value: str) -> str:
    """Return a network with its size, which QEMU derives from the address (net/slirp.c)."""
    address, slash, size = value.partition("/")
    if "." in size:
        bits = "".join(f"{int(part):08b}" for part in size.split(".") if part.isdigit())
        return f"{address}/{bits.count('1')}"
    parts = address.split(".")
    if slash or len(parts) != 4 or not all(part.isdigit() and len(part) < 4 for part in parts):
        return value
    first, second = int(parts[0]), int(parts[1])
    if first < 128:
        return f"{address}/8"
    if first == 172 and 16 <= second < 32:
        return f"{address}/12"
    return f"{address}/16" if first < 192 or (first, second) == (192, 168) else f"{address}/24"


def forward(draft: Draft, value: str, at: int) -> Any:
    """Return ``[tcp|udp]:[address]:port-[address]:port`` as a door into the guest."""
    from kvmnb.spec.forwards import Forward

    found = re.fullmatch(r"(tcp|udp|)(?::([^:]*))?:(\d{1,6})[-:]([^:]*):(\d{1,6})", value, re.ASCII)
    if found is None:
        raise draft.refused(at, f"{value[:60]!r} is no tcp:ADDRESS:PORT-ADDRESS:PORT")
    protocol, host, host_port, guest, guest_port = found.groups()
    if not host:
        told = "without an address it would listen on all of them; kvmnb listens on 127.0.0.1"
        draft.note(at, value, "changed", told)
    return draft.made(
        at,
        Forward,
        protocol=protocol or "tcp",
        host_address=host or "127.0.0.1",
        host_port=int(host_port),
        guest_address=guest or None,
        guest_port=int(guest_port),
    )


def _guest_forward(draft: Draft, given: Given) -> Any:
    from kvmnb.spec.forwards import GuestForward

    found = re.fullmatch(r"(?:tcp|):([^:]+):(\d{1,6})-(.+)", given.value, re.ASCII | re.DOTALL)
    if found is None:
        raise draft.refused(given.value_at, f"{given.value[:60]!r} is no tcp:ADDRESS:PORT-TARGET")
    address, port, target = found.groups()
    return draft.made(given.value_at, GuestForward, address=address, port=int(port), target=target)


IFUP, IFDOWN = "/etc/qemu-ifup", "/etc/qemu-ifdown"
"""The scripts that a tap has unless told otherwise (QEMU manual, -netdev tap)."""


def _tap(draft: Draft, kind: Given, options: Options) -> NetBack | None:
    from kvmnb.spec.netbacks import Tap

    if options.get("helper") is not None or options.get("br") is not None:
        return _bridge(draft, kind, options)
    fields: dict[str, Any] = {}
    at = kind.value_at
    if given := options.take("fd"):
        fields["fd"] = draft.number(given, "fd", 0, 1 << 20)
    if given := options.take("ifname"):
        fields["ifname"], at = given.value, given.value_at
    for key, default in (("script", IFUP), ("downscript", IFDOWN)):
        given = options.take(key)
        if given is not None:
            fields[key] = None if given.value == "no" else given.value
        elif "fd" not in fields:
            fields[key] = default
            told = f"without {key}=no QEMU runs {default} with the tap's name"
            draft.note(kind.value_at, "tap", "default", told)
    for key in ("vhost", "vnet_hdr"):
        if given := options.take(key):
            fields[key] = draft.switch(given, key)
    if given := options.take("queues"):
        fields["queues"] = draft.number(given, "queues", 1, 256)
    if given := options.take("vhostfd", "vhostfds"):
        told = "a descriptor of the process that started QEMU then; kvmnb opens its own"
        draft.note(given.key_at, f"{given.key}={given.value}", "ignored", told)
    return draft.made(at, Tap, **fields)


def _bridge(draft: Draft, kind: Given, options: Options) -> NetBack:
    from kvmnb.spec.netbacks import Bridge

    name, helper = options.take("br"), options.take("helper")
    return draft.made(
        name.value_at if name else kind.value_at,
        Bridge,
        name.value if name else "br0",
        helper.value if helper else None,
    )


def _address(draft: Draft, given: Given) -> tuple[str | None, int]:
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*):(\d{1,6})", given.value, re.ASCII)
    if found is None:
        raise draft.refused(given.value_at, f"{given.value[:60]!r} is no HOST:PORT")
    return found.group(1).strip("[]") or None, int(found.group(2))


def _socket(draft: Draft, kind: Given, options: Options) -> NetBack | None:
    from kvmnb.spec.netbacks import Socket

    for role in ("listen", "connect", "mcast", "udp"):
        given = options.take(role)
        if given is None:
            continue
        host, port = _address(draft, given)
        fields: dict[str, Any] = {"host": host, "port": port}
        if role == "connect" and host is None:
            fields["host"] = "127.0.0.1"
        local = options.take("localaddr")
        if local is not None and ":" in local.value and role == "udp":
            fields["local_host"], fields["local_port"] = _address(draft, local)
        elif local is not None:
            fields["local_host"] = local.value
        return draft.made(given.value_at, Socket, role=role, **fields)
    return None


def _end(draft: Draft, options: Options, end: str) -> dict[str, Any] | None:
    """Return an address of ``stream`` or ``dgram`` as its fields; ``None`` for a descriptor."""
    kind = options.take(f"{end}.type")
    if kind is None:
        return {}
    if kind.value == "unix":
        path = options.take(f"{end}.path")
        return None if path is None else {"path": path.value}
    host, port = options.take(f"{end}.host"), options.take(f"{end}.port")
    if kind.value != "inet" or host is None or port is None:
        return None
    return {"host": host.value, "port": draft.number(port, "port", 0, 65535)}


def _stream(draft: Draft, kind: Given, options: Options) -> NetBack | None:
    from kvmnb.spec.netbacks import Stream

    end = _end(draft, options, "addr")
    server, reconnect = options.take("server"), options.take("reconnect")
    again = draft.number(reconnect, "reconnect", 0, 86400) if reconnect else 0
    if (given := options.take("reconnect-ms")) is not None:
        again, rest = divmod(draft.number(given, "reconnect-ms", 0, 86400000), 1000)
        if rest:
            options.items.append(given)
    if not end:
        return None
    return draft.made(
        kind.value_at,
        Stream,
        server=server is not None and draft.switch(server, "server"),
        reconnect_s=again,
        **end,
    )


def _dgram(draft: Draft, kind: Given, options: Options) -> NetBack | None:
    from kvmnb.spec.netbacks import Dgram

    local, remote = _end(draft, options, "local"), _end(draft, options, "remote")
    if local is None or remote is None:
        return None
    fields = {f"local_{key}": value for key, value in local.items()}
    fields |= {f"remote_{key}": value for key, value in remote.items()}
    return draft.made(kind.value_at, Dgram, **fields)


def _vde(draft: Draft, kind: Given, options: Options) -> NetBack:
    from kvmnb.spec.netbacks import VDE

    fields: dict[str, Any] = {}
    for key, field in (("sock", "socket"), ("group", "group"), ("mode", "mode")):
        if given := options.take(key):
            fields[field] = given.value
    if given := options.take("port"):
        fields["port"] = draft.number(given, "port", 0, 65535) or None
    return draft.made(kind.value_at, VDE, **fields)


def _vhost_user(draft: Draft, options: Options) -> NetBack | None:
    from kvmnb.parse.qemu_chardev import back_named, chardevs
    from kvmnb.spec.charbacks import UnixSocket
    from kvmnb.spec.netbacks import VhostUser

    given = options.take("chardev")
    options.take("vhostforce")
    if given is None:
        return None
    back = back_named(draft, given.value, given.value_at)
    if not isinstance(back, UnixSocket):
        if (entry := chardevs(draft).get(given.value)) is not None:
            entry.used = False
        return None
    return draft.made(given.value_at, VhostUser, path=back.path, server=back.server)


def _passt(draft: Draft, kind: Given, options: Options) -> NetBack:
    from kvmnb.spec.netbacks import Passt

    given = options.take("interface")
    return draft.made(kind.value_at, Passt, interface=given.value if given else None)
