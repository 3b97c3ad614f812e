"""What a guest, a description of one, a host and a command look like.

All functions here are pure: they lay out values that are already there, ask nobody and never
wait. Names and paths are hostile until `kvmnb.markup` has quoted them.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kvmnb.display.command import Command
from kvmnb.display.screenshot import Screenshot
from kvmnb.markup import columns, element, printable
from kvmnb.spec.boot import Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import NIC, User
from kvmnb.spec.storage import CatalogueImage, Disk, ExistingFile, NewFile
from kvmnb.units import human

if TYPE_CHECKING:
    from kvmnb.engines.base import GuestInfo, HostInfo, State
    from kvmnb.spec.network import NetBack
    from kvmnb.spec.storage import DiskBack

__all__ = ["Card", "Command", "Screenshot", "STATES", "guest_card", "host_card", "vm_card"]

STATES = {
    "starting": ("◌", "#56B4E9"),
    "running": ("●", "#009E73"),
    "paused": ("❚❚", "#E69F00"),
    "shutdown": ("■", "currentColor"),
    "crashed": ("✖", "#D55E00"),
    "lost": ("✖", "#D55E00"),
}
"""A sign and a colour for each state; the word always stands beside them."""

SWITCHES = {
    "balloon": "balloon with statistics",
    "agent": "agent channel",
    "serials": "serial console",
    "displays": "VNC screen",
    "vmgenid": "generation id",
    "rng": "entropy source",
}
"""The devices that a guest has unless they are switched off, by their field of the spec."""

OLD_S = 5.0
"""From this age on, a state that nobody has confirmed is shown with its age."""

NO_BOUNDARY = "TCG is no security boundary, says QEMU: run only guests that you trust"

Rows = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, repr=False)
class Card:
    """A few facts under one heading, as text and as HTML."""

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def _card(kind: str, name: str, state: str, rows: Rows, color: str = "") -> Card:
    name = printable(name)
    facts = [(printable(label), printable(fact)) for label, fact in rows]
    heading = " · ".join(filter(None, (f"{kind} {name}".rstrip(), state)))
    body = columns([(f" {label}", fact) for label, fact in facts])
    cells = (
        element("tr", element("th", label, scope="row", style=_TH), element("td", fact, style=_TD))
        for label, fact in facts
    )
    shown = element("span", state, style=f"color:{color};{_STATE}" if color else _STATE)
    html = element(
        "div",
        element(
            "div",
            *(element("span", kind, style=_KIND), element("b", name), shown),
            style=_HEADING,
        ),
        element("table", element("tbody", *cells), style=_TABLE),
        class_="kvmnb-card",
        style=_BOX,
    )
    return Card(f"{heading}\n{body}".rstrip(), str(html))


_LINE = "var(--jp-border-color2,rgba(128,128,128,.45))"
_FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px"
_BOX = f"display:inline-block;max-width:100%;border:1px solid {_LINE};border-radius:6px;{_FONT}"
_HEADING = f"padding:6px 12px;border-bottom:1px solid {_LINE};font-size:14px"
_KIND = "opacity:.65;margin-right:.4em"
_STATE = "margin-left:.8em"
_TABLE = "border-collapse:collapse;margin:4px 0"
_TH = "text-align:left;vertical-align:top;font-weight:normal;opacity:.65;padding:2px 12px"
_TD = "text-align:left;vertical-align:top;padding:2px 12px 2px 0;overflow-wrap:anywhere"


# -- a description --------------------------------------------------------------------------


def vm_card(spec: DomainSpec) -> Card:
    """Show all that a spec holds, the devices too that it has unless they are switched off."""
    accel = "auto: KVM where it really works, else TCG" if spec.accel == "auto" else spec.accel
    return _card("VM", spec.name, "", [("accelerator", accel), *_spec_rows(spec, ())])


def _spec_rows(spec: DomainSpec, macs: Sequence[str]) -> Rows:
    yield "memory", _joined(_memory(spec.memory), _set(spec.memory, *_MEMORY))
    yield "vCPUs", _joined(_cpu(spec.cpu), _set(spec.cpu, *_CPU))
    yield "machine", _joined(spec.machine, _pairs(spec.machine_options))
    for index, disk in enumerate(spec.disks):
        yield f"disk{index}", _joined(_disk(disk), _set(disk, *_DISK))
    for index, cdrom in enumerate(spec.cdroms):
        medium = "empty" if cdrom.back is None else _disk_back(cdrom.back)
        medium = medium.removeprefix("fresh overlay on ")  # nobody writes to a CD-ROM
        yield f"cd{index}", _joined(medium, _set(cdrom, "back"))
    for index, nic in enumerate(spec.nics):
        mac = macs[index] if index < len(macs) else nic.mac
        yield f"net{index}", _joined(_nic(nic, mac), _set(nic, *_NIC))
    yield "boot", _joined(_boot(spec.boot), _set(spec.boot, *_BOOT))
    yield from _more(spec)


def _more(spec: DomainSpec) -> Rows:
    """Show what a guest has only if it is asked for, and the devices that can be switched off."""
    plain = DomainSpec(name=spec.name)
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        if field.name in _SHOWN or value == getattr(plain, field.name):
            continue
        if value is None or value == () or (value is False and field.default is True):
            continue  # a device that is switched off
        if isinstance(value, bool):
            value = "yes" if value else "no"
        parts = value if isinstance(value, tuple) else (value,)
        yield field.name.replace("_", " "), ", ".join(map(_words, parts))
    on = [words for field, words in SWITCHES.items() if getattr(spec, field)]
    off = [words for field, words in SWITCHES.items() if not getattr(spec, field)]
    if spec.acpi is False:
        off.append("ACPI")
    if on:
        yield "devices", ", ".join(on)
    if off:
        yield "switched off", ", ".join(off)


# Fields that have words of their own above; all others are named as they are in the spec.
_SHOWN = {"name", "memory", "cpu", "machine", "machine_options", "accel", "boot"} | {
    *("disks", "cdroms", "nics"),
}
_MEMORY = ("size_mib", "slots", "maximum_mib")
_CPU = ("count", "sockets", "dies", "cores", "threads", "maximum", "model", "features")
_DISK = ("back", "bus", "cache", "format", "size_bytes", "readonly", "snapshot")
_NIC = ("model", "back", "mac")
_BOOT = ("kernel", "initrd", "append", "order", "once", "menu")


def _joined(*words: str) -> str:
    return ", ".join(filter(None, words))


def _pairs(options: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{key} {value}" for key, value in options)


def _memory(memory: Memory) -> str:
    words = f"{memory.size_mib} MiB"
    if memory.maximum_mib is not None:
        words += f", up to {memory.maximum_mib} MiB in {memory.slots} slots"
    return words


def _cpu(cpu: CPU) -> str:
    words = str(cpu.count)
    layout = {"sockets": cpu.sockets, "dies": cpu.dies, "cores": cpu.cores, "threads": cpu.threads}
    given = [f"{count} {part}" for part, count in layout.items() if count is not None]
    if given:
        words += f" as {' × '.join(given)}"
    if cpu.maximum is not None:
        words += f", at most {cpu.maximum}"
    if cpu.model is not None:
        words += f", model {cpu.model}"
    return f"{words}, {' '.join(cpu.features)}" if cpu.features else words


def _disk(disk: Disk) -> str:
    words = [_disk_back(disk.back), f"on {disk.bus}", f"cache {disk.cache}"]
    if disk.format is not None:
        words.append(f"format {disk.format}")
    if disk.size_bytes is not None:
        words.append(f"grown to {human(disk.size_bytes)}")
    if disk.readonly:
        words.append("read-only")
    if disk.snapshot:
        words.append("writes are thrown away")
    return ", ".join(words)


def _disk_back(back: DiskBack) -> str:
    match back:
        case CatalogueImage():
            return f"fresh overlay on image {back.name}"
        case ExistingFile():
            return f"file {back.path}"
        case NewFile(path=None):
            return f"new {back.format} of {human(back.size_bytes)}"
        case NewFile():
            made = f"{'' if back.sparse else 'full '}{back.format} of {human(back.size_bytes)}"
            return f"file {back.path}, made as {made} if it is not there"
        case _:
            return _words(back)


def _nic(nic: NIC, mac: str | None) -> str:
    return f"{nic.model}, {_net_back(nic.back)}, {mac or 'MAC derived at start'}"


def _net_back(back: NetBack | None) -> str:
    if back is None:
        return "its cable hangs loose"
    if isinstance(back, User):
        return _joined("user network (NAT)", _set(back))
    return _words(back)


def _boot(boot: Boot) -> str:
    words = []
    if boot.kernel is not None:
        words.append(f"kernel {boot.kernel}")
    if boot.initrd is not None:
        words.append(f"initrd {boot.initrd}")
    if boot.append:
        words.append(f"append {boot.append}")
    if boot.order:
        words.append(f"firmware, order {boot.order}")
    if boot.once:
        words.append(f"firmware, once {boot.once}")
    if boot.menu:
        words.append("firmware, with its menu")
    if words or boot != Boot():
        return ", ".join(words)
    return "the image's own kernel if it has one, else firmware"


def _words(part: object) -> str:
    """Return the kind of a part and what is set in it: ``tap ifname tap0``."""
    if isinstance(part, tuple):
        return " ".join(map(_words, part))
    if not dataclasses.is_dataclass(part):
        return str(part)
    name = type(part).__name__
    kind = name if name.isupper() else re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return " ".join(filter(None, (kind, _set(part))))


def _set(part: Any, *but: str) -> str:
    """Return what is set in a part, apart from its fields `but`: ``ifname tap0, vhost``."""
    words = []
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if field.name in but or value == field.default:
            continue
        label = field.name.replace("_", " ")
        if value is True or (field.name == "password" and isinstance(value, str)):
            words.append(label)  # what a password is stays between the guest and its user
        elif value is False or value is None:
            words.append(f"no {label}")
        else:
            words.append(f"{label} {_words(value)}")
    return ", ".join(words)


# -- a guest --------------------------------------------------------------------------------


def guest_card(info: GuestInfo, state: State, age_s: float | None = None) -> Card:
    """Show a guest as it was last known.

    Parameters
    ----------
    info : its record
    state : the last known state
    age_s : how long ago the state was confirmed; ``None`` where every change is heard of
    """
    sign, color = STATES[state]
    words = f"{sign} {state}"
    if age_s is not None and age_s >= OLD_S:
        words += f" {ago(age_s)} ago"
    rows = [("accelerator", f"{info.accel}: {info.accel_reason}")]
    rows += _spec_rows(info.spec, info.macs)
    rows.append(("process", _process(info, state)))
    return _card("Guest", info.name, words, rows, color)


def _process(info: GuestInfo, state: State) -> str:
    who = info.engine if info.pid is None else f"{info.engine}, pid {info.pid}"
    if state in {"shutdown", "lost"}:
        return f"{who}, ended"
    kept = "for ever" if info.keep_s is None else f"{ago(info.keep_s)} after its last owner"
    return f"{who}, started {ago(time.time() - info.created_s)} ago, kept {kept}"


def ago(seconds: float) -> str:
    """Return a length of time in one unit: ``ago(200) == "3 min"``."""
    seconds = max(0.0, seconds)
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{int(seconds / size)} {unit}"
    return f"{int(seconds / 86400)} d"


# -- a host ---------------------------------------------------------------------------------


def host_card(uri: str | None, known: HostInfo, names: Sequence[str]) -> Card:
    """Show a host: what runs its guests and how well, and which guests run.

    Parameters
    ----------
    uri : of the engine; ``None`` for QEMU itself
    known : what is known of the engine without asking it
    names : of the guests that run
    """
    rows = [("engine", uri or "QEMU itself, as processes of your own")]
    if known.binary:
        version = f", version {known.version}" if known.version else ""
        rows.append(("QEMU", f"{known.binary}{version}"))
    if known.accel is None:
        rows.append(("accelerator", "not known yet: the first start, or host.doctor(), finds out"))
    else:
        rows.append(("accelerator", f"{known.accel}: {known.accel_reason}"))
    if known.accel == "tcg":
        rows.append(("security", NO_BOUNDARY))
    rows.append(("guests", f"{len(names)}: {', '.join(names)}" if names else "none runs"))
    return _card("Host", "", "", rows)
