"""One guest in three languages, and what one of them cannot say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from kvmnb.compile.piece import Piece
from kvmnb.compile.targets import expressible
from kvmnb.errors import SpecError, Unsupported
from kvmnb.explain.layers import layers, part_of, said
from kvmnb.spec.boot import Boot
from kvmnb.spec.chardev import Serial
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import NIC
from kvmnb.spec.storage import Disk, ExistingFile
from tests.compile.made import runtime
from tests.spec.strategies import domains


def disk(bus="virtio", path="/a.qcow2"):
    return Disk(back=ExistingFile(path), format="qcow2", bus=bus)


def told(target, **fields):
    spec = DomainSpec(name="test", **fields)
    return said(spec, runtime(spec), target)


@settings(max_examples=60, deadline=None)
@given(spec=domains())
def test_whatever_the_guest_each_target_says_something_and_none_fails(spec):
    for each in layers(spec, runtime(spec)).said:
        assert each.pieces


@settings(max_examples=40, deadline=None)
@given(spec=domains())
def test_all_that_can_be_said_is_what_the_compiler_says(spec):
    from kvmnb.compile.qemu import qemu_pieces

    facts = runtime(spec)
    try:
        pieces = tuple(qemu_pieces(expressible(spec, "qemu")[0], facts))
    except (Unsupported, SpecError):
        assert said(spec, facts, "qemu").unsaid
    else:
        assert said(spec, facts, "qemu").pieces == pieces


def test_parts_of_the_same_field_share_a_row():
    spec = DomainSpec(name="test", disks=(disk(),), nics=(NIC(),))
    parts = {part.field: part for part in layers(spec, runtime(spec)).parts}
    assert all(all(parts[field].said) for field in ("memory", "cpu", "disks[0]", "nics[0]"))
    halves = [piece.half for piece in parts["disks[0]"].said[0]]
    assert halves == ["back", "back", "front"]


def test_parts_stand_in_the_order_of_the_description_and_the_engines_own_come_last():
    spec = DomainSpec(name="test", disks=(disk(), disk(path="/b")), nics=(NIC(),))
    fields = [part.field for part in layers(spec, runtime(spec)).parts]
    assert fields[0] == "name"
    assert fields[-1] == "runtime"
    assert fields.index("disks[0]") < fields.index("disks[1]") < fields.index("nics[0]")


def test_what_a_text_says_elsewhere_is_told_by_name_and_hint():
    (error,) = told("qemu", title="A server").unsaid
    assert (error.field, error.target) == ("title", "qemu")
    assert "libvirt" in error.hint


def test_a_disk_that_libvirt_has_no_bus_for_is_told_and_the_others_keep_their_numbers():
    found = told("libvirt", disks=(disk("nvme"), disk(path="/b.qcow2")))
    fields = {part_of(piece.field) for piece in found.pieces}
    assert "disks[1]" in fields
    assert any("/b.qcow2" in piece.words[0] for piece in found.pieces if piece.field == "disks[1]")
    assert [part_of(error.field) for error in found.unsaid] == ["disks[0]"]


def test_a_field_goes_together_with_the_one_that_it_needs():
    memory = Memory(source="file", path="/dev/shm", size_mib=256)
    found = told("libvirt", memory=memory)
    assert [error.field for error in found.unsaid] == ["memory.path"]
    assert any(piece.words == ("<memory unit='MiB'>256</memory>",) for piece in found.pieces)


def test_an_error_that_names_no_field_is_put_down_to_the_part_that_causes_it():
    found = told("qemu", serials=(Serial(model="usb"),), usb="ehci")
    assert found.pieces
    assert any("usb-serial" in str(error) for error in found.unsaid)


def test_a_compiler_that_refuses_everything_is_given_up_by_name():
    def refuses(spec, facts):
        raise Unsupported("qemu", "the whole guest", "nothing helps")

    spec = DomainSpec(name="test")
    found = said(spec, runtime(spec), "qemu", refuses)
    assert found.pieces == ()
    assert found.unsaid[-1].hint == "nothing helps"


def test_a_compiler_that_never_agrees_is_asked_a_limited_number_of_times():
    asked = []

    def refuses(spec, facts):
        asked.append(spec)
        raise SpecError("memory.size_mib", len(asked), "never right")

    spec = DomainSpec(name="test", memory=Memory(size_mib=99))
    assert said(spec, runtime(spec), "qemu", refuses).pieces == ()
    assert len(asked) < 1000


def test_facts_of_the_host_go_with_the_disks_and_cards_that_are_left():
    def refuses(spec, facts):
        assert len(facts.disks) == len(spec.disks)
        assert len(facts.macs) == len(spec.nics)
        if len(spec.disks) == 3:
            raise Unsupported("qemu", "disks[1]", "no")
        if len(spec.nics) == 2:
            raise Unsupported("qemu", "nics[0].model", "no")
        return [Piece(f"disks[{index}]", "", ("x",)) for index in range(len(spec.disks))]

    spec = DomainSpec(
        name="test",
        disks=tuple(disk(path=f"/{n}") for n in range(3)),
        nics=(NIC(model="virtio"), NIC()),
    )
    found = said(spec, runtime(spec), "qemu", refuses)
    assert [piece.field for piece in found.pieces] == ["disks[0]", "disks[2]"]
    assert [error.field for error in found.unsaid] == ["disks[1]", "nics[0].model"]


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("memory.size_mib", "memory"),
        ("disks[3].back.user", "disks[3]"),
        ("extra_args[2]", "extra_args"),
        ("", "runtime"),
        ("device 'x'", "runtime"),
        ("invocation", "runtime"),
    ],
)
def test_a_field_belongs_to_a_part(field, part):
    assert part_of(field) == part


def test_a_boot_order_is_said_by_all_three():
    spec = DomainSpec(name="test", disks=(disk(),), boot=Boot(order="cd"))
    part = layers(spec, runtime(spec)).part("boot")
    assert all(part.said)
