"""A spec as libvirt's domain XML: what the guest is, with nothing left to a default that differs.

Written for libvirt 9.0 and later. A field that it has no element for is refused by name, except
for a few that libvirt cannot act on but should not forget: they stand below ``<metadata>`` in a
namespace of kvmnb's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kvmnb.compile import (
    libvirt_board,
    libvirt_chars,
    libvirt_devices,
    libvirt_disks,
    libvirt_nics,
    libvirt_screens,
)
from kvmnb.compile.libvirt_board import Item
from kvmnb.compile.libvirt_words import KVMNB, QEMU_XMLNS
from kvmnb.compile.libvirt_xml import Element, check, refused
from kvmnb.compile.piece import Piece
from kvmnb.compile.settled import settled
from kvmnb.compile.targets import refuse

if TYPE_CHECKING:
    from kvmnb.compile.runtime import Runtime
    from kvmnb.spec.domain import DomainSpec

__all__ = ["compile_libvirt", "libvirt_pieces"]

_SECTIONS = frozenset(
    {
        *("metadata", "kvmnb:domain", "memoryBacking", "os", "features", "cpu", "clock", "pm"),
        *("devices", "qemu:commandline"),
    }
)


def compile_libvirt(spec: DomainSpec, runtime: Runtime, *, first_start: bool = False) -> str:
    """Return the domain XML of `spec`: the same bytes for the same input.

    Parameters
    ----------
    first_start : the XML of the guest's first start, as virt-install prints it before the one
        it keeps: what is to be booted once comes first, and a reboot ends the guest

    Raises
    ------
    Unsupported   libvirt has no element for a field
    SpecError     two devices want one place
    """
    refuse(spec, "libvirt")
    domain = Element("domain", type=_kind(spec, runtime))
    sections = {"domain": domain}
    parts: dict[str, Element] = {}
    for item in _items(spec, runtime, first_start=first_start):
        element = item.element
        sections[item.section].children.append(element)
        if element.tag in _SECTIONS:
            sections[element.tag] = element
        elif item.section == "devices":
            parts.setdefault(item.field.replace("[", ".").replace("]", ""), element)
    if spec.extra_args:
        domain.attributes["xmlns:qemu"] = QEMU_XMLNS
    if spec.extra_xml:
        from kvmnb.compile.libvirt_extra import add_extras

        add_extras(domain, sections, parts, spec.extra_xml)
    text = "\n".join(domain.lines()) + "\n"
    try:
        return check("", text)
    except Exception:
        for piece in libvirt_pieces(spec, runtime, first_start=first_start):
            check(piece.field, piece.words[0])
        check("extra_xml", text)
        raise


def libvirt_pieces(
    spec: DomainSpec, runtime: Runtime, *, first_start: bool = False
) -> tuple[Piece, ...]:
    """Return the elements of the domain XML, each with the field it speaks of.

    Raises
    ------
    Unsupported   libvirt has no element for a field
    SpecError     two devices want one place
    """
    refuse(spec, "libvirt")
    made = [Piece("accel", "", (f"<domain type='{_kind(spec, runtime)}'>",))]
    for item in _items(spec, runtime, first_start=first_start):
        if item.element.tag not in _SECTIONS or (item.element.attributes and item.field):
            made.append(Piece(item.field, "", ("\n".join(item.element.lines()),)))
    made += [
        Piece(f"extra_xml[{index}]", "", (extra.xml,)) for index, extra in enumerate(spec.extra_xml)
    ]
    return tuple(made)


def _kind(spec: DomainSpec, runtime: Runtime) -> str:
    if spec.paravirt:
        return "xen"
    return "kvm" if runtime.accel == "kvm" else "qemu"


def _items(spec: DomainSpec, runtime: Runtime, *, first_start: bool) -> Iterator[Item]:
    for name, value in spec.accel_options:
        hint = f"as an option of QEMU's: extra_args '-accel …,{name}={value}'"
        refused(f"accel_options.{name}", hint)
    if spec.cloud_init is not None and runtime.seed is None:
        refused("cloud_init", "its seed has to be written first")
    seeded = spec.cloud_init is not None
    spec = settled(spec, runtime, "libvirt")
    yield from _identity(spec)
    yield from _remembered(spec, first_start=first_start)
    memory = tuple(libvirt_board.memory(spec.memory, spec.numa))
    yield from _section("memoryBacking", memory)
    yield libvirt_board.vcpus(spec.cpu)
    yield Item("domain", "firmware", Element("os", more=libvirt_board.os_attributes(spec)))
    yield from libvirt_board.start(spec, runtime, first_start=first_start)
    yield from _section("features", tuple(libvirt_board.features(spec)))
    attributes, parts = libvirt_board.cpu(spec, runtime)
    if attributes or parts:
        yield Item("domain", "cpu", Element("cpu", more=attributes))
        yield from parts
    if spec.clock is not None:
        attributes, parts = libvirt_board.clock(spec.clock)
        yield Item("domain", "clock", Element("clock", more=attributes))
        yield from parts
    yield from _section("pm", tuple(libvirt_board.board(spec, first_start=first_start)))
    yield Item("domain", "", Element("devices"))
    yield from _devices(spec, runtime, seeded=seeded)
    if spec.extra_args:
        yield Item("domain", "", Element("qemu:commandline"))
        for index, word in enumerate(spec.extra_args):
            argument = Element("qemu:arg", value=word)
            yield Item("qemu:commandline", f"extra_args[{index}]", argument)


def _section(tag: str, items: tuple[Item, ...]) -> Iterator[Item]:
    """Yield items, and the section that some of them belong in just before the first of these."""
    begun = False
    for item in items:
        if item.section == tag and not begun:
            begun = True
            yield Item("domain", "", Element(tag))
        yield item


def _identity(spec: DomainSpec) -> Iterator[Item]:
    yield Item("domain", "name", Element("name", text=spec.name))
    yield Item("domain", "uuid", Element("uuid", text=spec.uuid))
    if spec.vmgenid is not None:
        unique = None if spec.vmgenid == "auto" else spec.vmgenid
        yield Item("domain", "vmgenid", Element("genid", text=unique))
    if spec.title is not None:
        if not spec.title or "\n" in spec.title:
            refused("title", "libvirt's titles are one line of text; a description may be longer")
        yield Item("domain", "title", Element("title", text=spec.title))
    if spec.description is not None:
        yield Item("domain", "description", Element("description", text=spec.description))


def _remembered(spec: DomainSpec, *, first_start: bool) -> Iterator[Item]:
    """Yield what libvirt has no word for and what the guest is not the same without."""
    boot, found = spec.boot, []
    said: dict[str, str] = {}
    if not first_start:
        order = libvirt_board.asked_order(spec)
        told = {"once": boot.once or None, "location": boot.location, "order": order}
        if boot.location is not None:
            told["append"] = boot.append or None
        said = {key: value for key, value in told.items() if value is not None}
    if boot.strict:
        # libvirt's guests never go on to what is not named
        said["strict"] = "yes"
    if said:
        found.append(Item("kvmnb:domain", "boot", Element("kvmnb:boot", more=said)))
    if (layout := libvirt_board.given_layout(spec.cpu)) is not None:
        found.append(Item("kvmnb:domain", "cpu", Element("kvmnb:smp", more=layout)))
    if spec.osinfo is not None:
        named = Element("kvmnb:osinfo", name=spec.osinfo)
        found.append(Item("kvmnb:domain", "osinfo", named))
    if found:
        yield Item("domain", "", Element("metadata"))
        yield Item("metadata", "", Element("kvmnb:domain", more={"xmlns:kvmnb": KVMNB}))
        yield from found


def _devices(spec: DomainSpec, runtime: Runtime, *, seeded: bool) -> Iterator[Item]:
    if runtime.qemu.startswith("/"):
        yield Item("devices", "runtime", Element("emulator", text=runtime.qemu))
    yield from libvirt_disks.disks(spec, seeded=seeded)
    yield from libvirt_disks.controllers(spec)
    yield from libvirt_devices.shares(spec)
    yield from libvirt_nics.nics(spec)
    yield from libvirt_chars.chars(spec)
    yield from libvirt_screens.inputs(spec)
    if spec.tpm is not None:
        yield libvirt_devices.tpm(spec.tpm)
    yield from libvirt_screens.graphics(spec)
    yield from libvirt_screens.sounds(spec)
    yield from libvirt_screens.videos(spec)
    yield from libvirt_devices.devices(spec)
