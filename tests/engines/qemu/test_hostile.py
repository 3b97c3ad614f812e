"""Names, paths and addresses that mean something to somebody on the way stay what they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import pytest

import kvmnb
from kvmnb import Host, HostError, SpecError

NAMES = (
    "a,b=c",
    "x,process=sshd",
    'it\'s "quoted"',
    "two words",
    "<script>alert(1)",
    "$(reboot)`reboot`",
    "-name",
    "..x",
    "%s%n",
    "naïve Gast 客",
    "a" * 64,
)


@pytest.mark.parametrize("name", NAMES)
def test_a_guest_may_bear_an_odd_name_and_is_found_by_it(host, launch, name):
    guest = launch(host.vm(name).mem(32))
    assert guest.qmp("query-name") == {"name": name}
    assert name in list(host.guests)
    assert host.guests[name].info.pid == guest.info.pid
    assert "<script>" not in guest._repr_html_()


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\nb", "a\0b", "\x1b[2J", "a" * 65])
def test_a_name_that_cannot_be_is_refused_at_once(host, name):
    with pytest.raises(SpecError) as caught:
        host.vm(name)
    assert (caught.value.field, caught.value.value) == ("name", name)


@pytest.mark.parametrize(
    "name",
    [
        "a,b.img",
        "x,read-only=on.img",
        "sp ace.img",
        "new\nline.img",
        "json:{}.img",
        "nbd:x.img",
        "-blockdev.img",
        "'\".img",
        b"\xff\xfe.img".decode("utf-8", "surrogateescape"),
    ],
)
def test_a_disk_may_have_an_odd_path(host, launch, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(bytes(1 << 20))
    guest = launch(host.vm("path").mem(32).disk(path))
    descriptors = f"/proc/{guest.info.pid}/fd"
    files = {os.readlink(f"{descriptors}/{fd}") for fd in os.listdir(descriptors)}
    assert os.fspath(path) in files


def test_an_overlay_on_an_odd_path_is_made(host, launch, tmp_path):
    path = tmp_path / "json:a,b='\n\".img"
    path.write_bytes(bytes(1 << 20))
    guest = launch(host.vm("overlay").mem(32).disk(path, snapshot=True))
    node = next(n for n in guest.qmp("query-named-block-nodes") if n["node-name"] == "disk0")
    assert node["image"]["backing-image"]["filename"].endswith(".img")


@pytest.mark.parametrize(
    "mac", ["", "52:54:00", "52:54:00:12:34:5g", "01:00:5e:00:00:01", "52:54:00:12:34:56,x=y", 5]
)
def test_an_address_that_is_none_is_refused_at_the_verb(host, mac):
    with pytest.raises(SpecError) as caught:
        host.vm("x").nic(mac=mac)
    assert caught.value.field == "nic.mac"


def test_a_runtime_folder_with_odd_characters_works(monkeypatch):
    with tempfile.TemporaryDirectory(prefix="a,b c") as place:
        monkeypatch.setenv("XDG_RUNTIME_DIR", place)
        with Host().vm("odd").mem(32).start(wait="running") as guest:
            assert guest.refresh() == "running"


def test_a_socket_path_that_is_too_long_is_refused_with_the_remedy(tmp_path, monkeypatch):
    place = tmp_path / ("x" * 60) / ("y" * 60)
    place.mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    with pytest.raises(SpecError, match="at most 107"):
        Host().vm("long").mem(32).start(wait="running")


def test_a_run_folder_that_somebody_else_laid_is_refused(tmp_path, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("giving a folder to another user needs root")
    (tmp_path / "kvmnb").mkdir()
    os.chown(tmp_path / "kvmnb", 65534, 65534)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(HostError, match="not a folder of yours"):
        Host().vm("x").mem(32).start(wait="running")


def test_an_ordinary_user_starts_a_guest():
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root; every other test here is one")
    home = Path(tempfile.mkdtemp(prefix="kvmnb-user-"))
    os.chown(home, 65534, 65534)
    code = (
        "from kvmnb import Host\n"
        "with Host().vm('mine').mem(32).start(wait='running') as guest: print(guest.refresh())"
    )
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{Path(kvmnb.__file__).parents[1]}:{sysconfig.get_path('purelib')}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_RUNTIME_DIR": str(home),
    }
    try:
        # the system's Python: this one may lie in a home that others cannot read
        done = subprocess.run(
            ["/usr/bin/python3", "-c", code],
            user=65534,
            group=65534,
            extra_groups=[],
            cwd="/",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if "PermissionError" in done.stderr or "No module named" in done.stderr:
            pytest.skip("another user cannot read this checkout")
        assert done.stdout.strip() == "running", done.stderr
    finally:
        shutil.rmtree(home, ignore_errors=True)
