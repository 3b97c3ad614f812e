"""Where a sparse file holds data, and where it has holes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

__all__ = ["extents"]


def extents(fd: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of a file that hold data, as ``(begin, end)`` in bytes.

    They end with the file as it is long at the beginning. The place in the file is moved.

    Raises
    ------
    OSError   it cannot be read
    """
    size, end = os.fstat(fd).st_size, 0
    while end < size:
        try:
            begin = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole up to the end (lseek(2))
                return
            raise
        if begin >= size:
            return
        end = min(os.lseek(fd, begin, os.SEEK_HOLE), size)
        yield begin, end
