"""What changed between QEMU 6.2 and 10.0 is written as each version reads it, or refused."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings

from kvmnb import SpecError, Unsupported
from kvmnb.compile.qemu import compile_qemu
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.netbacks import Dgram, Passt, Stream
from kvmnb.spec.network import NIC
from kvmnb.spec.peripherals import Sound
from kvmnb.spec.screens import Window
from tests.compile.made import compiled, runtime
from tests.compile.probes import probes
from tests.compile.reading import parsed, values
from tests.spec.strategies import settled_domains

VERSIONS = tuple(probes())


@given(settled_domains("qemu"))
@settings(max_examples=60, deadline=None)
def test_every_version_has_each_device_and_back_end_that_is_used(spec):
    for version, probe in probes().items():
        try:
            argv = compiled(spec, version)
        except (Unsupported, SpecError):
            continue
        kinds = {"-device": probe.devices, "-netdev": probe.netdevs}
        for option, known in {**kinds, "-chardev": probe.chardevs}.items():
            assert {parsed(text)[0][1] for text in values(argv, option)} <= known, version


def _nic(back: object) -> DomainSpec:
    return DomainSpec(name="a", nics=(NIC(back=back),))  # type: ignore[arg-type]


@pytest.mark.parametrize("back", [Stream(path="/a"), Dgram(local_path="/a", remote_path="/b")])
def test_streams_and_datagrams_came_with_7_2(back):
    kind = type(back).__name__.lower()
    for version in VERSIONS[1:]:
        assert values(compiled(_nic(back), version), "-netdev")[0].startswith(f"{kind},")
    for known in ({}, {"netdevs": None}):
        with pytest.raises(Unsupported, match=r"came with QEMU 7\.2"):
            compiled(_nic(back), "6.2", **known)
    assert compiled(_nic(back), "7.2", netdevs=None)


def test_a_back_end_that_was_not_built_in_is_refused_whatever_the_version():
    with pytest.raises(Unsupported, match="where it was built in"):
        compiled(_nic(Stream(path="/a")), "10.0", netdevs=frozenset({"user"}))


def test_passt_came_with_10_1():
    for version in VERSIONS:
        with pytest.raises(Unsupported, match=r"10\.1"):
            compiled(_nic(Passt()), version)
    spec = _nic(Passt())
    newer = dataclasses.replace(runtime(spec, "10.0"), version=(10, 1, 0), netdevs=None)
    assert values(compile_qemu(spec, newer), "-netdev") == ["passt,id=net0"]


def test_a_stream_tries_again_by_the_word_of_its_version():
    spec = _nic(Stream(path="/a", reconnect_s=5))
    with pytest.raises(Unsupported, match=r"8\.0"):
        compiled(spec, "7.2")
    words = {v: dict(parsed(values(compiled(spec, v), "-netdev")[0])) for v in VERSIONS[2:]}
    assert words["8.2"]["reconnect"] == "5"
    assert words["9.2"]["reconnect-ms"] == words["10.0"]["reconnect-ms"] == "5000"
    assert "reconnect" not in words["9.2"]


def test_a_device_that_came_later_is_refused_by_name():
    spec = DomainSpec(name="a", sounds=(Sound("virtio"),))
    for version in ("6.2", "7.2"):
        with pytest.raises(Unsupported, match=r"virtio-sound-pci.*no such device"):
            compiled(spec, version)
    assert compiled(spec, "8.2")


def test_a_sound_or_a_window_that_this_qemu_cannot_make_is_refused():
    with pytest.raises(Unsupported, match="-audiodev pa"):
        compiled(DomainSpec(name="a", sounds=(Sound("ac97", "pa"),)), "7.2")
    window = DomainSpec(name="a", displays=(Window(toolkit="gtk"),))
    with pytest.raises(Unsupported, match="qemu-system-gui"):
        compiled(window, displays=frozenset({"none", "curses"}))
    assert compiled(window)
