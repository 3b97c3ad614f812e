"""What a line of virt-install's says of memory, processors, firmware, start and clock."""

from __future__ import annotations

import re
from typing import Any

from kvmnb.compile.libvirt_words import ARCHES, BOARD_OPTIONS, BOOT
from kvmnb.compile.libvirt_xml import Element
from kvmnb.compile.virt_install_board import BACKING_DIR, CPU_MODES
from kvmnb.compile.virt_install_extra import TIMERS, flat
from kvmnb.parse.virt_install_draft import Draft
from kvmnb.parse.virt_install_options import Given
from kvmnb.parse.virt_install_subs import ON, Sub, Subs

__all__ = [
    *(
        "ARCH_WORDS",
        "boot",
        "clock",
        "cpu",
        "events",
        "features",
        "memory",
        "memorybacking",
        "metadata",
    ),
    *("pm", "ram", "vcpus"),
]

MODES = {word: model for model, word in CPU_MODES.items()}
LETTERS = {word: letter for letter, word in BOOT.items()}
POLICIES = {"force": "+", "require": "+", "optional": "+", "disable": "-", "forbid": "-"}
ARCH_WORDS = {word: arch for arch, word in ARCHES.items()} | {"armv6l": "arm"}
FEATURES = {f"{tag}.{attribute}": (tag, attribute) for tag, attribute, _ in BOARD_OPTIONS.values()}

NODES_LIMIT = 128
"""NUMA nodes of a guest (QEMU's MAX_NODES)."""


def ram(draft: Draft, given: Given) -> None:
    """Read the old ``--ram MIB``."""
    draft.note(given.position, given.written, "old", "today it is --memory MIB")
    memory(draft, given)


def memory(draft: Draft, given: Given) -> None:
    """Read ``--memory``, in MiB.

    Without ``currentMemory``, ``memory`` is the old word for it and ``maxmemory`` for ``memory``.
    """
    subs = Subs(draft, given, "memory", option="memory")
    size, current = subs.number("memory"), subs.number("currentMemory")
    most = subs.number("maxmemory")
    if most is not None:
        message = "maxmemory is what --memory memory=…,currentMemory=… says today"
        draft.note(given.position, f"maxmemory={most}", "old", message)
        if current is None:
            current = size
        size = most
    said: dict[str, Any] = {
        "size_mib": size,
        "current_mib": current if current is None or size is not None else None,
        "maximum_mib": subs.number("maxMemory", "hotplugmemorymax"),
        "slots": subs.number("maxMemory.slots", "hotplugmemoryslots"),
    }
    if size is None and current is not None:
        said["size_mib"] = current
    if subs.switch("hugepages"):
        said |= {"hugepages": True, "source": "memfd"}
    draft.memory |= {key: value for key, value in said.items() if value is not None}
    draft.said.setdefault("memory", given.at(0))
    subs.keep_option()


def memorybacking(draft: Draft, given: Given) -> None:
    """Read ``--memorybacking``."""
    subs = Subs(draft, given)
    said = draft.memory
    if subs.switch("hugepages") or subs.has("hugepages.page0.size", "size"):
        said["hugepages"] = True
        if said.setdefault("source", "memfd") != "memfd":
            draft.fail(given.position, "huge pages go with source.type=memfd")
    kind = subs.filled("source.type", "source_type")
    if kind == "file":
        said |= {"source": "file", "path": BACKING_DIR}
    elif kind is not None:
        said["source"] = kind
    size = subs.number("hugepages.page0.size", "hugepages.page.size", "size")
    unit = subs.filled("hugepages.page0.unit", "hugepages.page.unit", "unit") or "KiB"
    if size is not None:
        scale = {"K": 1, "KIB": 1, "M": 1 << 10, "MIB": 1 << 10, "G": 1 << 20, "GIB": 1 << 20}
        if unit.upper() not in scale:
            draft.fail(given.position, "a huge page's unit is KiB, MiB or GiB")
        said["hugepage_kib"] = size * scale[unit.upper()]
    if (mode := subs.filled("access.mode", "access_mode")) is not None:
        said["shared"] = mode == "shared"
    if (mode := subs.filled("allocation.mode")) is not None:
        said["preallocated"] = mode == "immediate"
    if (locked := subs.switch("locked")) is not None:
        said["locked"] = locked
    if (alone := subs.switch("nosharepages")) is not None:
        said["merged"] = not alone
    draft.said.setdefault("memory", given.position)
    subs.keep_option()


def vcpus(draft: Draft, given: Given) -> None:
    """Read ``--vcpus``: how many, at most how many, and how laid out."""
    subs = Subs(draft, given, "vcpu", commas=("cpuset", "vcpu.cpuset"))
    count, most = subs.number("vcpu", "vcpus"), subs.number("maxvcpus")
    current = subs.number("vcpu.current")
    if current is not None:
        count, most = current, most if most is not None else count
    said = {"count": count, "maximum": most}
    for part in ("sockets", "dies", "cores", "threads"):
        said[part] = subs.number(part)
    draft.cpu |= {key: value for key, value in said.items() if value is not None}
    draft.said.setdefault("cpu", given.at(0))
    for keys in (("cpuset", "vcpu.cpuset"), ("placement", "vcpu.placement")):
        sub = subs.sub(*keys)
        if sub is not None and sub.value:
            draft.extra("domain", flat(Element("vcpu", more={keys[0]: sub.value})))
            draft.note(sub.position, sub.written, "kept", "no field stands for it")
    subs.keep_option()


_CELL = re.compile(
    r"(?:numa\.)?cell(\d{0,3})\.(?:(id|cpus|memory|unit)|distances\.sibling(\d{0,3})\.(id|value))",
    re.ASCII,
)
_UNITS = {"K": 1, "KIB": 1, "M": 1 << 10, "MIB": 1 << 10, "G": 1 << 20, "GIB": 1 << 20}


def cpu(draft: Draft, given: Given) -> None:
    """Read ``--cpu``: a model, features of it, its layout, and NUMA nodes."""
    cells = tuple(f"{head}cell{index}.cpus" for index in range(NODES_LIMIT) for head in _HEADS)
    subs = Subs(draft, given, "model", commas=cells)
    model = subs.filled("model")
    draft.said.setdefault("cpu", given.at(0))
    if model is not None:
        if model == "host":
            draft.note(given.at(0), "host", "old", "today it is --cpu host-model")
        if model == "maximum":
            message = "it is written mode=maximum; some versions take it for a model of that name"
            draft.note(given.at(0), model, "mended", message)
        special = {"host": "host-model", "host-model-only": "host-model", **MODES}
        if model == "none":
            draft.cpu.pop("model", None)
        else:
            draft.cpu["model"] = special.get(model, model)
    if (mode := subs.filled("mode")) is not None and mode != "custom":
        if mode not in MODES:
            draft.fail(given.position, f"mode is custom, {', '.join(MODES)}; not {mode[:40]!r}")
        draft.cpu["model"] = MODES[mode]
    for key in ("match", "check", "model.fallback"):
        # how strictly libvirt checks what it gives; here it always gives all or refuses
        subs.text(key)
    features: list[str] = []
    for sub in subs.all(*POLICIES):
        features += [POLICIES[sub.key] + name for name in [sub.value] if name]
    for sub in subs.starting("+") + subs.starting("-"):
        features.append(sub.key)
    if features:
        draft.cpu["features"] = (*draft.cpu.get("features", ()), *features)
    for part in ("sockets", "dies", "cores", "threads"):
        if (number := subs.number(f"topology.{part}")) is not None:
            draft.cpu[part] = number
    for sub in subs.starting("numa.cell") + subs.starting("cell"):
        _cell(draft, subs, sub)
    subs.keep_option()


_HEADS = ("numa.", "")


def _cell(draft: Draft, subs: Subs, sub: Sub) -> None:
    found = _CELL.fullmatch(sub.key)
    if found is None:
        draft.keep_words("--cpu", sub.written)
        draft.note(sub.position, sub.written, "kept", "no field stands for it; it stays as it is")
        return
    number = int(found[1] or 0)
    if number >= NODES_LIMIT:
        draft.fail(sub.position, f"a guest has at most {NODES_LIMIT} NUMA nodes")
    cell = draft.cells.setdefault(number, {"position": sub.position, "distances": {}})
    if found[2] in {"id", "memory"}:
        cell[found[2]] = subs.whole(sub)
    elif found[2] == "cpus":
        cell["cpus"] = _numbers(draft, sub)
    elif found[2] == "unit":
        if (sub.value or "").upper() not in _UNITS:
            draft.fail(sub.position, "a node's unit is KiB, MiB or GiB")
        cell["unit"] = _UNITS[(sub.value or "").upper()]
    else:
        sibling = cell["distances"].setdefault(int(found[3] or 0), {})
        sibling[found[4]] = subs.whole(sub)


def _numbers(draft: Draft, sub: Sub) -> tuple[int, ...]:
    """Return the vCPUs that ``0-3,6`` means."""
    numbers: list[int] = []
    for part in (sub.value or "").split(","):
        low, dash, high = part.strip().partition("-")
        high = high if dash else low
        good = all(end.isascii() and end.isdecimal() and len(end) < 4 for end in (low, high))
        if not good or int(low) > int(high):
            draft.fail(sub.position, f"{sub.key} is a set of vCPUs such as 0-3,6")
        numbers.extend(range(int(low), int(high) + 1))
    return tuple(numbers)


def features(draft: Draft, given: Given) -> None:
    """Read ``--features``."""
    subs = Subs(draft, given)
    if (acpi := subs.switch("acpi")) is not None:
        draft.fields["acpi"] = acpi
    for key, place in FEATURES.items():
        sub = subs.sub(key, key.removesuffix(".state"))
        if sub is None:
            continue
        word = {True: "on", False: "off"}.get((sub.value or "").lower() in ON, "")
        word = sub.value or "" if key == "ioapic.driver" else word
        for option, element in BOARD_OPTIONS.items():
            if element == (*place, word):
                draft.lists.setdefault("machine_options", []).append(option)
                break
        else:
            draft.fail(sub.position, f"{sub.key} cannot be {word!r}")
    subs.keep_option()


def clock(draft: Draft, given: Given) -> None:
    """Read ``--clock``."""
    subs = Subs(draft, given)
    said = draft.clock
    draft.said.setdefault("clock", given.position)
    if (offset := subs.filled("offset")) is not None:
        if offset not in {"utc", "localtime"}:
            draft.fail(given.position, "a clock's offset is utc or localtime here")
        said["base"] = offset
    timers: dict[str, dict[str, Sub]] = {}
    for name in ("rtc", "pit", "hpet", *TIMERS):
        for what in ("tickpolicy", "present"):
            if (sub := subs.sub(f"{name}_{what}")) is not None:
                timers.setdefault(name, {})[what] = sub
    for number in range(8):
        parts = {sub.key.partition(".")[2]: sub for sub in subs.starting(f"timer{number}.")}
        if parts:
            named = parts.pop("name", None)
            timers.setdefault("" if named is None else named.value or "", {}).update(parts)
    for name, words in timers.items():
        draft.said["timers"] = given.position
        for what, sub in words.items():
            _timer(draft, name, what, sub, subs)
    if subs.rest_has_timers():
        draft.said["timers"] = given.position
    subs.keep_option()


def _timer(draft: Draft, name: str, what: str, sub: Sub, subs: Subs) -> None:
    said, word = draft.clock, sub.value or ""
    match name, what:
        case "rtc", "tickpolicy" if word in {"catchup", "delay"}:
            said["driftfix"] = "slew" if word == "catchup" else "none"
        case "rtc", "track" if word in {"guest", "wall", "realtime"}:
            said["source"] = {"guest": "vm", "wall": "host", "realtime": "rt"}[word]
        case "pit", "tickpolicy" if word in {"delay", "discard"}:
            said["pit"] = word
        case "hpet", "present":
            said["hpet"] = word.lower() in ON
        case _, "present" if name in TIMERS:
            present = word.lower() in ON
            draft.extra("clock", flat(Element("timer", name=name, present=present)))
            draft.note(sub.position, sub.written, "kept", "no field stands for such a timer")
        case _:
            written = sub.written
            if sub.key.startswith("timer"):
                head = sub.key.partition(".")[0]
                written = f"{head}.name={name},{written}"
            draft.keep_words("--clock", written)
            draft.note(sub.position, sub.written, "kept", "no field stands for such a timer")


def pm(draft: Draft, given: Given) -> None:
    """Read ``--pm``."""
    subs = Subs(draft, given)
    for field in ("suspend_to_mem", "suspend_to_disk"):
        if (enabled := subs.switch(f"{field}.enabled")) is not None:
            draft.fields[field] = enabled
    subs.keep_option()


def events(draft: Draft, given: Given) -> None:
    """Read ``--events``."""
    subs = Subs(draft, given)
    draft.said.setdefault("events", given.position)
    for field in ("on_poweroff", "on_reboot", "on_crash"):
        if (action := subs.filled(field)) is not None:
            draft.fields[field] = action
    subs.keep_option()


def metadata(draft: Draft, given: Given) -> None:
    """Read ``--metadata``."""
    subs = Subs(draft, given, commas=("name", "title", "description"))
    for field in ("name", "title", "uuid", "description"):
        if (text := subs.text(field)) is not None:
            draft.fields[field] = text
            draft.said[field] = given.position
    if subs.switch("genid_enable"):
        draft.fields.setdefault("vmgenid", "auto")
    if genid := subs.filled("genid"):
        draft.fields["vmgenid"] = genid
    if system := subs.filled("os_name"):
        draft.fields["osinfo"] = system
    subs.keep_option()


_NUMBERED = re.compile(r"boot\d{0,2}\.dev", re.ASCII)


def boot(draft: Draft, given: Given) -> None:
    """Read ``--boot``: order, firmware, and a kernel that QEMU loads itself."""
    subs = Subs(draft, given, commas=("cmdline", "kernel_args", "extra_args"))
    draft.said.setdefault("boot", given.at(0))
    menu = subs.switch("bootmenu.enable", "menu")
    timeout = subs.number("bootmenu.timeout")
    for key in ("bootloader", "bootloader_args"):
        if subs.has(key):
            draft.fail(subs.where(key), "a boot loader of the host's is Xen's; it is not for KVM")
    numbered = sorted(subs.starting("boot"), key=lambda sub: sub.key)
    for sub in numbered:
        if not _NUMBERED.fullmatch(sub.key) or sub.value not in LETTERS:
            draft.fail(sub.position, f"boot0.dev is one of {', '.join(LETTERS)}")
    if numbered:
        letters = "".join(LETTERS[sub.value or ""] for sub in numbered)
        draft.fields["numbered"] = "".join(dict.fromkeys(letters))
    order = "".join(LETTERS[sub.key] for sub in subs.all(*LETTERS))
    if order:
        draft.boot["order"] = "".join(dict.fromkeys(order))
    said: dict[str, Any] = {
        "menu": menu,
        "menu_timeout_ms": timeout,
        "kernel": subs.filled("kernel"),
        "initrd": subs.filled("initrd"),
        "append": subs.filled("cmdline", "kernel_args", "extra_args"),
        "dtb": subs.filled("dtb"),
    }
    draft.boot |= {key: value for key, value in said.items() if value is not None}
    for key in ("machine", "arch"):
        if (text := subs.filled(key)) is not None:
            draft.fields[key] = ARCH_WORDS.get(text, text)
    if (kind := subs.filled("domain_type")) is not None:
        draft.fields["virt_type"] = (given.position, kind)
    if (kind := subs.filled("os_type")) is not None:
        draft.fields["paravirt"] = kind in {"xen", "linux"}
    _firmware(draft, subs)
    subs.keep_option()


def _firmware(draft: Draft, subs: Subs) -> None:
    said = draft.firmware
    if subs.sub("uefi") is not None:
        said["kind"] = "uefi"
    if (kind := subs.filled("firmware")) is not None:
        if kind not in {"efi", "bios"}:
            draft.fail(subs.position, "firmware is efi or bios")
        said["kind"] = "uefi" if kind == "efi" else "bios"
    if (loader := subs.filled("loader")) is not None:
        said["code"] = loader
        said.setdefault("kind", "bios")
    kind = subs.filled("loader.type", "loader_type")
    readonly = subs.switch("loader.readonly", "loader_ro")
    if kind is not None or readonly:
        said["kind"] = "bios" if kind == "rom" else "uefi"
    if (secure := subs.switch("loader.secure", "loader_secure")) is not None:
        said["secure"] = secure
    if (variables := subs.filled("nvram")) is not None:
        said["variables"] = variables
    names = subs.filled("firmware.feature0.name")
    enabled = subs.switch("firmware.feature0.enabled")
    if names == "secure-boot" and enabled is not None:
        said["secure"] = enabled
    elif names is not None:
        text = f"firmware.feature0.name={names},firmware.feature0.enabled={enabled or False}"
        draft.keep_words("--boot", text)
        draft.note(subs.position, text, "kept", "no field stands for it; it stays as it is")
