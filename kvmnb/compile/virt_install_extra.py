"""Elements of libvirt's that no field stands for, as options of virt-install's, and back.

A sub-option's key is a path through the element: ``driver.queues`` is ``<driver queues=…/>``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from kvmnb.compile.libvirt_tree import Node, read
from kvmnb.compile.libvirt_xml import Element, quoted
from kvmnb.compile.virt_install_words import joined, option, refused
from kvmnb.errors import ParseError, SpecError

if TYPE_CHECKING:
    from kvmnb.compile.piece import Piece
    from kvmnb.compile.virt_install_words import Pairs
    from kvmnb.spec.platform import ExtraXML

__all__ = [
    *("DEVICES", "DOMAIN", "FIRST", "HYPERV", "SECTIONS", "TAGS"),
    *("Grown", "extra_options", "flat", "respelled", "supported"),
]

_QUEUES = "driver.ats driver.iommu driver.packed driver.page_per_vq"
_SOURCE = "log.append log.file source.tls target.model.name"

_KEYS = {
    "disk": f"""rawio sgio snapshot wwn= {_QUEUES} driver.copy_on_read driver.detect_zeroes
        driver.error_policy driver.iothread driver.queues iotune.read_bytes_sec=
        iotune.read_iops_sec= iotune.total_bytes_sec= iotune.total_iops_sec=
        iotune.write_bytes_sec= iotune.write_iops_sec= source.startupPolicy target.removable
        target.rotation_rate transient.shareBacking boot.loadparm source.reservations.managed
        source.reservations.source.type source.reservations.source.path
        source.reservations.source.mode geometry.cyls geometry.heads geometry.secs
        geometry.trans""",
    "network": f"""trustGuestRxFilters {_QUEUES} driver.name filterref.filter boot.loadparm
        rom.bar rom.file virtualport.type virtualport.parameters.instanceid
        virtualport.parameters.interfaceid virtualport.parameters.managerid
        virtualport.parameters.profileid virtualport.parameters.typeid
        virtualport.parameters.typeidversion target.dev backend.logFile""",
    "graphics": """connected defaultMode clipboard.copypaste filetransfer.enable gl.enable
        gl.rendernode image.compression mouse.mode streaming.mode zlib.compression""",
    "video": f"{_QUEUES} model.ram model.vgamem model.vram model.vram64 model.heads",
    "input": _QUEUES,
    "serial": _SOURCE,
    "filesystem": f"""{_QUEUES} fmode dmode multidevs model binary.path binary.xattr
        binary.cache.mode binary.lock.flock binary.lock.posix binary.sandbox.mode driver.queue
        driver.wrpolicy driver.format driver.name""",
    "hostdev": "boot.order driver.name rom.bar",
    "sound": "codec#.type",
    "memballoon": _QUEUES,
    "rng": _QUEUES,
    "tpm": "backend.encryption.secret backend.persistent_state",
    "vsock": _QUEUES,
    "watchdog": "",
    "features": """apic.eoi gic.version hyperv.relaxed.state hyperv.reset.state
        hyperv.spinlocks.state hyperv.spinlocks.retries hyperv.synic.state hyperv.vapic.state
        kvm.hidden.state kvm.hint-dedicated.state kvm.poll-control.state pmu.state
        pvspinlock.state vmcoreinfo.state""",
    "cpu": "cache.mode cache.level vendor= model.vendor_id",
    "boot": "bios.useserial bios.rebootTimeout smbios.mode nvram.template",
    "memorybacking": "allocation.threads",
    "redirdev": "bus type boot.order source.path source.mode source.host source.service",
    "panic": "model",
    "smartcard": "mode type source.path source.mode source.host source.service",
    "iommu": """model driver.aw_bits driver.caching_mode driver.eim driver.intremap
        driver.iotlb""",
    "controller": f"""type model index vectors {_QUEUES} driver.iothread driver.queues
        master.startport target.chassis target.chassisNr target.hotplug target.index
        target.busNr target.port maxGrantFrames""",
    "cputune": """shares= period= quota= global_period= global_quota= emulator_period=
        emulator_quota= iothread_period= iothread_quota= emulatorpin.cpuset vcpupin#.vcpu
        vcpupin#.cpuset iothreadpin#.iothread iothreadpin#.cpuset vcpusched#.vcpus
        vcpusched#.scheduler vcpusched#.priority""",
    "numatune": """memory.mode memory.nodeset memory.placement memnode#.cellid memnode#.mode
        memnode#.nodeset""",
    "memtune": "hard_limit= soft_limit= swap_hard_limit= min_guarantee=",
    "blkiotune": """weight= device#.path= device#.weight= device#.read_bytes_sec=
        device#.write_bytes_sec= device#.read_iops_sec= device#.write_iops_sec=""",
    "resource": "partition= fibrechannel.appid",
    "seclabel": "type model relabel label= baselabel=",
}
"""Keys by option; ``=`` is behind those of text, ``#`` stands for one of several alike."""

_OLD = {
    **{
        ("features", old): new
        for old, new in {
            "eoi": "apic.eoi",
            "gic_version": "gic.version",
            "hyperv_reset": "hyperv.reset.state",
            "hyperv_relaxed": "hyperv.relaxed.state",
            "hyperv_vapic": "hyperv.vapic.state",
            "hyperv_spinlocks": "hyperv.spinlocks.state",
            "hyperv_spinlocks_retries": "hyperv.spinlocks.retries",
            "hyperv_synic": "hyperv.synic.state",
            "kvm_hidden": "kvm.hidden.state",
            "pmu": "pmu.state",
            "pvspinlock": "pvspinlock.state",
            "vmcoreinfo": "vmcoreinfo.state",
        }.items()
    },
    ("boot", "nvram_template"): "nvram.template",
    ("network", "target"): "target.dev",
    ("disk", "startup_policy"): "source.startupPolicy",
    ("disk", "error_policy"): "driver.error_policy",
    ("network", "filterref"): "filterref.filter",
    ("network", "driver_name"): "driver.name",
    ("network", "virtualport_type"): "virtualport.type",
    ("network", "rom_bar"): "rom.bar",
    ("network", "rom_file"): "rom.file",
    ("graphics", "rendernode"): "gl.rendernode",
    ("graphics", "image_compression"): "image.compression",
    ("graphics", "mouse_mode"): "mouse.mode",
    ("video", "ram"): "model.ram",
    ("video", "vgamem"): "model.vgamem",
    ("video", "vram"): "model.vram",
    ("video", "vram64"): "model.vram64",
    ("video", "heads"): "model.heads",
}
"""Old spellings, which still work."""

_YES_NO = re.compile(
    r"rawio|trustGuestRxFilters|.*\.(?:managed|shareBacking|copypaste|enable|tls|useserial)"
    r"|driver\.persistent_state"
)
"""Keys whose switch libvirt writes ``yes`` and ``no``; it is ``on`` and ``off`` for others."""
_SWITCHES = re.compile(
    r".*\.(?:state|iommu|ats|packed|page_per_vq|copy_on_read|bar|append|eoi|intremap|eim|iotlb"
    r"|removable|xattr|flock|posix|caching_mode|hotplug)"
)
_ON = ("y", "yes", "1", "true", "t", "on")
_OFF = ("n", "no", "0", "false", "f", "off")

TAGS = {
    "disks": ("disk", "disk"),
    "cdroms": ("disk", "disk"),
    "floppies": ("disk", "disk"),
    "nics": ("interface", "network"),
    "shares": ("filesystem", "filesystem"),
    "serials": ("serial", "serial"),
    "parallels": ("parallel", "serial"),
    "consoles": ("console", "serial"),
    "channels": ("channel", "serial"),
    "agent": ("channel", "serial"),
    "inputs": ("input", "input"),
    "tpm": ("tpm", "tpm"),
    "displays": ("graphics", "graphics"),
    "sounds": ("sound", "sound"),
    "videos": ("video", "video"),
    "hostdevs": ("hostdev", "hostdev"),
    "watchdog": ("watchdog", "watchdog"),
    "balloon": ("memballoon", "memballoon"),
    "rng": ("rng", "rng"),
    "vsock": ("vsock", "vsock"),
}
"""The element and the option of each field that has devices."""

SECTIONS = {"features": "features", "cpu": "cpu", "boot": "os", "memorybacking": "memoryBacking"}
"""Sections of a domain's XML by the options that speak of them."""

DOMAIN = frozenset({"cputune", "numatune", "memtune", "blkiotune", "resource", "seclabel"})
"""Elements of a domain that have an option of their own."""

DEVICES = frozenset({"redirdev", "panic", "smartcard", "iommu", "controller"})
"""Devices without a field, and with an option of their own."""

FIRST = {
    "redirdev": "bus", "panic": "model", "smartcard": "mode", "iommu": "model",
    "controller": "type", "resource": "partition", "numatune": "memory.nodeset",
}  # fmt: skip
"""What comes first in an option, without a key."""

HYPERV = {
    "hyperv.relaxed.state": "on",
    "hyperv.vapic.state": "on",
    "hyperv.spinlocks.state": "on",
    "hyperv.spinlocks.retries": "8191",
}
"""What virt-install gives every Windows guest (virtinst's DomainFeatures.set_defaults)."""

VCPU = frozenset({"cpuset", "placement"})

TIMERS = ("hypervclock", "kvmclock", "tsc", "platform")


@cache
def _known(option: str) -> dict[str, bool]:
    """Return the keys of an option, and whether each is text."""
    return {key.removesuffix("="): key.endswith("=") for key in _KEYS.get(option, "").split()}


_NUMBER = re.compile(r"(?<=[a-z])\d{1,3}(?=\.)", re.ASCII)


def supported(option: str, key: str) -> str | None:
    """Return today's key for `key` if an element is written for it, or ``None``."""
    key = _OLD.get((option, key), key)
    return key if _NUMBER.sub("#", key) in _known(option) else None


class Grown:
    """An element that grows by sub-options.

    Parameters
    ----------
    option : whose sub-options they are, without its dashes
    tag : of the element
    """

    def __init__(self, option: str, tag: str) -> None:
        self._option, self.root = option, Element(tag)
        self._made = {"": self.root}

    def add(self, key: str, value: str) -> None:
        """Add what a sub-option that is `supported` says."""
        is_text = _known(self._option)[_NUMBER.sub("#", key)]
        if _YES_NO.fullmatch(key) and value.lower() in {*_ON, *_OFF}:
            value = "yes" if value.lower() in _ON else "no"
        elif _SWITCHES.fullmatch(key) and value.lower() in {*_ON, *_OFF}:
            value = "on" if value.lower() in _ON else "off"
        way, _, last = key.rpartition(".")
        if is_text:
            self._element(key).text = value
        else:
            self._element(way).attributes[last] = value

    def has(self, key: str) -> bool:
        """Return whether an attribute was said already."""
        way, _, last = key.rpartition(".")
        return way in self._made and last in self._made[way].attributes

    def _element(self, way: str) -> Element:
        if way not in self._made:
            above, _, part = way.rpartition(".")
            made = Element(_NUMBER.sub("", part + ".")[:-1])
            self._element(above).children.append(made)
            self._made[way] = made
        return self._made[way]

    def text(self) -> str:
        """Return the element as one line of XML."""
        return flat(self.root)

    def texts(self) -> list[str]:
        """Return each child as one line of XML."""
        return [flat(each) for each in self.root.children if isinstance(each, Element)]


def flat(element: Element) -> str:
    """Return an element on one line, its children by name."""
    children = [each for each in element.children if isinstance(each, Element)]
    inner = "".join(flat(each) for each in sorted(children, key=lambda each: each.tag))
    if element.text is not None:
        inner = quoted(element.text, attribute=False)
    start = element.start()
    return f"{start}>{inner}</{element.tag}>" if inner else f"{start}/>"


def respelled(extra: ExtraXML) -> ExtraXML:
    """Return the element as it is spelled when options have said it."""
    try:
        root = read(extra.xml).root
    except ParseError:
        return extra
    return dataclasses.replace(extra, xml=flat(_element(root)))


def _element(node: Node) -> Element:
    text = node.text if node.text.strip() else None
    children = [_element(each) for each in node.children]
    return Element(node.tag, *children, text=text, more=node.attributes)


def extra_options(
    extras: tuple[ExtraXML, ...], more: dict[str, list[str]]
) -> Iterator[tuple[str, Piece]]:
    """Yield ``(tag, option)`` for elements that have one; add to `more` what is a device's own.

    Raises
    ------
    Unsupported   virt-install has no option for an element
    SpecError     an element is not well-formed
    """
    for index, extra in enumerate(extras):
        field = f"extra_xml[{index}]"
        try:
            root = read(extra.xml).root
        except ParseError as error:
            raise SpecError(field, extra.xml, error.reason) from None
        base, _, number = extra.parent.partition(".")
        if base in TAGS and root.tag == TAGS[base][0]:
            place = f"{base}[{number}]" if number else base
            pairs = _pairs(field, TAGS[base][1], list(_walk(root, "")))
            more.setdefault(place, []).extend(_written(pairs))
        elif extra.parent == "clock" and root.tag == "timer":
            name, present = root.attributes.get("name"), root.attributes.get("present")
            if len(root.attributes) != 2 or name not in TIMERS or present is None:
                _unsaid(field)
            yield "timer", option(field, "--clock", f"{name}_present={present}")
        elif extra.parent in SECTIONS.values():
            word = next(word for word, section in SECTIONS.items() if section == extra.parent)
            pairs = _pairs(field, word, list(_walk(root, root.tag)))
            yield root.tag, option(field, f"--{word}", ",".join(_written(pairs)))
        elif extra.parent == "domain" and root.tag == "vcpu" and set(root.attributes) <= VCPU:
            more.setdefault("cpu", []).extend(_written(root.attributes.items()))
        elif extra.parent == "domain" and root.tag == "iothreads" and not root.children:
            yield root.tag, option(field, "--iothreads", root.text.strip())
        elif (extra.parent == "domain" and root.tag in DOMAIN) or (
            extra.parent == "devices" and root.tag in DEVICES
        ):
            pairs = _pairs(field, root.tag, list(_walk(root, "")))
            yield root.tag, option(field, f"--{root.tag}", ",".join(_written(pairs)))
        else:
            _unsaid(field)


def _unsaid(field: str) -> None:
    refused(field, "no option takes this element; add it later: virsh edit NAME")


def _written(pairs: Pairs) -> list[str]:
    return [joined(None, [pair]) for pair in pairs]


def _pairs(
    field: str, word: str, found: list[tuple[str, str, bool]]
) -> list[tuple[str, str | int | bool | None]]:
    known = _known(word)
    for key, _, is_text in found:
        if known.get(_NUMBER.sub("#", key)) is not is_text:
            _unsaid(field)
    if not found:
        _unsaid(field)
    return [(key, value) for key, value, _ in found]


def _walk(node: Node, way: str) -> Iterator[tuple[str, str, bool]]:
    """Yield ``(key, value, is text)`` for all that an element says."""
    dot = f"{way}." if way else ""
    for name, value in node.attributes.items():
        yield dot + name, value, False
    if node.text.strip():
        yield way, node.text, True
    tags = [each.tag for each in node.children]
    for index, each in enumerate(node.children):
        number = tags[:index].count(each.tag)
        alike = tags.count(each.tag) > 1 or each.tag in _NUMBERED
        yield from _walk(each, f"{dot}{each.tag}{number if alike else ''}")


_NUMBERED = frozenset(
    key.partition("#")[0] for keys in _KEYS.values() for key in keys.split() if "#" in key
)
