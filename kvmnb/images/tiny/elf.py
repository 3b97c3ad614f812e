"""What the builder reads out of ELF files: libraries they need, module facts, the PVH entry."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["Elf", "module_facts"]

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
DT_NEEDED, DT_STRTAB = 1, 5
XEN_PHYS32_ENTRY = 18
"""The note that says where a kernel starts under PVH (Xen public/elfnote.h)."""


class Elf:
    """A 64-bit little-endian ELF file.

    Raises
    ------
    ValueError   not such a file, or cut off
    """

    def __init__(self, data: bytes) -> None:
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("not a 64-bit little-endian ELF file")
        self._data = data
        try:
            head = struct.unpack_from("<HHIQQQIHHHHHH", data, 16)
            _, _, _, self.entry, phoff, shoff, _, _, phsize, phnum, shsize, shnum, names = head
            self._segments = [
                struct.unpack_from("<IIQQQQQQ", data, phoff + i * phsize) for i in range(phnum)
            ]
            self._sections = [
                struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * shsize) for i in range(shnum)
            ]
        except struct.error as error:
            raise ValueError("a cut-off ELF file") from error
        self._names = self._sections[names] if names < shnum else None

    def section(self, name: str) -> bytes:
        """Return a section's bytes, empty where there is none of that name."""
        if self._names is None:
            return b""
        for section in self._sections:
            start = self._names[4] + section[0]
            end = self._data.index(b"\0", start)
            if self._data[start:end] == name.encode():
                return self._data[section[4] : section[4] + section[5]]
        return b""

    @property
    def interpreter(self) -> str | None:
        """The dynamic linker that the file names, or ``None`` for a static one."""
        for kind, _, offset, _, _, size, _, _ in self._segments:
            if kind == PT_INTERP:
                return self._data[offset : offset + size].rstrip(b"\0").decode()
        return None

    @property
    def needed(self) -> tuple[str, ...]:
        """The libraries it asks the dynamic linker for."""
        entries: list[tuple[int, int]] = []
        for kind, _, offset, _, _, size, _, _ in self._segments:
            if kind == PT_DYNAMIC:
                entries = list(struct.iter_unpack("<QQ", self._data[offset : offset + size]))
        table = next((self._offset(value) for tag, value in entries if tag == DT_STRTAB), None)
        if table is None:
            return ()
        return tuple(self._text(table + value) for tag, value in entries if tag == DT_NEEDED)

    @property
    def has_pvh_entry(self) -> bool:
        """Whether QEMU can start it as a kernel without firmware's help."""
        return any(name == b"Xen" and kind == XEN_PHYS32_ENTRY for name, kind in self._notes())

    def _notes(self) -> Iterator[tuple[bytes, int]]:
        for kind, _, offset, _, _, size, _, _ in self._segments:
            end = offset + size
            while kind == PT_NOTE and offset + 12 <= end:
                name_size, size_, note = struct.unpack_from("<III", self._data, offset)
                name = self._data[offset + 12 : offset + 12 + name_size].rstrip(b"\0")
                yield name, note
                offset += 12 + (name_size + 3 & ~3) + (size_ + 3 & ~3)

    def _offset(self, address: int) -> int:
        for kind, _, offset, start, _, size, _, _ in self._segments:
            if kind == PT_LOAD and start <= address < start + size:
                return int(offset + address - start)
        raise ValueError("an address outside of the ELF file")

    def _text(self, offset: int) -> str:
        return self._data[offset : self._data.index(b"\0", offset)].decode()


def module_facts(data: bytes) -> dict[str, list[str]]:
    """Return what a kernel module says of itself: ``name``, ``depends``, ``alias``, …"""
    facts: dict[str, list[str]] = {}
    for item in Elf(data).section(".modinfo").split(b"\0"):
        key, mark, value = item.decode("utf-8", "replace").partition("=")
        if mark:
            facts.setdefault(key, []).append(value)
    return facts
