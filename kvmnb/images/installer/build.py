"""The installer, out of the tiny guest's disk and of packages that are here since it was built."""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path

from kvmnb.errors import ImageError
from kvmnb.images.iso9660 import iso
from kvmnb.images.tiny.build import APPEND
from kvmnb.images.tiny.disk import BOOT_MIB, START
from kvmnb.images.tiny.packages import unpack
from kvmnb.images.tiny.tools import Tick, run
from kvmnb.images.tiny.tree import EPOCH, Tree, add_programs
from kvmnb.units import MIB

__all__ = ["BOOTFILES", "FILES", "ISO", "Parts", "build"]

HERE = Path(__file__).parent

ISO = "tiny-installer.iso"
BOOTFILES = {
    "install.ipxe": "puts the tiny system on the first disk where that is empty, and starts it",
    "live.ipxe": "starts the tiny system in memory, and touches no disk",
}
"""What iPXE is told to do, by the name that DHCP gives it."""

NETBOOT = ("vmlinuz", "initrd.img", *BOOTFILES)
FILES = (ISO, *(f"netboot/{name}" for name in NETBOOT))
"""All that a build makes, below its folder."""

DISK_ID = b"kvmn"
"""The disk's signature in its partition table, by which the CD finds what it installed."""

CONSOLES = f"console=tty0 {APPEND} rootfstype=ramfs"
"""It speaks on the screen too; a ramfs, unlike a tmpfs, may take more than half of the memory."""

ISOLINUX = ("ldlinux.c32", "libcom32.c32", "libutil.c32", "chain.c32")
"""Modules beside ``isolinux.bin``; the second and third are what ``chain.c32`` needs."""

_NEEDED = re.compile(
    r"(isolinux|extlinux|syslinux-common|e2fsprogs|mtools|busybox-static"
    r"|lib(ext2fs2|com-err2|blkid1|uuid1|c6)(t64)?)_.*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the installer is made of.

    Parameters
    ----------
    disk, initrd : the tiny guest's, a qcow2 and an initramfs
    packages : files of the packages that the tiny guest was built from
    """

    disk: Path
    initrd: Path
    packages: tuple[Path, ...]


def build(parts: Parts, work: Path, out: Path, tick: Tick) -> None:
    """Make `FILES` below `out`, with `work`, an empty folder, for what is made on the way.

    Raises
    ------
    ImageError   the distribution lacks a package that this needs, or a tool failed
    HostError    a tool is not installed
    """
    tools = work / "tools"
    tools.mkdir()
    for package in parts.packages:
        if _NEEDED.fullmatch(package.name):
            unpack(package, tools, tick)
    loader = tools / "usr/lib/ISOLINUX/isolinux.bin"
    for path, package_name in (
        (loader, "isolinux"),
        (tools / "usr/bin/extlinux", "extlinux"),
        (tools / "usr/lib/syslinux/modules/bios/chain.c32", "syslinux-common"),
    ):
        if not path.is_file():
            raise ImageError(
                "tiny-installer",
                f"the configured apt sources lack the package {package_name}; on Ubuntu enable "
                "universe: sudo add-apt-repository universe; then build the tiny guest anew",
            )
    raw = work / "disk.raw"
    run(["qemu-img", "convert", "-O", "raw", "-f", "qcow2", parts.disk, raw], limit_s=60, tick=tick)
    kernel = _kernel(raw, tools, work, tick)
    root = _root(raw, work, tick)
    stage1 = parts.initrd.read_bytes()
    initrd = stage1 + _payload(tools, kernel, stage1, root).cpio()

    net = out / "netboot"
    net.mkdir(parents=True)
    (net / "vmlinuz").write_bytes(kernel)
    (net / "initrd.img").write_bytes(initrd)
    for name in BOOTFILES:
        (net / name).write_bytes(_text(name))
    modules = tools / "usr/lib/syslinux/modules/bios"
    files = {name: (modules / name).read_bytes() for name in ISOLINUX}
    files |= {"isolinux.bin": loader.read_bytes(), "isolinux.cfg": _text("isolinux.cfg")}
    files |= {"boot.msg": _text("boot.msg"), ".treeinfo": _text("treeinfo.ini")}
    files |= {"vmlinuz": kernel, "initrd.img": initrd}
    (out / ISO).write_bytes(iso(files, label="TINY_INSTALLER", boot="isolinux.bin"))


def _text(name: str) -> bytes:
    """Return a configuration file of this folder, its placeholders filled in."""
    text = (HERE / name).read_text(encoding="ascii")
    append = APPEND if name == "extlinux.conf" else CONSOLES
    number = int.from_bytes(DISK_ID, "little")
    return text.replace("@APPEND@", append).replace("@DISK_ID@", f"{number:#010x}").encode()


def _kernel(raw: Path, tools: Path, work: Path, tick: Tick) -> bytes:
    """Return the bzImage on the tiny disk's first partition."""
    target = work / "vmlinuz"
    env = {"MTOOLS_SKIP_CHECK": "1", "MTOOLSRC": "/dev/null"}
    image = f"{raw}@@{START}"
    argv: list[str | Path] = [tools / "usr/bin/mtools", "-c", "mcopy", "-n"]
    argv += ["-i", image, "::vmlinuz", target]
    run(argv, limit_s=20, tick=tick, env=env)
    return target.read_bytes()


def _root(raw: Path, work: Path, tick: Tick) -> bytes:
    """Return the tiny disk's root file system as a tar, packed."""
    folder = work / "root"
    folder.mkdir()
    script = work / "debugfs.txt"
    script.write_text(f'rdump / "{folder}"\n', encoding="utf-8")
    offset = START + BOOT_MIB * MIB
    run(["debugfs", "-f", script, f"{raw}?offset={offset}"], limit_s=60, tick=tick)
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=EPOCH) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            if (name := path.relative_to(folder).as_posix()) != "lost+found":
                _add(tar, path, name)
    return packed.getvalue()


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    info = tarfile.TarInfo(name)
    mode = os.lstat(path).st_mode
    info.mtime, info.mode = EPOCH, stat.S_IMODE(mode)
    if stat.S_ISLNK(mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
        tar.addfile(info)
    elif stat.S_ISDIR(mode):
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    else:
        data = path.read_bytes()
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def _payload(tools: Path, kernel: bytes, stage1: bytes, root: bytes) -> Tree:
    """Return what follows the tiny guest's initramfs, and replaces its ``/init``."""
    tree = Tree()
    tree.copy(HERE / "initramfs")
    found = add_programs(tree, tools, ("mke2fs", "extlinux"))
    if len(found) < 2:
        raise ImageError("tiny-installer", "the packages lack mke2fs or extlinux")
    files = {
        "vmlinuz": kernel,
        "initrd.img.gz": gzip.compress(stage1, 6, mtime=EPOCH),
        "root.tar.gz": root,
        "extlinux.conf": _text("extlinux.conf"),
        "mbr.bin": (tools / "usr/lib/syslinux/mbr/mbr.bin").read_bytes(),
        "disk-id": DISK_ID,
    }
    for name, data in files.items():
        tree.file(f"payload/{name}", data)
    return tree
