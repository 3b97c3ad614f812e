"""A command of virt-install's as the guest that it makes, and as how it is run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from kvmnb.compile.libvirt_xml import Element
from kvmnb.compile.virt_install import Invocation
from kvmnb.compile.virt_install_extra import flat
from kvmnb.parse import virt_install_board as board
from kvmnb.parse import virt_install_devices as devices
from kvmnb.parse import virt_install_elements as elements
from kvmnb.parse import virt_install_network as network
from kvmnb.parse import virt_install_ports as ports
from kvmnb.parse import virt_install_storage as storage
from kvmnb.parse.result import Parsed
from kvmnb.parse.virt_install_draft import Draft
from kvmnb.parse.virt_install_finish import finished
from kvmnb.parse.virt_install_options import Given, read
from kvmnb.parse.virt_install_subs import Subs
from kvmnb.parse.words import joined, split

__all__ = ["parse_virt_install"]


def parse_virt_install(line: str | Sequence[str]) -> Parsed:
    """Return the guest that a line of virt-install's makes, with notes on what to know of it.

    The description holds what the line says, and what virt-install adds by itself as far as its
    manual and libvirt's say so; each such addition is a note of kind ``default``. How virt-install
    is run (connection, console, printing) is in ``invocation``.

    Parameters
    ----------
    line : as typed in a shell: quotes, continued lines and a prompt are understood; old spellings
        and slips that have one meaning are mended, with a note; or an argument list

    Raises
    ------
    ParseError   the line cannot be read: where, and why
    """
    if not isinstance(line, str):
        line = joined(line)
    words, noted = split(line)
    notes = list(noted)
    draft = Draft(line, notes)
    if words and words[0].text.rpartition("/")[2] in {"virt-install", "virt-install.exe"}:
        words = words[1:]
    elif not words or not words[0].text.startswith("-"):
        place = words[0].position if words else 0
        draft.fail(place, "a line of virt-install's begins with virt-install")
    for given in read(line, words, notes):
        _read(draft, given)
    spec = finished(draft)
    invocation = _invocation(draft)
    notes.sort(key=lambda note: note.position)
    return Parsed(text=line, spec=spec, notes=tuple(notes), invocation=invocation)


def _read(draft: Draft, given: Given) -> None:
    if (reader := _READERS.get(given.name)) is not None:
        reader(draft, given)
    elif (switch := _SWITCHES.get(given.name)) is not None:
        draft.invocation[switch] = True
        if switch == "force":
            draft.note(given.position, "--force", "old", "today it is --check all=off")
    elif (flag := _FLAGS.get(given.name)) is not None:
        draft.said[flag] = given.position
    elif given.name in _NOTHING:
        kind, message = _NOTHING[given.name]
        text = given.written if given.value is None else f"{given.written} {given.value}"
        draft.note(given.position, text, kind, message)  # type: ignore[arg-type]
    elif given.name in {"--help", "--version", "--container", "--init", "--idmap"}:
        draft.fail(given.position, f"{given.name} makes no virtual machine")
    else:
        if given.name == "--redirdev" and given.value == "none":
            draft.silenced.add("redirdev")
            return
        if not elements.read(draft, given):
            draft.keep_words(given.name, *(() if given.value is None else (given.value,)))
        text = given.written if given.value is None else f"{given.written} {given.value}"
        message = f"no field of the description stands for {given.name}; it stays as it is"
        draft.note(given.position, text, "kept", message)


def _invocation(draft: Draft) -> Invocation:
    said = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in draft.invocation.items()
    }
    return draft.make(0, Invocation, **said)


def _text(field: str) -> Callable[[Draft, Given], None]:
    def reader(draft: Draft, given: Given) -> None:
        draft.fields[field] = given.value
        draft.said[field] = given.at(0)

    return reader


def _files(field: str, what: str) -> Callable[[Draft, Given], None]:
    def reader(draft: Draft, given: Given) -> None:
        draft.invocation[field] = given.value or ""
        draft.note(given.position, given.written, "kept", what)

    return reader


def _run(field: str) -> Callable[[Draft, Given], None]:
    def reader(draft: Draft, given: Given) -> None:
        draft.invocation[field] = given.value or ""

    return reader


def _each(field: str) -> Callable[[Draft, Given], None]:
    def reader(draft: Draft, given: Given) -> None:
        draft.invocation.setdefault(field, []).append(given.value or "")

    return reader


def _old(today: str, reader: Callable[[Draft, Given], None]) -> Callable[[Draft, Given], None]:
    def noting(draft: Draft, given: Given) -> None:
        draft.note(given.position, given.written, "old", f"today it is {today}")
        reader(draft, given)

    return noting


def _wait(draft: Draft, given: Given) -> None:
    text = given.value or "-1"
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
        draft.fail(given.at(0), "--wait takes minutes, a whole number of them")
    draft.invocation["wait"] = int(text)


def _print_xml(draft: Draft, given: Given) -> None:
    step = given.value or "all"
    if step not in {"all", "1", "2"}:
        draft.fail(given.at(0), "what is printed is step 1, step 2, or all")
    if given.name == "--print-step":
        draft.note(given.position, given.written, "old", f"today it is --print-xml {step}")
    draft.invocation["print_xml"] = step


def _autoconsole(draft: Draft, given: Given) -> None:
    if given.value == "none":
        draft.invocation["noautoconsole"] = True
    else:
        draft.invocation["autoconsole"] = given.value


def _location(draft: Draft, given: Given) -> None:
    subs = Subs(draft, given, "location", commas=("location", "kernel", "initrd"))
    where = subs.filled("location")
    if where is None:
        draft.fail(given.position, "--location needs a URL, a folder or an ISO")
    draft.boot["location"] = where
    draft.said["location"] = given.at(0)
    for sub in subs.all("kernel", "initrd"):
        _keep_install(draft, sub.written)
        draft.note(sub.position, sub.written, "kept", "no field stands for it; it stays as it is")
    subs.rest()


def _extra_args(draft: Draft, given: Given) -> None:
    draft.lists.setdefault("append", []).append(given.value or "")
    draft.said.setdefault("append", given.at(0))


def _install(draft: Draft, given: Given) -> None:
    words = {"bootdev=fd": "a", "bootdev=hd": "c", "bootdev=cdrom": "d", "bootdev=network": "n"}
    draft.said["install"] = given.position
    if given.value in words:
        draft.boot["once"] = words[given.value]
        return
    if given.value in {"no_install=yes", "no_install=on"}:
        draft.said["import"] = given.position
        return
    _keep_install(draft, given.value or "")
    if given.value and not {"=", ","} & set(given.value):
        # a system by its name, which libosinfo knows the tree of
        draft.fields["osinfo"] = given.value
        draft.said["osinfo"] = given.at(0)
    message = "no field of the description stands for it; it stays as it is"
    draft.note(given.at(0), given.value or "", "kept", message)


def _keep_install(draft: Draft, written: str) -> None:
    before = draft.invocation.get("install")
    draft.invocation["install"] = f"{before},{written}" if before else written


def _osinfo(draft: Draft, given: Given) -> None:
    subs = Subs(draft, given, "name", option="os-variant")
    name = subs.filled("name", "short-id", "id")
    for key in ("detect", "require"):
        subs.switch(key)
    if name in {"none", "auto"}:
        name = None
    draft.fields["osinfo"] = name
    draft.said["osinfo"] = given.at(0)


def _qemu(draft: Draft, given: Given) -> None:
    text = given.value or ""
    if text.startswith(("env=", "clearxml=")):
        draft.keep_words(given.name, text)
        draft.note(given.at(0), text, "kept", "no field stands for it; it stays as it is")
        return
    try:
        words = shlex.split(text.removeprefix("args="))
    except ValueError as error:
        draft.fail(given.at(0), f"QEMU's options cannot be read: {str(error).lower()}")
    draft.lists.setdefault("extra_args", []).extend(words)
    if words:
        message = "options for QEMU itself stay as they are"
        draft.note(given.at(0), text[:60], "kept", message)


def _arch(draft: Draft, given: Given) -> None:
    word = given.value or ""
    draft.fields["arch"] = board.ARCH_WORDS.get(word, word)
    draft.said["arch"] = given.at(0)


def _virt_type(draft: Draft, given: Given) -> None:
    draft.fields["virt_type"] = (given.at(0), given.value or "")


def _paravirt(draft: Draft, given: Given) -> None:
    draft.fields["paravirt"] = True


def _pxe(draft: Draft, given: Given) -> None:
    draft.boot["once"] = "n"
    draft.said["install"] = given.position


def _seen(name: str, reader: Callable[[Draft, Given], None]) -> Callable[[Draft, Given], None]:
    def seeing(draft: Draft, given: Given) -> None:
        draft.said.setdefault(name, given.position)
        reader(draft, given)

    return seeing


def _vnc(draft: Draft, given: Given) -> None:
    word = given.name[2:]
    draft.note(given.position, given.written, "old", f"today it is --graphics {word}")
    draft.lists.setdefault("old_graphics", []).append((word, given.position))


def _vnc_more(draft: Draft, given: Given) -> None:
    key = given.name[2:].removeprefix("vnc")
    draft.note(given.position, given.written, "old", f"today it is --graphics vnc,{key}=…")
    if key == "port":
        text = given.value or ""
        if not (text.isascii() and text.isdecimal() and len(text) < 7):
            draft.fail(given.at(0), "--vncport is a port from 5900 on")
    draft.lists.setdefault("old_graphics_keys", []).append((key, given.value))


def _nographics(draft: Draft, given: Given) -> None:
    draft.note(given.position, given.written, "old", "today it is --graphics none")
    draft.said["graphics"] = given.position
    draft.silenced.add("graphics")


def _noacpi(draft: Draft, given: Given) -> None:
    draft.fields["acpi"] = False


def _noapic(draft: Draft, given: Given) -> None:
    draft.keep_words("--features", "apic=off")


def _cpuset(draft: Draft, given: Given) -> None:
    draft.extra("domain", flat(Element("vcpu", cpuset=given.value)))


_READERS: dict[str, Callable[[Draft, Given], None]] = {
    "--name": _text("name"),
    "--uuid": _old("--metadata uuid=…", _text("uuid")),
    "--description": _old("--metadata description=…", _text("description")),
    "--arch": _arch,
    "--machine": _text("machine"),
    "--virt-type": _virt_type,
    "--paravirt": _paravirt,
    "--memory": board.memory,
    "--ram": board.ram,
    "--vcpus": board.vcpus,
    "--cpuset": _old("--vcpus …,cpuset=…", _cpuset),
    "--cpu": board.cpu,
    "--memorybacking": board.memorybacking,
    "--features": board.features,
    "--noacpi": _old("--features acpi=off", _noacpi),
    "--noapic": _old("--features apic=off", _noapic),
    "--clock": board.clock,
    "--pm": board.pm,
    "--events": board.events,
    "--metadata": board.metadata,
    "--boot": board.boot,
    "--cdrom": storage.cdrom,
    "--location": _location,
    "--extra-args": _extra_args,
    "--pxe": _pxe,
    "--install": _install,
    "--os-variant": _osinfo,
    "--osinfo": _osinfo,
    "--disk": _seen("disk", storage.disk),
    "--file": _seen("disk", storage.file),
    "--file-size": _seen("disk", storage.file_size),
    "--network": network.network,
    "--bridge": network.bridge,
    "--mac": network.mac,
    "--graphics": devices.graphics,
    "--vnc": _vnc,
    "--sdl": _vnc,
    "--vncport": _vnc_more,
    "--vnclisten": _vnc_more,
    "--keymap": _vnc_more,
    "--nographics": _nographics,
    "--video": devices.video,
    "--serial": ports.serial,
    "--parallel": ports.parallel,
    "--console": ports.console,
    "--channel": _seen("channel", ports.channel),
    "--controller": devices.controller,
    "--input": devices.input,
    "--sound": _seen("sound", devices.sound),
    "--soundhw": _seen("sound", devices.sound),
    "--audio": devices.audio,
    "--watchdog": devices.watchdog,
    "--memballoon": devices.memballoon,
    "--rng": devices.rng,
    "--tpm": devices.tpm,
    "--filesystem": _seen("filesystem", devices.filesystem),
    "--vsock": devices.vsock,
    "--hostdev": devices.hostdev,
    "--host-device": _old("--hostdev", devices.hostdev),
    "--qemu-commandline": _qemu,
    "--xml": elements.edit,
    "--connect": _run("connect"),
    "--unattended": _seen(
        "install", _files("unattended", "libosinfo's script answers the installer: it is not here")
    ),
    "--cloud-init": _seen(
        "import", _files("cloud_init", "virt-install makes the seed at the first start alone")
    ),
    "--reinstall": _run("reinstall"),
    "--initrd-inject": _each("initrd_inject"),
    "--check": _each("check"),
    "--autoconsole": _autoconsole,
    "--wait": _wait,
    "--print-xml": _print_xml,
    "--print-step": _print_xml,
}

_SWITCHES = {
    "--noautoconsole": "noautoconsole",
    "--noreboot": "noreboot",
    "--transient": "transient",
    "--destroy-on-exit": "destroy_on_exit",
    "--dry-run": "dry_run",
    "--debug": "debug",
    "--quiet": "quiet",
    "--force": "force",
    "--hvm": "hvm",
}
_FLAGS = {
    "--import": "import",
    "--livecd": "livecd",
    "--autostart": "autostart",
    "--nodisks": "nodisks",
    "--nonetworks": "nonetworks",
    "--nonsparse": "nonsparse",
}
_NOTHING = {
    "--accelerate": ("old", "KVM is taken where it works, since virt-install 0.600"),
    "--os-type": ("removed", "it does nothing since virt-install 3.0; --osinfo NAME says it"),
    "--check-cpu": ("removed", "it does nothing since virt-install 1.0"),
    "--prompt": ("removed", "virt-install asks nothing since 1.0"),
}
