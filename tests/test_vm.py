"""A guest is asked for verb by verb; each verb takes what it can mean and refuses the rest."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings

from kvmnb import VM, ExtraXML, Host, ImageError, SpecError, Unsupported
from kvmnb.spec.boot import Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import NIC, User
from kvmnb.spec.storage import CACHES, CDROM, CatalogueImage, Disk, ExistingFile, NewFile
from tests.spec.strategies import names


@pytest.fixture
def vm(host: Host) -> VM:
    return host.vm("test")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1 << 20))
    return path


def test_the_line_of_the_readme_means_what_it_says(host):
    vm = host.vm("test").mem(128).smp(2).disk("tiny").nic("virtio")
    assert vm.spec == DomainSpec(
        name="test",
        memory=Memory(size_mib=128),
        cpu=CPU(count=2),
        disks=(Disk(back=CatalogueImage("tiny")),),
        nics=(NIC(model="virtio", back=User()),),
    )
    assert vm.name == "test"


# -- a value ------------------------------------------------------------------------------------


UUID = "5b2a9e3e-8a43-4d7e-9d7c-0f4c1c9f6a10"
VERBS = {
    "named": lambda vm, file: vm.named("other"),
    "replace": lambda vm, file: vm.replace(machine="q35"),
    "about": lambda vm, file: vm.about("A title"),
    "uuid": lambda vm, file: vm.uuid(UUID),
    "arch": lambda vm, file: vm.arch("i386"),
    "mem": lambda vm, file: vm.mem("1G"),
    "numa": lambda vm, file: vm.numa((128, [0])),
    "smp": lambda vm, file: vm.smp(4, cores=2),
    "cpu": lambda vm, file: vm.cpu("max"),
    "machine": lambda vm, file: vm.machine("q35"),
    "accel": lambda vm, file: vm.accel("tcg"),
    "paravirt": lambda vm, file: vm.paravirt(),
    "firmware": lambda vm, file: vm.firmware("uefi"),
    "clock": lambda vm, file: vm.clock("localtime"),
    "power": lambda vm, file: vm.power(reboot="destroy"),
    "boot": lambda vm, file: vm.boot("c"),
    "paused": lambda vm, file: vm.paused(),
    "incoming": lambda vm, file: vm.incoming("defer"),
    "autostart": lambda vm, file: vm.autostart(),
    "osinfo": lambda vm, file: vm.osinfo("debian12"),
    "extra_args": lambda vm, file: vm.extra_args("-S"),
    "extra_xml": lambda vm, file: vm.extra_xml(ExtraXML(parent="domain", xml="<a/>")),
    "disk": lambda vm, file: vm.disk(file),
    "cdrom": lambda vm, file: vm.cdrom(file),
    "floppy": lambda vm, file: vm.floppy(file),
    "cloud_init": lambda vm, file: vm.cloud_init(user="anna"),
    "nic": lambda vm, file: vm.nic("e1000"),
    "serial": lambda vm, file: vm.serial(False),
    "agent": lambda vm, file: vm.agent(False),
    "parallel": lambda vm, file: vm.parallel(),
    "console": lambda vm, file: vm.console(),
    "channel": lambda vm, file: vm.channel("org.example.0"),
    "monitor": lambda vm, file: vm.monitor(),
    "vnc": lambda vm, file: vm.vnc(False),
    "display": lambda vm, file: vm.display("gtk"),
    "video": lambda vm, file: vm.video("qxl"),
    "balloon": lambda vm, file: vm.balloon(False),
    "rng": lambda vm, file: vm.rng(False),
    "vmgenid": lambda vm, file: vm.vmgenid(False),
    "scsi": lambda vm, file: vm.scsi("lsi"),
    "usb": lambda vm, file: vm.usb(),
    "tablet": lambda vm, file: vm.tablet(),
    "input": lambda vm, file: vm.input("mouse"),
    "sound": lambda vm, file: vm.sound(),
    "watchdog": lambda vm, file: vm.watchdog(),
    "tpm": lambda vm, file: vm.tpm(),
    "share": lambda vm, file: vm.share(file.parent, "work"),
    "vsock": lambda vm, file: vm.vsock(),
    "hostdev": lambda vm, file: vm.hostdev("01:00.0"),
}


def test_every_verb_that_describes_is_tried_here():
    texts = {"command", "xml", "virt_install", "python", "layers", "diff"}
    others = {"name", "start", "spec", "host", "notes", *texts}
    assert set(VERBS) == {verb for verb in dir(VM) if not verb.startswith("_")} - others


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_returns_a_new_vm_and_leaves_the_old_one_as_it_was(vm, file, verb):
    before = dataclasses.replace(vm.spec)
    new = VERBS[verb](vm, file)
    assert isinstance(new, VM)
    assert new != vm
    assert new.spec != before
    assert vm.spec == before
    assert new.host is vm.host


def test_a_vm_cannot_be_changed_in_place(vm):
    with pytest.raises(dataclasses.FrozenInstanceError):
        vm.spec = DomainSpec(name="other")
    with pytest.raises((AttributeError, TypeError)):
        vm.color = "red"


def test_two_vms_that_ask_the_same_are_equal_and_hash_alike(host):
    one, other = (host.vm("a").mem("1G").smp(2).nic() for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other, one.mem(64)}) == 2
    assert one != Host().vm("a").mem("1G").smp(2).nic()  # another host's is another guest
    assert one.spec == Host().vm("a").mem("1G").smp(2).nic().spec


def test_one_template_serves_many(host, file):
    template = host.vm("template").mem(64).disk(file, snapshot=True)
    web, db = template.named("web").nic(), template.named("db").mem(128)
    assert template.spec.nics == ()
    assert (web.spec.memory.size_mib, db.spec.memory.size_mib) == (64, 128)
    assert web.spec.disks == db.spec.disks == template.spec.disks


def test_devices_add_up_in_order_and_settings_replace_one_another(vm, file):
    many = vm.disk(file, bus="scsi").disk(size="1M").nic("e1000").nic("virtio").mem(64).mem(96)
    assert [disk.bus for disk in many.spec.disks] == ["scsi", "virtio"]
    assert [nic.model for nic in many.spec.nics] == ["e1000", "virtio"]
    assert many.spec.memory.size_mib == 96


def test_the_model_of_a_cpu_and_its_number_do_not_undo_one_another(vm):
    expected = CPU(count=2, model="max")
    assert vm.cpu("max").smp(2).spec.cpu == vm.smp(2).cpu("max").spec.cpu == expected


# -- taken --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "mib"), [(128, 128), ("128", 128), ("128M", 128), ("1G", 1024)])
def test_memory_is_taken_in_mib_or_with_a_unit(vm, size, mib):
    assert vm.mem(size).spec.memory == Memory(size_mib=mib)


def test_memory_may_have_room_for_more(vm):
    memory = vm.mem(128, slots=2, maxmem="1G").spec.memory
    assert memory == Memory(size_mib=128, slots=2, maximum_mib=1024)


def test_processors_may_have_a_layout(vm):
    cpu = vm.smp(2, sockets=1, cores=2, threads=2, maxcpus=4).spec.cpu
    assert cpu == CPU(count=2, sockets=1, cores=2, threads=2, maximum=4)


def test_every_machine_version_of_this_qemu_that_is_laid_out_is_taken(vm):
    machines = [m for m in vm.host.engine.facts.machines if re.match(r"pc(-|$)|q35$", m)]
    assert {"pc", "q35"} < set(machines)
    assert [vm.machine(machine).spec.machine for machine in machines] == machines


@pytest.mark.parametrize("accel", ["auto", "kvm", "tcg"])
def test_every_accelerator_can_be_asked_for(vm, accel):
    assert vm.accel(accel).spec.accel == accel


def test_a_new_disk_has_a_size(vm):
    assert vm.disk(size="1G").spec.disks == (Disk(back=NewFile(1 << 30)),)


@pytest.mark.parametrize("cache", CACHES)
def test_a_disk_takes_every_option(vm, file, cache):
    disk = vm.disk(file, bus="scsi", cache=cache, format="raw", snapshot=True).spec.disks[0]
    back = ExistingFile(str(file))
    assert disk == Disk(back=back, bus="scsi", cache=cache, format="raw", snapshot=True)
    assert vm.disk(file, readonly=True).spec.disks[0].readonly


def test_an_overlay_may_be_larger_than_its_image_and_not_smaller(tmp_path, file):
    host = Host(images=tmp_path / "images")
    host.images.add("mine", file)
    vm = host.vm("a")
    assert vm.disk("mine", size="1G").spec.disks[0].size_bytes == 1 << 30
    with pytest.raises(SpecError, match="the image has 1048576 bytes") as caught:
        vm.disk("mine", size="512K")
    assert caught.value.field == "disk.size"


def test_a_card_takes_a_word_or_a_device_and_an_address_in_any_spelling(vm):
    assert vm.nic().spec.nics == (NIC(model="virtio"),)
    assert vm.nic("virtio-net-pci").spec.nics[0].model == "virtio-net-pci"
    assert vm.nic(net="user", mac="52-54-00-AB-00-01").spec.nics[0].mac == "52:54:00:ab:00:01"


def test_booting_takes_letters_a_menu_or_a_kernel(vm, file):
    assert vm.boot("dc", once="n", menu=True).spec.boot == Boot(order="dc", once="n", menu=True)
    boot = vm.boot(kernel=file, initrd=str(file), append="quiet").spec.boot
    assert boot == Boot(kernel=str(file), initrd=str(file), append="quiet")


@given(names())
@settings(max_examples=30)
def test_any_printable_name_is_taken(name):
    vm = Host().vm("a").named(name)
    assert vm.name == name
    assert "VM" in repr(vm)
    assert vm._repr_html_()


# -- refused ------------------------------------------------------------------------------------


REFUSED = [
    (lambda vm, f: vm.named("a/b"), "name", "a/b"),
    (lambda vm, f: vm.mem(0), "mem", 0),
    (lambda vm, f: vm.mem("lots"), "mem", "lots"),
    (lambda vm, f: vm.mem("1.5K"), "mem", "1.5K"),
    (lambda vm, f: vm.mem(128.0), "mem", 128.0),
    (lambda vm, f: vm.mem(128, slots=2), "mem.slots", 2),
    (lambda vm, f: vm.mem(128, slots=2, maxmem=64), "mem.maxmem", 64),
    (lambda vm, f: vm.mem(128, slots=2, maxmem="?"), "mem.maxmem", "?"),
    (lambda vm, f: vm.smp(0), "smp", 0),
    (lambda vm, f: vm.smp("2"), "smp", "2"),
    (lambda vm, f: vm.smp(4, cores=0), "smp.cores", 0),
    (lambda vm, f: vm.smp(4, maxcpus=2), "smp.maxcpus", 2),
    (lambda vm, f: vm.smp(4, cores=3), "smp", 4),
    (lambda vm, f: vm.cpu("Heswell"), "cpu", "Heswell"),
    (lambda vm, f: vm.cpu("max,-vmx"), "cpu", "max,-vmx"),
    (lambda vm, f: vm.cpu(None), "cpu", None),
    (lambda vm, f: vm.machine("xenpv"), "machine", "xenpv"),
    (lambda vm, f: vm.machine("q53"), "machine", "q53"),
    (lambda vm, f: vm.accel("xen"), "accel", "xen"),
    (lambda vm, f: vm.disk(), "disk.size", None),
    (lambda vm, f: vm.disk(size=0), "disk.size", 0),
    (lambda vm, f: vm.disk(size="100B"), "disk.size", 100),
    (lambda vm, f: vm.disk(size="4P"), "disk.size", "4P"),
    (lambda vm, f: vm.disk(size="4096T"), "disk.size", 4096 << 40),
    (lambda vm, f: vm.disk(f, bus="vritio"), "disk.bus", "vritio"),
    (lambda vm, f: vm.disk(f, cache=None), "disk.cache", None),
    (lambda vm, f: vm.disk(f, cache="write-back"), "disk.cache", "write-back"),
    (lambda vm, f: vm.disk(f, format="iso"), "disk.format", "iso"),
    (lambda vm, f: vm.disk(f, readonly="no"), "disk.readonly", "no"),
    (lambda vm, f: vm.disk(f, snapshot=1), "disk.snapshot", 1),
    (lambda vm, f: vm.disk(f, size="1G"), "disk.size", 1 << 30),
    (lambda vm, f: vm.disk("tiny", format="qcow2"), "disk.format", "qcow2"),
    (lambda vm, f: vm.disk(size="1M", format="qcow2"), "disk.format", "qcow2"),
    (lambda vm, f: vm.disk(size="1M", readonly=True), "disk.readonly", True),
    (lambda vm, f: vm.disk(5), "disk", 5),
    (lambda vm, f: vm.disk(b"/a"), "disk", b"/a"),
    (lambda vm, f: vm.disk(""), "disk", ""),
    (lambda vm, f: vm.disk("a\0b"), "disk", "a\0b"),
    (lambda vm, f: vm.cdrom(5), "cdrom", 5),
    (lambda vm, f: vm.cdrom("/nowhere.iso"), "cdrom", "/nowhere.iso"),
    (lambda vm, f: vm.nic("virtoi"), "nic.model", "virtoi"),
    (lambda vm, f: vm.nic("usb-net"), "nic.model", "usb-net"),
    (lambda vm, f: vm.nic("VGA"), "nic.model", "VGA"),
    (lambda vm, f: vm.nic(["virtio"]), "nic.model", ["virtio"]),
    (lambda vm, f: vm.nic(net="birdge"), "nic.net", "birdge"),
    (lambda vm, f: vm.nic(mac="01:00:00:00:00:00"), "nic.mac", "01:00:00:00:00:00"),
    (lambda vm, f: vm.nic(net="tap", tftp=f.parent), "nic.tftp", "tap"),
    (lambda vm, f: vm.nic(tftp="/nowhere"), "nic.tftp", "/nowhere"),
    (lambda vm, f: vm.nic(hostfwd="22"), "nic.hostfwd", "22"),
    (lambda vm, f: vm.nic(hostfwd={0: 22}), "nic.hostfwd", 0),
    (lambda vm, f: vm.numa(128), "numa", 128),
    (lambda vm, f: vm.mem(128, hugepages="1K"), "mem.hugepages", "1K"),
    (lambda vm, f: vm.cpu("max", "aes"), "cpu.features", "aes"),
    (lambda vm, f: vm.serial(True, False), "serial", False),
    (lambda vm, f: vm.video("qxl", False), "video", False),
    (lambda vm, f: vm.replace(flopies=()), "field", "flopies"),
    (lambda vm, f: vm.share("/nowhere", "a"), "share", "/nowhere"),
    (lambda vm, f: vm.hostdev("zzzz:0001"), "hostdev", "zzzz:0001"),
    (lambda vm, f: vm.cloud_init(run=5), "cloud_init.run", 5),
    (lambda vm, f: vm.boot("x"), "boot.order", "x"),
    (lambda vm, f: vm.boot(once="cc"), "boot.once", "cc"),
    (lambda vm, f: vm.boot(menu="yes"), "boot.menu", "yes"),
    (lambda vm, f: vm.boot(kernel="/nowhere"), "boot.kernel", "/nowhere"),
    (lambda vm, f: vm.boot(kernel=f, initrd="/nowhere"), "boot.initrd", "/nowhere"),
    (lambda vm, f: vm.boot(append="quiet"), "boot.kernel", None),
    (lambda vm, f: vm.boot(kernel=f, append=5), "boot.append", 5),
    *(
        (lambda vm, f, switch=switch: getattr(vm, switch)("off"), switch, "off")
        for switch in ("balloon", "agent", "serial", "vnc", "vmgenid", "rng")
    ),
    (lambda vm, f: vm.start(wait="booted"), "start.wait", "booted"),
    (lambda vm, f: vm.start(timeout_s=-1), "start.timeout_s", -1),
    (lambda vm, f: vm.start(timeout_s="soon"), "start.timeout_s", "soon"),
    (lambda vm, f: vm.start(keep="a while"), "start.keep", "a while"),
    (lambda vm, f: vm.start(replace="yes"), "start.replace", "yes"),
]


@pytest.mark.parametrize(("verb", "field", "value"), REFUSED)
def test_a_wrong_value_is_refused_by_the_verb_that_got_it(vm, file, verb, field, value):
    with pytest.raises(SpecError) as caught:
        verb(vm, file)
    error = caught.value
    assert (error.field, error.value) == (field, value)
    assert error.reason
    assert str(error).startswith(f"{field}={value!r}: ")


@pytest.mark.parametrize(
    ("verb", "hint"),
    [
        (lambda vm: vm.machine("q53"), "did you mean 'q35'?"),
        (lambda vm: vm.cpu("Heswell"), "did you mean 'Haswell'?"),
        (lambda vm: vm.nic("virtoi"), "did you mean 'virtio'?"),
        (lambda vm: vm.disk("tiny", cache="wrteback"), "did you mean 'writeback'?"),
        (lambda vm: vm.disk("tinny"), "did you mean the image 'tiny'?"),
    ],
)
def test_a_near_miss_is_answered_with_the_word_that_was_meant(vm, verb, hint):
    with pytest.raises(SpecError, match=re.escape(hint)):
        verb(vm)


def test_an_address_twice_in_one_guest_is_refused_in_whatever_spelling(vm):
    with pytest.raises(SpecError) as caught:
        vm.nic(mac="52:54:00:aa:00:01").nic(mac="52-54-00-AA-00-01")
    assert caught.value.field == "nic.mac"


# -- files --------------------------------------------------------------------------------------


def test_a_path_is_resolved_at_the_verb_so_that_a_later_chdir_changes_nothing(
    vm, file, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    relative = vm.disk("disk.img").cdrom("./disk.img").boot(kernel=Path("disk.img"))
    monkeypatch.chdir("/")
    assert relative.spec.disks[0].back == ExistingFile(str(file))
    assert relative.spec.cdroms == (CDROM(ExistingFile(str(file))),)
    assert relative.spec.boot.kernel == str(file)
    assert str(file) in " ".join(relative.command())


def test_a_tilde_is_the_users_home(vm, file, monkeypatch):
    monkeypatch.setenv("HOME", str(file.parent))
    assert vm.disk("~/disk.img").spec.disks[0].back == ExistingFile(str(file))
    assert vm.disk(Path("~/disk.img")).spec.disks[0].back == ExistingFile(str(file))


def test_a_name_of_both_an_image_and_a_file_is_the_image_and_a_path_is_the_file(
    vm, file, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    named = file.rename(tmp_path / "tiny")
    assert vm.disk("tiny").spec.disks[0].back == CatalogueImage("tiny")
    for source in ("./tiny", Path("tiny"), str(named)):
        assert vm.disk(source).spec.disks[0].back == ExistingFile(str(named))


def test_a_link_to_a_file_is_taken_and_one_to_nowhere_refused(vm, file, tmp_path):
    (tmp_path / "link").symlink_to(file)
    assert vm.disk(tmp_path / "link").spec.disks
    (tmp_path / "broken").symlink_to(tmp_path / "gone")
    with pytest.raises(SpecError, match="no such file"):
        vm.disk(tmp_path / "broken")


def test_what_is_no_file_is_refused_by_what_it_is_and_not_opened(vm, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "sock"))
        cases = {
            tmp_path: "folder",
            tmp_path / "fifo": "FIFO",
            tmp_path / "sock": "socket",
            Path("/dev/null"): "device",
        }
        for path, word in cases.items():
            for verb in (vm.disk, vm.cdrom, lambda path: vm.boot(kernel=path)):
                with pytest.raises(SpecError, match=f"is a {word}") as caught:
                    verb(path)
                assert caught.value.value == str(path)


def test_a_path_through_a_file_or_too_long_is_refused_and_said_why(vm, file):
    with pytest.raises(SpecError, match="Not a directory"):
        vm.disk(file / "x")
    with pytest.raises(SpecError, match="File name too long"):
        vm.disk("/" + "x" * 5000)


def test_a_file_that_vanishes_after_the_verb_is_missed_by_name(vm, file):
    described = vm.disk(file)
    file.unlink()
    assert str(file) in " ".join(described.command())  # which can be read all the same
    with pytest.raises(ImageError, match=re.escape(str(file))):
        described.start()


# -- what it means ------------------------------------------------------------------------------


def test_describing_and_showing_a_guest_start_nothing(host, vm, file):
    described = vm.mem(64).disk(file).disk(size="1M").nic()
    repr(described)
    described._repr_html_()
    before = set(os.listdir("/proc/self/task"))
    described.command()
    assert set(os.listdir("/proc/self/task")) == before
    assert list(host.guests) == []
    assert not any(Path(each).exists() for each in described.command() if "disk1.qcow2" in each)


def test_the_command_is_printed_with_one_option_a_line_and_bash_reads_it_back(vm, file):
    command = vm.mem(64).disk(file).nic().command()
    lines = str(command).split(" \\\n  ")
    assert all(line.startswith("-") for line in lines[1:])
    assert all(len(shlex.split(line)) <= 2 for line in lines)
    assert str(command) == repr(command)
    script = "printf '%s\\0' " + str(command)
    read = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout
    assert tuple(map(os.fsdecode, read.split(b"\0")[:-1])) == tuple(command)


def test_the_same_description_has_the_same_command_in_another_host_object(vm):
    other = Host().vm("test").nic().nic()
    assert tuple(vm.nic().nic().command()) == tuple(other.command())


def test_addresses_are_under_52_54_00_and_no_two_alike(host):
    found = [
        argument.partition("mac=")[2]
        for name in ("a", "b", "c,mac=x")
        for argument in host.vm(name).nic().nic().nic().command()
        if argument.startswith("virtio-net-pci")
    ]
    assert len(set(found)) == 9
    assert all(re.fullmatch(r"52:54:00(:[0-9a-f]{2}){3}", mac) for mac in found)


def test_an_address_given_by_hand_is_left_out_of_those_derived(host):
    taken = next(a for a in host.vm("a").nic().command() if a.startswith("virtio-net-pci"))
    mac = taken.partition("mac=")[2]
    both = host.vm("a").nic().nic(mac=mac).command()
    macs = [a.partition("mac=")[2] for a in both if a.startswith("virtio-net-pci")]
    assert len(set(macs)) == 2


def test_what_this_qemu_cannot_do_is_refused_by_name(vm):
    with pytest.raises(Unsupported, match="host CPU"):
        vm.accel("tcg").smp(1)._with(cpu=CPU(model="host")).command()


def test_a_card_shows_what_was_asked(vm, file):
    described = vm.mem(64).smp(2).disk(file, cache="none").nic("e1000").vnc(False)
    for shown in (repr(described), described._repr_html_()):
        for fact in ("test", "64 MiB", "e1000", "cache none", str(file), "VNC screen"):
            assert fact in shown
