"""What a file tells about a response before it is read (S113, S116)."""

import io
import os
import stat
from typing import Any


def size_left(filelike: Any, read: int = 0) -> int | None:
    """Bytes from the current position of a regular file to its end; None for anything else.

    ``read`` bytes in front of the position are counted in: the block that the caller holds.
    Only for what :func:`open` returns in binary mode: other objects may well have a
    ``fileno()`` and yet give other bytes (a GzipFile has that of the compressed file).
    """
    raw = filelike
    try:
        if type(filelike) is io.BufferedReader or type(filelike) is io.BufferedRandom:
            raw = filelike.raw
        if type(raw) is not io.FileIO:
            return None
        status = os.fstat(raw.fileno())
        position: int = filelike.tell()
    except (OSError, ValueError):  # closed, detached, or without a position
        return None
    # A kernel's file (/proc, /sys) has no blocks, and a size that is not its content's.
    if not stat.S_ISREG(status.st_mode) or getattr(status, "st_blocks", 1) == 0:
        return None
    return max(status.st_size - position, 0) + read
