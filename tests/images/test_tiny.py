"""The tiny guest: built the same each time, by anybody, and whole when it runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvmnb.errors import HostError, ImageError
from kvmnb.images.catalogue import Image, Images
from kvmnb.images.store import digest_of
from kvmnb.images.tiny import cache, kernel, tools
from kvmnb.images.tiny.build import build
from kvmnb.images.tiny.packages import Package
from kvmnb.images.tiny.tree import Tree
from tests.images.booting import TinyGuest

FILES = ("disk", "kernel", "initrd")


@pytest.fixture(scope="module")
def guest(tiny: Image, tmp_path_factory) -> Iterator[TinyGuest]:
    """One guest for all that only looks: two processors, room for a third, a virtio card."""
    options = ["-nic", "user,model=virtio-net-pci", "-device", "virtio-rng-pci"]
    options += ["-device", "vmgenid", "-netdev", "user,id=later"]
    running = TinyGuest(tiny, tmp_path_factory.mktemp("tiny"), *options, smp="2,maxcpus=3")
    try:
        running.ready(120)
        yield running
    finally:
        running.close()


def manifest(tiny: Image) -> dict:
    return json.loads((tiny.disk.parent.parent / "manifest.json").read_bytes())


# --- how it is built


def test_a_second_build_has_the_same_bytes(tiny, tmp_path):
    facts = manifest(tiny)
    packages = tuple(Package("", f"{name}.deb", 0, "") for name in facts["packages"])
    folder = tiny.disk.parent.parent / "apt/packages"
    again = build(packages, folder, tmp_path, facts["key"], lambda _: None, lambda: None)
    for name in FILES:
        assert digest_of(getattr(again, name)) == facts["files"][name]["sha256"], name
    assert again.append == tiny.append


@pytest.mark.root
def test_an_ordinary_user_builds_the_same_bytes(tiny):
    python = "/usr/bin/python3"
    if os.geteuid() or not os.access(python, os.X_OK):
        pytest.skip("only root can become another user, who needs a Python of the system's")
    home = Path(tempfile.mkdtemp(prefix="kvmnb-nobody-"))
    try:
        source = Path(cache.__file__).parents[3]
        target = home / "code/kvmnb"
        shutil.copytree(source / "kvmnb", target, ignore=shutil.ignore_patterns("__pycache__"))
        packages = home / "cache/kvmnb/images/tiny/apt/packages"
        shutil.copytree(tiny.disk.parent.parent / "apt/packages", packages)
        for path in (home, *home.rglob("*")):
            os.chown(path, 65534, 65534)
        run = subprocess.run(
            [python, "-m", "kvmnb.images.tiny"],
            user=65534,
            group=65534,
            extra_groups=[],
            cwd=home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "XDG_CACHE_HOME": str(home / "cache"),
                "PYTHONPATH": str(home / "code"),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        theirs = json.loads((home / "cache/kvmnb/images/tiny/manifest.json").read_bytes())
        mine = manifest(tiny)
        if theirs["key"] == mine["key"]:  # the distribution may have a newer package by now
            for name in FILES:
                assert theirs["files"][name]["sha256"] == mine["files"][name]["sha256"], name
    finally:
        shutil.rmtree(home)


def test_a_whole_image_is_not_built_again(tiny):
    def never(*what: object) -> None:
        raise AssertionError(f"it builds: {what}")

    assert Images().get("tiny", never) == tiny
    assert Images().ready("tiny") == tiny


def test_a_damaged_or_outdated_image_is_not_taken_for_whole(tiny, tmp_path, monkeypatch):
    place = tmp_path / "tiny"
    shutil.copytree(tiny.disk.parent, place / tiny.disk.parent.name)
    (place / "manifest.json").write_text(json.dumps(manifest(tiny)))
    assert cache.ready(tmp_path) is not None  # copied: other inodes, the same digests
    with monkeypatch.context() as patch:
        patch.setattr(cache, "source_digest", lambda: "another recipe")
        patch.setattr(cache, "_recipe_seen", lambda: 0)
        assert cache.ready(tmp_path) is None
    disk = place / tiny.disk.parent.name / "disk.qcow2"
    disk.chmod(0o600)
    with open(disk, "r+b") as file:
        file.seek(1 << 20)
        file.write(b"!")
    assert cache.ready(tmp_path) is None
    for spoilt in ("{", "[]", "{}"):
        (place / "manifest.json").write_text(spoilt)
        assert cache.ready(tmp_path) is None


def test_a_build_that_is_interrupted_leaves_nothing_half_made(tmp_path):
    def interrupt(what: str, done: float, total: float | None, detail: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.tiny(tmp_path, interrupt)
    assert os.listdir(tmp_path / "tiny") == []


def test_a_missing_tool_is_named_with_its_package(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "environment", lambda **_: {"PATH": str(tmp_path)})
    with pytest.raises(HostError, match="apt-get install -y e2fsprogs"):
        tools.run(["mke2fs"], limit_s=1)


def test_a_tool_that_fails_or_hangs_is_an_error_with_its_words():
    with pytest.raises(ImageError, match="no such file"):
        tools.run(["sh", "-c", "echo no such file >&2; exit 3"], limit_s=20)
    with pytest.raises(ImageError, match="took longer"):
        tools.run(["sleep", "600"], limit_s=0.1)
    assert tools.run(["cat"], limit_s=20, stdin=b"x" * 200_000) == b"x" * 200_000


def test_modules_are_listed_after_what_needs_them():
    a, b, c = (
        kernel.Module(name, f"{name}.ko", b"", needs, ())
        for name, needs in (("a", ("c", "b")), ("b", ("c",)), ("c", ()))
    )
    listed = kernel.tables((a, b, c))["modules.dep"].decode().splitlines()
    assert listed == ["a.ko: b.ko c.ko", "b.ko: c.ko", "c.ko:"]


def test_a_signature_is_cut_off_and_nothing_else():
    mark = b"~Module signature appended~\n"
    signed = b"module" + b"S" * 300 + bytes(8) + (300).to_bytes(4, "big") + mark
    assert kernel.unsigned(signed) == b"module"
    assert kernel.unsigned(b"module") == b"module"


def test_a_tree_takes_no_name_that_its_tools_could_misread():
    for name in ("a b", 'a"b', "a\nb", "../up", "a/../../b", "a\\b"):
        with pytest.raises(ImageError):
            Tree().file(name, b"")


# --- what is in it


@pytest.mark.guest
def test_it_has_the_tools_that_the_lessons_need(guest):
    for tool in ("ip", "ethtool", "iperf3", "dd", "stress", "free", "nproc", "dmesg", "hwclock"):
        assert guest.shell(f"command -v {tool}"), tool
    assert "BusyBox" in guest.shell("busybox | head -1")
    assert guest.shell("iperf3 --version && stress --version && ethtool --version")
    assert "kvmnb-tiny" in guest.shell("cat /etc/os-release")
    assert guest.shell("whoami") == "root\n"


@pytest.mark.guest
def test_every_virtio_device_has_its_driver(guest):
    bound = "ls -d /sys/bus/virtio/drivers/*/virtio* | cut -d/ -f6 | sort -u | tr '\\n' ' '"
    wanted = {"virtio_balloon", "virtio_blk", "virtio_console", "virtio_net", "virtio_rng"}
    for name in sorted(wanted):
        guest.until(f"{bound} | grep -w {name}")
    for module in (
        "9p",
        "virtio_scsi",
        "virtio_mem",
        "virtiofs",
        "virtio_input",
        "e1000",
        "8139cp",
    ):
        guest.shell(f"modinfo {module} >/dev/null || modprobe {module}")
    assert "Unknown symbol" not in guest.shell("dmesg")


@pytest.mark.guest
def test_its_card_gets_an_address_and_a_name_server(guest):
    guest.until("ip address show dev eth0 | grep -w 10.0.2.15/24")
    guest.until("ip route | grep 'default via 10.0.2.2'")
    guest.until("grep 10.0.2.3 /etc/resolv.conf")


@pytest.mark.guest
def test_a_shell_without_login_is_on_the_serial_console(guest):
    guest.until("ls -l /proc/[0-9]*/fd/0 2>/dev/null | grep ttyS0")
    assert "root@tiny:" in guest.console.read_text("utf-8", "replace")
    assert "modprobe" not in guest.console.read_text("utf-8", "replace")


@pytest.mark.guest
def test_its_root_is_a_file_system_on_the_disk(guest):
    assert "/dev/vda2 / ext4 rw" in guest.shell("cat /proc/mounts")
    guest.shell("echo kept >/root/file && sync && [ $(cat /root/file) = kept ]")


@pytest.mark.guest
def test_a_processor_that_is_plugged_in_comes_online(guest):
    (slot,) = [c for c in guest.qmp.ask("query-hotpluggable-cpus") if "qom-path" not in c]
    guest.until("pidof uevent")
    guest.qmp.ask("device_add", driver=slot["type"], id="third", **slot["props"])
    guest.until("[ $(nproc) = 3 ]")


@pytest.mark.guest
def test_a_card_that_is_plugged_in_gets_an_address(guest):
    guest.until("pidof uevent")
    guest.qmp.ask("device_add", driver="e1000", netdev="later", id="card")
    guest.until("ip address show dev eth1 | grep -w 10.0.2.15/24", 60)


# --- what it starts from


@pytest.mark.guest
@pytest.mark.parametrize(
    ("bus", "options"),
    [
        ("ide", ["-machine", "pc"]),
        ("sata", ["-machine", "q35"]),
        ("scsi", ["-machine", "q35"]),
        ("nvme", ["-machine", "pc"]),
        ("usb", ["-machine", "pc"]),
        ("virtio-blk-pci", ["-machine", "q35"]),
    ],
)
def test_it_starts_from_every_bus(tiny, tmp_path, bus, options):
    running = TinyGuest(tiny, tmp_path / "guest", *options, bus=bus)
    try:
        running.ready(120)
        assert " / ext4 rw" in running.shell("cat /proc/mounts")
    finally:
        running.close()


@pytest.mark.guest
def test_it_starts_from_firmware_and_ends_at_the_power_button(tiny, tmp_path):
    running = TinyGuest(tiny, tmp_path / "guest", firmware=True)
    try:
        running.ready(120)
        assert "BOOT_IMAGE=" in running.shell("cat /proc/cmdline")
        running.until("pidof acpid")
        running.qmp.ask("system_powerdown")
        running.qmp.event("SHUTDOWN", 60)
        assert running.process.wait(60) == 0
    finally:
        running.close()
