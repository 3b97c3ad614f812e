"""What old options of virt-install say together: each alone is half a device."""

from __future__ import annotations

from typing import Any

from kvmnb.parse.virt_install_draft import Draft
from kvmnb.parse.virt_install_storage import parted
from kvmnb.spec.graphics import VNC, VNC_PORT
from kvmnb.spec.netbacks import LibvirtNetwork
from kvmnb.spec.screens import Window
from kvmnb.spec.storage import NewFile

__all__ = ["old_graphics", "old_networks", "old_storage"]


def old_storage(draft: Draft) -> None:
    """Turn ``--file`` and ``--file-size`` into what ``--disk`` says."""
    sizes = draft.lists.pop("file_sizes", [])
    files = draft.lists.pop("files", [])
    files += [(0, None)] * (len(sizes) - len(files))
    if "nonsparse" in draft.said:
        place = draft.said["nonsparse"]
        draft.note(place, "--nonsparse", "old", "today it is --disk …,sparse=no")
    for index, (place, path) in enumerate(files):
        size = sizes[index] if index < len(sizes) else None
        if path is None:
            draft.fail(0, "--file-size goes with --file")
        back = parted(draft, place, path)
        if size is not None:
            sparse = "nonsparse" not in draft.said
            back = draft.make(place, NewFile, size, path=path, sparse=sparse)
        made = {"position": place, "back": back, "bus": None, "index": None}
        draft.disks.append(made)
        draft.disk_order.append(made)


def old_networks(draft: Draft) -> None:
    """Give the cards in turn what ``--mac`` says."""
    for index, (place, mac) in enumerate(draft.lists.pop("macs", [])):
        while len(draft.nics) <= index:
            draft.nics.append({"position": place, "back": LibvirtNetwork(), "model": None})
        draft.nics[index]["mac"] = None if mac == "RANDOM" else mac


def old_graphics(draft: Draft) -> None:
    """Turn ``--vnc``, ``--sdl`` and their companions into what ``--graphics`` says."""
    keys = dict(draft.lists.pop("old_graphics_keys", []))
    old = draft.lists.pop("old_graphics", [])
    if keys and not old:
        old = [("vnc", 0)]
    for word, place in old:
        draft.said["graphics"] = place
        if word == "sdl":
            draft.add("displays", Window(toolkit="sdl"))
            continue
        port = keys.get("port")
        fields: dict[str, Any] = {"display": None if port is None else int(port) - VNC_PORT}
        fields["listen"] = keys.get("listen") or (None if port else "127.0.0.1")
        fields["keymap"] = keys.get("keymap")
        draft.add("displays", draft.make(place, VNC, **fields))
