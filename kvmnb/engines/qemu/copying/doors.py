"""Ports of the host that lead into a guest, when another QEMU is to take over from its own.

Only one process can listen on a port. So the other one starts without, and gets them by its
monitor once the first has ended (HMP ``hostfwd_add``).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from kvmnb.errors import StateError
from kvmnb.spec.network import User

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl
    from kvmnb.engines.qemu.plan import Plan
    from kvmnb.spec.domain import DomainSpec

__all__ = ["lines", "open_again", "shut"]


def shut(plan: Plan) -> Plan:
    """Return the plan of a QEMU that listens on none of these ports."""
    nics = tuple(
        dataclasses.replace(nic, back=dataclasses.replace(nic.back, forwards=()))
        if isinstance(nic.back, User)
        else nic
        for nic in plan.told.nics
    )
    return dataclasses.replace(plan, told=dataclasses.replace(plan.told, nics=nics))


def lines(spec: DomainSpec) -> tuple[str, ...]:
    """Return what the monitor is to be told."""
    from kvmnb.compile.qemu_netbacks import forward_words
    from kvmnb.compile.qemu_network import card_name

    return tuple(
        f"hostfwd_add {card_name(index, nic)} {forward_words(each)}"
        for index, nic in enumerate(spec.nics)
        if isinstance(nic.back, User)
        for each in nic.back.forwards
    )


async def open_again(control: QemuControl) -> None:
    """Let the guest's ports lead into it.

    Raises
    ------
    StateError   another process was faster: the guest is whole, but that port does not lead there
    """
    for line in lines(control.info.spec):
        said = await control.qmp("human-monitor-command", {"command-line": line})
        if said.strip():
            raise StateError(control.name, "running", f"but not reached: {said.strip()}")
