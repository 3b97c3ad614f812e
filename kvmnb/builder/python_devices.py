"""The devices as fluent Python."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvmnb.builder.python_words import Call, Job, Writer, call, changed, same, size
from kvmnb.spec.chardev import Private, Serial
from kvmnb.spec.graphics import VNC, Video
from kvmnb.spec.network import NIC, User
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, Floppy, NewFile

if TYPE_CHECKING:
    from kvmnb.spec.forwards import Forward
    from kvmnb.spec.storage import DiskBack

# -- its devices ----------------------------------------------------------------------------


def source(back: DiskBack | None, refused: frozenset[str]) -> tuple[Any, ...]:
    """Return what a verb takes in place of this back end."""
    match back:
        case CatalogueImage(name=name) if name not in refused:
            return (name,)
        case ExistingFile(path=path) if path not in refused:
            return (path,)
        case NewFile(path=None, format="qcow2", sparse=True) | None:
            return ()
        case _:
            return (back,)


def disks(job: Job) -> Iterator[Call]:
    for disk in job.spec.disks:
        plain = Disk(back=disk.back)
        keys = changed(
            disk,
            plain,
            **same("bus", "index", "cache", "format", "readonly", "snapshot", "aio", "discard"),
            **same("serial", "bootindex", "shared", "options"),
        )
        words = source(disk.back, job.refused)
        new = disk.back.size_bytes if isinstance(disk.back, NewFile) and not words else None
        if (bytes_ := disk.size_bytes or new) is not None:
            keys = {"size": size(bytes_), **keys}
        yield call("disk", *words, **keys)


def cdroms(job: Job) -> Iterator[Call]:
    for cdrom in job.spec.cdroms:
        keys = changed(cdrom, CDROM(), **same("bus", "index", "bootindex", "options"))
        yield call("cdrom", *source(cdrom.back, job.refused), **keys)


def floppies(job: Job) -> Iterator[Call]:
    for floppy in job.spec.floppies:
        keys = changed(floppy, Floppy(), **same("format", "readonly", "snapshot"))
        yield call("floppy", *source(floppy.back, job.refused), **keys)


_USER_WORDS = ("network", "host", "dhcpstart", "dns", "tftp", "bootfile")


def nics(job: Job) -> Iterator[Call]:
    if job.refused.intersection(nic.model for nic in job.spec.nics):
        yield call("replace", nics=job.spec.nics)
        return
    for nic in job.spec.nics:
        keys = changed(
            nic,
            NIC(),
            **same("mac", "name", "address", "vectors", "queues", "mtu", "bootindex", "link"),
            **same("options"),
        )
        yield call(
            "nic",
            *((nic.model,) if nic.model != "virtio" else ()),
            **net(nic, job.refused),
            **keys,
        )


def net(nic: NIC, refused: frozenset[str]) -> dict[str, Any]:
    match nic.back:
        case None:
            return {"net": "none"}
        case User() as user:
            words = changed(user, User(), **same(*_USER_WORDS))
            doors = [door(forward) for forward in user.forwards]
            if user.forwards:
                words["hostfwd"] = doors[0] if len(doors) == 1 else tuple(doors)
            unset: dict[str, Any] = dict.fromkeys(_USER_WORDS)
            said = dataclasses.replace(user, forwards=(), **unset)
            if said != User() or user.tftp in refused or not all(map(_DOOR.fullmatch, doors)):
                return {} if user == User() else {"net": user}
            return words
        case back:
            return {"net": back}


_DOOR = re.compile(r"((tcp|udp):)?([0-9.]+:)?\d+:([0-9.]+:)?\d+", re.ASCII)


def door(forward: Forward) -> str:
    text = "" if forward.protocol == "tcp" else f"{forward.protocol}:"
    if forward.host_address != "127.0.0.1":
        text += f"{forward.host_address}:"
    text += f"{forward.host_port}:"
    if forward.guest_address is not None:
        text += f"{forward.guest_address}:"
    return f"{text}{forward.guest_port}"


def serials(job: Job) -> Iterator[Call]:
    ports: list[Any] = []
    for serial in job.spec.serials:
        plain = serial == Serial(serial.back)
        port = serial.back if plain else serial
        ports.append(True if port == Private() and len(job.spec.serials) > 1 else port)
    if not ports:
        yield call("serial", False)
    else:
        yield call("serial", *(() if ports == [Private()] else ports))


def backs(verb: str, field: str) -> Writer:
    def write(job: Job) -> Iterator[Call]:
        for part in getattr(job.spec, field):
            plain = part.back == Private()
            keys = {"mode": part.mode} if getattr(part, "mode", "hmp") != "hmp" else {}
            name = (part.name,) if verb == "channel" else ()
            yield call(verb, *name, *(() if plain else (part.back,)), **keys)

    return write


def screen(job: Job) -> Iterator[Call]:
    displays, videos = job.spec.displays, job.spec.videos
    if not displays and not videos:
        yield call("vnc", False)
        return
    seen = job.base.videos
    if displays != job.base.displays:
        match displays:
            case (VNC() as vnc,):
                words = ("display", "listen", "unix", "password", "websocket", "keymap")
                yield call("vnc", **changed(vnc, VNC(), **same(*words)))
                seen = seen or (Video(),)  # vnc() brings a card where there was none
            case _:
                yield call("display", *displays)
    if videos != seen:
        yield call("video", *(map(card, videos) if videos else (False,)))


def card(video: Video) -> Any:
    return video.model if video == Video(video.model) else video


def switch(verb: str, field: str, plain: Any) -> Writer:
    """Return the writer of a device that is there or not, with a few settings."""

    def write(job: Job) -> Iterator[Call]:
        value = getattr(job.spec, field)
        if value is None:
            yield call(verb, False)
            return
        names = (each.name for each in dataclasses.fields(value))
        yield call(verb, **changed(value, plain, **same(*names)))

    return write


def vmgenid(job: Job) -> Iterator[Call]:
    if job.spec.vmgenid is None:
        yield call("vmgenid", False)
    else:
        yield call("vmgenid", *(() if job.spec.vmgenid == "auto" else (job.spec.vmgenid,)))


def inputs(job: Job) -> Iterator[Call]:
    for each in job.spec.inputs:
        keys = {} if each.bus == "usb" else {"bus": each.bus}
        kind = () if each.kind == "tablet" else (each.kind,)
        yield call("input" if kind else "tablet", *kind, **keys)


def sounds(job: Job) -> Iterator[Call]:
    for sound in job.spec.sounds:
        yield call("sound", sound.model, **({} if sound.back == "none" else {"back": sound.back}))


def watchdog(job: Job) -> Iterator[Call]:
    if job.spec.watchdog is None:
        yield call("watchdog", False)
    else:
        yield call("watchdog", job.spec.watchdog.model, job.spec.watchdog.action)


def tpm(job: Job) -> Iterator[Call]:
    if job.spec.tpm is None:
        yield call("tpm", False)
    else:
        words = ("model", "version", "socket", "device")
        yield call("tpm", **changed(job.spec.tpm, type(job.spec.tpm)(), **same(*words)))


def shares(job: Job) -> Iterator[Call]:
    if job.refused.intersection(share.source for share in job.spec.shares):
        yield call("replace", shares=job.spec.shares)
        return
    for share in job.spec.shares:
        plain = type(share)(source=share.source, tag=share.tag)
        words = ("kind", "readonly", "security", "socket")
        yield call("share", share.source, share.tag, **changed(share, plain, **same(*words)))


def vsock(job: Job) -> Iterator[Call]:
    cid = False if job.spec.vsock is None else job.spec.vsock.cid
    yield call("vsock", *(() if cid is None else (cid,)))


def hostdevs(job: Job) -> Iterator[Call]:
    for device in job.spec.hostdevs:
        address = getattr(device, "address", None)
        plain = address is not None and device.managed  # type: ignore[union-attr]
        yield call("hostdev", address if plain else device)


def cloud_init(job: Job) -> Iterator[Call]:
    seed = job.spec.cloud_init
    if seed is None:
        yield call("replace", cloud_init=None)
        return
    words = same("user", "packages", "run", "hostname", "password_hash")
    yield call("cloud_init", **changed(seed, type(seed)(), ssh_key="ssh_keys", **words))
