"""Processes and QEMUs killed at any moment of a copy, a step back or a quick start.

Nothing is lost: the guest runs, memory and disk agree. Nothing is left: what was begun is whole,
or gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time

import pytest

from kvmnb import Host, KvmnbError
from kvmnb.engines.qemu import leases, record
from kvmnb.engines.qemu.folders import Roots
from kvmnb.engines.qemu.proc import find_by_argument
from tests.engines.qemu.kernels import LIMIT_S, until
from tests.engines.qemu.test_time_soak import CHANCE, count, counted, rounds

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


def half_done(name: str = "original") -> list[str]:
    """Return what a process may leave that was killed, and nobody is to find."""
    roots = Roots.from_environment()
    folder = roots.guest(name)
    found: list[object] = [
        *folder.run.glob("next-*"),
        *folder.run.glob("standstill"),
        *folder.run.glob("*.part"),
        *folder.run.glob(".*.part"),
        *(folder.state / "checkpoints").glob(".*"),
    ]
    for other in roots.folders():
        if other.run.name == name:
            continue
        lives = [each for each in find_by_argument(f"{other.run}/") if each.alive]
        found.append(f"{other.run} {lives}")
    found += list(roots.strays())
    return [str(each) for each in found]


def nothing_half_done(name: str = "original") -> None:
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end and half_done(name):
        time.sleep(0.02)
    assert half_done(name) == []


VERBS = {
    "fork": "g.fork(2)",
    "checkpoint": "g.checkpoint('killed')",
    "kept checkpoint": "g.checkpoint('killed', keep=True)",
    "rewind": "g.rewind('one')",
    "drop": "g.drop('two')",
}


@pytest.mark.parametrize("verb", VERBS)
def test_whoever_uses_a_guest_is_killed_at_any_moment(original, kernel, verb):
    count(original, 1)
    original.checkpoint("one")
    limit_s = {"drop": 0.05, "fork": 2.5}.get(verb, 1.2)
    for _ in rounds(14):
        if verb == "drop":
            original.checkpoint("two")
        shot_after(kernel, CHANCE.uniform(0, limit_s), VERBS[verb])
        until(lambda: not waiting())
        whole_ones_answer()
        goes_on(original)
        nothing_half_done()
        for each in [each for each in original.checkpoints if each.label != "one"]:
            original.rewind(each)
            assert counted(original) == 1
            original.drop(each)


def shot_after(kernel, delay_s: float, code: str, before: str = "") -> None:
    """Let a kernel do something with the guest and kill it so long after it began."""
    other = kernel()
    other("import os, signal, threading; g = kvmnb.Host().guests.get('original')")
    if before:
        other(before)
    shot = f"threading.Timer({delay_s}, os.kill, (os.getpid(), signal.SIGKILL)).start()"
    other.send(f"{shot}; {code}")
    other.ended()
    other.close()


def goes_on(guest) -> None:
    until(lambda: Host().guests["original"].refresh() == "running")
    found = Host().guests["original"]
    assert counted(found) == 1
    assert guest._control.record.process is not None


NAMED = "kvmnb.Host().vm('other').mem(128).smp(2).disk('tiny').nic('virtio')"


@pytest.mark.parametrize("verb", ["fork", "checkpoint", "rewind"])
def test_a_verb_is_interrupted_at_any_moment(original, verb):
    count(original, 1)
    original.checkpoint("one")
    limit_s = {"fork": 1.5}.get(verb, 0.6)
    what = {"fork": 2, "checkpoint": "two", "rewind": "one"}[verb]

    async def interrupted(delay_s: float):
        return await asyncio.wait_for(getattr(original, verb).aio(what), delay_s)

    for _ in rounds(16):
        with contextlib.suppress(TimeoutError):
            asyncio.run(interrupted(CHANCE.uniform(0, limit_s)))
        # interrupted as it returned, it is done all the same: then its copies are whole
        until(lambda: not waiting(owned=True))
        assert whole_ones_answer() in {0, 2}
        nothing_half_done()
        assert original.refresh() == "running"
        assert counted(original) == 1
        for each in [each for each in original.checkpoints if each.label != "one"]:
            original.drop(each)


STARTS = {
    "warm start": ("", f"{NAMED}.start(warm=True)", 0.0, 1.5),
    "spare made": (
        "h = kvmnb.Host(warm=True, spare=1)",
        f"{NAMED.replace('kvmnb.Host()', 'h')}.start().destroy()",
        0.5,
        3.0,
    ),
    "spare used": (
        "h = kvmnb.Host(warm=True, spare=1)\n"
        f"v = {NAMED.replace('kvmnb.Host()', 'h')}\n"
        "v.start().destroy(); kvmnb.portal.run(h.engine.spares.settled())",
        "v.start()",
        0.0,
        0.4,
    ),
    "template": (
        "from kvmnb.engines.qemu.copying import warm; h = kvmnb.Host()",
        "kvmnb.portal.run(warm.keep(h.engine, g._control, 'ab' * 16, None))",
        0.0,
        2.0,
    ),
}


@pytest.mark.parametrize("way", STARTS)
def test_whoever_starts_a_guest_is_killed_at_any_moment(original, kernel, way):
    """What was begun is whole and answers, or is gone."""
    before, code, least_s, most_s = STARTS[way]
    count(original, 1)
    whole = 0
    for _ in rounds(12):
        shot_after(kernel, CHANCE.uniform(least_s, most_s), code, before)
        until(lambda: not waiting())
        whole += whole_ones_answer()
        nothing_half_done()
        goes_on(original)
        with original._control.engine.templates.get("ab" * 16) or contextlib.nullcontext() as kept:
            assert kept is None or way == "template"
        templates = original._control.engine.templates.root
        assert not [each.name for each in templates.iterdir() if each.name.startswith(".")]
        original._control.engine.templates.discard("ab" * 16, "tried")
    print(way, "whole", whole)


def whole_ones_answer() -> int:
    """End all guests but the original, and return how many there were; each was whole."""
    others = [name for name in Host().guests if name != "original"]
    for name in others:
        with Host().guests[name] as found:
            assert found.refresh() == "running"
            mac = found.run("cat /sys/class/net/eth0/address").stdout.strip()
            assert mac == found.info.macs[0]
    return len(others)


def waiting(*, owned: bool = False) -> list[str]:
    """Return the guests that wait for their state, and, unless `owned`, belong to nobody."""
    roots = Roots.from_environment()
    return [
        folder.run.name
        for folder in roots.folders()
        if (owned or not leases.owners(folder))
        and ((found := record.read(folder)) is None or found.keep_s == 0)
    ]


QEMUS = {
    "fork": ("original", "original-1", "original-2"),
    "checkpoint": ("original",),
    "rewind": ("original", "next-"),
}


@pytest.mark.parametrize(("verb", "whose"), [(v, w) for v, ws in QEMUS.items() for w in ws])
def test_a_qemu_is_killed_at_any_moment(warm_vm, verb, whose):
    """A guest whose own QEMU is killed is lost, with nothing left; any other changes nothing."""
    roots, failed = Roots.from_environment(), 0
    for _ in rounds(9):
        guest = warm_vm.start(warm=True)
        count(guest, 1)
        guest.checkpoint("one")
        delay_s = CHANCE.uniform(0, {"checkpoint": 0.4}.get(verb, 0.9))
        where = f"/{whose}" if whose == "next-" else f"{roots.guest(whose).run_dir}/"
        shot = threading.Thread(target=shoot, args=(where, delay_s), daemon=True)
        shot.start()
        try:
            done = getattr(guest, verb)({"fork": 2, "checkpoint": "two", "rewind": "one"}[verb])
        except KvmnbError as error:
            failed += 1
            print(verb, whose, f"{delay_s:.2f}", repr(error)[:150])
            done = None
        shot.join()
        for copy in done if isinstance(done, list) else ():
            with contextlib.suppress(KvmnbError):
                copy.destroy()
        try:
            assert counted(guest) == 1
            nothing_half_done()
            guest.destroy()
        except KvmnbError:
            assert whose in {"original", "next-"}  # which may be the guest's own by then
            until(lambda: guest.state in {"lost", "shutdown"})  # noqa: B023
        until(lambda: not [each for each in roots.run.iterdir() if each.is_dir()])
        assert not find_by_argument(f"{roots.run_dir}/")
        assert not list(roots.state.iterdir())
    print(verb, whose, "failed", failed)


def shoot(where: str, delay_s: float) -> None:
    """Wait for a QEMU with this in its command line and kill it so long after that."""
    end = time.monotonic() + LIMIT_S
    while not (found := find_by_argument(where)):
        if time.monotonic() > end:
            return
        time.sleep(0.005)
    time.sleep(delay_s)
    for each in found:
        each.signal(signal.SIGKILL)
