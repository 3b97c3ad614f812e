"""No name, no path and no line of a user's becomes an option of QEMU's."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given, settings

from kvmnb import SpecError, Unsupported
from kvmnb.spec.boot import Boot
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import ExistingFile
from tests.compile.made import compiled
from tests.compile.reading import parsed, values
from tests.spec.strategies import settled_domains

ALONE = {"-no-user-config", "-nodefaults", "-S"}
"""Options that have no value."""


def _compiled(spec: DomainSpec, **changes: Any) -> tuple[str, ...] | None:
    try:
        return compiled(spec, **changes)
    except (Unsupported, SpecError):
        return None


@given(settled_domains("qemu"))
@settings(max_examples=150, deadline=None)
def test_no_name_and_no_path_becomes_an_option(spec):
    run_dir = "/run/a,b=c d"
    argv = _compiled(spec, run_dir=run_dir)
    if argv is None:
        return
    os.fsencode("\0".join(argv))
    assert ("guest", spec.name) in parsed(values(argv, "-name")[0])
    nodes = [dict(parsed(text)) for text in values(argv, "-blockdev")]
    asked = [*spec.disks, *spec.cdroms, *spec.floppies]
    assert [f["filename"] for f in nodes if f["driver"] == "file" and "cache.direct" in f] == [
        part.back.path for part in asked if isinstance(part.back, ExistingFile)
    ]
    for index, disk in enumerate(spec.disks):
        fronts = [dict(parsed(text)) for text in values(argv, "-device")]
        (front,) = [each for each in fronts if each["id"] == f"disk{index}"]
        if disk.serial is not None:
            assert front["serial"] == disk.serial
    for text in values(argv, "-chardev"):
        keys = [key for key, _ in parsed(text)]
        assert len(keys) == len(set(keys))
        assert keys.count(None) == 1
    if spec.boot.kernel is not None:
        assert values(argv, "-kernel") == [spec.boot.kernel]
        assert values(argv, "-append") == ([spec.boot.append] if spec.boot.append else [])
        assert values(argv, "-initrd") == ([spec.boot.initrd] if spec.boot.initrd else [])


@given(settled_domains("qemu"))
@settings(max_examples=50, deadline=None)
def test_every_argument_is_an_option_or_the_one_value_of_the_option_before_it(spec):
    argv = _compiled(spec)
    if argv is None:
        return
    words = list(argv)[1 : len(argv) - len(spec.extra_args)]
    while words:
        option = words.pop(0)
        assert option.startswith("-")
        if option not in ALONE:
            words.pop(0)
    assert argv[len(argv) - len(spec.extra_args) :] == spec.extra_args


def test_a_kernels_command_line_that_looks_like_an_option_is_none():
    argv = compiled(DomainSpec(name="a", boot=Boot(kernel="/k", append="-device")))
    assert argv[argv.index("-append") + 1] == "-device"


def test_a_run_folder_with_commas_and_equals_signs_stays_one_path():
    argv = compiled(DomainSpec(name="a"), run_dir="/r/a=b,c")
    assert parsed(values(argv, "-vnc")[0]) == [("vnc", "unix:/r/a=b,c/vnc.sock")]
