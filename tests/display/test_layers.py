"""The three texts of a guest: to paste, to look at, side by side, and against another's."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings

from kvmnb.compile.libvirt import compile_libvirt
from kvmnb.display.command import Command, VirtInstall
from kvmnb.display.diff import VMDiff
from kvmnb.display.layers import LayersView, title_of
from kvmnb.display.xml import XML
from kvmnb.errors import Unsupported
from kvmnb.explain.layers import TARGETS, Layers, layers
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import NIC
from kvmnb.spec.storage import Disk, ExistingFile
from tests.compile.made import runtime
from tests.spec.strategies import domains

HOSTILE = "<script>alert(1)</script>\x1b[2J"


def disk(path="/a.qcow2", **fields):
    return Disk(back=ExistingFile(path), format="qcow2", **fields)


def made(**fields) -> Layers:
    spec = DomainSpec(**{"name": "test", "disks": (disk(),), "nics": (NIC(),), **fields})
    return layers(spec, runtime(spec))


def shown(target, found: Layers):
    """Return the text of one target as `VM` would make it."""
    words = [word for piece in found.said[TARGETS.index(target)].pieces for word in piece.words]
    if target == "libvirt":
        return XML(compile_libvirt(found.spec, runtime(found.spec)), (), lambda: found)
    kind = Command if target == "qemu" else VirtInstall
    return kind(words, (), lambda: found)


@pytest.mark.parametrize("target", TARGETS)
def test_each_text_has_a_table_with_a_meaning_and_a_manual_section_for_every_row(read_html, target):
    found = made()
    html = shown(target, found)._repr_html_()
    text = read_html(html)
    for heading in ("half", "means", "default", "manual"):
        assert heading in text
    pieces = found.said[TARGETS.index(target)].pieces
    assert html.count('class="kvmnb-row"') == len(pieces)
    assert html.count("<a href=") == len(pieces)


@pytest.mark.parametrize("target", TARGETS)
def test_the_text_to_paste_stands_above_its_table(read_html, target):
    found = made()
    text = shown(target, found)
    whole = text.text if target != "libvirt" else str(text).rstrip("\n")
    assert whole in read_html(text._repr_html_())


def test_a_row_holds_the_other_two_languages_words(read_html):
    html = shown("qemu", made())._repr_html_()
    row = next(part for part in html.split("<tr ")[1:] if "size=128M" in part)
    text = read_html(f"<tr {row}")
    assert "<memory unit='MiB'>128</memory>" in text
    assert "--memory 128" in text


def test_a_command_whose_host_has_changed_since_is_shown_alone(read_html):
    command = Command(("qemu", "-m", "64"), (), made)
    assert read_html(command._repr_html_()) == command.text


def test_a_host_that_cannot_answer_leaves_the_command_alone(read_html):
    def unreachable():
        raise Unsupported("qemu", "disks[0]", "its file is gone")

    command = Command(("qemu", "-m", "64"), (), unreachable)
    assert read_html(command._repr_html_()) == command.text


def test_what_was_left_out_is_a_comment_behind_the_command():
    command = Command(("qemu", "-m", "64"), (Unsupported("qemu", "title", "libvirt has it"),))
    assert repr(command) == f"{command.text}\n# left out: title: libvirt has it"
    assert command.text == "qemu \\\n  -m 64"


def test_what_was_left_out_is_a_comment_of_xml_that_can_still_be_read():
    error = Unsupported("libvirt", "paused", "run: virsh start --paused NAME -->")
    text = XML("<domain type='kvm'/>\n", (error,))
    assert str(text) == "<domain type='kvm'/>\n"
    assert "virsh start" in repr(text)
    assert ElementTree.fromstring(repr(text)).tag == "domain"


def test_what_was_left_out_is_a_row_of_the_table(read_html):
    html = shown("qemu", made(title="A server"))._repr_html_()
    assert "has no words for title" in read_html(html)


def test_a_line_of_virt_install_pasted_into_bash_is_the_same_words():
    line = VirtInstall(("virt-install", "--name", "it's", "--disk", "path=/a b,size=1", "--import"))
    script = f"args=({line.text}); printf '%s\\0' \"${{args[@]}}\""
    done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, check=True, timeout=60)
    assert tuple(done.stdout.decode().split("\0")[:-1]) == line.argv
    assert "--import" in line.text.splitlines()[-1]


def test_the_picture_has_the_words_of_all_three_in_one_row(read_html):
    html = LayersView(made())._repr_html_()
    text = read_html(html)
    for words in ("-m size=128M", "<memory unit='MiB'>128</memory>", "--memory 128"):
        assert words in text
    assert "<script" not in html


def test_the_picture_tells_what_one_of_them_cannot_say(read_html):
    view = LayersView(made(title="A server", memory=Memory(source="file", path="/dev/shm")))
    text = read_html(view._repr_html_())
    assert "no words for title" in text
    assert "no words for memory.path" in text
    assert "no words for title" in repr(view)


def test_the_picture_as_text_has_a_block_for_each_part():
    view = LayersView(made())
    blocks = repr(view).split("\n\n")
    assert len(blocks) == len(view.parts) + 1
    assert "memory  (memory)\n  qemu          -m size=128M\n  libvirt       <memory" in repr(view)


def test_the_picture_is_a_table_of_pandas_too():
    table = LayersView(made()).to_pandas().set_index("part")
    assert table.loc["memory", "virt-install"] == "--memory 128"
    assert "back:" in str(table.loc["disks[0]", "qemu"])


@settings(max_examples=40, deadline=None)
@given(spec=domains())
def test_no_guest_whatever_its_names_gets_markup_or_an_escape_into_a_picture(
    read_html, harmless, spec
):
    found = layers(spec, runtime(spec))
    view = LayersView(found)
    read_html(view._repr_html_())
    assert harmless(repr(view))
    for target in ("qemu", "virt-install"):
        text = shown(target, found)
        assert harmless(repr(text))
        read_html(text._repr_html_())


def test_a_part_is_called_what_people_call_it():
    assert title_of("nics[0]") == "network card"
    assert title_of("disks[1]") == "disk 2"
    assert title_of("rng") == "entropy source"


# -- how two guests differ --------------------------------------------------------------------


def test_a_field_that_differs_is_told_in_each_language():
    diff = VMDiff(made(), made(memory=Memory(size_mib=256)))
    (one,) = diff
    assert (one.field, one.old, one.new) == ("memory.size_mib", 128, 256)
    words = [(old[0].words[-1], new[0].words[-1]) for old, new in one.said]
    assert words == [
        ("size=128M", "size=256M"),
        ("<memory unit='MiB'>128</memory>", "<memory unit='MiB'>256</memory>"),
        ("128", "256"),
    ]


def test_a_disk_more_is_that_disk_alone():
    diff = VMDiff(made(), made(disks=(disk(), disk("/b.qcow2"))))
    (one,) = diff
    assert (one.field, one.old) == ("disks[1]", None)
    assert all(not old and new for old, new in one.said)
    assert not any("/a.qcow2" in word for _, new in one.said for p in new for word in p.words)


def test_the_same_guest_differs_in_nothing(read_html):
    diff = VMDiff(made(), made())
    assert len(diff) == 0
    assert repr(diff) == "test: the same guest"
    assert "the same guest" in read_html(diff._repr_html_())
    assert list(diff.to_pandas().columns[:3]) == ["field", "old", "new"]


def test_a_difference_is_shown_as_text_as_html_and_as_a_table(read_html, harmless):
    diff = VMDiff(made(), made(name=HOSTILE.replace("\x1b", "").replace("/", ""), uuid=None))
    assert "name: 'test' → " in repr(diff)
    assert harmless(repr(diff))
    read_html(diff._repr_html_())
    assert diff.to_pandas().iloc[0]["field"] == "name"


# -- as a VM has them -------------------------------------------------------------------------


def test_a_vm_has_all_three_texts_and_the_picture(host, read_html):
    vm = host.vm("shown").mem(64).accel("tcg").nic()
    assert vm.xml().startswith("<domain")
    assert ElementTree.fromstring(vm.xml()).findtext("name") == "shown"
    assert vm.virt_install()[:3] == ("virt-install", "--name", "shown")
    for text in (vm.command(), vm.xml(), vm.virt_install(), vm.layers()):
        assert "libvirt" in read_html(text._repr_html_())
    assert [each.field for each in vm.diff(vm.mem(128))] == ["memory.size_mib"]


def test_a_command_loads_nothing_of_what_explains_it_until_somebody_looks():
    line = "from kvmnb import Host; str(Host().vm('test').mem(128).nic().command())"
    report = f"{line}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert not [name for name in loaded if name.startswith(("kvmnb.explain", "kvmnb.parse"))]
    assert not loaded & {"kvmnb.compile.libvirt", "kvmnb.compile.virt_install", "pandas"}
