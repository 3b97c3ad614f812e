"""Parts of a guest that several options describe: firmware, sound, TPM, watchdog, shares."""

from __future__ import annotations

from typing import Any

from kvmnb.parse.qemu_chardev import chardevs
from kvmnb.parse.qemu_draft import Draft, Entry, keep_property
from kvmnb.parse.qemu_drives import media, medium_of
from kvmnb.parse.qemu_options import Given, Options
from kvmnb.parse.words import Word

__all__ = [
    *("audio", "entry", "global_", "settle_firmware", "settle_sound", "settle_watchdog"),
    *("share", "sound", "tpm", "virtfs"),
]


def entry(draft: Draft, option: Word, value: Word) -> None:
    """``-fsdev -tpmdev -audiodev``: understood with the device that has it."""
    name = option.text.lstrip("-")
    implied = {"fsdev": "fsdriver", "tpmdev": "type", "audiodev": "driver"}[name]
    draft.entries.append(Entry(option, value, Options(draft.text, value, implied)))


def _entry_with(draft: Draft, option: str, id_: str) -> Entry | None:
    for each in draft.entries:
        if each.option == option and each.options.get("id") == id_:
            return each
    return None


# ---- firmware, and -global


def global_(draft: Draft, option: Word, value: Word) -> None:
    """``-global``: a property of all devices of a kind; some have fields."""
    head, _, set_to = value.text.partition("=")
    if head == "driver":
        options = Options(draft.text, value)
        head = f"{options.get('driver')}.{options.get('property')}"
        set_to = options.get("value") or ""
    match head:
        case "kvm-pit.lost_tick_policy" if set_to in {"delay", "discard"}:
            draft.part("clock", value.position, pit=set_to)
        case "mc146818rtc.lost_tick_policy" if set_to == "slew":
            draft.part("clock", value.position, driftfix="slew")
        case "cfi.pflash01.secure" if set_to in {"on", "true"}:
            draft.part("firmware", value.position, kind="uefi", secure=True)
        case (
            "PIIX4_PM.disable_s3"
            | "ICH9-LPC.disable_s3"
            | "PIIX4_PM.disable_s4"
            | "ICH9-LPC.disable_s4"
        ) if set_to in {"0", "1"}:
            field = "suspend_to_mem" if head.endswith("3") else "suspend_to_disk"
            draft.fields[field] = set_to == "0"
        case _:
            draft.keep(option, value)


OWN_PROPERTIES = {"smm", "pflash0", "pflash1"}
"""Properties of the board that the compiler gives for firmware, and nobody else may."""


OWN_BIOS = "bios-256k.bin"
"""What a PC's board starts with when it is told so by name (QEMU, hw/i386)."""


def settle_firmware(draft: Draft) -> None:
    """Join the flash chips of ``-machine`` with what they hold."""
    options = list(draft.fields.get("machine_options", ()))
    for index, (key, name) in enumerate((("pflash0", "code"), ("pflash1", "variables"))):
        node = dict(options).get(key)
        behind = media(draft).get(node) if node is not None else None
        found = medium_of(draft, behind) if behind is not None else None
        if (
            found is None
            or not hasattr(found[0].back, "path")
            or (index and "uefi" not in draft.said)
        ):
            continue
        medium, used = found
        draft.part("firmware", medium.at, **{"kind": "uefi", name: medium.back.path})  # type: ignore[union-attr]
        draft.said.add("uefi")
        options = [pair for pair in options if pair[0] != key]
        for each in used:
            each.used = True
    firmware = draft.parts.get("firmware", {})
    if firmware.get("secure") and "code" in firmware:
        options = [pair for pair in options if pair != ("smm", "on")]
    elif firmware.get("secure"):
        del firmware["secure"]
        draft.kept.append((draft.places["firmware.secure"], ("-global", "cfi.pflash01.secure=on")))
        if set(firmware) == {"kind"}:
            del draft.parts["firmware"]
    if firmware.get("kind") == "bios" and firmware.get("code") == OWN_BIOS:
        del firmware["code"]
    for key, value in options:
        if key in OWN_PROPERTIES:
            keep_property(draft, draft.places["machine_options"], key, value)
    options = [pair for pair in options if pair[0] not in OWN_PROPERTIES]
    if options:
        draft.fields["machine_options"] = tuple(options)
    else:
        draft.fields.pop("machine_options", None)


# ---- sound

_SOUNDS = {
    "AC97": "ac97", "ES1370": "es1370", "sb16": "sb16", "usb-audio": "usb",
    "virtio-sound-pci": "virtio", "intel-hda": "ich6", "ich9-intel-hda": "ich9",
}  # fmt: skip

_BACKS = ("none", "alsa", "oss", "pa", "pipewire", "jack", "sdl", "spice", "dbus")


def audio(draft: Draft, option: Word, value: Word) -> None:
    """``-audio``: a sound card and its back in one."""
    options = Options(draft.text, value, "driver")
    driver, model = options.take("driver"), options.take("model")
    words = {"hda": "ich6", "ac97": "ac97", "es1370": "es1370", "sb16": "sb16", "virtio": "virtio"}
    usable = driver is not None and driver.value in _BACKS and not options.items
    if driver is None or model is None or not usable or model.value not in words:
        draft.keep(option, value)
        return
    _add_sound(draft, option.position, words[model.value], driver.value)


def _add_sound(draft: Draft, at: int, model: str, back: str) -> None:
    from kvmnb.spec.peripherals import Sound

    draft.parts.setdefault("sounds", {})[at] = draft.made(at, Sound, model, back)


def _audiodev(draft: Draft, given: Given | None) -> tuple[int, str, Entry] | None:
    """Return the place of a sound card in the order of the line, its back, and that one's entry.

    The place is the back's; of a second card on the same back, which gets one of its own, it is
    where the card names it.
    """
    if given is None:
        return None
    behind = _entry_with(draft, "-audiodev", given.value)
    if behind is None:
        return None
    options = behind.options.copy()
    driver, _ = options.take("driver"), options.take("id")
    if driver is None or driver.value not in _BACKS or options.items:
        return None
    return given.value_at if behind.used else behind.at, driver.value, behind


def sound(draft: Draft, entry: Entry, options: Options) -> bool:
    """Take a sound card into the spec; an HDA controller goes with its codec."""
    driver = entry.options.get("driver") or ""
    id_ = options.take("id")
    if driver.startswith("hda-"):
        return False  # taken with its controller
    if driver in {"intel-hda", "ich9-intel-hda"}:
        return _hda(draft, entry, options, id_)
    options.take("bus") if driver == "usb-audio" else None
    found = _audiodev(draft, options.take("audiodev"))
    if options.items or (found is None and entry.options.get("audiodev") is not None):
        return False
    if found is None:
        _add_sound(draft, entry.at, _SOUNDS[driver], "none")
        return True
    at, back, behind = found
    behind.used = True
    _add_sound(draft, at, _SOUNDS[driver], back)
    return True


def _hda(draft: Draft, entry: Entry, options: Options, id_: Given | None) -> bool:
    if options.items:
        return False
    codecs = [
        each
        for each in draft.entries
        if each.option == "-device"
        and not each.used
        and (each.options.get("driver") or "").startswith("hda-")
        and (each.options.get("bus") or "").rpartition(".")[0] in {"", id_.value if id_ else ""}
    ]
    if len(codecs) != 1 or codecs[0].options.get("driver") not in {"hda-duplex", "hda-micro"}:
        return False
    codec = codecs[0].options.copy()
    for key in ("driver", "id", "bus", "cad"):
        codec.take(key)
    given = codec.take("audiodev")
    found = _audiodev(draft, given)
    if codec.items or (found is None and given is not None):
        return False
    codecs[0].used = True
    at, back = (entry.at, "none") if found is None else found[:2]
    if found is not None:
        found[2].used = True
    _add_sound(draft, at, _SOUNDS[entry.options.get("driver") or ""], back)
    return True


def settle_sound(draft: Draft) -> None:
    """Join the board's speaker with its back, and put the sound cards in order."""
    given = draft.parts.get("references", {}).get("pcspk-audiodev")
    if given is not None:
        found = _audiodev(draft, given)
        if found is None:
            keep_property(draft, given.key_at, "pcspk-audiodev", given.value)
        else:
            found[2].used = True
            _add_sound(draft, found[0], "pcspk", found[1])
    for _, each in sorted(draft.parts.pop("sounds", {}).items()):
        draft.add("sounds", each)


# ---- watchdog, TPM, shares


def settle_watchdog(draft: Draft) -> None:
    """Join the watchdog with what happens when it barks."""
    action = draft.parts.get("references", {}).get("watchdog")
    model = draft.parts.get("watchdog model")
    if model is None:
        if action is not None:
            words = ("-action", f"watchdog={action.value}")
            draft.kept.append((action.key_at, words))
            draft.note(action.key_at, action.value, "kept", "no watchdog of the line's heeds it")
        return
    from kvmnb.spec.peripherals import Watchdog

    at = draft.places["watchdog"]
    if action is not None and action.value == "debug":
        raise draft.refused(action.value_at, "watchdog=debug is QEMU's own; pause does the same")
    word = action.value if action is not None else "reset"
    draft.fields["watchdog"] = draft.made(at, Watchdog, model["model"], word)


def tpm(draft: Draft, entry: Entry, options: Options, model: str) -> bool:
    """Take a TPM into the spec, with its emulator or the host's own."""
    from kvmnb.spec.peripherals import TPM

    named, _ = options.take("tpmdev"), options.take("id")
    behind = _entry_with(draft, "-tpmdev", named.value) if named is not None else None
    if options.items or behind is None or behind.used or "tpm" in draft.fields:
        return False
    given = behind.options.copy()
    kind, _ = given.take("type"), given.take("id")
    fields: dict[str, Any] = {"model": model}
    chardev, path = given.take("chardev"), given.take("path")
    if given.items or kind is None:
        return False
    if kind.value == "passthrough":
        fields["device"] = path.value if path is not None else "/dev/tpm0"
    elif kind.value == "emulator" and chardev is not None:
        socket = chardevs(draft).get(chardev.value)
        where = None if socket is None else _client(socket)
        if where is None or socket is None:
            return False
        socket.used = True
        if draft.run_dir is not None and where.startswith(draft.run_dir + "/tpm"):
            fields["version"] = "1.2" if where.endswith("/tpm-1.2.sock") else "2.0"
        else:
            fields["socket"] = where
    else:
        return False
    behind.used = True
    draft.fields["tpm"] = draft.made(entry.word.position, TPM, **fields)
    return True


def _client(entry: Entry) -> str | None:
    """Return the path of a chardev that connects to a Unix socket, and does nothing else."""
    options = entry.options.copy()
    kind, _, path = options.take("backend"), options.take("id"), options.take("path")
    if options.items or kind is None or kind.value != "socket" or path is None:
        return None
    return path.value


def share(draft: Draft, entry: Entry, options: Options) -> bool:
    """Take a 9p share into the spec; a virtiofs one says nothing of its folder, and stays."""
    from kvmnb.spec.peripherals import Share

    if entry.options.get("driver") != "virtio-9p-pci":
        entry.message = "the folder of a virtiofs share is its server's, and not in this line"
        return False
    named, tag, _ = options.take("fsdev"), options.take("mount_tag"), options.take("id")
    behind = _entry_with(draft, "-fsdev", named.value) if named is not None else None
    if options.items or behind is None or behind.used or tag is None:
        return False
    given = behind.options.copy()
    kind, _ = given.take("fsdriver"), given.take("id")
    fields = _folder(draft, given)
    if kind is None or kind.value != "local" or fields is None or given.items:
        return False
    behind.used = True
    draft.add("shares", draft.made(tag.value_at, Share, tag=tag.value, **fields))
    return True


def _folder(draft: Draft, given: Options) -> dict[str, Any] | None:
    path, security = given.take("path"), given.take("security_model")
    if path is None or security is None:
        return None
    word = {"mapped": "mapped-xattr"}.get(security.value, security.value)
    fields: dict[str, Any] = {"source": path.value, "security": word}
    if readonly := given.take("readonly"):
        fields["readonly"] = draft.switch(readonly, "readonly")
    return fields


def virtfs(draft: Draft, option: Word, value: Word) -> None:
    """``-virtfs``: a 9p share in one option."""
    from kvmnb.spec.peripherals import Share

    options = Options(draft.text, value, "fsdriver")
    kind, tag = options.take("fsdriver"), options.take("mount_tag")
    options.take("id")
    fields = _folder(draft, options)
    if kind is None or kind.value != "local" or tag is None or fields is None or options.items:
        draft.keep(option, value)
        return
    draft.add("shares", draft.made(tag.value_at, Share, tag=tag.value, **fields))
