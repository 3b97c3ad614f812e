"""Domain XML from outside: read, given back whole, and run by the real QEMU."""

from __future__ import annotations

import dataclasses
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kvmnb import parse
from kvmnb.compile.libvirt import compile_libvirt
from kvmnb.compile.qemu import compile_qemu
from kvmnb.compile.runtime import DiskFile
from kvmnb.compile.settled import settled
from kvmnb.compile.targets import expressible
from kvmnb.errors import KvmnbError
from kvmnb.spec.codec import differences
from kvmnb.spec.storage import Disk
from tests.compile.made import runtime
from tests.compile.running import RefusedError, Running, real_runtime
from tests.parse.domains import DOMAINS
from tests.parse.outside import grounded
from tests.parse.test_outside import LACKING

SHARE = 0.95

_FILLED_IN = (
    # libvirt's own, made anew for each start of a guest, or each time that it is defined
    r"/domain @id=.*|.*/alias( .*)?|.*/source @index=.*|.*/target @state=.*",
    r".*/serial/source @path=/dev/pts/.*|.*/console( @tty=.*)?(/source.*|/target.*)?",
    r".*/(serial|console)/source|.*/target @dev=(vnet|tap)\d+",
    r".*/interface/target",
    r"/domain/seclabel.*|/domain/resource.*|.*/backingStore.*",
    r"/domain/devices/emulator.*|/domain/devices/audio.*",
    r".*/channel/source( @(path=/(run|var/lib)/libvirt/.*|mode=bind))?",
    # places on buses, and controllers that are added as they are needed
    r".*/devices/\w+/address( .*)?|.*/controller.*",
    # what is said by saying nothing
    r"/domain/(memory|currentMemory|maxMemory).*|/domain/vcpu( .*)?|.* @unit=.*",
    r"/domain/on_(poweroff destroy|poweroff|reboot|reboot restart|crash|crash destroy)",
    r"/domain/cpu @(match|check|migratable)=.*|.*/model @fallback=.*",
    r".*/driver( @name=qemu)?|.*/features/pae",
    r".*/target @port=\d+|.*/(serial|parallel)/target( .*)?(/model.*)?",
    r".*/input( @bus=ps2| @type=mouse)?",
    r".*/video/model( @(vram|heads|primary|ram|vgamem)=.*)?",
    r".*/acceleration.*|.*/graphics( @(listen|autoport|port|tlsPort)=.*)?",
    r".*/cell @.*",
    r".*/host @port=.*",
    r".*/hostdev/driver.*",
    r".*/driver @cache=writeback|/domain/clock( @offset=utc)?|/domain/cpu/model",
    # a name that speaks of another bus than its drive's
    r".*/disk/target @dev=hdc",
    r".*/driver @type=path",
)
FILLED_IN = re.compile("|".join(_FILLED_IN))
"""Facts of an XML that need not be found in ours, by kind.

The rest has to be there, or to be told of in a note.
"""


def facts(xml: str) -> Counter[str]:
    """Return all that an XML says: each element, attribute and text, by its path."""
    found: Counter[str] = Counter()

    def walk(element: ElementTree.Element, path: str) -> None:
        path = f"{path}/{element.tag}"
        found[path] += 1
        for key, value in element.attrib.items():
            found[f"{path} @{key}={value}"] += 1
        if text := (element.text or "").strip():
            found[f"{path} {text}"] += 1
        for child in element:
            walk(child, path)

    walk(ElementTree.fromstring(xml), "")
    return found


def _file(disk: Disk) -> DiskFile:
    return DiskFile(path=getattr(disk.back, "path", ""), format=disk.format or "raw")


@pytest.mark.parametrize("name", DOMAINS)
def test_nothing_that_matters_is_lost(name: str):
    parsed = parse.libvirt(DOMAINS[name])
    spec = parsed.spec
    made = runtime(spec, disks=tuple(map(_file, spec.disks)))
    text = compile_libvirt(spec, made)
    told = " ".join(note.message for note in parsed.notes if note.kind != "kept")
    lost = [
        fact
        for fact in (facts(DOMAINS[name]) - facts(text))
        if FILLED_IN.fullmatch(fact) is None and fact.rpartition("/")[2].split()[0] not in told
    ]
    assert lost == [], f"{text}\n{parsed.notes}"
    again = settled(spec, made, "libvirt")
    assert differences(parse.libvirt(text).spec, again) == ()


@pytest.fixture
def folder() -> Iterator[Path]:
    # short, since a Unix socket's path may have 107 bytes at most
    made = Path(tempfile.mkdtemp(prefix="kvmnb-x-"))
    yield made
    shutil.rmtree(made)


def _taken(xml: str, folder: Path) -> str:
    try:
        spec = grounded(parse.libvirt(xml).spec, folder)
        spec = expressible(dataclasses.replace(spec, paused=True), "qemu")[0]
        argv = compile_qemu(spec, real_runtime(spec, folder))
    except KvmnbError as error:
        return f"{type(error).__name__}: {error}"
    try:
        Running(argv, str(folder / "qmp.sock"), folder / "log").end()
    except RefusedError as error:
        if any(word in str(error) for word in (*LACKING, "unsupported machine type")):
            return ""  # what this host lacks is no fault of the XML's
        return f"QEMU: {error}"
    return ""


@pytest.mark.guest
def test_real_qemu_takes_the_guests_of_domains_from_outside(folder, capsys):
    refused = []
    for index, (name, xml) in enumerate(DOMAINS.items()):
        inner = folder / str(index)
        inner.mkdir()
        reason = _taken(xml, inner)
        if reason:
            refused.append(f"{name}\n   {reason}")
    with capsys.disabled():
        print(f"\nlibvirt: {len(DOMAINS) - len(refused)} of {len(DOMAINS)} are taken by QEMU")
        print("\n".join(refused))
    assert len(refused) <= (1 - SHARE) * len(DOMAINS), "\n".join(refused)
