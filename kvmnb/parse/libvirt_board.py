"""The board of a domain XML: memory, start, features, clock, power."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from kvmnb.compile.libvirt_tree import Node
from kvmnb.compile.libvirt_words import ARCHES, BOARD_OPTIONS, BOOT, TRACKS
from kvmnb.parse.libvirt_reading import UNITS, Reading
from kvmnb.spec.boot import Boot
from kvmnb.spec.domain import ARCHES as KNOWN_ARCHES
from kvmnb.spec.domain import ON_CRASH, ON_POWEROFF, ON_REBOOT
from kvmnb.spec.memory import MEMORY_LIMIT_MIB, Memory
from kvmnb.spec.numa import NUMANode
from kvmnb.spec.platform import Clock, Firmware

__all__ = ["clock", "features", "memory", "power", "start"]

_ARCHES = {libvirt: ours for ours, libvirt in ARCHES.items()} | {"armv6l": "arm"}
_LETTERS = {device: letter for letter, device in BOOT.items()}
_SOURCES = {track: source for source, track in TRACKS.items()} | {"wall": "host"}
_FEATURES = {element: option for option, element in BOARD_OPTIONS.items()}


def memory(reading: Reading, root: Node, nodes: tuple[NUMANode, ...]) -> Memory:
    """Return the guest's memory; NUMA nodes say how much, where there are some."""
    node = root.child("memory")
    if node is None and not nodes:
        reading.fail(root, "a domain needs <memory>")
    size = 0 if node is None else reading.mebibytes(node)
    given: dict[str, Any] = {"size_mib": size}
    if nodes:
        given["size_mib"] = sum(each.memory_mib for each in nodes)
    most = root.child("maxMemory")
    if most is not None:
        slots, size = reading.number(most, "slots"), reading.mebibytes(most)
        if size > MEMORY_LIMIT_MIB:
            most.visited = False
        elif slots and size > given["size_mib"]:
            given |= {"slots": slots, "maximum_mib": size}
        else:
            reading.note(most, "ignored", "no room for more memory than there is")
    current = root.child("currentMemory")
    if current is not None:
        size = reading.mebibytes(current)
        if 0 < size < given["size_mib"]:
            given["current_mib"] = size
        elif size > given["size_mib"]:
            reading.note(current, "ignored", "the guest cannot have more than its memory")
    backing = root.child("memoryBacking")
    if backing is not None:
        given |= _backing(reading, backing)
        reading.section("memoryBacking", backing)
    with reading.checked(node or root):
        return Memory(**given)


def _backing(reading: Reading, backing: Node) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if backing.child("nosharepages") is not None:
        given["merged"] = False
    if backing.child("locked") is not None:
        given["locked"] = True
    access = backing.child("access")
    if access is not None and reading.choice(access, "mode", {"shared": True, "private": False}):
        given["shared"] = True
    allocation = backing.child("allocation")
    if allocation is not None and reading.choice(
        allocation, "mode", {"immediate": True, "ondemand": False}
    ):
        given["preallocated"] = True
    source = next(iter(backing.all("source")), None)
    kind = None if source is None else source.peek("type")
    if source is not None and kind != "file":
        source.visited = True
        words = {"memfd": "memfd", "anonymous": "anonymous"}
        given["source"] = reading.choice(source, "type", words) or "anonymous"
    huge = next(iter(backing.all("hugepages")), None)
    pages = [] if huge is None else huge.all("page")
    if (
        huge is None
        or kind == "file"
        or len(pages) > 1
        or any("nodeset" in p.attributes for p in pages)
    ):
        return given
    huge.visited = True
    given["hugepages"] = True
    given["source"] = "memfd"
    for page in pages:
        page.visited = True
        given["hugepage_kib"] = _kibibytes(reading, page)
    return given


def _kibibytes(reading: Reading, page: Node) -> int:
    size, unit = reading.needed(page, "size"), page.take("unit") or "KiB"
    factor = UNITS.get(unit.lower())
    if factor is None:
        reading.unknown(page, "unit", unit, ("KiB", "MiB", "GiB"))
    return size * factor >> 10


def start(reading: Reading, root: Node, told: Node | None) -> dict[str, Any]:
    """Return the fields that ``<os>`` speaks of; `told` is what only kvmnb has words for."""
    node = root.child("os")
    if node is None:
        reading.fail(root, "a domain needs <os>")
    given: dict[str, Any] = {}
    kind = node.child("type")
    if kind is None:
        reading.fail(node, "<os> needs <type>")
    word = kind.text.strip()
    if word not in {"hvm", "linux", "xen"}:
        reading.unknown(kind, None, word, ("hvm", "linux", "xen"))
    arch = kind.take("arch") or "x86_64"
    given["arch"] = _ARCHES.get(arch, arch)
    if given["arch"] not in KNOWN_ARCHES:
        known = (*(a for a in KNOWN_ARCHES if a not in ARCHES), *_ARCHES)
        reading.unknown(kind, "arch", arch, known)
    machine = kind.take("machine")
    given["paravirt"] = word != "hvm"
    given["machine"] = "pc" if machine is None or word != "hvm" else machine
    if machine is None and word == "hvm":
        given["machine"] = "pc" if given["arch"] in {"x86_64", "i386"} else "virt"
        reading.note(kind, "default", f"no board is named: it is {given['machine']}")
    given["firmware"] = _firmware(reading, node)
    given["boot"] = _boot(reading, node, told)
    reading.section("os", node)
    return given


def _firmware(reading: Reading, node: Node) -> Firmware | None:
    chosen = reading.choice(node, "firmware", {"efi": "uefi", "bios": "bios"})
    loader = node.child("loader")
    code = None if loader is None or not loader.text.strip() else loader.text
    if loader is not None and loader.peek("secure") == "no":
        loader.take("secure")
    if code is None and chosen is None:
        return None
    given: dict[str, Any] = {"kind": chosen}
    if loader is not None and code is not None:
        flash = loader.take("type") == "pflash"
        given = {"kind": "uefi" if flash else "bios", "code": code}
        if flash and loader.peek("readonly") == "yes":
            loader.take("readonly")
    if given["kind"] == "uefi":
        if loader is not None and loader.peek("secure") == "yes":
            given["secure"] = loader.take("secure") == "yes"
        if code is None and _asks_for_secure_boot(node):
            given["secure"] = True
        for nvram in node.all("nvram")[:1]:
            if code is not None and not nvram.children and nvram.text.strip():
                nvram.visited = True
                given["variables"] = nvram.text
    with reading.checked(node):
        return Firmware(**given)


def _asks_for_secure_boot(node: Node) -> bool:
    for group in node.all("firmware"):
        for feature in group.all("feature"):
            if feature.attributes == {"enabled": "yes", "name": "secure-boot"}:
                group.visited = True
                feature.drop()
                return True
    return False


def _boot(reading: Reading, node: Node, told: Node | None) -> Boot:
    given: dict[str, Any] = {}
    letters = []
    for each in node.all("boot"):
        each.visited = True
        letter = reading.choice(each, "dev", _LETTERS)
        if letter is None:
            reading.fail(each, "<boot> needs dev='hd', 'cdrom', 'network' or 'fd'")
        if letter not in letters:
            letters.append(letter)
    given["order"] = "".join(letters)
    menu = node.child("bootmenu")
    if menu is not None:
        given["menu"] = bool(reading.flag(menu, "enable"))
        given["menu_timeout_ms"] = reading.number(menu, "timeout") or None
    for tag, field in (("kernel", "kernel"), ("initrd", "initrd"), ("dtb", "dtb")):
        element = node.child(tag)
        if element is not None and element.text:
            given[field] = element.text
    cmdline = node.child("cmdline")
    if cmdline is not None:
        given["append"] = cmdline.text
    if "kernel" not in given:
        for field in ("initrd", "dtb", "append"):
            if given.pop(field, None):
                reading.note(node, "ignored", f"{field} has no effect without a kernel")
    if told is not None:
        for name in ("once", "location", "append", "order"):
            value = told.take(name)
            if value is not None:
                given[name] = value
        if told.take("strict") == "yes":
            given["strict"] = True
    with reading.checked(node):
        return Boot(**given)


def features(reading: Reading, root: Node) -> dict[str, Any]:
    """Return the fields that ``<features>`` speaks of."""
    node = root.child("features")
    if node is None:
        return {"acpi": False, "machine_options": ()}
    options = []
    for each in node.children:
        for (tag, attribute, value), option in _FEATURES.items():
            if each.tag == tag and each.peek(attribute) == value and not each.visited:
                each.visited = True
                each.take(attribute)
                options.append(option)
        if each.tag in {"apic", "pae"} and not each.attributes:
            # every board of x86 has both
            each.visited = True
    acpi = node.child("acpi") is not None
    reading.section("features", node)
    return {"acpi": acpi, "machine_options": tuple(options)}


def clock(reading: Reading, root: Node) -> Clock | None:
    """Return the guest's clocks, or ``None`` where nothing is said."""
    node = root.child("clock")
    if node is None:
        return None
    given: dict[str, Any] = {}
    offset = node.peek("offset")
    match offset:
        case "utc" | "localtime":
            node.take("offset")
            given["base"] = offset
        case "absolute" if "start" in node.attributes:
            node.take("offset")
            given["base"] = _date(reading, node)
        case "variable" if node.peek("basis") == "localtime":
            given["base"] = "localtime"
        case "variable" | "timezone" | None:
            given["base"] = "utc"
        case _:
            known = ("utc", "localtime", "timezone", "variable", "absolute")
            reading.unknown(node, "offset", offset, known)
    for timer in node.all("timer"):
        _timer(reading, timer, given)
    reading.section("clock", node)
    with reading.checked(node):
        return Clock(**given)


def _date(reading: Reading, node: Node) -> str:
    from datetime import datetime

    seconds = reading.needed(node, "start")
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        reading.fail(node, f"{seconds} seconds after 1970 is no date", "start")
    return moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def _timer(reading: Reading, timer: Node, given: dict[str, Any]) -> None:
    name = timer.peek("name")
    said = set(timer.attributes) - {"name"}
    plain = not timer.children
    if name == "rtc" and plain and said <= {"track", "tickpolicy"}:
        track, policy = timer.peek("track"), timer.peek("tickpolicy")
        if track in {None, *_SOURCES} and policy in {None, "catchup", "delay"}:
            if track is not None:
                given["source"] = _SOURCES[track]
            if policy == "catchup":
                given["driftfix"] = "slew"
            timer.drop()
    elif name == "pit" and plain and said == {"tickpolicy"}:
        if timer.peek("tickpolicy") in {"delay", "discard"}:
            given["pit"] = timer.peek("tickpolicy")
            timer.drop()
    elif name == "hpet" and plain and said == {"present"}:
        given["hpet"] = reading.flag(timer, "present")
        timer.drop()


def power(reading: Reading, root: Node) -> dict[str, Any]:
    """Return what becomes of the guest when it ends, and whether it may sleep."""
    given: dict[str, Any] = {}
    others = {"rename-restart", "coredump-destroy", "coredump-restart"}
    for tag, known in (
        ("on_poweroff", ON_POWEROFF),
        ("on_reboot", ON_REBOOT),
        ("on_crash", ON_CRASH),
    ):
        for node in root.all(tag)[:1]:
            word = node.text.strip()
            if word in known:
                node.visited = True
                given[tag] = word
            elif word not in others:
                reading.unknown(node, None, word, (*known, *sorted(others)))
    pm = root.child("pm")
    if pm is not None:
        for tag in ("suspend-to-mem", "suspend-to-disk"):
            sleep = pm.child(tag)
            if sleep is not None:
                given[tag.replace("-", "_")] = reading.flag(sleep, "enabled")
        reading.section("pm", pm)
    return given
