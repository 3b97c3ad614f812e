"""Network cards and what carries their frames, made up by hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from kvmnb.compile.qemu import NIC_MODELS
from kvmnb.spec import netbacks
from kvmnb.spec.forwards import Forward, GuestForward
from kvmnb.spec.network import NIC, User
from tests.spec.strategies_devices import hosts, paths, ports

if TYPE_CHECKING:
    from kvmnb.spec.network import NetBack

__all__ = ["macs", "net_backs", "nics"]

_INTERFACES = st.sampled_from(["tap0", "vnet,1", "a=b"])
_PRIVATE = st.sampled_from(["192.168.76.3", "192.168.76.9"])


def macs() -> st.SearchStrategy[str]:
    """Return cards' own addresses, in QEMU's spelling."""
    octets = st.tuples(*[st.integers(0, 255)] * 5)
    return st.builds(
        lambda first, rest: ":".join(f"{octet:02x}" for octet in (first * 2, *rest)),
        st.integers(1, 127),
        octets,
    )


def users(hostile: bool = True) -> st.SearchStrategy[User]:
    """Return user-mode networks."""
    forwards = st.builds(
        Forward,
        host_port=ports(),
        guest_port=ports(),
        protocol=st.sampled_from(["tcp", "udp"]),
        host_address=st.sampled_from(["127.0.0.1", "0.0.0.0"]),
        guest_address=st.none() | _PRIVATE,
    )
    targets = st.sampled_from(["tcp:127.0.0.1:7", "cmd:/bin/cat -u a,b"])
    inward = st.builds(GuestForward, address=_PRIVATE, port=ports(), target=targets)
    switch = st.sampled_from([None, True, False])
    whole = st.builds(
        User,
        network=st.just("192.168.76.0/24"),
        host=st.sampled_from([None, "192.168.76.2"]),
        dhcpstart=st.sampled_from([None, "192.168.76.20"]),
        dns=st.sampled_from([None, "192.168.76.4"]),
        hostname=st.sampled_from([None, "guest-1"]),
        domain=st.sampled_from([None, "example.org"]),
        search=st.sampled_from([(), ("a.example.org",), ("a.example.org", "b.example.org")]),
        tftp=st.none() | paths(hostile),
        bootfile=st.none() | paths(hostile),
        smb=st.none() | paths(hostile),
        forwards=st.lists(forwards, max_size=2, unique=True).map(tuple),
        guest_forwards=st.lists(inward, max_size=2, unique=True).map(tuple),
        restricted=st.booleans(),
        ipv4=switch,
        ipv6=switch,
    )
    return st.just(User()) | whole


def _dgrams(hostile: bool) -> st.SearchStrategy[netbacks.Dgram]:
    local = {"local_host": hosts(), "local_port": ports()}
    remote = {"remote_host": hosts(), "remote_port": ports()}
    group = {"remote_host": st.just("230.0.0.1"), "remote_port": ports()}
    path = paths(hostile)
    return st.one_of(
        st.builds(netbacks.Dgram, local_path=path, remote_path=path),
        st.builds(netbacks.Dgram, **local, **remote),
        st.builds(netbacks.Dgram, **group),
    )


def net_backs(bare: bool = False, hostile: bool = True) -> st.SearchStrategy[NetBack | None]:
    """Return every back half of a card; those that need libvirt left out where `bare`."""
    switch, path = st.sampled_from([None, True, False]), paths(hostile)
    connected: dict[str, Any] = {"host": hosts(), "port": ports()}
    backs: list[st.SearchStrategy[NetBack | None]] = [
        users(hostile),
        st.none(),
        st.builds(
            netbacks.Tap,
            ifname=st.none() | _INTERFACES,
            script=st.none() | path,
            downscript=st.none() | path,
            vhost=switch,
            vnet_hdr=switch,
            queues=st.sampled_from([None, 2]),
        ),
        st.builds(netbacks.Tap, fd=st.integers(3, 9), vhost=switch),
        st.builds(netbacks.Bridge, st.sampled_from(["br0", "br,1"]), st.none() | path),
        st.builds(netbacks.Socket, role=st.just("listen"), port=ports(), host=st.none() | hosts()),
        st.builds(netbacks.Socket, role=st.just("connect"), **connected),
        st.builds(
            netbacks.Socket,
            role=st.just("mcast"),
            host=st.just("230.0.0.1"),
            port=ports(),
            local_host=st.sampled_from([None, "127.0.0.1"]),
        ),
        st.builds(
            netbacks.Socket,
            role=st.just("udp"),
            local_host=st.sampled_from([None, "127.0.0.1"]),
            local_port=ports(),
            **connected,
        ),
        st.builds(netbacks.Stream, path=path, server=st.just(True)),
        st.builds(netbacks.Stream, path=path, reconnect_s=st.sampled_from([0, 5])),
        st.builds(netbacks.Stream, **connected, server=st.just(True)),
        st.builds(netbacks.Stream, **connected, reconnect_s=st.sampled_from([0, 5])),
        _dgrams(hostile),
        st.builds(
            netbacks.VDE,
            socket=st.none() | path,
            port=st.none() | ports(),
            group=st.sampled_from([None, "staff"]),
            mode=st.sampled_from([None, "0700"]),
        ),
        st.builds(netbacks.Passt, interface=st.none() | _INTERFACES),
        st.builds(netbacks.VhostUser, path=path, server=st.booleans()),
        st.builds(netbacks.HostNIC, address=st.sampled_from(["0000:01:10.0", "01:10.1"])),
    ]
    if not bare:
        group = st.sampled_from([None, "engineering"])
        modes = st.sampled_from(["vepa", "bridge", "private", "passthrough"])
        backs.append(st.builds(netbacks.LibvirtNetwork, name=st.just("default"), portgroup=group))
        backs.append(st.builds(netbacks.Direct, device=st.just("eth0"), mode=modes))
    return st.one_of(backs)


def nics(
    mac: st.SearchStrategy[str | None] | None = None,
    *,
    bare: bool = False,
    hostile: bool = True,
) -> st.SearchStrategy[NIC]:
    """Return network cards of every model and back."""

    backs, addresses = net_backs(bare, hostile), (st.none() | macs()) if mac is None else mac

    @st.composite
    def made(draw: st.DrawFn) -> NIC:
        model = draw(st.sampled_from(tuple(NIC_MODELS)))
        virtio, few = model == "virtio", st.sampled_from
        back = draw(backs)
        passed = isinstance(back, netbacks.HostNIC)
        tapped = isinstance(back, netbacks.Tap) and back.fd is None
        front: dict[str, Any] = {
            "model": "virtio" if passed else model,
            "vectors": draw(few([None, 0, 4])) if virtio and not passed else None,
            "queues": draw(few([None, 2])) if virtio and tapped else None,
            "mtu": draw(few([None, 1400])) if virtio and not passed else None,
            "options": () if passed else draw(few([(), (("multifunction", "on"),)])),
        }
        if isinstance(back, netbacks.Tap) and tapped and front["queues"] != back.queues:
            front["queues"] = back.queues if virtio else None
        return NIC(
            **front,
            back=back,
            mac=None if passed else draw(addresses),
            name=draw(few([None, "lan", "wan-1"])),
            bootindex=draw(few([None, 3])),
            link=bare or draw(st.booleans()),
        )

    return made()
