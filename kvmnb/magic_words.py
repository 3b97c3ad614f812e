"""What the Tab key offers in the magics' lines: guests, checkpoints, QMP and HMP commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kvmnb.guest import Guest
from kvmnb.host import Host

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Completers", "guest_names", "hmp_commands", "qmp_commands"]

_HMP_LINE = re.compile(r"(?:info )?(?P<names>[\w|-]+)(?P<rest>.*?)\s+-- ")
"""A line of ``help`` or of ``info``: names, parameters, two hyphens, a description."""

_asked: dict[tuple[str, ...], list[str]] = {}
"""What a QEMU binary offers; it is the same for all of its guests."""


def guest_names(shell: InteractiveShell) -> list[str]:
    """Return how guests can be named in this shell: variables that hold one, guests that run."""
    held = [
        name
        for name, value in shell.user_ns.items()
        if isinstance(value, Guest) and not name.startswith("_")
    ]
    return list(dict.fromkeys([*held, *Host().guests]))


def qmp_commands(guest: Guest) -> list[str]:
    """Return the QMP commands of a guest's QEMU."""
    key = (guest.info.command[0], "qmp")
    if key not in _asked:
        _asked[key] = sorted(each["name"] for each in guest.qmp("query-commands"))
    return _asked[key]


def hmp_commands(guest: Guest, of: str = "") -> list[str]:
    """Return the commands of the human monitor, or those below one such as ``info``."""
    key = (guest.info.command[0], "hmp", of)
    if key not in _asked:
        lines = guest.hmp(f"help {of}").splitlines()
        found = filter(None, map(_HMP_LINE.match, lines))
        _asked[key] = sorted({name for each in found for name in each["names"].split("|")})
    return _asked[key]


class Completers:
    """Completes the magics' lines in one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def complete(self, _: object, event: Any) -> list[str]:
        """Return what can stand at the cursor; IPython's hook ``complete_command``."""
        try:
            typed = str(event.text_until_cursor)
            return self._at(typed.removesuffix(event.symbol), event.symbol)
        except Exception:  # nothing that goes wrong here is worth breaking off somebody's typing
            return []

    def _at(self, before: str, symbol: str) -> list[str]:
        magic, *words = before.split()
        match magic.lstrip("%"), words:
            case "kvmnb", []:
                offered = ["checkpoint", "guests", "--help"]
            case "kvmnb", ["checkpoint"]:
                offered = ["cells"]
            case "kvmnb", ["checkpoint", "cells"]:
                offered = ["on", "off"]
            case "guest" | "hmp" | "qmp", []:
                offered = [*guest_names(self._shell), "--help"]
            case "guest", [name, *_] if (label := _open_label(before)) is not None:
                return self._labels(name, label, symbol)
            case "guest", [_, *_] if magic == "%%guest":
                offered = ["--from", "--timeout", "--quiet", "--no-check"]
            case "qmp", [name]:
                offered = qmp_commands(self._guest(name))
            case "hmp", [name]:
                offered = hmp_commands(self._guest(name))
            case "hmp", [name, "info" | "help" as word]:
                offered = hmp_commands(self._guest(name), "info" if word == "info" else "")
            case _:
                offered = []
        return [each for each in offered if each.startswith(symbol)]

    def _guest(self, name: str) -> Guest:
        held = self._shell.user_ns.get(name)
        return held if isinstance(held, Guest) else Host().guests[name]

    def _labels(self, name: str, label: str, symbol: str) -> list[str]:
        known, _ = self._guest(name)._control.checkpoints()
        labels = dict.fromkeys(checkpoint.label for checkpoint in reversed(known))
        quote, begun = label[:1], label[1:] + symbol
        if quote in {'"', "'"}:
            return [each[len(label) - 1 :] for each in labels if each.startswith(begun)]
        plain = re.compile(r"[\w.-]+")
        offered = [each if plain.fullmatch(each) else f'"{each}"' for each in labels]
        return [each for each in offered if each.startswith(symbol)]


def _open_label(before: str) -> str | None:
    """Return what is typed of ``--from``'s value before the word at the cursor, with its quote."""
    found = re.search(r"""--from[ =]+("[^"]*|'[^']*|)\Z""", before)
    return None if found is None else found[1]
