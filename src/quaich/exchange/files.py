"""What a file tells about a response before it is read (S113, S116)."""

import io
import os
import stat
from typing import Any


class FileSlice:
    """The bytes of an open file from ``start`` up to ``stop``, as a file of their own.

    Whoever iterates gets these and no more; whoever knows the class may let the system send them,
    from :meth:`tell` on. It moves the file's position with each read, so several slices of one
    file may be read in turns by one thread.
    """

    def __init__(self, file: io.FileIO, start: int, stop: int) -> None:
        self._file = file
        self._position = start
        self._stop = stop
        self.close = file.close
        self.fileno = file.fileno

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; ``b""`` at the end."""
        size = min(size, self._stop - self._position)
        if size <= 0:
            return b""
        self._file.seek(self._position)
        data = self._file.read(size)
        self._position += len(data)
        return data

    def tell(self) -> int:
        """The position in the whole file."""
        return self._position

    def seek(self, position: int, /) -> None:
        """Go to a position in the whole file."""
        self._position = position

    def size_left(self) -> int:
        """Bytes up to the end of the slice, whether or not the file still has them: whoever has
        made it has looked."""
        return max(0, self._stop - self._position)


def size_left(filelike: Any, read: int = 0) -> int | None:
    """Bytes from the current position of a regular file to its end; None for anything else.

    ``read`` bytes in front of the position are counted in: the block that the caller holds.
    Only for what :func:`open` returns in binary mode: other objects may well have a
    ``fileno()`` and yet give other bytes (a GzipFile has that of the compressed file).
    """
    raw = filelike
    try:
        if type(filelike) is FileSlice:
            return filelike.size_left() + read
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
