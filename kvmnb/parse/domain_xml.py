"""libvirt's domain XML read into a spec: what `kvmnb.compile.libvirt` writes, and what people and
libvirt itself write, with places, names and labels of a running guest.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from kvmnb.compile.libvirt_disks import needs_usb, on_usb
from kvmnb.compile.libvirt_extra import SECTIONS, in_order
from kvmnb.compile.libvirt_tree import Node, read
from kvmnb.compile.libvirt_words import KVMNB, QEMU_XMLNS
from kvmnb.parse import libvirt_board as board
from kvmnb.parse import libvirt_devices as devices
from kvmnb.parse import libvirt_nics as nics
from kvmnb.parse.libvirt_chars import Ports
from kvmnb.parse.libvirt_cpu import cpu
from kvmnb.parse.libvirt_disks import Drives
from kvmnb.parse.libvirt_reading import Keep, Reading
from kvmnb.parse.libvirt_screens import Screens
from kvmnb.parse.result import Parsed
from kvmnb.spec.devices import Balloon
from kvmnb.spec.domain import DomainSpec

__all__ = ["parents", "parse_domain"]

KINDS = ("kvm", "qemu", "xen", "kqemu", "hvf")
OTHER_KINDS = ("lxc", "uml", "openvz", "test", "vmware", "hyperv", "vbox", "phyp", "vz", "bhyve")
_PLAIN_UUID = re.compile("[0-9a-fA-F]{32}", re.ASCII)


def parse_domain(xml: str) -> Parsed:
    """Return the guest that a domain XML describes, and notes on what a reader should know.

    What no field stands for is kept as ``extra_xml``. What libvirt itself adds when it keeps or
    runs a guest (places on buses, names of devices, labels) is left out, and told once a kind.

    Raises
    ------
    ParseError   it is no XML, no domain, or has a word that libvirt does not know
    """
    tree = read(xml)
    root = tree.root
    reading = Reading(tree)
    if root.tag != "domain":
        near = difflib.get_close_matches(root.tag[:64], ["domain"], n=1)
        hint = "did you mean <domain>? " if near else ""
        reading.fail(root, f"{hint}a domain's XML begins with <domain>, not <{root.tag[:64]}>")
    given = _domain(reading, root)
    extras = in_order(reading.extras, parents(given))
    with reading.checked(root.child("name") or root):
        spec = DomainSpec(**given, extra_xml=extras)
    notes = sorted(reading.notes, key=lambda note: note.position)
    return Parsed(text=xml, spec=spec, notes=tuple(notes))


def _domain(reading: Reading, root: Node) -> dict[str, Any]:
    kind = root.take("type")
    if kind in OTHER_KINDS:
        reading.fail(root, f"a guest of {kind}, which is neither KVM nor QEMU", "type")
    if kind not in KINDS:
        reading.unknown(root, "type" if kind else None, kind or "", KINDS)
    if root.take("id") is not None:
        reading.once(root, "the number of a running guest is given anew")
    given: dict[str, Any] = _identity(reading, root)
    told = _told(reading, root, given)
    given |= board.start(reading, root, told.get("boot"))
    given["cpu"], given["numa"] = cpu(reading, root, kind or "", given["arch"], told.get("smp"))
    given["memory"] = board.memory(reading, root, given["numa"])
    given["accel"] = {"kvm": "kvm", "qemu": "tcg"}.get(kind or "", "auto")
    if kind in {"kqemu", "hvf"} or (kind == "xen" and not given["paravirt"]):
        reading.note(root, "changed", f"{kind} becomes KVM where there is KVM, and else QEMU's TCG")
    given |= board.features(reading, root)
    given["clock"] = board.clock(reading, root)
    given |= board.power(reading, root)
    given |= _devices(reading, root, given["machine"], given["arch"])
    given["extra_args"] = _arguments(reading, root)
    for label in root.all("seclabel"):
        if label.peek("type") in {None, "dynamic"} and not label.all("baselabel"):
            label.drop()
            reading.once(label, "labels of a running guest are given anew")
    for resource in root.all("resource"):
        places = resource.all("partition")
        if len(resource.children) == len(places) == 1 and places[0].text.strip() == "/machine":
            resource.drop()
    for node in root.children:
        if node.tag in SECTIONS:
            continue
        if node.visited:
            reading.leftover("domain", node)
        else:
            reading.keep("domain", node)
    for repeated in {node.tag for node in root.children if node.tag in SECTIONS}:
        for node in root.all(repeated)[1:]:
            reading.fail(node, f"a domain has one <{repeated}> only")
    return given


def _identity(reading: Reading, root: Node) -> dict[str, Any]:
    name = root.child("name")
    if name is None:
        reading.fail(root, "a domain needs <name>")
    given: dict[str, Any] = {"name": name.text}
    unique = root.child("uuid")
    if unique is not None:
        given["uuid"] = _uuid(unique.text.strip())
    generation = root.child("genid")
    given["vmgenid"] = None
    if generation is not None:
        given["vmgenid"] = _uuid(generation.text.strip()) or "auto"
    for tag in ("title", "description"):
        node = root.child(tag)
        given[tag] = None if node is None else node.text
    return given


def _uuid(text: str) -> str:
    if _PLAIN_UUID.fullmatch(text):
        cuts = (0, 8, 12, 16, 20, 32)
        return "-".join(text[low:high] for low, high in itertools.pairwise(cuts))
    return text


def _told(reading: Reading, root: Node, given: dict[str, Any]) -> dict[str, Node]:
    """Return what stands in kvmnb's own namespace below ``<metadata>``."""
    told: dict[str, Node] = {}
    metadata = root.child("metadata")
    if metadata is None:
        return told
    for domain in metadata.children:
        if domain.uri == KVMNB and domain.local == "domain":
            domain.visited = True
            for node in domain.children:
                node.visited = True
                told[node.local] = node
    if (osinfo := told.get("osinfo")) is not None:
        given["osinfo"] = osinfo.take("name")
    # libosinfo's own element names a system by a URL, http://debian.org/debian/12, which its
    # database turns into debian12 and back; without it the element stays to the letter
    for node in [each for each in metadata.children if not each.visited]:
        reading.keep("metadata", node)
    return told


def _devices(reading: Reading, root: Node, machine: str, arch: str) -> dict[str, Any]:
    node = root.child("devices")
    found = _Found(reading, machine, arch)
    if node is not None:
        found.read(node)
    return found.fields(root if node is None else node)


class _Found:
    """The devices of one domain, as they are met."""

    def __init__(self, reading: Reading, machine: str, arch: str) -> None:
        self.reading, self.arch = reading, arch
        self.drives = Drives(reading, machine)
        self.ports = Ports(reading)
        self.screens = Screens(reading, arch)
        self.lists: dict[str, list[Any]] = {"nics": [], "shares": [], "hostdevs": []}
        self.single: dict[str, Any] = {}
        self.dumped = False

    def read(self, node: Node) -> None:
        self.dumped = any(
            each.tag == "controller" and each.peek("type") == "pci" for each in node.children
        )
        readers: dict[str, Callable[[Node], None]] = {
            "disk": self.drives.disk,
            "controller": self.drives.controller,
            "serial": self.ports.serial,
            "parallel": self.ports.parallel,
            "console": self.ports.console,
            "channel": self.ports.channel,
            "graphics": self.screens.graphics,
            "video": self.screens.video,
            "input": self.screens.input,
            "sound": self.screens.sound,
            "audio": self.screens.audio,
            "interface": self._nic,
            "filesystem": self._share,
            "hostdev": self._hostdev,
            "watchdog": lambda each: self._one("watchdog", each, devices.watchdog),
            "memballoon": lambda each: self._one("balloon", each, devices.balloon),
            "rng": lambda each: self._one("rng", each, devices.rng),
            "tpm": lambda each: self._one("tpm", each, devices.tpm),
            "vsock": lambda each: self._one("vsock", each, devices.vsock),
        }
        for each in node.children:
            reader = readers.get(each.tag)
            if each.tag == "emulator":
                each.drop()
                self._emulator(each)
                continue
            if reader is None:
                self.reading.keep("devices", each)
                continue
            try:
                reader(each)
            except Keep:
                self.reading.keep("devices", each)

    def _emulator(self, node: Node) -> None:
        name = node.text.strip().rpartition("/")[2]
        if not name.startswith("qemu") and name != "kvm":
            self.reading.note(node, "ignored", "the guest runs in this host's own QEMU")

    def _nic(self, node: Node) -> None:
        made = nics.nic(self.reading, node, self.arch, dumped=self.dumped)
        self._add("nics", node, made)

    def _share(self, node: Node) -> None:
        self._add("shares", node, devices.share(self.reading, node))

    def _hostdev(self, node: Node) -> None:
        self._add("hostdevs", node, devices.hostdev(self.reading, node))

    def _add(self, field: str, node: Node, made: object) -> None:
        self.lists[field].append(made)
        self.reading.leftover(f"{field}.{len(self.lists[field]) - 1}", node)

    def _one(self, field: str, node: Node, reader: Callable[[Reading, Node], object]) -> None:
        if field in self.single:
            raise Keep
        self.single[field] = reader(self.reading, node)
        self.reading.leftover(field, node)

    def fields(self, node: Node) -> dict[str, Any]:
        ports = self.ports
        ports.finish()
        given = {**self.drives.finish(), **self.single}
        if "balloon" not in given:
            given["balloon"] = Balloon(stats_s=0)
            self.reading.note(node, "default", "no balloon is named: libvirt adds a virtio one")
        given.setdefault("rng", None)
        for field, made in self.lists.items():
            given[field] = tuple(made)
        screens = self.screens
        given["sounds"] = tuple(screens.finish(node))
        given |= {
            "serials": tuple(ports.serials),
            "parallels": tuple(ports.parallels),
            "consoles": tuple(ports.consoles),
            "channels": tuple(ports.channels),
            "agent": ports.agent,
            "displays": tuple(screens.displays),
            "videos": tuple(screens.videos),
            "inputs": tuple(screens.inputs),
        }
        if given["usb"] is None and self._usual_usb(given):
            given["usb"] = "xhci" if self.drives.own == "sata" else "piix3-uhci"
            message = f"no USB controller is named: libvirt adds one, {given['usb']}"
            self.reading.note(node, "default", message)
        return given

    def _usual_usb(self, given: dict[str, Any]) -> bool:
        """Return whether libvirt adds a USB controller that no device asks for."""
        if self.drives.no_usb or self.arch not in {"x86_64", "i386"}:
            return False
        kept = any(map(on_usb, self.reading.extras))
        return not kept and not needs_usb(SimpleNamespace(**given))


def _arguments(reading: Reading, root: Node) -> tuple[str, ...]:
    words = []
    for node in root.children:
        if node.uri == QEMU_XMLNS and node.local == "commandline":
            node.visited = True
            for argument in node.children:
                if argument.local == "arg" and argument.uri == QEMU_XMLNS:
                    argument.visited = True
                    words.append(argument.take("value") or "")
    return tuple(words)


def parents(given: dict[str, Any]) -> list[str]:
    """Return every part that text may be kept under, in the order of the XML."""
    made = [section for section in SECTIONS if section != "devices"]
    for field in ("disks", "cdroms", "floppies"):
        made += [f"{field}.{index}" for index in range(len(given.get(field, ())))]
    fields = (
        *(
            "scsi",
            "shares",
            "nics",
            "serials",
            "parallels",
            "consoles",
            "agent",
            "channels",
            "inputs",
        ),
        *("tpm", "displays", "sounds", "audio", "videos", "hostdevs", "watchdog", "balloon"),
        *("rng", "vsock"),
    )
    for field in fields:
        made.append(field)
        count = len(given["sounds"]) + 1 if field == "audio" else given.get(field)
        if isinstance(count, tuple):
            count = len(count)
        if isinstance(count, int):
            made += [f"{field}.{index}" for index in range(count)]
    return [*made, "devices"]
