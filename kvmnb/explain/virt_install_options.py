"""virt-install's options and their sub-options (virt-install(1)).

The form of the lines is that of `kvmnb.explain.entry`; an option's value, where it has no
sub-options, is ``{value}``, its first word ``{head}``.
"""

from __future__ import annotations

from kvmnb.explain.entry import entries

__all__ = ["HALVES", "KEYS", "OPTIONS"]

OPTIONS = entries(
    """
virt-install | The program that makes a guest of libvirt's. | | vi-general
--connect | libvirt is reached at {value}. | qemu:///system for root, else qemu:///session |
    vi-connect
--hvm | A full machine, which is the default. | a full machine | vi-virtualization
--paravirt | A guest of Xen's that knows so. | a full machine | vi-virtualization
--container | A container. | a full machine | vi-virtualization
--name | The guest is called {value}. | none: it must be given | vi-general
--metadata | What libvirt keeps of it[: this UUID{uuid?*:}][: title {title}][: description
    {description}][: generation id {genid}][: a generation id {genid_enable}]. | a UUID that is
    made up | vi-general
--virt-type | {value?kvm:KVM runs it;qemu:QEMU alone runs it: TCG;*:It is run by =}. | kvm where
    it works | vi-virtualization
--arch | Its processors are {value}. | the host's | vi-general
--machine | The board is {value}. | what libosinfo says of the system | vi-general
--osinfo | [What runs in it is {head}.][What runs in it is not {detect?off:looked for;*:looked
    for, or it is: =}.] | detected, and required | vi-guest-os
--autostart | libvirt starts it with the host. | it does not | vi-virtualization
--memory | {head} MiB of memory[, of which the balloon leaves {currentMemory} from the start][,
    and room for up to {maxMemory}][ in {maxMemory.slots} slots]. | what libosinfo says of the
    system | vi-general
--memorybacking | What the host makes the memory of[: {source.type}][, huge pages: {hugepages}][,
    shared: {access.mode}][, taken: {allocation.mode}][, locked: {locked}][, not merged:
    {nosharepages}]. | anonymous memory | vi-general
--vcpus | {head} vCPU{head?1:;*:s}[, at most {maxvcpus}][, in {sockets} sockets][, of {dies}
    dies][, of {cores} cores][, of {threads} threads]. | what libosinfo says of the system |
    vi-general
--cpu | The processors[ are {mode?host-passthrough:the host's own;maximum:of a model with
    everything that can be had;host-model:the model nearest to the host's;custom:of a named
    model;*:=}][ are {model?host-passthrough:the host's own;maximum:of a model with everything
    that can be had;host-model:the model nearest to the host's;*:of model =}][ and get
    {require}][ and lose {disable}][ lie in NUMA nodes: the first has vCPUs {numa.cell0.cpus}]. |
    the host's own under KVM | vi-general
--features | Features of the board[: ACPI {acpi}][: VMware's port {vmport.state}][: system
    management mode {smm.state}][: interrupt controllers by {ioapic.driver}]. | acpi=on |
    vi-general
--clock | The guest's clock starts at {offset}. | utc, or localtime for Windows | vi-general
--pm | Whether the guest may sleep[ in memory: {suspend_to_mem.enabled}][ on the disk:
    {suspend_to_disk.enabled}]. | neither | vi-general
--events | What becomes of the guest[ when it powers off: {on_poweroff}][ when it restarts:
    {on_reboot}][ when it crashes: {on_crash}]. | destroy, restart, destroy | vi-general
--xml | [What virt-install adds unasked is taken out again: {xpath.delete}.][The XML is changed:
    {xpath.set}.] | | vi-general
--qemu-commandline | Words for QEMU that libvirt has no elements for, kept verbatim: {value} |
    none | vi-general
--resource, --sysinfo, --seclabel, --keywrap, --iothreads, --blkiotune, --cputune, --numatune,
    --memtune, --launchSecurity, --idmap | Kept verbatim: no field stands for it. | | vi-general
--boot | What it starts from[: {head}][: {boot0.dev}][, kernel {kernel}][, firmware {firmware}][,
    firmware
    {loader}][, its menu {bootmenu.enable}]. | the disk | vi-install
--location | It is installed by the kernel of the install tree {head}. | none | vi-install
--extra-args | The installer's kernel gets these words on its command line. | nothing | vi-install
--cdrom | It is installed from the CD-ROM {value/}, and starts from its disk afterwards. | none |
    vi-install
--pxe | It is installed from the network, and starts from its disk afterwards. | not | vi-install
--import | Nothing is installed: it starts from what is on its disk. | it is installed | vi-install
--livecd | It always starts from the CD-ROM. | not | vi-install
--install | What it is installed from[: {bootdev}]. | none | vi-install
--reinstall | A guest that is there already is installed again. | not | vi-install
--unattended | libosinfo answers the installer's questions. | somebody does | vi-install
--cloud-init | An image that configures itself is told how. | not | vi-install
--initrd-inject | The installer's initrd gets the file {value}. | nothing | vi-install
--init | What a container runs first. | | vi-install
--disk | [{device?cdrom:A CD-ROM drive;floppy:A floppy drive;disk:A disk;*:A =}: ]{head?none:No
    disk;*:A disk}[ in the file {path/}][ in the file {source.file/}][ in the folder
    {source.dir}][ on a server, by {source.protocol}][ in volume {vol}][ in a new volume of pool
    {pool}][, of {size} GiB][, on bus {bus}]. | one is asked for | vi-storage
--filesystem | The host's folder {source}, which the guest mounts as {target}. | none | vi-storage
--network | {head?none:No network card;*:A network card}[ of model {model}][ with address {mac}][;
    its frames go to {type?user:QEMU's own network;bridge:a bridge;network:a network of
    libvirt's;direct:an interface of the host;ethernet:a tap interface;vhostuser:a switch in
    another process;null:nowhere;*:=}][; its frames go to the host's bridge {bridge}][; its frames
    go to libvirt's network {network}]. | one on the default network | vi-networking
--graphics | {head?none:The screen is served to nobody;vnc:The screen is served to VNC
    clients;spice:The screen is served to SPICE clients;sdl:A window shows the screen}[ at port
    {port}][ at {listen?socket:a socket of libvirt's;*:=}]. | SPICE or VNC on 127.0.0.1 |
    vi-graphics
--autoconsole | What opens once it runs: {value}. | a console | vi-graphics
--noautoconsole | No console opens once it runs. | one does | vi-graphics
--video | {model.type?none:No graphics card;*:A graphics card, model =}. | what libosinfo says of
    the system | vi-device
--serial | A serial port; its other end is {head?pty:libvirt's pseudo-terminal;*:=}. | one, on a
    pty | vi-device
--parallel | A parallel port; its other end is {head?pty:libvirt's pseudo-terminal;*:=}. | none |
    vi-device
--console | {head?none:No console;*:A console on =}[, by {target.type}]. | the serial port |
    vi-device
--channel | {head?none:No virtio port;*:A virtio port}[ that the guest finds by the name
    {target.name}]. | the guest agent's, for a system that has one | vi-device
--controller | A {type} controller, model {model}. | added where it is needed | vi-device
--input | A {bus} {type}. | a tablet where there is a screen | vi-device
--sound | {head?none:No sound card;*:A sound card}[, model {model}]. | one where there is SPICE |
    vi-device
--audio | Sound goes to {type}. | chosen by the display | vi-device
--redirdev | {head?none:No USB device of a SPICE client's;*:A USB device of a SPICE client's}. |
    some where there is SPICE | vi-device
--watchdog | A watchdog, model {model}: when it barks, {action}. | none | vi-device
--memballoon | {model?none:No balloon;*:A balloon, by which the guest gives memory back}. | a
    virtio one | vi-device
--rng | {head?none:No source of random numbers;*:A source of random numbers}[:
    {type?builtin:QEMU's own generator;random:a device of the host}]. | one on /dev/urandom |
    vi-device
--tpm | {head?none:No trusted platform module;*:A trusted platform module}[, {model}][,
    {backend.type?emulator:emulated by swtpm;passthrough:the host's own;*:=}]. | one with UEFI |
    vi-device
--vsock | Sockets between host and guest without a network[; the guest is {cid.address}]. | none |
    vi-device
--hostdev | The host's device {head}, given to the guest. | none | vi-device
--panic, --smartcard, --memdev, --shmem, --iommu | A further device. | none | vi-device
--print-xml | Nothing is made; the XML is printed. | it is made | vi-misc
--dry-run | Nothing is made; all is checked. | it is made | vi-misc
--check | Checks are switched: {value}. | all on | vi-misc
--force | The old word for: no check is made. | all on | vi-misc
--wait | The program waits{value?-1:;*: = minutes} for the installation. | until the console is
    closed | vi-misc
--noreboot | The guest stays off after its installation. | it starts again | vi-misc
--transient | libvirt forgets the guest when it stops. | it keeps it | vi-misc
--destroy-on-exit | The guest is ended when its console is closed. | it goes on | vi-misc
--debug | The program tells all it does. | it does not | vi-misc
--quiet | The program tells errors alone. | it tells more | vi-misc
"""
)

KEYS = entries(
    """
--metadata uuid | by which host and guest know it: {value}
--metadata title | for people: {value}
--metadata description | for people: {value}
--metadata genid | the generation: {value}
--metadata genid_enable | a generation id that libvirt makes up: {value} | off
--osinfo detect | the system is looked for: {value} | on
--osinfo require | nothing is made unless it is known: {value} | off
--memory currentMemory | what the balloon leaves, in MiB: {value} | all
--memory maxMemory | the most that there can be, in MiB: {value} | as at start
--memory maxMemory.slots | places for memory that is plugged in later: {value}
--memorybacking hugepages | of huge pages: {value} | off
--memorybacking hugepages.page0.size, --memorybacking hugepages.page0.unit | their size: {value} |
    the host's default
--memorybacking source.type | what holds it: {value} | anonymous
--memorybacking access.mode | whether others may map it: {value} | private
--memorybacking allocation.mode | when it is taken: {value} | ondemand
--memorybacking locked | it is never swapped out: {value} | off
--memorybacking nosharepages | KSM leaves it alone: {value} | off
--vcpus maxvcpus | the most there can be: {value} | as at start
--vcpus sockets | processor packages: {value} | worked out
--vcpus dies | dies in a package: {value} | 1
--vcpus cores | cores on a die: {value} | worked out
--vcpus threads | threads of a core: {value} | worked out
--cpu model | the model: {value}
--cpu mode | whose model: {value}
--cpu match, --cpu check, --cpu model.fallback | how exactly the host must have it: {value}
--cpu require | the model gets {value}
--cpu disable | the model loses {value}
--cpu numa | of a NUMA node: {value}
--features acpi | the board has ACPI: {value} | on
--features vmport | VMware's port, by which a mouse may report: {value} | auto
--features smm | system management mode: {value} | auto
--features ioapic | who emulates the interrupt controllers: {value} | kvm
--clock offset | what it starts at: {value} | utc
--clock rtc_tickpolicy, --clock pit_tickpolicy | lost ticks: {value}
--clock hpet_present | whether there is an HPET: {value} | off
--clock timer0 | of a timer: {value}
--clock timer0.name | the timer: {value}
--clock timer0.track | what it follows: {value}
--clock timer0.tickpolicy | lost ticks: {value}
--pm suspend_to_mem.enabled | sleep that keeps memory: {value} | off
--pm suspend_to_disk.enabled | sleep that keeps memory on the disk: {value} | off
--events on_poweroff | when it powers off: {value} | destroy
--events on_reboot | when it restarts: {value} | restart
--events on_crash | when it crashes: {value} | destroy
--xml xpath.delete | what is taken out of the XML: {value}
--xml xpath.set, --xml xpath.value, --xml xpath.create | what is changed in the XML: {value}
--boot boot0 | what the firmware tries: {value}
--boot firmware | which kind: {value} | bios
--boot firmware.feature0.name, --boot firmware.feature0.enabled | what it must have: {value}
--boot loader | its file: {value}
--boot loader.readonly | nobody writes to it: {value}
--boot loader.type | it is {value?rom:a ROM;pflash:a flash chip}
--boot loader.secure | Secure Boot: {value} | off
--boot nvram | where its variables are kept: {value}
--boot bootmenu.enable | its menu is shown: {value} | off
--boot bootmenu.timeout | for so many ms: {value}
--boot kernel | the kernel that QEMU loads: {value}
--boot initrd | its first file system: {value}
--boot cmdline | its command line: {value}
--boot dtb | its device tree: {value}
--install bootdev | what the first start is from: {value}
--disk device | what the guest sees: {value} | disk
--disk path, --disk source.file | the file: {value}
--disk size | of a new one, in GiB: {value}
--disk format, --disk driver.type | how it is read: {value} | as the file says
--disk sparse | room is taken only as it is written: {value} | on
--disk pool | the pool it is made in: {value}
--disk vol | pool and volume: {value}
--disk type | the kind of source: {value}
--disk source.dir | the folder: {value}
--disk source.protocol | how the server is spoken to: {value}
--disk source.name | what it is called there: {value}
--disk source.host0.name, --disk source.host0.port, --disk source.host0.socket, --disk
    source.host0.transport | the server: {value}
--disk bus | what the guest sees it on: {value} | what libosinfo says of the system
--disk target.dev | its place there: {value} | the next free
--disk cache | how the host caches: {value} | the hypervisor's default
--disk driver.io | how the host does its input and output: {value}
--disk driver.discard | blocks that the guest gives up: {value} | unmap for sparse ones
--disk readonly | the guest cannot write: {value} | off
--disk shareable | others may have it open too: {value} | off
--disk transient | what is written is thrown away: {value} | off
--disk serial | the number that the guest can know it by: {value}
--disk boot.order | its turn among what the firmware tries: {value}
--disk alias | what libvirt calls it: {value} | made up
--disk address | its place on the bus: {value}
--filesystem source | the folder: {value}
--filesystem target | what the guest mounts it by: {value}
--filesystem accessmode | whose the guest's files are on the host: {value} | passthrough
--filesystem driver.type | how it is served: {value} | 9p
--filesystem readonly | the guest cannot write: {value} | off
--network type | where the frames go: {value}
--network bridge | the bridge: {value}
--network network | the network of libvirt's: {value}
--network source | the interface: {value}
--network source.portgroup | its port group: {value}
--network source.mode, --network source.type, --network source.path, --network source.dev | how
    they go there: {value}
--network source.address, --network source.port, --network source.local | where they go: {value}
--network backend.type | what carries them: {value}
--network driver.name | who moves them: {value} | vhost where it can be
--network driver.queues | pairs of queues: {value} | 1
--network target.dev | the tap's name: {value}
--network model | what the guest sees: {value} | what libosinfo says of the system
--network mac | the card's own address: {value} | made up
--network mtu.size | the largest frame: {value} | 1500
--network link.state | the cable: {value} | up
--network boot.order | its turn among what the firmware tries: {value}
--network address.type, --network address.slot, --network address.function | its place on the PCI
    bus: {value}
--network alias | what libvirt calls it: {value} | made up
--graphics port | the port: {value} | one that is free
--graphics tlsPort | the port for TLS: {value}
--graphics listen | the address: {value} | 127.0.0.1
--graphics listens0.type, --graphics listens0.socket | the socket: {value}
--graphics password | what clients need: {value} | none
--graphics websocket | the port for browsers: {value} | none
--graphics keymap | the keyboard: {value} | the host's
--graphics gl.enable | OpenGL: {value} | off
--video model.type | the model: {value}
--video model.vgamem, --video model.vram | its memory, in KiB: {value}
--video model.heads | screens that can be plugged in: {value} | 1
--video model.acceleration.accel3d | the host's GPU draws 3D: {value} | off
--serial path, --parallel path, --console path, --channel path | where: {value}
--serial host, --parallel host, --console host, --channel host | where: {value}
--serial bind_host, --parallel bind_host, --console bind_host, --channel bind_host | its own end:
    {value}
--serial mode, --parallel mode, --console mode, --channel mode | whether it listens: {value}
--serial protocol.type, --parallel protocol.type, --console protocol.type, --channel protocol.type
    | what is spoken: {value} | raw
--serial source.channel, --parallel source.channel, --console source.channel, --channel
    source.channel | the channel of SPICE: {value}
--serial source, --parallel source, --console source, --channel source | its own end: {value}
--serial target.type, --console target.type, --channel target.type | what the guest sees: {value}
--channel target.name | how the guest finds it: {value}
--controller type | the kind: {value}
--controller model | the model: {value}
--input type | the kind: {value}
--input bus | what the guest sees it on: {value}
--sound model | the model: {value}
--sound audio.id | which back end plays it: {value}
--audio id | its number: {value}
--audio type | what plays: {value}
--watchdog model | the model: {value}
--watchdog action | when it barks: {value} | reset
--memballoon model | the model: {value}
--memballoon stats.period | every how many seconds it is asked: {value} | never
--memballoon autodeflate | the guest takes memory back before it kills a process: {value} | off
--memballoon freePageReporting | the guest tells which pages it does not use: {value} | off
--rng type | where they come from: {value}
--rng device | the device: {value}
--rng rate.bytes, --rng rate.period | at most so many bytes in so many ms: {value} | no limit
--tpm model | what the guest sees: {value}
--tpm backend.type | what is behind it: {value}
--tpm backend.version | its version: {value}
--tpm backend.device.path | the host's: {value}
--vsock cid.auto | the guest's address is chosen by libvirt: {value}
--vsock cid.address | the guest's address: {value}
"""
)

HALVES = {
    "--disk": ("bus", "device", "target", "serial", "boot", "address", "readonly"),
    "--network": ("model", "mac", "mtu", "link", "boot", "address"),
    "--filesystem": ("target", "readonly"),
    "--serial": ("target",),
    "--parallel": ("target",),
    "--console": ("target",),
    "--channel": ("target",),
    "--sound": ("model",),
    "--rng": ("model",),
    "--tpm": ("model",),
}
"""Sub-options of the front half, by option; all others of these are of the back half."""
