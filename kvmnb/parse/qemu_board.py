"""Processors, memory, board, accelerator, clock, start: the options that are no devices."""

from __future__ import annotations

import re

from kvmnb.parse.qemu_draft import Draft, Entry, suggestion
from kvmnb.parse.qemu_elsewhere import board_of_today
from kvmnb.parse.qemu_options import Given, Options
from kvmnb.parse.words import Word

__all__ = [
    *("accel", "action", "boot", "boot_file", "cpu", "enable_kvm", "machine", "memory", "name"),
    *("numa_entry", "overcommit", "rtc", "settle_accel", "smp", "uuid", "no_kvm", "no_option"),
]


def name(draft: Draft, option: Word, value: Word) -> None:
    """``-name``: what the guest is called."""
    options = Options(draft.text, value, "guest")
    if given := options.take("guest"):
        draft.fields["name"] = given.value
        draft.places["name"] = given.value_at
    process = options.take("process")
    options.take("debug-threads")
    own = draft.run_dir is not None and process is not None and process.value.startswith("qemu:")
    if process is not None and not own:
        told = "the engine gives the process a title of its own"
        draft.note(process.key_at, f"process={process.value}", "ignored", told)
    _nothing_left(draft, option, options, "guest process debug-threads")


def uuid(draft: Draft, option: Word, value: Word) -> None:
    """``-uuid``: by which SMBIOS knows the guest."""
    draft.fields["uuid"], draft.places["uuid"] = value.text, value.position


def smp(draft: Draft, option: Word, value: Word) -> None:
    """``-smp``: how many processors, and how they are laid out."""
    options = Options(draft.text, value, "cpus")
    fields: dict[str, int] = {}
    for key in ("sockets", "dies", "cores", "threads", "maxcpus"):
        if given := options.take(key):
            fields["maximum" if key == "maxcpus" else key] = draft.number(given, key, 1, 1 << 16)
    for key in ("clusters", "modules", "books", "drawers"):
        given = options.take(key)
        if given is not None and draft.number(given, key, 1, 1 << 16) != 1:
            raise draft.refused(given.value_at, f"an x86 board has no {key}")
    if given := options.take("cpus"):
        count = draft.number(given, "-smp", 1, 1 << 16)
    else:
        count = fields.get("maximum", 1)
        if "maximum" not in fields:
            for part in ("sockets", "dies", "cores", "threads"):
                count *= fields.get(part, 1)
    if fields.get("maximum") == count and draft.run_dir is None:
        del fields["maximum"]
    _nothing_left(draft, option, options, "cpus sockets dies cores threads maxcpus")
    draft.part("cpu", value.position, count=count, **fields)


GONE_FEATURES = {"osxsave", "ospke"}
"""Bits of CPUID that mirror a control register; older logs of libvirt's name them."""


def cpu(draft: Draft, option: Word, value: Word) -> None:
    """``-cpu``: which model, and what it gains and loses."""
    model, *features = value.text.split(",")
    place, found = value.at(len(model) + 1), []
    index = len(model) + 1
    for feature in features:
        place, index = value.at(index), index + len(feature) + 1
        if not feature:
            raise draft.refused(place, "a feature is missing between two commas")
        if feature.lstrip("+-").partition("=")[0] in GONE_FEATURES:
            told = f"{feature} is gone since QEMU 3.0: the guest's kernel sets it by itself"
            draft.note(place, feature, "removed", told)
            continue
        bare = feature[0] not in "+-" and "=" not in feature
        found.append(f"{feature}=on" if bare else feature)
    draft.part("cpu", value.position, model=model, features=tuple(found))


def memory(draft: Draft, option: Word, value: Word) -> None:
    """``-m``: how much, and room for more."""
    options = Options(draft.text, value, "size")
    fields: dict[str, int] = {}
    if given := options.take("size"):
        fields["size_mib"] = draft.mib(given, "-m")
    slots, most = options.take("slots"), options.take("maxmem")
    if slots is not None:
        fields["slots"] = draft.number(slots, "slots", 0, 1 << 16)
    if most is not None:
        maximum = draft.mib(most, "maxmem", "m")
        if not fields.get("slots") and maximum == fields.get("size_mib", 128):
            draft.note(most.key_at, f"maxmem={most.value}", "ignored", "there is no room for more")
            fields.pop("slots", None)
        elif slots is None:
            # room without places is for devices such as virtio-mem; -m options are joined
            draft.keep(option, Word(f"maxmem={most.value}", most.key_at, value.end))
        else:
            fields["maximum_mib"] = maximum
    _nothing_left(draft, option, options, "size slots maxmem")
    draft.part("memory", value.position, **fields)


def overcommit(draft: Draft, option: Word, value: Word) -> None:
    """``-overcommit``: memory that is never swapped."""
    options = Options(draft.text, value)
    if given := options.take("mem-lock"):
        draft.part("memory", given.value_at, locked=draft.switch(given, "mem-lock"))
    if options.items:
        rest = ",".join(f"{given.key}={given.value}" for given in options.items)
        draft.keep(option, Word(rest, value.position, value.end))


def numa_entry(draft: Draft, option: Word, value: Word) -> None:
    """``-numa``: understood with the memory that it names, at the end."""
    draft.entries.append(Entry(option, value, Options(draft.text, value, "type")))


MACHINE_KEYS = {
    "usb", "memory-backend", "acpi", "hpet", "kernel", "initrd", "append", "dtb", "firmware",
    "mem-merge", "accel", "type", "pcspk-audiodev",
}  # fmt: skip


def machine(draft: Draft, option: Word, value: Word) -> None:
    """``-machine``: the board and its properties."""
    options = Options(draft.text, value, "type")
    if given := options.take("type"):
        draft.fields["machine"] = board_of_today(draft, given)
        draft.places["machine"] = given.value_at
    if given := options.take("accel"):
        draft.kvm_asked = _accelerators(draft, given.value.split(":"), given.value_at)
    if given := options.take("usb"):
        draft.said.add("usb") if draft.switch(given, "usb") else draft.said.discard("usb")
    if given := options.take("acpi"):
        draft.fields["acpi"] = given.value == "auto" or draft.switch(given, "acpi")
    if given := options.take("hpet"):
        draft.part("clock", given.value_at, hpet=draft.switch(given, "hpet"))
    if given := options.take("mem-merge"):
        draft.part("memory", given.value_at, merged=draft.switch(given, "mem-merge"))
    if given := options.take("firmware"):
        draft.part("firmware", given.value_at, kind="bios", code=given.value)
    for key in ("kernel", "initrd", "append", "dtb"):
        if given := options.take(key):
            draft.part("boot", given.value_at, **{key: given.value})
    for key in ("memory-backend", "pcspk-audiodev"):
        if given := options.take(key):
            draft.parts.setdefault("references", {})[key] = given
    pairs = tuple((given.key, given.value) for given in options.items)
    if pairs:
        draft.fields["machine_options"] = (*draft.fields.get("machine_options", ()), *pairs)
        draft.places["machine_options"] = value.position


def accel(draft: Draft, option: Word, value: Word) -> None:
    """``-accel``: what runs the guest's code, and how."""
    options = Options(draft.text, value, "accel")
    given = options.take("accel")
    if given is None:
        raise draft.refused(value.position, "-accel names an accelerator: kvm or tcg")
    names = draft.kvm_asked.split(":") if "accel" in draft.said and draft.kvm_asked else []
    draft.said.add("accel")
    names.append(given.value)
    draft.kvm_asked = _accelerators(draft, names, given.value_at)
    if given.value not in {"kvm", "tcg"}:
        for each in options.items:
            told = f"it is of the accelerator {given.value}, which is not used here"
            draft.note(each.key_at, f"{each.key}={each.value}", "ignored", told)
        return
    pairs = tuple((each.key, each.value) for each in options.items)
    if pairs:
        draft.fields["accel_options"] = (*draft.fields.get("accel_options", ()), *pairs)
        draft.places["accel_options"] = value.position


def _accelerators(draft: Draft, names: list[str], at: int) -> str:
    for each in names:
        if each in {"hvf", "whpx", "hax", "nvmm", "xen"}:
            told = "belongs to another system than Linux with KVM; here it is auto"
            draft.note(at, each, "changed", f"the accelerator {each} {told}")
        elif each not in {"kvm", "tcg", "auto"}:
            near = suggestion(each, ("kvm", "tcg"))
            raise draft.refused(at, f"accelerator {each[:40]!r}: {near}kvm or tcg")
    known = [each if each in {"kvm", "tcg"} else "auto" for each in names]
    return ":".join(known)


def enable_kvm(draft: Draft, option: Word, value: Word | None) -> None:
    """``-enable-kvm``: KVM and nothing else."""
    draft.kvm_asked = "kvm"
    draft.said.add("accel")


def no_kvm(draft: Draft, option: Word, value: Word | None) -> None:
    """``-no-kvm``: emulation."""
    draft.kvm_asked = "tcg"


def settle_accel(draft: Draft, binary: str) -> None:
    """Say which accelerator the line, or else its binary, asks for."""
    asked = draft.kvm_asked
    if not asked:
        asked = "auto" if binary in {"kvm", "qemu-kvm"} else "tcg"
    draft.fields["accel"] = asked if asked in {"kvm", "tcg"} else "auto"


_BOOT_KEYS = "order once menu strict splash splash-time reboot-timeout"


def boot(draft: Draft, option: Word, value: Word) -> None:
    """``-boot``: from what, in which order."""
    options = Options(draft.text, value, "order")
    fields: dict[str, object] = {}
    places: dict[str, int] = {}
    for key in ("order", "once", "splash"):
        if given := options.take(key):
            fields[key], places[f"boot.{key}"] = given.value, given.value_at
    for key in ("menu", "strict"):
        if given := options.take(key):
            fields[key] = draft.switch(given, key)
    if given := options.take("splash-time"):
        wait = draft.number(given, "splash-time", 0, 65535)
        if wait:
            fields["menu_timeout_ms"] = wait
        else:
            draft.keep(option, Word("splash-time=0", given.key_at, value.end))
    draft.part("boot", value.position, **fields)
    draft.places |= places
    if given := options.take("reboot-timeout"):
        rest = f"reboot-timeout={given.value}"
        draft.keep(option, Word(rest, given.key_at, value.end))
    _nothing_left(draft, option, options, _BOOT_KEYS)


def boot_file(draft: Draft, option: Word, value: Word) -> None:
    """``-kernel -initrd -append -dtb``: what QEMU loads itself."""
    draft.part("boot", value.position, **{option.text.lstrip("-"): value.text})


def rtc(draft: Draft, option: Word, value: Word) -> None:
    """``-rtc``: what the guest's clock shows and follows."""
    options = Options(draft.text, value)
    for key, field in (("base", "base"), ("clock", "source"), ("driftfix", "driftfix")):
        if given := options.take(key):
            draft.part("clock", given.value_at, **{field: given.value})
    _nothing_left(draft, option, options, "base clock driftfix")


ON_REBOOT = {"reset": "restart", "shutdown": "destroy"}
ON_SHUTDOWN = {"poweroff": "destroy", "pause": "preserve"}
ON_PANIC = {"shutdown": "destroy", "exit-failure": "destroy", "pause": "preserve"}
WATCHDOG_ACTIONS = ("reset", "shutdown", "poweroff", "pause", "none", "debug", "inject-nmi")


def action(draft: Draft, option: Word, value: Word) -> None:
    """``-action``: what becomes of the guest."""
    options = Options(draft.text, value)
    for key, field, words in (
        ("reboot", "on_reboot", ON_REBOOT),
        ("shutdown", "on_poweroff", ON_SHUTDOWN),
    ):
        if given := options.take(key):
            draft.fields[field] = words[draft.choice(given, key, words)]
    if given := options.take("panic"):
        if draft.choice(given, "panic", (*ON_PANIC, "none")) in {"none", "exit-failure"}:
            draft.keep(option, Word(f"panic={given.value}", given.key_at, value.end))
        else:
            draft.fields["on_crash"] = ON_PANIC[given.value]
    if given := options.take("watchdog"):
        draft.parts.setdefault("references", {})["watchdog"] = given
        draft.choice(given, "watchdog", WATCHDOG_ACTIONS)
    _nothing_left(draft, option, options, "reboot shutdown panic watchdog")


def no_option(draft: Draft, option: Word, value: Word | None) -> None:
    """``-no-reboot -no-shutdown -no-acpi -no-hpet -S``: switches of their own."""
    match option.text.lstrip("-"):
        case "no-reboot":
            draft.fields["on_reboot"] = "destroy"
        case "no-shutdown":
            draft.fields["on_poweroff"] = "preserve"
        case "no-acpi":
            draft.fields["acpi"] = False
        case "no-hpet":
            draft.part("clock", option.position, hpet=False)
        case "S":
            draft.fields["paused"] = True


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?", re.ASCII)


def _nothing_left(draft: Draft, option: Word, options: Options, known: str = "") -> None:
    if options.items:
        given: Given = options.items[0]
        near = suggestion(given.key, known.split())
        told = f"{option.text} has no {given.key[:40]!r}; {near}".rstrip("; ")
        raise draft.refused(given.key_at, told)
