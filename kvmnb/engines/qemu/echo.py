"""What a command to a monitor is in the other languages, and whether it changes the guest.

Passwords are masked: what is remembered is shown.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

__all__ = ["MASK", "hmp_changes", "hmp_line", "hmp_words", "qmp_changes", "qmp_text", "qmp_words"]

MASK = "********"

_SECRET = {"set_password": "password", "object-add": "data"}
"""The argument that holds one, by command; the object may be a secret."""

_SECRET_HMP = re.compile(
    r"^\s*(set_password\s+\S+\s+|change\s+\S+\s+passw\S*\s+|object_add\s+.*?\bdata=)(\S+)"
)

_ASKING = ("query-", "qom-list", "qom-get", "device-list-", "x-query-", "trace-event-get-")
_ASKING_ALONE = frozenset(
    {"qmp_capabilities", "screendump", "pmemsave", "memsave", "dump-guest-memory", "getfd"}
)
_ASKING_HMP = frozenset(
    {"info", "help", "?", "print", "p", "x", "xp", "i", "sum", "gva2gpa", "gpa2hva", "gpa2hpa"}
    | {"qom-list", "qom-get", "screendump", "memsave", "pmemsave", "dump-guest-memory"}
)

# commands that QMP and HMP have in common, with the arguments that HMP takes in their order
# (QEMU, qapi/ and hmp-commands.hx)
_COMMON: dict[str, tuple[str, ...]] = {
    "stop": (),
    "cont": (),
    "quit": (),
    "system_reset": (),
    "system_powerdown": (),
    "system_wakeup": (),
    "inject-nmi": (),
    "device_del": ("id",),
    "netdev_del": ("id",),
    "object-del": ("id",),
    "chardev-remove": ("id",),
    "migrate_cancel": (),
    "set_link": ("name", "up"),
    "qom-set": ("path", "property", "value"),
}
_SPELLED = {
    "inject-nmi": "nmi",
    "object-del": "object_del",
}


def qmp_text(command: str, arguments: Mapping[str, Any] | None) -> str:
    """Return a command as it goes over QMP's line."""
    message: dict[str, Any] = {"execute": command}
    if arguments:
        message["arguments"] = {
            key: MASK if key == _SECRET.get(command) else value for key, value in arguments.items()
        }
    return json.dumps(message)


def qmp_changes(command: str, arguments: Mapping[str, Any]) -> bool:
    """Return whether a QMP command does more than ask."""
    if command == "human-monitor-command":
        return hmp_changes(str(arguments.get("command-line", "")))
    return not (command.startswith(_ASKING) or command in _ASKING_ALONE)


def hmp_changes(text: str) -> bool:
    """Return whether a line for the human monitor does more than ask."""
    word = text.split(maxsplit=1)[0].partition("/")[0] if text.strip() else ""
    return bool(word) and word not in _ASKING_HMP


def qmp_words(name: str, command: str, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return a QMP command in all three languages; ``""`` where HMP has another way."""
    if command == "human-monitor-command":
        return hmp_words(name, str(arguments.get("command-line", "")))
    text = qmp_text(command, arguments)
    hmp = ""
    taken = _COMMON.get(command)
    if taken is not None and set(arguments) <= set(taken):
        words = [_hmp(arguments[key]) for key in taken if key in arguments]
        hmp = " ".join((_SPELLED.get(command, command), *words))
    virsh = shlex.join(("virsh", "qemu-monitor-command", name, text))
    return {"qmp": text, "hmp": hmp, "virsh": virsh}


def hmp_words(name: str, text: str) -> dict[str, str]:
    """Return a line for the human monitor in all three languages."""
    text = _SECRET_HMP.sub(lambda found: found[1] + MASK, text)
    qmp = qmp_text("human-monitor-command", {"command-line": text})
    virsh = shlex.join(("virsh", "qemu-monitor-command", name, "--hmp", text))
    return {"qmp": qmp, "hmp": text, "virsh": virsh}


def hmp_line(*words: str) -> str:
    """Return a line for the human monitor; it splits at spaces that are not within quotes."""
    return " ".join(map(_hmp_quoted, words))


def _hmp_quoted(word: str) -> str:
    if word and not set(word) & set(" \t\"'\\"):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _hmp(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


# QEMU's key names (qapi/ui.json, QKeyCode) whose Linux name (linux/input-event-codes.h) differs
# by more than its capitals
_KEYS = {
    "ctrl": "LEFTCTRL",
    "ctrl_r": "RIGHTCTRL",
    "alt": "LEFTALT",
    "alt_r": "RIGHTALT",
    "altgr": "RIGHTALT",
    "shift": "LEFTSHIFT",
    "shift_r": "RIGHTSHIFT",
    "meta_l": "LEFTMETA",
    "meta_r": "RIGHTMETA",
    "ret": "ENTER",
    "spc": "SPACE",
    "pgup": "PAGEUP",
    "pgdn": "PAGEDOWN",
    "caps_lock": "CAPSLOCK",
    "num_lock": "NUMLOCK",
    "scroll_lock": "SCROLLLOCK",
    "grave_accent": "GRAVE",
    "bracket_left": "LEFTBRACE",
    "bracket_right": "RIGHTBRACE",
    "print": "SYSRQ",
    "less": "102ND",
    "kp_enter": "KPENTER",
    "kp_add": "KPPLUS",
    "kp_subtract": "KPMINUS",
    "kp_multiply": "KPASTERISK",
    "kp_divide": "KPSLASH",
    "kp_decimal": "KPDOT",
    **{f"kp_{digit}": f"KP{digit}" for digit in range(10)},
}


def linux_key(key: str) -> str:
    """Return the name by which ``virsh send-key`` knows a key of QEMU's."""
    return f"KEY_{_KEYS.get(key, key.upper())}"
