"""Every field of a description is in QEMU's command, or is refused by name."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import kvmnb.compile
from kvmnb import Host, HostError, SpecError, Unsupported
from kvmnb.compile.qemu import AGENT_PORT, MONITORS, NIC_MODELS, compile_qemu, laid_out, nic_device
from kvmnb.compile.runtime import DirectBoot, DiskFile, Runtime
from kvmnb.spec.boot import Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec, Memory
from kvmnb.spec.network import NIC, NetBack, User
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, NewFile
from tests.compile.reading import parsed, values
from tests.spec.strategies import domains

DEVICES = frozenset(
    {
        *("isa-serial", "virtio-serial-pci", "virtserialport", "virtio-balloon-pci"),
        *("virtio-rng-pci", "vmgenid", "VGA", "ich9-ahci", "virtio-scsi-pci", "qemu-xhci"),
        *("virtio-blk-pci", "ide-hd", "ide-cd", "scsi-hd", "nvme", "usb-bot"),
        *NIC_MODELS.values(),
    }
)


def runtime(spec: DomainSpec, **changes: Any) -> Runtime:
    """Return made-up facts of a host that fit `spec`."""
    made = Runtime(
        qemu="/usr/bin/qemu-system-x86_64",
        version=(7, 2, 0),
        devices=DEVICES,
        sandbox=True,
        accel="kvm" if spec.cpu.model == "host" else "tcg",
        run_dir="/run/user/1000/kvmnb/test",
        uuid="12345678-1234-8234-8234-123456789abc",
        disks=tuple(
            DiskFile(path=getattr(disk.back, "path", f"/state/disk{index}.qcow2"), format="qcow2")
            for index, disk in enumerate(spec.disks)
        ),
        macs=tuple(nic.mac or f"52:54:00:00:00:{i:02x}" for i, nic in enumerate(spec.nics)),
    )
    return dataclasses.replace(made, **changes)


def compiled(spec: DomainSpec, **changes: Any) -> tuple[str, ...]:
    return compile_qemu(spec, runtime(spec, **changes))


# -- every field × this target ------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fields")
    for name in ("one.img", "two.img", "cd.iso", "cd2.iso", "kernel", "kernel2", "initrd"):
        (folder / name).write_bytes(bytes(1 << 20))
    return folder


@pytest.fixture(scope="module")
def images(place: Path) -> Host:
    """A host whose catalogue has two images of its own."""
    host = Host(images=place / "images")
    host.images.add("one", place / "one.img")
    host.images.add("two", place / "two.img")
    return host


def _whole(place: Path) -> DomainSpec:
    """Return a description with one of each part."""
    return DomainSpec(
        name="test",
        memory=Memory(size_mib=128, slots=2, maximum_mib=512),
        cpu=CPU(count=2, sockets=1, cores=2, threads=2, maximum=4),
        disks=(
            Disk(back=ExistingFile(str(place / "one.img"))),
            Disk(back=CatalogueImage("one"), size_bytes=2 << 20),
            Disk(back=NewFile(1 << 20)),
        ),
        cdroms=(CDROM(str(place / "cd.iso")),),
        nics=(NIC(),),
        boot=Boot(kernel=str(place / "kernel"), initrd=str(place / "initrd"), append="quiet"),
    )


def _part(spec: DomainSpec, kind: type, changes: dict[str, Any]) -> DomainSpec:
    """Return `spec` with the first part of that kind changed."""
    if kind is DomainSpec:
        return dataclasses.replace(spec, **changes)
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        if isinstance(value, kind):
            return _part(spec, DomainSpec, {field.name: _replaced(value, changes)})
        if isinstance(value, tuple):
            for index, part in enumerate(value):
                if isinstance(part, kind):
                    new = _replaced(part, changes)
                elif isinstance(getattr(part, "back", None), kind):
                    new = _replaced(part, {"back": _replaced(part.back, changes)})
                else:
                    continue
                whole = (*value[:index], new, *value[index + 1 :])
                return _part(spec, DomainSpec, {field.name: whole})
    raise AssertionError(f"no {kind.__name__} in the whole description")


def _replaced(part: Any, changes: dict[str, Any]) -> Any:
    return dataclasses.replace(part, **changes)


FLIPS: dict[tuple[type, str], list[dict[str, Any]]] = {
    (DomainSpec, "name"): [{"name": "other"}],
    (DomainSpec, "memory"): [{"memory": Memory(size_mib=64)}],
    (DomainSpec, "cpu"): [{"cpu": CPU()}],
    (DomainSpec, "machine"): [{"machine": "q35"}, {"machine": "microvm"}],
    # on a host with KVM "auto" is "kvm", on one without it is "tcg": one of the two differs
    (DomainSpec, "accel"): [{"accel": "kvm"}, {"accel": "tcg"}],
    (DomainSpec, "disks"): [{"disks": ()}],
    (DomainSpec, "cdroms"): [{"cdroms": ()}],
    (DomainSpec, "nics"): [{"nics": ()}, {"nics": (NIC(), NIC())}],
    (DomainSpec, "boot"): [{"boot": Boot()}],
    **{
        (DomainSpec, switch): [{switch: False}]
        for switch in ("balloon", "agent", "serial", "vnc", "vmgenid", "rng")
    },
    (Memory, "size_mib"): [{"size_mib": 256}],
    (Memory, "slots"): [{"slots": 3}],
    (Memory, "maximum_mib"): [{"maximum_mib": 1024}],
    (CPU, "count"): [{"count": 3}],
    (CPU, "sockets"): [{"sockets": None}],
    (CPU, "cores"): [{"cores": None}],
    (CPU, "threads"): [{"threads": None}],
    (CPU, "maximum"): [{"maximum": 8, "sockets": 2}],
    (CPU, "model"): [{"model": "max"}, {"model": "host"}],
    (Disk, "back"): [{"back": NewFile(512)}, {"back": CatalogueImage("one")}],
    (Disk, "bus"): [{"bus": bus} for bus in ("ide", "sata", "scsi", "nvme", "usb")],
    (Disk, "cache"): [
        {"cache": cache} for cache in ("none", "writethrough", "directsync", "unsafe")
    ],
    (Disk, "format"): [{"format": "qcow2"}],
    (Disk, "readonly"): [{"readonly": True}],
    (Disk, "snapshot"): [{"snapshot": True}],
    (Disk, "size_bytes"): [{"size_bytes": 4 << 20, "back": CatalogueImage("one")}],
    (CatalogueImage, "name"): [{"name": "two"}],
    (ExistingFile, "path"): [{"path": "two.img"}],
    (NewFile, "size_bytes"): [{"size_bytes": 2 << 20}],
    (CDROM, "path"): [{"path": "cd2.iso"}],
    (NIC, "model"): [{"model": model} for model in NIC_MODELS if model != "virtio"],
    (NIC, "mac"): [{"mac": "52:54:00:01:02:03"}],
    (Boot, "order"): [{"order": "c"}],
    (Boot, "once"): [{"once": "d"}],
    (Boot, "menu"): [{"menu": True}],
    (Boot, "kernel"): [{"kernel": "kernel2"}],
    (Boot, "initrd"): [{"initrd": None}],
    (Boot, "append"): [{"append": "debug"}],
}

ALONE = {(NIC, "back")}
"""Fields that have one value only, so far: there is nothing to flip them to."""

CASES = [(kind, field, flip) for (kind, field), flips in FLIPS.items() for flip in flips]


def _fields() -> set[tuple[type, str]]:
    kinds = (DomainSpec, Memory, CPU, Boot, Disk, CDROM, NIC, User)
    backs = (CatalogueImage, ExistingFile, NewFile)
    return {(kind, each.name) for kind in kinds + backs for each in dataclasses.fields(kind)}


def test_a_new_field_needs_a_rule_and_a_case_here():
    assert set(FLIPS) | ALONE == _fields()
    assert NetBack is User


def _outcome(host: Host, spec: DomainSpec) -> object:
    """Return all that a start would do, or how it is refused."""
    try:
        plan = host.engine.plan(spec)
        return plan.argv, plan.new_disks
    except (Unsupported, SpecError, HostError) as error:
        return error


@pytest.mark.parametrize(
    ("kind", "field", "flip"),
    [case for case in CASES if case[1] != "accel"],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_change_of_any_field_changes_what_is_started_or_is_refused(
    images, place, kind, field, flip
):
    flip = {
        key: str(place / value) if key in {"path", "kernel"} and value else value
        for key, value in flip.items()
    }
    base = _whole(place)
    changed = _outcome(images, _part(base, kind, flip))
    if isinstance(changed, Exception):
        assert str(flip[field]) in str(changed)
    else:
        assert changed != _outcome(images, base)


def test_a_change_of_the_accelerator_changes_what_is_started_or_is_refused(images, place):
    base = _whole(place)
    outcomes = [_outcome(images, _part(base, DomainSpec, {"accel": a})) for a in ("kvm", "tcg")]
    assert any(outcome != _outcome(images, base) for outcome in outcomes)


# -- pure ---------------------------------------------------------------------------------------


@given(domains())
@settings(max_examples=50)
def test_the_same_description_gives_the_same_command(spec):
    assert compiled(spec) == compiled(dataclasses.replace(spec))


PURE = """
import sys
import builtins, os, random, time
from tests.compile.test_qemu import compiled, DirectBoot, pure_specs

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
    return [
        dataclasses.replace(_whole(Path("/p")), machine=machine, boot=boot)
        for machine in ("pc", "q35")
        for boot in (Boot(), Boot(order="cd", once="n", menu=True), Boot(kernel="/k"))
    ]


def test_the_compiler_asks_nobody():
    done = subprocess.run(
        [sys.executable, "-c", PURE], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("pure", "")


def test_the_compiler_imports_nothing_that_could_ask():
    allowed = {"__future__", "collections.abc", "dataclasses", "itertools", "re", "typing"}
    for source in Path(inspect.getfile(kvmnb.compile)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            assert all(name in allowed or name.startswith("kvmnb.") for name in names), source


# -- quoted -------------------------------------------------------------------------------------


@given(domains())
@settings(max_examples=150)
def test_no_name_and_no_path_becomes_an_option(spec):
    run_dir = "/run/a,b=c d"
    argv = compiled(spec, run_dir=run_dir)
    os.fsencode("\0".join(argv))
    assert ("guest", spec.name) in parsed(values(argv, "-name")[0])
    files = [dict(parsed(text)) for text in values(argv, "-blockdev")]
    assert [f["filename"] for f in files if f["driver"] == "file"] == [
        *(getattr(d.back, "path", f"/state/disk{i}.qcow2") for i, d in enumerate(spec.disks)),
        *(cdrom.path for cdrom in spec.cdroms),
    ]
    keys = {"driver", "node-name", "cache.direct", "cache.no-flush", "read-only"}
    for file in files:
        assert set(file) - {"filename", "file"} == keys
    for text in values(argv, "-chardev"):
        assert dict(parsed(text))["path"].startswith(f"{run_dir}/")
    if spec.boot.kernel is not None:
        assert values(argv, "-kernel") == [spec.boot.kernel]
        assert values(argv, "-append") == ([spec.boot.append] if spec.boot.append else [])
        assert values(argv, "-initrd") == ([spec.boot.initrd] if spec.boot.initrd else [])


@given(domains())
@settings(max_examples=50)
def test_every_argument_is_an_option_or_the_one_value_of_the_option_before_it(spec):
    argv = list(compiled(spec))[1:]
    while argv:
        option = argv.pop(0)
        assert option.startswith("-")
        if option not in {"-no-user-config", "-nodefaults"}:
            argv.pop(0)


def test_a_kernels_command_line_that_looks_like_an_option_is_none():
    argv = compiled(DomainSpec(name="a", boot=Boot(kernel="/k", append="-device")))
    assert argv[argv.index("-append") + 1] == "-device"


def test_a_run_folder_with_commas_and_equals_signs_stays_one_path():
    argv = compiled(DomainSpec(name="a"), run_dir="/r/a=b,c")
    assert parsed(values(argv, "-vnc")[0]) == [("vnc", "unix:/r/a=b,c/vnc.sock")]


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
    off: dict[str, Any] = dict.fromkeys(
        ("balloon", "agent", "serial", "vnc", "vmgenid", "rng"), False
    )
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


@pytest.mark.parametrize(
    "machine", ["microvm", "none", "isapc", "", "pc,accel=kvm", "pc-i440fx-=x"]
)
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
    with pytest.raises(Unsupported, match=f"'{missing}'.*QEMU 7.2.0 has no such device"):
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
