"""QEMU's options, one by one, as specs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from kvmnb import parse
from kvmnb.errors import ParseError
from kvmnb.spec import charbacks
from kvmnb.spec.boot import Boot
from kvmnb.spec.chardev import Private, Serial
from kvmnb.spec.cpu import CPU
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.diskbacks import BlockDevice, FatFolder, Server
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.forwards import Forward
from kvmnb.spec.graphics import VNC, Video
from kvmnb.spec.memory import Memory
from kvmnb.spec.netbacks import Bridge, Socket, Tap
from kvmnb.spec.network import NIC, User
from kvmnb.spec.numa import NUMANode
from kvmnb.spec.peripherals import TPM, HostUSB, Input, Share, Sound, Watchdog
from kvmnb.spec.platform import Clock, Firmware
from kvmnb.spec.ports import Channel, Console, Monitor, Parallel
from kvmnb.spec.screens import Spice, Window
from kvmnb.spec.storage import CDROM, Disk, ExistingFile, Floppy

FILE = ExistingFile("a.img")


def spec(options: str) -> DomainSpec:
    return parse.qemu(f"qemu-system-x86_64 -nodefaults {options}").spec


def kinds(options: str) -> dict[str, str]:
    found = parse.qemu(f"qemu-kvm {options}").notes
    return {note.text: note.kind for note in found if note.kind != "default"}


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ("-name test,process=x", "name", "test"),
        ("-M q35", "machine", "q35"),
        ("-machine type=pc,accel=kvm,vmport=off", "machine_options", (("vmport", "off"),)),
        ("-machine q35,usb=on", "usb", "ehci"),
        ("-machine acpi=off", "acpi", False),
        ("-m 1.5G", "memory", Memory(size_mib=1536)),
        ("-m 512M", "memory", Memory(size_mib=512)),
        ("-m size=1G,slots=2,maxmem=4G", "memory",
         Memory(size_mib=1024, slots=2, maximum_mib=4096)),
        ("-m 64 -mem-path /huge -mem-prealloc", "memory",
         Memory(size_mib=64, source="file", path="/huge", preallocated=True)),
        ("-m 64 -overcommit mem-lock=on", "memory", Memory(size_mib=64, locked=True)),
        ("-object memory-backend-memfd,id=m,size=64M,share=on -machine pc,memory-backend=m -m 64",
         "memory", Memory(size_mib=64, source="memfd", shared=True)),
        ("-smp 2,maxcpus=4", "cpu", CPU(count=2, maximum=4)),
        ("-smp 4,sockets=1,cores=2,threads=2", "cpu", CPU(count=4, sockets=1, cores=2, threads=2)),
        ("-smp cores=4", "cpu", CPU(count=4, cores=4)),
        ("-cpu host,+x2apic,-vmx,hv_time,phys-bits=40", "cpu",
         CPU(model="host", features=("+x2apic", "-vmx", "hv_time=on", "phys-bits=40"))),
        ("-m 128 -smp 2 -numa node,mem=64,cpus=0 -numa node,mem=64,cpus=1", "numa",
         (NUMANode(memory_mib=64, cpus=(0,)), NUMANode(memory_mib=64, cpus=(1,)))),
        ("-boot dc", "boot", Boot(order="dc")),
        ("-boot order=dc,once=d,menu=on,strict=on", "boot",
         Boot(order="dc", once="d", menu=True, strict=True)),
        ("-kernel k -initrd i -append 'a=b,c d'", "boot",
         Boot(kernel="k", initrd="i", append="a=b,c d")),
        ("-bios b.bin", "firmware", Firmware(kind="bios", code="b.bin")),
        ("-drive if=pflash,format=raw,readonly=on,file=CODE -drive if=pflash,format=raw,file=VARS",
         "firmware", Firmware(code="CODE", variables="VARS")),
        ("-rtc base=localtime,driftfix=slew", "clock", Clock(base="localtime", driftfix="slew")),
        ("-no-hpet", "clock", Clock(hpet=False)),
        ("-no-reboot", "on_reboot", "destroy"),
        ("-action shutdown=pause", "on_poweroff", "preserve"),
        ("-S", "paused", True),
        ("-incoming tcp:0:7777", "incoming", "tcp:0:7777"),
        ("-hda a.img", "disks", (Disk(back=FILE, bus="ide"),)),
        ("-hdb a.img", "disks", (Disk(back=FILE, bus="ide", index=1),)),
        ("a.img", "disks", (Disk(back=FILE, bus="ide"),)),
        ("-drive file=a.img,if=virtio,cache=none,format=qcow2,aio=native", "disks",
         (Disk(back=FILE, cache="none", format="qcow2", aio="native"),)),
        ("-drive file=a,,b.img,if=virtio,readonly=on", "disks",
         (Disk(back=ExistingFile("a,b.img"), readonly=True),)),
        ("-drive file=a.img,if=virtio,snapshot=on", "disks", (Disk(back=FILE, snapshot=True),)),
        ("-snapshot -hda a.img", "disks", (Disk(back=FILE, bus="ide", snapshot=True),)),
        ("-drive id=d,file=a.img,if=none -device virtio-blk-pci,drive=d,bootindex=1", "disks",
         (Disk(back=FILE, bootindex=1),)),
        ("-device virtio-scsi-pci,id=s -drive id=d,file=a.img,if=none "
         "-device scsi-hd,drive=d,bus=s.0,scsi-id=3", "disks",
         (Disk(back=FILE, bus="scsi", index=3),)),
        ("-device ahci,id=s -drive id=d,file=a.img,if=none -device ide-hd,drive=d,bus=s.0",
         "disks", (Disk(back=FILE, bus="sata"),)),
        ("-hda /dev/sdb", "disks", (Disk(back=BlockDevice("/dev/sdb"), bus="ide"),)),
        ("-hdb fat:rw:/dir", "disks",
         (Disk(back=FatFolder(path="/dir", writable=True), bus="ide", index=1),)),
        ("-drive file=nbd:h:10809:exportname=e,if=virtio", "disks",
         (Disk(back=Server(protocol="nbd", host="h", port=10809, name="e")),)),
        ("-drive file=nbd+unix:///e?socket=/s,if=virtio", "disks",
         (Disk(back=Server(protocol="nbd", socket="/s", name="e")),)),
        ("""-drive 'file=json:{"driver":"file",,"filename":"a.img"},if=virtio'""", "disks",
         (Disk(back=FILE),)),
        ("""-blockdev '{"driver":"qcow2","node-name":"d",
         "file":{"driver":"file","filename":"a.img"}}'
         -device virtio-blk-pci,drive=d""", "disks", (Disk(back=FILE, format="qcow2"),)),
        ("-cdrom a.iso", "cdroms", (CDROM(ExistingFile("a.iso")),)),
        ("-drive if=ide,index=1,media=cdrom", "cdroms", (CDROM(index=1),)),
        ("-fda a.img -fdb /dev/fd1", "floppies", (Floppy(FILE), Floppy(BlockDevice("/dev/fd1")))),
        ("-net nic,model=virtio,macaddr=52:54:00:12:34:56 -net user", "nics",
         (NIC(mac="52:54:00:12:34:56"),)),
        ("-net nic,vlan=1,addr=5,vectors=4 -net tap,vlan=1,ifname=tap0,script=no,downscript=no",
         "nics", (NIC(model="e1000", back=Tap(ifname="tap0"), address="5", vectors=4),)),
        ("-M q35 -nic bridge,br=br1", "nics", (NIC(model="e1000e", back=Bridge("br1")),)),
        ("-nic user,model=virtio,hostfwd=tcp::2222-:22", "nics",
         (NIC(back=User(forwards=(Forward(host_port=2222, guest_port=22),))),)),
        ("-netdev socket,id=n,mcast=230.0.0.1:1234 -device e1000,netdev=n", "nics",
         (NIC(model="e1000", back=Socket(role="mcast", host="230.0.0.1", port=1234)),)),
        ("-netdev user,id=n,net=192.168.7.0 -device virtio-net-pci,netdev=n,id=x", "nics",
         (NIC(name="x", back=User(network="192.168.7.0/16")),)),
        ("-nic none", "nics", ()),
        ("-serial null", "serials", (Serial(charbacks.Null()),)),
        ("-serial stdio", "serials", (Serial(),)),
        ("-serial tcp:localhost:4444,server,nowait", "serials",
         (Serial(charbacks.TCP(host="localhost", port=4444, server=True)),)),
        ("-serial telnet::4444,server", "serials",
         (Serial(charbacks.TCP(port=4444, server=True, wait=True, telnet=True)),)),
        ("-serial udp:h:1@:2", "serials", (Serial(charbacks.UDP(host="h", port=1, local_port=2)),)),
        ("-serial file:/a,b", "serials", (Serial(charbacks.File("/a,b")),)),
        ("-serial /dev/ttyS0", "serials", (Serial(charbacks.HostPort("/dev/ttyS0")),)),
        ("-serial none", "serials", ()),
        ("-chardev file,id=c,path=/x -serial chardev:c", "serials",
         (Serial(charbacks.File("/x")),)),
        ("-parallel none -parallel vc:80Cx24C", "parallels", (Parallel(Private()),)),
        ("-monitor stdio", "monitors", (Monitor(),)),
        ("-qmp unix:/q,server=on,wait=off", "monitors",
         (Monitor(charbacks.UnixSocket(path="/q"), "qmp"),)),
        ("-device virtio-serial -chardev pty,id=c -device virtconsole,chardev=c", "consoles",
         (Console(),)),
        ("-device virtio-serial -chardev null,id=c -device virtserialport,chardev=c,name=a.b",
         "channels", (Channel("a.b", charbacks.Null()),)),
        ("-display none", "displays", ()),
        ("-display gtk,full-screen=on", "displays", (Window(fullscreen=True),)),
        ("-vnc 127.0.0.1:1,password=on", "displays", (VNC(display=1, password=True),)),
        ("-vnc unix:/s", "displays", (VNC(unix="/s"),)),
        ("-vnc 0.0.0.0:2,websocket=5800 -k de", "displays",
         (VNC(display=2, listen="0.0.0.0", websocket=5800, keymap="de"),)),
        ("-spice port=5930,addr=127.0.0.1,disable-ticketing=on", "displays", (Spice(port=5930),)),
        ("-vga qxl", "videos", (Video("qxl"),)),
        ("-device virtio-vga", "videos", (Video("virtio"),)),
        ("-vga none", "videos", ()),
        ("-usb -usbdevice tablet", "inputs", (Input(),)),
        ("-usb", "usb", "piix3-uhci"),
        ("-usbdevice host:1234:5678", "hostdevs", (HostUSB(vendor=0x1234, product=0x5678),)),
        ("-soundhw hda", "sounds", (Sound("ich6"),)),
        ("-audiodev alsa,id=a -device AC97,audiodev=a", "sounds", (Sound("ac97", "alsa"),)),
        ("-watchdog ib700 -watchdog-action pause", "watchdog", Watchdog("ib700", "pause")),
        ("-device virtio-balloon-pci", "balloon", Balloon(stats_s=0)),
        ("-device virtio-rng-pci", "rng", RNG()),
        ("-object rng-random,id=r,filename=/dev/random -device virtio-rng-pci,rng=r", "rng",
         RNG(source="/dev/random")),
        ("-virtfs local,path=/p,mount_tag=t,security_model=none", "shares",
         (Share(source="/p", tag="t", security="none"),)),
        ("-tpmdev passthrough,id=t,path=/dev/tpm0 -device tpm-tis,tpmdev=t", "tpm",
         TPM(device="/dev/tpm0")),
        ("-usbdevice braille", "extra_args",
         ("-chardev", "braille,id=braille0", "-device", "usb-braille,chardev=braille0")),
    ],
)  # fmt: skip
def test_an_option_is_the_field_that_it_means(options: str, field: str, value: Any) -> None:
    assert getattr(spec(options.replace("\n", " ")), field) == value


@pytest.mark.parametrize(
    ("binary", "options", "accel"),
    [
        ("qemu-kvm", "", "auto"),
        ("/usr/libexec/qemu-kvm", "", "auto"),
        ("qemu", "", "tcg"),
        ("qemu-system-x86_64", "", "tcg"),
        ("qemu-system-x86_64", "-enable-kvm", "kvm"),
        ("qemu-system-x86_64", "-accel kvm -accel tcg", "auto"),
        ("qemu-system-x86_64", "-machine accel=kvm:tcg", "auto"),
        ("qemu-kvm", "-no-kvm", "tcg"),
        ("qemu-system-x86_64", "-accel tcg,thread=multi", "tcg"),
    ],
)
def test_the_binary_and_its_options_choose_the_accelerator(binary, options, accel) -> None:
    assert parse.qemu(f"{binary} {options}").spec.accel == accel


def test_a_bare_line_has_what_qemu_gives_by_default_and_says_so() -> None:
    parsed = parse.qemu("qemu-system-x86_64 -M q35 -name a")
    assert parsed.spec == DomainSpec(
        name="a",
        machine="q35",
        accel="tcg",
        nics=(NIC(model="e1000e"),),
        agent=False,
        balloon=None,
        rng=None,
        vmgenid=None,
    )
    assert [note.kind for note in parsed.notes] == ["default"] * 5


def test_nographic_keeps_the_card_and_has_a_console() -> None:
    found = parse.qemu("qemu-kvm -nographic").spec
    assert (found.displays, found.videos, found.serials) == ((), (Video(),), (Serial(),))


@pytest.mark.parametrize(
    ("options", "text", "kind"),
    [
        ("-redir tcp:5555::23", "-redir tcp:5555::23", "removed"),
        ("-localtime", "-localtime", "removed"),
        ("-net nic,vlan=0 -net user,vlan=0", "vlan=0", "removed"),
        ("-hda a -drive file=b,boot=on", "boot=on", "removed"),
        ("-no-acpi", "-no-acpi", "old"),
        ("-usbdevice mouse", "-usbdevice mouse", "old"),
        ("-daemonize", "-daemonize", "ignored"),
        ("-pidfile /p", "-pidfile /p", "ignored"),
        ("-name a,process=b", "process=b", "ignored"),
        ("-smbios type=1,serial=x", "-smbios type=1,serial=x", "kept"),
        ("-vnc :3", ":3", "changed"),
        ("-serial pty", "pty", "changed"),
        ("-nic user,model=virtio,hostfwd=tcp::2222-:22", "tcp::2222-:22", "changed"),
    ],
)
def test_what_a_reader_should_know_is_noted(options: str, text: str, kind: str) -> None:
    assert kinds(options)[text] == kind


def test_the_old_user_network_options_go_to_the_first_card() -> None:
    found = parse.qemu("qemu-kvm -redir udp:53::5353 -tftp /t -bootp /b").spec.nics[0].back
    forward = Forward(protocol="udp", host_port=53, guest_port=5353)
    assert found == User(tftp="/t", bootfile="/b", forwards=(forward,))


@pytest.mark.parametrize(
    ("options", "extra"),
    [
        ("-device nonsense,x=1", ("-device", "nonsense,x=1")),
        ("-global a.b=c -iscsi user=x", ("-global", "a.b=c", "-iscsi", "user=x")),
        ("-drive file=a,if=virtio,copy-on-read=on", ("-drive", "file=a,if=virtio,copy-on-read=on")),
        ("-vnc :1,lossy=on", ("-vnc", "127.0.0.1:1,lossy=on")),
    ],
)
def test_what_no_field_stands_for_stays_verbatim(options: str, extra: tuple[str, ...]) -> None:
    assert spec(options).extra_args == extra


def test_a_kept_option_finds_what_became_a_field() -> None:
    found = spec(
        "-netdev user,id=mine -device e1000,netdev=mine -object filter-dump,id=f,netdev=mine,file=x"
    )
    assert len(found.nics) == 1
    assert found.extra_args == ("-object", "filter-dump,id=f,netdev=net0,file=x")


def test_a_kept_id_gives_way_to_the_compilers() -> None:
    found = spec("-nic user,model=virtio -netdev user,id=net0 -device usb-net,netdev=net0")
    assert found.extra_args == (
        *("-netdev", "user,id=kept-net0", "-device", "usb-net,netdev=kept-net0"),
    )


def test_a_device_that_is_kept_keeps_its_controller_and_back() -> None:
    line = "-device virtio-scsi-pci,id=s -drive id=d,if=none,file=a -device scsi-block,drive=d"
    assert spec(line).extra_args == tuple(line.split())


def test_a_hub_with_three_ends_stays_a_hub() -> None:
    found = spec("-net nic,model=e1000 -net nic,model=rtl8139 -net user")
    assert found.nics == ()
    assert found.extra_args.count("-netdev") == 4
    assert [word for word in found.extra_args if word.startswith(("e1000", "rtl8139"))] == [
        *("e1000,netdev=hub0card0", "rtl8139,netdev=hub0card1")
    ]


@pytest.mark.parametrize(
    ("line", "at", "reason"),
    [
        ("qemu-kvm -hdd a -hda b -hda c", "-hda c", "is taken"),
        ("qemu-kvm -cdrom a -hdc b", "-hdc", "one place"),
        ("qemu-kvm -memory 128", "-memory", "no option"),
        ("qemu-kvm -smpp 2", "-smpp", "did you mean '-smp'"),
        ("qemu-kvm -m=128", "=128", "a space, not an equals sign"),
        ("qemu-kvm -m", "-m", "followed by a value"),
        ("qemu-kvm -m 128MB", "128MB", "single letters"),
        ("qemu-kvm -m lots", "lots", "no size"),
        ("qemu-kvm -smp two", "two", "whole number"),
        ("qemu-kvm -smp 2,cores=x", "x", "whole number"),
        ("qemu-kvm -smp 3,sockets=2,cores=2,threads=1", "3,", "must be 3"),
        ("qemu-kvm -drive file=a,if=virtoi", "virtoi", "did you mean 'virtio'"),
        ("qemu-kvm -drive file=a,cache=wrong", "wrong", "one of"),
        ("qemu-kvm -drive file=a,snapshot=maybe", "maybe", "on or off"),
        ("qemu-kvm -net nic,model=virtoi -net user", "virtoi", "did you mean 'virtio'"),
        ("qemu-kvm -net nic,macaddr=5:4 -net user", "5:4", "six octets"),
        ("qemu-kvm -net usr", "usr", "did you mean 'user'"),
        ("qemu-kvm -nic user,hostfwd=22", "22", "ADDRESS:PORT"),
        ("qemu-kvm -device e1000,netdev=nope", "nope", "no -netdev"),
        ("qemu-kvm -device ide-hd,drive=nope", "nope", "no -drive"),
        ("qemu-kvm -serial chardev:nope", "nope", "no -chardev"),
        ("qemu-kvm -serial stdo", "stdo", "did you mean 'stdio'"),
        ("qemu-kvm -vnc 5901", "5901", "no display"),
        ("qemu-kvm -boot xyz", "xyz", "boot letter"),
        ("qemu-kvm -vga wrong", "wrong", "one of"),
        ("qemu-kvm -accel kmv", "kmv", "did you mean 'kvm'"),
        ("qemu-kvm -append a", "a", "needs a kernel"),
        ("qemu-kvm -usbdevice tablett", "tablett", "did you mean 'tablet'"),
        ("qemu-kvm -hda sheep:a", "sheep:a", "protocol"),
        ("qemu-kvm -uuid 5", "5", "not a UUID"),
        ("qemu-kvm a b", "b", "second word"),
        ("ls -l", "ls", "no QEMU"),
        ("qemu-system-arm64 -m 1", "qemu-system", "did you mean 'arm'"),
        ("qemu-kvm -netdev user,id=a -netdev user,id=a", "-netdev user,id=a", "already"),
    ],
)
def test_a_slip_is_refused_where_it_stands(line: str, at: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason) as caught:
        parse.qemu(line)
    assert line[caught.value.position :].startswith(at)


def test_every_part_of_a_long_classic_line_is_there() -> None:
    found = parse.qemu(
        "qemu-kvm -name win7 -smp 2 -m 1024 -drive file=/images/win7.img,if=ide,media=disk,"
        "cache=writeback,format=qcow2 -drive file=/iso/win7.iso,media=cdrom -boot order=dc,once=d"
    ).spec
    assert dataclasses.replace(found, nics=()) == DomainSpec(
        name="win7",
        cpu=CPU(count=2),
        memory=Memory(size_mib=1024),
        boot=Boot(order="dc", once="d"),
        disks=(Disk(back=ExistingFile("/images/win7.img"), bus="ide", format="qcow2"),),
        cdroms=(CDROM(ExistingFile("/iso/win7.iso"), index=1),),
        agent=False,
        balloon=None,
        rng=None,
        vmgenid=None,
    )
