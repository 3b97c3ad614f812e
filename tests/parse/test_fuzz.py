"""Whatever a parser is fed, it reads it or says where and why it cannot."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from kvmnb import parse
from kvmnb.errors import ParseError
from kvmnb.parse.words import joined
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.network import NIC
from kvmnb.spec.storage import Disk, ExistingFile
from tests.compile.made import compiled
from tests.parse.domains import DOMAINS
from tests.parse.outside import lines

VIRT_INSTALL = (
    "virt-install -n centos6 -r 512 --vcpus=2,maxvcpus=4 -l http://172.16.0.1/x/ -x ks=a --disk "
    "path=/images/a.img,size=120,sparse=yes,bus=virtio --force -w bridge=br100,model=virtio",
    "virt-install --connect qemu:///system --virt-type kvm --name a --memory 512 --disk "
    "pool=default,size=8,format=qcow2 --graphics vnc,port=5901,listen=0.0.0.0,password=x --cdrom "
    "/tmp/boot.iso --os-variant rhel5 --boot cdrom,hd,menu=on --cpu host-passthrough,+aes",
    "virt-install --import --name b --memory 1024 --disk /VMs/b.img --network "
    "network=default,mac=52:54:00:01:02:03 --serial pty --video cirrus --tpm default",
)

XML = (
    """<domain type='kvm' id='1'><name>a</name><memory unit='KiB'>131072</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type><boot dev='hd'/></os>
<features><acpi/></features><clock offset='utc'/><devices>
<emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>
<source file='/images/a.qcow2'/><target dev='vda' bus='virtio'/></disk>
<interface type='network'><mac address='52:54:00:01:02:03'/><source network='default'/>
<model type='virtio'/></interface><serial type='pty'><target port='0'/></serial>
<graphics type='vnc' port='-1' autoport='yes'/><video><model type='vga'/></video>
<memballoon model='virtio'/></devices></domain>""",
    "<domain type='qemu'><name>b</name><memory>65536</memory><os><type>hvm</type></os></domain>",
)

PIECES = (
    *(",", ",,", "=", ":", "'", '"', " ", "\\", "\n", "-", "--", "{", "}", "[", "]", "?", "*", "/"),
    *(
        "0x",
        "99999999999999999999",
        "-1",
        "1e9",
        "1.5G",
        "on",
        "off",
        "id=",
        "bus=",
        "\t",
        "\u00a0",
    ),
    *("“", "’", "–", "\0", "\ud800", "\udcff", "é", "😀", "json:{", '{"driver":', "$(id)", "`id`"),
    *(
        "-drive ",
        "-device ",
        "-net ",
        "-m ",
        "-cpu ",
        "&amp;",
        "<",
        ">",
        "<!ENTITY a 'b'>",
        "%",
        "#",
    ),
)


def mutated(text: str, dice: random.Random) -> str:
    """Return `text` with a few accidents: pieces lost, doubled, swapped, put in, changed."""
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        place = dice.randint(0, len(text))
        end = min(len(text), place + dice.randint(0, 12))
        match dice.randint(0, 5):
            case 0:
                text = text[:place] + text[end:]
            case 1:
                text = text[:end] + text[place:]
            case 2:
                text = text[:place] + dice.choice(PIECES) + text[place:]
            case 3:
                text = text[:place] + dice.choice(PIECES) + text[end:]
            case 4:
                words = text.split(" ")
                dice.shuffle(words)
                text = " ".join(words[: dice.randint(1, len(words))])
            case 5:
                words = text.split(",")
                first, second = dice.randrange(len(words)), dice.randrange(len(words))
                words[first], words[second] = words[second], words[first]
                text = ",".join(words)
    return text


def corpus(kind: str) -> list[str]:
    """Return texts to begin with."""
    if kind == "libvirt":
        return [*XML, *DOMAINS.values()]
    if kind == "virt_install":
        return [
            *VIRT_INSTALL,
            *lines("virt_install"),
            *(line for line in lines("classic") if "virt-install" in line),
        ]
    own = DomainSpec(
        name="a", disks=(Disk(back=ExistingFile("/a.img")),), nics=(NIC(),), accel="tcg"
    )
    written = joined(compiled(own))
    return [*lines("manual", "people", "old", "boards", "classic"), *[written] * 10]


def survives(kind: str, count: int, seed: int) -> None:
    """Feed `count` mutations to a parser; anything but `ParseError` fails the test."""
    parser: Callable[[str], object] = getattr(parse, kind)
    dice, texts = random.Random(seed), corpus(kind)
    for _ in range(count):
        text = mutated(dice.choice(texts), dice)
        try:
            parser(text)
        except ParseError as error:
            if not 0 <= error.position <= len(text):
                pytest.fail(f"{error.position} is no place in {text!r}")
        except Exception as error:
            raise AssertionError(f"{kind}({text!r}) raised {error!r}") from error


KINDS = ("qemu", "command", "virt_install", "libvirt")


@pytest.mark.parametrize("kind", KINDS)
def test_a_parser_reads_or_refuses_what_accidents_left(kind):
    survives(kind, 1500, seed=20240229)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", KINDS)
def test_a_parser_survives_a_hundred_thousand_accidents(kind, seed):
    survives(kind, 10_000, seed)


BOMBS = {
    "json in json": "qemu -blockdev " + '{"file":' * 5000 + "1" + "}" * 5000,
    "brackets": "qemu -drive 'file=json:" + "[" * 100_000 + "'",
    "commas": "qemu -device " + "a," * 50_000,
    "doubled commas": "qemu -drive file=" + "," * 100_000,
    "drives": "qemu" + " -drive file=a,if=scsi" * 5000,
    "virtio drives": "qemu" + " -drive file=a,if=virtio" * 250,
    "cards": "qemu" + " -net nic" * 1000 + " -net user",
    "netdevs": "qemu"
    + "".join(f" -netdev user,id=n{i} -device e1000,netdev=n{i}" for i in range(999)),
    "unknown devices": "qemu" + " -device no-such-thing" * 5000,
    "controllers": "qemu" + "".join(f" -device virtio-scsi-pci,id=s{i}" for i in range(1000)),
    "chardevs": "qemu"
    + "".join(f" -chardev null,id=c{i} -serial chardev:c{i}" for i in range(999)),
    "a number": "qemu -m " + "9" * 100_000,
    "a size": "qemu -m 1." + "9" * 100_000 + "G",
    "an address": "qemu -drive file=nbd:" + ":" * 100_000,
    "a url": "qemu -cdrom http://" + "@:/" * 50_000,
    "a query": "qemu -net nic," + "model" * 50_000,
    "features": "qemu -cpu host" + ",+a" * 50_000,
    "a forward": "qemu -nic user,hostfwd=" + ":-" * 50_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_line_takes_time_beyond_its_length(name):
    # the suite's own limit on a test stops what is not linear, or nearly
    try:
        parse.command(BOMBS[name])
    except ParseError as error:
        assert len(str(error)) < 1000  # noqa: PT017
