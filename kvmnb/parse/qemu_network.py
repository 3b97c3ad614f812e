"""Network cards in QEMU's ways to write them: ``-nic``, ``-net``, ``-netdev`` and ``-device``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from kvmnb.parse.qemu_draft import Draft, Entry
from kvmnb.parse.qemu_netbacks import back_of
from kvmnb.parse.qemu_options import Given, Options, doubled
from kvmnb.parse.words import Word
from kvmnb.spec.network import NIC, User

if TYPE_CHECKING:
    from kvmnb.spec.network import NetBack

__all__ = [
    "MODELS",
    "default_nic",
    "host_nic",
    "hub_device",
    "net",
    "netdev_entry",
    "netdevs",
    "nic",
    "nic_device",
    "settle_hubs",
]

MODELS = {
    "virtio-net-pci": "virtio",
    "virtio-net": "virtio",
    "virtio-net-pci-non-transitional": "virtio",
    "virtio-net-pci-transitional": "virtio",
    "e1000-82540em": "e1000",
    **{
        name: name
        for name in (
            *("e1000-82544gc", "e1000-82545em", "igb", "i82550", "i82557a", "i82557c", "i82558a"),
            *("i82558b", "i82559a", "i82559b", "i82559c", "i82562", "i82801", "ne2k_isa"),
        )
    },
    **{
        name: name
        for name in (
            *("virtio", "e1000", "e1000e", "rtl8139", "pcnet", "vmxnet3", "ne2k_pci", "i82551"),
            *("i82557b", "i82559er", "tulip"),
        )
    },
}
"""QEMU's names of cards, and what `NIC.model` has for them: a word, or the name itself."""

NIC_DEVICES = {word: name for name, word in MODELS.items() if "transitional" not in name}
NIC_DEVICES |= {"virtio": "virtio-net-pci", "e1000": "e1000"}
"""The device of each word."""

_TODAY = "today: -nic for both halves of a card, or -netdev and -device for one each"


def default_model(draft: Draft) -> str:
    """Return the card that the board has when nobody names one."""
    machine = draft.fields.get("machine", "pc")
    if machine == "isapc":
        return "ne2k_isa"
    return "e1000e" if "q35" in machine else "e1000"


def nic(draft: Draft, option: Word, value: Word) -> None:
    """``-nic``: a card and its back in one."""
    draft.said.add("net")
    options = Options(draft.text, value, "type")
    kind = options.take("type")
    if kind is None:
        raise draft.refused(value.position, "-nic begins with its back: user, tap, bridge, … none")
    if kind.value == "none":
        return
    front = {
        "model": options.take("model"),
        "mac": options.take("mac", "macaddr"),
        "id": options.take("id"),
        "addr": options.take("addr"),
        "vectors": options.take("vectors"),
    }
    back = back_of(draft, kind, options)
    if back is None or options.items:
        draft.keep(option, value)
        return
    _card(draft, value.position, back, front)


def net(draft: Draft, option: Word, value: Word) -> None:
    """``-net``: a card or a back on a hub, which is the old way."""
    draft.said.add("net")
    options = Options(draft.text, value, "type")
    kind = options.take("type")
    if kind is None:
        raise draft.refused(value.position, "-net begins with its kind: nic, user, tap, … none")
    if kind.value == "none":
        return
    if kind.value == "channel":
        raise draft.refused(kind.value_at, "-net channel is gone since QEMU 2.12; use guestfwd=")
    hub = 0
    if given := options.take("vlan"):
        hub = draft.number(given, "vlan", 0, 1 << 16)
        told = f"vlan= is gone since QEMU 3.0: it named a hub; {_TODAY}"
        draft.note(given.key_at, f"vlan={given.value}", "removed", told)
    else:
        draft.note(option.position, f"{option.text} {kind.value}", "old", f"-net is old; {_TODAY}")
    if given := options.take("name"):
        told = "name= is gone since QEMU 5.1; it is written id= today"
        draft.note(given.key_at, f"name={given.value}", "removed", told)
        options.items.append(given._replace(key="id"))
    if kind.value == "dump":
        _dump(draft, option, options)
        return
    if options.get("netdev") is not None:
        draft.keep(option, value)
        return
    hubs = draft.parts.setdefault("hubs", {}).setdefault(hub, ([], []))
    hubs[0 if kind.value == "nic" else 1].append((option, value, kind, options))


def hub_device(draft: Draft, option: Word, value: Word, driver: str) -> None:
    """``-device CARD,vlan=N``: a card on a hub, as ``-net nic`` is."""
    options = Options(draft.text, value, "driver")
    device, given = options.take("driver"), options.take("vlan")
    if device is None or given is None:
        return
    draft.said.add("net")
    hub = draft.number(given, "vlan", 0, 1 << 16)
    told = f"vlan= is gone since QEMU 3.0: it named a hub; {_TODAY}"
    draft.note(given.key_at, f"vlan={given.value}", "removed", told)
    options.items.append(device._replace(key="model", value=driver))
    hubs = draft.parts.setdefault("hubs", {}).setdefault(hub, ([], []))
    hubs[0].append((option, value, device, options))


def _dump(draft: Draft, option: Word, options: Options) -> None:
    file, length = options.take("file"), options.take("len")
    words = "filter-dump,id=dump0,netdev=net0"
    words += f",file={doubled(file.value if file else 'qemu-vlan0.pcap')}"
    if length is not None:
        words += f",maxlen={draft.number(length, 'len', 1, 1 << 31)}"
    told = "-net dump is gone since QEMU 2.12; today: -object filter-dump"
    draft.note(option.position, f"{option.text} dump", "removed", told)
    draft.kept.append((option.position, ("-object", words)))


def settle_hubs(draft: Draft) -> None:
    """Join the cards and backs that ``-net`` put on hubs."""
    for hub, (cards, backs) in sorted(draft.parts.pop("hubs", {}).items()):
        if not cards and len(backs) == 1:
            option, value, kind, options = backs[0]
            told = (
                f"no -net nic stands beside this {kind.value}, so QEMU gives the guest no card; "
                f"here it has the board's, an {default_model(draft)}"
            )
            draft.note(option.position, f"{option.text} {value.text}", "changed", told)
            cards.append((option, value, kind, Options(draft.text, Word("", value.end, value.end))))
        if not cards:
            for option, value, kind, _ in backs:
                told = f"no card of the guest uses this {kind.value}"
                draft.ignore(option, value, told)
        elif len(cards) == 1 and len(backs) == 1:
            (_, value, _, front), (_, _, kind, options) = cards[0], backs[0]
            options.take("id")
            back = back_of(draft, kind, options)
            if back is None or options.items:
                _on_hub(draft, hub, cards, backs)
            else:
                _card(draft, value.position, back, _front(draft, front))
        elif backs:
            _on_hub(draft, hub, cards, backs)
        else:
            for option, value, _, front in cards:
                _card(draft, value.position, None, _front(draft, front))
                told = "no back stands beside it: the card is there, its cable hangs loose"
                draft.note(option.position, f"{option.text} {value.text}", "changed", told)


def _on_hub(draft: Draft, hub: int, cards: list[Any], backs: list[Any]) -> None:
    """Keep a hub with more than two ends as one: cards in the spec, the rest verbatim."""
    for number, (option, value, kind, _) in enumerate(backs):
        id_ = f"hub{hub}back{number}"
        options = Options(draft.text, value, "type")
        for key in ("id", "name", "vlan", "type"):
            options.take(key)
        rest = "".join(f",{each.key}={doubled(each.value)}" for each in options.items)
        port = f"hubport,id={id_}port,hubid={hub},netdev={id_}"
        words = ("-netdev", f"{kind.value},id={id_}{rest}", "-netdev", port)
        draft.kept.append((option.position, words))
        told = "more than one card or back on a hub; it is kept as a hub"
        draft.note(option.position, f"{option.text} {value.text}", "kept", told)
    for number, (option, value, _, front) in enumerate(cards):
        id_ = f"hub{hub}card{number}"
        given = _front(draft, front)
        model = given.pop("model")
        device = NIC_DEVICES.get(model.value if model else default_model(draft))
        if device is None:
            raise draft.refused(value.position, f"{value.text[:40]!r} names no card of QEMU's")
        keys = {"mac": "mac", "id": "id", "addr": "addr", "vectors": "vectors"}
        rest = "".join(f",{keys[key]}={doubled(each.value)}" for key, each in given.items() if each)
        words = ("-netdev", f"hubport,id={id_},hubid={hub}", "-device", f"{device},netdev={id_}")
        draft.kept.append((option.position, (*words[:3], words[3] + rest)))


def _front(draft: Draft, options: Options) -> dict[str, Given | None]:
    front = {
        "model": options.take("model"),
        "mac": options.take("macaddr", "mac"),
        "id": options.take("id"),
        "addr": options.take("addr"),
        "vectors": options.take("vectors"),
    }
    if options.items:
        from kvmnb.parse.qemu_draft import suggestion

        given = options.items[0]
        near = suggestion(given.key, ("model", "macaddr", "netdev", "addr", "vectors", "vlan"))
        told = f"-net nic has no {given.key[:40]!r}; {near}".rstrip("; ")
        raise draft.refused(given.key_at, told)
    return front


def _card(
    draft: Draft,
    at: int,
    back: NetBack | None,
    front: dict[str, Given | None],
) -> None:
    """Add a card to the spec."""
    model, mac, id_ = front["model"], front["mac"], front["id"]
    addr, vectors = front["addr"], front["vectors"]
    word = default_model(draft)
    if model is not None:
        known = MODELS.get(model.value)
        if known is None:
            from kvmnb.parse.qemu_draft import suggestion

            near = suggestion(model.value, MODELS)
            told = f"model={model.value[:40]}: {near}host.nics lists what this QEMU has"
            raise draft.refused(model.value_at, told)
        word = known
    elif draft.run_dir is None:
        told = f"without model= the card is the board's own, an {word}; virtio is faster"
        draft.note(at, draft.text[at : at + 24].split(" ")[0], "default", told)
    place = mac.value_at if mac else addr.value_at if addr else at
    draft.add(
        "nics",
        draft.made(
            place,
            NIC,
            model=word,
            back=back,
            mac=mac.value if mac else None,
            name=id_.value if id_ else None,
            address=_address(addr.value) if addr else None,
            vectors=draft.number(vectors, "vectors", 0, 2048) if vectors else None,
        ),
    )
    if id_ is not None:
        draft.renamed[id_.value] = id_.value


def _address(value: str) -> str:
    return value.lower().removeprefix("0x")


def default_nic(draft: Draft) -> None:
    """Add the card that QEMU has when nothing is said of networks."""
    model = default_model(draft)
    draft.add("nics", NIC(model=model, back=User()))
    told = f"no option speaks of a network: QEMU gives the guest an {model} on a user network"
    draft.note(draft.binary.position, draft.binary.text, "default", told)


# ---- -netdev and -device


def netdev_entry(draft: Draft, option: Word, value: Word) -> None:
    """``-netdev``: understood with the card that has it, at the end."""
    draft.said.add("net")
    draft.entries.append(Entry(option, value, Options(draft.text, value, "type")))


def netdevs(draft: Draft) -> dict[str, Entry]:
    """Return the line's network backs by id."""
    found = draft.parts.setdefault("netdevs", {})
    if not found:
        for entry in draft.entries:
            if entry.option == "-netdev" and (id_ := entry.options.get("id")) is not None:
                if id_ in found:
                    raise draft.refused(entry.at, f"a netdev has the id {id_[:40]!r} already")
                found[id_] = entry
    return found


def nic_device(draft: Draft, entry: Entry, driver: str) -> bool:
    """Take a ``-device`` that is a card into the spec, if fields say all of it."""
    options = entry.options.copy()
    options.take("driver")
    named = options.take("netdev")
    backed: Entry | None = None
    back: NetBack | None = None
    pairs: int | None = None
    if named is not None:
        backed = netdevs(draft).get(named.value)
        if backed is None:
            from kvmnb.parse.qemu_draft import suggestion

            near = suggestion(named.value, netdevs(draft))
            told = f"no -netdev has the id {named.value[:40]!r}; {near}".rstrip("; ")
            raise draft.refused(named.value_at, told)
        if backed.used:
            return False
        given = backed.options.copy()
        given.take("id")
        kind = given.take("type")
        if kind is None:
            raise draft.refused(backed.word.position, "-netdev begins with its kind")
        back = back_of(draft, kind, given)
        queues = given.take("queues")
        if back is None or given.items:
            return False
        pairs = getattr(back, "queues", None)
        if queues is not None:
            pairs = draft.number(queues, "queues", 1, 256)
    _device_card(draft, entry, driver, back, options, pairs)
    entry.used = True
    if backed is not None:
        backed.used = True
    return True


def _device_card(
    draft: Draft,
    entry: Entry,
    driver: str,
    back: NetBack | None,
    options: Options,
    pairs: int | None,
) -> None:
    from kvmnb.spec.netbacks import Tap

    id_ = options.take("id")
    if options.get("bus") in {"pci.0", "pcie.0"}:
        options.take("bus")  # where every card is unless told otherwise
    elif options.get("bus") is not None:
        draft.free_place(options)
    index = len(draft.lists.get("nics", ()))
    mac, addr, vectors = options.take("mac"), options.take("addr"), options.take("vectors")
    bootindex, mtu, mq = options.take("bootindex"), options.take("host_mtu"), options.take("mq")
    queues = None
    if mq is not None:
        queues = pairs if draft.switch(mq, "mq") else 1
        if queues is None:
            options.items.append(mq)
        elif isinstance(back, Tap):
            back = dataclasses.replace(back, queues=None)
    name = None if id_ is None or id_.value == f"net{index}" else id_.value
    count = draft.number(vectors, "vectors", 0, 2048) if vectors else None
    if queues is not None and count == 2 * queues + 2:
        count = None  # what so many queues need, and get anyway
    place = mac.value_at if mac else addr.value_at if addr else entry.word.position
    card = draft.made(
        place,
        NIC,
        model=MODELS[driver],
        back=back,
        mac=mac.value if mac else None,
        name=name,
        address=_address(addr.value) if addr else None,
        vectors=count,
        queues=queues,
        mtu=draft.number(mtu, "host_mtu", 0, 65535) if mtu else None,
        bootindex=draft.number(bootindex, "bootindex", 1, 1 << 30) if bootindex else None,
        options=tuple((given.key, given.value) for given in options.items),
    )
    draft.add("nics", card)
    new = name or f"net{index}"
    named = entry.options.get("netdev")
    for old in (named, id_.value if id_ else None):
        if old is not None:
            draft.renamed[old] = new


def host_nic(draft: Draft, options: Options, id_: Given, host: Given) -> bool:
    """Add a card that is a device of the host's."""
    from kvmnb.spec.netbacks import HostNIC

    index = len(draft.lists.get("nics", ()))
    addr, bootindex = options.take("addr"), options.take("bootindex")
    back = draft.made(host.value_at, HostNIC, address=host.value)
    card = draft.made(
        host.value_at,
        NIC,
        back=back,
        name=None if id_.value == f"net{index}" else id_.value,
        address=_address(addr.value) if addr else None,
        bootindex=draft.number(bootindex, "bootindex", 1, 1 << 30) if bootindex else None,
        options=tuple((given.key, given.value) for given in options.items),
    )
    draft.add("nics", card)
    return True
