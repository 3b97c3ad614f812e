"""What `import kvmnb` costs over bare Python, and beside `import docker`."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks._ratio import Figures, in_turn

ROUNDS = 31


def python(code: str) -> None:
    """Run `code` in a fresh Python, which may keep its bytecode as any user's does."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    argv = [sys.executable, "-c", code]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, env=environment)


def main() -> None:
    """Take both figures in the same rounds."""
    bare, ours, docker = in_turn(
        lambda: python("pass"),
        lambda: python("import kvmnb"),
        lambda: python("import docker"),
        rounds=ROUNDS,
    )
    figures = Figures()
    figures.over("import kvmnb over bare Python", ours, bare, 0.015)
    figures.ratio("import kvmnb beside import docker", ours, docker, 1 / 10, less=bare)
    figures.end()


if __name__ == "__main__":
    main()
