"""Screens: graphics cards, windows, VNC and SPICE servers, and what goes with them."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from kvmnb.parse.qemu_draft import Draft
from kvmnb.parse.qemu_options import Given, Options, doubled
from kvmnb.parse.words import Word
from kvmnb.spec.graphics import VNC, Video

if TYPE_CHECKING:
    from kvmnb.spec.screens import Spice

__all__ = ["display", "full_screen", "keymap", "nographic", "settle_keymap", "spice", "vga", "vnc"]

_VGA = {
    "std": "std", "cirrus": "cirrus", "vmware": "vmware", "qxl": "qxl", "virtio": "virtio",
}  # fmt: skip
_OTHER_VGA = ("xenfb", "tcx", "cg3")


def vga(draft: Draft, option: Word, value: Word) -> None:
    """``-vga``: the graphics card."""
    word = value.text.split(",")[0]
    draft.said.add("vga")
    if word == "none":
        return
    if word in _OTHER_VGA or "," in value.text:
        draft.keep(option, value)
        return
    draft.choice(value, "-vga", (*_VGA, "none"))
    draft.add("videos", draft.made(value.position, Video, word))


def display(draft: Draft, option: Word, value: Word) -> None:
    """``-display``: where QEMU itself shows the screen."""
    options = Options(draft.text, value, "type")
    kind = options.take("type")
    vnc_value = options.get("vnc")
    if kind is None and vnc_value is not None:
        vnc(draft, option, value, implied=None)
        return
    if kind is None:
        raise draft.refused(value.position, "-display begins with its kind: none, gtk, sdl, …")
    draft.said.add("display")
    match kind.value:
        case "none" | "default":
            if kind.value == "default":
                draft.said.discard("display")
            if options.items:
                draft.keep(option, value)
        case "egl-headless" if draft.run_dir is not None and not options.items:
            pass  # the engine's, for cards whose 3D the host draws
        case "sdl" | "gtk" | "curses":
            fields: dict[str, Any] = {"toolkit": kind.value}
            if given := options.take("full-screen"):
                fields["fullscreen"] = draft.switch(given, "full-screen")
            if (given := options.take("gl")) is not None:
                if given.value in {"core", "es"}:
                    options.items.append(given)
                else:
                    fields["gl"] = draft.switch(given, "gl")
            if options.items:
                draft.keep(option, value)
            else:
                _window(draft, kind.value_at, **fields)
        case "vnc":
            raise draft.refused(value.position, "write -display vnc=…, or -vnc …")
        case "cocoa" | "spice-app" | "egl-headless" | "dbus":
            draft.keep(option, value)
        case _:
            names = ("none", "gtk", "sdl", "curses", "egl-headless", "spice-app", "dbus", "vnc")
            draft.choice(kind, "-display", names)


def _window(draft: Draft, at: int, **fields: Any) -> None:
    from kvmnb.spec.screens import Window

    draft.said.add("display")
    draft.add("displays", draft.made(at, Window, **fields))


def window(draft: Draft, option: Word, toolkit: str) -> None:
    """``-sdl -curses``: a window, as it was written until QEMU 7.1."""
    _window(draft, option.position, toolkit=toolkit)


def full_screen(draft: Draft, option: Word, value: Word | None) -> None:
    """``-full-screen``: the window fills the screen."""
    draft.parts["full screen"] = {"at": option.position}


def nographic(draft: Draft, option: Word, value: Word | None) -> None:
    """``-nographic``: no screen, and the first serial port is the console."""
    draft.said |= {"nographic", "display"}
    told = (
        "no screen is shown, the first serial port is the console (a private socket here); "
        "the graphics card stays, -vga none takes it out"
    )
    draft.note(option.position, option.text, "changed", told)


_TARGET = re.compile(r"(\[[^\]]*\]|[^:]*):(\d{1,5})", re.ASCII)


def vnc(draft: Draft, option: Word, value: Word, implied: str | None = "vnc") -> None:
    """``-vnc``: the screen as a VNC server."""
    options = Options(draft.text, value, implied)
    target = options.take("vnc")
    draft.said.add("display")
    if target is None:
        raise draft.refused(value.position, "-vnc begins with a display, such as :0")
    if target.value == "none":
        return
    fields = _vnc_target(draft, target.value, target.value_at)
    _old_tls(draft, option, options)
    whole = options.copy()
    if draft.run_dir is not None:
        options.take("id")
    if given := options.take("password"):
        fields["password"] = draft.switch(given, "password")
    if given := options.take("websocket"):
        if given.value == "on" and fields.get("display") is not None:
            fields["websocket"] = 5700 + fields["display"]
        else:
            fields["websocket"] = draft.number(given, "websocket", 1, 65535)
    if (given := options.take("to")) is not None:
        draft.number(given, "to", 0, 65535)
        if fields.get("display") == 0:
            fields["display"] = None
            fields.setdefault("listen", "127.0.0.1")
        else:
            told = "kvmnb takes the display that is named, or any that is free"
            draft.note(given.key_at, f"to={given.value}", "ignored", told)
    if draft.run_dir is not None and (secret := options.take("password-secret")) is not None:
        _own_secret(draft, secret.value)
        fields["password"] = True
    elif (password := _plain_secret(draft, options)) is not None:
        fields["password"] = password
    sound = options.take("audiodev")
    if not options.items and sound is not None:
        draft.note(sound.key_at, f"audiodev={sound.value}", "ignored", "sound is not sent to VNC")
    if options.items:
        _keep_vnc(draft, option, whole, target.value)
        return
    draft.add("displays", draft.made(target.value_at, VNC, **fields))


def _old_tls(draft: Draft, option: Word, options: Options) -> None:
    """``tls``, ``x509=FOLDER``, ``x509verify=FOLDER`` and ``acl``, as they are written today."""
    if given := options.take("acl"):
        told = "acl is gone since QEMU 6.0; today: tls-authz= and sasl-authz= name objects"
        draft.note(given.key_at, given.key, "removed", told)
    tls, plain = options.take("tls"), options.take("x509")
    verified = options.take("x509verify")
    given = verified or plain or tls
    if given is None:
        return
    kind = "tls-creds-anon,id=vnc-tls,endpoint=server"
    if given is not tls:
        # a folder that is not named is the one of QEMU's that held its certificates
        folder = "/etc/pki/qemu" if given.value == "on" else given.value
        check = "on" if verified else "off"
        kind = "tls-creds-x509,id=vnc-tls,endpoint=server"
        kind += f",dir={doubled(folder)},verify-peer={check}"
    told = f"{given.key} is gone since QEMU 3.1; today: -object {kind} and tls-creds=vnc-tls"
    draft.note(given.key_at, given.key, "removed", told)
    draft.kept.append((option.position, ("-object", kind)))
    options.items.append(given._replace(key="tls-creds", value="vnc-tls"))


def _own_secret(draft: Draft, id_: str) -> None:
    for entry in draft.entries:
        if entry.option == "-object" and entry.options.get("id") == id_:
            entry.used = True


def _plain_secret(draft: Draft, options: Options) -> str | None:
    """Take the password out of the object before it that ``password-secret=`` names, if plain."""
    id_ = options.get("password-secret")
    if [given.key for given in options.items] != ["password-secret"]:
        return None  # the server stays verbatim, and so does what it names
    for entry in draft.entries:
        given = entry.options.copy()
        plain = id_ is not None and entry.option == "-object" and given.get("id") == id_
        if not plain or given.get("format") not in {None, "raw"}:
            continue
        for key in ("id", "qom-type", "format"):
            given.take(key)
        data = given.take("data")
        if data is None or given.items:
            return None
        options.take("password-secret")
        entry.used = True
        return data.value
    return None


def _vnc_target(draft: Draft, target: str, at: int) -> dict[str, Any]:
    if target.startswith("unix:"):
        path = target[len("unix:") :]
        own = draft.run_dir is not None and re.fullmatch(
            re.escape(draft.run_dir) + r"/vnc\d*\.sock", path
        )
        return {} if own else {"unix": path}
    found = _TARGET.fullmatch(target)
    if found is None:
        told = f"{target[:40]!r} is no display: write :0, 127.0.0.1:1, unix:PATH, or none"
        raise draft.refused(at, told)
    host, display = found.group(1).strip("[]"), int(found.group(2))
    if not host:
        told = f"{target} listens on every address of the host; kvmnb listens on 127.0.0.1 only"
        draft.note(at, target, "changed", told)
    fields: dict[str, Any] = {"display": display}
    if host not in {"", "127.0.0.1"}:
        fields["listen"] = host
    return fields


def _keep_vnc(draft: Draft, option: Word, options: Options, target: str) -> None:
    where = "127.0.0.1" + target if target.startswith(":") else target
    rest = "".join(f",{given.key}={doubled(given.value)}" for given in options.items)
    word = Word(doubled(where) + rest, options.word.position, options.word.end)
    draft.keep(Word("-vnc", option.position, option.end), word)


def keymap(draft: Draft, option: Word, value: Word) -> None:
    """``-k``: the keyboard of clients that send no key codes."""
    draft.keymap = value


def settle_keymap(draft: Draft) -> None:
    """Give the keyboard to the VNC servers, and the size to the window."""
    displays = draft.lists.get("displays", [])
    if draft.keymap is not None:
        if not any(isinstance(each, VNC) for each in displays):
            words = ("-k", draft.keymap.text)
            draft.kept.append((draft.keymap.position, words))
            draft.note(draft.keymap.position, " ".join(words), "kept", "no VNC server is there")
        for index, each in enumerate(displays):
            if isinstance(each, VNC):
                keys = draft.keymap
                displays[index] = draft.made(
                    keys.position, dataclasses.replace, each, keymap=keys.text
                )
    full = draft.parts.get("full screen")
    if full is not None:
        for index, each in enumerate(displays):
            if not isinstance(each, VNC) and hasattr(each, "fullscreen"):
                displays[index] = draft.made(full["at"], dataclasses.replace, each, fullscreen=True)
                return
        told = "no window is there to fill the screen with"
        draft.note(full["at"], "-full-screen", "ignored", told)


def spice(draft: Draft, option: Word, value: Word) -> None:
    """``-spice``: the screen as a SPICE server."""
    from kvmnb.spec.screens import Spice

    draft.said.add("display")
    options = Options(draft.text, value)
    whole = options.copy()
    fields: dict[str, Any] = {}
    for key, field in (("port", "port"), ("tls-port", "tls_port")):
        if given := options.take(key):
            fields[field] = draft.number(given, key, 0, 65535) or None
    address, unix = options.take("addr"), options.take("unix")
    if address is not None:
        on = unix is not None and draft.switch(unix, "unix")
        fields["unix" if on else "listen"] = address.value
    if fields.get("listen") == "127.0.0.1":
        del fields["listen"]
    elif address is None:
        told = "without addr= it listens on every address; kvmnb listens on 127.0.0.1 only"
        draft.note(option.position, option.text, "changed", told)
    if given := options.take("password"):
        told = "password= is gone since QEMU 8.0; password-secret= names an object today"
        draft.note(given.key_at, "password", "removed", told)
        fields["password"] = given.value
    options.take("disable-ticketing")
    if draft.run_dir is not None and (secret := options.take("password-secret")) is not None:
        _own_secret(draft, secret.value)
        fields["password"] = "secret"
    elif (password := _plain_secret(draft, options)) is not None:
        fields["password"] = password
    if options.items:
        if address is None:
            whole.items.append(Given("addr", "127.0.0.1", value.end, value.end))
        rest = ",".join(f"{given.key}={doubled(given.value)}" for given in whole.items)
        draft.keep(option, Word(rest, value.position, value.end))
        return
    display: Spice = draft.made(value.position, Spice, **fields)
    draft.add("displays", display)
