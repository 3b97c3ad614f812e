"""Options of virt-install's that are one element of libvirt's each, which no field stands for."""

from __future__ import annotations

import re

from kvmnb.compile.libvirt_xml import Element
from kvmnb.compile.virt_install_extra import DEVICES, DOMAIN, FIRST, HYPERV, Grown, flat, supported
from kvmnb.parse.virt_install_draft import Draft
from kvmnb.parse.virt_install_options import Given
from kvmnb.parse.virt_install_osinfo import System
from kvmnb.parse.virt_install_subs import Subs

__all__ = ["edit", "hyperv", "read", "uncompressed"]

USUAL = {"panic": "isa", "smartcard": "passthrough", "iommu": "intel"}
"""What ``default`` is on x86 (virtinst's DevicePanic, DeviceSmartcard and DeviceIommu)."""


def read(draft: Draft, given: Given) -> bool:
    """Write the element that an option is; return whether all of the option could be written."""
    name = given.name[2:]
    if name == "iothreads" and (given.value or "").isdecimal():
        draft.extra("domain", flat(Element(name, text=given.value)))
        return True
    if name not in DEVICES | DOMAIN:
        return False
    subs = Subs(draft, given, *([FIRST[name]] if name in FIRST else []))
    grown, first = Grown(name, name), True
    said = {sub.key: sub.value for sub in subs.unread()}
    if name == "redirdev" and (server := said.pop("server", None)) is not None:
        host, _, port = server.rpartition(":")
        said |= {"source.host": host, "source.service": port}
    for key, value in said.items():
        today = supported(name, key)
        if today is None or value is None:
            return False
        if first and value == "default":
            value = USUAL.get(name, value)
        first = False
        grown.add(today, value)
    if name == "smartcard" and "type" not in said and "passthrough" in grown.text():
        grown.add("type", "spicevmc")
    draft.extra("domain" if name in DOMAIN else "devices", grown.text())
    return True


def hyperv(draft: Draft, runs: System) -> None:
    """Add what virt-install gives every Windows guest, where the line does not say it."""
    if not runs.has("h") or "hyperv" in draft.silenced:
        return
    given = draft.grown.get("features")
    added = False
    for key, value in HYPERV.items():
        silent = key.rpartition(".")[0].replace(".", "/") in draft.silenced
        if not silent and (given is None or not given.has(key)):
            added = draft.grow("features", key, value)
    if added:
        draft.default("the guest sees Hyper-V's interfaces, which this system uses")


def uncompressed(draft: Draft, place: str) -> None:
    """Add what virt-install gives every SPICE server on the same host."""
    grown = draft.grown.get(place)
    if grown is None or "<image " not in grown.text():
        draft.grow(place, "image.compression", "off")
        draft.default("SPICE does not compress pictures, as for clients on the same host")


_UNASKED = {
    "./clock": "clock",
    "./clock/timer": "timers",
    "./pm": "pm",
    "./pm/suspend-to-mem": "suspend_to_mem",
    "./pm/suspend-to-disk": "suspend_to_disk",
    "./devices/input": "input",
    "./features/vmport": "vmport",
    "./features/hyperv": "hyperv",
    "./features/hyperv/relaxed": "hyperv/relaxed",
    "./features/hyperv/vapic": "hyperv/vapic",
    "./features/hyperv/spinlocks": "hyperv/spinlocks",
    "./devices/graphics/image": "image",
}
"""What `kvmnb.compile.virt_install` takes out again of what virt-install adds."""


_DRIVER = re.compile(r"\./devices/disk\[\d{1,4}\]/driver/@(?:io|discard)", re.ASCII)


def edit(draft: Draft, given: Given) -> None:
    """Read ``--xml``: ours take out again what is added unasked, others are kept."""
    text = given.value or ""
    path = text.removeprefix("xpath.delete=") if text.startswith("xpath.delete=") else ""
    if path in _UNASKED:
        draft.silenced.add(_UNASKED[path])
    elif _DRIVER.fullmatch(path):
        draft.silenced.add(path.removeprefix("./devices/"))
    else:
        draft.invocation.setdefault("xml", []).append(text)
        draft.note(given.at(0), text, "kept", "an edit of the XML by XPath stays as it is")
