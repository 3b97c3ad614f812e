"""Every field of every part of a spec, turned from one value to another, one at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kvmnb.spec.boot import Boot
from kvmnb.spec.charbacks import (
    TCP,
    UDP,
    File,
    HostPort,
    Null,
    OpenBack,
    Pipe,
    SpicePort,
    UnixSocket,
)
from kvmnb.spec.chardev import Private, Serial
from kvmnb.spec.cloud_init import CloudInit
from kvmnb.spec.cpu import CPU
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.diskbacks import BlockDevice, FatFolder, Server, Volume
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.forwards import Forward, GuestForward
from kvmnb.spec.graphics import VNC, Video
from kvmnb.spec.memory import Memory
from kvmnb.spec.netbacks import (
    VDE,
    Bridge,
    Dgram,
    Direct,
    HostNIC,
    LibvirtNetwork,
    Passt,
    Socket,
    Stream,
    Tap,
    VhostUser,
)
from kvmnb.spec.network import NIC, User
from kvmnb.spec.numa import NUMANode
from kvmnb.spec.peripherals import (
    TPM,
    HostPCI,
    HostUSB,
    Input,
    Mediated,
    Share,
    Sound,
    Vsock,
    Watchdog,
)
from kvmnb.spec.platform import Clock, ExtraXML, Firmware
from kvmnb.spec.ports import Channel, Console, Monitor, Parallel
from kvmnb.spec.screens import Spice, Window
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, Floppy, NewFile

__all__ = ["Flip", "flips"]

UUID = "5b2a9e3e-8a43-4d7e-9d7c-0f4c1c9f6a10"
OTHER_UUID = "5b2a9e3e-8a43-4d7e-9d7c-0f4c1c9f6a11"
MAC = "52:54:00:00:00:01"


class Flip(NamedTuple):
    """One field's two values: ``disks.cache`` of two guests that are alike in all else."""

    field: str
    before: DomainSpec
    after: DomainSpec


Place = Callable[[Any], dict[str, Any]]


def disk_of(**fields: Any) -> Disk:
    return Disk(**{"back": ExistingFile("/a"), "format": "raw", **fields})


def on_disk(back: Any) -> dict[str, Any]:
    plain = isinstance(back, (CatalogueImage, NewFile))
    return {"disks": (Disk(back=back, format=None if plain else "raw"),)}


def on_nic(back: Any) -> dict[str, Any]:
    return {"nics": (NIC(mac=MAC, back=back),)}


def on_serial(back: Any) -> dict[str, Any]:
    return {"serials": (Serial(back),)}


def only(field: str) -> Place:
    return lambda part: {field: part}


def among(field: str) -> Place:
    return lambda part: {field: (part,)}


# where a part stands in a guest, a part to begin with, and another value for each of its fields;
# what a change cannot do without comes along in a dict
TURNS: list[tuple[Place, Any, dict[str, Any]]] = [
    (
        only("memory"),
        Memory(),
        {
            "size_mib": 256,
            "slots": {"slots": 2, "maximum_mib": 512},
            "maximum_mib": {"slots": 3, "maximum_mib": 1024},
            "current_mib": 64,
            "source": "memfd",
            "path": {"source": "file", "path": "/m"},
            "hugepages": {"source": "memfd", "hugepages": True},
            "hugepage_kib": {"source": "memfd", "hugepages": True, "hugepage_kib": 2048},
            "shared": True,
            "preallocated": True,
            "locked": True,
            "merged": False,
        },
    ),
    (
        only("cpu"),
        CPU(),
        {
            "count": 2,
            "sockets": 1,
            "dies": 1,
            "cores": 1,
            "threads": 1,
            "maximum": 2,
            "model": "max",
            "features": {"model": "qemu64", "features": ("+aes",)},
        },
    ),
    (
        among("numa"),
        NUMANode(memory_mib=128),
        {"memory_mib": None, "cpus": (0,), "distances": (10,)},
    ),
    (
        only("boot"),
        Boot(),
        {
            "order": "c",
            "once": "d",
            "menu": True,
            "menu_timeout_ms": {"menu": True, "menu_timeout_ms": 500},
            "strict": True,
            "splash": "/s.jpg",
            "kernel": "/k",
            "initrd": {"kernel": "/k", "initrd": "/i"},
            "append": {"kernel": "/k", "append": "quiet"},
            "dtb": {"kernel": "/k", "dtb": "/d"},
            "location": "/tree",
        },
    ),
    (only("firmware"), Firmware(code="/f"), {"kind": "bios", "code": "/g", "variables": "/v"}),
    (only("firmware"), Firmware(), {"secure": True}),
    (
        only("clock"),
        Clock(base="localtime"),
        {"base": "2026-01-31", "source": "vm", "driftfix": "slew", "pit": "delay", "hpet": False},
    ),
    (
        among("extra_xml"),
        ExtraXML(parent="domain", xml="<a/>"),
        {"parent": "devices", "xml": "<b/>"},
    ),
    (
        among("disks"),
        disk_of(),
        {
            "back": ExistingFile("/b"),
            "bus": "ide",
            "index": {"bus": "ide", "index": 1},
            "cache": "none",
            "format": "qcow2",
            "readonly": True,
            "snapshot": True,
            "size_bytes": {"back": CatalogueImage("tiny"), "format": None, "size_bytes": 1 << 30},
            "aio": "threads",
            "discard": "unmap",
            "serial": "A1",
            "bootindex": 1,
            "shared": True,
            "options": (("logical_block_size", "4096"),),
        },
    ),
    (on_disk, CatalogueImage("tiny"), {"name": "other"}),
    (on_disk, ExistingFile("/a"), {"path": "/b"}),
    (
        on_disk,
        NewFile(1 << 20, "/n"),
        {"size_bytes": 1 << 21, "path": "/m", "format": "raw", "sparse": False},
    ),
    (on_disk, BlockDevice("/dev/sdb"), {"path": "/dev/sdc"}),
    (
        on_disk,
        Server(protocol="nbd", host="a", name="x"),
        {
            "protocol": {"protocol": "iscsi", "name": "iqn.2026-01.a/0"},
            "host": "b",
            "port": 10810,
            "name": "y",
            "socket": {"host": None, "socket": "/s"},
            "user": {"protocol": "ssh", "name": "/y", "user": "me"},
        },
    ),
    (on_disk, Volume(pool="p", name="v"), {"pool": "q", "name": "w", "size_bytes": 1 << 20}),
    (on_disk, FatFolder(path="/a"), {"path": "/b", "writable": True, "bits": 16}),
    (
        among("cdroms"),
        CDROM(ExistingFile("/a.iso")),
        {
            "back": None,
            "bus": "scsi",
            "index": {"bus": "ide", "index": 3},
            "bootindex": 1,
            "options": (("serial", "x"),),
        },
    ),
    (
        among("floppies"),
        Floppy(ExistingFile("/a"), format="raw"),
        {"back": ExistingFile("/b"), "format": "qcow2", "readonly": True, "snapshot": True},
    ),
    (
        only("cloud_init"),
        CloudInit(),
        {
            "user": "anna",
            "ssh_keys": ("ssh-ed25519 AAAA me@here",),
            "password_hash": "$6$a$b",
            "packages": ("vim",),
            "run": ("true",),
            "hostname": "web1",
        },
    ),
    (
        among("nics"),
        NIC(mac=MAC),
        {
            "model": "e1000",
            "back": None,
            "mac": "52:54:00:00:00:02",
            "name": "lan",
            "address": "5",
            "vectors": 4,
            "queues": 2,
            "mtu": 1400,
            "bootindex": 1,
            "link": False,
            "options": (("rss", "on"),),
        },
    ),
    (
        on_nic,
        User(),
        {
            "network": "10.1.0.0/24",
            "host": {"network": "10.1.0.0/24", "host": "10.1.0.3"},
            "dhcpstart": {"network": "10.1.0.0/24", "dhcpstart": "10.1.0.9"},
            "dns": {"network": "10.1.0.0/24", "dns": "10.1.0.4"},
            "hostname": "web1",
            "domain": "a.example",
            "search": ("a.example",),
            "tftp": "/tftp",
            "bootfile": "pxelinux.0",
            "smb": "/smb",
            "forwards": (Forward(host_port=2222, guest_port=22),),
            "guest_forwards": (GuestForward(address="10.0.2.9", port=7, target="cmd:cat"),),
            "restricted": True,
            "ipv4": True,
            "ipv6": False,
        },
    ),
    (
        lambda part: on_nic(User(forwards=(part,))),
        Forward(host_port=1, guest_port=2),
        {
            "host_port": 3,
            "guest_port": 4,
            "protocol": "udp",
            "host_address": "127.0.0.2",
            "guest_address": "10.0.2.16",
        },
    ),
    (
        lambda part: on_nic(User(guest_forwards=(part,))),
        GuestForward(address="10.0.2.9", port=7, target="cmd:cat"),
        {"address": "10.0.2.8", "port": 8, "target": "cmd:true"},
    ),
    (
        on_nic,
        Tap(ifname="tap0"),
        {
            "ifname": "tap1",
            "script": "/up",
            "downscript": "/down",
            "fd": {"ifname": None, "fd": 5},
            "vhost": True,
            "vnet_hdr": True,
            "queues": 2,
        },
    ),
    (on_nic, Bridge(), {"name": "br1", "helper": "/helper"}),
    (
        on_nic,
        Socket(role="connect", host="127.0.0.1", port=1),
        {
            "role": "listen",
            "port": 2,
            "host": "127.0.0.2",
            "local_host": {"role": "udp", "local_host": "127.0.0.1", "local_port": 4},
            "local_port": {"role": "udp", "local_port": 3},
        },
    ),
    (
        on_nic,
        Stream(host="127.0.0.1", port=1),
        {
            "path": {"host": None, "port": None, "path": "/s"},
            "host": "127.0.0.2",
            "port": 2,
            "server": True,
            "reconnect_s": 1,
        },
    ),
    (
        on_nic,
        Dgram(local_host="127.0.0.1", local_port=1, remote_host="127.0.0.1", remote_port=2),
        {
            "local_path": {
                **dict.fromkeys(("local_host", "local_port", "remote_host", "remote_port")),
                "local_path": "/l",
                "remote_path": "/r",
            },
            "remote_path": {
                **dict.fromkeys(("local_host", "local_port", "remote_host", "remote_port")),
                "local_path": "/l",
                "remote_path": "/q",
            },
            "local_host": "127.0.0.2",
            "local_port": 3,
            "remote_host": "127.0.0.3",
            "remote_port": 4,
        },
    ),
    (on_nic, VDE(), {"socket": "/v", "port": 1, "group": "vde", "mode": "0700"}),
    (on_nic, Passt(), {"interface": "eth0"}),
    (on_nic, VhostUser(path="/v"), {"path": "/w", "server": True}),
    (on_nic, LibvirtNetwork(), {"name": "lab", "portgroup": "web"}),
    (on_nic, Direct(device="eth0"), {"device": "eth1", "mode": "vepa"}),
    (on_nic, HostNIC(address="01:00.0"), {"address": "01:00.1", "managed": False}),
    (among("serials"), Serial(), {"back": Null(), "model": "pci"}),
    (among("parallels"), Parallel(), {"back": Null()}),
    (among("consoles"), Console(), {"back": Null()}),
    (among("channels"), Channel("org.a.0"), {"name": "org.b.0", "back": Null()}),
    (among("monitors"), Monitor(), {"back": UnixSocket(path="/m"), "mode": "qmp"}),
    (on_serial, File("/a"), {"path": "/b", "append": True}),
    (on_serial, Pipe("/a"), {"path": "/b"}),
    (on_serial, HostPort("/dev/ttyS0"), {"path": "/dev/ttyS1"}),
    (
        on_serial,
        TCP(port=1),
        {
            "port": 2,
            "host": "127.0.0.2",
            "server": True,
            "wait": {"server": True, "wait": True},
            "telnet": True,
        },
    ),
    (
        on_serial,
        UDP(port=1),
        {
            "port": 2,
            "host": "127.0.0.2",
            "local_port": 3,
            "local_host": {"local_port": 3, "local_host": "127.0.0.1"},
        },
    ),
    (on_serial, UnixSocket(path="/a"), {"path": "/b", "server": False, "wait": True}),
    (
        lambda part: {"channels": (Channel("com.redhat.spice.0", part),), "displays": (Spice(),)},
        SpicePort(),
        {"name": "smartcard"},
    ),
    (
        among("displays"),
        VNC(display=1),
        {
            "display": 2,
            "listen": "127.0.0.2",
            "unix": {"display": None, "unix": "/v"},
            "password": True,
            "websocket": 5700,
            "keymap": "de",
        },
    ),
    (
        among("displays"),
        Spice(port=5930),
        {
            "port": 5931,
            "tls_port": 5932,
            "listen": "127.0.0.2",
            "unix": {"port": None, "unix": "/s"},
            "password": "x",
        },
    ),
    (among("displays"), Window(), {"toolkit": "sdl", "gl": True, "fullscreen": True}),
    (
        among("videos"),
        Video("virtio"),
        {"model": "std", "memory_mib": {"model": "std", "memory_mib": 32}, "heads": 2}
        | {"accelerated": True},
    ),
    (among("inputs"), Input(), {"kind": "mouse", "bus": "virtio"}),
    (among("sounds"), Sound(), {"model": "ac97", "back": "alsa"}),
    (only("watchdog"), Watchdog(), {"model": "ib700", "action": "pause"}),
    (
        only("tpm"),
        TPM(socket="/t"),
        {
            "model": "crb",
            "version": "1.2",
            "socket": "/u",
            "device": {"socket": None, "device": "/dev/tpm0"},
        },
    ),
    (
        lambda part: {"shares": (part,), "memory": Memory(source="memfd", shared=True)},
        Share(source="/a", tag="a"),
        {
            "source": "/b",
            "tag": "b",
            "kind": {"kind": "virtiofs", "socket": "/s"},
            "readonly": True,
            "security": "none",
            "socket": {"kind": "virtiofs", "socket": "/r"},
        },
    ),
    (only("vsock"), Vsock(), {"cid": 5}),
    (among("hostdevs"), HostPCI(address="01:00.0"), {"address": "01:00.1", "managed": False}),
    (
        among("hostdevs"),
        HostUSB(vendor=1, product=2),
        {
            "vendor": 3,
            "product": 4,
            "bus": {"vendor": None, "product": None, "bus": 1, "device": 2},
            "device": {"vendor": None, "product": None, "bus": 1, "device": 3},
        },
    ),
    (among("hostdevs"), Mediated(uuid=UUID), {"uuid": OTHER_UUID}),
    (only("balloon"), Balloon(), {"stats_s": 5, "deflate_on_oom": True}),
    (only("balloon"), Balloon(), {"free_page_reporting": True}),
    (
        only("rng"),
        RNG(),
        {
            "source": "/dev/urandom",
            "max_bytes": {"max_bytes": 1024, "period_ms": 1000},
            "period_ms": {"max_bytes": 1024, "period_ms": 2000},
        },
    ),
]

DOMAIN: dict[str, Any] = {
    "name": "other",
    "uuid": UUID,
    "title": "A title",
    "description": "Two words",
    "arch": "i386",
    "memory": Memory(size_mib=256),
    "numa": (NUMANode(memory_mib=128),),
    "cpu": CPU(count=2),
    "machine": "q35",
    "machine_options": (("vmport", "off"),),
    "accel": "kvm",
    "accel_options": (("thread", "single"),),
    "paravirt": True,
    "acpi": False,
    "firmware": Firmware(code="/f"),
    "boot": Boot(order="c"),
    "clock": Clock(base="localtime"),
    "on_poweroff": "preserve",
    "on_reboot": "destroy",
    "on_crash": "preserve",
    "suspend_to_mem": False,
    "suspend_to_disk": False,
    "disks": (disk_of(),),
    "cdroms": (CDROM(),),
    "floppies": (Floppy(),),
    "scsi": {"disks": (disk_of(bus="scsi"),), "scsi": "lsi"},
    "nics": (NIC(mac=MAC),),
    "serials": (),
    "parallels": (Parallel(),),
    "consoles": (Console(),),
    "channels": (Channel("org.a.0"),),
    "monitors": (Monitor(),),
    "agent": False,
    "displays": (Window(),),
    "videos": (Video("virtio"),),
    "usb": "ehci",
    "inputs": (Input(),),
    "sounds": (Sound(),),
    "watchdog": Watchdog(),
    "balloon": None,
    "rng": None,
    "vmgenid": None,
    "tpm": TPM(socket="/t"),
    "shares": (Share(source="/a", tag="a"),),
    "vsock": Vsock(cid=5),
    "hostdevs": (HostPCI(address="01:00.0"),),
    "cloud_init": CloudInit(user="anna"),
    "paused": True,
    "incoming": "defer",
    "autostart": True,
    "osinfo": "debian12",
    "extra_args": ("-msg", "timestamp=on"),
    "extra_xml": (ExtraXML(parent="domain", xml="<a/>"),),
}
OPEN_BACKS: tuple[OpenBack, ...] = (Null(),)


def flips() -> Iterator[Flip]:
    """Yield one flip for each field of each part, and of the domain itself."""
    base = DomainSpec(name="a", accel="tcg")
    for field, value in DOMAIN.items():
        fields = value if isinstance(value, dict) else {field: value}
        if field == "scsi":
            before = dataclasses.replace(base, disks=fields["disks"])
        else:
            before = base
        yield Flip(field, before, dataclasses.replace(base, **fields))
    for place, part, turns in TURNS:
        before = dataclasses.replace(base, **place(part))
        for field, value in turns.items():
            if field == "memory_mib" and value is None:
                fields = {"memory": Memory(size_mib=256), **place(NUMANode(memory_mib=256))}
                yield Flip("NUMANode.memory_mib", before, dataclasses.replace(base, **fields))
                continue
            changed = value if isinstance(value, dict) else {field: value}
            after = dataclasses.replace(base, **place(dataclasses.replace(part, **changed)))
            yield Flip(f"{type(part).__name__}.{field}", before, after)


def _covered() -> set[str]:
    return {flip.field for flip in flips()}


def fields() -> set[str]:
    """Return every field there is, named as `Flip.field` names it."""
    from kvmnb.spec.codec import HOMES, kind_named

    found = {field.name for field in dataclasses.fields(DomainSpec)}
    for name in HOMES:
        kind = kind_named(name)
        if kind is not None and kind is not DomainSpec and not issubclass(kind, (Null, Private)):
            found |= {f"{name}.{field.name}" for field in dataclasses.fields(kind)}
    return found
