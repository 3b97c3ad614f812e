"""The kernel, as QEMU can start it fastest, and the drivers that the guest gets."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from kvmnb.errors import ImageError
from kvmnb.images.tiny.elf import Elf, module_facts
from kvmnb.images.tiny.tools import Tick, run

__all__ = ["FIRST", "GUEST", "Module", "Modules", "find_kernel", "tables", "unsigned", "vmlinux"]

FIRST = (
    # what the root file system may stand on: virtio, IDE, SATA, SCSI, NVMe, USB
    *("virtio_pci", "virtio_blk", "virtio_console", "virtio_scsi", "virtio_mmio"),
    *("ata_piix", "ata_generic", "ahci", "sd_mod", "sr_mod", "sym53c8xx", "mptspi", "vmw_pvscsi"),
    *("nvme", "usb_storage", "uas", "xhci_pci", "ehci_pci", "uhci_hcd", "ohci_pci"),
    *("crc32c_generic", "crc32c_intel", "ext4"),
)
"""Modules that are in the initramfs too."""

GUEST = (
    *("virtio_net", "virtio_balloon", "virtio_rng", "virtio_input", "virtio_mem", "virtio_crypto"),
    *("virtio_pmem", "nd_pmem", "9p", "9pnet_virtio", "virtiofs", "fuse"),
    *("vsock", "vmw_vsock_virtio_transport", "vsock_diag"),
    *("e1000", "e1000e", "igb", "igbvf", "8139cp", "8139too", "pcnet32", "vmxnet3"),
    *("ne2k_pci", "e100", "tulip", "cdc_ether", "rndis_host"),
    *("usbhid", "hid_generic", "psmouse", "mousedev", "atkbd", "i8042", "evdev", "button"),
    *("isofs", "vfat", "nls_cp437", "nls_ascii", "nls_utf8", "squashfs", "overlay", "loop"),
    *("floppy", "rtc_cmos", "qemu_fw_cfg", "pvpanic_pci", "pvpanic", "i6300esb", "iTCO_wdt"),
    *("tun", "bridge", "veth", "8021q", "macvlan", "dummy", "tcp_bbr", "sch_netem", "sch_tbf"),
    *("ip_tables", "iptable_filter", "zram", "acpiphp_ibm", "shpchp"),
)
"""Modules that are on the disk; one that this kernel lacks is left out."""

_SIGNED = b"~Module signature appended~\n"

_VERSION = re.compile(r"[0-9][A-Za-z0-9.+~_-]*")

_COMPRESSIONS = (
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x8b", "gzip"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"\x5d\0\0\0", "lzma"),
    (b"BZh", "bzip2"),
    (b"\x7fELF", "none"),
)


def find_kernel(unpacked: Path) -> tuple[str, Path]:
    """Return the kernel's version and its bzImage among the unpacked packages.

    Raises
    ------
    ImageError   there is none
    """
    for path in sorted(unpacked.glob("boot/vmlinuz-*")):
        version = path.name.removeprefix("vmlinuz-")
        if _VERSION.fullmatch(version):
            return version, path
    raise ImageError("tiny", "the kernel's package holds no boot/vmlinuz")


def vmlinux(bzimage: bytes, tick: Tick) -> bytes | None:
    """Return the ELF kernel inside a bzImage, or ``None`` where it cannot start under PVH.

    QEMU starts it directly; a bzImage first unpacks itself inside the guest, which takes
    seconds under TCG (kernel Documentation/arch/x86/boot.rst: setup_sects, payload_offset,
    payload_length).
    """
    if bzimage[0x202:0x206] != b"HdrS":
        raise ImageError("tiny", "the kernel is not a bzImage")
    start = ((bzimage[0x1F1] or 4) + 1) * 512 + struct.unpack_from("<I", bzimage, 0x248)[0]
    length = struct.unpack_from("<I", bzimage, 0x24C)[0]
    kernel = decompress(bzimage[start : start + length], tick)
    try:
        return kernel if Elf(kernel).has_pvh_entry else None
    except ValueError:
        return None


def decompress(data: bytes, tick: Tick) -> bytes:
    """Return what `data` holds, whichever of the kernel's compressions it bears."""
    kind = next((word for magic, word in _COMPRESSIONS if data.startswith(magic)), None)
    match kind:
        case "none":
            return data
        case "xz" | "lzma":
            import lzma

            # four bytes of size follow the stream inside a bzImage
            return lzma.LZMADecompressor().decompress(data)
        case "gzip":
            import zlib

            return zlib.decompressobj(31).decompress(data)
        case "bzip2":
            import bz2

            return bz2.BZ2Decompressor().decompress(data)
        case "zstd":
            return run(["zstd", "-dcq"], stdin=_trim_zstd(data), limit_s=60, tick=tick)
        case "lz4":
            return run(["lz4", "-dcq"], stdin=data[:-4], limit_s=60, tick=tick)
    raise ImageError("tiny", f"a kernel file of unknown compression ({data[:4].hex()})")


def _trim_zstd(data: bytes) -> bytes:
    """Cut off the size that follows a zstd frame inside a bzImage, which zstd would refuse."""
    at = 4
    descriptor = data[at]
    single = descriptor >> 5 & 1
    at += 1 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    size_flag = descriptor >> 6
    at += (single, 2, 4, 8)[size_flag]
    while True:  # blocks: last (1 bit), type (2), size (21), as RFC 8878 has it
        head = int.from_bytes(data[at : at + 3], "little")
        size = 1 if head >> 1 & 3 == 1 else head >> 3
        at += 3 + size
        if at > len(data):
            raise ImageError("tiny", "a zstd file that is cut off")
        if head & 1:
            return data[: at + (4 if descriptor >> 2 & 1 else 0)]


@dataclass(frozen=True, slots=True)
class Module:
    """One driver: where it goes under ``/lib/modules/<version>``, its bytes, what it says."""

    name: str
    path: str
    data: bytes
    depends: tuple[str, ...]
    aliases: tuple[str, ...]


class Modules:
    """The modules of one kernel among the unpacked packages, read as they are asked for."""

    def __init__(self, unpacked: Path, version: str, tick: Tick) -> None:
        self._tick = tick
        self._root = (
            next(
                (
                    root
                    for root in (unpacked / "lib/modules", unpacked / "usr/lib/modules")
                    if (root / version / "kernel").is_dir()
                ),
                unpacked / "lib/modules",
            )
            / version
        )
        self._paths = {
            _word(path.name.split(".ko")[0]): path for path in self._root.rglob("kernel/**/*.ko*")
        }
        self._read: dict[str, Module] = {}

    def closure(self, names: tuple[str, ...]) -> tuple[Module, ...]:
        """Return the modules of these names that the kernel has, and all they depend on."""
        found: dict[str, Module] = {}
        waiting = [_word(name) for name in names]
        while waiting:
            name = waiting.pop()
            if name in found or name not in self._paths:
                continue  # built in, or not in this kernel
            found[name] = self._module(name)
            waiting.extend(found[name].depends)
        return tuple(sorted(found.values(), key=lambda module: module.path))

    def _module(self, name: str) -> Module:
        if name not in self._read:
            path = self._paths[name]
            data = decompress(path.read_bytes(), self._tick)
            facts = module_facts(data)
            depends = [_word(d) for line in facts.get("depends", []) for d in line.split(",") if d]
            where = path.relative_to(self._root).as_posix()
            self._read[name] = Module(
                name,
                where[: where.rindex(".ko") + 3],
                data,
                tuple(sorted(depends)),
                tuple(sorted(facts.get("alias", []))),
            )
        return self._read[name]


def tables(modules: tuple[Module, ...]) -> dict[str, bytes]:
    """Return ``modules.dep`` and ``modules.alias``, which depmod would write, for `modprobe`."""
    by_name = {module.name: module for module in modules}
    dep = []
    for module in modules:
        # busybox loads them from the last to the first: each before those that it needs itself
        needs: dict[str, None] = {}
        _visit(module, by_name, needs)
        dep.append(f"{module.path}: {' '.join(reversed(needs))}".rstrip() + "\n")
    alias = [f"alias {alias} {module.name}\n" for module in modules for alias in module.aliases]
    return {
        "modules.dep": "".join(dep).encode(),
        "modules.alias": "".join(alias).encode(),
    }


def _visit(module: Module, by_name: dict[str, Module], needs: dict[str, None]) -> None:
    """Note all that `module` needs, what is needed first before what needs it."""
    for name in module.depends:
        if (need := by_name.get(name)) is not None and need.path not in needs:
            _visit(need, by_name, needs)
            needs[need.path] = None


def _word(name: str) -> str:
    return name.replace("-", "_")


def unsigned(data: bytes) -> bytes:
    """Return a module less its signature, which takes longer to check than the rest to load."""
    if not data.endswith(_SIGNED):
        return data
    # the signature, twelve bytes that end in its length, and the mark (kernel module_signature.h)
    head = len(data) - len(_SIGNED) - 12
    return data[: head - int.from_bytes(data[head + 8 : head + 12], "big")]
