"""Every line of the classic text goes through `parse.command`, and nothing in it is lost."""

from __future__ import annotations

import pytest

from kvmnb import parse
from kvmnb.errors import ParseError
from kvmnb.parse.qemu_img import ImageCommand
from kvmnb.parse.result import HostCommand, MonitorCommand, Parsed, Query
from tests.parse.outside import lines

CLASSIC = lines("classic")

EXPECTED = {
    "qemu-kvm -net nic,model=?": Query,
    "qemu-kvm -M ?": Query,
    "qemu-kvm -cpu ?": Query,
    "qemu-img": ImageCommand,
    "qemu": Parsed,
    "virt-install": Parsed,
    **dict.fromkeys(("info", "balloon", "change", "migrate"), MonitorCommand),
    **dict.fromkeys(("grep", "modprobe", "lsmod", "ethtool"), HostCommand),
}


@pytest.mark.parametrize("line", CLASSIC)
def test_a_classic_line_is_understood_as_what_it_is(line: str) -> None:
    command = line.split("\n", 1)[1]
    expected = next(kind for start, kind in EXPECTED.items() if command.startswith(start))
    assert isinstance(parse.command(line), expected)


def notes(line: str) -> list[tuple[str, str]]:
    parsed = parse.command(line)
    assert isinstance(parsed, Parsed)
    return [(note.kind, note.text) for note in parsed.notes if note.kind != "default"]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("qemu-kvm -m 128 -smp 2 -name test -hda", []),
        ("qemu-kvm -balloon", [("removed", "-balloon virtio")]),
        (
            "qemu-kvm -vnc :0,password",
            [
                *(("changed", ":0"), ("changed", "stdio")),
                ("old", "-usbdevice tablet"),
            ],
        ),
        ("qemu-kvm -vnc :1", [("changed", ":1")]),
        ("qemu-kvm -net nic -net user", [("old", "-net nic"), ("old", "-net user")]),
        (
            "qemu-kvm -net tap",
            [("old", "-net tap"), ("changed", "-net tap,vnet_hdr=on,vhost=on")],
        ),
        (
            "qemu-kvm -net nic,model=virtio",
            [("old", "-net nic"), ("changed", "-net nic,model=virtio")],
        ),
    ],
)
def test_a_classic_line_has_the_notes_a_learner_needs(start, expected) -> None:
    found = [line for line in CLASSIC if line.split("\n", 1)[1].startswith(start)]
    assert notes(found[0]) == expected


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("qemu-kvm -M ?", "machines"),
        ("qemu-system-x86_64 -machine help", "machines"),
        ("qemu-kvm -cpu ?", "cpus"),
        ("qemu-kvm -net nic,model=?", "nics"),
        ("qemu-kvm -nic model=help", "nics"),
        ("qemu-kvm -device help", "devices"),
        ("qemu-kvm -device virtio-net-pci,help", "devices"),
        ("kvm -version", "version"),
        ("kvm --help", "help"),
    ],
)
def test_a_line_that_asks_for_a_list_is_a_query(line: str, what: str) -> None:
    asked = parse.command(line)
    assert isinstance(asked, Query)
    assert asked.what == what
    with pytest.raises(ParseError, match="as a table"):
        parse.qemu(line)


@pytest.mark.parametrize(
    ("line", "qmp", "arguments"),
    [
        ("info balloon", "query-balloon", ()),
        ("balloon 96", "balloon", (("value", 96 << 20),)),
        ("change vnc password", "set_password", (("protocol", "vnc"),)),
        ("change ide1-cd0 /a.iso", "blockdev-change-medium",
         (("device", "ide1-cd0"), ("filename", "/a.iso"))),
        ("migrate -d tcp:192.168.1.20:7777", "migrate", (("uri", "tcp:192.168.1.20:7777"),)),
        ("stop", "stop", ()),
        ("info qtree", None, ()),
    ],
)  # fmt: skip
def test_a_monitor_command_has_its_qmp(line, qmp, arguments) -> None:
    command = parse.command(line)
    assert isinstance(command, MonitorCommand)
    assert (command.qmp, command.qmp_args) == (qmp, arguments)


def test_an_unknown_program_is_refused_with_a_near_one() -> None:
    with pytest.raises(ParseError, match="did you mean 'virt-install'"):
        parse.command("virt-instal --name a")
    with pytest.raises(ParseError, match="no command"):
        parse.command(" \n")
