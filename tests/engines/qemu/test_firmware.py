"""UEFI: the firmware that the host's packages bring, found by their descriptors."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from kvmnb import HostError
from kvmnb.engines.qemu.firmware import FOLDERS, find_uefi
from kvmnb.engines.qemu.folders import Roots


class Shelf:
    """Folders of descriptors, and files that these name."""

    def __init__(self, place: Path) -> None:
        self.own, self.packaged = place / "etc", place / "usr"
        for folder in (self.own, self.packaged):
            folder.mkdir()
        self.folders = (str(self.own), str(self.packaged))

    def put(self, folder: Path, name: str, **changes: Any) -> None:
        """Lay a descriptor, as docs/interop/firmware.json of QEMU has it, and its files."""
        code, variables = folder / f"{name}.code.fd", folder / f"{name}.vars.fd"
        descriptor: dict[str, Any] = {
            "description": name,
            "interface-types": ["uefi"],
            "mapping": {
                "device": "flash",
                "executable": {"filename": str(code), "format": "raw"},
                "nvram-template": {"filename": str(variables), "format": "raw"},
            },
            "targets": [{"architecture": "x86_64", "machines": ["pc-i440fx-*", "pc-q35-*"]}],
            "features": ["acpi-s3", "amd-sev", "verbose-dynamic"],
            "tags": [],
        }
        code.touch()
        variables.touch()
        (folder / f"{name}.json").write_text(json.dumps(descriptor | changes))

    def found(self, machine: str = "pc", *, secure: bool = False) -> str:
        """The name of the one that is found."""
        code, variables = find_uefi(machine, secure=secure, folders=self.folders)
        name = Path(code).name.removesuffix(".code.fd")
        assert Path(variables).name == f"{name}.vars.fd"
        return name


@pytest.fixture
def shelf(tmp_path) -> Shelf:
    return Shelf(tmp_path)


def test_the_first_name_that_fits_is_taken(shelf):
    shelf.put(shelf.packaged, "60-b")
    shelf.put(shelf.packaged, "50-a")
    assert shelf.found() == shelf.found("q35") == shelf.found("pc-q35-7.2") == "50-a"


def test_an_administrators_descriptor_comes_before_that_of_the_package_and_can_hide_it(shelf):
    shelf.put(shelf.packaged, "60-a")
    shelf.put(shelf.packaged, "70-b")
    shelf.put(shelf.own, "60-a")
    assert find_uefi("pc", secure=False, folders=shelf.folders)[0].startswith(str(shelf.own))
    (shelf.own / "60-a.json").write_text("")
    assert shelf.found() == "70-b"


def test_secure_boot_takes_the_one_with_keys_and_nothing_else_does(shelf):
    secure = ["requires-smm", "secure-boot", "amd-sev"]
    q35 = [{"architecture": "x86_64", "machines": ["pc-q35-*"]}]
    shelf.put(shelf.packaged, "40-keys", features=[*secure, "enrolled-keys"], targets=q35)
    shelf.put(shelf.packaged, "50-no-keys", features=secure, targets=q35)
    shelf.put(shelf.packaged, "60-plain")
    assert shelf.found("q35", secure=True) == "40-keys"
    assert shelf.found("q35") == "60-plain"
    with pytest.raises(HostError, match="Secure Boot"):
        shelf.found("pc", secure=True)


def test_what_is_for_another_board_or_is_no_flash_is_passed_over(shelf):
    shelf.put(shelf.packaged, "10-bios", **{"interface-types": ["bios"]})
    arm = [{"architecture": "aarch64", "machines": ["virt-*", "pc-*"]}]
    shelf.put(shelf.packaged, "20-arm", targets=arm)
    stateless = {"device": "memory", "filename": "/x"}
    shelf.put(shelf.packaged, "30-memory", mapping=stateless)
    shelf.put(shelf.packaged, "40-gone")
    (shelf.packaged / "40-gone.vars.fd").unlink()
    shelf.put(shelf.packaged, "50-good")
    assert shelf.found() == "50-good"
    with pytest.raises(HostError, match="apt install ovmf"):
        shelf.found("microvm")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", '{"mapping": []}', '{"mapping": {"executable": 1}}', "\0"]
)
def test_a_descriptor_that_is_damaged_is_passed_over(shelf, text):
    (shelf.packaged / "10-damaged.json").write_text(text)
    shelf.put(shelf.packaged, "50-good")
    assert shelf.found() == "50-good"


def test_a_host_without_any_names_the_package(tmp_path):
    with pytest.raises(HostError, match="apt install ovmf"):
        find_uefi("q35", secure=False, folders=(str(tmp_path / "none"),))


@pytest.fixture
def needs_ovmf() -> None:
    if not any(os.path.isdir(folder) and os.listdir(folder) for folder in FOLDERS):
        pytest.skip("no UEFI firmware is installed")


@pytest.mark.guest
@pytest.mark.usefixtures("needs_ovmf")
@pytest.mark.parametrize(("machine", "secure"), [("pc", False), ("q35", False), ("q35", True)])
def test_uefi_comes_up_and_tries_what_there_is_to_start_from(host, launch, machine, secure):
    vm = host.vm("uefi").mem(256).machine(machine).firmware("uefi", secure=secure)
    guest = launch(vm)
    flashes = {node["node-name"]: node for node in guest.qmp("query-named-block-nodes")}
    assert flashes["firmware-code"]["ro"]
    variables = flashes["firmware-variables"]
    assert not variables["ro"]
    assert Path(variables["file"]).parent == Roots.from_environment().guest("uefi").state
    until = time.monotonic() + 120
    while "BdsDxe" not in guest.console_text(200):
        assert time.monotonic() < until, guest.console_text()
        time.sleep(0.2)
