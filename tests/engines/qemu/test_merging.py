"""Frozen layers that nobody needs become one, so that a guest can be copied for ever."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kvmnb import Guest
from kvmnb.engines.qemu.copying.layers import chain
from kvmnb.engines.qemu.copying.merging import MANY, mergeable
from kvmnb.engines.qemu.folders import Roots


def state_folder(guest: Guest) -> Path:
    return Roots.from_environment().guest(guest.name).state


def layers_of(guest: Guest) -> tuple[str, ...]:
    newest = max(
        state_folder(guest).glob("disk0-*.qcow2"), key=lambda path: path.stat().st_mtime_ns
    )
    return chain(str(newest))


def forked(guest: Guest, count: int) -> None:
    for _ in range(count):
        (copy,) = guest.fork()
        copy.destroy()


def test_a_guest_that_is_copied_again_and_again_keeps_few_layers_and_all_it_wrote(original):
    rounds = 2 * MANY + 2
    for number in range(rounds):
        original.run(f"echo {number} >/root/{number}; sync", check=True)
        forked(original, 1)
        assert len(layers_of(original)) <= MANY + 3
    (copy,) = original.fork()
    with copy:
        for guest in (original, copy):
            ask = "echo 3 >/proc/sys/vm/drop_caches; cd /root; cat $(ls | sort -n)"
            told = guest.run(ask, check=True)
            assert told.stdout.split() == [str(number) for number in range(rounds)]
    assert {path.name for path in state_folder(original).glob("disk0*.qcow2")} == set(
        layers_of(original)
    )


def test_what_a_checkpoint_or_a_copy_stands_on_stays_as_it_is(original):
    original.run("echo one >/root/file; sync", check=True)
    checkpoint = original.checkpoint("one")
    frozen = layers_of(original)[1:]
    (copy,) = original.fork()
    with copy:
        original.run("echo two >/root/file; sync", check=True)
        forked(original, MANY + 2)
        assert set(frozen) < set(layers_of(original))
        drop = "echo 3 >/proc/sys/vm/drop_caches; cat /root/file"
        assert copy.run(drop).stdout == "one\n"
        assert original.run(drop).stdout == "two\n"
    original.rewind(checkpoint)
    assert original.run(drop).stdout == "one\n"
    forked(original, MANY + 2)  # by a QEMU that gave its layers names of its own
    assert original.run(drop).stdout == "one\n"
    check = [
        "qemu-img",
        "check",
        "-U",
        f"{state_folder(original)}/{layers_of(original)[0]}",
    ]
    subprocess.run(check, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("files", "run"),
    [
        ("aaa", "12"),
        ("a", ""),
        ("abaa", "23"),
        ("aaab", "12"),
        ("aAaa", "23"),
        ("aaAaa", "12"),
        ("abbb", ""),
    ],
)
def test_a_run_ends_at_a_file_of_others_and_after_a_large_one(tmp_path, files, run):
    """``a`` is the guest's own, ``b`` has another name, ``A`` is large; the newest comes first."""
    for index, kind in enumerate(files):
        path = tmp_path / str(index)
        path.write_bytes(b"x" if kind.islower() else b"x" * (65 << 20))
        if kind == "b":
            os.link(path, tmp_path / f"{index}-elsewhere")
    found = mergeable(str(tmp_path), tuple(map(str, range(len(files)))))
    assert "".join(found) == run
