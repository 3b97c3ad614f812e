"""Text that was kept verbatim, put back where it belongs in a domain's XML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kvmnb.compile.libvirt_tree import Node, Tree, read
from kvmnb.compile.libvirt_xml import Element, Raw, refused
from kvmnb.errors import ParseError, SpecError

if TYPE_CHECKING:
    from kvmnb.spec.platform import ExtraXML

__all__ = ["SECTIONS", "add_extras", "in_order", "kept", "rank"]

SECTIONS = ("metadata", "memoryBacking", "os", "features", "cpu", "clock", "pm", "devices")
"""Elements of a domain whose children are spoken of one by one."""

ORDER = (
    *("name", "uuid", "genid", "title", "description", "metadata", "maxMemory", "memory"),
    *("currentMemory", "blkiotune", "memtune", "memoryBacking", "vcpu", "vcpus", "iothreads"),
    *("iothreadids", "defaultiothread", "cputune", "numatune", "resource", "sysinfo"),
    *("bootloader", "bootloader_args", "os", "idmap", "features", "cpu", "clock"),
    *("on_poweroff", "on_reboot", "on_crash", "on_lockfailure", "pm", "perf", "devices"),
    *("seclabel", "keywrap", "launchSecurity", "qemu:commandline"),
)
"""A domain's elements in the order in which libvirt writes them (virDomainDefFormatInternal)."""

NEEDED = {"clock": {"offset": "utc"}}
"""Attributes that a section cannot be without: here, libvirt's default."""

BESIDE = frozenset({"boot", "feature", "timer", "seclabel", "sysinfo"})
"""Elements of sections that stand beside others of their name: they are added, never merged."""

MANY = frozenset(
    {"codec", "feature", "host", "ip", "listen", "portForward", "route", "seclabel", "slice"}
)
"""The same for elements of devices."""

_RANKS = {tag: number for number, tag in enumerate(ORDER)}


def rank(tag: str) -> int:
    """Return an element's turn among a domain's; unknown ones come before the devices."""
    return _RANKS.get(tag, _RANKS["devices"] - 1)


def add_extras(
    domain: Element,
    sections: dict[str, Element],
    parts: dict[str, Element],
    extras: Iterable[ExtraXML],
) -> None:
    """Add each text below its parent, in order.

    A parent is a section of the XML (``domain``, ``devices``, ``os``), or one device by the
    field that it comes from (``disks.0``). To a device, and to an element that there can be but
    one of, the attributes and children of the text are added; else the text stands beside.

    Raises
    ------
    SpecError     it is not one well-formed element
    Unsupported   the guest has no such part
    """
    for index, extra in enumerate(extras):
        field = f"extra_xml[{index}]"
        try:
            tree = read(extra.xml)
        except ParseError as error:
            raise SpecError(field, extra.xml, error.reason) from None
        if extra.parent in parts:
            _add(parts[extra.parent], tree, own=True)
        elif extra.parent == "domain":
            _add_ranked(domain, tree)
        elif extra.parent in SECTIONS:
            if extra.parent not in sections:
                sections[extra.parent] = made = Element(extra.parent, more=NEEDED.get(extra.parent))
                _insert(domain, made, rank(extra.parent))
            _add(sections[extra.parent], tree, own=False)
        else:
            refused(f"{field}.parent", f"this guest has no part {extra.parent!r}")


def _add(target: Element, tree: Tree, *, own: bool) -> None:
    root = tree.root
    if own and root.tag == target.tag:
        _merge(target, root, tree)
        return
    same = target.child(root.tag) if target.tag not in {"devices", "metadata"} else None
    if same is not None and root.tag not in (MANY if own else BESIDE):
        _merge(same, root, tree)
    else:
        target.children.append(Raw(tree.verbatim(root).strip()))


def _add_ranked(domain: Element, tree: Tree) -> None:
    root = tree.root
    same = domain.child(root.tag)
    if same is not None and root.tag not in BESIDE:
        _merge(same, root, tree)
    else:
        _insert(domain, Raw(tree.verbatim(root).strip()), rank(root.tag))


def _insert(domain: Element, made: Element | Raw, turn: int) -> None:
    at = len(domain.children)
    while at and _turn(domain.children[at - 1]) > turn:
        at -= 1
    domain.children.insert(at, made)


def _turn(child: Element | Raw) -> int:
    if isinstance(child, Element):
        return rank(child.tag)
    return rank(_tag(child.text))


def _tag(xml: str) -> str:
    end = next((index for index, sign in enumerate(xml) if sign in " \t\r\n/>"), 1)
    return xml[1:end]


def _merge(target: Element, node: Node, tree: Tree) -> None:
    target.attributes.update(node.attributes)
    if node.text.strip() and not target.children and target.text is None:
        target.text = node.text
    for each in node.children:
        same = target.child(each.tag)
        if same is not None and each.tag not in MANY:
            _merge(same, each, tree)
        else:
            target.children.append(Raw(tree.verbatim(each)))


def kept(extras: Iterable[ExtraXML], tag: str, word: str = "") -> bool:
    """Return whether a device of that kind stands among the texts."""
    return any(
        extra.parent == "devices" and _tag(extra.xml.lstrip()) == tag and word in extra.xml
        for extra in extras
    )


def in_order(extras: Iterable[ExtraXML], parents: Iterable[str]) -> tuple[ExtraXML, ...]:
    """Return the texts in the order in which a compiled XML has them.

    Parameters
    ----------
    parents : every parent, in the order of the XML
    """
    turns = {parent: number for number, parent in enumerate(parents)}

    def turn(extra: ExtraXML) -> tuple[int, int]:
        if extra.parent != "domain":
            return turns.get(extra.parent, len(turns)), 0
        return -1, rank(_tag(extra.xml.lstrip()))

    return tuple(sorted(extras, key=turn))
