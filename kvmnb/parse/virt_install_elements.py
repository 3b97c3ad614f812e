"""Options of virt-install's that are one element of libvirt's each, which no field stands for."""

from __future__ import annotations

from kvmnb.compile.libvirt_xml import Element
from kvmnb.compile.virt_install_extra import DEVICES, DOMAIN, FIRST, Grown, flat, supported
from kvmnb.parse.virt_install_draft import Draft
from kvmnb.parse.virt_install_options import Given
from kvmnb.parse.virt_install_subs import Subs

__all__ = ["read"]

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
