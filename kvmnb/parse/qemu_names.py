"""Every option that QEMU has or had: whether a value follows it, and what became of it.

Sources: ``qemu-system-x86_64 -help`` of QEMU 7.2, and of later ones the QEMU manual, "Invocation";
for what is gone the QEMU manual, "Removed features".
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["NAMES", "OLD", "REMOVED", "Removed"]

_WITH_VALUE = [
    "machine",
    "M",
    "cpu",
    "accel",
    "smp",
    "numa",
    "add-fd",
    "set",
    "global",
    "boot",
    "m",
    "mem-path",
    "k",
    "audio",
    "audiodev",
    "device",
    "name",
    "uuid",
    "fda",
    "fdb",
    "hda",
    "hdb",
    "hdc",
    "hdd",
    "cdrom",
    "blockdev",
    "drive",
    "mtdblock",
    "sd",
    "fsdev",
    "virtfs",
    "iscsi",
    "usbdevice",
    "display",
    "spice",
    "vga",
    "vnc",
    "acpitable",
    "smbios",
    "netdev",
    "nic",
    "net",
    "chardev",
    "tpmdev",
    "bios",
    "pflash",
    "kernel",
    "append",
    "initrd",
    "dtb",
    "compat",
    "fw_cfg",
    "serial",
    "parallel",
    "monitor",
    "qmp",
    "qmp-pretty",
    "mon",
    "debugcon",
    "pidfile",
    "overcommit",
    "gdb",
    "d",
    "D",
    "dfilter",
    "seed",
    "L",
    "xen-domid",
    "action",
    "loadvm",
    "option-rom",
    "rtc",
    "icount",
    "watchdog-action",
    "echr",
    "incoming",
    "sandbox",
    "readconfig",
    "trace",
    "plugin",
    "msg",
    "dump-vmstate",
    "id",
    "object",
    "run-with",
    "shim",
    "g",
    "prom-env",
    "semihosting-config",
    "qtest",
    "qtest-log",
    "rotate",
    "chroot",
    "runas",
]
_ALONE = [
    "h",
    "help",
    "version",
    "mem-prealloc",
    "snapshot",
    "usb",
    "nographic",
    "full-screen",
    "win2k-hack",
    "no-fd-bootchk",
    "no-acpi",
    "no-hpet",
    "preconfig",
    "S",
    "s",
    "enable-kvm",
    "xen-attach",
    "xen-domid-restrict",
    "no-reboot",
    "no-shutdown",
    "daemonize",
    "only-migratable",
    "nodefaults",
    "no-user-config",
    "enable-sync-profile",
    "semihosting",
    "perfmap",
    "jitdump",
    "audio-help",
    "singlestep",
    "async-teardown",
    "portrait",
    "old-param",
]


class Removed(NamedTuple):
    """An option that QEMU had.

    Parameters
    ----------
    value : whether one follows it
    since : the version that refuses it; ``""`` where it is older than QEMU's own record
    today : what is written in its place; ``""`` where there is nothing to write
    meant : what it did
    """

    value: bool
    since: str
    today: str
    meant: str


REMOVED = {
    "hdachs": Removed(True, "2.12", "-device ide-hd,cyls=,heads=,secs=", "a disk's geometry"),
    "no-kvm-pit": Removed(False, "2.12", "", "nothing in the end"),
    "tdf": Removed(False, "2.12", "-global kvm-pit.lost_tick_policy=delay", "ticks made up for"),
    "no-kvm-irqchip": Removed(
        False, "3.0", "-machine kernel_irqchip=off", "interrupt controllers in QEMU"
    ),
    "no-kvm-pit-reinjection": Removed(
        False, "3.0", "-global kvm-pit.lost_tick_policy=discard", "lost ticks stay lost"
    ),
    "balloon": Removed(True, "3.1", "-device virtio-balloon-pci", "a memory balloon"),
    "bootp": Removed(True, "3.1", "-nic user,bootfile=", "the file for a network boot"),
    "redir": Removed(True, "3.1", "-nic user,hostfwd=", "a port of the host led into the guest"),
    "smb": Removed(True, "3.1", "-nic user,smb=", "a folder served by SMB"),
    "tftp": Removed(True, "3.1", "-nic user,tftp=", "a folder served by TFTP"),
    "localtime": Removed(False, "3.1", "-rtc base=localtime", "the clock shows local time"),
    "startdate": Removed(True, "3.1", "-rtc base=", "the date that the clock begins with"),
    "nodefconfig": Removed(False, "3.1", "-no-user-config", "no file of settings was read"),
    "rtc-td-hack": Removed(False, "3.1", "-rtc driftfix=slew", "lost ticks were given again"),
    "no-kvm": Removed(False, "5.2", "-accel tcg", "emulation without KVM"),
    "realtime": Removed(True, "6.0", "-overcommit mem-lock=", "memory that is never swapped"),
    "show-cursor": Removed(False, "6.0", "-display gtk,show-cursor=on", "the host's pointer"),
    "tb-size": Removed(True, "6.0", "-accel tcg,tb-size=", "room for translated code"),
    "no-quit": Removed(False, "7.0", "-display gtk,window-close=off", "a window without exit"),
    "enable-fips": Removed(False, "7.1", "", "certified cryptography only"),
    "writeconfig": Removed(True, "7.1", "", "the line written as a file"),
    "alt-grab": Removed(
        False, "7.1", "-display sdl,grab-mod=lshift-lctrl-lalt", "the keys that grab the pointer"
    ),
    "ctrl-grab": Removed(
        False, "7.1", "-display sdl,grab-mod=rctrl", "the key that grabs the pointer"
    ),
    "sdl": Removed(False, "7.1", "-display sdl", "a window of SDL's"),
    "curses": Removed(False, "7.1", "-display curses", "the screen in the terminal"),
    "soundhw": Removed(True, "7.1", "-audio DRIVER,model=", "a sound card"),
    "watchdog": Removed(True, "7.2", "-device i6300esb", "a watchdog"),
    "enable-hax": Removed(False, "8.2", "-accel kvm", "Intel's accelerator on other systems"),
    "no-frame": Removed(False, "", "", "a window without a frame"),
    "std-vga": Removed(False, "", "-vga std", "a standard graphics card"),
    "vmwarevga": Removed(False, "", "-vga vmware", "VMware's graphics card"),
    "cirrusvga": Removed(False, "", "-vga cirrus", "Cirrus' graphics card"),
    "pcidevice": Removed(True, "", "-device vfio-pci,host=", "a host's PCI device"),
    "virtioconsole": Removed(True, "", "-device virtconsole", "a virtio console"),
    "nvram": Removed(True, "", "", "the state of a board's memory"),
    "clock": Removed(True, "", "", "which timer of the host was used"),
    "enable-nesting": Removed(False, "", "-cpu host,+vmx", "KVM within the guest"),
    "kvm-shadow-memory": Removed(True, "", "-machine kvm-shadow-mem=", "room for page tables"),
    "bt": Removed(True, "", "", "Bluetooth"),
}
"""What QEMU's own record of removals, or qemu-kvm's history, has of options that are gone."""

OLD = {
    "no-acpi": ("9.0", "-machine acpi=off"),
    "no-hpet": ("9.0", "-machine hpet=off"),
    "async-teardown": ("9.0", "-run-with async-teardown=on"),
    "chroot": ("9.0", "-run-with chroot="),
    "singlestep": ("9.0", "-accel tcg,one-insn-per-tb=on"),
    "runas": ("10.0", "-run-with user="),
    "portrait": ("9.2", ""),
    "rotate": ("9.2", ""),
    "audio-help": ("8.2", ""),
    "old-param": ("10.2", ""),
}
"""What QEMU 7.2 still has: the version that refuses it, and what is written in its place."""

NAMES: dict[str, bool] = {
    **{name: removed.value for name, removed in REMOVED.items()},
    **dict.fromkeys(_WITH_VALUE, True),
    **dict.fromkeys(_ALONE, False),
}
"""Every name, and whether a value follows it."""
