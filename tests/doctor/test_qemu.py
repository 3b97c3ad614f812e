"""What the doctor says of QEMUs of all kinds; each is a script that answers as that QEMU does."""

from __future__ import annotations

import pytest

from kvmnb.doctor import qemu
from kvmnb.doctor import root as root_module

WHOLE = r"""
case "$*" in
  --version) echo 'QEMU emulator version 8.2.1 (Test 1:8.2.1)' ;;
  '-device help')
    for kind in blk net balloon serial rng; do echo "name \"virtio-$kind-pci\", bus PCI"; done
    echo 'name "vmgenid"' ;;
  '-netdev help') printf 'Available netdev backend types:\nsocket\nuser\ntap\n' ;;
  *) cat >/dev/null
     echo '{"return": [{"name": "query-version"}, {"name": "query-vnc"}]}' ;;
esac
"""


def test_a_whole_qemu_is_ok_in_all_things(machine):
    machine.command("/usr/bin/qemu-system-x86_64", WHOLE)
    machine.command("/usr/bin/qemu-img", "echo 'qemu-img version 8.2.1'")
    root = machine.root()
    found = {look.name: look.examine(root) for look in qemu.LOOKS}
    assert {finding.verdict for finding in found.values()} == {"ok"}, found
    assert "8.2.1" in found["QEMU"].evidence


def test_no_qemu_comes_with_the_command_that_installs_it(machine):
    root = machine.root()
    found = qemu.qemu(root)
    assert (found.verdict, found.remedy) == ("missing", "sudo apt-get install -y qemu-system-x86")
    assert {look.examine(root).verdict for look in qemu.LOOKS} == {"missing"}


def test_red_hats_qemu_is_found_where_it_lies(machine):
    machine.command("/usr/libexec/qemu-kvm", WHOLE)
    assert qemu.qemu(machine.root()).verdict == "ok"


@pytest.mark.parametrize(
    ("version", "verdict"),
    [("6.1.1", "missing"), ("5.2.0", "missing"), ("6.2.0", "ok"), ("10.0.50", "ok")],
)
def test_6_2_is_the_oldest_that_works(machine, version, verdict):
    script = f"echo 'QEMU emulator version {version}'"
    machine.command("/usr/bin/qemu-system-x86_64", script)
    assert qemu.qemu(machine.root()).verdict == verdict


def test_a_qemu_without_slirp_vnc_or_vmgenid_lacks_just_those(machine):
    script = WHOLE.replace("\\nuser", "").replace("query-vnc", "x").replace("vmgenid", "x")
    machine.command("/usr/bin/qemu-system-x86_64", script)
    root = machine.root()
    assert qemu.slirp(root).verdict == "missing"
    assert qemu.vnc(root).verdict == "missing"
    assert qemu.devices(root).verdict == "limited"
    assert "no vmgenid" in qemu.devices(root).evidence
    assert qemu.seccomp(root).verdict == "ok"


def test_a_qemu_without_seccomp_is_told_in_its_own_words_and_still_asked_for_the_rest(machine):
    refuse = "*-sandbox*) echo 'seccomp support is disabled' >&2; exit 1 ;;\n  *) cat"
    machine.command("/usr/bin/qemu-system-x86_64", WHOLE.replace("*) cat", refuse))
    root = machine.root()
    found = qemu.seccomp(root)
    assert (found.verdict, "seccomp support is disabled" in found.evidence) == ("missing", True)
    assert qemu.vnc(root).verdict == "ok"


def test_a_qemu_that_does_not_start_is_missing_with_its_last_words(machine):
    machine.command("/usr/bin/qemu-system-x86_64", "echo 'libfoo.so: cannot open' >&2; exit 127")
    found = qemu.qemu(machine.root())
    assert found.verdict == "missing"
    assert "libfoo.so: cannot open (exit code 127)" in found.evidence


def test_a_qemu_that_hangs_is_ended_with_its_children(machine, monkeypatch):
    monkeypatch.setattr(root_module, "COMMAND_S", 0.3)
    # the pipes would be held by the child if only the script were ended
    machine.command("/usr/bin/qemu-system-x86_64", "sleep 1000 & wait")
    found = qemu.qemu(machine.root())
    assert (found.verdict, "no answer within" in found.evidence) == ("missing", True)
