"""A description as a virt-install line: quoting, what is left to nobody's choice, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from kvmnb import Unsupported
from kvmnb.compile.runtime import DirectBoot
from kvmnb.compile.virt_install import (
    Invocation,
    compile_virt_install,
    virt_install_pieces,
)
from kvmnb.spec.boot import Boot
from kvmnb.spec.cloud_init import CloudInit
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import NIC, User
from kvmnb.spec.screens import Spice
from kvmnb.spec.storage import CDROM, Disk, ExistingFile, NewFile
from kvmnb.units import GIB
from tests.compile.made import runtime


def _words(spec: DomainSpec, **more: Any) -> tuple[str, ...]:
    return compile_virt_install(spec, runtime(spec, **more))


def _value(words: tuple[str, ...], option: str) -> str:
    return words[words.index(option) + 1]


def test_a_comma_in_a_path_is_quoted_as_virt_install_reads_it():
    spec = DomainSpec(name="t", disks=(Disk(back=ExistingFile("/a,b'c.img"), format="raw"),))
    assert _value(_words(spec), "--disk").startswith("path=/a\\,b\\'c.img,")


def test_a_new_disk_says_its_size_exactly():
    back = NewFile(GIB // 2 + 512, path="/d.img", format="raw", sparse=False)
    spec = DomainSpec(name="t", disks=(Disk(back=back),))
    expected = "path=/d.img,size=0.500000476837158203125,format=raw,sparse=off,bus=virtio"
    assert _value(_words(spec), "--disk") == expected


def test_nothing_that_is_added_unasked_is_left_to_be_added():
    spec = DomainSpec(
        name="t", displays=(Spice(),), videos=(), agent=False, balloon=None, rng=None, serials=()
    )
    line = " ".join(_words(spec))
    for said in (
        *("--disk none", "--network none", "--video model.type=none", "--console none"),
        *("--channel none", "--sound none", "--redirdev none", "--memballoon model=none"),
        *("--rng none", "xpath.delete=./devices/input", "xpath.delete=./clock"),
        *("xpath.delete=./pm", "xpath.delete=./features/vmport", "--osinfo detect=off,require=off"),
    ):
        assert said in line


def test_a_first_start_from_a_cd_is_cdrom_and_from_the_network_pxe():
    spec = DomainSpec(name="t", cdroms=(CDROM(back=ExistingFile("/i.iso")),), boot=Boot(once="d"))
    assert _value(_words(spec), "--cdrom") == "/i.iso"
    assert "--pxe" in _words(DomainSpec(name="t", boot=Boot(once="n")))
    assert "--import" in _words(DomainSpec(name="t"))


def test_the_kernel_that_an_image_brings_is_named():
    direct = DirectBoot(kernel="/k", initrd="/i", append="console=ttyS0 a,b")
    words = _words(DomainSpec(name="t"), direct_boot=direct)
    assert _value(words, "--boot") == "kernel=/k,initrd=/i,cmdline=console=ttyS0 a\\,b"


def test_a_value_that_looks_like_an_option_is_tied_to_its_name():
    assert "--name=-x" in _words(DomainSpec(name="-x"))


def test_options_for_qemu_are_kept_as_words():
    words = _words(DomainSpec(name="t", extra_args=("-d", "two words")))
    assert "--qemu-commandline=-d 'two words'" in words


def test_how_it_is_run_comes_with_the_guest():
    invocation = Invocation(connect="qemu:///system", noautoconsole=True, print_xml="1", wait=-1)
    spec = DomainSpec(name="t")
    words = compile_virt_install(spec, runtime(spec), invocation)
    assert words[:3] == ("virt-install", "--connect", "qemu:///system")
    assert {"--noautoconsole", "--print-xml=1", "--wait=-1"} <= set(words)


def test_the_pieces_are_the_words_with_their_fields():
    spec = DomainSpec(name="t", nics=(NIC(),), memory=Memory(size_mib=256))
    pieces = virt_install_pieces(spec, runtime(spec))
    words = tuple(word for piece in pieces for word in piece.words)
    assert words == compile_virt_install(spec, runtime(spec))
    by_field = {piece.field: piece.words for piece in pieces}
    assert by_field["memory"] == ("--memory", "256")
    assert by_field["nics[0]"][0] == "--network"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cloud_init": CloudInit(user="anna")}, "cloud_init"),
        ({"nics": (NIC(back=User(hostname="web")),)}, "nics[0].back.hostname"),
        ({"boot": Boot(strict=True)}, "boot.strict"),
        ({"displays": (VNC(password=True),)}, "displays[0].password"),
        ({"paused": True}, "paused"),
        ({"disks": (Disk(back=ExistingFile("/d"), bus="nvme"),)}, "disks[0].bus"),
    ],
)
def test_what_it_has_no_words_for_is_refused_by_name(fields, field):
    with pytest.raises(Unsupported) as caught:
        _words(DomainSpec(name="t", **fields))
    assert (caught.value.target, caught.value.field) == ("virt-install", field)
    assert caught.value.hint
