"""The elements of libvirt's domain XML, by their path, and their attributes by element.

A name that begins with ``*/`` stands for that element wherever no longer path is known. The text
of an element is ``{text}``, what it has of a child ``{child@attribute}`` or ``{child}``.
"""

from __future__ import annotations

from kvmnb.explain.entry import entries

__all__ = ["ATTRIBUTES", "ELEMENTS"]

ELEMENTS = entries(
    """
domain | A guest, run by {@type?kvm:KVM;qemu:QEMU alone: TCG}. | | xml-element
name | The guest is called {text}. | | xml-metadata
uuid | Host and guest know it by this UUID. | made up by libvirt | xml-metadata
genid | A generation id tells the guest's kernel when it has been copied[: {text}]. | none |
    xml-metadata
title | A short title for people: {text} | none | xml-metadata
description | A description for people: {text} | none | xml-metadata
metadata | Words of other programs, which libvirt keeps and does not read. | none | xml-metadata
kvmnb:boot | What libvirt has no word for, kept by kvmnb[: first from {@once}][: from the tree
    {@location}]. | none | xml-metadata
kvmnb:smp | Of the layout, what was asked for, kept by kvmnb. | all of it | xml-metadata
kvmnb:osinfo | What runs in it, kept by kvmnb: {@name}. | none | xml-metadata
kvmnb:domain, kvmnb:* | Words of kvmnb's for what libvirt has none for. | none | xml-metadata
metadata/* | Words of another program's, which libvirt keeps and does not read. | none |
    xml-metadata
memory | {text} {@unit} of memory. | | xml-memory
maxMemory | Room for memory that is plugged in later: up to {text} {@unit} in {@slots} slots. |
    none | xml-memory
currentMemory | The balloon leaves the guest {text} {@unit} from the start. | all of it | xml-memory
memoryBacking | What the host makes the memory of. | anonymous memory | xml-backing
hugepages, memoryBacking/hugepages | Memory is made of huge pages[ of {page@size} {page@unit}]. |
    small pages | xml-backing
hugepages/page, memoryBacking/hugepages/page | Huge pages of {@size} {@unit}. | the host's default
    | xml-backing
nosharepages, memoryBacking/nosharepages | KSM does not merge its pages with like ones. | it may |
    xml-backing
locked, memoryBacking/locked | All of the memory stays in RAM. | it may be swapped out | xml-backing
source, memoryBacking/source | Memory is {@type?memfd:a file without a name;file:a
    file;anonymous:anonymous}. | anonymous | xml-backing
access, memoryBacking/access | Memory is {@mode?shared:shared with other processes;private:QEMU's
    alone}. | private | xml-backing
allocation, memoryBacking/allocation | Memory is taken from the host {@mode?immediate:at the
    start;ondemand:as it is touched}. | as it is touched | xml-backing
vcpu | [{@current} vCPUs now, and at most ]{text} vCPU{text?1:;*:s}[ on host CPUs {@cpuset}]. | 1
    | xml-vcpu
vcpus | Each vCPU by itself. | | xml-vcpu
os | What the guest runs first and what it starts from. | | xml-os
type, os/type | {text?hvm:A full machine;linux:A guest of Xen's that knows so}[ of architecture
    {@arch}][, board {@machine}]. | | xml-bios
loader, os/loader | The firmware is the file {text}. | chosen by libvirt | xml-bios
nvram, os/nvram | The firmware keeps its variables in {text}. | a file of libvirt's | xml-bios
firmware, os/firmware | What libvirt shall find firmware with. | anything | xml-bios
firmware/feature, os/firmware/feature | Firmware with {@name}: {@enabled}. | either | xml-bios
boot, os/boot | The firmware tries: {@dev?hd:the disk;cdrom:the CD-ROM;network:the network;fd:the
    floppy}. | the disk | xml-bios
bootmenu, os/bootmenu | The firmware's menu: {@enable?yes:shown;no:not shown}[, for {@timeout}
    ms]. | not shown | xml-bios
bios, os/bios | How the firmware behaves. | | xml-bios
smbios, os/smbios | Where the SMBIOS tables come from. | QEMU's own | xml-bios
acpi, os/acpi | Tables of ACPI from a file. | | xml-bios
kernel, os/kernel | QEMU itself loads the kernel {text/}. | the firmware looks for one | xml-direct
initrd, os/initrd | The kernel gets {text/} as its first file system. | none | xml-direct
cmdline, os/cmdline | The kernel starts with these words as its command line. | empty | xml-direct
dtb, os/dtb | The kernel gets the device tree {text}. | none | xml-direct
bootloader | A program of Xen's that finds the kernel. | | xml-os
features | What the board has. | | xml-features
features/acpi | The board has ACPI. | it has none | xml-features
apic, pae, features/apic, features/pae | The processors have it. | they have not | xml-features
smm, features/smm | System management mode: {@state}. | auto | xml-features
vmport, features/vmport | VMware's port, by which a mouse may report: {@state}. | auto |
    xml-features
ioapic, features/ioapic | Interrupt controllers are emulated by {@driver?kvm:KVM;qemu:QEMU}. | KVM
    | xml-features
features/* | Something that the board has. | | xml-features
cpu | The processors[ are {@mode?host-passthrough:the host's own;host-model:the model nearest to
    the host's;maximum:of a model with everything that can be had;custom:of model}][ {model}][,
    {topology@sockets} sockets][ of {topology@dies} dies][ of {topology@cores} cores][ of
    {topology@threads} threads]. | chosen by libvirt | xml-cpu
model, cpu/model | The model is {text}. | | xml-cpu
topology, cpu/topology | {@sockets} sockets[ of {@dies} dies] of {@cores} cores of {@threads}
    threads. | sockets of one core | xml-cpu
feature, cpu/feature | The model {@policy?require:gets;disable:loses;*:has} {@name}. | as the
    model has it | xml-cpu
cpu/vendor, cpu/maxphysaddr, cpu/cache | A property of the model. | as the model has it | xml-cpu
numa, cpu/numa | Which vCPUs are near which memory. | one node with all | xml-numa
numa/cell, cpu/numa/cell | Node {@id} has {@memory} {@unit} of memory[ and vCPUs {@cpus}]. | |
    xml-numa
numa/cell/distances, cpu/numa/cell/distances | How far it is from each node. | 10, and 20 to
    others | xml-numa
numa/cell/distances/sibling, cpu/numa/cell/distances/sibling | From node {@id} it is {@value}
    away. | 10, and 20 to others | xml-numa
clock | The guest's clock starts at {@offset}[ {@start}]. | utc | xml-clock
timer, clock/timer | Timer {@name}[ follows {@track}][, {@present?no:is not there;yes:is there}][,
    lost ticks: {@tickpolicy}]. | the hypervisor's default | xml-clock
on_poweroff | A guest that powers itself off: {text}. | destroy | xml-events
on_reboot | A guest that restarts: {text}. | restart | xml-events
on_crash | A guest that crashes: {text}. | destroy | xml-events
pm | Whether the guest may sleep. | the board's default | xml-pm
suspend-to-mem, pm/suspend-to-mem | Sleep that keeps memory: {@enabled}. | the board's default |
    xml-pm
suspend-to-disk, pm/suspend-to-disk | Sleep that keeps memory on the disk: {@enabled}. | the
    board's default | xml-pm
devices | Everything that is plugged in. | | xml-devices
emulator | The program that runs it: {text}. | the host's QEMU | xml-devices
disk | A {@device?disk:disk;cdrom:CD-ROM drive;floppy:floppy drive;lun:SCSI unit} on bus
    {target@bus}[; its bytes are in {source@file/}][; its bytes are on {source@dev}][; its bytes
    are in the folder {source@dir}][; its bytes are on a server, by {source@protocol}][; its bytes
    are volume {source@volume} of pool {source@pool}]. | | xml-disk
disk/driver | Read as {@type}[, cache {@cache}][, input and output by {@io}][, blocks given up:
    {@discard}]. | | xml-disk
disk/source | Where the bytes are[: {@file}][: {@dev}][: {@dir}][: {@protocol} {@name}][: volume
    {@volume}]. | an empty drive | xml-disk
disk/source/host | The server that has them[: {@name}][: the socket {@socket}][, port {@port}]. |
    | xml-disk
disk/source/initiator, disk/source/auth, disk/auth, disk/source/reservations, disk/source/slices |
    How the source is reached. | | xml-disk
disk/target | What the guest sees: bus {@bus}, in libvirt's order {@dev}. | | xml-disk
disk/readonly | The guest cannot write to it. | it can | xml-disk
disk/shareable | Other guests may have it open too. | they may not | xml-disk
disk/transient | What is written is thrown away at the end. | it stays | xml-disk
disk/serial | The guest can know it by the number {text}. | none | xml-disk
disk/boot | It is number {@order} among what the firmware tries. | after all that have a number |
    xml-disk
disk/address | Its place on the bus. | chosen by libvirt | xml-address
disk/backingStore | What is under it. | read from the file | xml-disk
disk/* | A property of the disk. | | xml-disk
controller | A
    {@type?usb:USB;scsi:SCSI;ide:IDE;sata:SATA;virtio-serial:virtio-serial;pci:PCI;fdc:floppy}
    controller[, {@model?none:none at all;*:model =}]. | added where it is needed | xml-controller
controller/* | A property of the controller. | | xml-controller
filesystem | The host's folder {source@dir}, which the guest mounts as {target@dir}. | |
    xml-filesystem
filesystem/driver | How it is served: {@type}. | 9p | xml-filesystem
filesystem/source | The folder[: {@dir}][: by the socket {@socket}]. | | xml-filesystem
filesystem/target | What the guest mounts it by: {@dir}. | | xml-filesystem
filesystem/readonly | The guest cannot write to it. | it can | xml-filesystem
filesystem/binary | The program that serves it. | libvirt's | xml-filesystem
filesystem/* | A property of the share. | | xml-filesystem
interface | A network card[ of model {model@type}][ with address {mac@address}]; its frames go
    {@type?user:to QEMU's own network, which hides the guest behind this host;bridge:to a bridge
    of the host;network:to a network of libvirt's;direct:straight to an interface of the
    host;ethernet:to a tap interface;vhostuser:to a switch in another process;udp:to another
    process by UDP;server:to other processes by TCP;client:to another process by TCP;mcast:to a
    multicast group;hostdev:by the host's own card, given to the guest;vdpa:to hardware that
    speaks virtio;null:nowhere}. | | xml-interface
interface/mac | The card's own address is {@address}. | made up by libvirt | xml-interface
interface/source | Where the frames go[: bridge {@bridge}][: network {@network}][: interface
    {@dev}][: socket {@path}][: {@address}:{@port}]. | | xml-interface
interface/source/local | Its own end: {@address}:{@port}. | any | xml-interface
interface/source/address | Which card of the host. | | xml-interface
interface/source/* | Where the frames go. | | xml-interface
interface/target | The interface of the host: {@dev}. | chosen by libvirt | xml-interface
interface/model | What the guest sees: {@type}. | rtl8139 on a PC | xml-interface
interface/driver | How the frames are carried[: by {@name?vhost:the host's kernel;qemu:QEMU}][,
    with {@queues} pairs of queues]. | vhost where it can be | xml-interface
interface/backend | What carries them: {@type}. | QEMU's own | xml-interface
interface/link | The cable is {@state?down:loose;up:plugged in}. | plugged in | xml-interface
interface/mtu | The largest frame has {@size} bytes. | 1500 | xml-interface
interface/boot | It is number {@order} among what the firmware tries. | after all that have a
    number | xml-interface
interface/script | What is run with the tap's name: {@path}. | nothing | xml-interface
interface/downscript | What is run at the end: {@path}. | nothing | xml-interface
interface/ip | The guest's network: {@address}. | 10.0.2.0/24 | xml-interface
interface/portForward, interface/portForward/range | Ports of the host that lead into the guest. |
    none | xml-interface
interface/address | Its place on the bus. | chosen by libvirt | xml-address
interface/* | A property of the card. | | xml-interface
serial | A serial port[: {@type?pty:its other end is libvirt's pseudo-terminal;null:what is
    written is lost;file:what is written goes to a file;tcp:over TCP;udp:over UDP;unix:over a Unix
    socket;dev:on a port of the host;pipe:on a pipe;spiceport:on a channel of SPICE}]. | |
    xml-char
parallel | A parallel port[: {@type?pty:its other end is libvirt's pseudo-terminal;null:what is
    written is lost;file:what is written goes to a file;tcp:over TCP;udp:over UDP;unix:over a Unix
    socket;dev:on a port of the host;pipe:on a pipe;spiceport:on a channel of SPICE}]. | |
    xml-char
console | A console[ by {target@type}], {@type?pty:whose other end is libvirt's
    pseudo-terminal;*:whose other end is: =}. | | xml-char
channel | A virtio port that the guest finds by the name {target@name}. | | xml-char
*/target | What the guest sees[: {@type}][: {@name}][, port {@port}]. | | xml-char
*/source | Where the other end is[: {@path}][: {@host}:{@service}][: {@channel}]. | | xml-char
*/protocol | What is spoken: {@type}. | raw | xml-char
*/log | A copy of all goes to {@file}. | none | xml-char
serial/target/model | The model is {@name}. | | xml-char
graphics | The screen is served to {@type?vnc:VNC clients;spice:SPICE clients;sdl:a window on the
    host;rdp:RDP clients}[ at port {@port}][ at a port that is free: {@autoport}]. | |
    xml-graphics
graphics/listen | Where it listens[: {@address}][: the socket {@socket}][: {@type}]. | 127.0.0.1 |
    xml-graphics
graphics/gl | OpenGL: {@enable}. | no | xml-graphics
graphics/* | How the screen is served. | | xml-graphics
video | A graphics card[: {model@type}]. | | xml-video
video/model | The model is {@type}[, with {@vram} KiB][, {@heads} heads]. | | xml-video
video/model/acceleration | The host's GPU draws 3D: {@accel3d}. | no | xml-video
video/* | A property of the card. | | xml-video
input | A {@bus} {@type}. | a PS/2 one | xml-input
input/* | A property of it. | | xml-input
sound | A sound card, model {@model}. | none | xml-sound
sound/codec | The codec behind it: {@type}. | duplex | xml-sound
sound/audio | Which back end plays it: {@id}. | the first | xml-audio
sound/* | A property of it. | | xml-sound
audio | Sound {@type?none:is not played;*:is played by =}. | chosen by the display | xml-audio
audio/* | How it is played. | | xml-audio
watchdog | A watchdog, model {@model}: when it barks, {@action}. | none | xml-watchdog
memballoon | {@model?none:No balloon;*:A balloon, by which the guest gives memory back to the
    host}[; every {stats@period} s it is asked for statistics]. | a virtio one | xml-balloon
memballoon/stats | Every {@period} s the guest is asked for statistics. | never | xml-balloon
memballoon/* | A property of the balloon. | | xml-balloon
rng | A source of random numbers. | none | xml-rng
rng/backend | They come from {@model?builtin:QEMU's own generator;random:a device of the
    host;egd:a daemon}[: {text}]. | | xml-rng
rng/rate | At most {@bytes} bytes in {@period} ms. | no limit | xml-rng
rng/* | A property of the source. | | xml-rng
tpm | A trusted platform module, {@model}. | none | xml-tpm
tpm/backend | It is {@type?emulator:emulated by swtpm;passthrough:the host's own;external:reached
    by a socket}[, version {@version}]. | | xml-tpm
tpm/backend/device | The host's: {@path}. | | xml-tpm
tpm/backend/source | The socket: {@path}. | | xml-tpm
tpm/* | A property of it. | | xml-tpm
vsock | Sockets between host and guest without a network. | none | xml-vsock
vsock/cid | The guest's address[ is {@address}][ is chosen by libvirt: {@auto}]. | | xml-vsock
hostdev | A {@type?pci:PCI device;usb:USB device;mdev:mediated device} of the host, given to the
    guest. | | xml-hostdev
hostdev/source | Which one. | | xml-hostdev
hostdev/source/address | Its address on the host. | | xml-hostdev
hostdev/source/vendor | Its maker: {@id}. | | xml-hostdev
hostdev/source/product | What it is: {@id}. | | xml-hostdev
hostdev/* | A property of it. | | xml-hostdev
panic | Tells the host when the guest's kernel panics. | none | xml-devices
iommu, shmem, memory-device, redirdev, redirfilter, smartcard, hub, nvram-device, crypto, lease |
    A further device. | none | xml-devices
*/alias | The name by which libvirt calls it: {@name}. | made up by libvirt | xml-devices
*/address | Its place on the bus. | chosen by libvirt | xml-address
*/boot | It is number {@order} among what the firmware tries. | after all that have a number |
    xml-devices
*/acpi | How ACPI lists it. | | xml-devices
qemu:commandline | Options of QEMU's that libvirt has no elements for. | none | xml-qemu
qemu:commandline/qemu:arg, qemu:arg | One word for QEMU, kept verbatim: {@value} | | xml-qemu
qemu:commandline/qemu:env, qemu:env | A variable of QEMU's environment. | | xml-qemu
qemu:override, qemu:override/* | Properties of QEMU's devices that libvirt has no elements for. |
    none | xml-qemu
qemu:capabilities, qemu:capabilities/* | What libvirt is to believe of QEMU. | | xml-qemu
sysinfo, resource, blkiotune, memtune, cputune, numatune, iothreads, keywrap, launchSecurity,
    seclabel, idmap | Kept verbatim: no field stands for it. | | xml-element
"""
)

ATTRIBUTES = entries(
    """
unit | the unit of the number: {value} | KiB
slots | places for memory that is plugged in later: {value}
current | vCPUs at start: {value} | all
arch | the architecture: {value} | the host's
machine | the board: {value} | chosen by libvirt
type | the kind: {value}
device | what the guest sees: {value} | disk
name | the name: {value}
bus | the bus that the guest sees it on: {value}
dev | {value}
cache | how the host caches: {value} | the hypervisor's default
io | how the host does its input and output: {value} | threads
discard | blocks that the guest gives up: {value} | ignore
file | the file: {value}
dir | the folder: {value}
model | the model: {value}
index | its number among its kind: {value}
mode | how: {value}
match | how exactly the host must have it: {value} | exact
check | how libvirt makes sure of it: {value} | none
fallback | whether another may take its place: {value} | allow
policy | {value?require:the guest gets it;disable:the guest loses it} | require
period | every how many seconds: {value} | never
enabled | whether: {value}
address | where: {value}
port | the port: {value}
order | its turn: {value}
path | where: {value}
"""
)
