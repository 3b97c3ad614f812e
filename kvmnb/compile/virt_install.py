"""A spec as a command of virt-install's that makes the same guest, nothing left to its choice."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from kvmnb.compile.piece import Piece
from kvmnb.compile.runtime import Runtime
from kvmnb.compile.settled import settled
from kvmnb.compile.targets import refuse
from kvmnb.compile.virt_install_board import board, boot, general
from kvmnb.compile.virt_install_devices import devices, screens
from kvmnb.compile.virt_install_extra import HYPERV, extra_options
from kvmnb.compile.virt_install_network import networks
from kvmnb.compile.virt_install_ports import ports
from kvmnb.compile.virt_install_storage import storage
from kvmnb.compile.virt_install_words import option, refused, removed
from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.screens import Spice
from kvmnb.spec.value import Value

__all__ = ["Invocation", "compile_virt_install", "virt_install_pieces"]

PRINTS = ("all", "1", "2")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Invocation(Value):
    """How virt-install is run: all that a line says beside what the guest is.

    Parameters
    ----------
    connect : libvirt's URI; ``None`` lets libvirt choose
    noautoconsole : no console is opened
    autoconsole : the console that is: ``text graphical default``
    wait : how long for the installation, in minutes; below zero for as long as it takes
    noreboot : the guest stays off after its installation
    transient : libvirt forgets the guest when it stops
    destroy_on_exit : the guest is ended when its console is closed
    print_xml : nothing is made, the XML is printed: ``all``, or step ``1`` or ``2``
    dry_run : nothing is made, all is checked
    debug, quiet : more words, or none
    force : the old ``--force``: no check is made
    check : checks switched on or off, such as ``path_in_use=off``
    hvm : a full machine is asked for by name; it is the default
    initrd_inject : files put into the install tree's initrd
    unattended, cloud_init, install, reinstall : these options' values, verbatim
    xml : edits of the XML by XPath, verbatim
    devices : sub-options that no field stands for, as ``(field, "key=value")``
    kept : options that no field stands for, as words, verbatim
    """

    connect: str | None = None
    noautoconsole: bool = False
    autoconsole: str | None = None
    wait: int | None = None
    noreboot: bool = False
    transient: bool = False
    destroy_on_exit: bool = False
    print_xml: str | None = None
    dry_run: bool = False
    debug: bool = False
    quiet: bool = False
    force: bool = False
    check: tuple[str, ...] = ()
    hvm: bool = False
    initrd_inject: tuple[str, ...] = ()
    unattended: str | None = None
    cloud_init: str | None = None
    install: str | None = None
    reinstall: str | None = None
    xml: tuple[str, ...] = ()
    devices: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in _SWITCHES:
            validate.switch(f"invocation.{field}", getattr(self, field))
        for field in _VALUES:
            validate.optional(validate.text, f"invocation.{field}", getattr(self, field))
        for field in ("check", "initrd_inject", "xml", "kept"):
            validate.texts(f"invocation.{field}", getattr(self, field))
        if self.wait is not None:
            validate.number("invocation.wait", self.wait, -(1 << 31), 1 << 31)
        if self.print_xml is not None:
            validate.choice("invocation.print_xml", self.print_xml, PRINTS)
        if self.noautoconsole and self.autoconsole is not None:
            raise SpecError("invocation.autoconsole", self.autoconsole, "noautoconsole is set too")


_SWITCHES = (
    *("noautoconsole", "noreboot", "transient", "destroy_on_exit"),
    *("dry_run", "debug", "quiet", "force", "hvm"),
)
_VALUES = ("connect", "autoconsole", "unattended", "cloud_init", "install", "reinstall")

_PLAIN = Invocation()


def compile_virt_install(
    spec: DomainSpec, runtime: Runtime, invocation: Invocation = _PLAIN
) -> tuple[str, ...]:
    """Return the argument list that makes `spec` with libvirt: the same bytes for the same input.

    What virt-install would add unasked is named, or taken out again, so that the guest does not
    depend on its version, on the host, or on libosinfo's database.

    Raises
    ------
    Unsupported   virt-install has no word for something that the spec asks for
    """
    pieces = virt_install_pieces(spec, runtime, invocation)
    return tuple(word for piece in pieces for word in piece.words)


def virt_install_pieces(
    spec: DomainSpec, runtime: Runtime, invocation: Invocation = _PLAIN
) -> tuple[Piece, ...]:
    """Return the same words as `compile_virt_install`, each with the field that it speaks of.

    What is `invocation`'s has the field ``"invocation"``.

    Raises
    ------
    Unsupported   virt-install has no word for something that the spec asks for
    """
    refuse(spec, "virt-install")
    if spec.cloud_init is not None:
        refused("cloud_init", "it takes files, not what is in them: --cloud-init user-data=FILE")
    spec = settled(spec, runtime, "virt-install")
    more: dict[str, list[str]] = {}
    for field, text in invocation.devices:
        more.setdefault(field, []).append(text)
    extras = tuple(extra_options(spec.extra_xml, more))
    tags = frozenset(tag for tag, _ in extras)
    return (
        Piece("invocation", "", ("virt-install",)),
        *_before(invocation),
        *general(spec),
        *board(spec, more, tags),
        *storage(spec, more),
        *networks(spec, more),
        *screens(spec, more),
        *ports(spec, more),
        *devices(spec, more, tags),
        *boot(spec, more),
        *(piece for _, piece in extras),
        *_unasked(spec, more, tags),
        *_extra(spec),
        *_after(invocation),
    )


def _unasked(spec: DomainSpec, more: dict[str, list[str]], tags: frozenset[str]) -> Iterator[Piece]:
    """Yield what takes out again elements without a field that virt-install would add."""
    if spec.osinfo is not None and spec.osinfo.startswith("win"):
        said = "".join(extra.xml for extra in spec.extra_xml if extra.xml.startswith("<hyperv"))
        if not said:
            yield removed("osinfo", "./features/hyperv")
        for part in dict.fromkeys(key.split(".")[1] for key in HYPERV) if said else ():
            if f"<{part} " not in said:
                yield removed("osinfo", f"./features/hyperv/{part}")
    spices = [index for index, each in enumerate(spec.displays) if isinstance(each, Spice)]
    pressed = [word for index in spices for word in more.get(f"displays[{index}]", ())]
    if spices and not any("image.compression" in word for word in pressed):
        yield removed("displays", "./devices/graphics/image")


def _extra(spec: DomainSpec) -> Iterator[Piece]:
    if spec.extra_args:
        words = shlex.join(spec.extra_args)
        text = words if words.startswith("-") else "args=" + words
        yield Piece("extra_args", "", (f"--qemu-commandline={text}",))


def _before(invocation: Invocation) -> Iterator[Piece]:
    if invocation.connect is not None:
        yield option("invocation", "--connect", invocation.connect)
    if invocation.hvm:
        yield option("invocation", "--hvm")


def _after(invocation: Invocation) -> Iterator[Piece]:
    for field in ("initrd_inject", "check", "xml"):
        for value in getattr(invocation, field):
            yield option("invocation", "--" + field.replace("_", "-"), value)
    for field in ("unattended", "cloud_init", "install", "reinstall", "autoconsole"):
        value = getattr(invocation, field)
        if value is not None:
            # the value of these is optional, so it is tied to the name
            name = "--" + field.replace("_", "-")
            yield Piece("invocation", "", (f"{name}={value}" if value else name,))
    if invocation.kept:
        yield Piece("invocation", "", invocation.kept)
    if invocation.wait is not None:
        yield Piece("invocation", "", (f"--wait={invocation.wait}",))
    if invocation.print_xml is not None:
        step = "" if invocation.print_xml == "all" else f"={invocation.print_xml}"
        yield Piece("invocation", "", (f"--print-xml{step}",))
    for field in _SWITCHES:
        if field != "hvm" and getattr(invocation, field):
            yield option("invocation", "--" + field.replace("_", "-"))
