"""The disk: a partition that firmware starts from, and one with the root file system.

Every byte follows from the inputs: times, identifiers and hash seeds are fixed.
"""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

from kvmnb.images.tiny.tools import Tick, run
from kvmnb.images.tiny.tree import EPOCH, Tree
from kvmnb.units import MIB

__all__ = ["BOOT_MIB", "ROOT_MIB", "Seed", "boot_partition", "partition_table", "root_partition"]

START = MIB
"""Where the first partition begins; sectors before it are the boot loader's."""

BOOT_MIB = 48
ROOT_MIB = 463
"""With the first MiB they make a disk of 512 MiB; what is not used takes no room on the host."""

SECTOR = 512


class Seed:
    """Identifiers that follow from the inputs' digest."""

    def __init__(self, digest: str) -> None:
        self._hex = digest

    @property
    def root_uuid(self) -> str:
        """The root file system's UUID."""
        h = self._hex
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-8{h[17:20]}-{h[20:32]}"

    @property
    def hash_seed(self) -> str:
        """The UUID that ext4 seeds its directory hashes with."""
        h = self._hex[32:]
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-8{h[17:20]}-{h[20:32]}"

    @property
    def disk_id(self) -> int:
        """The disk's signature in its partition table, and the FAT's serial number."""
        return int(self._hex[:8], 16)


def partition_table(disk: Path, boot_code: bytes, seed: Seed) -> None:
    """Make the sparse disk and write its first sector: boot code and an MBR partition table."""
    boot, root = START, START + BOOT_MIB * MIB
    code = boot_code[:440].ljust(440, b"\0")
    entries = _entry(0x80, 0x0E, boot, BOOT_MIB) + _entry(0, 0x83, root, ROOT_MIB)
    sector = code + struct.pack("<IH", seed.disk_id, 0) + entries.ljust(64, b"\0") + b"\x55\xaa"
    with open(disk, "wb") as file:
        file.write(sector)
        file.truncate(START + (BOOT_MIB + ROOT_MIB) * MIB)


def _entry(status: int, kind: int, start: int, size_mib: int) -> bytes:
    # FE FF FF: "beyond what cylinders, heads and sectors can say; use the sector numbers"
    sectors = (start // SECTOR, size_mib * MIB // SECTOR)
    return struct.pack("<B3sB3sII", status, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", *sectors)


def boot_partition(disk: Path, tree: Tree, tools: Path, seed: Seed, tick: Tick) -> None:
    """Make the FAT partition, put `tree`'s files on it, and install syslinux there.

    Parameters
    ----------
    tools : unpacked packages ``mtools`` and ``syslinux``, run from where they lie
    """
    env = {
        "PATH": f"{tools / 'usr/bin'}:{os.environ.get('PATH', os.defpath)}",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "TZ": "UTC",
        "MTOOLS_SKIP_CHECK": "1",
        "MTOOLSRC": "/dev/null",
    }
    image = f"{disk}@@{START}"
    mtools = tools / "usr/bin/mtools"
    sectors = BOOT_MIB * MIB // SECTOR
    geometry = ["-T", str(sectors), "-h", "255", "-s", "63", "-H", str(START // SECTOR)]
    serial = f"{seed.disk_id:08x}"
    fat = ["-c", "4", "-N", serial, "-v", "BOOT"]
    run([mtools, "-c", "mformat", "-i", image, *geometry, *fat, "::"], limit_s=20, env=env)
    staging = disk.with_name("boot")
    staging.mkdir()
    for path, mode, data in tree:
        if stat.S_ISREG(mode):
            file = staging / os.path.basename(path)
            file.write_bytes(data)
            os.utime(file, (EPOCH, EPOCH))
            run(
                [mtools, "-c", "mcopy", "-m", "-i", image, file, f"::{file.name}"],
                limit_s=20,
                env=env,
                tick=tick,
            )
    installer = tools / "usr/bin/syslinux"
    run([installer, "--install", "--offset", str(START), disk], limit_s=20, env=env, tick=tick)


def root_partition(disk: Path, tree: Tree, seed: Seed, tick: Tick) -> None:
    """Make the ext4 file system with `tree` in it."""
    staging = disk.with_name("root")
    staging.mkdir()
    tree.write(staging)
    offset = START + BOOT_MIB * MIB
    env = {
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "E2FSPROGS_FAKE_TIME": str(EPOCH),
        "MKE2FS_CONFIG": "/dev/null",
    }
    extended = (
        f"hash_seed={seed.hash_seed},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0,"
        f"nodiscard,offset={offset}"
    )
    argv = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-N", "16384"]
    # features by name, since the defaults differ between distributions
    features = "none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super"
    features += ",large_file,huge_file,dir_nlink,extra_isize,metadata_csum,resize_inode"
    argv += ["-O", features, "-U", seed.root_uuid, "-L", "tiny", "-E", extended, "-m", "0"]
    argv += ["-J", "size=4", "-d", os.fspath(staging), os.fspath(disk), f"{ROOT_MIB}M"]
    run(argv, limit_s=60, env=env, tick=tick)
    # mke2fs copies each file's owner and its change time, which nobody can set: set them here
    script = []
    for path in ["/", "/lost+found", *(f"/{path}" for path, _, _ in tree)]:
        for field in ("uid", "gid"):
            script.append(f'set_inode_field "{path}" {field} 0')
        for field in ("atime", "ctime", "mtime", "crtime"):
            script.append(f'set_inode_field "{path}" {field} @{EPOCH}')
        for field in ("atime_extra", "ctime_extra", "mtime_extra", "crtime_extra"):
            script.append(f'set_inode_field "{path}" {field} 0')
    commands = disk.with_name("debugfs.txt")
    commands.write_text("\n".join(script) + "\n", encoding="utf-8")
    run(["debugfs", "-w", "-f", commands, f"{disk}?offset={offset}"], limit_s=60, env=env)
