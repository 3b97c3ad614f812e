"""Lines of the QEMU manual and of people's own pages: read, and taken by the real QEMU."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvmnb import parse
from kvmnb.compile.qemu import compile_qemu
from kvmnb.compile.targets import expressible
from kvmnb.errors import KvmnbError, ParseError, Unsupported
from tests.compile.running import MISSING, RefusedError, Running, real_runtime
from tests.parse.outside import grounded, lines

SHARE = 0.95

LACKING = (
    *MISSING,
    *("invalid object type", "Unknown audio driver", "No voice", "audio driver"),
    "kernel doesn't allow setting HyperV",
)
"""Words of QEMU's by which a host lacks something that a line asks for."""


@pytest.fixture
def folder() -> Iterator[Path]:
    # short, since a Unix socket's path may have 107 bytes at most
    made = Path(tempfile.mkdtemp(prefix="kvmnb-p-"))
    yield made
    shutil.rmtree(made)


def taken(line: str, folder: Path) -> str:
    """Return ``""`` where QEMU takes the guest of a line, or why it does not."""
    try:
        spec = grounded(parse.qemu(line).spec, folder)
        spec = expressible(dataclasses.replace(spec, paused=True), "qemu")[0]
        qemu = shutil.which(f"qemu-system-{spec.arch}")
        if qemu is None:
            return ""
        argv = compile_qemu(spec, real_runtime(spec, folder, qemu=qemu))
    except KvmnbError as error:
        return f"{type(error).__name__}: {error}"
    try:
        Running(argv, str(folder / "qmp.sock"), folder / "log").end()
    except RefusedError as error:
        if any(word in str(error) for word in LACKING):
            return ""  # what this host lacks is no fault of the line's
        return f"QEMU: {error}"
    return ""


@pytest.mark.guest
@pytest.mark.parametrize("name", ["manual", "people", "old", "strangers"])
def test_real_qemu_takes_the_guests_of_lines_from_outside(name, folder, capsys):
    score, refused = Counter[bool](), []
    for index, line in enumerate(lines(name)):
        inner = folder / str(index)
        inner.mkdir()
        reason = taken(line, inner)
        score[not reason] += 1
        if reason:
            refused.append(f"{line}\n   {reason}")
    with capsys.disabled():
        print(f"\n{name}: {score[True]} of {score.total()} lines are read and taken by QEMU")
        print("\n".join(refused))
    assert score[True] >= SHARE * score.total(), "\n".join(refused)


@pytest.mark.parametrize("line", lines("boards"))
def test_boards_of_other_processors_are_read_and_refused_by_name(line, tmp_path):
    spec = parse.qemu(line).spec
    assert spec.arch != "x86_64"
    with pytest.raises(Unsupported, match=r"arch=|machine="):
        compile_qemu(spec, real_runtime(spec, tmp_path))


@pytest.mark.parametrize("line", lines("manual", "people", "old", "strangers", "boards"))
def test_each_note_stands_where_its_text_does(line):
    parsed = parse.qemu(line)
    places = [note.position for note in parsed.notes]
    assert places == sorted(places)
    for note in parsed.notes:
        assert 0 <= note.position < len(line)
        assert note.message


@pytest.mark.parametrize("line", lines("manual", "people", "old", "strangers"))
def test_a_line_cut_short_is_read_or_refused_with_a_place(line):
    for end in range(0, len(line), 7):
        try:
            parse.qemu(line[:end])
        except ParseError as error:
            assert 0 <= error.position <= end  # noqa: PT017
