"""Descriptions of guests, made up by hypothesis.

`domains()` gives any that is valid; `settled_domains(target)` gives those that leave nothing
open, so that a text compiled from one says exactly what it says.

Paths, names and kernel command lines hold what users, or those who mean ill, could write: commas,
equals signs, quotes, spaces, newlines, bytes that are not UTF-8. With ``hostile=False`` they hold
only what XML can hold too.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from kvmnb.compile.targets import Target, expressible
from kvmnb.spec import storage
from kvmnb.spec.boot import LETTERS, Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.diskbacks import BlockDevice, FatFolder, Server, Volume
from kvmnb.spec.domain import (
    ACCELS,
    ON_CRASH,
    ON_POWEROFF,
    ON_REBOOT,
    SCSI_MODELS,
    USB_CONTROLLERS,
    DomainSpec,
)
from kvmnb.spec.memory import Memory, Source
from kvmnb.spec.numa import NUMANode
from kvmnb.spec.storage import (
    CDROM,
    CatalogueImage,
    Disk,
    ExistingFile,
    Floppy,
    NewFile,
)
from kvmnb.spec.validate import SECTOR_BYTES
from tests.spec import strategies_devices as devices
from tests.spec.strategies_devices import paths, plain_texts, texts, uuids
from tests.spec.strategies_fitting import fitting
from tests.spec.strategies_networks import macs, nics

if TYPE_CHECKING:
    from kvmnb.spec.diskbacks import FarBack
    from kvmnb.spec.storage import DiskBack

__all__ = [
    "boots",
    "cdroms",
    "cpus",
    "disks",
    "domains",
    "floppies",
    "macs",
    "memories",
    "names",
    "nics",
    "paths",
    "settled_domains",
]


def names() -> st.SearchStrategy[str]:
    """Return names that a guest, or an image, may bear."""
    letters = st.characters(exclude_categories=("C", "Z"), exclude_characters="/") | st.just(" ")
    return st.text(letters, min_size=1, max_size=64).filter(
        lambda name: name.strip() and name not in {".", ".."} and name.isprintable()
    )


def memories(hostile: bool = True) -> st.SearchStrategy[Memory]:
    """Return amounts of memory, with and without room for more, on every backing."""

    @st.composite
    def made(draw: st.DrawFn) -> Memory:
        size = draw(st.integers(1, 8192))
        room: dict[str, Any] = {}
        if draw(st.booleans()):
            most = size + draw(st.integers(1, 8192))
            room = {"slots": draw(st.integers(1, 256)), "maximum_mib": most}
        if draw(st.booleans()):
            return Memory(size_mib=size, **room)
        source: Source = draw(st.sampled_from(["anonymous", "memfd", "file"]))
        huge = source == "memfd" and draw(st.booleans())
        return Memory(
            size_mib=size,
            **room,
            current_mib=draw(st.none() | st.integers(1, size)),
            source=source,
            path=draw(paths(hostile)) if source == "file" else None,
            hugepages=huge,
            hugepage_kib=draw(st.sampled_from([None, 2048])) if huge else None,
            **{key: draw(st.booleans()) for key in ("shared", "preallocated", "locked", "merged")},
        )

    return made()


def cpus() -> st.SearchStrategy[CPU]:
    """Return processors whose layout multiplies to their most."""

    @st.composite
    def made(draw: st.DrawFn) -> CPU:
        layout = [draw(st.integers(1, 4)) for _ in range(3)]
        most = layout[0] * layout[1] * layout[2]
        dies = draw(st.sampled_from([None, 1, 2]))
        most *= dies or 1
        count = draw(st.integers(1, most))
        given = [part if draw(st.booleans()) else None for part in layout]
        model = draw(
            st.none() | st.sampled_from(["max", "qemu64", "Haswell-noTSX", "Opteron_G1-v1"])
        )
        feature = st.sampled_from(["+aes", "-sse4.2", "phys-bits=40"])
        return CPU(
            count=count,
            sockets=given[0],
            dies=dies,
            cores=given[1],
            threads=given[2],
            maximum=most if most != count or draw(st.booleans()) else None,
            model=model,
            features=tuple(draw(st.lists(feature, max_size=2, unique=True))) if model else (),
        )

    return made()


def numas(memory: Memory, cpu: CPU) -> st.SearchStrategy[tuple[NUMANode, ...]]:
    """Return no nodes, or two that share out that memory and those processors."""
    half = memory.size_mib // 2
    if half == 0 or cpu.most < 2:
        return st.just(())

    def two(split: int, far: int | None) -> tuple[NUMANode, ...]:
        ways: list[tuple[int, ...]] = [(), ()] if far is None else [(10, far), (far, 10)]
        return (
            NUMANode(memory_mib=half, cpus=tuple(range(split)), distances=ways[0]),
            NUMANode(
                memory_mib=memory.size_mib - half,
                cpus=tuple(range(split, cpu.most)),
                distances=ways[1],
            ),
        )

    nodes = st.builds(two, st.integers(1, cpu.most - 1), st.sampled_from([None, 21, 40]))
    return st.just(()) | nodes


_EXTRA = (("-d", "guest_errors,unimp"), ("-no-fd-bootchk",), ("-msg", "timestamp=on"))
"""Options that no field stands for."""


def _shapes(hostile: bool) -> st.SearchStrategy[tuple[Memory, CPU, tuple[NUMANode, ...]]]:
    pairs = st.tuples(memories(hostile), cpus())
    return pairs.flatmap(lambda pair: st.tuples(st.just(pair[0]), st.just(pair[1]), numas(*pair)))


def _far_backs(bare: bool, hostile: bool) -> st.SearchStrategy[FarBack]:
    path, user, port = paths(hostile), st.sampled_from([None, "anna"]), st.none() | devices.ports()
    name = st.sampled_from(["export", "a b,c", "x=1"])

    def server(protocol: str, name: st.SearchStrategy[str], **more: Any) -> Any:
        return st.builds(
            Server, protocol=st.just(protocol), host=devices.hosts(), port=port, name=name, **more
        )

    backs: list[st.SearchStrategy[FarBack]] = [
        st.sampled_from(["/dev/sdb", "/dev/disk/by-id/a,b"]).map(BlockDevice),
        server("nbd", name | st.just("")),
        st.builds(Server, protocol=st.just("nbd"), socket=path, name=name),
        *(server(each, st.just("iso/a b.iso")) for each in ("http", "https", "ftp", "ftps")),
        server("ssh", st.just("srv/a b.img"), user=user),
        server("iscsi", st.just("iqn.2026-01.org.example:disk/1"), user=user),
        st.builds(Server, protocol=st.just("rbd"), name=st.just("pool/image"), user=user),
        server("rbd", st.just("pool/image")),
        server("gluster", st.just("volume/a/b.img")),
        st.builds(
            FatFolder, path=path, writable=st.booleans(), bits=st.sampled_from([None, 12, 16, 32])
        ),
    ]
    if not bare:
        backs.append(st.builds(Volume, pool=st.just("default"), name=st.just("a.qcow2")))
    return st.one_of(backs)


def _backs(settled: bool, bare: bool, hostile: bool) -> st.SearchStrategy[DiskBack]:
    existing = paths(hostile).map(ExistingFile)
    if settled:
        return existing | _far_backs(bare, hostile)
    sizes = st.integers(1, 1 << 32).map(lambda sectors: sectors * SECTOR_BYTES)
    return st.one_of(
        names().map(CatalogueImage),
        existing,
        st.builds(
            NewFile,
            sizes,
            path=st.none() | paths(hostile),
            format=st.sampled_from(["qcow2", "raw"]),
            sparse=st.booleans(),
        ),
        _far_backs(bare, hostile),
    )


def disks(
    *, settled: bool = False, bare: bool = False, hostile: bool = True
) -> st.SearchStrategy[Disk]:
    """Return disks of every kind, bus and cache."""

    backs, few = _backs(settled, bare, hostile), st.sampled_from

    @st.composite
    def made(draw: st.DrawFn) -> Disk:
        back = draw(backs)
        buses = tuple(bus for bus in storage.BUSES if bus != "mtd" or not bare)
        bus, cache = draw(few(buses)), draw(few(storage.CACHES))
        can_protect = bus not in {"ide", "sata"} and not isinstance(back, NewFile)
        # a server of files cannot be written to, a folder as FAT should not be
        fixed = isinstance(back, FatFolder) and not back.writable
        fixed = fixed or (isinstance(back, Server) and back.protocol.startswith(("http", "ftp")))
        written = isinstance(back, FatFolder) and back.writable
        readonly = can_protect and (fixed or (draw(st.booleans()) and not written))
        sectors = st.none() | st.integers(1, 1 << 32)
        bytes_ = draw(sectors) if isinstance(back, CatalogueImage) else None
        format = few(storage.FORMATS) if settled else st.none() | few(storage.FORMATS)
        if bare and fixed and bus in {"ide", "sata", "sd"}:
            bus, readonly = "virtio", True
        if bare and bus == "sd":
            readonly, cache = False, "writeback"
        aios = storage.AIOS if cache in {"none", "directsync"} else ("threads", "io_uring")
        local = isinstance(back, (ExistingFile, BlockDevice))
        options = (("physical_block_size", "4096"),)
        return Disk(
            back=back,
            bus=bus,
            cache=cache,
            format=draw(format) if isinstance(back, ExistingFile) else None,
            readonly=readonly,
            snapshot=not readonly and not settled and draw(st.booleans()),
            size_bytes=None if bytes_ is None else bytes_ * SECTOR_BYTES,
            aio=draw(few([None, *aios])) if local else None,
            discard=draw(few([None, *storage.DISCARDS])),
            serial=None if bus == "sd" else draw(few([None, "WD-1,2=3"])),
            bootindex=None if bus == "sd" else draw(few([None, 1])),
            shared=bus not in {"sd"} and draw(st.booleans()),
            options=() if bus == "sd" else draw(few([(), options])),
        )

    return made()


def cdroms(
    *, settled: bool = False, bare: bool = False, hostile: bool = True
) -> st.SearchStrategy[CDROM]:
    """Return CD-ROM drives on every bus, empty ones too."""
    backs = _backs(settled, bare, hostile).filter(
        lambda back: not isinstance(back, (NewFile, FatFolder))
    )
    return st.builds(
        CDROM,
        st.none() | backs,
        bus=st.sampled_from([None, *storage.CDROM_BUSES]),
        bootindex=st.sampled_from([None, 2]),
    )


def floppies(
    *, settled: bool = False, bare: bool = False, hostile: bool = True
) -> st.SearchStrategy[Floppy]:
    """Return floppy drives."""
    backs = _backs(settled, bare, hostile).filter(lambda back: not isinstance(back, NewFile))

    @st.composite
    def made(draw: st.DrawFn) -> Floppy:
        back = draw(st.none() | backs)
        far = isinstance(back, (FatFolder, Server))
        readonly = back is not None and (far or draw(st.booleans()))
        named = isinstance(back, ExistingFile) and (settled or draw(st.booleans()))
        return Floppy(
            back,
            format=draw(st.sampled_from(storage.FORMATS)) if named else None,
            readonly=readonly,
            snapshot=back is not None and not (readonly or settled) and draw(st.booleans()),
        )

    return made()


def boots(hostile: bool = True, location: bool = True) -> st.SearchStrategy[Boot]:
    """Return what a guest may start from: firmware, a kernel, an install tree, or nothing said."""
    letters = st.lists(st.sampled_from(LETTERS), max_size=3, unique=True).map("".join)
    line, switch = texts() if hostile else plain_texts(), st.booleans()
    common: dict[str, Any] = {
        "order": letters,
        "once": letters,
        "menu": switch,
        "menu_timeout_ms": st.none() | st.integers(1, 65535),
        "strict": switch,
        "splash": st.none() | paths(hostile),
    }
    firmware = st.builds(Boot, **common)
    kernel = st.builds(
        Boot,
        **common,
        kernel=paths(hostile),
        initrd=st.none() | paths(hostile),
        append=line,
        dtb=st.none() | paths(hostile),
    )
    trees = st.sampled_from(["http://192.0.2.1/centos/os/x86_64/", "/iso/dvd.iso"])
    installer = st.builds(Boot, once=letters, location=trees, append=line)
    return st.just(Boot()) | firmware | kernel | (installer if location else firmware)


def domains(
    *, settled: bool = False, bare: bool = False, hostile: bool = True
) -> st.SearchStrategy[DomainSpec]:
    """Return whole descriptions, whose devices fit on either board.

    Parameters
    ----------
    settled : nothing is left to the host: files, addresses and accelerator are named
    bare : nothing is in it that only libvirt can provide
    hostile : text holds what XML cannot
    """

    def some(parts: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[Any]:
        return st.just(()) | st.lists(parts, min_size=1, max_size=most).map(tuple)

    def maybe(part: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.none() | part

    few, switch = st.sampled_from, st.booleans()
    how: dict[str, Any] = {"settled": settled, "bare": bare, "hostile": hostile}
    line = texts() if hostile else plain_texts()
    cards = st.lists(
        nics(macs() if settled else None, bare=bare, hostile=hostile),
        max_size=3,
        unique_by=(lambda nic: nic.mac or object(), lambda nic: nic.name or object()),
    )
    unsettled = {} if settled else {"cloud_init": maybe(devices.cloud_inits())}

    def whole(shape: tuple[Memory, CPU, tuple[NUMANode, ...]], **fields: Any) -> DomainSpec:
        memory, cpu, numa = shape
        if settled and fields["accel"] == "kvm" and cpu.model is None:
            cpu = dataclasses.replace(cpu, model="max")  # the host's own would be left open
        spec = DomainSpec(memory=memory, cpu=cpu, numa=numa, **fields)
        return fitting(spec) if bare else spec

    return st.builds(
        whole,
        _shapes(hostile),
        name=names(),
        uuid=uuids() if settled else maybe(uuids()),
        title=maybe(few(["A title", "<b> & 'c'"])),
        description=maybe(few(["What it is for", "<b> & 'c'"])),
        machine=few(["pc", "q35", "pc-i440fx-7.2", "pc-q35-7.2"]),
        machine_options=few([(), (("vmport", "off"),)]),
        accel=few(ACCELS[1:] if settled else ACCELS),
        accel_options=st.just(()),
        acpi=st.just(True) | switch,
        firmware=maybe(devices.firmwares(settled, hostile)),
        boot=boots(hostile, location=not settled),
        clock=maybe(devices.clocks()),
        on_poweroff=few(ON_POWEROFF[:2] if bare else ON_POWEROFF),
        on_reboot=few(ON_REBOOT[:2] if bare else ON_REBOOT),
        on_crash=few(("destroy", "preserve") if bare else ON_CRASH),
        suspend_to_mem=few([None, True, False]),
        suspend_to_disk=few([None, True, False]),
        disks=some(disks(**how), 3),
        cdroms=some(cdroms(**how)),
        floppies=some(floppies(**how)),
        scsi=few(SCSI_MODELS),
        nics=cards.map(tuple),
        serials=some(devices.serials(hostile)),
        parallels=some(devices.parallels(hostile)),
        consoles=some(devices.consoles(hostile)),
        channels=some(devices.channels(hostile)),
        monitors=some(devices.monitors(hostile)),
        agent=switch,
        displays=some(devices.displays(hostile)),
        videos=some(devices.videos()),
        usb=few([None, *USB_CONTROLLERS]),
        inputs=some(devices.inputs()),
        sounds=some(devices.sounds()),
        watchdog=maybe(devices.watchdogs()),
        balloon=maybe(devices.balloons()),
        rng=maybe(devices.rngs()),
        vmgenid=maybe(st.just("auto") | uuids()),
        tpm=maybe(devices.tpms(hostile)),
        shares=some(devices.shares(hostile)),
        vsock=maybe(devices.vsocks(settled)),
        hostdevs=some(devices.host_devices()),
        paused=switch,
        incoming=few([None, "defer", "tcp:0:7777"]),
        autostart=switch,
        osinfo=few([None, "debian12"]),
        extra_args=few([(), *_EXTRA]) if bare else some(few(["-d", "guest_errors"]) | line),
        extra_xml=some(devices.extra_xmls(), 1),
        **unsettled,
    )


def settled_domains(
    target: Target, *, hostile: bool | None = None
) -> st.SearchStrategy[DomainSpec]:
    """Return descriptions that leave nothing open, less the fields `target` has no place for.

    What a compiler refuses by name is still among them: skip those that raise `Unsupported`.
    """
    if hostile is None:
        hostile = target == "qemu"
    made = domains(settled=True, bare=target == "qemu", hostile=hostile)
    return made.map(lambda spec: expressible(spec, target)[0])
