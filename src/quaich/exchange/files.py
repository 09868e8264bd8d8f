"""What a file tells about a response before it is read (S113, S116)."""

import io
import os
import stat
from collections import deque
from collections.abc import Iterable
from typing import Any

Piece = bytes | tuple[int, int]
"""Bytes, or bytes of a file: where they begin, and how many."""


class FileParts:
    """Parts of an open file, and bytes before, between and behind them, as a file of their own.

    Whoever iterates gets these and no more; whoever knows the class may let the system send them
    (:meth:`pieces_left`). It moves the file's position with each read, so that one thread may read
    several of them in turns.
    """

    def __init__(self, file: io.FileIO, pieces: Iterable[Piece]) -> None:
        self.file = file
        self._pieces: deque[Piece] = deque(pieces)  # those that have not been read
        self.close = file.close
        self.fileno = file.fileno

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; ``b""`` at the end, and where the file has become shorter."""
        blocks: list[bytes] = []
        while self._pieces and size > 0:
            first = self._pieces[0]
            if isinstance(first, bytes):
                block, rest = first[:size], first[size:]
                is_read = not rest
                self._pieces[0] = rest
            else:
                offset, left = first
                self.file.seek(offset)
                block = self.file.read(min(size, left))
                is_read = len(block) == left
                if not block:
                    self._pieces.clear()
                    break
                self._pieces[0] = (offset + len(block), left - len(block))
            if is_read:
                self._pieces.popleft()
            blocks.append(block)
            size -= len(block)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def size_left(self) -> int:
        """Bytes that have not been read, whether or not the file still has them: whoever has made
        it has looked."""
        return sum(len(each) if isinstance(each, bytes) else each[1] for each in self._pieces)

    def pieces_left(self, size: int) -> list[Piece]:
        """What has not been read, of ``size`` bytes at most."""
        pieces: list[Piece] = []
        for each in self._pieces:
            if size <= 0:
                break
            piece = each[:size] if isinstance(each, bytes) else (each[0], min(each[1], size))
            size -= len(piece) if isinstance(piece, bytes) else piece[1]
            pieces.append(piece)
        return pieces


def size_left(filelike: Any, read: int = 0) -> int | None:
    """Bytes from the current position of a regular file to its end; None for anything else.

    ``read`` bytes in front of the position are counted in: the block that the caller holds.
    Only for what :func:`open` returns in binary mode: other objects may well have a
    ``fileno()`` and yet give other bytes (a GzipFile has that of the compressed file).
    """
    raw = filelike
    try:
        if type(filelike) is FileParts:
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
