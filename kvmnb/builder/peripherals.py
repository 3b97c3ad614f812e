"""Verbs for everything else that can be plugged into a guest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from kvmnb.builder.base import Builder, existing_file
from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.devices import RNG, Balloon

if TYPE_CHECKING:
    from typing import Self

    from kvmnb.spec.peripherals import HostDevice

__all__ = ["PeripheralVerbs"]


class PeripheralVerbs(Builder):
    """Balloon, entropy, input, sound, watchdog, TPM, shares, passthrough."""

    __slots__ = ()

    def balloon(
        self,
        on: bool = True,
        *,
        stats_s: int = 2,
        deflate_on_oom: bool = False,
        free_page_reporting: bool = False,
    ) -> Self:
        """Give it a virtio balloon with guest statistics (on unless switched off).

        Parameters
        ----------
        stats_s : how often the guest is asked for statistics, in seconds; 0 for never
        deflate_on_oom : the guest may take memory back before it kills a process
        free_page_reporting : the guest tells which pages it does not use
        """
        balloon = Balloon(
            stats_s=stats_s,
            deflate_on_oom=deflate_on_oom,
            free_page_reporting=free_page_reporting,
        )
        return self._with(balloon=balloon if validate.switch("balloon", on) else None)

    def rng(
        self,
        on: bool = True,
        *,
        source: str = "builtin",
        max_bytes: int | None = None,
        period_ms: int | None = None,
    ) -> Self:
        """Give it a virtio entropy source (on unless switched off).

        Parameters
        ----------
        source : ``"builtin"``, or a device of the host such as ``/dev/urandom``
        max_bytes, period_ms : at most so many bytes each so many milliseconds
        """
        rng = RNG(source=source, max_bytes=max_bytes, period_ms=period_ms)
        return self._with(rng=rng if validate.switch("rng", on) else None)

    def vmgenid(self, on: bool | str = True) -> Self:
        """Give it a generation id, which tells a copied guest so (on unless switched off).

        Parameters
        ----------
        on : or the id itself, a UUID
        """
        if isinstance(on, str):
            return self._with(vmgenid=on)
        return self._with(vmgenid="auto" if validate.switch("vmgenid", on) else None)

    def scsi(self, model: str) -> Self:
        """The SCSI controller of its disks: ``virtio lsi megasas mptsas pvscsi``."""
        return self._with(scsi=model)

    def usb(self, controller: str | None = "xhci") -> Self:
        """Give it a USB controller: ``xhci ehci uhci piix3-uhci``; USB devices bring one."""
        return self._with(usb=controller)

    def tablet(self, bus: Literal["usb", "virtio"] = "usb") -> Self:
        """Add a tablet, with which the pointer stays in step (``-usbdevice tablet``)."""
        return self.input("tablet", bus=bus)

    def input(
        self,
        kind: Literal["tablet", "mouse", "keyboard"],
        *,
        bus: Literal["usb", "virtio"] = "usb",
    ) -> Self:
        """Add a tablet, mouse or keyboard."""
        from kvmnb.spec.peripherals import Input

        return self._with(inputs=(*self.spec.inputs, Input(kind, bus)))

    def sound(self, model: str = "ich9", *, back: str = "none") -> Self:
        """Add a sound card: ``ac97 es1370 sb16 ich6 ich9 usb virtio pcspk``.

        Parameters
        ----------
        back : what plays it on the host: ``none alsa pa pipewire spice`` …
        """
        from kvmnb.spec.peripherals import Sound

        return self._with(sounds=(*self.spec.sounds, Sound(model, back)))

    def watchdog(self, model: str | Literal[False] = "i6300esb", action: str = "reset") -> Self:
        """Give it a watchdog, ``i6300esb`` or ``ib700``; ``False`` takes it away.

        Parameters
        ----------
        action : ``reset shutdown poweroff pause none dump inject-nmi``
        """
        if model is False:
            return self._with(watchdog=None)
        from kvmnb.spec.peripherals import Watchdog

        return self._with(watchdog=Watchdog(model, action))

    def tpm(
        self,
        on: bool = True,
        *,
        model: Literal["tis", "crb"] = "tis",
        version: Literal["1.2", "2.0"] = "2.0",
        socket: str | None = None,
        device: str | None = None,
    ) -> Self:
        """Give it a trusted platform module, emulated by swtpm unless a device is given."""
        from kvmnb.spec.peripherals import TPM

        tpm = TPM(model=model, version=version, socket=socket, device=device)
        return self._with(tpm=tpm if validate.switch("tpm", on) else None)

    def share(
        self,
        source: str | os.PathLike[str],
        tag: str,
        *,
        kind: Literal["9p", "virtiofs"] = "9p",
        readonly: bool = False,
        security: str = "mapped-xattr",
        socket: str | None = None,
    ) -> Self:
        """Share a folder of the host: ``mount -t 9p -o trans=virtio TAG /mnt`` in the guest.

        Parameters
        ----------
        kind : ``9p``, or ``virtiofs``, which needs ``mem(…, memfd=True, shared=True)``
        security : whose the guest's files are on the host, for 9p
        socket : of a virtiofsd that runs already
        """
        from kvmnb.spec.peripherals import Share

        share = Share(
            source=existing_file("share", source, folder=True),
            tag=tag,
            kind=kind,
            readonly=readonly,
            security=security,
            socket=socket,
        )
        return self._with(shares=(*self.spec.shares, share))

    def vsock(self, cid: int | Literal[False] | None = None) -> Self:
        """Give it a vsock address, from 3; ``None`` for one that is free, ``False`` for none."""
        if cid is False:
            return self._with(vsock=None)
        from kvmnb.spec.peripherals import Vsock

        return self._with(vsock=Vsock(cid))

    def hostdev(self, device: str | HostDevice) -> Self:
        """Give it a device of the host.

        Parameters
        ----------
        device : ``"0000:01:00.0"`` (PCI), ``"046d:c52b"`` (USB), or a `HostPCI` and the like
        """
        from kvmnb.spec.peripherals import HostPCI, HostUSB

        if isinstance(device, str):
            vendor, colon, product = device.partition(":")
            if colon and len(vendor) == len(product) == 4:
                try:
                    device = HostUSB(vendor=int(vendor, 16), product=int(product, 16))
                except ValueError:
                    raise SpecError(
                        "hostdev", device, "lsusb shows two numbers of 4 hex digits"
                    ) from None
            else:
                device = HostPCI(address=device)
        return self._with(hostdevs=(*self.spec.hostdevs, device))
