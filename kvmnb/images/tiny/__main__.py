"""``python -m kvmnb.images.tiny``: build the tiny guest and say where it is."""

from __future__ import annotations

import sys
import time

from kvmnb.errors import KvmnbError
from kvmnb.images.catalogue import Images
from kvmnb.images.tiny.cache import tiny


def main() -> int:
    """Print paths and times; ``--refresh`` looks for newer packages."""
    start = time.monotonic()
    last = [""]

    def report(what: str, done: float, total: float | None, detail: str) -> None:
        if what != last[0]:
            last[0] = what
            print(f"{time.monotonic() - start:6.1f} s  {what}  {detail}", flush=True)

    try:
        image = tiny(Images().folder, report, refresh="--refresh" in sys.argv[1:])
    except KvmnbError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{time.monotonic() - start:6.2f} s  {image.os}")
    for name in ("disk", "kernel", "initrd"):
        path = getattr(image, name)
        print(f"  {name:<8}{path}  {path.stat().st_size} B")
    print(f"  append  {image.append}")
    return 0


raise SystemExit(main())
