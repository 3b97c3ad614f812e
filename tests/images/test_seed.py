"""A guest's seed: what cloud-init reads, and what the tiny guest makes of it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvmnb.errors import HostError, ImageError, SpecError
from kvmnb.images import seed
from kvmnb.images.catalogue import Image, Images
from kvmnb.images.iso9660 import CD
from kvmnb.spec.cloud_init import CloudInit
from tests.images.booting import TinyGuest

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEpGbm90LXJlYWxseS1hLWtleQ== anna@home"
HASH = (
    "$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g."
)
WISHES = CloudInit(
    user="anna",
    ssh_keys=(KEY,),
    password_hash=HASH,
    packages=("htop",),
    run=("cd /tmp", 'echo "it\'s $(hostname)" > said', "pwd > where"),
    hostname="web1",
)


def yaml(asked: CloudInit, name: str = "user-data") -> dict:
    loader = pytest.importorskip("yaml")
    return loader.safe_load(seed.files(asked)[name])


def attached(path: Path) -> list[str]:
    drive = f"if=none,id=seed,format=raw,readonly=on,media=cdrom,file={path}"
    return ["-drive", drive, "-device", "ide-cd,drive=seed"]


# --- what is on it


def test_cloud_init_reads_what_was_asked():
    assert seed.files(WISHES)["user-data"].startswith("#cloud-config\n")
    read = yaml(WISHES)
    user = read["users"][1]
    assert read["users"][0] == "default"
    assert (user["name"], user["ssh_authorized_keys"]) == ("anna", [KEY])
    assert (user["hashed_passwd"], user["lock_passwd"]) == (HASH, False)
    assert (read["packages"], read["package_update"]) == (["htop"], True)
    assert read["runcmd"] == list(WISHES.run)
    assert yaml(WISHES, "meta-data")["local-hostname"] == "web1"


def test_without_a_user_the_images_own_gets_the_keys_and_the_password():
    asked = CloudInit(ssh_keys=(KEY,), password_hash=HASH)
    read = yaml(asked)
    assert (read["ssh_authorized_keys"], read["password"]) == ([KEY], HASH)
    assert read["chpasswd"] == {"expire": False}
    assert "users" not in read
    assert list(yaml(asked, "meta-data")["public-keys"].values()) == [KEY]


def test_nothing_asked_is_a_seed_all_the_same():
    assert yaml(CloudInit()) == {}
    assert set(yaml(CloudInit(), "meta-data")) == {"instance-id"}


@pytest.mark.parametrize(
    "line", ["echo 'a' \"b\" \\ $x: # {} %", "echo 😀 é \x7f \x85 \u2028 \ufeff", "a\tb\nc", "- x"]
)
def test_yaml_reads_each_command_as_it_was_given(line):
    assert yaml(CloudInit(run=(line,)))["runcmd"] == [line]


def test_another_wish_is_another_instance():
    ids = {
        json.loads(seed.files(asked)["meta-data"])["instance-id"]
        for asked in (CloudInit(), CloudInit(hostname="a"), CloudInit(run=("true",)), WISHES)
    }
    assert len(ids) == 4
    assert seed.image(WISHES) == seed.image(WISHES)


def test_a_network_configuration_is_handed_on():
    texts = seed.files(CloudInit(), network="version: 2\n")
    assert texts["network-config"] == "version: 2\n"
    assert "network-config" not in seed.files(CloudInit())


def test_the_volume_holds_the_files_and_is_its_owners_alone(tmp_path):
    where = tmp_path / "seed.iso"
    seed.write(where, WISHES)
    assert stat.S_IMODE(os.stat(where).st_mode) == 0o600
    with CD(where) as cd:
        for name, text in seed.files(WISHES).items():
            assert b"".join(cd.pieces(name)).decode() == text
    with pytest.raises(HostError, match="cannot write"):
        seed.write(tmp_path / "none/seed.iso", WISHES)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user", "Anna Smith"),
        ("user", "a:0:0"),
        ("ssh_keys", ("hello",)),
        ("ssh_keys", (KEY + "\nssh-rsa AAAA",)),
        ("ssh_keys", KEY),
        ("password_hash", "secret"),
        ("packages", ("htop; reboot",)),
        ("packages", ("--purge",)),
        ("run", ("",)),
        ("run", ("echo \udc80",)),
        ("hostname", "web 1"),
        ("hostname", "-web"),
        ("hostname", ".".join(["a" * 60] * 5)),
    ],
)
def test_what_the_guest_could_misread_is_refused(field, value):
    with pytest.raises(SpecError) as caught:
        CloudInit(**{field: value})
    assert caught.value.field == f"cloud_init.{field}"


# --- what guests make of it


@pytest.fixture(scope="module")
def seeded(tiny: Image, tmp_path_factory) -> Iterator[TinyGuest]:
    folder = tmp_path_factory.mktemp("seed")
    seed.write(folder / "seed.iso", WISHES)
    options = ["-nic", "user,model=virtio-net-pci", *attached(folder / "seed.iso")]
    running = TinyGuest(tiny, folder / "guest", *options)
    try:
        running.ready(120)
        running.until("[ -e /var/lib/cloud/instance/boot-finished ]", 60)
        yield running
    finally:
        running.close()


@pytest.mark.guest
def test_a_guest_mounts_it_and_reads_the_files(seeded):
    seeded.shell("mkdir -p /run/cd && mount -r /dev/sr0 /run/cd")
    for name, text in seed.files(WISHES).items():
        assert seeded.shell(f"cat /run/cd/{name}") == text
    seeded.shell("umount /run/cd")


@pytest.mark.guest
def test_the_tiny_guest_does_what_was_asked(seeded):
    assert seeded.shell("hostname; cat /etc/hostname") == "web1\nweb1\n"
    assert seeded.shell("cat /tmp/said /tmp/where") == "it's web1\n/tmp\n"
    assert seeded.shell("cat /home/anna/.ssh/authorized_keys") == f"{KEY}\n"
    assert seeded.shell("stat -c %U:%a /home/anna/.ssh/authorized_keys") == "anna:600\n"
    assert f"anna:{HASH}:" in seeded.shell("cat /etc/shadow")
    assert "htop" in seeded.shell("cat /var/log/cloud-init-output.log")


@pytest.mark.guest
def test_the_tiny_guest_does_it_once(seeded):
    seeded.shell("rm /tmp/said; /etc/init.d/seed; sleep 1")
    assert seeded.run("cat", "/tmp/said")[0] != 0
    assert seeded.shell("cat /home/anna/.ssh/authorized_keys") == f"{KEY}\n"


@pytest.mark.guest
def test_cirros_takes_its_name_from_it(tmp_path):
    try:
        cirros = Images().get("cirros")
    except ImageError as error:
        pytest.skip(f"the image cirros cannot be downloaded here: {error.reason[:80]}")
    seed.write(tmp_path / "seed.iso", CloudInit(hostname="web1", ssh_keys=(KEY,)))
    options = attached(tmp_path / "seed.iso")
    running = TinyGuest(cirros, tmp_path / "guest", *options, firmware=True, mem=256)
    try:
        running.shows("web1 login:", 240)
    finally:
        running.close()
