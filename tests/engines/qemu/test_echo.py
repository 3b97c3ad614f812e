"""A command that somebody wrote, in the other languages."""

from __future__ import annotations

import json
import shlex

import pytest

from kvmnb.engines.qemu.echo import hmp_changes, hmp_words, linux_key, qmp_changes, qmp_words


@pytest.mark.parametrize(
    ("command", "arguments", "hmp"),
    [
        ("stop", {}, "stop"),
        ("inject-nmi", {}, "nmi"),
        ("device_del", {"id": "net0"}, "device_del net0"),
        ("set_link", {"name": "net0", "up": False}, "set_link net0 off"),
        ("device_add", {"driver": "usb-tablet"}, ""),
        ("human-monitor-command", {"command-line": "balloon 96"}, "balloon 96"),
    ],
)
def test_a_command_of_qmp_is_told_in_the_words_of_hmp_where_it_has_the_same(
    command, arguments, hmp
):
    assert qmp_words("test", command, arguments)["hmp"] == hmp


def test_the_virsh_line_can_be_pasted_and_says_the_same():
    words = qmp_words("it's", "device_del", {"id": "a b"})
    argv = shlex.split(words["virsh"])
    assert argv[:3] == ["virsh", "qemu-monitor-command", "it's"]
    assert json.loads(argv[3]) == json.loads(words["qmp"])
    assert shlex.split(hmp_words("x", "stop")["virsh"])[-2:] == ["--hmp", "stop"]


@pytest.mark.parametrize("text", ["info balloon", "help", "", "  ", "x/4x 0", "print 1"])
def test_asking_changes_nothing(text):
    assert not hmp_changes(text)
    assert not qmp_changes("human-monitor-command", {"command-line": text})


def test_a_query_changes_nothing_and_a_command_does():
    assert not qmp_changes("query-status", {})
    assert qmp_changes("stop", {})
    assert hmp_changes("balloon 96")


@pytest.mark.parametrize(
    ("key", "name"),
    [("ctrl", "KEY_LEFTCTRL"), ("a", "KEY_A"), ("ret", "KEY_ENTER"), ("kp_7", "KEY_KP7")],
)
def test_a_key_has_the_name_that_virsh_knows_it_by(key, name):
    assert linux_key(key) == name
