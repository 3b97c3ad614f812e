"""Every field of every part of a spec, with a value that differs from the one it has.

`BASES` has a guest with each kind of part, `FLIPS` the changes of each field of that part.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from kvmnb.spec import charbacks, diskbacks, forwards, netbacks, peripherals, platform, ports
from kvmnb.spec.boot import Boot
from kvmnb.spec.chardev import Private, Serial
from kvmnb.spec.cloud_init import CloudInit
from kvmnb.spec.cpu import CPU
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC, Video
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import NIC, User
from kvmnb.spec.numa import NUMANode
from kvmnb.spec.screens import Spice, Window
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, Floppy, NewFile

__all__ = ["BASES", "FLIPS", "flipped"]

Path = tuple[str | int, ...]

FILE, OTHER = ExistingFile("/one.img"), ExistingFile("/two.img")
SHARED = Memory(size_mib=128, source="memfd", shared=True)


def guest(**changes: Any) -> DomainSpec:
    """Return a guest of q35, which has room for everything."""
    return DomainSpec(**{"name": "test", "machine": "q35", "accel": "tcg", **changes})


def _disk(back: Any, **more: Any) -> tuple[DomainSpec, Path]:
    return guest(disks=(Disk(back=back, **more),)), ("disks", 0, "back")


def _nic(back: Any, **more: Any) -> tuple[DomainSpec, Path]:
    return guest(nics=(NIC(back=back),), **more), ("nics", 0, "back")


def _serial(back: Any) -> tuple[DomainSpec, Path]:
    return guest(serials=(Serial(back),)), ("serials", 0, "back")


def _one(field: str, part: Any, **more: Any) -> tuple[DomainSpec, Path]:
    return guest(**{field: (part,)}, **more), (field, 0)


def _sole(field: str, part: Any, **more: Any) -> tuple[DomainSpec, Path]:
    return guest(**{field: part}, **more), (field,)


_HOST: dict[str, Any] = {"host": "192.0.2.1", "name": "pool/image"}
_NODES = (
    NUMANode(memory_mib=64, cpus=(0,), distances=(10, 20)),
    NUMANode(memory_mib=64, cpus=(1,), distances=(20, 10)),
)
_XML = platform.ExtraXML(parent="devices", xml="<panic/>")

BASES: dict[type, tuple[DomainSpec, Path]] = {
    DomainSpec: (guest(), ()),
    Memory: _sole("memory", SHARED),
    NUMANode: (guest(numa=_NODES, cpu=CPU(count=2)), ("numa", 0)),
    CPU: _sole("cpu", CPU(count=2, sockets=1, dies=1, cores=2, threads=2, maximum=4, model="max")),
    Boot: _sole("boot", Boot(kernel="/k", initrd="/i", append="quiet")),
    platform.Firmware: _sole("firmware", platform.Firmware(code="/code.fd")),
    platform.Clock: _sole("clock", platform.Clock(base="localtime")),
    platform.ExtraXML: _one("extra_xml", _XML),
    Disk: _one("disks", Disk(back=FILE, format="raw")),
    CatalogueImage: _disk(CatalogueImage("one")),
    ExistingFile: _disk(FILE, format="raw"),
    NewFile: _disk(NewFile(1 << 30, "/new.img")),
    diskbacks.BlockDevice: _disk(diskbacks.BlockDevice("/dev/sdb")),
    diskbacks.Server: _disk(diskbacks.Server(protocol="nbd", **_HOST)),
    diskbacks.Volume: _disk(diskbacks.Volume(pool="default", name="a.qcow2")),
    diskbacks.FatFolder: _disk(diskbacks.FatFolder(path="/folder")),
    CDROM: _one("cdroms", CDROM(FILE)),
    Floppy: _one("floppies", Floppy(FILE, format="raw")),
    NIC: _one("nics", NIC(back=netbacks.Tap(ifname="tap0"))),
    User: _nic(User()),
    forwards.Forward: (
        guest(nics=(NIC(back=User(forwards=(forwards.Forward(host_port=2222, guest_port=22),))),)),
        ("nics", 0, "back", "forwards", 0),
    ),
    forwards.GuestForward: (
        guest(
            nics=(
                NIC(
                    back=User(
                        guest_forwards=(
                            forwards.GuestForward(address="10.0.2.9", port=7, target="cmd:cat"),
                        )
                    )
                ),
            )
        ),
        ("nics", 0, "back", "guest_forwards", 0),
    ),
    netbacks.Tap: _nic(netbacks.Tap(ifname="tap0")),
    netbacks.Bridge: _nic(netbacks.Bridge()),
    netbacks.Socket: _nic(
        netbacks.Socket(role="udp", host="127.0.0.1", port=7, local_host="127.0.0.1", local_port=8)
    ),
    netbacks.Stream: _nic(netbacks.Stream(path="/a.sock")),
    netbacks.Dgram: _nic(
        netbacks.Dgram(local_host="127.0.0.1", local_port=7, remote_host="127.0.0.1", remote_port=8)
    ),
    netbacks.VDE: _nic(netbacks.VDE()),
    netbacks.Passt: _nic(netbacks.Passt()),
    netbacks.VhostUser: _nic(netbacks.VhostUser(path="/a.sock"), memory=SHARED),
    netbacks.LibvirtNetwork: _nic(netbacks.LibvirtNetwork()),
    netbacks.Direct: _nic(netbacks.Direct(device="eth0")),
    netbacks.HostNIC: _nic(netbacks.HostNIC(address="0000:01:10.0")),
    Private: _serial(Private()),
    Serial: _one("serials", Serial()),
    charbacks.Null: _serial(charbacks.Null()),
    charbacks.File: _serial(charbacks.File("/out")),
    charbacks.Pipe: _serial(charbacks.Pipe("/pipe")),
    charbacks.HostPort: _serial(charbacks.HostPort("/dev/ttyS0")),
    charbacks.TCP: _serial(charbacks.TCP(port=7, server=True)),
    charbacks.UDP: _serial(charbacks.UDP(port=7, local_port=8, local_host="127.0.0.1")),
    charbacks.UnixSocket: _serial(charbacks.UnixSocket(path="/a.sock")),
    charbacks.SpicePort: (
        guest(
            displays=(Spice(port=5930),),
            channels=(ports.Channel("com.redhat.spice.0", charbacks.SpicePort()),),
        ),
        ("channels", 0, "back"),
    ),
    ports.Parallel: _one("parallels", ports.Parallel()),
    ports.Console: _one("consoles", ports.Console()),
    ports.Channel: _one("channels", ports.Channel("org.example.one")),
    ports.Monitor: _one("monitors", ports.Monitor()),
    VNC: _one("displays", VNC(display=1)),
    Spice: _one("displays", Spice(port=5930)),
    Window: _one("displays", Window(toolkit="sdl")),
    Video: _one("videos", Video("qxl")),
    peripherals.Input: _one("inputs", peripherals.Input()),
    peripherals.Sound: _one("sounds", peripherals.Sound()),
    peripherals.Watchdog: _sole("watchdog", peripherals.Watchdog()),
    peripherals.TPM: _sole("tpm", peripherals.TPM()),
    peripherals.Share: _one("shares", peripherals.Share(source="/s", tag="t"), memory=SHARED),
    peripherals.Vsock: _sole("vsock", peripherals.Vsock(5)),
    peripherals.HostPCI: _one("hostdevs", peripherals.HostPCI(address="0000:01:00.0")),
    peripherals.HostUSB: _one("hostdevs", peripherals.HostUSB(vendor=1, product=2)),
    peripherals.Mediated: _one(
        "hostdevs", peripherals.Mediated(uuid="5b2a9e3e-8a43-4d7e-9d7c-0f4c1c9f6a10")
    ),
    Balloon: _sole("balloon", Balloon()),
    RNG: _sole("rng", RNG()),
    CloudInit: _sole("cloud_init", CloudInit()),
}

UUID = "6b2a9e3e-8a43-4d7e-9d7c-0f4c1c9f6a10"


def _values(field: str, *values: Any) -> list[dict[str, Any]]:
    return [{field: value} for value in values]


def _one_value_each(kind: type, /, **values: Any) -> dict[tuple[type, str], list[dict[str, Any]]]:
    return {(kind, field): _values(field, value) for field, value in values.items()}


FLIPS: dict[tuple[type, str], list[dict[str, Any]]] = {
    **_one_value_each(
        DomainSpec,
        name="other",
        uuid=UUID,
        title="A title",
        description="What for",
        arch="aarch64",
        memory=Memory(size_mib=64),
        cpu=CPU(count=2),
        machine="pc",
        machine_options=(("vmport", "off"),),
        accel="kvm",
        accel_options=(("thread", "single"),),
        paravirt=True,
        acpi=False,
        firmware=platform.Firmware(code="/code.fd"),
        boot=Boot(order="n"),
        clock=platform.Clock(base="localtime"),
        disks=(Disk(back=FILE, format="raw"),),
        cdroms=(CDROM(FILE),),
        floppies=(Floppy(FILE, format="raw"),),
        nics=(NIC(),),
        serials=(),
        parallels=(ports.Parallel(),),
        consoles=(ports.Console(),),
        channels=(ports.Channel("org.example.one"),),
        monitors=(ports.Monitor(),),
        agent=False,
        videos=(Video("virtio"),),
        usb="ehci",
        inputs=(peripherals.Input(),),
        sounds=(peripherals.Sound(),),
        watchdog=peripherals.Watchdog(),
        balloon=None,
        rng=None,
        tpm=peripherals.TPM(),
        shares=(peripherals.Share(source="/s", tag="t"),),
        vsock=peripherals.Vsock(5),
        hostdevs=(peripherals.HostPCI(address="0000:01:00.0"),),
        cloud_init=CloudInit(user="anna"),
        paused=True,
        incoming="defer",
        autostart=True,
        osinfo="debian12",
        extra_args=("-d", "guest_errors"),
        extra_xml=(_XML,),
    ),
    (DomainSpec, "numa"): [{"numa": _NODES, "cpu": CPU(count=2)}],
    (DomainSpec, "on_poweroff"): _values("on_poweroff", "preserve", "restart"),
    (DomainSpec, "on_reboot"): _values("on_reboot", "destroy", "preserve"),
    (DomainSpec, "on_crash"): _values("on_crash", "preserve", "restart"),
    (DomainSpec, "suspend_to_mem"): _values("suspend_to_mem", True, False),
    (DomainSpec, "suspend_to_disk"): _values("suspend_to_disk", True, False),
    (DomainSpec, "scsi"): [
        {"scsi": model, "disks": (Disk(back=FILE, format="raw", bus="scsi"),)}
        for model in ("lsi", "megasas", "mptsas", "pvscsi")
    ],
    (DomainSpec, "displays"): _values("displays", (), (VNC(display=1),), (Spice(port=5930),)),
    (DomainSpec, "vmgenid"): _values("vmgenid", None, UUID),
    **_one_value_each(
        Memory, size_mib=256, shared=False, preallocated=True, locked=True, merged=False
    ),
    (Memory, "slots"): [{"slots": 2, "maximum_mib": 512}],
    (Memory, "maximum_mib"): [{"slots": 2, "maximum_mib": 1024}],
    (Memory, "current_mib"): _values("current_mib", 64),
    (Memory, "source"): [{"source": "anonymous"}],
    (Memory, "path"): [{"source": "file", "path": "/ram"}],
    (Memory, "hugepages"): _values("hugepages", True),
    (Memory, "hugepage_kib"): [{"hugepages": True, "hugepage_kib": 2048}],
    (NUMANode, "memory_mib"): [],
    (NUMANode, "cpus"): _values("cpus", (0, 1)),
    (NUMANode, "distances"): _values("distances", (10, 30)),
    **_one_value_each(CPU, count=3, sockets=None, cores=None, threads=None, features=("+aes",)),
    (CPU, "dies"): [{"dies": 2, "maximum": 8}],
    (CPU, "maximum"): [{"maximum": 8, "sockets": 2}],
    (CPU, "model"): _values("model", "qemu64", None),
    **_one_value_each(
        Boot,
        order="c",
        once="d",
        menu=True,
        menu_timeout_ms=500,
        strict=True,
        splash="/s.jpg",
        kernel="/k2",
        initrd=None,
        append="debug",
        dtb="/tree",
    ),
    (Boot, "location"): [{"location": "/dvd.iso", "kernel": None, "initrd": None}],
    **_one_value_each(platform.Firmware, code="/other.fd", variables="/v.fd", secure=True),
    (platform.Firmware, "kind"): _values("kind", "bios"),
    **_one_value_each(
        platform.Clock, base="2026-01-31", source="vm", driftfix="slew", pit="delay", hpet=False
    ),
    **_one_value_each(platform.ExtraXML, parent="features", xml="<acpi/>"),
    **_one_value_each(
        Disk,
        back=OTHER,
        format="qcow2",
        readonly=True,
        snapshot=True,
        aio="threads",
        discard="unmap",
        serial="S1",
        bootindex=1,
        shared=True,
        options=(("physical_block_size", "4096"),),
    ),
    (Disk, "bus"): _values("bus", "ide", "sata", "scsi", "nvme", "usb", "sd", "mtd"),
    (Disk, "index"): _values("index", 3),
    (Disk, "cache"): _values("cache", "none", "writethrough", "directsync", "unsafe"),
    (Disk, "size_bytes"): [{"back": CatalogueImage("one"), "format": None, "size_bytes": 1 << 30}],
    (CatalogueImage, "name"): _values("name", "two"),
    (ExistingFile, "path"): _values("path", "/two.img"),
    **_one_value_each(NewFile, size_bytes=2 << 30, path="/n2.img", format="raw", sparse=False),
    **_one_value_each(diskbacks.BlockDevice, path="/dev/sdc"),
    **_one_value_each(diskbacks.Server, host="192.0.2.2", port=99, name="pool/two", user="anna"),
    (diskbacks.Server, "protocol"): _values("protocol", "ssh", "rbd", "gluster"),
    (diskbacks.Server, "socket"): [{"socket": "/a.sock", "host": None}],
    **_one_value_each(diskbacks.Volume, pool="other", name="b.qcow2", size_bytes=1 << 30),
    **_one_value_each(diskbacks.FatFolder, path="/other", writable=True, bits=16),
    **_one_value_each(CDROM, back=OTHER, index=4, bootindex=1, options=(("serial", "x"),)),
    (CDROM, "bus"): _values("bus", "scsi", "usb"),
    **_one_value_each(Floppy, back=None, format="qcow2", readonly=True, snapshot=True),
    **_one_value_each(
        NIC,
        back=None,
        mac="52:54:00:01:02:03",
        name="lan",
        address="9",
        vectors=5,
        queues=2,
        mtu=1400,
        bootindex=1,
        link=False,
        options=(("mrg_rxbuf", "off"),),
    ),
    (NIC, "model"): _values("model", "e1000", "rtl8139"),
    **_one_value_each(
        User,
        network="192.168.76.0/24",
        host="10.0.2.3",
        dhcpstart="10.0.2.40",
        dns="10.0.2.4",
        hostname="guest",
        domain="example.org",
        search=("example.org",),
        tftp="/tftp",
        bootfile="/pxe",
        smb="/smb",
        forwards=(forwards.Forward(host_port=2222, guest_port=22),),
        guest_forwards=(forwards.GuestForward(address="10.0.2.9", port=7, target="cmd:cat"),),
        restricted=True,
        ipv4=False,
        ipv6=False,
    ),
    **_one_value_each(
        forwards.Forward,
        host_port=3333,
        guest_port=23,
        protocol="udp",
        host_address="0.0.0.0",
        guest_address="10.0.2.15",
    ),
    **_one_value_each(forwards.GuestForward, address="10.0.2.10", port=8, target="tcp:127.0.0.1:7"),
    **_one_value_each(
        netbacks.Tap,
        ifname="tap1",
        script="/up",
        downscript="/down",
        vhost=True,
        vnet_hdr=True,
        queues=2,
    ),
    (netbacks.Tap, "fd"): [{"fd": 3, "ifname": None}],
    **_one_value_each(netbacks.Bridge, name="br1", helper="/helper"),
    **_one_value_each(
        netbacks.Socket, host="127.0.0.2", port=9, local_host="127.0.0.3", local_port=10
    ),
    (netbacks.Socket, "role"): [
        {"role": "mcast", "local_port": None},
        {"role": "connect", "local_port": None, "local_host": None},
    ],
    **_one_value_each(netbacks.Stream, path="/b.sock", server=True, reconnect_s=5),
    (netbacks.Stream, "host"): [{"path": None, "host": "127.0.0.1", "port": 7}],
    (netbacks.Stream, "port"): [{"path": None, "host": "127.0.0.1", "port": 8}],
    **_one_value_each(
        netbacks.Dgram,
        local_host="127.0.0.2",
        local_port=9,
        remote_host="127.0.0.2",
        remote_port=10,
    ),
    **{
        (netbacks.Dgram, field): [
            {
                **dict.fromkeys(("local_host", "local_port", "remote_host", "remote_port")),
                "local_path": "/l",
                "remote_path": "/r",
            }
        ]
        for field in ("local_path", "remote_path")
    },
    **_one_value_each(netbacks.VDE, socket="/vde", port=2, group="staff", mode="0700"),
    **_one_value_each(netbacks.Passt, interface="eth0"),
    **_one_value_each(netbacks.VhostUser, path="/b.sock", server=True),
    **_one_value_each(netbacks.LibvirtNetwork, name="other", portgroup="g"),
    **_one_value_each(netbacks.Direct, device="eth1", mode="vepa"),
    **_one_value_each(netbacks.HostNIC, address="0000:01:10.2", managed=False),
    **_one_value_each(Serial, back=charbacks.Null(), model="pci"),
    **_one_value_each(charbacks.File, path="/other", append=True),
    **_one_value_each(charbacks.Pipe, path="/other"),
    **_one_value_each(charbacks.HostPort, path="/dev/ttyS1"),
    **_one_value_each(charbacks.TCP, port=8, host="127.0.0.2", wait=True, telnet=True),
    (charbacks.TCP, "server"): _values("server", False),
    **_one_value_each(charbacks.UDP, port=9, host="127.0.0.2", local_port=10),
    (charbacks.UDP, "local_host"): _values("local_host", "127.0.0.2"),
    **_one_value_each(charbacks.UnixSocket, path="/b.sock", server=False, wait=True),
    **_one_value_each(charbacks.SpicePort, name="org.example.port"),
    **_one_value_each(ports.Parallel, back=charbacks.Null()),
    **_one_value_each(ports.Console, back=charbacks.Null()),
    **_one_value_each(ports.Channel, name="org.example.two", back=charbacks.Null()),
    **_one_value_each(ports.Monitor, back=charbacks.Null(), mode="qmp"),
    **_one_value_each(VNC, display=2, listen="0.0.0.0", password=True, websocket=5701, keymap="de"),
    (VNC, "unix"): [{"unix": "/v.sock", "display": None}],
    **_one_value_each(Spice, port=5931, tls_port=5932, listen="0.0.0.0", password="secret"),
    (Spice, "unix"): [{"unix": "/s.sock", "port": None}],
    **_one_value_each(Window, toolkit="curses", gl=True, fullscreen=True),
    **_one_value_each(Video, model="cirrus", memory_mib=32, heads=2),
    (Video, "accelerated"): [{"model": "virtio", "accelerated": True}],
    **_one_value_each(peripherals.Input, kind="mouse", bus="virtio"),
    **_one_value_each(peripherals.Sound, model="ac97", back="alsa"),
    **_one_value_each(peripherals.Watchdog, model="ib700", action="pause"),
    **_one_value_each(
        peripherals.TPM, model="crb", version="1.2", socket="/t.sock", device="/dev/tpm0"
    ),
    **_one_value_each(
        peripherals.Share, source="/x", tag="u", kind="virtiofs", readonly=True, security="none"
    ),
    (peripherals.Share, "socket"): [{"kind": "virtiofs", "socket": "/f.sock"}],
    **_one_value_each(peripherals.Vsock, cid=6),
    **_one_value_each(peripherals.HostPCI, address="0000:02:00.0", managed=False),
    **_one_value_each(peripherals.HostUSB, vendor=3, product=4),
    (peripherals.HostUSB, "bus"): [{"vendor": None, "product": None, "bus": 1, "device": 2}],
    (peripherals.HostUSB, "device"): [{"vendor": None, "product": None, "bus": 1, "device": 3}],
    **_one_value_each(peripherals.Mediated, uuid=UUID),
    **_one_value_each(Balloon, stats_s=5, deflate_on_oom=True, free_page_reporting=True),
    (RNG, "source"): _values("source", "/dev/urandom"),
    (RNG, "max_bytes"): [{"max_bytes": 1024, "period_ms": 1000}],
    (RNG, "period_ms"): [{"max_bytes": 1024, "period_ms": 2000}],
    **_one_value_each(
        CloudInit,
        user="anna",
        ssh_keys=("ssh-ed25519 AAAA anna@here",),
        password_hash="$6$salt$hash",
        packages=("vim",),
        run=("touch /ready",),
        hostname="web1",
    ),
}


def flipped(kind: type, changes: dict[str, Any]) -> DomainSpec:
    """Return the base of `kind` with those fields of that part changed."""
    spec, path = BASES[kind]
    changed: DomainSpec = _put(spec, path, changes)
    return changed


def _put(value: Any, path: Path, changes: dict[str, Any]) -> Any:
    if not path:
        return dataclasses.replace(value, **changes)
    step, *rest = path
    if isinstance(step, int):
        new = _put(value[step], tuple(rest), changes)
        return (*value[:step], new, *value[step + 1 :])
    return dataclasses.replace(value, **{step: _put(getattr(value, step), tuple(rest), changes)})
