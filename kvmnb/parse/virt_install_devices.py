"""What a line of virt-install's says of screens, sound and all smaller devices."""

from __future__ import annotations

import re
from typing import Any

from kvmnb.compile.libvirt_words import AUDIO, SCSI, SECURITY, USB, VIDEOS
from kvmnb.parse import virt_install_elements as elements
from kvmnb.parse.virt_install_draft import Draft
from kvmnb.parse.virt_install_options import Given
from kvmnb.parse.virt_install_subs import Subs
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.graphics import VNC, VNC_PORT, Video
from kvmnb.spec.peripherals import (
    TPM,
    HostPCI,
    HostUSB,
    Input,
    Mediated,
    Share,
    Vsock,
    Watchdog,
)
from kvmnb.spec.screens import Spice, Window

__all__ = [
    *("audio", "controller", "filesystem", "graphics", "hostdev", "input", "memballoon"),
    *("rng", "sound", "tpm", "video", "vsock", "watchdog"),
]

CARDS = {word: model for model, word in VIDEOS.items()}
USB_WORDS = {
    **{word: model for model, word in USB.items()},
    "usb2": "ehci",
    "usb3": "xhci",
    "ich9-ehci1": "ehci",
    "nec-xhci": "xhci",
}
SCSI_WORDS = {word: model for model, word in SCSI.items()}
PLAYERS = {word: back for back, word in AUDIO.items()}
OWNERS = {word: model for model, word in SECURITY.items()}


def kept(draft: Draft, given: Given, what: str) -> None:
    """Keep a whole option that no field stands for."""
    draft.keep_words(given.name, given.value or "")
    message = f"no field of the description stands for {what}; it stays as it is"
    draft.note(given.position, given.value or given.name, "kept", message)


def graphics(draft: Draft, given: Given) -> None:
    """Read ``--graphics``."""
    draft.said["graphics"] = given.position
    if given.value == "none":
        draft.silenced.add("graphics")
        return
    subs = Subs(draft, given, "type")
    kind = subs.filled("type") or "default"
    if kind == "default":
        kind = "spice"
        message = "the default is SPICE, where QEMU has it, else VNC"
        draft.note(given.position, "default", "default", message)
    if kind not in {"vnc", "spice", "sdl"}:
        if kind not in {"egl-headless", "rdp", "dbus", "desktop"}:
            draft.fail(given.at(0), f"a screen is vnc, spice, sdl or none; not {kind[:40]!r}")
        kept(draft, given, f"a screen by {kind}")
        return
    make = {"vnc": _vnc, "spice": _spice, "sdl": _sdl}[kind]
    subs.keep(draft.add("displays", make(draft, subs)))


def _where(draft: Draft, subs: Subs) -> tuple[str | None, str | None, bool]:
    """Return the address and the Unix socket, and whether libvirt chooses the socket."""
    listen = subs.filled("listen")
    kind = subs.filled("listens0.type", "listens.type")
    address = subs.filled("listens0.address", "listens.address")
    unix = subs.filled("listens0.socket", "listens.socket")
    if listen == "none" or kind == "none":
        message = "a screen that only libvirt's own client reaches has a private socket here"
        draft.note(subs.position, "listen=none", "changed", message)
        return None, None, True
    if (listen == "socket" or kind == "socket") and unix is None:
        return None, None, True
    return (address if listen is None else listen) if unix is None else None, unix, False


def _vnc(draft: Draft, subs: Subs) -> VNC:
    position = subs.position
    port = subs.number("port")
    listen, unix, private = _where(draft, subs)
    display = None if port is None or port == -1 or private else port - VNC_PORT
    if display is None and listen is None and unix is None and not private:
        listen = "127.0.0.1"
        message = "VNC listens on 127.0.0.1, at the first port from 5900 on that is free"
        draft.note(position, "vnc", "default", message)
    keymap = subs.filled("keymap")
    return draft.make(
        position,
        VNC,
        display=display,
        listen=listen,
        unix=unix,
        password=subs.filled("password", "passwd") or False,
        websocket=subs.number("websocket"),
        keymap=None if keymap in {"none", "local"} else keymap,
    )


def _spice(draft: Draft, subs: Subs) -> Spice:
    port, tls_port = subs.number("port"), subs.number("tlsPort", "tlsport")
    listen, unix, private = _where(draft, subs)
    if private:
        message = "a socket of libvirt's choice becomes a port of libvirt's choice"
        draft.note(subs.position, "listen=socket", "changed", message)
    return draft.make(
        subs.position,
        Spice,
        port=None if port == -1 else port,
        tls_port=None if tls_port == -1 else tls_port,
        listen=listen,
        unix=unix,
        password=subs.filled("password", "passwd"),
    )


def _sdl(draft: Draft, subs: Subs) -> Window:
    gl = subs.switch("gl.enable", "gl") or False
    return draft.make(subs.position, Window, toolkit="sdl", gl=gl)


def video(draft: Draft, given: Given) -> None:
    """Read ``--video``: a graphics card."""
    if given.value == "none":
        message = "the default card is added all the same; --video model.type=none has none"
        draft.note(given.position, "--video none", "ignored", message)
        return
    subs = Subs(draft, given, "model.type")
    model = subs.filled("model.type", "model") or "default"
    if model == "none":
        draft.silenced.add("video")
        return
    if model == "default":
        return
    if model not in CARDS:
        if model not in {"xen", "vbox", "gop", "parallels"}:
            draft.fail(given.at(0), f"a graphics card is {', '.join(CARDS)}; not {model[:40]!r}")
        kept(draft, given, f"a graphics card {model}")
        return
    where = given.position
    kib = subs.number("model.vram", "vram") if CARDS[model] in _MEMORY else None
    if kib is not None and kib % 1024:
        draft.fail(where, "a graphics card's memory is in KiB, whole MiB of them")
    part = draft.make(
        where,
        Video,
        CARDS[model],
        memory_mib=None if kib is None else kib >> 10,
        heads=subs.number("model.heads", "heads") or 1,
        accelerated=subs.switch("model.acceleration.accel3d", "accel3d") or False,
    )
    subs.keep(draft.add("videos", part))


_MEMORY = ("std", "qxl", "vmware", "bochs")


def controller(draft: Draft, given: Given) -> None:
    """Read ``--controller``: USB's and SCSI's; others are kept."""
    value = given.value or ""
    if value in {"usb2", "usb3"}:
        draft.fields["usb"] = USB_WORDS[value]
        return
    subs = Subs(draft, given, "type")
    kind, model = subs.filled("type"), subs.filled("model")
    index = subs.number("index")
    left = subs.rest()
    if kind == "usb" and model == "none":
        draft.silenced.add("usb")
    if kind == "usb" and model in USB_WORDS and not left and not index:
        draft.fields["usb"] = USB_WORDS[model]
    elif kind == "scsi" and model in SCSI_WORDS and not left and not index:
        draft.fields["scsi"] = SCSI_WORDS[model]
    else:
        if not (kind == "usb" and model == "none") and elements.read(draft, given):
            draft.note(given.position, value, "kept", "no field stands for it; it stays as it is")
            return
        kept(draft, given, f"a controller {kind or ''}".rstrip())


def input(draft: Draft, given: Given) -> None:
    """Read ``--input``."""
    if given.value == "none":
        draft.note(given.position, "--input none", "ignored", "a tablet is added all the same")
        return
    subs = Subs(draft, given, "type")
    kind, bus = subs.filled("type") or "mouse", subs.filled("bus")
    draft.said["input"] = given.position
    if bus == "ps2" or (bus is None and kind != "tablet"):
        draft.note(given.position, given.value or "", "ignored", "the board has one for PS/2")
        return
    if kind not in {"tablet", "mouse", "keyboard"}:
        kept(draft, given, f"an input device {kind}")
        return
    subs.keep(draft.add("inputs", draft.make(given.position, Input, kind, bus or "usb")))


def sound(draft: Draft, given: Given) -> None:
    """Read ``--sound``, with or without a model; ``--soundhw`` is its old name."""
    if given.name == "--soundhw":
        draft.note(given.position, "--soundhw", "old", "today it is --sound")
    if given.value == "none":
        draft.silenced.add("sound")
        return
    subs = Subs(draft, given, "model", option="sound")
    model, player = subs.filled("model"), subs.filled("audio.id")
    draft.sounds.append((given.position, None if model == "default" else model, player))
    subs.keep(f"sounds[{len(draft.sounds) - 1}]")


def audio(draft: Draft, given: Given) -> None:
    """Read ``--audio``: what plays the sound."""
    if given.value == "none":
        return
    subs = Subs(draft, given)
    kind, id = subs.filled("type") or "none", subs.filled("id") or "1"
    if kind not in PLAYERS:
        draft.fail(given.position, f"sound is played by {', '.join(PLAYERS)}; not {kind[:40]!r}")
    draft.audio[id] = PLAYERS[kind]
    subs.keep_option()


def watchdog(draft: Draft, given: Given) -> None:
    """Read ``--watchdog``."""
    if given.value == "none":
        return
    subs = Subs(draft, given, "model")
    said = {"model": subs.filled("model"), "action": subs.filled("action")}
    fields = {key: word for key, word in said.items() if word not in {None, "default"}}
    draft.fields["watchdog"] = draft.make(given.position, Watchdog, **fields)
    subs.keep("watchdog")


def memballoon(draft: Draft, given: Given) -> None:
    """Read ``--memballoon``."""
    subs = Subs(draft, given, "model")
    model = subs.filled("model") or "virtio"
    draft.said["memballoon"] = given.position
    if model == "none":
        draft.fields["balloon"] = None
        return
    draft.fields["balloon"] = draft.make(
        given.position,
        Balloon,
        stats_s=subs.number("stats.period") or 0,
        deflate_on_oom=subs.switch("autodeflate") or False,
        free_page_reporting=subs.switch("freePageReporting") or False,
    )
    subs.keep("balloon")


def rng(draft: Draft, given: Given) -> None:
    """Read ``--rng``."""
    draft.said["rng"] = given.position
    if given.value == "none":
        draft.fields["rng"] = None
        return
    subs = Subs(draft, given, "backend.model")
    kind = subs.filled("backend.model", "type") or "random"
    device = subs.filled("device", "backend")
    if kind.startswith("/"):
        kind, device = "random", kind
    if kind not in {"random", "builtin"}:
        kept(draft, given, f"entropy from {kind}")
        return
    source = "builtin" if kind == "builtin" else device or "/dev/urandom"
    most, period = (
        subs.number("rate.bytes", "rate_bytes"),
        subs.number("rate.period", "rate_period"),
    )
    if most is not None and period is None:
        period = 1000
        message = "a rate without a period is per second (libvirt, RNG)"
        draft.note(given.position, f"rate.bytes={most}", "default", message)
    fields = {"source": source, "max_bytes": most, "period_ms": period}
    draft.fields["rng"] = draft.make(given.position, RNG, **fields)
    subs.keep("rng")


def tpm(draft: Draft, given: Given) -> None:
    """Read ``--tpm``."""
    draft.said["tpm"] = given.position
    if given.value == "none":
        return
    subs = Subs(draft, given, "type", option="tpm")
    kind = subs.filled("type", "backend.type") or "default"
    device = subs.filled("backend.device.path", "path")
    if kind.startswith("/"):
        kind, device = "passthrough", kind
    model, version = subs.filled("model"), subs.filled("backend.version", "version")
    emulated = kind in {"emulator", "default"} and device is None
    if model is None:
        model = "tpm-crb" if emulated and version != "1.2" else "tpm-tis"
        draft.note(given.position, given.value or "", "default", f"a TPM without a model: {model}")
    fields: dict[str, Any] = {"model": model.removeprefix("tpm-")}
    if emulated:
        fields["version"] = version or "2.0"
    elif kind in {"passthrough", "default"}:
        fields["device"] = device or "/dev/tpm0"
    else:
        kept(draft, given, f"a TPM by {kind}")
        return
    draft.fields["tpm"] = draft.make(given.position, TPM, **fields)
    subs.keep("tpm")


def filesystem(draft: Draft, given: Given) -> None:
    """Read ``--filesystem``: a folder of the host that the guest mounts."""
    subs = Subs(draft, given, "source", "target")
    source, tag = subs.filled("source", "source.dir"), subs.filled("target", "target.dir")
    driver = subs.filled("driver.type")
    kind = subs.filled("type") or "mount"
    if kind != "mount" or source is None:
        kept(draft, given, "such a file system")
        return
    mode = subs.filled("accessmode", "mode")
    virtiofs = driver == "virtiofs"
    fields: dict[str, Any] = {"kind": "virtiofs" if virtiofs else "9p"}
    if not virtiofs:
        if mode is None:
            message = "the guest's files belong to who runs QEMU: accessmode=mapped"
            draft.note(given.position, source[:40], "default", message)
        if mode not in {None, *OWNERS}:
            draft.fail(given.position, "accessmode is mapped, passthrough or squash")
        fields["security"] = OWNERS[mode or "mapped"]
        fields["readonly"] = subs.switch("readonly") or False
    part = draft.make(given.position, Share, source=source, tag=tag or "", **fields)
    subs.keep(draft.add("shares", part))


def vsock(draft: Draft, given: Given) -> None:
    """Read ``--vsock``."""
    if given.value == "none":
        return
    subs = Subs(draft, given, "model")
    subs.filled("model")
    subs.switch("cid.auto", "auto_cid")
    cid = subs.number("cid.address", "cid")
    draft.fields["vsock"] = draft.make(given.position, Vsock, cid)
    subs.keep("vsock")


_PCI = re.compile(r"(?:([0-9A-Fa-f]{1,4}):)?([0-9A-Fa-f]{1,2}):([0-9A-Fa-f]{1,2})\.([0-7])")
_NODE = re.compile(r"pci_([0-9A-Fa-f]{4})_([0-9A-Fa-f]{2})_([0-9A-Fa-f]{2})_([0-7])")
_USB_ID = re.compile(r"(?:0x)?([0-9A-Fa-f]{1,4}):(?:0x)?([0-9A-Fa-f]{1,4})")
_USB_PLACE = re.compile(r"0*(\d{1,3})\.0*(\d{1,3})", re.ASCII)
_MDEV = re.compile(r"mdev_([0-9A-Fa-f]{8}(?:_[0-9A-Fa-f]{4}){3}_[0-9A-Fa-f]{12})(?:_\w{1,40})?")


def hostdev(draft: Draft, given: Given) -> None:
    """Read ``--hostdev``: by its place, its identifiers, or libvirt's name for it."""
    if given.value == "none":
        return
    subs = Subs(draft, given, "name", option="hostdev")
    name, where = subs.filled("name") or "", given.position
    part: HostPCI | HostUSB | Mediated
    if found := (_PCI.fullmatch(name) or _NODE.fullmatch(name)):
        domain, bus, slot, function = found.groups()
        address = f"{domain or 0:0>4}:{bus:0>2}:{slot:0>2}.{function}"
        part = draft.make(where, HostPCI, address=address)
    elif found := _USB_ID.fullmatch(name):
        vendor, product = int(found[1], 16), int(found[2], 16)
        part = draft.make(where, HostUSB, vendor=vendor, product=product)
    elif found := _USB_PLACE.fullmatch(name):
        part = draft.make(where, HostUSB, bus=int(found[1]), device=int(found[2]))
    elif found := _MDEV.fullmatch(name):
        part = draft.make(where, Mediated, uuid=found[1].replace("_", "-"))
    else:
        kept(draft, given, f"a host device {name[:40]}")
        return
    subs.keep(draft.add("hostdevs", part))
