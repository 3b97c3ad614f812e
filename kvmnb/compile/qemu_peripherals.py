"""Devices that only some guests have: input, sound, watchdog, TPM, shares, passthrough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.piece import Piece
from kvmnb.compile.qemu_layout import Layout
from kvmnb.compile.runtime import Runtime
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.peripherals import (
    TPM,
    HostDevice,
    HostPCI,
    HostUSB,
    Input,
    Mediated,
    Share,
    Sound,
    Watchdog,
)

__all__ = ["helpers", "peripherals", "vsock_cid"]

_INPUTS = {
    ("usb", "tablet"): "usb-tablet",
    ("usb", "mouse"): "usb-mouse",
    ("usb", "keyboard"): "usb-kbd",
    ("virtio", "tablet"): "virtio-tablet-pci",
    ("virtio", "mouse"): "virtio-mouse-pci",
    ("virtio", "keyboard"): "virtio-keyboard-pci",
}

_SOUNDS = {
    "ac97": "AC97",
    "es1370": "ES1370",
    "sb16": "sb16",
    "ich6": "intel-hda",
    "ich9": "ich9-intel-hda",
    "usb": "usb-audio",
    "virtio": "virtio-sound-pci",
}

_ON_USB: dict[str, Value] = {"bus": "usb-bus.0"}


def peripherals(spec: DomainSpec, layout: Layout) -> Iterator[Piece]:
    """Yield the options for all devices of these kinds, kind by kind."""
    if spec.usb is not None:
        yield from layout.usb()
    for index, each in enumerate(spec.inputs):
        yield from _input(each, index, layout)
    for index, sound in enumerate(spec.sounds):
        yield from _sound(sound, index, layout)
    if spec.watchdog is not None:
        yield from _watchdog(spec.watchdog, layout)
    if spec.tpm is not None:
        yield from _tpm(spec.tpm, layout)
    for index, share in enumerate(spec.shares):
        yield from _share(share, index, layout)
    if spec.vsock is not None:
        cid: dict[str, Value] = {"guest-cid": vsock_cid(spec.vsock.cid, layout.runtime)}
        yield layout.device("vsock", "vhost-vsock-pci", cid, id="vsock0")
    for index, device in enumerate(spec.hostdevs):
        yield from _host_device(device, index, layout)


def vsock_cid(cid: int | None, runtime: Runtime) -> int:
    """Return a vsock's address; one that was left open is made from the guest's own UUID.

    The addresses up to 2 and the last are taken (Linux, ``VMADDR_CID_*``).
    """
    return 3 + int(runtime.uuid[:8], 16) % ((1 << 32) - 4) if cid is None else cid


def helpers(spec: DomainSpec, runtime: Runtime) -> tuple[tuple[str, ...], ...]:
    """Return the programs that the engine runs beside QEMU, and before it, as argument lists.

    An emulated TPM (``swtpm``) keeps its state in the run folder; a virtio-fs share is served by
    ``virtiofsd``. Each listens at the socket that the argument list of QEMU names.
    """
    found = []
    tpm = spec.tpm
    if tpm is not None and tpm.socket is None and tpm.device is None:
        kind = ("--tpm2",) if tpm.version == "2.0" else ()
        state = f"dir={runtime.run_dir}"
        control = f"type=unixio,path={runtime.socket(_tpm_name(tpm))}"
        found.append(("swtpm", "socket", *kind, "--tpmstate", state, "--ctrl", control))
    for index, share in enumerate(spec.shares):
        if share.kind == "virtiofs" and share.socket is None:
            socket = runtime.socket(f"share{index}")
            found.append(("virtiofsd", f"--socket-path={socket}", f"--shared-dir={share.source}"))
    return tuple(found)


def _input(given: Input, index: int, layout: Layout) -> Iterator[Piece]:
    more: dict[str, Value] = {}
    if given.bus == "usb":
        yield from layout.usb()
        more = _ON_USB
    device = _INPUTS[given.bus, given.kind]
    yield layout.device(f"inputs[{index}]", device, more, id=f"input{index}")


def _sound(sound: Sound, index: int, layout: Layout) -> Iterator[Piece]:
    id, field = f"sound{index}", f"sounds[{index}]"
    known = layout.runtime.audiodevs
    if known is not None and sound.back not in known:
        hint = f"this QEMU has no -audiodev {sound.back}; it has " + ", ".join(sorted(known))
        raise Unsupported("qemu", f"{field}.back={sound.back!r}", hint)
    if sound.back == "spice" and not layout.has_spice():
        raise Unsupported("qemu", f"{field}.back='spice'", "it needs a Spice display")
    yield Piece(field, "back", ("-audiodev", str(Opts(sound.back, id=id))))
    if sound.model == "pcspk":
        if not layout.pci:
            hint = f"the speaker of {layout.spec.machine!r} plays nothing"
            raise Unsupported("qemu", f"{field}.model", hint)
        return  # the board's own speaker, which -machine has pointed at it
    if sound.model in {"ich6", "ich9"}:
        yield layout.device(field, _SOUNDS[sound.model], id=id)
        codec: dict[str, Value] = {"bus": f"{id}.0", "audiodev": id}
        yield layout.device(field, "hda-duplex", codec, id=f"{id}-codec")
        return
    more: dict[str, Value] = {}
    if sound.model == "usb":
        yield from layout.usb()
        more = _ON_USB
    yield layout.device(field, _SOUNDS[sound.model], more, id=id, audiodev=id)


def _watchdog(watchdog: Watchdog, layout: Layout) -> Iterator[Piece]:
    if watchdog.action == "dump":
        raise Unsupported("qemu", "watchdog.action='dump'", "libvirt writes the dump; use pause")
    yield layout.device("watchdog", watchdog.model, id="watchdog0")
    yield Piece("watchdog", "", ("-action", f"watchdog={watchdog.action}"))


def _tpm_name(tpm: TPM) -> str:
    return "tpm" if tpm.version == "2.0" else "tpm-1.2"


def _tpm(tpm: TPM, layout: Layout) -> Iterator[Piece]:
    if tpm.version == "1.2":
        if tpm.model == "crb":
            raise SpecError("tpm.version", "1.2", "a TPM 1.2 has no CRB interface; model='tis'")
        if tpm.socket is not None or tpm.device is not None:
            raise Unsupported("qemu", "tpm.version", "what is there already has its own version")
    if tpm.device is not None:
        back = Opts("passthrough", id="tpm0", path=tpm.device)
    else:
        path = tpm.socket or layout.runtime.socket(_tpm_name(tpm))
        yield Piece("tpm", "back", ("-chardev", str(Opts("socket", id="tpm0", path=path))))
        back = Opts("emulator", id="tpm0", chardev="tpm0")
    yield Piece("tpm", "back", ("-tpmdev", str(back)))
    yield layout.device("tpm", f"tpm-{tpm.model}", id="tpm0", tpmdev="tpm0")


def _share(share: Share, index: int, layout: Layout) -> Iterator[Piece]:
    id, field = f"share{index}", f"shares[{index}]"
    if share.kind == "9p":
        more: dict[str, Value] = {
            "security_model": share.security,
            "readonly": share.readonly or None,
        }
        yield Piece(field, "back", ("-fsdev", str(Opts("local", more, id=id, path=share.source))))
        yield layout.device(field, "virtio-9p-pci", id=id, fsdev=id, mount_tag=share.tag)
        return
    if share.readonly:
        hint = "its server decides: virtiofsd --readonly; or kind='9p'"
        raise Unsupported("qemu", f"{field}.readonly", hint)
    if not layout.spec.memory.shared:
        reason = "virtiofsd maps the guest's memory: mem(…, source='memfd', shared=True)"
        raise SpecError(f"{field}.kind", "virtiofs", reason)
    path = share.socket or layout.runtime.socket(id)
    yield Piece(field, "back", ("-chardev", str(Opts("socket", id=id, path=path))))
    yield layout.device(field, "vhost-user-fs-pci", id=id, chardev=id, tag=share.tag)


def _host_device(device: HostDevice, index: int, layout: Layout) -> Iterator[Piece]:
    id, field = f"hostdev{index}", f"hostdevs[{index}]"
    match device:
        case HostPCI():
            if not device.managed:
                hint = "QEMU takes no device from its driver; bind it to vfio-pci, leave this out"
                raise Unsupported("qemu", f"{field}.managed", hint)
            yield layout.device(field, "vfio-pci", id=id, host=device.address)
        case HostUSB():
            yield from layout.usb()
            more: dict[str, Value] = {
                **_ON_USB,
                "vendorid": None if device.vendor is None else f"0x{device.vendor:04x}",
                "productid": None if device.product is None else f"0x{device.product:04x}",
                "hostbus": device.bus,
                "hostaddr": device.device,
            }
            yield layout.device(field, "usb-host", more, id=id)
        case Mediated():
            path = f"/sys/bus/mdev/devices/{device.uuid}"
            yield layout.device(field, "vfio-pci", id=id, sysfsdev=path)
        case _:
            assert_never(device)
