"""Domain XML: valid by libvirt's own schema, quoted, and the same guest as asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given

from kvmnb import SpecError, Unsupported
from kvmnb.compile.libvirt import compile_libvirt, libvirt_pieces
from kvmnb.spec.boot import Boot
from kvmnb.spec.cloud_init import CloudInit
from kvmnb.spec.cpu import CPU
from kvmnb.spec.diskbacks import BlockDevice, Server
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.forwards import Forward
from kvmnb.spec.network import NIC, User
from kvmnb.spec.platform import ExtraXML
from kvmnb.spec.ports import Monitor
from kvmnb.spec.storage import CDROM, Disk, ExistingFile
from tests.compile.flips import BASES
from tests.compile.made import runtime
from tests.compile.sayable import sayable
from tests.compile.schema import SCHEMA, faults, needs_schema
from tests.spec.strategies import domains

FILE = ExistingFile("/images/a.qcow2")


def xml(spec: DomainSpec, **more: Any) -> str:
    return compile_libvirt(spec, runtime(spec), **more)


def tree(spec: DomainSpec, **more: Any) -> ElementTree.Element:
    return ElementTree.fromstring(xml(spec, **more))


def spec(**fields: Any) -> DomainSpec:
    return DomainSpec(name="test", accel="tcg", **fields)


def devs(*disks: Disk, **fields: Any) -> list[str]:
    found = tree(spec(disks=disks, **fields)).findall("devices/disk/target")
    return [target.attrib["dev"] for target in found]


@needs_schema
@given(domains())
def test_text_of_any_kind_is_quoted_or_refused(spec: DomainSpec):
    try:
        text = xml(spec)
    except (SpecError, Unsupported):
        return
    assert faults(text) == [], text


@needs_schema
@given(domains(hostile=False))
def test_every_domain_is_valid_by_libvirts_own_schema(spec: DomainSpec):
    spec = sayable(spec)
    for first in (False, True):
        try:
            text = xml(spec, first_start=first)
        except Unsupported:
            continue
        assert faults(text) == [], text


def test_the_same_input_gives_the_same_bytes():
    guest = spec(disks=(Disk(back=FILE),), nics=(NIC(),))
    assert xml(guest) == xml(dataclasses.replace(guest))


def test_the_text_is_made_of_the_pieces_and_of_sections_alone():
    guest = spec(disks=(Disk(back=FILE),), nics=(NIC(),), boot=Boot(order="c", once="d"))
    lines = [line.strip() for line in xml(guest).splitlines()]
    for piece in libvirt_pieces(guest, runtime(guest)):
        for line in piece.words[0].splitlines():
            lines.remove(line.strip())
    left = {line.strip("</>").split()[0] for line in lines}
    assert left <= {"domain", "metadata", "kvmnb:domain", "os", "features", "devices"}


def test_what_is_asked_cannot_leave_its_element():
    name = "a'><b>&\"]]>"
    found = tree(dataclasses.replace(spec(), name=name, description=f"{name}\n  two"))
    assert found.findtext("name") == name
    assert found.findtext("description") == f"{name}\n  two"
    disk = tree(spec(disks=(Disk(back=ExistingFile(f"/{name}\t")),))).find("devices/disk/source")
    assert disk is not None
    assert disk.attrib["file"] == f"/{name}\t"


@pytest.mark.parametrize("sign", ["\x01", "\x1b", "\ufffe", "\udc80"])
def test_what_xml_cannot_hold_is_refused_by_its_field(sign: str):
    with pytest.raises(Unsupported, match="XML cannot hold") as caught:
        xml(spec(disks=(Disk(back=ExistingFile(f"/a{sign}")),)))
    assert caught.value.field == "disks[0]"


def test_a_relative_path_is_refused_by_its_field():
    with pytest.raises(Unsupported, match="absolute") as caught:
        xml(spec(disks=(Disk(back=ExistingFile("a.img")),)))
    assert caught.value.field == "disks[0].back"


def test_disks_are_named_by_bus_and_place():
    assert devs(Disk(back=FILE), Disk(back=FILE)) == ["vda", "vdb"]
    assert devs(Disk(back=FILE, bus="ide"), Disk(back=FILE, bus="ide", index=3)) == ["hda", "hdd"]
    assert devs(*[Disk(back=FILE)] * 27)[-2:] == ["vdz", "vdaa"]


def test_sata_and_scsi_disks_share_letters_and_keep_their_places():
    disks = (Disk(back=FILE, bus="sata"), Disk(back=FILE, bus="scsi"))
    assert devs(*disks) == ["sda", "sdb"]
    places = tree(spec(disks=disks)).findall("devices/disk/address")
    assert [(place.attrib["controller"], place.attrib["unit"]) for place in places] == [("0", "0")]


def test_a_place_that_is_asked_for_twice_is_refused():
    with pytest.raises(SpecError, match="two disks"):
        xml(spec(disks=(Disk(back=FILE, index=1), Disk(back=FILE, index=1))))


def test_a_cdrom_is_on_the_boards_own_bus():
    def bus(machine: str) -> str:
        guest = spec(machine=machine, cdroms=(CDROM(back=FILE),))
        target = tree(guest).find("devices/disk/target")
        assert target is not None
        return target.attrib["bus"]

    assert (bus("pc"), bus("q35"), bus("pc-q35-7.2"), bus("virt")) == (
        "ide",
        "sata",
        "sata",
        "scsi",
    )


def test_the_seed_of_an_image_that_configures_itself_is_a_cdrom():
    guest = spec(disks=(Disk(back=FILE),), cloud_init=CloudInit(user="anna"))
    source = tree(guest).find("devices/disk[@device='cdrom']/source")
    assert source is not None
    assert source.attrib["file"] == "/state/seed.iso"


def test_a_guest_gets_no_device_that_libvirt_would_add_by_itself():
    found = tree(spec(balloon=None, videos=(), rng=None))
    for path in ("memballoon[@model='none']", "video/model[@type='none']"):
        assert found.find(f"devices/{path}") is not None
    assert found.find("devices/controller[@type='usb'][@model='none']") is not None


def test_a_layout_that_is_given_in_part_is_told_whole_and_remembered():
    found = tree(spec(cpu=CPU(count=8, cores=2)))
    topology = found.find("cpu/topology")
    assert topology is not None
    assert topology.attrib == {"sockets": "4", "cores": "2", "threads": "1"}
    assert "<kvmnb:smp cores='2'/>" in xml(spec(cpu=CPU(count=8, cores=2)))


def test_the_first_start_has_what_is_started_once_first_and_ends_with_a_reboot():
    guest = spec(disks=(Disk(back=FILE),), boot=Boot(order="cd", once="d"))
    order = [each.attrib["dev"] for each in tree(guest, first_start=True).findall("os/boot")]
    assert order == ["cdrom", "hd"]
    assert tree(guest, first_start=True).findtext("on_reboot") == "destroy"
    assert [each.attrib["dev"] for each in tree(guest).findall("os/boot")] == ["hd", "cdrom"]
    assert "<kvmnb:boot once='d'/>" in xml(guest)
    assert tree(guest).find("on_reboot") is None


def test_an_install_trees_kernel_is_there_for_the_first_start_only():
    guest = spec(boot=Boot(location="http://192.0.2.1/tree/", append="ks=http://192.0.2.1/ks"))
    assert tree(guest, first_start=True).findtext("os/kernel") == "/tree/vmlinuz"
    assert tree(guest, first_start=True).findtext("os/cmdline") == "ks=http://192.0.2.1/ks"
    assert tree(guest).find("os/kernel") is None


def test_a_guest_with_nothing_but_a_cdrom_starts_from_it_as_with_firmware():
    order = tree(spec(cdroms=(CDROM(back=FILE),))).findall("os/boot")
    assert [each.attrib["dev"] for each in order] == ["cdrom"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"monitors": (Monitor(),)}, "monitors"),
        ({"accel_options": (("thread", "multi"),)}, "accel_options.thread"),
        ({"machine_options": (("hmat", "on"),)}, "machine_options.hmat"),
        ({"boot": Boot(splash="/a.jpg")}, "boot.splash"),
        ({"boot": Boot(order="b")}, "boot.order"),
        ({"cpu": CPU(model="max", features=("phys-bits=40",))}, "cpu.features"),
        ({"disks": (Disk(back=FILE, bus="nvme"),)}, "disks[0].bus"),
        ({"disks": (Disk(back=FILE, bus="ide"),), "machine": "q35"}, "disks[0].bus"),
        ({"disks": (Disk(back=FILE, options=(("a", "b"),)),)}, "disks[0].options.a"),
        (
            {"disks": (Disk(back=Server(protocol="ssh", host="h", name="a")),)},
            "disks[0].back.protocol",
        ),
        ({"nics": (NIC(back=User(tftp="/srv")),)}, "nics[0].back.tftp"),
        (
            {"nics": (NIC(back=User(forwards=(Forward(host_port=1, guest_port=2),))),)},
            "nics[0].back.forwards",
        ),
        ({"nics": (NIC(vectors=4),)}, "nics[0].vectors"),
        ({"autostart": True}, "autostart"),
    ],
)
def test_what_libvirt_has_no_word_for_is_refused_by_name(fields: dict[str, Any], field: str):
    with pytest.raises(Unsupported) as caught:
        xml(spec(**fields))
    assert (caught.value.target, caught.value.field) == ("libvirt", field)


def test_letters_and_turns_of_devices_do_not_go_together():
    with pytest.raises(Unsupported, match="not both"):
        xml(spec(boot=Boot(order="c"), disks=(Disk(back=FILE, bootindex=1),)))


def test_options_for_qemu_stand_in_qemus_namespace():
    found = tree(spec(extra_args=("-global", "a.b=<c>")))
    words = found.findall("{http://libvirt.org/schemas/domain/qemu/1.0}commandline/*")
    assert [word.attrib["value"] for word in words] == ["-global", "a.b=<c>"]


def test_what_was_kept_goes_back_below_its_parent_in_order():
    kept = (
        ExtraXML(parent="devices", xml="<panic model='isa'/>"),
        ExtraXML(parent="devices", xml="<shmem name='a'><size unit='M'>4</size></shmem>"),
        ExtraXML(parent="features", xml="<pvspinlock state='on'/>"),
        ExtraXML(parent="domain", xml="<iothreads>2</iothreads>"),
        ExtraXML(parent="disks.0", xml="<disk><driver iothread='1'/></disk>"),
    )
    found = tree(spec(disks=(Disk(back=FILE),), extra_xml=kept))
    assert [each.tag for each in found.find("devices") or ()][-2:] == ["panic", "shmem"]
    assert found.find("features/pvspinlock[@state='on']") is not None
    assert found.findtext("iothreads") == "2"
    assert found.find("devices/disk/driver[@iothread='1'][@name='qemu']") is not None


@pytest.mark.parametrize("wrong", ["<a>", "<a/><b/>", "<!DOCTYPE a><a/>", "<a b=1/>"])
def test_what_was_kept_must_be_one_element(wrong: str):
    with pytest.raises(SpecError):
        xml(spec(extra_xml=(ExtraXML(parent="devices", xml=wrong),)))


def test_what_was_kept_of_a_device_that_is_gone_is_refused():
    kept = ExtraXML(parent="disks.0", xml="<disk snapshot='no'/>")
    with pytest.raises(Unsupported, match=r"disks\.0"):
        xml(spec(extra_xml=(kept,)))


@needs_schema
def test_every_kind_of_server_is_valid():
    for protocol in ("nbd", "http", "https", "ftp", "ftps", "iscsi", "gluster", "rbd"):
        back = Server(protocol=protocol, host="::1", port=1234, name="a/b")
        assert faults(xml(spec(disks=(Disk(back=back), Disk(back=BlockDevice("/dev/sdb")))))) == []


@pytest.mark.skipif(shutil.which("xmllint") is None, reason="needs xmllint (libxml2-utils)")
def test_every_kind_of_part_is_valid_to_virt_xml_validate(tmp_path):
    validate = shutil.which("virt-xml-validate")
    if validate is None:
        pytest.skip("needs virt-xml-validate (libvirt-clients)")
    files = []
    for kind, (spec, _) in BASES.items():
        with contextlib.suppress(Unsupported):
            file = tmp_path / f"{kind.__name__}.xml"
            file.write_text(compile_libvirt(spec, runtime(spec)))
            files.append(file)
    assert len(files) > len(BASES) / 2
    # what virt-xml-validate runs, once for all; and the very program, for one
    done = subprocess.run(
        ["xmllint", "--noout", "--relaxng", str(SCHEMA), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    subprocess.run([validate, str(files[0]), "domain"], capture_output=True, check=True)
