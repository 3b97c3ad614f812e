"""``--network`` and its predecessors: the cards of a guest of virt-install's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvmnb.parse.virt_install_draft import Draft
from kvmnb.parse.virt_install_options import Given
from kvmnb.parse.virt_install_subs import OFF, ON, Subs
from kvmnb.spec.netbacks import Bridge, Direct, LibvirtNetwork, Passt, Tap, VhostUser
from kvmnb.spec.network import User

if TYPE_CHECKING:
    from kvmnb.spec.network import NetBack

__all__ = ["bridge", "mac", "network"]

TYPES = ("bridge", "network", "user", "direct", "ethernet", "vhostuser", "null", "passt")


def network(draft: Draft, given: Given) -> None:
    """Read ``--network``: one card, or ``none``."""
    value = given.value or ""
    if value == "none":
        draft.said["nonetworks"] = given.position
        return
    subs = Subs(draft, given, "type")
    kind, source = _kind(draft, subs)
    queues = subs.number("driver.queues", "driver_queues")
    back = _back(draft, subs, kind, source, queues)
    field = f"nics[{len(draft.nics)}]"
    draft.nics.append(
        {
            "position": given.position,
            "back": back,
            "model": subs.filled("model", "model.type"),
            "mac": _mac(subs.filled("mac", "mac.address")),
            "name": _name(draft, subs, field),
            "address": _address(draft, subs, field),
            "queues": queues,
            "mtu": subs.number("mtu.size"),
            "bootindex": subs.number("boot.order", "boot_order"),
            "link": _link(subs),
        }
    )
    subs.keep(field)


def _mac(mac: str | None) -> str | None:
    return None if mac is None or mac.upper() == "RANDOM" else mac


def _kind(draft: Draft, subs: Subs) -> tuple[str, str | None]:
    first = subs.sub("type")
    kind = "" if first is None else first.value or ""
    for old in ("bridge", "network"):
        if first is not None and kind.startswith(old + ":"):
            draft.note(first.position, kind, "old", f"today it is {old}={kind[len(old) + 1 :]}")
            return old, kind[len(old) + 1 :]
    if kind == "default":
        return "network", "default"
    for key in ("network", "bridge"):
        name = subs.filled(key)
        if name is not None and not kind:
            return key, name
    if not kind:
        kind = "bridge"
    if kind not in TYPES:
        where = subs.position if first is None else first.position
        reason = f"a network is one of {', '.join(TYPES)}; {kind[:40]!r} is none of them"
        draft.fail(where, reason)
    return kind, subs.filled("source")


def _back(
    draft: Draft, subs: Subs, kind: str, source: str | None, queues: int | None
) -> NetBack | None:
    position = subs.position
    match kind:
        case "null":
            return None
        case "passt":
            return draft.make(position, Passt, interface=subs.filled("source.dev"))
        case "user":
            if subs.has("backend.type") and subs.filled("backend.type") == "passt":
                return draft.make(position, Passt, interface=subs.filled("source.dev"))
            return User()
        case "bridge":
            if source is None:
                draft.note(position, "--network", "default", "a bridge without a name is br0")
            return draft.make(position, Bridge, source or "br0")
        case "network":
            portgroup = subs.filled("source.portgroup", "portgroup")
            name = source or "default"
            return draft.make(position, LibvirtNetwork, name=name, portgroup=portgroup)
        case "direct":
            mode = subs.filled("source.mode", "source_mode")
            if mode is None:
                message = "libvirt attaches a macvtap in mode vepa"
                draft.note(position, source or kind, "default", message)
            if source is None:
                draft.fail(position, "type=direct needs an interface of the host: source=eth0")
            return draft.make(position, Direct, device=source, mode=mode or "vepa")
        case "ethernet":
            driver = subs.filled("driver.name", "driver_name")
            if driver not in {None, "vhost", "qemu"}:
                draft.fail(position, "driver.name is vhost or qemu")
            vhost = None if driver is None else driver == "vhost"
            ifname = subs.filled("target.dev", "target")
            return draft.make(position, Tap, ifname=ifname, vhost=vhost, queues=queues)
        case _:
            subs.filled("source.type", "source_type")
            path = subs.filled("source.path", "source_path")
            mode = subs.filled("source.mode", "source_mode")
            if path is None:
                draft.fail(position, "type=vhostuser needs a socket: source.path=PATH")
            return draft.make(position, VhostUser, path=path, server=mode == "server")


def _link(subs: Subs) -> bool:
    sub = subs.sub("link.state", "link_state")
    word = "up" if sub is None else (sub.value or "").lower()
    if sub is not None and word not in {"up", "down", *ON, *OFF}:
        subs.draft.fail(sub.position, "link.state is up or down")
    return word not in {"down", *OFF}


def _name(draft: Draft, subs: Subs, field: str) -> str | None:
    sub = subs.sub("alias.name")
    if sub is None or not sub.value:
        return None
    if sub.value.startswith("ua-"):
        return sub.value[3:]
    draft.keep_sub(field, sub.written)
    draft.note(sub.position, sub.written, "kept", "libvirt takes names that begin with ua- only")
    return None


def _address(draft: Draft, subs: Subs, field: str) -> str | None:
    """Return the place on the PCI bus; any other address is kept."""
    parts = subs.starting("address.")
    if not parts:
        return None
    said: dict[str, Any] = {sub.key.removeprefix("address."): sub for sub in parts}
    plain = set(said) <= {"type", "slot", "function", "bus", "domain"} and "slot" in said
    numbers = {}
    if plain and said.get("type") is not None and said["type"].value == "pci":
        numbers = {key: subs.whole(sub) for key, sub in said.items() if key != "type"}
    if not numbers or numbers.get("bus", 0) or numbers.get("domain", 0):
        for sub in parts:
            draft.keep_sub(field, sub.written)
            draft.note(sub.position, sub.written, "kept", "no field stands for such an address")
        return None
    slot = f"{max(numbers['slot'], 0):x}"
    return f"{slot}.{max(numbers['function'], 0):x}" if "function" in numbers else slot


def bridge(draft: Draft, given: Given) -> None:
    """Read the old ``-b BRIDGE``."""
    draft.note(given.position, given.written, "old", "today it is --network bridge=NAME")
    back = draft.make(given.at(0), Bridge, given.value or "")
    draft.nics.append({"position": given.position, "back": back, "model": None})


def mac(draft: Draft, given: Given) -> None:
    """Read the old ``-m MAC``, which goes with the cards in turn."""
    draft.note(given.position, given.written, "old", "today it is --network …,mac=MAC")
    draft.lists.setdefault("macs", []).append((given.at(0), given.value))
