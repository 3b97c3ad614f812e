"""A description becomes QEMU's command by fixed rules, and asks nobody."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import kvmnb.compile
from kvmnb import SpecError, Unsupported
from kvmnb.compile.qemu import (
    AGENT_PORT,
    MONITORS,
    compile_qemu,
    laid_out,
    nic_device,
    qemu_pieces,
)
from kvmnb.compile.runtime import DirectBoot
from kvmnb.spec.boot import Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.network import NIC
from kvmnb.spec.storage import Disk, NewFile
from tests.compile.cases import cases
from tests.compile.made import compiled, runtime
from tests.compile.probes import probes
from tests.compile.reading import parsed, values
from tests.spec.strategies import settled_domains

DEVICES = probes()["7.2"].devices


# -- pure ---------------------------------------------------------------------------------------


@given(settled_domains("qemu"))
@settings(max_examples=50, deadline=None)
def test_the_same_description_gives_the_same_command(spec):
    if _compiles(spec):
        assert compiled(spec) == compiled(dataclasses.replace(spec))


PURE = """
import sys
import builtins, os, random, time
from tests.compile.test_qemu import pure_specs
from tests.compile.made import compiled

specs = pure_specs()
expected = [compiled(spec) for spec in specs]

def refuse(*found, **more):
    raise AssertionError(f"not pure: {found}")

for module, names in {
    builtins: ("open", "print", "input"),
    os: ("stat", "lstat", "open", "listdir", "getpid", "getcwd", "urandom", "getenv", "access"),
    time: ("time", "time_ns", "monotonic", "perf_counter"),
    random: ("random", "randint"),
}.items():
    for name in names:
        setattr(module, name, refuse)
os.environ = None
sys.addaudithook(refuse)
ok = all([compiled(spec) for spec in specs] == expected for _ in range(2))
os.write(1, b"pure" if ok else b"differs")
os._exit(0)
"""


def pure_specs() -> list[DomainSpec]:
    """Return descriptions that between them use every rule of the compiler."""
    made = [spec for spec, _ in cases(Path("/p")).values()]
    return [spec for spec in made if _compiles(spec)]


def _compiles(spec: DomainSpec) -> bool:
    try:
        compiled(spec)
    except (Unsupported, SpecError):
        return False
    return True


def test_the_compiler_asks_nobody():
    done = subprocess.run(
        [sys.executable, "-c", PURE], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("pure", "")


def test_the_compiler_imports_nothing_that_could_ask():
    allowed = {"__future__", "collections.abc", "dataclasses", "itertools", "re", "typing"}
    allowed |= {"datetime", "decimal", "fractions", "functools", "ipaddress", "math", "shlex"}
    allowed |= {"types", "urllib.parse", "xml.parsers"}
    for source in Path(inspect.getfile(kvmnb.compile)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            assert all(name in allowed or name.startswith("kvmnb.") for name in names), source


# -- what is in a guest -------------------------------------------------------------------------


def _devices(argv: tuple[str, ...]) -> list[str]:
    return [str(parsed(text)[0][1]) for text in values(argv, "-device")]


def test_a_guest_has_its_six_devices_and_nothing_else():
    argv = compiled(DomainSpec(name="a"))
    assert "-nodefaults" in argv
    assert "-no-user-config" in argv
    assert sorted(_devices(argv)) == [
        *("VGA", "isa-serial", "virtio-balloon-pci", "virtio-rng-pci", "virtio-serial-pci"),
        *("virtserialport", "vmgenid"),
    ]
    assert ("name", AGENT_PORT) in parsed(
        next(text for text in values(argv, "-device") if text.startswith("virtserialport"))
    )


def test_a_guest_with_all_switched_off_has_its_monitors_alone():
    off: dict[str, Any] = {"agent": False, "balloon": None, "rng": None, "vmgenid": None}
    off |= dict.fromkeys(("serials", "displays", "videos"), ())
    argv = compiled(DomainSpec(name="a", **off))
    assert _devices(argv) == []
    assert [dict(parsed(text))["id"] for text in values(argv, "-chardev")] == list(MONITORS)
    assert "-vnc" not in argv
    assert values(argv, "-display") == ["none"]


def test_every_socket_is_a_unix_socket_in_the_run_folder():
    argv = compiled(DomainSpec(name="a"), run_dir="/r")
    for text in values(argv, "-chardev"):
        options = dict(parsed(text))
        assert options[None] == "socket"
        assert options["path"].startswith("/r/")
        assert not {"host", "port"} & set(options)
    assert values(argv, "-vnc") == ["vnc=unix:/r/vnc.sock"]


def test_the_sandbox_denies_all_that_it_can_where_this_qemu_has_one():
    spec = DomainSpec(name="a")
    assert dict(parsed(values(compiled(spec), "-sandbox")[0])) == {
        None: "on",
        "obsolete": "deny",
        "elevateprivileges": "deny",
        "spawn": "deny",
        "resourcecontrol": "deny",
    }
    assert "-sandbox" not in compiled(spec, sandbox=False)


# -- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", ["virt", "xenpv", "", "pc,accel=kvm", "pc-i440fx-=x"])
def test_a_board_whose_devices_are_not_laid_out_is_refused(machine):
    assert not laid_out(machine)
    with pytest.raises(Unsupported, match="pc and q35") as caught:
        compiled(DomainSpec(name="a", machine=machine))
    assert (caught.value.target, caught.value.field) == ("qemu", f"machine={machine!r}")


@pytest.mark.parametrize("machine", ["pc", "q35", "pc-i440fx-7.2", "pc-q35-8.1", "pc-i440fx-jammy"])
def test_every_version_of_the_two_boards_is_laid_out(machine):
    assert laid_out(machine)
    assert parsed(values(compiled(DomainSpec(name="a", machine=machine)), "-machine")[0]) == [
        (None, machine)
    ]


@pytest.mark.parametrize("model", ["VGA", "usb-net", "e1000,mac=x", "", "nic"])
def test_a_card_that_is_none_is_refused(model):
    with pytest.raises(Unsupported, match=r"nic\.model"):
        compiled(DomainSpec(name="a", nics=(NIC(model=model),)))


def test_a_card_is_named_by_its_word_or_its_device():
    assert nic_device("virtio") == nic_device("virtio-net-pci") == "virtio-net-pci"


@pytest.mark.parametrize("missing", ["virtio-balloon-pci", "vmgenid", "virtio-rng-pci"])
def test_a_device_that_this_qemu_lacks_is_refused_by_name(missing):
    with pytest.raises(Unsupported, match=f"'{missing}'.*QEMU 7.2.22 has no such device"):
        compiled(DomainSpec(name="a"), devices=DEVICES - {missing})


def test_the_hosts_own_cpu_needs_kvm():
    spec = DomainSpec(name="a", cpu=CPU(model="host"))
    assert values(compiled(spec), "-cpu") == ["host"]
    with pytest.raises(Unsupported, match="TCG"):
        compiled(spec, accel="tcg")
    assert values(compiled(DomainSpec(name="a"), accel="kvm"), "-cpu") == ["host"]
    assert values(compiled(DomainSpec(name="a")), "-cpu") == []


def test_more_devices_than_the_board_has_places_are_refused():
    disks = tuple(Disk(back=NewFile(512)) for _ in range(26))
    assert len(_devices(compiled(DomainSpec(name="a", disks=disks)))) == 26 + 7
    with pytest.raises(SpecError, match="30 places"):
        compiled(DomainSpec(name="a", disks=(*disks, disks[0])))
    scsi = tuple(dataclasses.replace(disk, bus="scsi") for disk in disks)
    assert compiled(DomainSpec(name="a", disks=scsi * 2))


# -- what it starts from ------------------------------------------------------------------------


KERNEL = DirectBoot(kernel="/tiny/vmlinux", initrd="/tiny/initrd", append="console=ttyS0")


def test_an_image_that_brings_a_kernel_is_started_by_it_unless_the_firmware_is_asked_for():
    spec = DomainSpec(name="a")
    assert values(compiled(spec, direct_boot=KERNEL), "-kernel") == ["/tiny/vmlinux"]
    for boot in (Boot(order="c"), Boot(once="d"), Boot(menu=True)):
        argv = compiled(dataclasses.replace(spec, boot=boot), direct_boot=KERNEL)
        assert "-kernel" not in argv
        assert "-boot" in argv


def test_a_kernel_that_was_given_wins_over_the_images():
    boot = Boot(kernel="/mine", append="x")
    argv = compiled(DomainSpec(name="a", boot=boot), direct_boot=KERNEL)
    assert values(argv, "-kernel") == ["/mine"]
    assert values(argv, "-append") == ["x"]
    assert "-initrd" not in argv


def test_the_boot_order_is_written_as_it_was_asked():
    argv = compiled(DomainSpec(name="a", boot=Boot(order="dc", once="n", menu=True)))
    assert parsed(values(argv, "-boot")[0]) == [("order", "dc"), ("once", "n"), ("menu", "on")]


def test_more_letters_than_a_pc_keeps_are_refused():
    with pytest.raises(SpecError, match="three"):
        compiled(DomainSpec(name="a", boot=Boot(order="abcd")))
    with pytest.raises(SpecError, match="three"):
        compiled(DomainSpec(name="a", boot=Boot(once="abcdn")))


# -- pieces -------------------------------------------------------------------------------------


@given(settled_domains("qemu"))
@settings(max_examples=50, deadline=None)
def test_the_command_is_its_pieces_each_with_a_field_of_the_spec(spec):
    try:
        given_ = runtime(spec)
        pieces = list(qemu_pieces(spec, given_))
    except (Unsupported, SpecError):
        return
    assert compile_qemu(spec, given_) == tuple(word for each in pieces for word in each.words)
    fields = {field.name for field in dataclasses.fields(DomainSpec)} | {"runtime"}
    for piece in pieces:
        name, _, index = piece.field.partition("[")
        assert name in fields, piece
        if index:
            assert int(index.rstrip("]")) < len(getattr(spec, name))
        assert piece.half in {"front", "back", ""}
        assert (piece.half == "front") == (piece.words[0] == "-device")


def test_two_devices_cannot_bear_one_name_or_want_one_turn():
    with pytest.raises(SpecError, match="called so already"):
        compiled(DomainSpec(name="a", nics=(NIC(name="balloon0"),)))
    with pytest.raises(SpecError, match="turn"):
        compiled(DomainSpec(name="a", nics=(NIC(bootindex=1), NIC(bootindex=1))))


def test_a_property_that_a_field_stands_for_is_refused_as_an_option():
    with pytest.raises(SpecError, match="field of its own"):
        compiled(DomainSpec(name="a", nics=(NIC(options=(("netdev", "x"),)),)))
    disk = Disk(back=NewFile(512), options=(("drive", "x"),))
    with pytest.raises(SpecError, match="field of its own"):
        compiled(DomainSpec(name="a", disks=(disk,)))
