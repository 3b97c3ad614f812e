"""Devices that only some guests have: input, sound, watchdog, TPM, shares, passthrough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.netbacks import pci
from kvmnb.spec.value import Value

__all__ = [
    *("Input", "Sound", "Watchdog", "TPM", "Share", "Vsock"),
    *("HostPCI", "HostUSB", "Mediated", "HostDevice"),
]

SOUND_MODELS = ("ac97", "es1370", "sb16", "ich6", "ich9", "usb", "virtio", "pcspk")
AUDIO_BACKS = ("none", "alsa", "oss", "pa", "pipewire", "jack", "sdl", "spice", "dbus")
WATCHDOG_MODELS = ("i6300esb", "ib700")
WATCHDOG_ACTIONS = ("reset", "shutdown", "poweroff", "pause", "none", "dump", "inject-nmi")
SECURITY_MODELS = ("mapped-xattr", "mapped-file", "passthrough", "none")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Input(Value):
    """A tablet, mouse or keyboard.

    Parameters
    ----------
    kind : a ``tablet`` tells where the pointer is, a ``mouse`` how it moved
    bus : ``usb`` or ``virtio``; the board has PS/2 ones of its own
    """

    kind: Literal["tablet", "mouse", "keyboard"] = "tablet"
    bus: Literal["usb", "virtio"] = "usb"

    def __post_init__(self) -> None:
        validate.choice("input", self.kind, ("tablet", "mouse", "keyboard"))
        validate.choice("input.bus", self.bus, ("usb", "virtio"))


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Sound(Value):
    """A sound card, and what plays its sound.

    Parameters
    ----------
    model : ``ac97 es1370 sb16 ich6 ich9 usb virtio pcspk``; ``ich6`` was ``-soundhw hda``
    back : ``none alsa oss pa pipewire jack sdl spice dbus`` (QEMU manual, -audiodev)
    """

    model: str = "ich9"
    back: str = "none"

    def __post_init__(self) -> None:
        validate.choice("sound.model", self.model, SOUND_MODELS)
        validate.choice("sound.back", self.back, AUDIO_BACKS)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Watchdog(Value):
    """A watchdog, and what happens when the guest lets it bark.

    Parameters
    ----------
    model : ``i6300esb`` on PCI, or ``ib700`` on ISA
    action : ``reset shutdown poweroff pause none dump inject-nmi``
    """

    model: str = "i6300esb"
    action: str = "reset"

    def __post_init__(self) -> None:
        validate.choice("watchdog.model", self.model, WATCHDOG_MODELS)
        validate.choice("watchdog.action", self.action, WATCHDOG_ACTIONS)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class TPM(Value):
    """A trusted platform module.

    Parameters
    ----------
    model : its front: ``tis`` or ``crb``
    version : ``"1.2"`` or ``"2.0"``, of an emulated one
    socket : of an emulator that runs already; ``None`` lets the engine start ``swtpm``
    device : the host's own, such as ``/dev/tpm0``, in place of an emulator
    """

    model: Literal["tis", "crb"] = "tis"
    version: Literal["1.2", "2.0"] = "2.0"
    socket: str | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        validate.choice("tpm.model", self.model, ("tis", "crb"))
        validate.choice("tpm.version", self.version, ("1.2", "2.0"))
        validate.optional(validate.path, "tpm.socket", self.socket)
        validate.optional(validate.path, "tpm.device", self.device)
        if self.socket is not None and self.device is not None:
            raise SpecError("tpm.device", self.device, "a TPM is emulated or the host's, not both")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Share(Value):
    """A folder of the host that the guest mounts.

    Parameters
    ----------
    source : the folder
    tag : what the guest mounts it by
    kind : ``9p``, which QEMU serves itself, or ``virtiofs``, which a process of its own serves
    readonly : the guest cannot write to it
    security : whose the guest's files are on the host, for 9p (QEMU manual, -virtfs):
        ``mapped-xattr mapped-file passthrough none``
    socket : of a virtiofsd that runs already; ``None`` lets the engine start one
    """

    source: str
    tag: str
    kind: Literal["9p", "virtiofs"] = "9p"
    readonly: bool = False
    security: str = "mapped-xattr"
    socket: str | None = None

    def __post_init__(self) -> None:
        validate.path("share", self.source)
        if not validate.text("share.tag", self.tag) or len(self.tag) > 31:
            raise SpecError("share.tag", self.tag, "a tag has 1 to 31 characters")
        validate.choice("share.kind", self.kind, ("9p", "virtiofs"))
        validate.switch("share.readonly", self.readonly)
        validate.choice("share.security", self.security, SECURITY_MODELS)
        validate.optional(validate.path, "share.socket", self.socket)
        if self.kind == "9p" and self.socket is not None:
            raise SpecError("share.socket", self.socket, "QEMU serves 9p itself")
        if self.kind == "virtiofs" and self.security != "mapped-xattr":
            raise SpecError("share.security", self.security, "is 9p's; virtiofs has none")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Vsock(Value):
    """A socket between host and guest that needs no network.

    Parameters
    ----------
    cid : the guest's address, from 3; ``None`` for one that is free
    """

    cid: int | None = None

    def __post_init__(self) -> None:
        if self.cid is not None:
            validate.number("vsock.cid", self.cid, 3, (1 << 32) - 2)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class HostPCI(Value):
    """A PCI device of the host, given to the guest whole.

    Parameters
    ----------
    address : on the host's bus, such as ``"0000:01:00.0"``
    managed : libvirt takes it from its driver and gives it back
    """

    address: str
    managed: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", pci("hostdev", self.address))
        validate.switch("hostdev.managed", self.managed)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class HostUSB(Value):
    """A USB device of the host, found by what it is or by where it is plugged in.

    Parameters
    ----------
    vendor, product : its two identifiers, each 0 to 0xffff
    bus, device : its numbers in ``lsusb``, in place of them
    """

    vendor: int | None = None
    product: int | None = None
    bus: int | None = None
    device: int | None = None

    def __post_init__(self) -> None:
        named = (self.vendor is not None, self.product is not None)
        placed = (self.bus is not None, self.device is not None)
        if named == (True, True) and placed == (False, False):
            validate.number("hostdev.vendor", self.vendor, 0, 0xFFFF)
            validate.number("hostdev.product", self.product, 0, 0xFFFF)
        elif named == (False, False) and placed == (True, True):
            validate.positive("hostdev.bus", self.bus, 255)
            validate.positive("hostdev.device", self.device, 255)
        else:
            raise SpecError("hostdev", self, "either vendor and product, or bus and device")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Mediated(Value):
    """A mediated device: a share of a host's GPU, say.

    Parameters
    ----------
    uuid : under which the host made it
    """

    uuid: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "uuid", validate.uuid("hostdev.uuid", self.uuid))


HostDevice = HostPCI | HostUSB | Mediated
