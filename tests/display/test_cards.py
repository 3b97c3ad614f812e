"""What a description, a guest and a host look like."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb.display.cards import ago, guest_card, host_card, vm_card
from kvmnb.engines.base import GuestInfo, HostInfo
from kvmnb.spec.boot import Boot
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.graphics import VNC
from kvmnb.spec.network import NIC
from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile
from tests.compile.flips import BASES, FLIPS, flipped

HOSTILE = [
    "<script>alert(1)</script>",
    "</div><img src=x onerror=alert(1)>",
    "\x1b]0;owned\x07\x1b[2J",
    "one\ntwo\rthree",
    "\u202egnp.exe",
    "\"'&,;=$(id)`id`\\",
    "&lt;b&gt;",
]

SPEC = DomainSpec(name="test", disks=(Disk(back=CatalogueImage("tiny")),), nics=(NIC(),))

INFO = GuestInfo(
    name="test",
    spec=SPEC,
    engine="qemu",
    pid=4711,
    accel="tcg",
    accel_reason="KVM does not work here: no vmx",
    command=("qemu",),
    run_dir="/run/user/1000/kvmnb/test",
    created_s=0.0,
    keep_s=900.0,
    macs=("52:54:00:01:02:03",),
)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [(kind, changes) for (kind, _), flips in FLIPS.items() for changes in flips],
)
def test_a_change_of_any_field_changes_the_card(kind, changes):
    before = BASES[kind][0]
    after = flipped(kind, changes)
    assert vm_card(before).text != vm_card(after).text


def test_a_password_is_not_shown():
    spec = dataclasses.replace(SPEC, displays=(VNC(display=1, password="sesame"),))
    assert "password" in vm_card(spec).text
    assert "sesame" not in vm_card(spec).html


def test_devices_that_are_on_unless_switched_off_are_shown():
    text = vm_card(SPEC).text
    for words in ("balloon", "agent", "serial", "VNC", "generation id", "entropy"):
        assert words in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_quoted_in_every_card(text, read_html, harmless):
    spec = DomainSpec(
        name="x",
        disks=(Disk(back=ExistingFile(text)),),
        cdroms=(CDROM(ExistingFile(text)),),
        boot=Boot(kernel=text, append=text),
    )
    info = dataclasses.replace(INFO, name=text, spec=spec, accel_reason=text)
    known = HostInfo(engine="qemu", binary=text, version=text, accel="tcg", accel_reason=text)
    for card in (
        vm_card(spec),
        guest_card(info, "running"),
        host_card(text, known, (text, text)),
    ):
        assert harmless(card.text)
        assert harmless(read_html(card.html))


@given(st.text())
def test_any_name_is_quoted(read_html, harmless, name):
    card = guest_card(dataclasses.replace(INFO, name=name), "paused")
    assert harmless(card.text)
    assert harmless(read_html(card.html))


def test_text_and_html_say_the_same(read_html):
    card = guest_card(INFO, "running")
    html = read_html(card.html)
    for line in card.text.splitlines()[1:]:
        for fact in filter(None, line.split("  ")):
            assert fact.strip() in html


def test_the_accelerator_and_its_reason_are_on_the_guest_and_on_the_host():
    known = HostInfo(engine="qemu", accel="tcg", accel_reason="no vmx here")
    assert "tcg: KVM does not work here: no vmx" in guest_card(INFO, "running").text
    assert "tcg: no vmx here" in host_card(None, known, ()).text


def test_tcg_is_said_to_be_no_security_boundary_and_kvm_is_not():
    tcg = HostInfo(engine="qemu", accel="tcg", accel_reason="because")
    kvm = HostInfo(engine="qemu", accel="kvm", accel_reason="it works")
    assert "no security boundary" in host_card(None, tcg, ()).text
    assert "no security boundary" not in host_card(None, kvm, ()).text


def test_a_host_of_which_nothing_is_known_says_so():
    text = host_card(None, HostInfo(engine="qemu"), ()).text
    assert "not known yet" in text
    assert "None" not in text


def test_an_old_state_says_how_old_it_is():
    assert "running 3 min ago" in guest_card(INFO, "running", 200).text
    assert "ago" not in guest_card(INFO, "running", 0.5).text.splitlines()[0]
    assert "ago" not in guest_card(INFO, "running", None).text.splitlines()[0]


@pytest.mark.parametrize("state", ["starting", "running", "paused", "shutdown", "crashed", "lost"])
def test_each_state_is_a_word_and_not_a_colour_alone(state, read_html):
    card = guest_card(INFO, state)
    assert state in card.text.splitlines()[0]
    assert state in read_html(card.html)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (1.9, "1 s"), (200, "3 min"), (7300, "2 h"), (200000, "2 d")],
)
def test_a_length_of_time_has_one_unit(seconds, text):
    assert ago(seconds) == text


def test_looking_at_a_real_guest_asks_nobody(host, launch):
    guest = launch(host.vm("looked").mem(64))
    guest._control.monitor.execute = None  # whoever asks fails
    assert "● running" in repr(guest)
    assert "running" in guest._repr_html_()
    assert "looked" in repr(host)
    del guest._control.monitor.execute


def test_the_card_of_a_guest_that_was_killed_says_so(host, launch):
    guest = launch(host.vm("gone").mem(64))
    guest._control.process.kill()
    guest.wait("lost", timeout_s=60)
    assert "✖ lost" in repr(guest)
    assert "ended" in repr(guest)
