"""Screens, sound and all the smaller devices as options of virt-install."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from kvmnb.compile.libvirt_screens import usual_sound
from kvmnb.compile.libvirt_words import AUDIO, SCSI, SECURITY, USB, VIDEOS
from kvmnb.compile.piece import Piece
from kvmnb.compile.virt_install_words import Pairs, differing, joined, option, refused, removed
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC, VNC_PORT, Video
from kvmnb.spec.peripherals import TPM, HostDevice, HostPCI, HostUSB, Mediated, Share
from kvmnb.spec.screens import Spice, Window

if TYPE_CHECKING:
    from kvmnb.spec.graphics import Display

__all__ = ["NO_ADDRESSES", "devices", "screens"]

NO_ADDRESSES = ("socket", "none")
"""What ``listen=`` takes in place of an address (virt-install's manual, "--graphics")."""


def screens(spec: DomainSpec, more: dict[str, list[str]]) -> Iterator[Piece]:
    """Yield the options for displays and graphics cards, and those against unasked ones."""
    for index, display in enumerate(spec.displays):
        field = f"displays[{index}]"
        text = ",".join([_display(display, field), *more.get(field, ())])
        yield option(field, "--graphics", text)
    if not spec.displays:
        yield option("displays", "--graphics", "none")
    elif not spec.videos:
        yield option("videos", "--video", "model.type=none")
    for index, video in enumerate(spec.videos):
        field = f"videos[{index}]"
        yield option(field, "--video", ",".join([_video(video), *more.get(field, ())]))


def _display(display: Display, field: str) -> str:
    match display:
        case VNC():
            return _vnc(display, field)
        case Spice():
            if display.listen in NO_ADDRESSES:
                refused(f"{field}.listen", "virt-install takes it for a word of its own")
            for name in ("port", "tls_port"):
                if (getattr(display, name) or VNC_PORT) < VNC_PORT:
                    refused(f"{field}.{name}", f"virt-install takes ports from {VNC_PORT} on")
            unix = display.unix is not None
            return joined(
                "spice",
                (
                    ("port", display.port),
                    ("tlsPort", display.tls_port),
                    ("listen", display.listen),
                    ("listens0.type", "socket" if unix else None),
                    ("listens0.socket", display.unix),
                    ("password", display.password),
                ),
            )
        case Window():
            if display.toolkit != "sdl":
                refused(f"{field}.toolkit", "libvirt's windows are SDL's")
            if display.fullscreen:
                refused(f"{field}.fullscreen", "virt-install has no option for it; libvirt has")
            return joined("sdl", (("gl.enable", display.gl or None),))
        case _:
            assert_never(display)


def _vnc(display: VNC, field: str) -> str:
    if display.password is True:
        hint = "libvirt takes the password itself: give it, or virsh qemu-monitor-command"
        refused(f"{field}.password", hint)
    if display.listen in NO_ADDRESSES:
        refused(f"{field}.listen", f"virt-install takes {display.listen!r} for a word of its own")
    unix = display.unix is not None
    return joined(
        "vnc",
        (
            ("port", None if display.display is None else VNC_PORT + display.display),
            ("listen", "socket" if display.private else display.listen),
            ("listens0.type", "socket" if unix else None),
            ("listens0.socket", display.unix),
            ("password", display.password or None),
            ("websocket", display.websocket),
            ("keymap", display.keymap),
        ),
    )


def _video(video: Video) -> str:
    kib = None if video.memory_mib is None else video.memory_mib << 10
    return joined(
        None,
        (
            ("model.type", VIDEOS[video.model]),
            ("model.vram", kib),
            ("model.heads", video.heads if video.heads > 1 else None),
            ("model.acceleration.accel3d", video.accelerated or None),
        ),
    )


def devices(
    spec: DomainSpec, more: dict[str, list[str]], extras: frozenset[str]
) -> Iterator[Piece]:
    """Yield the options for all other devices, and those against unasked ones.

    `extras` are elements that stand in the guest besides.
    """
    if "redirdev" not in extras and any(isinstance(each, Spice) for each in spec.displays):
        yield option("displays", "--redirdev", "none")
    for piece in (*_controllers(spec), *_inputs(spec), *_sounds(spec), *_virtio(spec)):
        further = more.get(piece.field)
        if further and piece.words[0] != "--xml":
            piece = Piece(piece.field, "", (piece.words[0], ",".join([piece.words[1], *further])))
        yield piece


def _controllers(spec: DomainSpec) -> Iterator[Piece]:
    if spec.usb is not None:
        yield option("usb", "--controller", f"type=usb,model={USB[spec.usb]}")
    buses = {disk.bus for disk in spec.disks} | {cdrom.bus for cdrom in spec.cdroms}
    if "scsi" in buses or spec.scsi != "virtio":
        yield option("scsi", "--controller", f"type=scsi,model={SCSI[spec.scsi]}")


def _inputs(spec: DomainSpec) -> Iterator[Piece]:
    for index, input in enumerate(spec.inputs):
        yield option(f"inputs[{index}]", "--input", f"type={input.kind},bus={input.bus}")
    if spec.displays and not spec.inputs:
        yield removed("inputs", "./devices/input")


def _sounds(spec: DomainSpec) -> Iterator[Piece]:
    usual = usual_sound(spec.displays)
    backs = list(dict.fromkeys(sound.back for sound in spec.sounds))
    tell = backs not in ([], [usual])
    for index, sound in enumerate(spec.sounds):
        if sound.model == "virtio":
            refused(f"sounds[{index}].model", "libvirt 9.0 has no virtio sound card; use ich9")
        if sound.back not in AUDIO:
            refused(f"sounds[{index}].back", f"libvirt plays no sound through {sound.back}")
    for index, sound in enumerate(spec.sounds):
        id = backs.index(sound.back) + 1 if tell else None
        text = joined(None, (("model", sound.model), ("audio.id", id)))
        yield option(f"sounds[{index}]", "--sound", text)
    for number, back in enumerate(backs if tell else (), 1):
        yield option("sounds", "--audio", f"id={number},type={AUDIO[back]}")
    if any(isinstance(each, Spice) for each in spec.displays) and not spec.sounds:
        yield option("sounds", "--sound", "none")


def _virtio(spec: DomainSpec) -> Iterator[Piece]:
    if spec.watchdog is not None:
        watchdog = spec.watchdog
        yield option("watchdog", "--watchdog", f"model={watchdog.model},action={watchdog.action}")
    balloon: Pairs = ()
    if spec.balloon is not None:
        balloon = (
            ("stats.period", spec.balloon.stats_s or None),
            ("autodeflate", spec.balloon.deflate_on_oom or None),
            ("freePageReporting", spec.balloon.free_page_reporting or None),
        )
    model = "none" if spec.balloon is None else "virtio"
    yield option("balloon", "--memballoon", joined(None, (("model", model), *balloon)))
    yield _rng(spec)
    if spec.tpm is not None:
        yield option("tpm", "--tpm", _tpm(spec.tpm))
    elif spec.firmware is not None and spec.firmware.kind == "uefi":
        yield option("tpm", "--tpm", "none")
    for index, share in enumerate(spec.shares):
        field = f"shares[{index}]"
        yield option(field, "--filesystem", _share(share, field))
    if spec.vsock is not None:
        cid = spec.vsock.cid
        yield option("vsock", "--vsock", "cid.auto=on" if cid is None else f"cid.address={cid}")
    for index, device in enumerate(spec.hostdevs):
        field = f"hostdevs[{index}]"
        yield option(field, "--hostdev", _hostdev(device, field))


def _rng(spec: DomainSpec) -> Piece:
    if spec.rng is None:
        return option("rng", "--rng", "none")
    builtin = spec.rng.source == "builtin"
    pairs: Pairs = (
        ("type", "builtin" if builtin else "random"),
        ("device", None if builtin else spec.rng.source),
        ("rate.bytes", spec.rng.max_bytes),
        ("rate.period", spec.rng.period_ms),
    )
    return option("rng", "--rng", joined(None, pairs))


def _tpm(tpm: TPM) -> str:
    if tpm.socket is not None:
        refused("tpm.socket", "virt-install has no option for it; libvirt has: type='external'")
    if tpm.device is not None:
        differing("tpm", tpm, {"version": "2.0"}, "the host's own TPM has its version")
        return joined(
            None,
            (
                ("model", f"tpm-{tpm.model}"),
                ("backend.type", "passthrough"),
                ("backend.device.path", tpm.device),
            ),
        )
    return f"model=tpm-{tpm.model},backend.type=emulator,backend.version={tpm.version}"


def _share(share: Share, field: str) -> str:
    pairs: Pairs = (("source", share.source), ("target", share.tag))
    if share.kind == "virtiofs":
        hint = "virt-install has no option for it; libvirt has"
        differing(field, share, {"socket": None}, hint)
        differing(field, share, {"readonly": False}, "libvirt's virtiofs has no such thing")
        more: Pairs = (("driver.type", "virtiofs"), ("accessmode", "passthrough"))
        return joined(None, (*pairs, *more))
    if share.security not in SECURITY:
        refused(f"{field}.security", "libvirt has mapped-xattr, passthrough and none")
    mode = SECURITY[share.security]
    return joined(None, (*pairs, ("accessmode", mode), ("readonly", share.readonly or None)))


def _hostdev(device: HostDevice, field: str) -> str:
    match device:
        case HostPCI():
            differing(field, device, {"managed": True}, "virt-install always lets libvirt do it")
            return device.address
        case HostUSB():
            if device.vendor is not None:
                return f"0x{device.vendor:04x}:0x{device.product:04x}"
            return f"{device.bus}.{device.device}"
        case Mediated():
            return "mdev_" + device.uuid.replace("-", "_")
        case _:
            assert_never(device)
