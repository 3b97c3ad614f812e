"""A spec as the fluent Python that builds it again, with what is a default left out."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator
from typing import Any

from kvmnb.builder import python_board as board
from kvmnb.builder import python_devices as devices
from kvmnb.builder.python_words import Call, Job, Writer, each, one, source_text
from kvmnb.spec.codec import HOMES
from kvmnb.spec.devices import RNG, Balloon
from kvmnb.spec.domain import DomainSpec

__all__ = ["bare", "python"]

LINE = 88
"""Columns that a line may have before its verbs are put one below the other."""


def bare(name: str) -> DomainSpec:
    """Return a guest with memory and a processor, and nothing that was not asked for."""
    nothing: dict[str, Any] = {"serials": (), "agent": False, "displays": (), "videos": ()}
    return DomainSpec(name=name, balloon=None, rng=None, vmgenid=None, **nothing)


def python(spec: DomainSpec, refused: Collection[str] = ()) -> str:
    """Return a few lines of Python that make ``vm``, the same guest as `spec`.

    Parameters
    ----------
    refused : words that a verb would refuse here: paths that are not there, images, boards and
        models that this host does not know. What has one is written as a part of the spec, which
        nobody checks against the host before the guest starts
    """
    texts = []
    for base in (DomainSpec(name=spec.name), bare(spec.name)):
        calls = list(_calls(Job(spec, base, frozenset(refused))))
        first = f"Host().vm({source_text(spec.name)}{', bare=True' if not base.agent else ''})"
        texts.append(_laid_out(first, calls))
    shortest = min(texts, key=len)
    return f"{_imports(shortest)}\n\n{shortest}\n"


def _laid_out(first: str, calls: list[Call]) -> str:
    line = f"vm = {first}{''.join(map(str, calls))}"
    if len(line) <= LINE:
        return line
    lines = [first, *(each.laid_out(LINE - 4) for each in calls)]
    return "vm = (\n" + textwrap.indent("\n".join(lines), "    ") + "\n)"


def _imports(code: str) -> str:
    # a name of ours within a string is imported too, which does no harm
    names = {"Host", *(name for name in HOMES if re.search(rf"(?<![\w.]){name}\(", code))}
    return f"from kvmnb import {', '.join(sorted(names))}"


def _calls(job: Job) -> Iterator[Call]:
    for fields, write in _WRITERS:
        if any(getattr(job.spec, field) != getattr(job.base, field) for field in fields):
            yield from write(job)


_WRITERS: tuple[tuple[tuple[str, ...], Writer], ...] = (
    (("memory",), board.memory),
    (("cpu",), board.cpu),
    (("numa",), board.numa),
    (("arch",), one("arch", "arch")),
    (("machine", "machine_options"), board.options("machine")),
    (("accel", "accel_options"), board.options("accel")),
    (("paravirt",), one("paravirt", "paravirt")),
    (("firmware",), board.firmware),
    (("disks",), devices.disks),
    (("scsi",), one("scsi", "scsi")),
    (("cdroms",), devices.cdroms),
    (("floppies",), devices.floppies),
    (("boot",), board.boot),
    (("cloud_init",), devices.cloud_init),
    (("nics",), devices.nics),
    (("serials",), devices.serials),
    (("parallels",), devices.backs("parallel", "parallels")),
    (("consoles",), devices.backs("console", "consoles")),
    (("channels",), devices.backs("channel", "channels")),
    (("monitors",), devices.backs("monitor", "monitors")),
    (("agent",), one("agent", "agent")),
    (("displays", "videos"), devices.screen),
    (("usb",), one("usb", "usb")),
    (("inputs",), devices.inputs),
    (("sounds",), devices.sounds),
    (("watchdog",), devices.watchdog),
    (("balloon",), devices.switch("balloon", "balloon", Balloon())),
    (("rng",), devices.switch("rng", "rng", RNG())),
    (("vmgenid",), devices.vmgenid),
    (("tpm",), devices.tpm),
    (("shares",), devices.shares),
    (("vsock",), devices.vsock),
    (("hostdevs",), devices.hostdevs),
    (("clock",), board.clock),
    (
        ("on_poweroff", "on_reboot", "on_crash", "suspend_to_mem", "suspend_to_disk", "acpi"),
        board.power,
    ),
    (("paused",), one("paused", "paused")),
    (("incoming",), one("incoming", "incoming")),
    (("autostart",), one("autostart", "autostart")),
    (("osinfo",), one("osinfo", "osinfo")),
    (("uuid",), one("uuid", "uuid")),
    (("title", "description"), board.about),
    (("extra_args",), each("extra_args", "extra_args")),
    (("extra_xml",), each("extra_xml", "extra_xml")),
)
