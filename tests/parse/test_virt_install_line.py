"""virt-install lines as they are typed: old options, slips, and what is said of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb import ParseError, parse
from kvmnb.compile.settled import settled
from kvmnb.compile.virt_install import Invocation, compile_virt_install
from kvmnb.parse.words import joined
from kvmnb.spec.boot import Boot
from kvmnb.spec.codec import differences
from kvmnb.spec.cpu import CPU
from kvmnb.spec.diskbacks import BlockDevice, Volume
from kvmnb.spec.graphics import VNC
from kvmnb.spec.netbacks import Bridge, LibvirtNetwork
from kvmnb.spec.platform import ExtraXML
from kvmnb.spec.screens import Spice
from kvmnb.spec.storage import CDROM, ExistingFile, NewFile
from kvmnb.units import GIB
from tests.compile.made import runtime
from tests.parse.virt_install_cases import BARE, CASES, WHOLE

LEAST = "virt-install --name t --memory 128 --osinfo detect=off,require=off --disk none --import "

CLASSIC = (
    'virt-install -n "centos6" -r 512 --vcpus=2 -l http://192.0.2.1/centos/ '
    '-x "ks=http://192.0.2.1/ks.cfg" --disk path=/images/centos6.img,size=120,sparse --force '
    "-w bridge=br100,model=virtio",
    "virt-install \\\n   --connect qemu:///system \\\n   --virt-type kvm \\\n   --name rhel5 \\\n"
    "   --ram 512 \\\n   --disk path=/images/rhel5.img,size=8 \\\n   --graphics vnc \\\n"
    "   --cdrom /tmp/boot.iso \\\n   --os-variant rhel5",
    "virt-install \\\n --name rhel6 \\\n --ram 1024 \\\n --network bridge=brnet0 \\\n"
    " --disk path=/images/rhel6.img,size=120,sparse \\\n --location ftp://192.0.2.1/rhel6/dvd \\\n"
    " --extra_args “ks=http://192.0.2.1/rhel6.cfg” \\\n --os-variant rhel6 \\\n --force",
    "virt-install \\\n--virt-type kvm \\ \n--name rhel5.8 \\ \n--vcpus 2,maxvcpus=4 \\\n"
    "--ram 512 \\ \n"
    "--disk path=/images/rhel5.8.img,size=120,format=qcow2,bus=virtio,sparse \\ \n"
    "--network bridge=brnet0,model=virtio\n--nographics \\\n--location ftp://192.0.2.1/pub \n"
    '--extra-args "ks=http://192.0.2.1/class.cfg  console=ttyS0  serial" \\\n'
    "--os-variant rhel5 \\\n--force  \\\n--video=cirrus",
    "virt-install \\\n   --name rhel5.8\n   --ram 512\n   --disk /images/rhel5.8.img\n   --import",
)


def _spec(more: str):
    return parse.virt_install(LEAST + more).spec


def _kinds(line: str) -> dict[str, str]:
    return {note.text: note.kind for note in parse.virt_install(line).notes}


def test_a_network_install_with_kickstart_is_understood():
    parsed = parse.virt_install(CLASSIC[0])
    spec = parsed.spec
    assert spec.boot == Boot(
        location="http://192.0.2.1/centos/", append="ks=http://192.0.2.1/ks.cfg"
    )
    assert spec.disks[0].back == NewFile(120 * GIB, path="/images/centos6.img")
    assert (spec.nics[0].model, spec.nics[0].back) == ("virtio", Bridge("br100"))
    assert (spec.memory.size_mib, spec.cpu.count) == (512, 2)
    assert parsed.invocation == Invocation(force=True)
    kinds = _kinds(CLASSIC[0])
    assert (kinds["-r"], kinds["--force"], kinds["sparse"]) == ("old", "old", "mended")


def test_an_install_from_a_boot_iso_is_understood():
    parsed = parse.virt_install(CLASSIC[1])
    assert parsed.spec.cdroms == (CDROM(back=ExistingFile("/tmp/boot.iso")),)
    assert parsed.spec.boot == Boot(once="d")
    assert parsed.spec.displays == (VNC(listen="127.0.0.1"),)
    assert (parsed.spec.accel, parsed.spec.osinfo) == ("kvm", "rhel5")
    assert parsed.invocation == Invocation(connect="qemu:///system")


def test_typographic_quotes_and_an_underscore_are_mended():
    parsed = parse.virt_install(CLASSIC[2])
    assert parsed.spec.boot.append == "ks=http://192.0.2.1/rhel6.cfg"
    assert parsed.spec.disks[0].bus == "virtio"
    kinds = _kinds(CLASSIC[2])
    assert (kinds["--extra_args"], kinds["“"]) == ("mended", "mended")


def test_a_text_install_with_broken_continuations_is_understood():
    spec = parse.virt_install(CLASSIC[3]).spec
    assert spec.cpu == CPU(count=2, maximum=4)
    assert spec.displays == ()
    assert [video.model for video in spec.videos] == ["cirrus"]
    assert spec.serials
    assert "mended" in _kinds(CLASSIC[3]).values()


def test_an_import_without_continuations_is_understood():
    spec = parse.virt_install(CLASSIC[4]).spec
    assert spec.disks[0].back == ExistingFile("/images/rhel5.8.img")
    assert spec.boot == Boot()


@pytest.mark.parametrize("line", [*CLASSIC, *WHOLE, *(f"{BARE} {case}" for case in CASES)])
def test_every_line_comes_back_from_its_own_compilation(line):
    if not line.startswith("virt-install"):
        line = "virt-install " + line
    parsed = parse.virt_install(line)
    assert parsed.invocation is not None
    made = runtime(parsed.spec, direct_boot=None)
    again = parse.virt_install(compile_virt_install(parsed.spec, made, parsed.invocation))
    assert again.invocation == parsed.invocation
    assert differences(again.spec, settled(parsed.spec, made, "virt-install")) == ()
    assert not [note for note in again.notes if note.kind not in {"kept", "old"}]


@pytest.mark.parametrize(
    ("words", "invocation"),
    [
        ("--noautoconsole", Invocation(noautoconsole=True)),
        ("--autoconsole text", Invocation(autoconsole="text")),
        ("--autoconsole none", Invocation(noautoconsole=True)),
        ("--wait", Invocation(wait=-1)),
        ("--wait 10", Invocation(wait=10)),
        ("--noreboot --transient --destroy-on-exit",
         Invocation(noreboot=True, transient=True, destroy_on_exit=True)),
        ("--print-xml", Invocation(print_xml="all")),
        ("--print-xml 1", Invocation(print_xml="1")),
        ("--print-step 2", Invocation(print_xml="2")),
        ("--dry-run -d -q", Invocation(dry_run=True, debug=True, quiet=True)),
        ("--check path_in_use=off --check all=off",
         Invocation(check=("path_in_use=off", "all=off"))),
        ("--hvm", Invocation(hvm=True)),
        ("--initrd-inject /ks.cfg", Invocation(initrd_inject=("/ks.cfg",))),
        ("--unattended", Invocation(unattended="")),
        ("--cloud-init user-data=/u", Invocation(cloud_init="user-data=/u")),
        ("--xml ./cpu/@mode=host-passthrough",
         Invocation(xml=("./cpu/@mode=host-passthrough",))),
        ("--keywrap cipher0.name=aes", Invocation(kept=("--keywrap", "cipher0.name=aes"))),
        ("--connect=qemu:///session", Invocation(connect="qemu:///session")),
    ],
)  # fmt: skip
def test_how_it_is_run_is_kept_and_written_again(words, invocation):
    parsed = parse.virt_install(LEAST + words)
    assert parsed.invocation == invocation
    line = compile_virt_install(parsed.spec, runtime(parsed.spec), invocation)
    assert parse.virt_install(line).invocation == invocation


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("-b br0 -m 52:54:00:11:22:33", "--network bridge=br0,mac=52:54:00:11:22:33"),
        ("--network bridge:br0", "--network bridge=br0"),
        ("--vnc --vncport 5902", "--graphics vnc,port=5902"),
        ("--vnc", "--graphics vnc"),
        ("--sdl", "--graphics sdl"),
        ("--nographics", "--graphics none"),
        ("--nonetworks", "--network none"),
        ("--noacpi", "--features acpi=off"),
        ("--soundhw ac97", "--sound ac97"),
        ("--host-device 0000:01:00.0", "--hostdev 0000:01:00.0"),
        ("--accelerate", ""),
        ("--os-type linux", ""),
        ("--graph none", "--graphics none"),
        ("--description words", "--metadata description=words"),
    ],
)
def test_an_old_spelling_means_what_is_written_otherwise_today(old, today):
    parsed = parse.virt_install(LEAST + old)
    assert parsed.spec == _spec(today)
    assert {"old", "removed", "mended"} & {note.kind for note in parsed.notes} or old.startswith(
        "--non"
    )


def test_old_files_and_sizes_go_together_in_turn():
    line = "virt-install -n t -r 128 -f /a.img -s 2 -f /b.img -s 0.5 --nonsparse --import"
    disks = parse.virt_install(line).spec.disks
    assert [disk.back for disk in disks] == [
        NewFile(2 * GIB, path="/a.img", sparse=False),
        NewFile(GIB // 2, path="/b.img", sparse=False),
    ]


@pytest.mark.parametrize(
    ("words", "back"),
    [
        ("/dev/sdb", BlockDevice("/dev/sdb")),
        ("vol=pool/disk.img", Volume(pool="pool", name="disk.img")),
        ("size=8", Volume(pool="default", size_bytes=8 * GIB)),
        ("pool=fast,size=0.5", Volume(pool="fast", size_bytes=GIB // 2)),
        ("path=/a\\,b.img", ExistingFile("/a,b.img")),
        ("'path=\"/a,b.img\"'", ExistingFile("/a,b.img")),
        ("/a,,b.img", ExistingFile("/a,b.img")),
    ],
)
def test_a_disk_is_a_path_a_device_or_a_volume(words, back):
    line = LEAST.replace("--disk none", f"--disk {words}".replace("\\", "\\\\"))
    assert parse.virt_install(line).spec.disks[0].back == back


def test_a_system_with_drivers_gets_virtio_and_one_without_gets_what_all_know():
    line = "virt-install --name t --memory 128 --disk /d.img --import --graphics none --osinfo "
    new, old = (parse.virt_install(line + name).spec for name in ("debian12", "winxp"))
    assert (new.machine, new.disks[0].bus, new.nics[0].model, new.agent) == (
        "q35", "virtio", "virtio", True)  # fmt: skip
    assert (old.machine, old.disks[0].bus, old.nics[0].model, old.agent) == (
        "pc", "ide", "e1000", False)  # fmt: skip
    assert old.clock is not None
    assert old.clock.base == "localtime"


def test_what_is_added_unasked_is_told_once_each():
    parsed = parse.virt_install("virt-install --name t --memory 128 --disk /d.img --import")
    defaults = [note.message for note in parsed.notes if note.kind == "default"]
    assert len(set(defaults)) == len(defaults)
    assert parsed.spec.displays == (Spice(),)
    assert parsed.spec.nics[0].back == LibvirtNetwork()


def test_what_no_field_stands_for_stays_with_its_device():
    parsed = parse.virt_install(
        LEAST.replace("--disk none", "--disk /d.img,driver.iothread=1,iotune.read_bytes_sec=5")
    )
    assert parsed.invocation is not None
    xml = "<disk><driver iothread='1'/><iotune><read_bytes_sec>5</read_bytes_sec></iotune></disk>"
    assert ExtraXML(parent="disks.0", xml=xml) in parsed.spec.extra_xml
    line = compile_virt_install(parsed.spec, runtime(parsed.spec), parsed.invocation)
    assert "driver.iothread=1,iotune.read_bytes_sec=5" in " ".join(line)
    assert parse.virt_install(line).spec.extra_xml == parsed.spec.extra_xml


@pytest.mark.parametrize(
    ("words", "reason", "near"),
    [
        ("--dsik none", "did you mean --disk?", "--dsik"),
        ("--d none", "could be", "--d"),
        ("--disk /d,chache=none", "did you mean cache?", "chache"),
        ("--network type=bridg", "a network is one of", "type=bridg"),
        ("--graphics vcn", "a screen is vnc", "vcn"),
        ("--vcpus many", "whole number", "many"),
        ("--memory", "needs a value", "--memory"),
        ("--pxe=yes", "takes no value", "=yes"),
        ("stray", "has its value already", "stray"),
        ("--disk /d,cache=never", "cache", "--disk"),
        ("--disk '/d,path=\"x'", "not closed", "path"),
        ("-z", "short ones are", "z"),
        ("--connect qemu:///system --virt-type lxc", "kvm or qemu", "lxc"),
        ("-c qemu:///system", "--connect", "-c"),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(words, reason, near):
    line = LEAST.replace("--import ", "") + "--boot hd " + words
    with pytest.raises(ParseError) as caught:
        parse.virt_install(line)
    assert reason in caught.value.reason
    assert line[caught.value.position :].startswith(near)


def test_memory_goes_without_saying_only_where_the_system_is_known():
    with pytest.raises(ParseError, match="--memory"):
        parse.virt_install("virt-install --name t --disk none --import")
    assert parse.virt_install(
        "virt-install --name t --disk none --import --osinfo debian12"
    ).spec.memory.size_mib


WORDS = (
    *("--disk", "--network", "--graphics", "--memory", "--vcpus", "--cpu", "--boot", "--xml"),
    *("--serial", "-n", "-x", "path=", "size=", "none", "user", "vnc", "pty", ",", ",,", "="),
    *("'", '"', "\\", "1", "-1", "99999999999999999999", "0x", "xpath.delete=", "/dev/x"),
    *("numa.cell0.cpus=0-9999999", "--qemu-commandline='", "boot0.dev=", "host=::::"),
)


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=12), st.booleans())
def test_whatever_it_is_fed_only_parse_errors_come_out(words, tight):
    line = LEAST + ("" if tight else " ").join(words)
    position = 0
    try:
        parse.virt_install(line)
    except ParseError as error:
        position = error.position
    assert 0 <= position <= len(line)


def test_a_list_of_words_is_read_as_the_line_that_it_is():
    words = ("virt-install", "--name", "two words", "--memory", "128", "--disk", "none", "--import")
    assert parse.virt_install(words) == parse.virt_install(joined(words))
    assert parse.virt_install(words).spec.name == "two words"
