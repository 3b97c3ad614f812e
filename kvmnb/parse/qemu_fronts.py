"""Fronts of devices other than disks and cards: each ``-device`` that a field stands for."""

from __future__ import annotations

import re
from collections.abc import Callable

from kvmnb.parse.qemu_chardev import back_named, chardevs
from kvmnb.parse.qemu_devices import USB_CONTROLLERS, objects
from kvmnb.parse.qemu_draft import Draft, Entry
from kvmnb.parse.qemu_network import host_nic
from kvmnb.parse.qemu_options import Options
from kvmnb.spec.chardev import Private, Serial

__all__ = ["FRONTS"]

AGENT_PORT = "org.qemu.guest_agent.0"
"""The name by which the guest agent finds its port (QEMU manual, "QEMU Guest Agent")."""

VIDEO_DEVICES = {
    "VGA": "std", "cirrus-vga": "cirrus", "vmware-svga": "vmware", "qxl-vga": "qxl", "qxl": "qxl",
    "virtio-vga": "virtio", "virtio-gpu-pci": "virtio", "virtio-vga-gl": "virtio",
    "virtio-gpu-gl-pci": "virtio", "bochs-display": "bochs", "ramfb": "ramfb",
    "secondary-vga": "std",
    "isa-vga": "std", "isa-cirrus-vga": "cirrus",
}  # fmt: skip


def _line(
    draft: Draft, entry: Entry, options: Options, field: str, make: Callable[..., object]
) -> bool:
    """Take a serial port or the like, whose back is a chardev."""
    chardev = options.take("chardev")
    options.take("id")
    if chardev is None or options.items:
        return False
    back = back_named(draft, chardev.value, chardev.value_at)
    if back is None:
        return False
    draft.add(field, draft.made(chardev.value_at, make, back))
    return True


def _serial(model: str) -> Callable[[Draft, Entry, Options], bool]:
    def front(draft: Draft, entry: Entry, options: Options) -> bool:
        if model == "usb":
            options.take("bus")
        if model == "isa" and options.get("index") == str(len(draft.lists.get("serials", ()))):
            options.take("index")
        make = lambda back: Serial(back, model)  # type: ignore[arg-type]  # noqa: E731
        return _line(draft, entry, options, "serials", make)

    return front


def _parallel(draft: Draft, entry: Entry, options: Options) -> bool:
    from kvmnb.spec.ports import Parallel

    return _line(draft, entry, options, "parallels", Parallel)


def _console(draft: Draft, entry: Entry, options: Options) -> bool:
    from kvmnb.spec.ports import Console

    _port_bus(draft, options)
    return _line(draft, entry, options, "consoles", Console)


def _port_bus(draft: Draft, options: Options) -> None:
    draft.parts.setdefault("controllers", {})["ports"] = "ports"
    bus = options.take("bus")
    if bus is not None:
        id_ = bus.value.rpartition(".")[0]
        driver = draft.parts.get("controller ids", {}).get(id_)
        if driver not in {"virtio-serial-pci", "virtio-serial"}:  # microvm's are called so, too
            options.items.append(bus)


def _virtserialport(draft: Draft, entry: Entry, options: Options) -> bool:
    _port_bus(draft, options)
    chardev, name = options.take("chardev"), options.take("name")
    options.take("id")
    if (options.get("nr") or "").isdecimal():
        options.take("nr")  # the guest knows a port by its name
    if chardev is None or name is None or options.items:
        return False
    behind = chardevs(draft).get(chardev.value)
    if name.value == AGENT_PORT and behind is not None and behind.options.get("fd") is not None:
        told = "the agent's socket was another process's; here it is the engine's own"
        draft.note(behind.at, f"-chardev {behind.word.text}", "changed", told)
        draft.fields["agent"] = behind.used = True
        return True
    back = back_named(draft, chardev.value, chardev.value_at)
    if back is None:
        return False
    from kvmnb.spec.charbacks import UnixSocket
    from kvmnb.spec.ports import Channel

    if name.value == AGENT_PORT and isinstance(back, Private):
        draft.fields["agent"] = True
        return True
    if name.value == AGENT_PORT and isinstance(back, UnixSocket) and back.server and not back.wait:
        told = "the agent's socket is the engine's own, in the guest's run folder"
        draft.note(chardev.value_at, back.path, "changed", told)
        draft.fields["agent"] = True
        return True
    draft.add("channels", draft.made(name.value_at, Channel, name.value, back))
    return True


# ---- other fronts


def _switches(draft: Draft, options: Options, *keys: tuple[str, str]) -> dict[str, bool]:
    found = {}
    for key, field in keys:
        if given := options.take(key):
            found[field] = draft.switch(given, key)
    return found


def _balloon(draft: Draft, entry: Entry, options: Options) -> bool:
    from kvmnb.spec.devices import Balloon

    options.take("id")
    stats = options.take("guest-stats-polling-interval")
    keys = (("deflate-on-oom", "deflate_on_oom"), ("free-page-reporting", "free_page_reporting"))
    fields = _switches(draft, options, *keys)
    if options.items or "balloon" in draft.fields:
        return False
    stats_s = draft.number(stats, "guest-stats-polling-interval", 0, 86400) if stats else 0
    draft.fields["balloon"] = draft.made(entry.word.position, Balloon, stats_s=stats_s, **fields)
    return True


def _rng(draft: Draft, entry: Entry, options: Options) -> bool:
    from kvmnb.spec.devices import RNG

    options.take("id")
    named, most, period = options.take("rng"), options.take("max-bytes"), options.take("period")
    if options.items or "rng" in draft.fields or (most is None) != (period is None):
        return False
    fields: dict[str, int] = {}
    if most is not None and period is not None:
        fields["max_bytes"] = draft.number(most, "max-bytes", 1, 1 << 62)
        fields["period_ms"] = draft.number(period, "period", 1, 1 << 31)
    source = "builtin"
    if named is not None:
        behind = objects(draft).get(named.value)
        if behind is None or behind.used:
            return False
        given = behind.options.copy()
        kind, _, file = given.take("qom-type"), given.take("id"), given.take("filename")
        if given.items or kind is None or kind.value not in {"rng-builtin", "rng-random"}:
            return False
        if kind.value == "rng-random":
            source = file.value if file else "/dev/urandom"
        behind.used = True
    draft.fields["rng"] = draft.made(entry.word.position, RNG, source=source, **fields)
    return True


def _vmgenid(draft: Draft, entry: Entry, options: Options) -> bool:
    options.take("id")
    guid = options.take("guid")
    if options.items or guid is None:
        return False
    draft.fields["vmgenid"], draft.places["vmgenid"] = guid.value, guid.value_at
    return True


def _input(kind: str, bus: str) -> Callable[[Draft, Entry, Options], bool]:
    def front(draft: Draft, entry: Entry, options: Options) -> bool:
        from kvmnb.spec.peripherals import Input

        options.take("id")
        if bus == "usb":
            _usb_bus(draft, options)
        if options.items:
            return False
        draft.add("inputs", draft.made(entry.at, Input, kind, bus))
        return True

    return front


def _usb_bus(draft: Draft, options: Options) -> None:
    bus = options.take("bus")
    if (options.get("port") or "").isdecimal():
        options.take("port")  # of the controller itself, behind no hub
    if bus is None:
        return
    id_ = bus.value.rpartition(".")[0]
    driver = draft.parts.get("controller ids", {}).get(id_)
    if driver in USB_CONTROLLERS:
        draft.parts.setdefault("controllers", {})[id_] = "usb"
    elif bus.value != "usb-bus.0":
        options.items.append(bus)


def _video(model: str) -> Callable[[Draft, Entry, Options], bool]:
    def front(draft: Draft, entry: Entry, options: Options) -> bool:
        from kvmnb.spec.graphics import Video

        driver = entry.options.get("driver") or ""
        if driver.startswith("isa-") != (draft.fields.get("machine") == "isapc"):
            return False  # the cards of the two kinds of boards go by other names
        options.take("id")
        size = options.take("vgamem_mb", "vram_size_mb", "vgamem")
        heads = options.take("max_outputs")
        if options.items:
            return False
        fields: dict[str, object] = {}
        if size is not None:
            unit = "b" if size.key == "vgamem" else "m"
            fields["memory_mib"] = draft.mib(size, size.key, unit)
        if heads is not None:
            fields["heads"] = draft.number(heads, "max_outputs", 1, 16)
        draft.add(
            "videos",
            draft.made(entry.word.position, Video, model, accelerated="-gl" in driver, **fields),
        )
        return True

    return front


def _watchdog(draft: Draft, entry: Entry, options: Options) -> bool:
    options.take("id")
    if options.items or "watchdog model" in draft.parts:
        return False
    draft.parts["watchdog model"] = {"model": entry.options.get("driver")}
    draft.places["watchdog"] = entry.word.position
    return True


def _vsock(draft: Draft, entry: Entry, options: Options) -> bool:
    from kvmnb.spec.peripherals import Vsock

    options.take("id")
    cid = options.take("guest-cid")
    if options.items or cid is None or "vsock" in draft.fields:
        return False
    number = draft.number(cid, "guest-cid", 0, 1 << 32)
    draft.fields["vsock"] = draft.made(cid.value_at, Vsock, number)
    return True


def _vfio(draft: Draft, entry: Entry, options: Options) -> bool:
    from kvmnb.spec.peripherals import HostPCI, Mediated

    id_ = options.take("id")
    host, path = options.take("host"), options.take("sysfsdev")
    own = draft.run_dir is not None and id_ is not None
    if host is not None and id_ is not None and own and not id_.value.startswith("hostdev"):
        return host_nic(draft, options, id_, host)
    if options.items or (host is None) == (path is None):
        return False
    if host is not None:
        draft.add("hostdevs", draft.made(host.value_at, HostPCI, address=host.value))
        return True
    found = re.search(r"/([0-9a-fA-F-]{36})/?\Z", path.value if path else "")
    if found is None or path is None:
        return False
    draft.add("hostdevs", draft.made(path.value_at, Mediated, uuid=found.group(1)))
    return True


def _usb_host(draft: Draft, entry: Entry, options: Options) -> bool:
    from kvmnb.spec.peripherals import HostUSB

    options.take("id")
    _usb_bus(draft, options)
    fields: dict[str, int] = {}
    for key, field in (
        *(("vendorid", "vendor"), ("productid", "product")),
        *(("hostbus", "bus"), ("hostaddr", "device")),
    ):
        if given := options.take(key):
            fields[field] = draft.number(given, key, 0, 0xFFFF)
    if options.items or len(fields) != 2:
        return False
    draft.add("hostdevs", draft.made(entry.word.position, HostUSB, **fields))
    return True


def _tpm(model: str) -> Callable[[Draft, Entry, Options], bool]:
    def front(draft: Draft, entry: Entry, options: Options) -> bool:
        from kvmnb.parse.qemu_extras import tpm

        return tpm(draft, entry, options, model)

    return front


def _share(draft: Draft, entry: Entry, options: Options) -> bool:
    from kvmnb.parse.qemu_extras import share

    return share(draft, entry, options)


def _sound(draft: Draft, entry: Entry, options: Options) -> bool:
    from kvmnb.parse.qemu_extras import sound

    return sound(draft, entry, options)


SOUND_DEVICES = (
    *("AC97", "ES1370", "sb16", "intel-hda", "ich9-intel-hda", "usb-audio", "virtio-sound-pci"),
    *("hda-duplex", "hda-micro", "hda-output"),
)

FRONTS: dict[str, Callable[[Draft, Entry, Options], bool]] = {
    "isa-serial": _serial("isa"),
    "pci-serial": _serial("pci"),
    "usb-serial": _serial("usb"),
    "isa-parallel": _parallel,
    "virtconsole": _console,
    "virtserialport": _virtserialport,
    "virtio-balloon-pci": _balloon,
    "virtio-balloon": _balloon,
    "virtio-rng-pci": _rng,
    "virtio-rng": _rng,
    "vmgenid": _vmgenid,
    "usb-tablet": _input("tablet", "usb"),
    "usb-mouse": _input("mouse", "usb"),
    "usb-kbd": _input("keyboard", "usb"),
    "virtio-tablet-pci": _input("tablet", "virtio"),
    "virtio-mouse-pci": _input("mouse", "virtio"),
    "virtio-keyboard-pci": _input("keyboard", "virtio"),
    "i6300esb": _watchdog,
    "ib700": _watchdog,
    "vhost-vsock-pci": _vsock,
    "vfio-pci": _vfio,
    "usb-host": _usb_host,
    "tpm-tis": _tpm("tis"),
    "tpm-crb": _tpm("crb"),
    "virtio-9p-pci": _share,
    "vhost-user-fs-pci": _share,
    **{name: _video(model) for name, model in VIDEO_DEVICES.items()},
    **dict.fromkeys(SOUND_DEVICES, _sound),
}
