"""The real QEMU takes every command, and then has what was asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kvmnb import VM, Guest, Host
from kvmnb.compile.qemu import NIC_MODELS
from kvmnb.spec.storage import CACHES

pytestmark = pytest.mark.guest

FRONT = {
    "virtio": "virtio-blk-pci",
    "ide": "ide-hd",
    "sata": "ide-hd",
    "scsi": "scsi-hd",
    "nvme": "nvme",
    "usb": "scsi-hd",
}

BUSES = tuple(FRONT)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Small empty disks, one for each place that a guest has, and a CD."""
    folder = tmp_path_factory.mktemp("disks")
    made = [folder / f"disk{index}.img" for index in range(30)]
    for file in made:
        file.write_bytes(bytes(64 << 10))
    return made


def _bare(vm: VM) -> VM:
    return vm.mem(32).agent(False).serial(False).vnc(False).balloon(False).rng(False).vmgenid(False)


def _get(guest: Guest, id: str, property: str) -> object:
    return guest.qmp("qom-get", path=f"/machine/peripheral/{id}", property=property)


def _ids(guest: Guest) -> set[str]:
    listed = guest.qmp("qom-list", path="/machine/peripheral")
    return {each["name"] for each in listed if each["type"].startswith("child<")}


def _blocks(guest: Guest) -> dict[str, dict]:
    """Return QEMU's own account of each disk, by the disk's id."""
    found = {}
    for block in guest.qmp("query-block"):
        parts = block["qdev"].split("/")  # a virtio disk's is the path of its back end
        found[next(part for part in parts if part.startswith(("disk", "cd")))] = block
    return found


def _direct_io(file: Path) -> bool:
    try:
        os.close(os.open(file, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("machine", "cache"), [*(("pc", cache) for cache in CACHES), ("q35", "writethrough")]
)
def test_a_disk_on_each_bus_has_its_cache_mode(host, launch, files, machine, cache):
    if cache in {"none", "directsync"} and not _direct_io(files[0]):
        pytest.skip("this file system has no O_DIRECT")
    vm = _bare(host.vm("caches")).machine(machine)
    for bus, file in zip(BUSES, files, strict=False):
        vm = vm.disk(file, bus=bus, cache=cache, format="raw")
    guest = launch(vm)
    blocks = _blocks(guest)
    for index, bus in enumerate(BUSES):
        assert _get(guest, f"disk{index}", "type") == FRONT[bus]
        inserted = blocks[f"disk{index}"]["inserted"]
        assert inserted["cache"] == {
            "writeback": cache in {"writeback", "none", "unsafe"},
            "direct": cache in {"none", "directsync"},
            "no-flush": cache == "unsafe",
        }
        assert inserted["image"]["filename"] == str(files[index])
        assert inserted["ro"] is False


def test_readonly_snapshot_new_and_cdrom_are_what_they_say(host, launch, files):
    vm = _bare(host.vm("kinds"))
    for bus in ("virtio", "scsi", "nvme", "usb"):
        vm = vm.disk(files[len(vm.spec.disks)], bus=bus, readonly=True)
    vm = vm.disk(files[4], snapshot=True).disk(size="3M").cdrom(files[5])
    guest = launch(vm)
    blocks = _blocks(guest)
    assert [blocks[f"disk{index}"]["inserted"]["ro"] for index in range(6)] == [
        *(True, True, True, True, False, False)
    ]
    snapshot, new = blocks["disk4"]["inserted"], blocks["disk5"]["inserted"]
    assert snapshot["image"]["backing-image"]["filename"] == str(files[4])
    assert snapshot["file"] != str(files[4])
    assert (new["drv"], new["image"]["virtual-size"]) == ("qcow2", 3 << 20)
    assert blocks["cd0"]["inserted"]["ro"] is True
    assert _get(guest, "cd0", "type") == "ide-cd"


@pytest.mark.parametrize(("machine", "count"), [("pc", 4), ("q35", 6)])
def test_all_ide_places_of_a_board_can_be_taken(host, launch, files, machine, count):
    vm = _bare(host.vm("ide")).machine(machine)
    for file in files[: count - 1]:
        vm = vm.disk(file, bus="ide")
    guest = launch(vm.cdrom(files[-1]))
    taken = {(_get(guest, id, "parent_bus"), _get(guest, id, "unit")) for id in _ids(guest)}
    assert len(taken) == count


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_all_places_of_a_board_can_be_taken(host, launch, files, machine):
    vm = host.vm("full").mem(32).machine(machine)
    for file in files[:26]:
        vm = vm.disk(file)
    assert len(_blocks(launch(vm))) == 26


def test_a_bus_takes_as_many_disks_as_the_compiler_lets_through(host, launch, files):
    vm = _bare(host.vm("many"))
    for index, file in enumerate(files[:6]):
        vm = vm.disk(file, bus="sata").disk(files[6 + index], bus="usb")
    for file in files[12:24]:
        vm = vm.disk(file, bus="scsi")
    guest = launch(vm)
    assert len(_blocks(guest)) == 24
    assert guest.hmp("info usb").count("Product QEMU USB MSD") == 6


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_every_card_of_this_qemu_has_its_model_and_its_address(host, launch, machine):
    offered = [word for word, kind in NIC_MODELS.items() if kind in host.engine.facts.devices]
    vm = _bare(host.vm("cards")).machine(machine)
    for index, word in enumerate(offered):
        vm = vm.nic(word, mac=f"52:54:00:aa:00:{index:02X}").nic(NIC_MODELS[word])
    guest = launch(vm)
    for index, word in enumerate(offered):
        for number in (2 * index, 2 * index + 1):
            assert _get(guest, f"net{number}", "type") == NIC_MODELS[word]
            assert _get(guest, f"net{number}", "mac") == guest.info.macs[number]
        assert guest.info.macs[2 * index] == f"52:54:00:aa:00:{index:02x}"
    assert len(set(guest.info.macs)) == 2 * len(offered)
    assert all(mac.startswith("52:54:00:") for mac in guest.info.macs)


def test_a_guest_has_its_six_devices_unless_they_are_switched_off(host, launch):
    guest = launch(host.vm("all").mem(32))
    assert _ids(guest) == {
        *("balloon0", "rng0", "serial0", "virtio-serial0", "agent0", "vmgenid0", "video0")
    }
    assert _get(guest, "balloon0", "guest-stats-polling-interval") == 2
    assert _get(guest, "agent0", "type") == "virtserialport"
    assert len(guest.qmp("query-vm-generation-id")["guid"]) == 36
    vnc = guest.qmp("query-vnc")
    assert (vnc["enabled"], vnc["family"]) == (True, "unix")
    sockets = {"vnc.sock", "agent.sock", "serial.sock", "qmp.sock", "qmp-shared.sock"}
    assert sockets <= set(os.listdir(guest.info.run_dir))
    backends = guest.qmp("qom-list", path="/objects")
    assert "child<rng-builtin>" in {each["type"] for each in backends}


def test_a_guest_with_all_switched_off_has_none(host, launch):
    guest = launch(_bare(host.vm("none")))
    assert _ids(guest) == set()
    assert guest.qmp("query-vnc")["enabled"] is False
    assert {each["label"] for each in guest.qmp("query-chardev")} == {"qmp", "qmp-shared"}


@pytest.mark.parametrize("board", ["pc", "q35"])
def test_memory_and_processors_are_as_asked(host, launch, board):
    vm = _bare(host.vm("size")).machine(board).mem(64, slots=3, maxmem="1G").cpu("max")
    guest = launch(vm.smp(3, sockets=1, cores=2, threads=2, maxcpus=4))
    assert guest.qmp("query-memory-size-summary") == {"base-memory": 64 << 20, "plugged-memory": 0}
    assert len(guest.qmp("query-cpus-fast")) == 3
    places = guest.qmp("query-hotpluggable-cpus")
    assert len(places) == 4
    assert {each["type"] for each in places} == {"max-x86_64-cpu"}
    assert {each["props"]["core-id"] for each in places} == {0, 1}
    kind = guest.qmp("qom-get", path="/machine", property="type")
    alias = host.engine.facts.machines[board]["alias_of"]
    assert kind == f"{alias}-machine"


def test_what_it_starts_from_is_as_asked(host, launch, tmp_path):
    version = host.engine.facts.version
    firmware = launch(_bare(host.vm("firmware")).boot("dc", once="n", menu=True))
    if version >= (7, 1, 0):
        boot = firmware.qmp("qom-get", path="/machine", property="boot")
        assert (boot["order"], boot["once"], boot["menu"]) == ("dc", "n", True)
    kernel, initrd = tmp_path / "k,ernel=1", tmp_path / "init,rd"
    kernel.write_bytes(_empty_kernel())
    initrd.write_bytes(b"x" * 512)
    append = "a,b=c quiet 'x' -device"
    direct = launch(_bare(host.vm("direct")).boot(kernel=kernel, initrd=initrd, append=append))
    for property, value in {"kernel": kernel, "initrd": initrd, "append": append}.items():
        assert direct.qmp("qom-get", path="/machine", property=property) == str(value)


def _empty_kernel() -> bytes:
    """Return a Linux kernel that does nothing: a header that QEMU loads (Linux, x86/boot.rst)."""
    image = bytearray(8192)
    image[0x1F1] = 1  # sectors of set-up code
    image[0x202:0x206] = b"HdrS"
    image[0x206:0x208] = (0x207).to_bytes(2, "little")  # protocol version
    image[0x211] = 1  # loaded high
    image[0x22C:0x230] = (0x37FFFFFF).to_bytes(4, "little")  # the highest place of an initrd
    return bytes(image)


def test_a_command_that_is_shown_is_the_one_that_runs(host: Host, launch, files):
    vm = host.vm("same, 'as' shown").mem(48).smp(2).disk(files[0]).disk(size="1M").nic()
    shown = tuple(vm.command())
    guest = launch(vm)
    assert guest.info.command == shown
    run = Path(f"/proc/{guest.info.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    assert tuple(map(os.fsdecode, run)) == shown
    assert tuple(vm.command()) == shown
