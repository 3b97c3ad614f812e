"""Domain XML read back: what was compiled, what people write, and what libvirt itself writes."""

from __future__ import annotations

import pytest
from hypothesis import given

from kvmnb import ParseError
from kvmnb.compile.libvirt import compile_libvirt
from kvmnb.compile.runtime import DirectBoot
from kvmnb.compile.settled import settled
from kvmnb.parse.domain_xml import parse_domain
from kvmnb.spec import charbacks, netbacks
from kvmnb.spec.boot import Boot
from kvmnb.spec.chardev import Private, Serial
from kvmnb.spec.codec import differences
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.diskbacks import BlockDevice, Volume
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC, Video
from kvmnb.spec.network import NIC
from kvmnb.spec.peripherals import Vsock
from kvmnb.spec.platform import Firmware
from kvmnb.spec.storage import CDROM, Disk, ExistingFile
from tests.compile.made import runtime
from tests.compile.sayable import sayable
from tests.spec.strategies import domains, settled_domains


def _round_trip(spec: DomainSpec) -> None:
    spec = sayable(spec)
    made = runtime(spec)
    text = compile_libvirt(spec, made)
    parsed = parse_domain(text)
    assert differences(parsed.spec, settled(spec, made, "libvirt")) == (), text
    said = {note.message.partition(":")[0] for note in parsed.notes if note.kind != "kept"}
    assert said <= {"nothing is said to play the sound"}
    assert parse_domain(compile_libvirt(parsed.spec, runtime(parsed.spec))).spec == parsed.spec


@given(settled_domains("libvirt"))
def test_a_settled_description_comes_back_as_it_was(spec: DomainSpec):
    _round_trip(spec)


@given(domains(hostile=False))
def test_an_open_description_comes_back_settled(spec: DomainSpec):
    _round_trip(spec)


def domain(devices: str = "", more: str = "", kind: str = "kvm") -> str:
    return f"""<domain type='{kind}'>
  <name>test</name>
  <memory unit='KiB'>131072</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  {more}
  <devices>{devices}</devices>
</domain>"""


DUMP = """<domain type='kvm' id='7'>
  <name>web</name>
  <uuid>5b2a9e3e8a434d7e9d7c0f4c1c9f6a10</uuid>
  <metadata>
    <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
      <libosinfo:os id="http://debian.org/debian/12"/>
    </libosinfo:libosinfo>
  </metadata>
  <memory unit='KiB'>1048576</memory>
  <currentMemory unit='KiB'>1048576</currentMemory>
  <vcpu placement='static'>2</vcpu>
  <resource><partition>/machine</partition></resource>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <boot dev='hd'/>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode='host-passthrough' check='none' migratable='on'/>
  <clock offset='utc'><timer name='rtc' tickpolicy='catchup'/></clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' discard='unmap'/>
      <source file='/images/web.qcow2' index='2'/>
      <backingStore/>
      <target dev='vda' bus='virtio'/>
      <alias name='virtio-disk0'/>
      <address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu'/>
      <target dev='sda' bus='sata'/>
      <readonly/>
      <alias name='sata0-0-0'/>
      <address type='drive' controller='0' bus='0' target='0' unit='0'/>
    </disk>
    <controller type='usb' index='0' model='qemu-xhci' ports='15'>
      <alias name='usb'/>
    </controller>
    <controller type='pci' index='0' model='pcie-root'><alias name='pcie.0'/></controller>
    <controller type='pci' index='1' model='pcie-root-port'>
      <model name='pcie-root-port'/>
      <target chassis='1' port='0x10'/>
    </controller>
    <controller type='virtio-serial' index='0'/>
    <interface type='network'>
      <mac address='52:54:00:12:34:56'/>
      <source network='default' portid='e0e6bd5c-6ea0-4a3f-9f4c-1b1b1b1b1b1b' bridge='virbr0'/>
      <target dev='vnet3'/>
      <model type='virtio'/>
      <alias name='net0'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </interface>
    <serial type='pty'>
      <source path='/dev/pts/3'/>
      <target type='isa-serial' port='0'><model name='isa-serial'/></target>
      <alias name='serial0'/>
    </serial>
    <console type='pty' tty='/dev/pts/3'>
      <source path='/dev/pts/3'/>
      <target type='serial' port='0'/>
      <alias name='serial0'/>
    </console>
    <channel type='unix'>
      <source mode='bind' path='/var/lib/libvirt/qemu/channel/target/domain-7-web/agent.0'/>
      <target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>
      <alias name='channel0'/>
      <address type='virtio-serial' controller='0' bus='0' port='1'/>
    </channel>
    <input type='mouse' bus='ps2'/>
    <input type='keyboard' bus='ps2'/>
    <graphics type='vnc' port='5900' autoport='yes' listen='127.0.0.1'>
      <listen type='address' address='127.0.0.1'/>
    </graphics>
    <audio id='1' type='none'/>
    <video>
      <model type='virtio' heads='1' primary='yes'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/>
    </video>
    <memballoon model='virtio'>
      <stats period='5'/>
      <address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>
    </memballoon>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
  <seclabel type='dynamic' model='dac' relabel='yes'>
    <label>+64055:+64055</label><imagelabel>+64055:+64055</imagelabel>
  </seclabel>
</domain>
"""


def test_what_libvirt_prints_of_a_running_guest_is_the_guest_alone():
    parsed = parse_domain(DUMP)
    spec = parsed.spec
    assert spec.uuid == "5b2a9e3e-8a43-4d7e-9d7c-0f4c1c9f6a10"
    assert (spec.memory.size_mib, spec.memory.current_mib, spec.cpu.count) == (1024, None, 2)
    assert (spec.cpu.model, spec.machine, spec.boot.order) == ("host", "pc-q35-7.2", "c")
    assert spec.disks == (
        Disk(back=ExistingFile("/images/web.qcow2"), format="qcow2", discard="unmap"),
    )
    assert spec.cdroms == (CDROM(),)
    back = netbacks.LibvirtNetwork()
    assert spec.nics == (NIC(mac="52:54:00:12:34:56", back=back),)
    assert spec.serials == (Serial(),)
    assert (spec.agent, spec.consoles, spec.channels) == (True, (), ())
    assert spec.displays == (VNC(listen="127.0.0.1"),)
    assert spec.videos == (Video("virtio"),)
    assert (spec.balloon, spec.rng) == (Balloon(stats_s=5), RNG(source="/dev/urandom"))
    assert spec.inputs == spec.sounds == ()


def test_what_libvirt_adds_is_told_once_a_kind_and_not_for_each_device():
    notes = parse_domain(DUMP).notes
    ignored = [note.message for note in notes if note.kind == "ignored"]
    assert len(ignored) == len(set(ignored)) < 20
    assert [note.position for note in notes] == sorted(note.position for note in notes)


def test_metadata_of_others_stays_to_the_letter():
    (kept,) = (each for each in parse_domain(DUMP).spec.extra_xml if each.parent == "metadata")
    assert kept.xml in DUMP


def test_a_prefix_from_further_out_goes_with_what_is_kept():
    text = domain(more="<metadata><a:b/></metadata>").replace(
        "<domain ", "<domain xmlns:a='urn:a&amp;b' "
    )
    (kept,) = parse_domain(text).spec.extra_xml
    assert kept.xml == '<a:b xmlns:a="urn:a&amp;b"/>'


def test_what_no_field_stands_for_is_kept_with_its_parent_in_order():
    devices = "<disk type='file'><driver queues='4'/><source file='/a'/><target dev='vda'/></disk>"
    text = domain(f"<panic model='isa'/>{devices}<shmem name='a'/>", "<iothreads>1</iothreads>")
    parsed = parse_domain(text)
    assert [(each.parent, each.xml) for each in parsed.spec.extra_xml] == [
        ("domain", "<iothreads>1</iothreads>"),
        ("disks.0", "<disk><driver queues='4'/></disk>"),
        ("devices", "<panic model='isa'/>"),
        ("devices", "<shmem name='a'/>"),
    ]
    assert sum(note.kind == "kept" for note in parsed.notes) == 4


def test_memory_is_read_in_every_unit_and_rounded_up_with_a_note():
    for unit, amount in (("KiB", 262144), ("MiB", 256), ("b", 268435456), ("M", 256)):
        text = domain().replace("unit='KiB'>131072", f"unit='{unit}'>{amount}")
        assert parse_domain(text).spec.memory.size_mib == 256
    odd = parse_domain(domain().replace("131072", "131073"))
    assert odd.spec.memory.size_mib == 129
    assert any(note.kind == "changed" and "129 MiB" in note.message for note in odd.notes)


def test_what_libvirt_would_do_unasked_is_a_default_with_a_note():
    parsed = parse_domain(domain("<interface type='user'/><graphics type='vnc'/>"))
    spec = parsed.spec
    assert (spec.cpu.model, spec.nics[0].model, spec.usb) == ("qemu64", "rtl8139", "piix3-uhci")
    assert (spec.balloon, spec.videos) == (Balloon(stats_s=0), (Video("cirrus"),))
    assert sum(note.kind == "default" for note in parsed.notes) == 5
    assert (spec.rng, spec.agent, spec.serials, spec.vmgenid) == (None, False, (), None)


def test_a_console_alone_is_the_first_serial_port():
    spec = parse_domain(domain("<console type='pty'/>")).spec
    assert (spec.serials, spec.consoles) == ((Serial(),), ())


def test_a_terminal_of_ones_own_becomes_private_with_a_note():
    parsed = parse_domain(domain("<serial type='stdio'/>"))
    assert parsed.spec.serials == (Serial(Private()),)
    assert any(note.kind == "changed" for note in parsed.notes)


def test_a_disk_in_another_place_than_the_next_keeps_it():
    cdrom = "<disk type='block' device='cdrom'><source dev='/dev/sr0'/><target dev='hdc'/></disk>"
    disk = "<disk type='file'><source file='/a'/><target dev='vdc'/></disk>"
    spec = parse_domain(domain(cdrom + disk)).spec
    assert spec.cdroms == (CDROM(BlockDevice("/dev/sr0"), index=2),)
    assert spec.disks == (Disk(back=ExistingFile("/a"), format="raw", index=2),)


def test_a_place_on_the_bus_that_a_person_wrote_is_kept():
    card = (
        "<interface type='user'><model type='virtio'/>"
        "<address type='pci' domain='0' bus='0' slot='0x05' function='0x0'/></interface>"
    )
    assert parse_domain(domain(card)).spec.nics[0].address == "05.0"
    root = "<controller type='pci' index='0' model='pci-root'/>"
    assert parse_domain(domain(card + root)).spec.nics[0].address is None


def test_options_for_qemu_are_words():
    words = "<q:commandline><q:arg value='-s'/><q:arg value='a b'/></q:commandline>"
    text = domain().replace("</devices>", f"</devices>{words}")
    text = text.replace("<domain ", "<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0' ")
    assert parse_domain(text).spec.extra_args == ("-s", "a b")


def test_a_unix_socket_of_a_persons_own_is_a_back_end():
    port = "<serial type='unix'><source mode='bind' path='/s'/></serial>"
    assert parse_domain(domain(port)).spec.serials[0].back == charbacks.UnixSocket(path="/s")


@pytest.mark.parametrize(
    ("text", "near", "reason"),
    [
        ("<domian/>", "<domian", "did you mean <domain>"),
        (domain(kind="kmv"), "type=", "did you mean 'kvm'"),
        (domain("<disk device='cdorm'><target dev='hda'/></disk>"), "device=", "'cdrom'"),
        (domain("<disk><target dev='vda' bus='vritio'/></disk>"), "bus=", "'virtio'"),
        (domain("<interface type='brigde'/>"), "type=", "'bridge'"),
        (domain("<video><model type='quxl'/></video>"), "type=", "'qxl'"),
        (domain("<serial type='tpc'/>"), "type=", "'tcp'"),
        (domain("<watchdog model='i6300'/>"), "model=", "'i6300esb'"),
        (domain().replace("KiB", "KiBi"), "unit=", "'KiB'"),
        (domain().replace("131072", "much"), "<memory", "whole number"),
        (domain(more="<vcpu>900</vcpu>"), "<vcpu", "255"),
        (domain("<graphics type='vnc' port='80'/>"), "port=", "5900"),
        (domain().replace("<name>test</name>", ""), "<domain", "needs <name>"),
        (domain(more="<os/>"), "<os/>", "one <os> only"),
        (domain(kind="lxc"), "type=", "neither KVM nor QEMU"),
        ("<domain type='kvm'>", "", "well-formed"),
        ("no xml", "no xml", "well-formed"),
        ("", "", "well-formed"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands_with_the_nearest_word(text, near, reason):
    with pytest.raises(ParseError, match=reason) as caught:
        parse_domain(text)
    assert text[caught.value.position :].startswith(near)


def test_positions_are_characters_and_not_bytes():
    text = domain("<serial type='tpc'/>").replace("test", "тест-ünï-試験" * 3)
    with pytest.raises(ParseError) as caught:
        parse_domain(text)
    assert text[caught.value.position :].startswith("type='tpc'")


LAUGHS = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
HOSTILE = {
    "billion laughs": f'<!DOCTYPE d [<!ENTITY a0 "ha">{LAUGHS}]><domain type="kvm">&a11;</domain>',
    "external entity": '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><domain>&x;</domain>',
    "external DTD": '<!DOCTYPE domain SYSTEM "http://127.0.0.1:9/x.dtd"><domain type="kvm"/>',
    "parameter entity": '<!DOCTYPE d [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><domain/>',
    "10 MB attribute": f'<domain type="{"k" * 10_000_000}"/>',
    "long attribute": f'<domain type="{"k" * 3_000_000}"/>',
    "deep nesting": "<domain>" * 200_000,
    "many elements": f"<domain>{'<a/>' * 900_000}</domain>",
    "many comments": f"<domain type='kvm'><name>{'x<!---->' * 400_000}</name></domain>",
    "NUL": "<domain type='kvm'>\0</domain>",
    "surrogate": "<domain type='kvm'>\udc80</domain>",
    "unknown entity": "<domain type='kvm'>&nbsp;</domain>",
    "huge number": domain().replace("131072", "9" * 5000),
    "wide range": domain(more="<cpu><numa><cell cpus='0-99999999999' memory='1'/></numa></cpu>"),
    "another encoding": "<?xml version='1.0' encoding='UTF-16'?><domain/>",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_at_once(text: str):
    with pytest.raises(ParseError):
        parse_domain(text)


@pytest.mark.parametrize("other", ["", " model='nec-xhci' ports='8'", " model='none'"])
def test_a_guest_without_usb_has_no_other_controller_for_it(other: str):
    none, more = "<controller type='usb' model='none'/>", f"<controller type='usb'{other}/>"
    for devices in (none + more, more + none):
        with pytest.raises(ParseError, match="a guest without USB"):
            parse_domain(domain(devices))


def test_a_new_volume_is_called_as_virt_install_calls_it():
    new = Volume(pool="default", size_bytes=1 << 30)
    spec = DomainSpec(name="web", disks=(Disk(back=new), Disk(back=new)))
    found = parse_domain(compile_libvirt(spec, runtime(spec))).spec
    backs = [disk.back for disk in found.disks]
    assert backs == [
        Volume(pool="default", name="web.qcow2"),
        Volume(pool="default", name="web-1.qcow2"),
    ]


def test_firmware_and_a_free_address_are_libvirts_to_find():
    spec = DomainSpec(name="a", firmware=Firmware(), vsock=Vsock(), accel="tcg")
    text = compile_libvirt(spec, runtime(spec))
    assert "<os firmware='efi'>" in text
    assert "<cid auto='yes'/>" in text


def test_the_kernel_of_an_image_is_the_guests_own():
    direct = DirectBoot(kernel="/k", initrd="/i", append="quiet")
    spec = DomainSpec(name="a", accel="tcg")
    found = parse_domain(compile_libvirt(spec, runtime(spec, direct_boot=direct))).spec
    assert found.boot == Boot(kernel="/k", initrd="/i", append="quiet")
    made = runtime(spec, direct_boot=direct)
    boots = [settled(spec, made, each).boot for each in ("qemu", "libvirt", "virt-install")]
    assert boots == [found.boot] * 3
