"""Lines of all sources: nothing of them is lost, and every other form of them agrees."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest

from kvmnb import VM, Host, parse
from kvmnb.compile.libvirt import compile_libvirt
from kvmnb.compile.qemu import compile_qemu
from kvmnb.compile.settled import settled
from kvmnb.compile.virt_install import compile_virt_install
from kvmnb.errors import ParseError, SpecError, Unsupported
from kvmnb.parse.qemu_names import NAMES
from kvmnb.parse.words import split
from kvmnb.spec.codec import differences
from kvmnb.spec.diskbacks import Server
from kvmnb.spec.peripherals import Sound
from tests.compile.made import runtime
from tests.parse.outside import lines
from tests.parse.round_trip import said_by_qemu

ALL = lines("manual", "people", "old", "strangers")

SAID_ANYWAY = re.compile(
    r"--?(?:"
    # what the guest has by itself
    r"m 128|smp 1|M pc|M pc,usb=off|rtc base=utc.*|overcommit mem-lock=off|accel tcg"
    # what it lacks by itself, or lacks already by another option
    r"|(?:parallel|monitor|vga|nic|net|display|vnc|serial) none|nodefaults"
    # what another option, or the program's name, asks for as well
    r"|usb|enable-kvm|(?:machine|M) (?:[\w.-]+,)?accel=[\w:]+"
    # controllers that come with what is plugged into them
    r"|device (?:virtio-serial|nec-usb-xhci)\S*"
    r")",
)
"""Options that say what holds without them, where they stand in these lines."""


def options(line: str) -> Iterator[tuple[int, int, str]]:
    """Yield where each option of a line begins and ends, and its words."""
    words, _ = split(line)
    index = 1
    while index < len(words):
        first = last = words[index]
        name = first.text.removeprefix("-").removeprefix("-")
        index += 1
        if first.text.startswith("-") and NAMES.get(name) and index < len(words):
            last = words[index]
            index += 1
        told = first.text if last is first else f"{first.text} {last.text}"
        yield first.position, last.end, told


def known(line: str) -> object:
    """Return all that a line says: its guest and what is noted of it, or that it says nothing."""
    try:
        parsed = parse.qemu(line)
    except ParseError as error:
        return error.reason
    return parsed.spec, sorted((note.kind, note.text, note.message) for note in parsed.notes)


@pytest.mark.parametrize("line", ALL)
def test_no_option_of_a_line_is_lost(line: str) -> None:
    whole = known(line)
    for begin, end, told in options(line):
        if SAID_ANYWAY.fullmatch(told) is None:
            assert known(line[:begin] + line[end:]) != whole, f"{told} changes nothing"


@pytest.mark.parametrize("line", ALL)
def test_the_guest_of_a_line_comes_back_from_its_python(line: str) -> None:
    spec = parse.qemu(line).spec
    names: dict[str, Any] = {}
    exec(VM(spec, Host()).python(), names)
    assert names["vm"].spec == spec


@pytest.mark.parametrize("line", ALL)
def test_the_guest_of_a_line_has_xml_and_a_virt_install_line_or_is_refused_by_name(
    line: str,
) -> None:
    spec, refusals = parse.qemu(line).spec, []
    for compiler in (compile_libvirt, compile_virt_install):
        try:
            compiler(spec, runtime(spec))
        except Unsupported as error:
            refusals.append(error)
    assert all(each.field and each.hint for each in refusals)


@pytest.mark.parametrize("line", ALL)
def test_the_modern_line_of_an_old_one_says_the_same(line: str) -> None:
    spec = parse.qemu(line).spec
    facts = runtime(spec)
    try:
        argv = compile_qemu(spec, facts)
    except (Unsupported, SpecError):
        return
    expected = said_by_qemu(settled(spec, facts))
    found = said_by_qemu(parse.qemu(argv).spec)
    assert differences(found, expected) == ()


# ---- what these lines taught


@pytest.mark.parametrize(
    ("line", "machine", "kind"),
    [
        ("qemu-kvm -M pc-0.12", "pc", "removed"),
        ("qemu-kvm -M rhel6.4.0", "pc", "changed"),
        ("kvm -machine pc-i440fx-trusty,accel=kvm", "pc", "changed"),
        ("qemu-kvm -machine type=pc-q35-rhel8.6.0", "q35", "changed"),
        ("kvm -machine type=pc-i440fx-9.2+pve1", "pc-i440fx-9.2", "changed"),
    ],
)
def test_a_board_of_another_age_or_house_is_the_one_of_today(line, machine, kind):
    parsed = parse.qemu(line)
    assert parsed.spec.machine == machine
    note = next(note for note in parsed.notes if note.kind == kind)
    assert line[note.position :].startswith(note.text)


@pytest.mark.parametrize(
    ("line", "today"),
    [
        ("qemu-kvm -drive if=none,id=a,file=a -device ide-drive,drive=a,bus=ide.0", "ide-hd"),
        ("qemu-kvm -drive if=none,id=a,media=cdrom -device ide-drive,drive=a", "ide-cd"),
        ("qemu-kvm -drive if=none,id=a,file=a -device lsi -device scsi-disk,drive=a", "scsi-hd"),
        ("qemu-kvm -device pci-assign,host=00:19.0", "vfio-pci"),
    ],
)
def test_a_device_that_is_gone_is_the_one_of_today(line, today):
    parsed = parse.qemu(line)
    note = next(note for note in parsed.notes if "is gone" in note.message)
    assert line[note.position :].startswith(note.text)
    assert today in note.message
    assert parsed.spec.disks or parsed.spec.cdroms or parsed.spec.hostdevs


def test_a_scsi_controller_without_an_id_is_the_disks_own():
    line = "qemu-kvm -device pvscsi -device scsi-hd,drive=d -drive if=none,id=d,file=a.img"
    assert parse.qemu(line).spec.scsi == "pvscsi"


def test_a_vnc_server_that_is_kept_keeps_all_that_was_said_of_it():
    spec = parse.qemu("qemu-kvm -vnc :1,websocket=5701,lossy=on,password=on").spec
    assert spec.extra_args == ("-vnc", "127.0.0.1:1,websocket=5701,lossy=on,password=on")


def test_certificates_of_vnc_become_an_object():
    spec = parse.qemu("qemu-kvm -vnc :1,tls,x509verify=/etc/pki/a").spec
    told = "tls-creds-x509,id=vnc-tls,endpoint=server,dir=/etc/pki/a,verify-peer=on"
    assert spec.extra_args == ("-object", told, "-vnc", "127.0.0.1:1,tls-creds=vnc-tls")


def test_a_spice_server_that_is_kept_does_not_listen_on_all_addresses():
    spec = parse.qemu("qemu-kvm -spice port=5900,disable-ticketing,seamless-migration=on").spec
    assert spec.extra_args[1].endswith(",addr=127.0.0.1")


def test_a_password_in_an_object_of_the_line_is_the_servers_own():
    line = "qemu-kvm -object secret,id=s,data=pw -spice port=5900,password-secret=s"
    spec = parse.qemu(line).spec
    assert [getattr(each, "password", None) for each in spec.displays] == ["pw"]
    assert spec.extra_args == ()


def test_two_sound_cards_on_one_back_are_two_sounds():
    line = "qemu-kvm -audiodev none,id=a -device AC97,audiodev=a -machine pcspk-audiodev=a"
    assert {each.model for each in parse.qemu(line).spec.sounds} == {"ac97", "pcspk"}


def test_a_board_has_one_speaker():
    spec = dataclasses.replace(
        parse.qemu("qemu-kvm -m 128").spec, sounds=(Sound("pcspk"), Sound("pcspk"))
    )
    with pytest.raises(SpecError, match="one speaker"):
        compile_qemu(spec, runtime(spec))


@pytest.mark.parametrize(
    "name", ["-m 2G,maxmem=8G", "-boot splash-time=0", "-drive file=null-co://,if=virtio -snapshot"]
)
def test_what_no_field_takes_is_kept_for_qemu(name):
    assert parse.qemu(f"qemu-kvm {name}").spec.extra_args


def test_a_kept_device_leaves_its_place_to_the_board():
    spec = parse.qemu("qemu-kvm -device edu,bus=pci.0,addr=0x5").spec
    assert spec.extra_args == ("-device", "edu")


def test_a_place_in_memory_is_no_place_on_the_board():
    spec = parse.qemu("qemu-kvm -device loader,addr=0x8000,cpu-num=0").spec
    assert spec.extra_args == ("-device", "loader,addr=0x8000,cpu-num=0")


def test_an_accelerators_options_go_with_it():
    spec = parse.qemu("qemu-kvm -accel kvm,dirty-ring-size=4096 -accel tcg,tb-size=64").spec
    for accel, own in (("kvm", "kvm,dirty-ring-size=4096"), ("tcg", "tcg,tb-size=64")):
        argv = compile_qemu(spec, runtime(spec, accel=accel))
        assert own in argv


def test_dots_stand_for_options_that_are_not_shown():
    parsed = parse.qemu("qemu-system-x86_64 [...] -m 64 ...")
    assert parsed.spec.disks == ()
    assert [note.text for note in parsed.notes if note.kind == "ignored"] == ["[...]", "..."]


@pytest.mark.parametrize(
    ("server", "same"),
    [
        (Server(protocol="ssh", host="a", name="b"), Server(protocol="ssh", host="a", name="/b")),
        (Server(protocol="nbd", host="a", port=10809), Server(protocol="nbd", host="a")),
        (Server(protocol="https", host="a", port=443), Server(protocol="https", host="a")),
    ],
)
def test_one_server_is_one_value_however_it_is_named(server, same):
    assert server == same


@pytest.mark.parametrize(
    ("line", "at", "reason"),
    [
        ("qemu-kvm -mem 128", "-mem", "'-m'"),
        ("qemu-kvm -boot order=x", "x", "boot letter"),
        ("qemu-kvm -smp cores=2,thread=2", "thread", "'threads'"),
        ("qemu-kvm -drive fiel=a.img", "fiel", "'file'"),
        ("qemu-kvm -net nic,modle=virtio -net user", "modle", "'model'"),
        ("qemu-kvm -chardev sokcet,id=c,path=/x", "sokcet", "'socket'"),
    ],
)
def test_a_near_miss_is_named_where_it_stands(line, at, reason):
    with pytest.raises(ParseError, match=reason) as caught:
        parse.qemu(line)
    assert line[caught.value.position :].startswith(at)


@pytest.mark.parametrize(
    ("kept", "sandbox"),
    [
        ("-netdev tap,id=a", None),
        ("-netdev tap,id=a,script=/etc/up,downscript=no", None),
        ("-netdev bridge,id=a", None),
        ("-runas nobody", None),
        ("-netdev tap,id=a,script=no,downscript=no", "spawn=deny"),
        ("-netdev tap,id=a,fd=3", "spawn=deny"),
        ("-netdev user,id=a,smb=/srv", "spawn=allow"),
        ("-netdev user,id=a", "spawn=deny"),
        ("-device edu", "spawn=deny"),
    ],
)
def test_the_sandbox_leaves_room_for_what_a_kept_option_starts(kept, sandbox):
    spec = parse.qemu(f"qemu-kvm -m 64 {kept}").spec
    assert spec.extra_args == tuple(kept.split(" "))
    argv = compile_qemu(spec, runtime(spec))
    assert ("-sandbox" in argv) == (sandbox is not None)
    assert sandbox is None or sandbox in argv[argv.index("-sandbox") + 1]
