"""Folders of the host in the guest, and what QEMU runs for its networks, by one guest with all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvmnb import Guest, Host
from kvmnb.engines.qemu.companions import PLACES
from kvmnb.spec.forwards import GuestForward
from kvmnb.spec.network import User
from tests.engines.qemu.kernels import until

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a name that a careless compiler would cut in two."""
    folder: Path = tmp_path_factory.mktemp("shared") / "with,comma=x"
    folder.mkdir()
    (folder / "from_host").write_text("hello from the host\n")
    return folder


def has_virtiofsd() -> bool:
    places = (*os.environ["PATH"].split(os.pathsep), *PLACES)
    return any(os.access(f"{place}/virtiofsd", os.X_OK) for place in places)


@pytest.fixture(scope="module")
def guest(host: Host, folder: Path) -> Iterator[Guest]:
    command = folder.parent / "command"
    command.write_text("#!/bin/sh\nread line; echo you said $line\n")
    command.chmod(0o755)
    forward = GuestForward(address="10.0.2.9", port=80, target=f"cmd:{command}")
    vm = host.vm("shares").mem(160, memfd=True, shared=True).disk("tiny")
    vm = vm.nic(net=User(guest_forwards=(forward,))).share(folder, "nine")
    vm = vm.share(folder, "still", readonly=True)
    if has_virtiofsd():
        vm = vm.share(folder, "fs", kind="virtiofs")
    with vm.start() as guest:
        guest.run("mkdir /nine /still /fs")
        yield guest


def mount(guest: Guest, kind: str, tag: str) -> None:
    """Mount a share; its driver may still be on the way when the agent answers already."""
    until(lambda: guest.run(f"mount -t {kind} {tag} /{tag}").returncode == 0)


def test_a_9p_share_is_read_and_written_from_both_sides(guest, folder):
    mount(guest, "9p -o trans=virtio", "nine")
    assert guest.run("cat /nine/from_host").stdout == "hello from the host\n"
    guest.run("echo hello from the guest > /nine/from_guest", check=True)
    assert (folder / "from_guest").read_text() == "hello from the guest\n"


def test_a_read_only_9p_share_is_only_read(guest, folder):
    mount(guest, "9p -o trans=virtio", "still")
    assert guest.run("cat /still/from_host").stdout == "hello from the host\n"
    assert guest.run("echo x > /still/no").returncode != 0
    assert not (folder / "no").exists()


def test_a_virtiofs_share_is_read_and_written_from_both_sides(guest, folder):
    if not has_virtiofsd():
        pytest.skip("virtiofsd is not installed")
    if guest.run("modprobe virtiofs").returncode != 0:
        pytest.skip("the tiny guest's kernel has no virtiofs")
    mount(guest, "virtiofs", "fs")
    assert guest.run("cat /fs/from_host").stdout == "hello from the host\n"
    guest.run("echo hello by virtiofs > /fs/from_virtiofs", check=True)
    assert (folder / "from_virtiofs").read_text() == "hello by virtiofs\n"


def test_a_program_behind_an_address_of_the_network_answers_despite_the_sandbox(guest):
    until(lambda: "inet" in guest.run("ip -4 addr show eth0").stdout)
    asked = guest.run("(echo hello; sleep 2) | nc 10.0.2.9 80")
    assert asked.stdout == "you said hello\n"
    assert any(word.startswith("on,obsolete=deny") for word in guest.info.command)
