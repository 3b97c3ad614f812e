"""Options that QEMU had, and what each of them is today."""

from __future__ import annotations

import re
from collections.abc import Callable

from kvmnb.parse.qemu_draft import Draft
from kvmnb.parse.qemu_names import REMOVED
from kvmnb.parse.words import Word

__all__ = ["OLD_FORMS", "removed", "settle_user_network", "usbdevice"]


def removed(draft: Draft, option: Word, value: Word | None) -> None:
    """Do what a removed option did, and tell since when it is gone and what it is today.

    Raises
    ------
    ParseError   its value is wrong, or what it did has no form today
    """
    name = option.text.lstrip("-")
    told = REMOVED[name]
    since = f"is gone since QEMU {told.since}" if told.since else "is gone"
    today = f"; today: {told.today}" if told.today else ""
    text = option.text if value is None else f"{option.text} {value.text}"
    draft.note(option.position, text, "removed", f"-{name} ({told.meant}) {since}{today}")
    form = OLD_FORMS.get(name)
    if form is not None:
        form(draft, option, value if value is not None else Word("", option.end, option.end))


def _user(key: str) -> Callable[[Draft, Word, Word], None]:
    def form(draft: Draft, option: Word, value: Word) -> None:
        draft.parts.setdefault("user network", {})[key] = value

    return form


def _redir(draft: Draft, option: Word, value: Word) -> None:
    """``-redir [tcp|udp]:PORT:[ADDRESS]:PORT``."""
    from kvmnb.parse.qemu_netbacks import forward

    found = re.fullmatch(r"(tcp|udp|):(\d{1,6}):([^:]*):(\d{1,6})", value.text, re.ASCII)
    if found is None:
        told = f"{value.text[:60]!r} is no tcp:PORT:ADDRESS:PORT"
        raise draft.refused(value.position, told)
    protocol, host_port, guest, guest_port = found.groups()
    new = forward(draft, f"{protocol or 'tcp'}::{host_port}-{guest}:{guest_port}", value.position)
    draft.parts.setdefault("redirs", {})[option.position] = new


def settle_user_network(draft: Draft) -> None:
    """Give ``-redir -tftp -bootp -smb`` to the guest's first user network."""
    import dataclasses

    from kvmnb.spec.network import User

    given: dict[str, Word] = draft.parts.pop("user network", {})
    redirs = tuple(draft.parts.pop("redirs", {}).values())
    if not given and not redirs:
        return
    nics = draft.lists.get("nics", [])
    for index, nic in enumerate(nics):
        if isinstance(nic.back, User):
            fields: dict[str, object] = {key: word.text for key, word in given.items()}
            if redirs:
                fields["forwards"] = (*nic.back.forwards, *redirs)
            at = next((word.position for word in given.values()), 0)
            back = draft.made(at, dataclasses.replace, nic.back, **fields)
            nics[index] = dataclasses.replace(nic, back=back)
            return
    for word in given.values():
        draft.note(word.position, word.text, "ignored", "no card is on a user network")


def _localtime(draft: Draft, option: Word, value: Word) -> None:
    draft.part("clock", option.position, base="localtime")


def _startdate(draft: Draft, option: Word, value: Word) -> None:
    draft.part("clock", value.position, base="utc" if value.text == "now" else value.text)


def _driftfix(draft: Draft, option: Word, value: Word) -> None:
    draft.part("clock", option.position, driftfix="slew")


def _pit_delay(draft: Draft, option: Word, value: Word) -> None:
    draft.part("clock", option.position, pit="delay")


def _pit_discard(draft: Draft, option: Word, value: Word) -> None:
    draft.part("clock", option.position, pit="discard")


def _balloon(draft: Draft, option: Word, value: Word) -> None:
    """``-balloon virtio[,addr=…]`` or ``-balloon none``."""
    from kvmnb.spec.devices import Balloon

    kind = value.text.split(",")[0]
    draft.choice(Word(kind, value.position, value.end), "-balloon", ("virtio", "none"))
    if kind == "virtio":
        draft.fields["balloon"] = Balloon()


def _hax(draft: Draft, option: Word, value: Word) -> None:
    draft.kvm_asked = "auto"


def _no_kvm(draft: Draft, option: Word, value: Word) -> None:
    draft.kvm_asked = "tcg"


def _irqchip(draft: Draft, option: Word, value: Word) -> None:
    pair = ("kernel_irqchip", "off")
    draft.fields["machine_options"] = (*draft.fields.get("machine_options", ()), pair)


def _realtime(draft: Draft, option: Word, value: Word) -> None:
    if value.text in {"mlock=on", "mlock", "mlock=off"}:
        draft.part("memory", value.position, locked=value.text != "mlock=off")
    else:
        raise draft.refused(value.position, "-realtime had mlock=on and mlock=off only")


def _tb_size(draft: Draft, option: Word, value: Word) -> None:
    pair = ("tb-size", str(draft.number(value, "-tb-size", 0, 1 << 20)))
    draft.fields["accel_options"] = (*draft.fields.get("accel_options", ()), pair)


def _window(toolkit: str) -> Callable[[Draft, Word, Word], None]:
    def form(draft: Draft, option: Word, value: Word) -> None:
        from kvmnb.parse.qemu_screens import window

        window(draft, option, toolkit)

    return form


_SOUNDHW = {
    "ac97": "ac97", "es1370": "es1370", "sb16": "sb16", "hda": "ich6", "pcspk": "pcspk",
}  # fmt: skip
_ISA_SOUNDHW = ("adlib", "gus", "cs4231a")
"""Cards of the nineties that no field stands for; their devices are called the same."""


def _soundhw(draft: Draft, option: Word, value: Word) -> None:
    """``-soundhw CARD[,CARD…]`` or ``-soundhw all``."""
    from kvmnb.spec.peripherals import Sound

    names = list(_SOUNDHW) if value.text == "all" else value.text.split(",")
    index = 0
    for number, name in enumerate(dict.fromkeys(names)):
        at = value.at(index) if value.text != "all" else value.position
        names_known = (*_SOUNDHW, *_ISA_SOUNDHW)
        word = draft.choice(Word(name, at, value.end), "-soundhw", names_known)
        if word in _ISA_SOUNDHW:
            draft.keep(Word("-device", at, value.end), Word(word, at, value.end))
            index += len(name) + 1
            continue
        sound = draft.made(at, Sound, _SOUNDHW[word])
        draft.parts.setdefault("sounds", {})[option.position + number] = sound
        index += len(name) + 1


def _watchdog(draft: Draft, option: Word, value: Word) -> None:
    draft.choice(value, "-watchdog", ("i6300esb", "ib700"))
    draft.parts["watchdog model"] = {"model": value.text}
    draft.places["watchdog"] = value.position


def _vga(model: str) -> Callable[[Draft, Word, Word], None]:
    def form(draft: Draft, option: Word, value: Word) -> None:
        from kvmnb.parse.qemu_screens import vga

        vga(draft, option, Word(model, option.position, option.end))

    return form


def _pcidevice(draft: Draft, option: Word, value: Word) -> None:
    """``-pcidevice host=ADDRESS``, qemu-kvm's own."""
    from kvmnb.spec.peripherals import HostPCI

    found = re.match(r"host=([^,]*)", value.text)
    if found is None:
        raise draft.refused(value.position, "-pcidevice host=ADDRESS names the host's device")
    draft.add("hostdevs", draft.made(value.at(5), HostPCI, address=found.group(1)))


OLD_FORMS: dict[str, Callable[[Draft, Word, Word], None]] = {
    "tdf": _pit_delay,
    "no-kvm-irqchip": _irqchip,
    "no-kvm-pit-reinjection": _pit_discard,
    "balloon": _balloon,
    "bootp": _user("bootfile"),
    "redir": _redir,
    "smb": _user("smb"),
    "tftp": _user("tftp"),
    "localtime": _localtime,
    "startdate": _startdate,
    "rtc-td-hack": _driftfix,
    "no-kvm": _no_kvm,
    "enable-hax": _hax,
    "realtime": _realtime,
    "tb-size": _tb_size,
    "sdl": _window("sdl"),
    "curses": _window("curses"),
    "soundhw": _soundhw,
    "watchdog": _watchdog,
    "std-vga": _vga("std"),
    "vmwarevga": _vga("vmware"),
    "cirrusvga": _vga("cirrus"),
    "pcidevice": _pcidevice,
}
"""What the removed options did that a guest notices; all others only say so in their note."""


# ---- -usbdevice, which is old and still there

_USB_INPUTS = {"tablet": "tablet", "mouse": "mouse", "keyboard": "keyboard"}


def usbdevice(draft: Draft, option: Word, value: Word) -> None:
    """``-usbdevice``: a device on the board's own USB bus."""
    head, _, rest = value.text.partition(":")
    told = "-usbdevice is old; today: -device usb-…"
    match head:
        case "tablet" | "mouse" | "keyboard":
            from kvmnb.spec.peripherals import Input

            draft.add("inputs", Input(_USB_INPUTS[head]))  # type: ignore[arg-type]
            short = {"keyboard": "kbd"}.get(head, head)
            told = f"-usbdevice is old; today: -device usb-{short}"
        case "braille":
            words = ("-chardev", "braille,id=braille0", "-device", "usb-braille,chardev=braille0")
            _keep_on_usb(draft, option, value, words)
            return
        case "host":
            _host(draft, value, rest)
            told = "-usbdevice host: is gone since QEMU 4.0; today: -device usb-host"
        case "disk":
            _disk(draft, value, rest)
            told = "-usbdevice disk: is gone since QEMU 4.0; today: -device usb-storage"
        case "serial":
            _serial(draft, value, rest.lstrip(":"))
            told = "-usbdevice serial: is gone since QEMU 4.0; today: -device usb-serial"
        case "net":
            words = ("-netdev", "user,id=usbnet0", "-device", "usb-net,netdev=usbnet0")
            _keep_on_usb(draft, option, value, words)
            return
        case "wacom-tablet" | "ccid" | "bt" | "audio":
            device = {"ccid": "usb-ccid", "audio": "usb-audio"}.get(head, "usb-wacom-tablet")
            _keep_on_usb(draft, option, value, ("-device", device))
            return
        case _:
            names = (*_USB_INPUTS, "braille", "host", "disk", "serial", "net", "wacom-tablet")
            draft.choice(Word(head, value.position, value.end), "-usbdevice", names)
    kind = "removed" if "gone" in told else "old"
    text = f"{option.text} {value.text}"
    draft.note(option.position, text, kind, told)  # type: ignore[arg-type]


def _keep_on_usb(draft: Draft, option: Word, value: Word, words: tuple[str, ...]) -> None:
    draft.said.add("usb")
    draft.kept.append((option.position, words))
    told = f"-usbdevice is old; today: {' '.join(words)}"
    draft.note(option.position, f"{option.text} {value.text}", "kept", told)


def _host(draft: Draft, value: Word, rest: str) -> None:
    from kvmnb.spec.peripherals import HostUSB

    found = re.fullmatch(r"([0-9a-fA-F]{1,4}):([0-9a-fA-F]{1,4})", rest, re.ASCII)
    if found is not None:
        vendor, product = (int(part, 16) for part in found.groups())
        draft.add("hostdevs", draft.made(value.at(5), HostUSB, vendor=vendor, product=product))
        return
    found = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", rest, re.ASCII)
    if found is None:
        raise draft.refused(value.at(5), "host:VENDOR:PRODUCT or host:BUS.DEVICE, as lsusb says")
    bus, device = (int(part) for part in found.groups())
    draft.add("hostdevs", draft.made(value.at(5), HostUSB, bus=bus, device=device))


def _disk(draft: Draft, value: Word, rest: str) -> None:
    from kvmnb.parse.qemu_files import file_named
    from kvmnb.spec.storage import FORMATS, Disk

    format = None
    if rest.startswith("format="):
        format, _, rest = rest[len("format=") :].partition(":")
        if format not in FORMATS:
            raise draft.refused(value.at(5), f"format={format[:40]}: {', '.join(FORMATS)}")
    back = file_named(draft, rest, value.at(len(value.text) - len(rest)))
    if back is None:
        raise draft.refused(value.position, "write it as -drive and -device usb-storage")
    draft.add("disks", draft.made(value.position, Disk, back=back, bus="usb", format=format))


def _serial(draft: Draft, value: Word, rest: str) -> None:
    from kvmnb.parse.qemu_chardev import line_back
    from kvmnb.spec.chardev import Serial

    index = len(value.text) - len(rest)
    back = line_back(draft, Word(rest, value.at(index), value.end))
    if back is None:
        raise draft.refused(value.position, "write it as -chardev and -device usb-serial")
    draft.add("serials", draft.made(value.position, Serial, back, "usb"))
