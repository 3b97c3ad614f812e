"""Descriptions of guests, made up by hypothesis: `domains()` gives any that is valid.

Paths, names and kernel command lines hold what users, or those who mean ill, could write: commas,
equals signs, quotes, spaces, newlines, bytes that are not UTF-8.
"""

from __future__ import annotations

from hypothesis import strategies as st

from kvmnb.compile.qemu import NIC_MODELS
from kvmnb.spec.boot import LETTERS, Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import ACCELS, DomainSpec, Memory
from kvmnb.spec.network import NIC
from kvmnb.spec.storage import (
    BUSES,
    CACHES,
    CDROM,
    FORMATS,
    SECTOR_BYTES,
    CatalogueImage,
    Disk,
    DiskBack,
    ExistingFile,
    NewFile,
)

__all__ = ["boots", "cpus", "disks", "domains", "macs", "memories", "names", "nics", "paths"]

_ESCAPED = st.integers(0xDC80, 0xDCFF).map(chr)  # one byte that is not UTF-8
_PART = st.one_of(
    st.sampled_from([",", ",,", "=", "'", '"', " ", "\n", "\\", "$(id)", "<b>", "file=x", "on"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    _ESCAPED,
)


def _texts() -> st.SearchStrategy[str]:
    # two escaped bytes may be UTF-8 together, and would not come back as two from a file name
    return st.lists(_PART, max_size=6).map(
        lambda parts: (
            "".join(parts).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
        )
    )


def names() -> st.SearchStrategy[str]:
    """Return names that a guest, or an image, may bear."""
    letters = st.characters(exclude_categories=("C", "Z"), exclude_characters="/") | st.just(" ")
    return st.text(letters, min_size=1, max_size=64).filter(
        lambda name: name.strip() and name not in {".", ".."} and name.isprintable()
    )


def paths() -> st.SearchStrategy[str]:
    """Return absolute paths of files that need not exist."""
    return _texts().map(lambda text: "/" + text)


def memories() -> st.SearchStrategy[Memory]:
    """Return amounts of memory, with and without room for more."""

    @st.composite
    def made(draw: st.DrawFn) -> Memory:
        size = draw(st.integers(1, 8192))
        if not draw(st.booleans()):
            return Memory(size_mib=size)
        most = size + draw(st.integers(1, 8192))
        return Memory(size_mib=size, slots=draw(st.integers(1, 256)), maximum_mib=most)

    return made()


def cpus() -> st.SearchStrategy[CPU]:
    """Return processors whose layout multiplies to their most."""

    @st.composite
    def made(draw: st.DrawFn) -> CPU:
        layout = [draw(st.integers(1, 4)) for _ in range(3)]
        most = layout[0] * layout[1] * layout[2]
        count = draw(st.integers(1, most))
        given = [part if draw(st.booleans()) else None for part in layout]
        return CPU(
            count=count,
            sockets=given[0],
            cores=given[1],
            threads=given[2],
            maximum=most if most != count or draw(st.booleans()) else None,
            model=draw(st.none() | st.sampled_from(["max", "qemu64", "Haswell-noTSX", "486-v1"])),
        )

    return made()


def _backs() -> st.SearchStrategy[DiskBack]:
    return st.one_of(
        names().map(CatalogueImage),
        paths().map(ExistingFile),
        st.integers(1, 1 << 32).map(lambda sectors: NewFile(sectors * SECTOR_BYTES)),
    )


def disks() -> st.SearchStrategy[Disk]:
    """Return disks of every kind, bus and cache."""

    @st.composite
    def made(draw: st.DrawFn) -> Disk:
        back, bus = draw(_backs()), draw(st.sampled_from(BUSES))
        can_protect = bus not in {"ide", "sata"} and not isinstance(back, NewFile)
        readonly = can_protect and draw(st.booleans())
        sectors = st.none() | st.integers(1, 1 << 32)
        bytes_ = draw(sectors) if isinstance(back, CatalogueImage) else None
        format = st.none() | st.sampled_from(FORMATS)
        return Disk(
            back=back,
            bus=bus,
            cache=draw(st.sampled_from(CACHES)),
            format=draw(format) if isinstance(back, ExistingFile) else None,
            readonly=readonly,
            snapshot=not readonly and draw(st.booleans()),
            size_bytes=None if bytes_ is None else bytes_ * SECTOR_BYTES,
        )

    return made()


def macs() -> st.SearchStrategy[str]:
    """Return cards' own addresses, in QEMU's spelling."""
    octets = st.tuples(*[st.integers(0, 255)] * 5)
    return st.builds(
        lambda first, rest: ":".join(f"{octet:02x}" for octet in (first * 2, *rest)),
        st.integers(1, 127),
        octets,
    )


def nics(mac: st.SearchStrategy[str | None] | None = None) -> st.SearchStrategy[NIC]:
    """Return network cards of every model."""
    return st.builds(
        NIC,
        model=st.sampled_from(tuple(NIC_MODELS)),
        mac=st.none() | macs() if mac is None else mac,
    )


def boots() -> st.SearchStrategy[Boot]:
    """Return what a guest may start from: firmware, a kernel, or nothing said."""
    letters = st.lists(st.sampled_from(LETTERS), max_size=4, unique=True).map("".join)
    firmware = st.builds(Boot, order=letters, once=letters, menu=st.booleans())
    kernel = st.builds(
        Boot,
        order=letters,
        menu=st.booleans(),
        kernel=paths(),
        initrd=st.none() | paths(),
        append=_texts(),
    )
    return firmware | kernel


def domains() -> st.SearchStrategy[DomainSpec]:
    """Return whole descriptions, whose devices fit on either board."""
    few = st.lists(disks(), max_size=3)
    cards = st.lists(nics(), max_size=3, unique_by=lambda nic: nic.mac or object())
    return st.builds(
        DomainSpec,
        name=names(),
        memory=memories(),
        cpu=cpus(),
        machine=st.sampled_from(["pc", "q35", "pc-i440fx-7.2", "pc-q35-7.2"]),
        accel=st.sampled_from(ACCELS),
        disks=few.map(tuple),
        cdroms=st.lists(paths().map(CDROM), max_size=1).map(tuple),
        nics=cards.map(tuple),
        boot=boots(),
        balloon=st.booleans(),
        agent=st.booleans(),
        serial=st.booleans(),
        vnc=st.booleans(),
        vmgenid=st.booleans(),
        rng=st.booleans(),
    )
