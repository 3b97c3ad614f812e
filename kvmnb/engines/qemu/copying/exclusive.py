"""One at a time: what takes a guest's whole state, or puts one back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kvmnb.engines.qemu.turns import Turn
from kvmnb.errors import StateError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["alone"]


@contextlib.contextmanager
def alone(control: QemuControl) -> Iterator[None]:
    """Keep everybody else, in any process, from the guest's state for as long as the block lasts.

    Raises
    ------
    StateError   somebody is at it, or the guest is gone
    """
    name = control.info.name
    turn = Turn(control.folder.run / "state")
    try:
        ours = turn.try_take()
    except FileNotFoundError:
        raise StateError(name, "gone", "start it again") from None
    if not ours:
        raise StateError(name, "being saved or put back", "wait until that is done")
    try:
        yield
    finally:
        turn.release()
