"""Children of this process that go on when it ends: guests, and their reaper."""

from __future__ import annotations

import subprocess

__all__ = ["Outliving"]


class Outliving(subprocess.Popen[bytes]):
    """A child that may outlive this process, and is no mistake then."""

    def __del__(self) -> None:
        """Do without the base class's warning that it still runs."""
