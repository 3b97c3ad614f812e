"""The guest's memory, and what it is made of on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["MEMORY_LIMIT_MIB", "Memory", "Source"]

MEMORY_LIMIT_MIB = 1 << 22
"""4 TiB, what QEMU's ``pc`` machine can address with 42 physical bits; the host has less."""

SLOTS_LIMIT = 256
"""Memory slots of the ``pc`` machine (ACPI_MAX_RAM_SLOTS in QEMU)."""

HUGEPAGE_LIMIT_KIB = 16 << 20
"""16 GiB, the largest page of any machine that Linux runs on (Documentation/admin-guide/mm)."""

Source = Literal["anonymous", "memfd", "file"]
SOURCES = ("anonymous", "memfd", "file")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Memory(Value):
    """The guest's memory, as QEMU's ``-m`` and ``-object memory-backend-…`` have it.

    Parameters
    ----------
    size_mib : at start
    slots, maximum_mib : room for memory plugged in later; both or neither
    current_mib : what the balloon leaves the guest from the start (libvirt's currentMemory)
    source : what holds it on the host: ``anonymous`` process memory, a ``memfd``, or a ``file``
    path : of the file, or of the folder to make it in, where `source` is ``"file"``
    hugepages : it is made of huge pages (QEMU's ``hugetlb=on``)
    hugepage_kib : of this size; ``None`` for the host's default
    shared : others may map it too, as vhost-user and virtio-fs must
    preallocated : all of it is taken from the host at the start
    locked : it is never swapped out
    merged : KSM may merge its pages with like ones
    """

    size_mib: int = 128
    slots: int = 0
    maximum_mib: int | None = None
    current_mib: int | None = None
    source: Source = "anonymous"
    path: str | None = None
    hugepages: bool = False
    hugepage_kib: int | None = None
    shared: bool = False
    preallocated: bool = False
    locked: bool = False
    merged: bool = True

    def __post_init__(self) -> None:
        validate.positive("mem", self.size_mib, MEMORY_LIMIT_MIB)
        if self.slots != 0 or isinstance(self.slots, bool):
            validate.positive("mem.slots", self.slots, SLOTS_LIMIT)
        if (self.maximum_mib is None) != (self.slots == 0):
            raise SpecError("mem.slots", self.slots, "slots and maxmem go together")
        if self.maximum_mib is not None:
            validate.positive("mem.maxmem", self.maximum_mib, MEMORY_LIMIT_MIB)
            if self.maximum_mib <= self.size_mib:
                raise SpecError("mem.maxmem", self.maximum_mib, f"must exceed {self.size_mib} MiB")
        if self.current_mib is not None:
            validate.positive("mem.current", self.current_mib, MEMORY_LIMIT_MIB)
            if self.current_mib > self.size_mib:
                raise SpecError("mem.current", self.current_mib, f"exceeds {self.size_mib} MiB")
            if self.current_mib == self.size_mib:
                object.__setattr__(self, "current_mib", None)  # which means the same
        validate.choice("mem.source", self.source, SOURCES)
        for field in ("hugepages", "shared", "preallocated", "locked", "merged"):
            validate.switch(f"mem.{field}", getattr(self, field))
        self._check_backing()

    def _check_backing(self) -> None:
        if (self.source == "file") != (self.path is not None):
            raise SpecError("mem.path", self.path, "a path and source 'file' go together")
        if self.path is not None:
            validate.path("mem.path", self.path)
        if self.hugepages and self.source != "memfd":
            # a file gets its huge pages from the hugetlbfs that it lies in
            raise SpecError("mem.hugepages", True, "huge pages need source='memfd'")
        if self.hugepage_kib is not None:
            validate.positive("mem.hugepage", self.hugepage_kib, HUGEPAGE_LIMIT_KIB)
            if not self.hugepages:
                raise SpecError("mem.hugepage", self.hugepage_kib, "a size goes with hugepages")

    @property
    def plain(self) -> bool:
        """Whether it is what ``-m`` alone gives: no backend has to be named."""
        return self.source == "anonymous" and not (self.shared or self.preallocated)
