"""What of a spec the verbs would refuse on this host, though the spec itself is sound."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from kvmnb.compile.qemu import NIC_MODELS, laid_out
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.network import User
from kvmnb.spec.storage import CatalogueImage, ExistingFile

if TYPE_CHECKING:
    from kvmnb.builder.base import HostLike

__all__ = ["refused"]


def refused(spec: DomainSpec, host: HostLike) -> frozenset[str]:
    """Return the paths that are not there, and the images, boards and models that are unknown.

    A spec that was parsed can name what only another host has; a verb refuses that at once.
    """
    facts = host.engine.facts
    images = {back.name for back in spec.backs if isinstance(back, CatalogueImage)}
    words = {name for name in images if name not in host.images}
    words |= {path for path in _files(spec) if not _found(path, os.path.isfile)}
    words |= {path for path in _folders(spec) if not _found(path, os.path.isdir)}
    # a name that an image bears means the image, and so does not mean the file
    words |= {path for path in _files(spec) if path in host.images}
    if spec.machine not in facts.machines or not laid_out(spec.machine):
        words.add(spec.machine)
    if spec.cpu.model is not None and spec.cpu.model not in {*facts.cpus, "host-model"}:
        words.add(spec.cpu.model)
    offered = {word for word, device in NIC_MODELS.items() if device in facts.devices}
    models = {nic.model for nic in spec.nics}
    return frozenset(words | models - offered - {NIC_MODELS[word] for word in offered})


def _found(path: str, exists: Callable[[str], bool]) -> bool:
    return os.path.abspath(os.path.expanduser(path)) == path and exists(path)


def _files(spec: DomainSpec) -> set[str]:
    found = {back.path for back in spec.backs if isinstance(back, ExistingFile)}
    boot = spec.boot
    found |= set(filter(None, (boot.kernel, boot.initrd, boot.splash, boot.dtb)))
    if spec.firmware is not None:
        found |= set(filter(None, (spec.firmware.code, spec.firmware.variables)))
    return found


def _folders(spec: DomainSpec) -> set[str]:
    served = {nic.back.tftp for nic in spec.nics if isinstance(nic.back, User) and nic.back.tftp}
    return served | {share.source for share in spec.shares}
