"""What a guest has written to its serial console: QEMU keeps it in a file beside the socket."""

from __future__ import annotations

from pathlib import Path

from kvmnb.engines.qemu import process

__all__ = ["Console"]

TAIL_BYTES = 64 << 10
"""As much of it as is ever read: screens of text, little work."""


class Console:
    """The log of one guest's serial console; empty where it has none.

    Parameters
    ----------
    run_dir : the guest's run folder
    """

    def __init__(self, run_dir: Path) -> None:
        self._log = run_dir / "serial.log"

    @property
    def size(self) -> int:
        """How much it has written so far, in bytes."""
        try:
            return self._log.stat().st_size
        except OSError:
            return 0

    def since(self, size: int) -> str:
        """Return what it has written since it had written `size` bytes, at most the last 64 KiB."""
        return process.tail(self._log, min(TAIL_BYTES, self.size - size))

    def lines(self, count: int) -> str:
        """Return its last lines."""
        return "\n".join(process.tail(self._log, TAIL_BYTES).splitlines()[-count:])
