"""The real QEMU's own account of memory, processors, blocks, networks, ports and screens."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from kvmnb import SpecError, Unsupported
from kvmnb.spec import charbacks
from kvmnb.spec.chardev import Private
from kvmnb.spec.diskbacks import Server
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.memory import Memory
from kvmnb.spec.network import User
from kvmnb.spec.storage import CACHES, CDROM, Disk, ExistingFile
from tests.compile.cases import BARE, cases
from tests.compile.running import Running, running
from tests.compile.test_qemu_takes_it import folder  # noqa: F401
from tests.spec.strategies import domains

pytestmark = pytest.mark.guest


@pytest.fixture
def started(folder: Path):  # noqa: F811
    """Return a function that starts a case by name and gives the guest."""
    return lambda name: running(cases(folder)[name][0])


MEMORY = {
    "memory backend anonymous shared": ("ram", True, False),
    "memory backend preallocated": ("ram", False, True),
    "memory backend memfd": ("memfd", True, False),
    "memory backend memfd private": ("memfd", False, False),
    "memory backend file": ("file", True, False),
}


@pytest.mark.parametrize("name", MEMORY)
def test_memory_is_what_was_asked(started, name):
    kind, share, prealloc = MEMORY[name]
    with started(name) as guest:
        (backend,) = guest.qmp("query-memdev")
        assert (backend["id"], backend["size"]) == ("mem0", 32 << 20)
        assert (backend["share"], backend["prealloc"]) == (share, prealloc)
        assert guest.qmp("qom-get", path="/objects/mem0", property="type") == (
            f"memory-backend-{kind}"
        )


@pytest.mark.parametrize("name", ["numa", "numa shared"])
def test_nodes_have_their_processors_memory_and_distances(started, name):
    with started(name) as guest:
        nodes = {cpu["cpu-index"]: cpu["props"]["node-id"] for cpu in guest.qmp("query-cpus-fast")}
        assert nodes == {0: 0, 1: 0, 2: 1, 3: 0}
        sizes = {each["id"]: each["size"] for each in guest.qmp("query-memdev")}
        assert sizes == {"mem0": 16 << 20, "mem1": 16 << 20}
        told = guest.hmp("info numa")
        assert "node 1 size: 16 MB" in told


def test_processors_have_their_dies_and_features(started):
    with started("dies") as guest:
        props = [cpu["props"] for cpu in guest.qmp("query-cpus-fast")]
        assert {each["die-id"] for each in props} == {0, 1}
    with started("features") as guest:
        path = guest.qmp("query-cpus-fast")[0]["qom-path"]
        assert guest.qmp("qom-get", path=path, property="aes") is True
        assert guest.qmp("qom-get", path=path, property="sse4a") is False
        assert guest.qmp("qom-get", path=path, property="phys-bits") == 40


def test_the_board_has_its_properties(started):
    def machine(guest: Running, property: str) -> Any:
        return guest.qmp("qom-get", path="/machine", property=property)

    with started("pc without ACPI") as guest:
        assert machine(guest, "acpi") == "off"
    with started("memory not merged") as guest:
        assert machine(guest, "mem-merge") is False
    with started("machine options") as guest:
        assert (machine(guest, "vmport"), machine(guest, "smbus")) == ("off", False)
    with started("clock utc host") as guest:
        assert machine(guest, "hpet") is True
    with started("clock 2026-01-31T12:00:00 host") as guest:
        assert machine(guest, "hpet") is False
        time = guest.qmp("qom-get", path="/machine", property="rtc-time")
        assert (time["tm_year"], time["tm_mon"], time["tm_mday"]) == (126, 0, 31)
    with started("boot firmware's order") as guest:
        boot = machine(guest, "boot")
        assert (boot["order"], boot["once"], boot["splash-time"]) == ("dca", "n", 2000)
    with started("uuid") as guest:
        assert guest.qmp("query-uuid")["UUID"] == "5b2a9e3e-8a43-4d7e-9d7c-0f4c1c9f6a10"
    with started("incoming") as guest:
        assert guest.qmp("query-status")["status"] == "inmigrate"


@pytest.mark.parametrize("field", ["disable_s3", "disable_s4"])
@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize(("machine", "chip"), [("pc", "PIIX4_PM"), ("q35", "ICH9-LPC")])
def test_sleep_is_allowed_or_not(started, machine, chip, allowed, field):
    with started(f"{machine} sleep {allowed}") as guest:
        found = [
            each["name"]
            for each in guest.qmp("qom-list", path="/machine/unattached")
            if each["type"] == f"child<{chip}>"
        ]
        path = f"/machine/unattached/{found[0]}"
        assert bool(guest.qmp("qom-get", path=path, property=field)) is not allowed


@pytest.mark.parametrize("bus", ["virtio", "ide", "sata", "scsi", "nvme", "usb", "sd"])
@pytest.mark.parametrize("cache", CACHES)
def test_a_block_has_its_cache_mode(folder, bus, cache):  # noqa: F811
    if bus == "sd" and cache in {"writethrough", "directsync"}:
        pytest.skip("an SD card has no write cache to switch off")
    back = ExistingFile(str(folder / "di,sk0.img"))
    disk = Disk(back=back, bus=bus, cache=cache, format="raw")
    with running(dataclasses.replace(BARE, disks=(disk,))) as guest:
        (block,) = [each for each in guest.qmp("query-block") if "inserted" in each]
        inserted = block["inserted"]
        assert inserted["image"]["filename"] == str(folder / "di,sk0.img")
        asked = inserted["cache"]
        assert asked["direct"] is (cache in {"none", "directsync"})
        assert asked["no-flush"] is (cache == "unsafe")
        if bus != "sd":
            assert asked["writeback"] is (cache not in {"writethrough", "directsync"})


@pytest.fixture(scope="module")
def web(folder: Path) -> Iterator[int]:  # noqa: F811
    """Serve one ISO with blanks and commas in its name over HTTP; gives the port."""
    (folder / "a b,c.iso").write_bytes(bytes(1 << 20))
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """QEMU's curl asks for ranges, and only whether there are any at the start."""

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


def test_a_cdrom_of_a_web_server_is_opened(web):
    back = Server(protocol="http", host="127.0.0.1", port=web, name="a b,c.iso")
    with running(dataclasses.replace(BARE, cdroms=(CDROM(back),))) as guest:
        (block,) = guest.qmp("query-block")
        assert block["inserted"]["image"]["virtual-size"] == 1 << 20
        assert block["inserted"]["ro"] is True


def test_a_disk_of_an_nbd_server_is_opened(folder, tmp_path_factory):  # noqa: F811
    if shutil.which("qemu-nbd") is None:
        pytest.skip("qemu-nbd is not installed")
    place = tmp_path_factory.mktemp("n") / "n,bd.sock"
    argv = ["qemu-nbd", "-k", str(place), "-x", "ex,port", "-f", "raw", "-t"]
    server = subprocess.Popen([*argv, str(folder / "di,sk1.img")])
    try:
        while not place.exists():
            assert server.poll() is None
        back = Server(protocol="nbd", socket=str(place), name="ex,port")
        with running(dataclasses.replace(BARE, disks=(Disk(back=back),))) as guest:
            (block,) = guest.qmp("query-block")
            assert block["inserted"]["image"]["virtual-size"] == 1 << 20
    finally:
        server.kill()
        server.wait()


def test_the_user_network_has_all_that_was_asked(started):
    with started("net user with everything") as guest:
        told = guest.hmp("info network")
        for word in ("net=192.168.76.0", "restrict=on"):
            assert word in told
        doors = guest.hmp("info usernet")
        assert "47311" in doors
        assert "47312" in doors


def test_screens_are_where_they_were_asked_to_be(started):
    with started("vnc display") as guest:
        vnc = guest.qmp("query-vnc")
        assert (vnc["host"], vnc["service"], vnc["auth"]) == ("127.0.0.1", "5947", "none")
    with started("vnc password itself") as guest:
        assert guest.qmp("query-vnc")["auth"] == "vnc"
    with started("vnc twice") as guest:
        servers = guest.qmp("query-vnc-servers")
        assert {each["id"] for each in servers} == {"default", "vnc1"}
    with started("vnc websocket") as guest:
        (server,) = guest.qmp("query-vnc-servers")
        assert {each["service"] for each in server["server"]} == {"5949", "47326"}


def test_ports_lead_where_they_were_asked_to(started, folder):  # noqa: F811
    def back(guest: Running, label: str) -> str:
        found = {each["label"]: each["filename"] for each in guest.qmp("query-chardev")}
        return found[label]

    with started("serial tcp server") as guest:
        assert "127.0.0.1:47322,server=on" in back(guest, "serial0")
    with started("serial file") as guest:
        assert back(guest, "serial0") == "file"
    with started("serial unix") as guest:
        assert str(folder / "so,ck") in back(guest, "serial0")
    with started("ports together") as guest:
        assert {"agent0", "console0", "channel1", "monitor1", "parallel1"} <= {
            each["label"] for each in guest.qmp("query-chardev")
        }


def test_what_the_sandbox_would_kill_is_let_through(started):
    with started("net user with everything") as guest:
        (sandbox,) = [word for word in guest.argv if word.startswith("on,obsolete")]
        assert "spawn=allow" in sandbox
        assert "elevateprivileges=allow" in sandbox  # each program gets a session of its own


# -- any description, on what this host has -----------------------------------------------------


def _local(spec: DomainSpec, folder: Path) -> DomainSpec:  # noqa: F811
    """Return `spec` with its files, its servers and the host's devices made this host's."""

    def char(part: Any) -> Any:
        kept = isinstance(part.back, (Private, charbacks.Null))
        return part if kept else dataclasses.replace(part, back=charbacks.Null())

    def media(parts: tuple[Any, ...], name: str) -> tuple[Any, ...]:
        found = []
        for index, part in enumerate(parts):
            file = folder / f"{name},{index}=x.img"
            file.write_bytes(bytes(1 << 20))
            changes: dict[str, Any] = {
                "back": None if part.back is None else ExistingFile(str(file))
            }
            if isinstance(part, Disk):
                changes["size_bytes"] = None
            if not isinstance(part, CDROM):
                changes["format"] = None if part.back is None else "raw"
            found.append(dataclasses.replace(part, **changes))
        return tuple(found)

    memory = spec.memory
    if memory.source == "file" or memory.hugepages or memory.preallocated or memory.locked:
        memory = Memory(size_mib=memory.size_mib)
    return dataclasses.replace(
        spec,
        memory=dataclasses.replace(memory, current_mib=None),
        accel="tcg",
        firmware=None,
        boot=dataclasses.replace(
            spec.boot,
            kernel=None,
            initrd=None,
            dtb=None,
            append="",
            splash=None,
            location=None,
        ),
        disks=media(spec.disks, "disk"),
        cdroms=media(spec.cdroms, "cd"),
        floppies=media(spec.floppies, "floppy"),
        nics=tuple(
            dataclasses.replace(
                nic, back=None if nic.back is None else User(), queues=None, mac=None
            )
            for nic in spec.nics
        ),
        serials=tuple(map(char, spec.serials)),
        parallels=tuple(map(char, spec.parallels)),
        consoles=tuple(map(char, spec.consoles)),
        channels=tuple(map(char, spec.channels)),
        monitors=tuple(map(char, spec.monitors)),
        displays=(),
        videos=tuple(dataclasses.replace(each, accelerated=False) for each in spec.videos),
        sounds=tuple(dataclasses.replace(each, back="none") for each in spec.sounds),
        rng=None if spec.rng is None else dataclasses.replace(spec.rng, source="builtin"),
        tpm=None,
        shares=(),
        vsock=None,
        hostdevs=(),
        incoming=None,
        cloud_init=None,
    )


@given(domains(bare=True))
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_description_that_compiles_is_taken(folder, spec):  # noqa: F811
    local = _local(spec, folder)
    try:
        with running(local) as guest:
            asked = {f"disk{index}" for index in range(len(local.disks))}
            asked |= {nic.name or f"net{i}" for i, nic in enumerate(local.nics)}
            assert asked <= guest.ids()
    except (Unsupported, SpecError):
        return
