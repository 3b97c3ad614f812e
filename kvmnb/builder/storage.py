"""Verbs for disks, CD-ROMs, floppies, and the seed of an image that configures itself."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from kvmnb.builder.base import Builder, existing_file, listed
from kvmnb.errors import SpecError
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, Floppy, NewFile
from kvmnb.spec.value import Value
from kvmnb.units import Size, size_bytes

if TYPE_CHECKING:
    from typing import Self

    from kvmnb.spec.diskbacks import FarBack
    from kvmnb.spec.storage import DiskBack

    Source = str | os.PathLike[str] | DiskBack

__all__ = ["StorageVerbs"]


class StorageVerbs(Builder):
    """What the guest reads and writes."""

    __slots__ = ()

    def disk(
        self,
        source: Source | None = None,
        *,
        bus: str = "virtio",
        index: int | None = None,
        cache: str = "writeback",
        format: str | None = None,
        readonly: bool = False,
        snapshot: bool = False,
        size: Size | None = None,
        aio: str | None = None,
        discard: str | None = None,
        serial: str | None = None,
        bootindex: int | None = None,
        shared: bool = False,
        options: Iterable[tuple[str, str]] = (),
    ) -> Self:
        """Add a disk.

        Parameters
        ----------
        source : a name of ``host.images`` (the guest writes to a fresh overlay on it), an
            existing file (used as it is), a back end such as `Server`, or ``None`` for a new,
            empty qcow2 of `size`; overlays and new disks end with the guest. Where both an
            image and a file bear a name, it means the image; ``Path(name)`` or ``"./name"``
            means the file
        bus : ``virtio ide sata scsi nvme usb sd mtd``
        index : its place on the bus, counted from 0
        cache : ``writeback none writethrough directsync unsafe``
        format : of an existing file; read from its header where not given
        readonly : the guest cannot write
        snapshot : the guest's writes are thrown away at its end
        size : of a new disk, or of the overlay on an image, which it must not cut short
        aio : ``threads native io_uring``
        discard : ``unmap`` frees what the guest gives up, ``ignore`` does not
        serial : a number by which the guest can know it
        bootindex : its turn among the devices that the firmware tries, from 1
        shared : other guests may have it open too
        options : further properties of QEMU's front device, as ``(name, value)``
        """
        bytes_ = None if size is None else size_bytes(size, "disk.size")
        back = self._disk_back(source, bytes_)
        disk = Disk(
            back=back,
            bus=bus,
            index=index,
            cache=cache,
            format=format,
            readonly=readonly,
            snapshot=snapshot,
            size_bytes=None if isinstance(back, NewFile) else bytes_,
            aio=aio,
            discard=discard,
            serial=serial,
            bootindex=bootindex,
            shared=shared,
            options=tuple(options),
        )
        return self._with(disks=(*self.spec.disks, disk))

    def _disk_back(self, source: Source | None, bytes_: int | None) -> DiskBack:
        if source is None:
            if bytes_ is None:
                raise SpecError("disk.size", None, "a new disk needs a size")
            return NewFile(bytes_)
        if not isinstance(source, (str, os.PathLike)):
            return _given("disk", source)
        if isinstance(source, str) and source in self.host.images:
            image = None if bytes_ is None else self.host.images.ready(source)
            if image is not None and bytes_ is not None and bytes_ < image.size_bytes:
                raise SpecError("disk.size", bytes_, f"the image has {image.size_bytes} bytes")
            return CatalogueImage(source)
        return self._file_back("disk", source)

    def _file_back(self, field: str, source: str | os.PathLike[str]) -> ExistingFile | FarBack:
        given = os.path.abspath(os.path.expanduser(os.fsdecode(source)))
        if given.startswith("/dev/"):
            with contextlib.suppress(OSError, ValueError):
                if stat.S_ISBLK(os.stat(given).st_mode):
                    from kvmnb.spec.diskbacks import BlockDevice

                    return BlockDevice(given)
        return ExistingFile(existing_file(field, source, self.host.images))

    def cdrom(
        self,
        source: Source | None = None,
        *,
        bus: str | None = None,
        index: int | None = None,
        bootindex: int | None = None,
        options: Iterable[tuple[str, str]] = (),
    ) -> Self:
        """Add a CD-ROM drive.

        Parameters
        ----------
        source : an ISO file, an ISO of ``host.images``, the host's ``/dev/cdrom``, a back end,
            or ``None`` for an empty drive
        bus : ``ide sata scsi usb``; ``None`` for the board's own
        index : its place on the bus, counted from 0
        bootindex : its turn among the devices that the firmware tries, from 1
        options : further properties of QEMU's front device, as ``(name, value)``
        """
        cdrom = CDROM(
            self._medium("cdrom", source),
            bus=bus,
            index=index,
            bootindex=bootindex,
            options=tuple(options),
        )
        return self._with(cdroms=(*self.spec.cdroms, cdrom))

    def floppy(
        self,
        source: Source | None = None,
        *,
        format: str | None = None,
        readonly: bool = False,
        snapshot: bool = False,
    ) -> Self:
        """Add a floppy drive, the first of which is A and the second B.

        Parameters
        ----------
        source : an image file, the host's ``/dev/fd0``, a back end, or ``None`` for an empty one
        """
        floppy = Floppy(
            self._medium("floppy", source), format=format, readonly=readonly, snapshot=snapshot
        )
        return self._with(floppies=(*self.spec.floppies, floppy))

    def _medium(self, field: str, source: Source | None) -> DiskBack | None:
        if source is None:
            return None
        if not isinstance(source, (str, os.PathLike)):
            return _given(field, source)
        if isinstance(source, str) and source in self.host.images:
            return CatalogueImage(source)
        return self._file_back(field, source)

    def cloud_init(
        self,
        *,
        user: str | None = None,
        ssh_key: str | Iterable[str] | None = None,
        packages: Iterable[str] = (),
        run: str | Iterable[str] | None = None,
        hostname: str | None = None,
        password_hash: str | None = None,
    ) -> Self:
        """Configure a cloud image at its first start, by a NoCloud seed on a CD-ROM.

        Parameters
        ----------
        user : made in the guest, with the right to become root
        ssh_key : a public key, or several, that may log in as that user
        packages : installed by the guest's package manager
        run : a command, or several, run at the end of the first start
        hostname : of the guest; its name where not given
        password_hash : of the user, as ``openssl passwd -6`` prints it
        """
        from kvmnb.spec.cloud_init import CloudInit

        seed = CloudInit(
            user=user,
            ssh_keys=listed("cloud_init.ssh_key", ssh_key, str),
            packages=listed("cloud_init.packages", packages, str),
            run=listed("cloud_init.run", run, str),
            hostname=hostname,
            password_hash=password_hash,
        )
        return self._with(cloud_init=seed)


def _given(field: str, back: object) -> DiskBack:
    if not isinstance(back, Value):
        reason = "must be a path, an image's name, or a back end such as Server(…)"
        raise SpecError(field, back, reason)
    return cast("DiskBack", back)
