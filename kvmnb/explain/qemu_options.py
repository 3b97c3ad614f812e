"""QEMU's options, and the keys of those that have no kind of their own (QEMU manual, "Invocation").

The form of the lines is that of `kvmnb.explain.entry`; ``{}`` of an option without keys is
``{value}``, its first word ``{head}``.
"""

from __future__ import annotations

from kvmnb.explain.entry import entries

__all__ = ["KEYS", "OPTIONS"]

OPTIONS = entries(
    """
-name | The guest is called {guest}. | no name | std
-uuid | The guest's SMBIOS tables give this UUID. | all zeros | std
-no-user-config | Configuration files of this machine are not read. | they are read | debug
-nodefaults | Nothing is in the guest but what the line names. | a NIC, a screen, drives, ports |
    debug
-sandbox | System calls that QEMU does not need are forbidden to it[; it may
    {spawn?allow:start;deny:not start} other programs]. | off | debug
-machine | The board is {head?pc:an i440fx PC with PCI and IDE;q35:a Q35 PC with PCI Express and
    SATA;microvm:a minimal one without PCI;isapc:a PC with ISA alone;none:none at all}. | pc | std
-accel | {head?kvm:The host's processor runs the guest's code: KVM;tcg:QEMU translates the guest's
    code: TCG}. | tcg | std
-cpu | The processors are {head?host:of the host's own model;max:of a model with everything that
    can be had here;*:of model =}. | qemu64 on a PC | std
-m | {size} of memory[, and room for up to {maxmem} in {slots} slots]. | 128 MiB | std
-smp | {head} vCPU{head?1:;*:s}[, at most {maxcpus}][, in {sockets} sockets][, of {dies} dies][,
    of {cores} cores][, of {threads} threads]. | 1 | std
-numa | Which vCPUs are near which memory. | one node with all | std
-numa node | NUMA node {nodeid}[ has vCPUs {cpus}][ and memory {memdev}]. | one node with all | std
-numa dist | From NUMA node {src} to node {dst} it is {val} far, where 10 is near. | 10, and 20 to
    others | std
-numa cpu | A vCPU lies in NUMA node {node-id}. | in the first | std
-numa hmat-lb, -numa hmat-cache | How fast memory is. | not told | std
-object | {head} | | object
-overcommit | {mem-lock?on:All of the guest's memory stays in RAM and is never swapped out;*:The
    host may swap the guest's memory out}. | mem-lock=off | debug
-mem-prealloc | All memory is taken from the host at the start. | page by page, as it is touched |
    debug
-mem-path | Memory is a file in {value}. | anonymous memory | std
-bios | The firmware is the file {value}. | the board's own BIOS | debug
-global | Every {driver} of the guest has {property} set to {setting}. | its own default | std
-global PIIX4_PM.disable_s3, -global ICH9-LPC.disable_s3 | The guest {setting?1:may not;0:may}
    sleep with its memory kept. | it may | std
-global PIIX4_PM.disable_s4, -global ICH9-LPC.disable_s4 | The guest {setting?1:may not;0:may}
    sleep with its memory kept on the disk. | it may | std
-global kvm-pit.lost_tick_policy | Ticks of the PIT that were lost under KVM are
    {setting?delay:given again later;discard:dropped}. | delay | std
-set | The property {value} of a device is set. | | std
-rtc | [The real-time clock starts at {base}][, follows {clock?host:the host's clock;rt:the host's
    monotonic clock;vm:the guest's own time}][, and lost ticks are {driftfix?slew:given
    again;none:not given again}]. | base=utc,clock=host | std
-no-hpet | There is no HPET. | | i386
-no-acpi | The board has no ACPI. | | i386
-no-reboot | A guest that restarts itself ends instead. | it starts again | debug
-no-shutdown | A guest that powers itself off stays, stopped. | QEMU ends | debug
-action | What happens when the guest powers off, restarts, crashes or lets its watchdog bark[: on
    power-off {shutdown}][: on restart {reboot}][: on a panic {panic}][: on the watchdog
    {watchdog}]. | shutdown=poweroff,reboot=reset,panic=shutdown,watchdog=reset | debug
-watchdog-action | When the watchdog barks: {value}. | reset | debug
-boot | The firmware tries[ {once} for the first start only, then][ the drives {order} in turn][,
    with its menu {menu}][, for {splash-time} ms]. | order=cad | std
-kernel | QEMU itself loads the kernel {value/}; no boot loader is asked. | the firmware looks for
    one | kernel
-initrd | The kernel gets {value/} as its first file system. | none | kernel
-append | The kernel starts with these words as its command line. | empty | kernel
-dtb | The kernel gets the device tree {value/}. | none | kernel
-chardev | {head} | | char
-mon | A monitor, where QEMU itself is talked to, {mode?control:in QMP, for programs;readline:in
    HMP, for people}, reached by chardev {chardev}. | one, on a virtual console | debug
-monitor | A monitor for people at {value}. | vc | debug
-qmp | A monitor for programs at {value}. | none | debug
-serial | A serial port whose other end is {value}. | vc | debug
-parallel | A parallel port whose other end is {value}. | vc | debug
-blockdev | {head} | | block
-drive | A drive{if?none:;*: on interface =}[ with the file {file/}][, read as {format}][, whose
    writes are thrown away: {snapshot}]. | none | block
-fsdev | {head} | | block
-virtfs | A folder of the host, {path}, mounted as {mount_tag}. | | block
-device | {head} | | std
-netdev | {head} | | net
-nic | A network card. | | net
-net | A part of the old hub of network cards. | | net
-audiodev | {head} | | std
-tpmdev | {head} | | tpm
-display | {head?none:No window shows the screen;sdl:A window by SDL shows the screen;gtk:A window
    by GTK shows the screen;curses:The text screen is drawn in the terminal;egl-headless:OpenGL
    draws the screen unseen;spice-app:A SPICE client is opened}. | gtk or sdl, if built in |
    display
-vga | {value?none:No graphics card;*:The graphics card is =}. | std | display
-vnc | The screen is served to VNC clients at {where/}[, who need a password: {password}][, and to
    browsers at port {websocket}]. | no server | display
-spice | The screen is served to SPICE clients[ at port {port}][ at TLS port {tls-port}][ at
    {addr}]. | no server | display
-full-screen | The window fills the screen. | | display
-k | The keyboard of VNC clients that send no key codes is {value}. | en-us | std
-S | The processors wait until the monitor says cont. | they run at once | debug
-incoming | {value?defer:Where the guest moves in from is told later, in the monitor;*:Another
    host's guest moves in from =}. | a fresh guest | debug
-smbios | Fields of the SMBIOS tables are set. | QEMU's own | i386
-fw_cfg | An item for the guest's firmware. | none | debug
-msg | How messages are written. | | debug
-D | QEMU's log is the file {value}. | stderr | debug
-d | What is logged: {value}. | nothing | debug
-add-fd | A file that QEMU inherits open, by number. | none | std
-runas | QEMU goes on as this user. | the one that starts it | debug
-daemonize | QEMU goes on in the background. | | debug
-pidfile | The process number is written to {value}. | | debug
"""
)

KEYS = entries(
    """
-name guest | what the guest is called: {value}
-name process | the name of the process in ps and top: {value}
-name debug-threads | each thread bears a name: a vCPU's is “CPU 0/KVM” | off
-sandbox obsolete | old system calls: {value} | allow
-sandbox elevateprivileges | calls that gain rights: {value} | allow
-sandbox spawn | starting other programs: {value} | allow
-sandbox resourcecontrol | calls that change limits and priorities: {value} | allow
-machine acpi | whether the board has ACPI: {value} | on
-machine mem-merge | whether KSM may merge its pages with like ones: {value} | on
-machine memory-backend | its memory is the object {value} | made by -m
-machine hpet | whether there is an HPET: {value} | on
-machine pflash0 | the first flash chip, with the firmware's code, is block node {value}
-machine pflash1 | the second flash chip, with the firmware's variables, is block node {value}
-machine pcspk-audiodev | the PC speaker is heard by {value} | silent
-machine smm | system management mode: {value} | auto
-machine vmport | VMware's port, by which a mouse may report: {value} | auto
-machine kernel_irqchip, -machine kernel-irqchip | KVM itself emulates the interrupt controllers:
    {value} | on
-machine usb | a USB controller on the board: {value} | off
-machine type | the board: {value}
-m size | memory at start: {value} | 128M
-m slots | places for memory that is plugged in later: {value} | 0
-m maxmem | the most that there can be: {value} | as at start
-smp maxcpus | the most there can be, once more are plugged in: {value} | as at start
-smp sockets | processor packages: {value} | worked out
-smp dies | dies in a package: {value} | 1
-smp cores | cores on a die: {value} | worked out
-smp threads | threads of a core: {value} | 1
-smp cpus | vCPUs at start: {value} | 1
-numa nodeid | the node's number: {value}
-numa cpus | a vCPU, or a range of them, that lies here: {value} | none
-numa memdev | the object that is its memory: {value}
-numa mem | how much of the memory lies here: {value}
-numa src, -numa dst | from which node, to which: {value}
-numa val | how far, where 10 is near: {value} | 10, and 20 to others
-numa node-id | the node: {value}
-numa socket-id, -numa core-id, -numa thread-id, -numa die-id | which vCPU: {value}
-overcommit mem-lock | {value?on:memory is locked;off:memory may be swapped out} | off
-overcommit cpu-pm | the guest may put the host's cores to sleep: {value} | off
-rtc base | what it starts at: {value} | utc
-rtc clock | which clock it follows: {value} | host
-rtc driftfix | {value?slew:ticks that were lost are given again;none:ticks that were lost stay
    lost} | none
-boot order | a, b floppies, c disk, d CD-ROM, n network: {value} | cad
-boot once | the same, for the first start only: {value}
-boot menu | whether the firmware shows its menu: {value} | off
-boot splash | the picture that the firmware shows: {value} | none
-boot splash-time | how long, in ms: {value} | none
-boot strict | nothing but what is named is tried: {value} | off
-action shutdown | when the guest powers off: {value} | poweroff
-action reboot | when the guest restarts: {value} | reset
-action panic | when the guest's kernel panics: {value} | shutdown
-action watchdog | when the watchdog barks: {value} | reset
-mon chardev | where it is reached: {value}
-mon mode | {value?control:QMP, for programs;readline:HMP, for people} | readline
-mon pretty | QMP is laid out for reading: {value} | off
-global driver | the kind of device: {value}
-global property | its property: {value}
-global value | what it is set to: {value}
-drive if | the interface: {value} | the board's own
-drive index, -drive unit, -drive bus | its place there: {value} | the next free
-drive file | the file: {value}
-drive format | the format of the file: {value} | probed
-drive id | what it is called: {value}
-drive readonly | the guest cannot write: {value} | off
-drive media | disk or cdrom: {value} | disk
-drive cache | how the host caches: {value} | writeback
-drive snapshot | writes are thrown away at the end: {value} | off
-vnc vnc, -vnc to | where: {value}
-vnc password | clients need one, which the monitor sets: {value} | off
-vnc password-secret | clients need the password of secret {value} | none
-vnc websocket | the port for browsers: {value} | none
-vnc power-control | clients may press the power button: {value} | off
-vnc share | who else may look: {value} | allow-exclusive
-vnc lossy, -vnc non-adaptive | how the picture is packed: {value} | off
-spice port | the port: {value}
-spice tls-port | the port for TLS: {value}
-spice addr | the address: {value} | every address
-spice unix | the address is a Unix socket: {value} | off
-spice ipv4, -spice ipv6 | this kind of address alone: {value} | off
-spice disable-ticketing | clients need no password: {value} | off
-spice password-secret | clients need the password of secret {value}
-spice password | the password: {value}
-spice gl | OpenGL: {value} | off
-display gl | OpenGL draws it: {value} | off
-display full-screen | it fills the screen: {value} | off
-display window-close | closing the window ends the guest: {value} | on
-accel thread | one thread for each vCPU: {value} | multi
-accel tb-size | the memory for translated code, in MiB: {value} | 1024 or less
-accel kernel-irqchip | KVM itself emulates the interrupt controllers: {value} | on
"""
)
