"""qemu-img lines that people bring, as typed calls."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb.errors import ParseError
from kvmnb.images import qemu_img
from kvmnb.images.qemu_img import snapshots
from kvmnb.parse.qemu_img import ImageCommand, parse_qemu_img
from kvmnb.parse.qemu_img_options import VERBS, Kind

GIB = 1 << 30


@pytest.mark.parametrize(
    ("line", "verb", "keywords"),
    [
        (
            "qemu-img info cirros-0.3.4-x86_64-disk.img",
            "info",
            {"path": "cirros-0.3.4-x86_64-disk.img"},
        ),
        (
            "qemu-img create -f qcow2 -o size=60G /images/kvm/win7.img",
            "create",
            {"path": "/images/kvm/win7.img", "size": f"{60 * GIB}B", "format": "qcow2"},
        ),
        (
            "# qemu-img create -fqcow2 -q a.img 1.5G",
            "create",
            {"path": "a.img", "size": f"{GIB * 3 // 2}B", "format": "qcow2"},
        ),
        (
            "sudo /usr/bin/qemu-img create a.img 1048576",
            "create",
            {"path": "a.img", "size": "1048576B", "format": "raw"},
        ),
        (
            "qemu-img create -f qcow2 -o backing_file=/b,,c,backing_fmt=raw,compat=0.10 over",
            "create",
            {
                "path": "over",
                "format": "qcow2",
                "backing": "/b,c",
                "backing_format": "raw",
                "options": {"compat": "0.10"},
            },
        ),
        (
            "qemu-img create -f qcow2 -b base.img -F qcow2 over.img",
            "create",
            {"path": "over.img", "format": "qcow2", "backing": "base.img"}
            | {"backing_format": "qcow2"},
        ),
        (
            "qemu-img convert -p -f vmdk -O qcow2 a.vmdk b.qcow2",
            "convert",
            {"source": "a.vmdk", "target": "b.qcow2"}
            | {"source_format": "vmdk", "target_format": "qcow2"},
        ),
        (
            "qemu-img convert -cO qcow2 -l snapshot.name=x a b -U",
            "convert",
            {"source": "a", "target": "b", "target_format": "qcow2"}
            | {"compress": True, "snapshot": "x", "force_share": True},
        ),
        ("qemu-img resize a +10G", "resize", {"path": "a", "size": f"+{10 * GIB}B"}),
        (
            "qemu-img resize --shrink a -10G",
            "resize",
            {"path": "a", "size": f"-{10 * GIB}B", "shrink": True},
        ),
        ("qemu-img snapshot a", "snapshot.list", {"path": "a"}),
        ("qemu-img snapshot -l a", "snapshot.list", {"path": "a"}),
        ("qemu-img snapshot -c 'my name' a", "snapshot.create", {"path": "a", "name": "my name"}),
        ("qemu-img snapshot -a 1 a", "snapshot.apply", {"path": "a", "name": "1"}),
        ("qemu-img snapshot -d x a", "snapshot.delete", {"path": "a", "name": "x"}),
        (
            "qemu-img rebase -u -b new.img -F raw over",
            "rebase",
            {"path": "over", "backing": "new.img", "backing_format": "raw", "unsafe": True},
        ),
        ("qemu-img rebase -b '' over", "rebase", {"path": "over", "backing": None}),
        (
            "qemu-img commit -d -b base over",
            "commit",
            {"path": "over", "base": "base"} | {"keep": True},
        ),
        ("qemu-img check -r all a", "check", {"path": "a", "repair": "all"}),
        (
            "qemu-img map --output=json -s 1M --max-length 4k a",
            "map",
            {"path": "a", "start": "1048576B", "length": "4096B"},
        ),
        (
            "qemu-img measure --size 1G -O qcow2",
            "measure",
            {"size": f"{GIB}B", "target_format": "qcow2"},
        ),
        (
            "qemu-img bench -c 100 -d 1 -s 64k -w --pattern=7 -t none -n a",
            "bench",
            {"path": "a", "requests": 100, "depth": 1, "buffer": "65536B", "write": True}
            | {"pattern": 7, "cache": "none", "aio": "native"},
        ),
        ("qemu-img bench -o 0 a", "bench", {"path": "a", "offset": None}),
        ("qemu-img info --backing-chain -- -odd", "chain", {"path": "-odd"}),
        ("qemu-img info file:a:b", "info", {"path": "a:b"}),
    ],
)
def test_a_line_becomes_the_typed_call(line, verb, keywords):
    found = parse_qemu_img(line)
    assert (found.verb, found.keywords) == (verb, keywords)


@pytest.mark.parametrize(
    ("line", "near", "reason"),
    [
        ("qemu-img", "", "which verb"),
        ("virsh list", "virsh", "begins with qemu-img"),
        ("qemu-img inof a", "inof", "did you mean 'info'"),
        ("qemu-img compare a b", "compare", "no typed call for compare"),
        ("qemu-img resize --shrnk a 1G", "--shrnk", "did you mean '--shrink'"),
        ("qemu-img info -z a", "-z", "no option -z"),
        ("qemu-img info", "", "path is missing"),
        ("qemu-img info a b", "b", "one too many"),
        ("qemu-img convert -n a b", "-n", "never written"),
        ("qemu-img info --image-opts driver=nbd", "--image-opts", "only files"),
        ("qemu-img info nbd://localhost/x", "nbd:", "no servers"),
        ("qemu-img info 'json:{}'", "'json", "no servers"),
        ("qemu-img create -f", "-f", "needs a value"),
        ("qemu-img create a 12X", "12X", "not a size"),
        ("qemu-img create a 9999999999G", "9999999999G", "8 EiB"),
        ("qemu-img create -o =x a 1G", "=x", "key=value"),
        ("qemu-img snapshot -c x -d y a", "y", "at a time"),
        ("qemu-img rebase a", "", "-b is missing"),
        ("qemu-img measure", "", "one of them"),
        ("qemu-img info --force-share=1 a", "--force-share=1", "takes no value"),
        ("qemu-img info $DISK", "$DISK", "variable"),
        ("qemu-img info a; rm -rf b", "; rm", "second command"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(line, near, reason):
    with pytest.raises(ParseError, match=reason) as caught:
        parse_qemu_img(line)
    assert line[caught.value.position :].startswith(near)
    assert caught.value.text == line


def test_what_qemu_img_does_unasked_is_a_note():
    notes = parse_qemu_img("qemu-img convert -m 4 a b").notes
    assert [(note.text, note.kind) for note in notes] == [("-m", "ignored"), ("-O", "default")]
    assert "raw" in notes[-1].message


@dataclass(frozen=True)
class Piece:
    text: str
    position: int


def test_words_that_somebody_else_split_keep_their_places():
    text = "run: qemu-img info 'a b'"
    words = [Piece("qemu-img", 5), Piece("info", 14), Piece("a b", 19)]
    assert parse_qemu_img(words, text).keywords == {"path": "a b"}
    with pytest.raises(ParseError) as caught:
        parse_qemu_img([*words, Piece("c", 23)], text)
    assert caught.value.position == 23


def test_each_option_stands_for_an_argument_that_its_call_has():
    calls = {
        name: inspect.signature(getattr(qemu_img, name)) for name in VERBS if name != "snapshot"
    }
    for name, signature in calls.items():
        verb = VERBS[name]
        told = {
            option.means
            for option in verb.options.values()
            if option.kind not in (Kind.QUIET, Kind.LEFT_OUT, Kind.REFUSED)
        }
        told |= set(verb.names)
        assert told - {"chain", "native"} <= set(signature.parameters), name
    assert "name" in inspect.signature(snapshots.create).parameters


@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_words_are_a_call_or_a_parse_error(words):
    pieces = [Piece(text, index) for index, text in enumerate(["qemu-img", *words])]
    try:
        assert isinstance(parse_qemu_img(pieces), ImageCommand)
    except ParseError:
        pass


_PARTS = st.sampled_from(
    (
        *("-f", "qcow2", "-o", "size=1G", "a.img", "1G", "-l", "-c", "x", "-b", "", "--", "-U"),
        *("--size", "--output=json", "-O", "-p", "-", "--shrink", "-10G", "-w", "-S", "--pattern"),
    )
)


@given(st.sampled_from([*VERBS]), st.lists(_PARTS, max_size=8))
def test_any_options_are_a_call_of_that_verb_or_a_parse_error(verb, parts):
    pieces = [Piece(text, index) for index, text in enumerate(["qemu-img", verb, *parts])]
    try:
        found = parse_qemu_img(pieces)
    except ParseError:
        return
    assert found.verb.partition(".")[0] in {verb, "chain"}
    assert all(name for name, _ in found.arguments)
    repr(found)
