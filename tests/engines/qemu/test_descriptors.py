"""Descriptors that are given to QEMU over its monitor."""

from __future__ import annotations

import asyncio
import os

import pytest

from kvmnb import portal
from kvmnb.engines.qemu.monitor import MonitorClosed

pytestmark = pytest.mark.guest


@pytest.fixture
def control(launch, host):
    return launch(host.vm("given").mem(32))._control


def test_each_of_many_given_at_once_arrives_under_its_name(control, tmp_path):
    pipes = [os.pipe() for _ in range(8)]

    async def give():
        async with control.monitor.hearing():
            await asyncio.gather(
                *(control.monitor.give_fd(f"pipe{i}", into) for i, (_, into) in enumerate(pipes))
            )
            for _, into in pipes:
                os.close(into)
            # QEMU lets go of one at a time: its pipe ends, and no other
            for i in range(len(pipes)):
                await control.qmp("closefd", {"fdname": f"pipe{i}"})
                ended.append([n for n, (out, _) in enumerate(pipes) if n >= i and ends(out)])

    def ends(out):
        os.set_blocking(out, False)
        try:
            return os.read(out, 1) == b""
        except BlockingIOError:
            return False

    ended: list[list[int]] = []
    portal.run(give())
    for out, _ in pipes:
        os.close(out)
    assert ended == [[i] for i in range(len(pipes))]


def test_the_shared_monitor_takes_one_too(control, kernel):
    other = kernel()
    other("import os; from kvmnb import portal; c = kvmnb.Host().guests['given']._control")
    other(
        "async def give():\n    async with c.monitor.hearing():\n"
        "        await c.monitor.give_fd('x', 0)\n"
        "        await c.qmp('closefd', {'fdname': 'x'})\n"
    )
    assert other("portal.run(give())") == ""


def test_outside_of_hearing_another_process_gives_none(control, kernel):
    other = kernel()
    other("from kvmnb import portal; c = kvmnb.Host().guests['given']._control")
    assert "outside of hearing" in other("portal.run(c.monitor.give_fd('x', 0))")


def test_a_descriptor_for_a_qemu_that_is_gone_is_refused(launch, host):
    guest = launch(host.vm("ended").mem(32))
    control = guest._control
    guest.destroy()
    with pytest.raises(MonitorClosed):
        portal.run(control.monitor.give_fd("x", 0))
