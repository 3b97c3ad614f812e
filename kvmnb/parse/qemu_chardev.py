"""Character devices: ``-chardev``, the older words of ``-serial`` and the like, monitors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kvmnb.parse.qemu_draft import Draft, Entry, suggestion
from kvmnb.parse.qemu_options import Given, Options
from kvmnb.parse.words import Word
from kvmnb.spec.chardev import Private, Serial

if TYPE_CHECKING:
    from kvmnb.spec.chardev import CharBack

__all__ = [
    *("back_named", "chardev_entry", "chardevs", "line_back", "mon_entry", "monitor", "parallel"),
    *("own_monitors", "serial", "settle_lines"),
]

OWN_MONITORS = ("qmp", "qmp-shared")
"""Ids of the monitors that the engine keeps for itself."""

PRIVATE_TOLD = "kvmnb gives it a private socket, which the notebook's console opens"


# ---- the words of -serial, -parallel, -monitor


def serial(draft: Draft, option: Word, value: Word) -> None:
    """``-serial``: the next serial port, and its other end."""
    draft.said.add("serial")
    _port(draft, option, value, "serials")


def parallel(draft: Draft, option: Word, value: Word) -> None:
    """``-parallel``: the next parallel port, and its other end."""
    draft.said.add("parallel")
    _port(draft, option, value, "parallels")


def monitor(draft: Draft, option: Word, value: Word) -> None:
    """``-monitor`` and ``-qmp``: a monitor, for people or for programs."""
    draft.said.add("monitor")
    _port(draft, option, value, "monitors", qmp="qmp" in option.text)


def _port(draft: Draft, option: Word, value: Word, field: str, qmp: bool = False) -> None:
    """Remember a port; its back may be a chardev that comes later in the line."""
    draft.parts.setdefault("lines", {})[option.position] = (option, value, field, qmp)


def settle_lines(draft: Draft) -> None:
    """Give each ``-serial``, ``-parallel`` and ``-monitor`` its back, now that all are known."""
    for option, value, field, qmp in draft.parts.pop("lines", {}).values():
        if value.text == "none":
            continue
        back = line_back(draft, value)
        if back is None:
            draft.keep(option, value)
            if field == "serials":
                draft.said.add("serial kept")
            continue
        if field == "serials":
            draft.add(field, draft.made(value.position, Serial, back))
            continue
        from kvmnb.spec.ports import Monitor, Parallel

        if field == "parallels":
            draft.add(field, draft.made(value.position, Parallel, back))
        else:
            mode = "qmp" if qmp else "hmp"
            draft.add(field, draft.made(value.position, Monitor, back, mode=mode))


def line_back(draft: Draft, word: Word) -> CharBack | None:
    """Return the back that an older word names; ``None`` for one that no field stands for.

    Raises
    ------
    ParseError   QEMU has no such word, or there is no chardev of that id
    """
    from kvmnb.spec import charbacks

    text = word.text
    head, _, rest = text.partition(":")
    at = word.at(len(head) + 1)
    match head:
        case "chardev":
            return back_named(draft, rest, at)
        case "mon":
            return _muxed(draft, word, rest)
        case "stdio" | "pty" | "vc" | "msmouse" | "con":
            if head == "msmouse":
                return None
            return _private(draft, word.position, text)
        case "null":
            return charbacks.Null()
        case "file":
            return draft.made(at, charbacks.File, rest)
        case "pipe":
            return draft.made(at, charbacks.Pipe, rest)
        case "unix":
            options = Options(draft.text, _after(word, len(head) + 1), "path")
            return _socket(draft, options, at)
        case "tcp" | "telnet":
            return _tcp(draft, word, len(head) + 1, telnet=head == "telnet")
        case "udp":
            return _udp(draft, rest, at)
        case "braille" | "wctablet" | "testdev" | "tn3270" | "websocket" | "COM1" | "COM2":
            return None
    if text.startswith("/dev/"):
        return draft.made(word.position, charbacks.HostPort, text)
    from kvmnb.parse.qemu_draft import suggestion

    near = suggestion(head, _WORDS)
    raise draft.refused(word.position, f"{text[:40]!r} is no character device: {near}{_EXAMPLES}")


_WORDS = (
    *("stdio", "pty", "null", "none", "vc", "file", "pipe", "tcp", "telnet", "udp", "unix"),
    *("chardev", "mon", "msmouse", "braille"),
)
_EXAMPLES = "stdio, pty, null, none, file:PATH, tcp:HOST:PORT, unix:PATH, /dev/ttyS0, chardev:ID"


def _muxed(draft: Draft, word: Word, rest: str) -> CharBack | None:
    if rest.split(":")[0] not in {"stdio", "pty", "vc"}:
        return None
    told = f"{PRIVATE_TOLD}; the monitor that C-a c leads to is the engine's own"
    draft.note(word.position, word.text, "changed", told)
    return Private()


def _private(draft: Draft, at: int, text: str) -> Private:
    draft.note(at, text, "changed", PRIVATE_TOLD)
    return Private()


def _after(word: Word, index: int) -> Word:
    """Return the rest of a word as a word, which knows its place."""
    runs = tuple(
        (max(begun - index, 0), place + max(index - begun, 0)) for begun, place in word.runs
    )
    return Word(word.text[index:], word.at(index), word.end, runs, word.quoted)


def _tcp(draft: Draft, word: Word, index: int, telnet: bool) -> CharBack | None:
    address = word.text[index:].partition(",")[0]
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*):(\d{1,6})", address, re.ASCII)
    if found is None:
        raise draft.refused(word.at(index), f"{address[:40]!r} is no HOST:PORT")
    given = Options(draft.text, _after(word, index + len(address) + 1))
    if telnet:
        given.items.append(Given("telnet", "on", word.position, word.position))
    host = found.group(1).strip("[]")
    return _inet(draft, given, host, int(found.group(2)), word.at(index))


def _udp(draft: Draft, rest: str, at: int) -> CharBack | None:
    from kvmnb.spec.charbacks import UDP

    end = r"(\[[^\]]*\]|[^:@]*):(\d{1,6})?"
    found = re.fullmatch(rf"{end}(?:@{end})?", rest, re.ASCII)
    if found is None or found.group(2) is None:
        raise draft.refused(at, f"{rest[:40]!r} is no HOST:PORT@HOST:PORT")
    host, port, local, local_port = found.groups()
    bound = int(local_port) if local_port and int(local_port) else None
    return draft.made(
        at,
        UDP,
        host=host.strip("[]") or "127.0.0.1",
        port=int(port),
        local_host=((local or "").strip("[]") or None) if bound else None,
        local_port=bound,
    )


def _inet(draft: Draft, given: Options, host: str, port: int, at: int) -> CharBack | None:
    from kvmnb.spec.charbacks import TCP

    fields = _served(draft, given)
    telnet = given.take("telnet")
    if fields is None or given.items:
        return None
    if not host:
        told = "kvmnb listens on 127.0.0.1 only" if fields["server"] else "127.0.0.1 is meant"
        draft.note(at, draft.text[at : at + 12], "changed", f"without an address, {told}")
    return draft.made(
        at,
        TCP,
        host=host or "127.0.0.1",
        port=port,
        telnet=telnet is not None and draft.switch(telnet, "telnet"),
        **fields,
    )


def _served(draft: Draft, given: Options) -> dict[str, bool] | None:
    server, wait = given.take("server"), given.take("wait")
    given.take("nodelay", "delay")
    listens = server is not None and draft.switch(server, "server")
    waits = listens if wait is None else draft.switch(wait, "wait")
    if wait is not None and not listens:
        waits = False
    return {"server": listens, "wait": waits}


def _socket(draft: Draft, options: Options, at: int) -> CharBack | None:
    """Return a socket's back: the engine's own, TCP, or Unix."""
    from kvmnb.spec.charbacks import UnixSocket

    path = options.take("path")
    if path is None:
        host, port = options.take("host"), options.take("port")
        if port is None:
            return None
        number = draft.number(port, "port", 0, 65535)
        return _inet(draft, options, host.value if host else "", number, port.value_at)
    fields = _served(draft, options)
    if draft.run_dir is not None and path.value.rpartition("/")[0] == draft.run_dir:
        options.take("logfile", "logappend")
        if not options.items:
            return Private()
    if options.items or fields is None:
        return None
    return draft.made(path.value_at, UnixSocket, path=path.value, **fields)


# ---- -chardev


KINDS = (
    *("null", "socket", "udp", "msmouse", "vc", "ringbuf", "memory", "file", "pipe", "console"),
    *("serial", "tty", "pty", "stdio", "braille", "parallel", "parport", "spicevmc", "spiceport"),
    *("qemu-vdagent", "dbus", "testdev", "wctablet", "hub", "mux"),
)
"""What a chardev can be (QEMU manual, "Character device options")."""


def chardev_entry(draft: Draft, option: Word, value: Word) -> None:
    """``-chardev``: understood with the device that has it, at the end."""
    options = Options(draft.text, value, "backend")
    kind = next((given for given in options.items if given.key == "backend"), None)
    if kind is not None and kind.value not in KINDS and (near := suggestion(kind.value, KINDS)):
        raise draft.refused(kind.value_at, f"QEMU has no chardev {kind.value[:40]!r}: {near}")
    draft.entries.append(Entry(option, value, options))


def mon_entry(draft: Draft, option: Word, value: Word) -> None:
    """``-mon``: a monitor on a chardev."""
    draft.entries.append(Entry(option, value, Options(draft.text, value, "chardev")))


def chardevs(draft: Draft) -> dict[str, Entry]:
    """Return the line's chardevs by id."""
    found = draft.parts.setdefault("chardevs", {})
    if not found:
        for entry in draft.entries:
            if entry.option == "-chardev" and (id_ := entry.options.get("id")) is not None:
                if id_ in found:
                    raise draft.refused(entry.at, f"a chardev has the id {id_[:40]!r} already")
                found[id_] = entry
    return found


def own_monitors(draft: Draft) -> None:
    """Find the engine's run folder, and take its own monitors out."""
    for id_, entry in chardevs(draft).items():
        if id_ not in OWN_MONITORS:
            continue
        path = entry.options.get("path") or ""
        if path.endswith(f"/{id_}.sock") and entry.options.get("backend") == "socket":
            entry.used = True
            if id_ == "qmp":
                draft.run_dir = path[: -len("/qmp.sock")]
    if draft.run_dir is None:
        return
    for entry in draft.entries:
        if entry.option == "-mon" and entry.options.get("chardev") in OWN_MONITORS:
            entry.used = True


def back_named(draft: Draft, id_: str, at: int) -> CharBack | None:
    """Return the back of a chardev, which is used now; ``None`` for one that no field stands for.

    Raises
    ------
    ParseError   there is none of that id
    """
    entry = chardevs(draft).get(id_)
    if entry is None:
        from kvmnb.parse.qemu_draft import suggestion

        near = suggestion(id_, chardevs(draft))
        raise draft.refused(at, f"no -chardev has the id {id_[:40]!r}; {near}".rstrip("; "))
    back = _chardev_back(draft, entry)
    shared = entry.used and not isinstance(back, Private)
    if back is None or shared:
        return None
    entry.used = True
    return back


def _chardev_back(draft: Draft, entry: Entry) -> CharBack | None:
    from kvmnb.spec import charbacks

    options = entry.options.copy()
    kind, _ = options.take("backend"), options.take("id")
    if kind is None:
        raise draft.refused(entry.word.position, "-chardev begins with its kind: socket, file, …")
    mux = options.take("mux")
    muxed = mux is not None and draft.switch(mux, "mux")
    match kind.value:
        case "stdio" | "pty" | "vc":
            options.take("signal")
            for key in ("width", "height", "cols", "rows"):
                options.take(key)
            if options.items:
                return None
            if not entry.used:
                _private(draft, kind.value_at, kind.value)
            return Private()
        case _ if muxed:
            return None
        case "null":
            return None if options.items else charbacks.Null()
        case "file":
            path, append = options.take("path"), options.take("append")
            if options.items or path is None:
                return None
            on = append is not None and draft.switch(append, "append")
            return draft.made(path.value_at, charbacks.File, path.value, on)
        case "pipe":
            path = options.take("path")
            return (
                None
                if options.items or path is None
                else draft.made(path.value_at, charbacks.Pipe, path.value)
            )
        case "serial" | "parallel" | "tty" | "parport":
            path = options.take("path")
            return (
                None
                if options.items or path is None
                else draft.made(path.value_at, charbacks.HostPort, path.value)
            )
        case "socket":
            return _socket(draft, options, entry.word.position)
        case "udp":
            return _udp_chardev(draft, options)
        case "spicevmc" | "spiceport":
            given = options.take("name")
            vm = kind.value == "spicevmc" and given is not None and given.value == "vdagent"
            if options.items or not vm:
                return None
            return charbacks.SpicePort("vdagent")
    return None


def _udp_chardev(draft: Draft, options: Options) -> CharBack | None:
    from kvmnb.spec.charbacks import UDP

    host, port = options.take("host"), options.take("port")
    local, local_port = options.take("localaddr"), options.take("localport")
    if options.items or port is None:
        return None
    return draft.made(
        port.value_at,
        UDP,
        host=host.value if host else "127.0.0.1",
        port=draft.number(port, "port", 1, 65535),
        local_host=local.value if local else None,
        local_port=draft.number(local_port, "localport", 1, 65535) if local_port else None,
    )
