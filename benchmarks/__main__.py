"""Run every benchmark in turn: ``python -m benchmarks [NAME…]``; status 1 when a figure is over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TIME_LIMIT_S = 1800


def main(names: list[str]) -> int:
    """Run the scripts named (all where none is) and return 1 if any failed."""
    here = Path(__file__).parent
    scripts = sorted(path for path in here.glob("[!_]*.py") if not names or path.stem in names)
    failed = []
    for script in scripts:
        print(f"== {script.stem}", flush=True)
        argv = [sys.executable, "-m", f"{here.name}.{script.stem}"]
        try:
            done = subprocess.run(argv, cwd=here.parent, timeout=TIME_LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            print(f"{script.stem}: ended after {TIME_LIMIT_S} s", flush=True)
            failed.append(script.stem)
        else:
            failed += [script.stem] if done.returncode else []
    print(f"== {len(scripts) - len(failed)} of {len(scripts)} within their limits", *failed)
    return 1 if failed or not scripts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
