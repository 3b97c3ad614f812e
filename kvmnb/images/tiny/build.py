"""The tiny guest, from the distribution's packages to three files: disk, kernel, initramfs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kvmnb.images.tiny.disk import Seed, boot_partition, partition_table, root_partition
from kvmnb.images.tiny.kernel import FIRST, GUEST, Modules, find_kernel, tables, unsigned, vmlinux
from kvmnb.images.tiny.packages import Package, unpack
from kvmnb.images.tiny.tools import Tick, run
from kvmnb.images.tiny.tree import Tree, add_programs

__all__ = ["APPEND", "Built", "Phase", "build"]

HERE = Path(__file__).parent

APPEND = "rw console=ttyS0 quiet cryptomgr.notests no_timer_check rodata=off panic=-1"
"""The kernel's command line, less the root's name.

``cryptomgr.notests`` and ``rodata=off`` save a third of a second each under TCG,
``no_timer_check`` a rare panic there, ``panic=-1`` restarts at once (kernel
admin-guide/kernel-parameters).
"""

PROGRAMS = ("qemu-ga", "ethtool", "iperf3", "stress")

Phase = Callable[[str], None]
"""Told each phase's name as it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build made.

    Parameters
    ----------
    disk, kernel, initrd : the files
    append : the kernel's command line for a direct start
    size_bytes : of the disk that a guest sees
    os : what is on it, in words
    programs : those beside busybox
    """

    disk: Path
    kernel: Path
    initrd: Path
    append: str
    size_bytes: int
    os: str
    programs: tuple[str, ...]


def build(
    packages: tuple[Package, ...], folder: Path, work: Path, digest: str, phase: Phase, tick: Tick
) -> Built:
    """Build the image in `work`, an empty folder, from packages that lie in `folder`.

    `digest` is of all inputs (64 hexadecimal digits); identifiers are made of it.

    Raises
    ------
    ImageError   a package lacks what it should hold, or a tool failed
    HostError    a tool is not installed
    """
    seed = Seed(digest)
    unpacked = work / "unpacked"
    unpacked.mkdir()
    phase("unpacking packages")
    for package in packages:
        unpack(folder / package.file, unpacked, tick)
    version, bzimage = find_kernel(unpacked)
    modules = Modules(unpacked, version, tick)
    append = f"root=UUID={seed.root_uuid} {APPEND}"

    phase("laying out the file systems")
    busybox = (unpacked / "usr/bin/busybox", unpacked / "bin/busybox")
    shell = next(path for path in busybox if path.is_file()).read_bytes()
    initrd = work / "initrd.img"
    initrd.write_bytes(_initramfs(shell, modules, version).cpio())
    tree = _root(shell, modules, version)
    programs = add_programs(tree, unpacked, PROGRAMS)
    for applet in _applets(unpacked):
        name = PurePosixPath(applet).name
        if f"usr/bin/{name}" not in tree and f"usr/sbin/{name}" not in tree:
            tree.link(applet, "/usr/bin/busybox")
    os_name, release = _os_release(unpacked, version)
    tree.file("etc/os-release", release.encode())

    phase("unpacking the kernel")
    data = bzimage.read_bytes()
    kernel = work / "vmlinux"
    # a kernel without the PVH entry starts as a bzImage does: slower, but it starts
    kernel.write_bytes(vmlinux(data, tick) or data)

    phase("making the disk")
    raw = work / "disk.raw"
    partition_table(raw, (unpacked / "usr/lib/syslinux/mbr/mbr.bin").read_bytes(), seed)
    boot = Tree()
    boot.file("vmlinuz", data)
    boot.file("initrd.img", initrd.read_bytes())
    config = "DEFAULT tiny\nPROMPT 0\nTIMEOUT 0\nSERIAL 0 115200\nLABEL tiny\n LINUX vmlinuz\n"
    boot.file("syslinux.cfg", f"{config} INITRD initrd.img\n APPEND {append}\n".encode())
    boot_partition(raw, boot, unpacked, seed, tick)
    root_partition(raw, tree, seed, tick)
    disk = work / "disk.qcow2"
    run(
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", "compat=1.1", raw, disk],
        limit_s=60,
        tick=tick,
    )
    return Built(
        disk=disk,
        kernel=kernel,
        initrd=initrd,
        append=append,
        size_bytes=raw.stat().st_size,
        os=os_name,
        programs=programs,
    )


def _initramfs(busybox: bytes, modules: Modules, version: str) -> Tree:
    tree = Tree()
    for name in ("dev", "proc", "sys", "root"):
        tree.folder(name)
    tree.file("usr/bin/busybox", busybox, 0o755)
    for applet in ("sh", "modprobe"):
        tree.link(f"usr/sbin/{applet}", "../bin/busybox")
    tree.copy(HERE / "initramfs")
    # a signature costs its SHA-256 under emulation; the disk's modules keep theirs
    _add_modules(tree, modules, FIRST, version, unsigned)
    return tree


def _root(busybox: bytes, modules: Modules, version: str) -> Tree:
    tree = Tree()
    for name in ("dev", "proc", "sys", "run", "mnt", "home", "var/log", "var/lib"):
        tree.folder(name)
    tree.folder("tmp", 0o1777)
    tree.folder("root", 0o700)
    tree.link("var/run", "../run")
    tree.link("etc/mtab", "../proc/mounts")
    tree.link("etc/resolv.conf", "../run/resolv.conf")
    tree.file("usr/bin/busybox", busybox, 0o755)
    tree.copy(HERE / "rootfs")
    _add_modules(tree, modules, (*FIRST, *GUEST), version)
    return tree


def _add_modules(
    tree: Tree,
    modules: Modules,
    names: tuple[str, ...],
    version: str,
    change: Callable[[bytes], bytes] = bytes,
) -> None:
    chosen = modules.closure(names)
    for module in chosen:
        tree.file(f"usr/lib/modules/{version}/{module.path}", change(module.data))
    for name, table in tables(chosen).items():
        tree.file(f"usr/lib/modules/{version}/{name}", table)


def _applets(unpacked: Path) -> tuple[str, ...]:
    """Return where each of busybox's programs is looked for, such as ``sbin/init``."""
    path = next(p for p in (unpacked / "usr/bin/busybox", unpacked / "bin/busybox") if p.is_file())
    listed = run([path, "--list-full"], limit_s=10).decode().split()
    return tuple(name for name in listed if re.fullmatch(r"(usr/)?s?bin/[a-z0-9_\[.-]+", name))


def _os_release(unpacked: Path, version: str) -> tuple[str, str]:
    import platform

    try:
        host = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        host = "Linux"
    name = f"tiny Linux {version}"
    lines = {
        "ID": "kvmnb-tiny",
        "NAME": "kvmnb tiny",
        "PRETTY_NAME": f"kvmnb tiny, Linux {version}, from {host}",
        "VERSION_ID": version,
    }
    text = "".join(f'{key}="{value}"\n' for key, value in lines.items())
    return f"{name}, BusyBox, QEMU guest agent", text
