"""The kinds of back ends that the real QEMU lists, asked once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kvmnb import HostError
from kvmnb.engines.qemu.facts import backends, find_binary


def test_the_real_qemu_lists_its_back_ends(tmp_path):
    found = backends(find_binary(), tmp_path)
    assert found.netdevs is not None
    assert found.netdevs >= {"user", "tap", "socket"}
    assert found.chardevs is not None
    assert found.chardevs >= {"socket", "null", "file"}
    assert found.displays is not None
    assert "none" in found.displays
    assert found.audiodevs is None or "none" in found.audiodevs
    for names in (found.netdevs, found.chardevs, found.displays):
        assert not [name for name in names if " " in name or ":" in name]


def test_a_binary_is_asked_once_until_it_changes(tmp_path):
    asked = tmp_path / "asked"
    binary = tmp_path / "qemu"
    binary.write_text(
        f'#!/bin/sh\necho x >> "{asked}"\nprintf "Available kinds:\\n%s\\n" "$1"\n',
        encoding="utf-8",
    )
    binary.chmod(0o755)
    found = backends(str(binary), tmp_path / "cache")
    assert found.netdevs == frozenset({"-netdev"})
    assert found.audiodevs == frozenset({"-audiodev"})
    count = len(asked.read_text(encoding="utf-8").splitlines())
    assert count == 4
    backends(str(binary), tmp_path / "cache")
    assert len(asked.read_text(encoding="utf-8").splitlines()) == count
    os.utime(binary, (1, 1))
    backends(str(binary), tmp_path / "cache")
    assert len(asked.read_text(encoding="utf-8").splitlines()) == 2 * count


def test_a_question_that_a_qemu_does_not_know_is_answered_with_none(tmp_path):
    binary = tmp_path / "qemu"
    binary.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    binary.chmod(0o755)
    found = backends(str(binary), tmp_path / "cache")
    assert (found.netdevs, found.audiodevs, found.displays) == (None, None, None)


def test_a_binary_that_is_not_there_is_an_error_of_the_host(tmp_path: Path):
    with pytest.raises(HostError, match="nowhere"):
        backends(str(tmp_path / "nowhere"), tmp_path)
