"""Descriptions that between them have each value of each field that QEMU takes, by name.

Each comes with what the real QEMU must then say: ``(id, property): value`` of its devices.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from kvmnb.compile.nics import NIC_DEVICES, NIC_MODELS
from kvmnb.spec import charbacks, netbacks
from kvmnb.spec.boot import Boot
from kvmnb.spec.chardev import Private, Serial
from kvmnb.spec.cpu import CPU
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.diskbacks import FatFolder, Server
from kvmnb.spec.domain import SCSI_MODELS, USB_CONTROLLERS, DomainSpec
from kvmnb.spec.forwards import Forward, GuestForward
from kvmnb.spec.graphics import VNC, Video
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import NIC, User
from kvmnb.spec.numa import NUMANode
from kvmnb.spec.peripherals import (
    AUDIO_BACKS,
    SECURITY_MODELS,
    TPM,
    WATCHDOG_ACTIONS,
    HostPCI,
    HostUSB,
    Input,
    Mediated,
    Share,
    Sound,
    Vsock,
    Watchdog,
)
from kvmnb.spec.platform import Clock, Firmware
from kvmnb.spec.ports import Channel, Console, Monitor, Parallel
from kvmnb.spec.screens import Spice, Window
from kvmnb.spec.storage import CACHES, CDROM, Disk, ExistingFile, Floppy

__all__ = ["BARE", "Case", "cases"]

Case = tuple[DomainSpec, dict[tuple[str, str], Any]]

BARE = DomainSpec(
    name="bare, 'as' \"it\" = is",
    memory=Memory(size_mib=32),
    agent=False,
    serials=(),
    displays=(),
    videos=(),
    balloon=None,
    rng=None,
    vmgenid=None,
)
"""A guest with nothing but a board."""


def cases(folder: Path) -> dict[str, Case]:
    """Return all of them; their files are in `folder`."""
    return {
        **_whole(folder),
        **_disks(folder),
        **_networks(folder),
        **_characters(folder),
        **_screens(folder),
        **_devices(folder),
        **_boards(folder),
    }


def _with(expected: dict[tuple[str, str], Any] | None = None, **changes: Any) -> Case:
    return dataclasses.replace(BARE, **changes), expected or {}


def _whole(folder: Path) -> dict[str, Case]:
    memory = {
        "backend anonymous shared": Memory(size_mib=32, shared=True),
        "backend preallocated": Memory(size_mib=32, preallocated=True),
        "backend memfd": Memory(size_mib=32, source="memfd", shared=True),
        "backend memfd private": Memory(size_mib=32, source="memfd"),
        "backend huge": Memory(size_mib=32, source="memfd", hugepages=True, hugepage_kib=2048),
        "backend file": Memory(size_mib=32, source="file", path=str(folder / "r,am"), shared=True),
        "not merged": Memory(size_mib=32, merged=False),
        "locked": Memory(size_mib=32, locked=True),
        "room": Memory(size_mib=32, slots=4, maximum_mib=256),
    }
    nodes = (
        NUMANode(memory_mib=16, cpus=(0, 1, 3), distances=(10, 21)),
        NUMANode(memory_mib=16, cpus=(2,), distances=(21, 10)),
    )
    clocks = {
        f"clock {clock.base} {clock.source}": clock
        for clock in (
            Clock(base="localtime", source="rt"),
            Clock(base="2026-01-31", source="vm", driftfix="slew"),
            Clock(base="2026-01-31T12:00:00", hpet=False, pit="discard"),
            Clock(hpet=True, pit="delay"),
        )
    }
    ends = {"on_reboot": "destroy", "on_poweroff": "preserve", "on_crash": "preserve"}
    start = {
        "firmware's order": Boot(order="dca", once="n", menu=True, menu_timeout_ms=2000),
        "strict": Boot(order="c", strict=True, splash=str(folder / "spl,ash.jpg")),
        "kernel": Boot(
            kernel=str(folder / "k,ernel"), initrd=str(folder / "init,rd"), append="a,b=c 'd'"
        ),
        "device tree": Boot(kernel=str(folder / "k,ernel"), dtb=str(folder / "tree.dtb")),
    }
    return {
        **{f"memory {name}": _with(memory=each) for name, each in memory.items()},
        "numa": _with(cpu=CPU(count=4), numa=nodes),
        "numa shared": _with(
            cpu=CPU(count=4), numa=nodes, memory=dataclasses.replace(memory["backend memfd"])
        ),
        "dies": _with(cpu=CPU(count=4, sockets=1, dies=2, cores=2, threads=1)),
        "features": _with(cpu=CPU(model="qemu64", features=("+aes", "-sse4a", "phys-bits=40"))),
        "features of the default": _with(cpu=CPU(features=("+aes",))),
        **{name: _with(clock=clock) for name, clock in clocks.items()},
        **{f"{field} {deed}": _with(None, **{field: deed}) for field, deed in ends.items()},
        **{f"boot {name}": _with(boot=boot) for name, boot in start.items()},
        "incoming": _with(incoming="defer"),
        "incoming by a program": _with(incoming=f"exec:cat {folder / 'k,ernel'}"),
        "extra": _with(extra_args=("-msg", "timestamp=on")),
        "machine options": _with(machine_options=(("vmport", "off"), ("smbus", "off"))),
        "accelerator's options": _with(accel_options=(("thread", "single"),)),
        "uuid": _with(uuid="5b2a9e3e-8a43-4d7e-9d7c-0f4c1c9f6a10"),
        **{
            f"{machine} without ACPI": _with(machine=machine, acpi=False)
            for machine in ("pc", "q35")
        },
        **{
            f"{machine} sleep {allowed}": _with(
                machine=machine, suspend_to_mem=allowed, suspend_to_disk=allowed
            )
            for machine in ("pc", "q35")
            for allowed in (True, False)
        },
        "bios": _with(firmware=Firmware(kind="bios")),
        "bios of one's own": _with(firmware=Firmware(kind="bios", code=str(folder / "b,ios"))),
    }


def _disks(folder: Path) -> dict[str, Case]:
    def file(index: int = 0) -> ExistingFile:
        return ExistingFile(str(folder / f"di,sk{index}.img"))

    def disk(bus: str, number: int = 0, **more: Any) -> Disk:
        return Disk(back=file(number), bus=bus, format="raw", **more)

    front = {
        "virtio": "virtio-blk-pci",
        "ide": "ide-hd",
        "sata": "ide-hd",
        "scsi": "scsi-hd",
        "nvme": "nvme",
        "usb": "scsi-hd",
    }
    found: dict[str, Case] = {}
    for bus, device in front.items():
        asked = disk(
            bus,
            serial="S,1=2",
            bootindex=2,
            shared=True,
            discard="unmap",
            aio="threads",
            options=(("logical_block_size", "512"), ("physical_block_size", "4096")),
        )
        properties = {
            ("disk0", "type"): device,
            ("disk0", "serial"): "S,1=2",
            ("disk0", "bootindex"): 2,
            ("disk0", "share-rw"): True,
            ("disk0", "physical_block_size"): 4096,
        }
        for machine in ("pc", "q35"):
            found[f"{machine} disk on {bus}"] = _with(properties, machine=machine, disks=(asked,))
        for cache in CACHES:
            spec = _with({("disk0", "type"): device}, disks=(disk(bus, cache=cache),))
            found[f"disk on {bus} cache {cache}"] = spec
        if bus not in {"ide", "sata"}:
            found[f"disk on {bus} read-only"] = _with(disks=(disk(bus, readonly=True),))
    found["disk on sd"] = _with({("disk0", "type"): "sd-card"}, disks=(disk("sd"),))
    found["disk aio native"] = _with(disks=(disk("virtio", aio="native", cache="none"),))
    found["disk aio io_uring"] = _with(disks=(disk("virtio", aio="io_uring", discard="ignore"),))
    for model in SCSI_MODELS:
        disks = (disk("scsi", 0), disk("scsi", 1, index=5), disk("scsi", 2))
        places = {("disk1", "scsi-id"): 5, ("disk2", "scsi-id"): 1}
        cds = (CDROM(file(3), bus="scsi"),)
        found[f"scsi {model}"] = _with(places, scsi=model, disks=disks, cdroms=cds)
    for machine in ("pc", "q35"):
        for place in (None, "ide", "sata", "scsi", "usb"):
            front_of = "ide-cd" if place in {None, "ide", "sata"} else "scsi-cd"
            cdroms = (CDROM(file(0), bus=place, bootindex=1), CDROM(bus=place))
            spec = _with(
                {("cd0", "type"): front_of, ("cd0", "bootindex"): 1, ("cd1", "type"): front_of},
                machine=machine,
                cdroms=cdroms,
            )
            found[f"{machine} CD-ROMs on {place}"] = spec
        floppies = (Floppy(file(0), format="raw"), Floppy())
        units = {("floppy0", "unit"): 0, ("floppy1", "unit"): 1}
        found[f"{machine} floppies"] = _with(units, machine=machine, floppies=floppies)
    read = (Floppy(file(0), format="raw", readonly=True),)
    found["floppy with an overlay"] = _with(floppies=(Floppy(file(0), "raw", snapshot=True),))
    overlaid = Disk(back=FatFolder(path=str(folder / "fat,1")), bus="ide", snapshot=True)
    found["folder with an overlay"] = _with({("disk0", "type"): "ide-hd"}, disks=(overlaid,))
    found["floppy read-only"] = _with(floppies=read)
    found["places of ide"] = _with(
        {("disk0", "unit"): 1, ("disk1", "unit"): 0, ("cd0", "unit"): 0},
        disks=(disk("ide", 0, index=1), disk("ide", 1)),
        cdroms=(CDROM(file(2), index=2),),
    )
    for bits in (None, 12, 16, 32):
        for writable in (False, True):
            back = FatFolder(path=str(folder / "fat,1"), bits=bits, writable=writable)
            spec = _with({("disk0", "type"): "virtio-blk-pci"}, disks=(Disk(back=back),))
            found[f"folder {bits} {writable}"] = spec
    fat = FatFolder(path=str(folder / "fat,1"))
    found["folder as a floppy"] = _with(floppies=(Floppy(fat, readonly=True),))
    found["seed"] = _with({("cd0", "type"): "ide-cd"}, cdroms=(CDROM(file(0)),))
    return found


def servers(port: int, socket: str) -> dict[str, Server]:
    """Return disks that a server at that port, or that socket, holds."""
    return {
        "nbd": Server(protocol="nbd", host="127.0.0.1", port=port, name="ex,port"),
        "nbd unix": Server(protocol="nbd", socket=socket, name="ex,port"),
        "http": Server(protocol="http", host="127.0.0.1", port=port, name="a b,c.iso"),
    }


def _networks(folder: Path) -> dict[str, Case]:
    user = User(
        network="192.168.76.0/24",
        host="192.168.76.2",
        dhcpstart="192.168.76.20",
        dns="192.168.76.4",
        hostname="guest-1",
        domain="example.org",
        search=("a.example.org", "b.example.org"),
        tftp=str(folder / "fat,1"),
        bootfile="/px,e",
        forwards=(
            Forward(host_port=47311, guest_port=22),
            Forward(host_port=47312, guest_port=53, protocol="udp", guest_address="192.168.76.9"),
        ),
        guest_forwards=(
            GuestForward(address="192.168.76.100", port=7, target="cmd:/bin/cat"),
            GuestForward(address="192.168.76.101", port=8, target="cmd:/bin/cat -u"),
        ),
        restricted=True,
        ipv4=True,
        ipv6=False,
    )
    listen, path = folder / "net.sock", folder / "oth,er.sock"
    backs: dict[str, Any] = {
        "user": User(),
        "user with everything": user,
        "user of IPv6": User(network="fec0::/64", host="fec0::2", dns="fec0::3"),
        "nothing": None,
        "tap": netbacks.Tap(ifname="kvmnbtap0"),
        "tap with scripts": netbacks.Tap(script="/bin/true", downscript="/bin/true"),
        "tap vhost": netbacks.Tap(vhost=True, vnet_hdr=True, queues=2),
        "bridge": netbacks.Bridge("kvmnbbr0"),
        "socket listen": netbacks.Socket(role="listen", port=47313, host="127.0.0.1"),
        "socket mcast": netbacks.Socket(
            role="mcast", host="230.0.0.1", port=47314, local_host="127.0.0.1"
        ),
        "socket udp": netbacks.Socket(
            role="udp", host="127.0.0.1", port=47315, local_port=47316, local_host="127.0.0.1"
        ),
        "stream server": netbacks.Stream(path=str(listen), server=True),
        "stream over TCP": netbacks.Stream(host="127.0.0.1", port=47317, server=True),
        "stream again": netbacks.Stream(host="127.0.0.1", port=47318, reconnect_s=5),
        "dgram": netbacks.Dgram(local_path=str(listen), remote_path=str(path)),
        "dgram UDP": netbacks.Dgram(
            local_host="127.0.0.1", local_port=47319, remote_host="127.0.0.1", remote_port=47320
        ),
        "dgram group": netbacks.Dgram(remote_host="230.0.0.1", remote_port=47321),
        "VDE": netbacks.VDE(socket=str(folder), port=1, group="root", mode="0700"),
        "passt": netbacks.Passt(),
        "host's own": netbacks.HostNIC(address="0000:01:10.0"),
    }
    found = {f"net {name}": _with(nics=(NIC(back=back),)) for name, back in backs.items()}
    shared = Memory(size_mib=32, source="memfd", shared=True)
    back = netbacks.VhostUser(path=str(listen), server=True)
    found["net vhost-user"] = _with(nics=(NIC(back=back),), memory=shared)
    card = NIC(
        mac="52:54:00:aa:bb:cc",
        name="lan",
        address="9.0",
        vectors=7,
        mtu=1400,
        bootindex=4,
        options=(("guest_csum", "off"),),
    )
    found["card"] = _with(
        {
            ("lan", "mac"): "52:54:00:aa:bb:cc",
            ("lan", "addr"): 9 << 3,
            ("lan", "vectors"): 7,
            ("lan", "host_mtu"): 1400,
            ("lan", "bootindex"): 4,
            ("lan", "guest_csum"): False,
        },
        nics=(card,),
    )
    found["card without MSI-X"] = _with({("net0", "vectors"): 0}, nics=(NIC(vectors=0),))
    for model in (*NIC_MODELS, *sorted(NIC_DEVICES - set(NIC_MODELS.values()))):
        device = NIC_MODELS.get(model, model)
        found[f"card {model}"] = _with({("net0", "type"): device}, nics=(NIC(model=model),))
    return found


def _characters(folder: Path) -> dict[str, Case]:
    backs: dict[str, Any] = {
        "private": Private(),
        "null": charbacks.Null(),
        "file": charbacks.File(str(folder / "o,ut")),
        "file append": charbacks.File(str(folder / "o,ut"), append=True),
        "pipe": charbacks.Pipe(str(folder / "pi,pe")),
        "host": charbacks.HostPort("/dev/tty"),
        "tcp server": charbacks.TCP(port=47322, server=True, telnet=True),
        "udp": charbacks.UDP(port=47323, local_port=47324, local_host="127.0.0.1"),
        "udp out": charbacks.UDP(port=47325),
        "unix": charbacks.UnixSocket(path=str(folder / "so,ck")),
    }
    found = {
        f"serial {name}": _with({("serial0", "type"): "isa-serial"}, serials=(Serial(back),))
        for name, back in backs.items()
    }
    for name in ("private", "null", "file", "unix"):
        found[f"parallel {name}"] = _with(
            {("parallel0", "type"): "isa-parallel"}, parallels=(Parallel(backs[name]),)
        )
        found[f"console {name}"] = _with(
            {("console0", "type"): "virtconsole"}, consoles=(Console(backs[name]),)
        )
        found[f"channel {name}"] = _with(
            {("channel0", "name"): "org.ex,ample"}, channels=(Channel("org.ex,ample", backs[name]),)
        )
        for mode in ("hmp", "qmp"):
            found[f"monitor {mode} {name}"] = _with(monitors=(Monitor(backs[name], mode),))
    four = tuple(Serial(charbacks.Null()) for _ in range(4))
    found["four serials"] = _with({("serial3", "index"): 3}, serials=four)
    for model in ("pci", "usb"):
        found[f"serial {model}"] = _with(
            {("serial1", "type"): f"{model}-serial"},
            serials=(Serial(), Serial(Private(), model)),
        )
    found["ports together"] = _with(
        {("agent0", "name"): "org.qemu.guest_agent.0", ("console0", "type"): "virtconsole"},
        agent=True,
        consoles=(Console(),),
        channels=(Channel("a"), Channel("b")),
        monitors=(Monitor(), Monitor(mode="qmp")),
        parallels=(Parallel(), Parallel(charbacks.Null())),
    )
    spice = Spice(unix=str(folder / "spice.sock"))
    for name in ("vdagent", "org.example.port"):
        channel = Channel("com.redhat.spice.0", charbacks.SpicePort(name))
        found[f"channel spice {name}"] = _with(displays=(spice,), channels=(channel,))
    return found


def _screens(folder: Path) -> dict[str, Case]:
    servers = {
        "private": VNC(),
        "display": VNC(display=47),
        "address": VNC(display=48, listen="0.0.0.0"),
        "free": VNC(listen="127.0.0.1"),
        "unix": VNC(unix=str(folder / "v,nc.sock")),
        "password": VNC(password=True),
        "password itself": VNC(password="secret"),
        "websocket": VNC(display=49, websocket=47326),
        "keymap": VNC(keymap="de"),
    }
    found = {f"vnc {name}": _with(displays=(each,)) for name, each in servers.items()}
    found["vnc twice"] = _with(displays=(VNC(), VNC(display=50)), videos=(Video(),))
    found["spice"] = _with(displays=(Spice(port=47327, password="secret"),))
    found["spice unix"] = _with(displays=(Spice(unix=str(folder / "spice.sock")),))
    for toolkit in ("gtk", "sdl", "curses"):
        found[f"window {toolkit}"] = _with(displays=(Window(toolkit=toolkit),))
    found["window gl"] = _with(displays=(Window(gl=True, fullscreen=True),))
    cards: dict[str, tuple[Video, dict[tuple[str, str], Any]]] = {
        "std": (Video("std", memory_mib=32), {("video0", "vgamem_mb"): 32}),
        "cirrus": (Video("cirrus"), {("video0", "type"): "cirrus-vga"}),
        "vmware": (Video("vmware", memory_mib=32), {("video0", "vgamem_mb"): 32}),
        "qxl": (Video("qxl", memory_mib=32, heads=2), {("video0", "max_outputs"): 2}),
        "virtio": (Video("virtio", heads=3), {("video0", "max_outputs"): 3}),
        "bochs": (Video("bochs", memory_mib=32), {("video0", "vgamem"): 32 << 20}),
        "ramfb": (Video("ramfb"), {("video0", "type"): "ramfb"}),
        "virtio 3D": (Video("virtio", accelerated=True), {("video0", "type"): "virtio-vga-gl"}),
    }
    for name, (video, expected) in cards.items():
        found[f"video {name}"] = _with(expected, videos=(video,), displays=(VNC(),))
    for model in ("std", "qxl", "virtio", "bochs"):
        second = (Video(), Video(model))
        found[f"second video {model}"] = _with(videos=second, displays=(VNC(),))
    return found


def _devices(folder: Path) -> dict[str, Case]:
    found: dict[str, Case] = {}
    for usb in USB_CONTROLLERS:
        inputs = tuple(Input(kind) for kind in ("tablet", "mouse", "keyboard"))
        found[f"usb {usb}"] = _with({("input0", "type"): "usb-tablet"}, usb=usb, inputs=inputs)
    found["usb alone"] = _with({("usb-bus", "type"): "qemu-xhci"}, usb="xhci")
    inputs = tuple(Input(kind, "virtio") for kind in ("tablet", "mouse", "keyboard"))
    found["inputs virtio"] = _with({("input1", "type"): "virtio-mouse-pci"}, inputs=inputs)
    sounds = {
        "ac97": "AC97",
        "es1370": "ES1370",
        "sb16": "sb16",
        "ich6": "intel-hda",
        "ich9": "ich9-intel-hda",
        "usb": "usb-audio",
        "virtio": "virtio-sound-pci",
    }
    for model, device in sounds.items():
        found[f"sound {model}"] = _with({("sound0", "type"): device}, sounds=(Sound(model),))
    found["sound pcspk"] = _with(sounds=(Sound("pcspk"),))
    for back in AUDIO_BACKS:
        screens = (Spice(unix=str(folder / "spice.sock")),) if back == "spice" else ()
        found[f"sound by {back}"] = _with(sounds=(Sound("ac97", back),), displays=screens)
    for model in ("i6300esb", "ib700"):
        found[f"watchdog {model}"] = _with({("watchdog0", "type"): model}, watchdog=Watchdog(model))
    for action in WATCHDOG_ACTIONS:
        found[f"watchdog {action}"] = _with(watchdog=Watchdog(action=action))
    balloon = Balloon(stats_s=0, deflate_on_oom=True, free_page_reporting=True)
    found["balloon"] = _with(
        {
            ("balloon0", "guest-stats-polling-interval"): 0,
            ("balloon0", "deflate-on-oom"): True,
            ("balloon0", "free-page-reporting"): True,
        },
        balloon=balloon,
    )
    found["rng of the host"] = _with(rng=RNG(source="/dev/urandom"))
    limited = RNG(max_bytes=1024, period_ms=500)
    limits = {("rng0", "max-bytes"): 1024, ("rng0", "period"): 500}
    found["rng limited"] = _with(limits, rng=limited)
    generation = "324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87"
    found["vmgenid"] = _with({("vmgenid0", "guid"): generation}, vmgenid=generation)
    for security in SECURITY_MODELS:
        share = Share(source=str(folder / "fat,1"), tag="t,1", security=security, readonly=True)
        found[f"9p {security}"] = _with({("share0", "mount_tag"): "t,1"}, shares=(share,))
    shared = Memory(size_mib=32, source="memfd", shared=True)
    virtiofs = Share(source="/", tag="t", kind="virtiofs", socket=str(folder / "none.sock"))
    found["virtiofs"] = _with(shares=(virtiofs,), memory=shared)
    found["vsock"] = _with({("vsock0", "guest-cid"): 47328}, vsock=Vsock(47328))
    found["host's PCI"] = _with(hostdevs=(HostPCI(address="0000:01:00.0"),))
    found["host's USB"] = _with(hostdevs=(HostUSB(vendor=0x1234, product=0xABCD),))
    found["host's USB by place"] = _with(hostdevs=(HostUSB(bus=1, device=99),))
    found["mediated"] = _with(hostdevs=(Mediated(uuid="5b2a9e3e-8a43-4d7e-9d7c-0f4c1c9f6a10"),))
    for front in (TPM(model="tis"), TPM(model="crb")):
        tpm = dataclasses.replace(front, socket=str(folder / "none.sock"))
        found[f"tpm {front.model}"] = _with(tpm=tpm)
    found["tpm of the host"] = _with(tpm=TPM(device="/dev/tpm0"))
    return found


def _boards(folder: Path) -> dict[str, Case]:
    file = ExistingFile(str(folder / "di,sk0.img"))
    virtio = Disk(back=file, format="raw")
    micro = _with(
        {("disk0", "type"): "virtio-blk-device", ("net0", "type"): "virtio-net-device"},
        machine="microvm",
        disks=(virtio, Disk(back=ExistingFile(str(folder / "di,sk1.img")), bus="scsi")),
        cdroms=(CDROM(),),
        nics=(NIC(),),
        serials=(Serial(),),
        agent=True,
        balloon=Balloon(),
        rng=RNG(),
        consoles=(Console(),),
    )
    isa = _with(
        {("disk0", "type"): "ide-hd", ("net0", "type"): "ne2k_isa"},
        machine="isapc",
        cpu=CPU(model="486"),
        disks=(Disk(back=file, bus="ide", format="raw"),),
        cdroms=(CDROM(),),
        floppies=(Floppy(),),
        nics=(NIC(model="ne2k_isa"),),
        serials=(Serial(),),
        parallels=(Parallel(),),
        sounds=(Sound("sb16"),),
        watchdog=Watchdog("ib700"),
    )
    return {"microvm": micro, "isapc": isa, "none": _with(machine="none")}
