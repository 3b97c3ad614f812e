"""What the fluent line up to `vm.command()` costs in a fresh process, over bare Python.

The probe's cache is warm: QEMU was asked once before, and what it said is on disk.
"""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks._ratio import Figures, in_turn

ROUNDS = 21

LINE = """
from kvmnb import Host
vm = Host().vm("bench").mem(128).smp(2).disk("tiny").nic("virtio")
assert "qemu-system" in str(vm.command())
"""

HEAVY = "{'IPython', 'ipywidgets', 'anywidget', 'plotly', 'pandas', 'numpy', 'libvirt'}"


def python(code: str) -> None:
    """Run `code` in a fresh Python, which may keep its bytecode as any user's does."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    argv = [sys.executable, "-c", code]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, env=environment)


def main() -> None:
    """Check that nothing heavy is loaded on the way, then take the figure."""
    python(f"{LINE}\nimport sys\nloaded = {HEAVY} & set(sys.modules)\nassert not loaded, loaded")
    bare, ours = in_turn(lambda: python("pass"), lambda: python(LINE), rounds=ROUNDS)
    figures = Figures()
    figures.over("the fluent line to vm.command() over bare Python", ours, bare, 0.060)
    figures.end()


if __name__ == "__main__":
    main()
