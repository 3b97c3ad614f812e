"""Where a guest's devices go: boards, buses, controllers that several parts share, and ids.

Ids are stable, since the monitor, other layers and people use them: ``disk0 cd0 floppy0 net0
serial0 parallel0 console0 channel0 agent0 balloon0 rng0 vmgenid0 video0 input0 sound0 watchdog0
tpm0 share0 vsock0 hostdev0``, counted by kind in the order of the spec. A back half has the id of
its front. Controllers are ``sata-bus scsi-bus usb-bus sd-bus virtio-serial0 fdc0``; what stands
between a controller and a device has the device's id and a word: ``disk0-usb``, ``sound0-codec``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.piece import Half, Piece
from kvmnb.compile.runtime import Runtime
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.domain import DomainSpec

__all__ = ["PCI_PLACES", "Layout", "laid_out", "private_socket"]

_BOARD = re.compile(r"pc|q35|pc-(i440fx|q35)-[A-Za-z0-9._-]+", re.ASCII)
_BARE_BOARDS = ("microvm", "isapc", "none")

PCI_PLACES = 30
"""Devices on the first bus of ``pc`` and ``q35``: 32 less the host bridge and the south bridge."""

_NOT_ON_PCI = frozenset(
    {
        *("isa-vga", "isa-cirrus-vga"),
        *("isa-serial", "isa-parallel", "isa-fdc", "ne2k_isa", "sb16", "ib700"),
        *("tpm-tis", "tpm-crb", "vmgenid", "ramfb", "floppy", "sd-card", "hda-duplex"),
        *("virtserialport", "virtconsole", "ide-hd", "ide-cd", "scsi-hd", "scsi-cd"),
        *("usb-bot", "usb-serial", "usb-tablet", "usb-mouse", "usb-kbd", "usb-audio", "usb-host"),
    }
)
"""The devices used here that have a bus of their own, or none."""

_ON_NO_BOARD_BUT_PC = frozenset({"vmgenid", "ramfb", "tpm-tis", "tpm-crb"})

_NEED_FULL_SPEED = frozenset({"usb-serial", "usb-audio"})
"""USB 1.1 devices, which an EHCI controller alone cannot talk to (QEMU docs/usb2.txt)."""

_USB = {
    "xhci": "qemu-xhci",
    "ehci": "usb-ehci",
    "uhci": "piix4-usb-uhci",
    "piix3-uhci": "piix3-usb-uhci",
}


def laid_out(machine: str) -> bool:
    """Return whether the compiler knows where devices go on this board."""
    return machine in _BARE_BOARDS or _BOARD.fullmatch(machine) is not None


class Layout:
    """The board of one guest, and what is on it so far.

    Parameters
    ----------
    spec, runtime : the guest

    Attributes
    ----------
    q35 : the board has PCI Express and SATA; else, with `pci`, it has PCI and IDE
    pci : it has a PCI bus at all

    Raises
    ------
    Unsupported   the board is not one of those that the compiler knows
    """

    __slots__ = ("_controllers", "_ids", "_on_pci", "_turns", "pci", "q35", "runtime", "spec")

    def __init__(self, spec: DomainSpec, runtime: Runtime) -> None:
        if not laid_out(spec.machine):
            hint = "devices are laid out for pc and q35 boards, microvm, isapc and none only"
            raise Unsupported("qemu", f"machine={spec.machine!r}", hint)
        self.spec, self.runtime = spec, runtime
        self.q35 = "q35" in spec.machine
        self.pci = spec.machine not in _BARE_BOARDS
        self._ids: set[str] = set()
        self._controllers: set[str] = set()
        self._turns: set[Value] = set()
        self._on_pci = 0

    def device(
        self,
        field: str,
        device: str,
        more: Mapping[str, Value] | None = None,
        /,
        **keys: Value,
    ) -> Piece:
        """Return one ``-device``; each has an ``id``.

        Raises
        ------
        Unsupported   this QEMU, or this board, has no such device
        SpecError     its id, or its turn to boot, is taken
        """
        if not self.pci:
            device = self._without_pci(field, device)
        elif device not in _NOT_ON_PCI:
            self._on_pci += 1
        if device not in self.runtime.devices:
            hint = f"QEMU {'.'.join(map(str, self.runtime.version))} has no such device"
            raise Unsupported("qemu", f"device {device!r}", hint)
        if device in _NEED_FULL_SPEED and self.spec.usb == "ehci":
            raise Unsupported("qemu", f"device {device!r}", "needs usb='xhci' or 'uhci'")
        id = str(keys["id"])
        if id in self._ids:
            raise SpecError(field, id, "another device of this guest is called so already")
        self._ids.add(id)
        turn = None if more is None else more.get("bootindex")
        if turn is not None:
            if turn in self._turns:
                raise SpecError(f"{field}.bootindex", turn, "another device has that turn already")
            self._turns.add(turn)
        return Piece(field, "front", ("-device", str(Opts(device, more, **keys))))

    def controller(
        self,
        field: str,
        device: str,
        id: str,
        more: Mapping[str, Value] | None = None,
    ) -> Iterator[Piece]:
        """Yield a controller that several devices share, before the first of them."""
        if id not in self._controllers:
            self._controllers.add(id)
            yield self.device(field, device, more, id=id)

    def usb(self) -> Iterator[Piece]:
        """Yield the USB controller unless it is there already; its bus is ``usb-bus.0``."""
        yield from self.controller("usb", _USB[self.spec.usb or "xhci"], "usb-bus")

    def virtio_serial(self, field: str) -> Iterator[Piece]:
        """Yield the controller of all virtio ports unless it is there already."""
        yield from self.controller(field, "virtio-serial-pci", "virtio-serial0")

    def has_spice(self) -> bool:
        """Return whether the guest has a SPICE server, in a field or in what is kept verbatim."""
        from kvmnb.spec.screens import Spice

        kept = self.spec.extra_args
        served = any(isinstance(each, Spice) for each in self.spec.displays)
        return served or "-spice" in kept or any(w.startswith("spice-app") for w in kept)

    def check_places(self) -> None:
        """Refuse more devices than the board's first bus takes."""
        if self._on_pci > PCI_PLACES:
            raise SpecError(
                "devices",
                self._on_pci,
                f"the board has {PCI_PLACES} places; disks on bus scsi share one",
            )

    def _without_pci(self, field: str, device: str) -> str:
        machine = self.spec.machine
        if machine == "none":
            raise Unsupported("qemu", field, "the board 'none' takes no devices")
        if machine == "microvm" and device.startswith(("virtio-", "vhost-")):
            # the same devices on a virtio-mmio bus (QEMU, docs/system/i386/microvm)
            return device.removesuffix("-pci") + "-device"
        if device in _NOT_ON_PCI and device not in _ON_NO_BOARD_BUT_PC:
            return device
        hint = f"the board {machine!r} has no place for a {device}; leave it out, or use q35"
        raise Unsupported("qemu", field, hint)


def private_socket(
    field: str, half: Half, id: str, name: str, runtime: Runtime, logged: bool = False
) -> Piece:
    """Return the ``-chardev`` of a socket in the run folder, which is the engine's own."""
    return Piece(
        field,
        half,
        (
            "-chardev",
            str(
                Opts(
                    "socket",
                    id=id,
                    path=runtime.socket(name),
                    server=True,
                    wait=False,
                    logfile=runtime.log(name) if logged else None,
                    logappend=True if logged else None,
                )
            ),
        ),
    )
