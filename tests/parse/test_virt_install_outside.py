"""Lines of virt-install's manual, of handbooks and of people's pages: read, and made the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kvmnb import parse
from kvmnb.compile.libvirt import compile_libvirt
from kvmnb.compile.targets import expressible
from kvmnb.errors import KvmnbError
from tests.compile.made import runtime
from tests.parse.outside import lines

LINES = lines("virt_install")
SHARE = 0.95


def test_lines_from_outside_are_read_and_are_guests_of_libvirts(capsys):
    refused = []
    for line in LINES:
        try:
            spec = expressible(parse.virt_install(line).spec, "libvirt")[0]
            compile_libvirt(spec, runtime(spec))
        except KvmnbError as error:
            refused.append(f"{line}\n   {error}")
    with capsys.disabled():
        print(f"\nvirt_install: {len(LINES) - len(refused)} of {len(LINES)} lines are read")
        print("\n".join(refused))
    assert len(refused) <= (1 - SHARE) * len(LINES)


@pytest.mark.parametrize("line", LINES)
def test_each_note_stands_where_its_text_does(line):
    parsed = parse.virt_install(line)
    places = [note.position for note in parsed.notes]
    assert places == sorted(places)
    assert all(0 <= place < len(line) for place in places)


def grounded(line: str, folder: Path) -> str | None:
    """Return a line on files of `folder` and without KVM; ``None`` for one that needs a network,
    a device of the host's, another processor, or what is on a medium, or that virt-install or
    libvirt refuse today.
    """
    text = line.rpartition("\n")[2].removeprefix("virt-install ")
    if re.search("https?://|ftp://|--install |--hostdev|--launchSec|armv7l|--cloud-init", text):
        return None
    if re.search(r"[=/]casper/|RHEL8.iso|os-variant[= ]rhel7( |$)|nvram_template|shareable", text):
        return None
    text = re.sub(r"--connect[= ]\S+ ?|--accelerate |--check \S+ ?", "", text)
    text = re.sub("--virt-type kvm ?", "", text)
    text = re.sub(r"--cpu[= ]host(-passthrough)?(,cache.mode=passthrough)?(?= |$)", "", text)
    text = re.sub(r"/images/\S*?(\w+)\.(qcow2|img|raw)(,\S*)?", _disk, text)
    text = re.sub(r"/images/[\w.-]*\.iso", f"{folder}/cd.iso", text)
    if not re.search("--os-variant|--osinfo", text):
        text += " --osinfo detect=off,require=off"
    return f"--virt-type qemu {text}".replace("FILES", str(folder))


def _disk(found: re.Match[str]) -> str:
    more = found[3] or ""
    if "size=" in more:
        return f"FILES/{found[1]}.new{more}"
    return f"FILES/disk.{'qcow2' if found[2] == 'qcow2' else 'img'}{more}"
