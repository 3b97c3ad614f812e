"""The whole round: in order, within its time, on whatever machine; and how it is shown."""

from __future__ import annotations

import html.parser
import os
import threading
from pathlib import Path

import pytest

from kvmnb import cli
from kvmnb.doctor import Report, Root, examine
from kvmnb.doctor.check import Check, Finding, Look
from kvmnb.doctor.distribution import _PACKAGES, install
from kvmnb.doctor.examine import GROUPS, look

EVIL = 'Evil <script>alert(1)</script> & "CPU" \x1b]0;title\x07'


@pytest.fixture(scope="module")
def here() -> Report:
    """This machine's report."""
    return examine()


def test_every_look_is_in_the_report_in_order(here):
    expected = [(group, each.name) for group, looks in GROUPS.items() for each in looks]
    assert [(each.group, each.name) for each in here] == expected
    assert list(GROUPS) == [
        *("processor", "KVM", "QEMU", "memory", "storage", "network", "libvirt", "user")
    ]


def test_every_check_has_evidence_and_what_is_missing_has_a_remedy(here):
    assert [each for each in here if not each.evidence] == []
    assert [each for each in here if each.verdict == "missing" and not each.remedy] == []
    assert [each for each in here if each.evidence.startswith("not examined:")] == []


def test_this_machine_runs_guests(here):
    assert here.ok
    assert here["QEMU"].verdict == "ok"
    assert here["user networking"].verdict == "ok"


def test_the_round_leaves_nothing_behind(here):
    def left() -> tuple[int, str, set[str]]:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        names = {thread.name for thread in threading.enumerate()}
        return len(os.listdir("/proc/self/fd")), children, names

    before = left()
    examine()
    assert left() == before


def test_an_empty_machine_is_examined_without_a_failure(tmp_path):
    environ = {"PATH": "/usr/bin", "HOME": "/home/ada"}
    report = examine(Root(tmp_path, environ=environ, uid=1000, groups=frozenset({1000})))
    assert not report.ok
    assert [each.name for each in report.blockers] == ["QEMU"]
    assert "no guest can run here yet: QEMU" in repr(report)
    assert [each for each in report if each.evidence.startswith("not examined:")] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_of_path_that_this_user_may_not_enter_is_passed_over(machine):
    machine.command("/usr/bin/tool", "exit 0")
    machine.environ["PATH"] = "/closed/bin:/usr/bin"
    machine.folder("/closed").chmod(0o000)
    try:
        assert machine.root().which("tool") == "/usr/bin/tool"
        assert not machine.root().exists("/closed/bin/tool")
    finally:
        machine.folder("/closed").chmod(0o700)


def test_what_goes_wrong_in_a_look_is_evidence():
    def breaks(root: Root) -> Finding:
        raise ValueError("seventeen is no bridge")

    found = look(Look("bridge", breaks), Root())
    assert found.verdict == "limited"
    assert found.evidence == "not examined: ValueError: seventeen is no bridge"


def test_a_look_that_hangs_is_given_up():
    release = threading.Event()

    def hangs(root: Root) -> Finding:
        release.wait()
        return Finding("ok", "too late")

    found = look(Look("dead server", hangs), Root(), limit_s=0.05)
    release.set()
    assert (found.verdict, found.evidence) == ("limited", "not examined within 0.05 s")


@pytest.mark.parametrize(
    ("os_release", "command"),
    [
        ("ID=debian", "apt-get install -y qemu-system-x86"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'", "apt-get install -y qemu-system-x86"),
        ("ID=fedora", "dnf install -y qemu-system-x86"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"', "dnf install -y qemu-kvm"),
        ("ID=arch", "pacman -S --needed qemu-base"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"', "zypper install -y qemu-x86"),
    ],
)
def test_the_remedy_is_this_distributions_command(machine, os_release, command):
    machine.write("/etc/os-release", f"{os_release}\n")
    assert install(machine.root(), "QEMU") == f"sudo {command}"
    assert install(machine.root(uid=0), "QEMU") == command


def test_an_unknown_distribution_gets_the_name_of_the_thing(machine):
    machine.write("/etc/os-release", "ID=plan9\n")
    assert "install QEMU with" in install(machine.root(), "QEMU")


def test_each_thing_has_its_package_in_every_family():
    assert {tuple(packages) for packages in _PACKAGES.values()} == {
        ("debian", "fedora", "rhel", "arch", "suse")
    }


# -- how it is shown ----------------------------------------------------------------------


def report_of(*checks: Check) -> Report:
    return Report(checks)


ONE = Check("memory", "KSM", "limited", "/sys/…/run: 0", "echo 1 | tee run", "sharing pages")


def test_the_text_is_aligned_and_keeps_a_command_in_one_piece():
    long = Check("KVM", "modules", "missing", "word " * 60, "modprobe " + "x" * 200)
    lines = report_of(long, ONE).to_text().splitlines()
    starts = ("word", "/sys/…", "mend:")
    at = {line.index(start) for start in starts for line in lines if start in line}
    assert len(at) == 1
    assert any(line.endswith("x" * 200) for line in lines)


def test_signs_and_words_stand_beside_each_other(here):
    for shown in (repr(here), here._repr_html_().replace("\xa0", " ")):
        assert "✓ ok" in shown


def test_hostile_evidence_is_quoted_in_html_and_on_the_terminal(machine):
    machine.cpu("vmx", model=EVIL)
    report = examine(machine.root())
    assert "Evil" in report["virtualization"].evidence
    assert "<script" not in report._repr_html_()
    assert "\x1b" not in repr(report)
    assert "\x1b" not in report._repr_html_()


class Balance(html.parser.HTMLParser):
    """Notes the elements that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_html_is_whole_and_names_no_solid_colour(here):
    shown = here._repr_html_()
    parser = Balance()
    parser.feed(shown)
    parser.close()
    assert parser.open == []
    assert "#" not in "".join(piece.partition('"')[0] for piece in shown.split('style="')[1:])


def test_a_remedy_is_shown_only_where_there_is_something_to_mend():
    fine = Check("memory", "KSM", "ok", "run: 1", "echo 1 | tee run", "sharing pages")
    assert "tee" not in repr(report_of(fine))
    assert "tee" not in report_of(fine)._repr_html_()
    assert "tee" in repr(report_of(ONE))
    assert "tee" in report_of(ONE)._repr_html_()


def test_the_frame_has_one_row_a_check(here):
    frame = here.to_pandas()
    assert list(frame["name"]) == [each.name for each in here]
    assert set(frame["verdict"]) <= {"ok", "limited", "missing"}


def test_a_check_is_found_by_its_name(here):
    assert here["KSM"].group == "memory"
    with pytest.raises(KeyError):
        _ = here["no such check"]


def test_the_command_prints_the_report_and_tells_by_its_exit_code(capsys):
    assert cli.main(["doctor"]) == 0
    assert "kvmnb doctor: guests run here" in capsys.readouterr().out
