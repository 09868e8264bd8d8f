"""The access log: lines are gathered, and many are written at once.

What a line says is :mod:`quaich.server.logs.access_format`'s.
"""

import os
import select
import stat
import sys
from threading import Lock
from typing import Final, TextIO

from quaich.exchange.log import SafeLogger
from quaich.server.logs.access_format import Entry, compile_format

logger = SafeLogger("quaich.error")

# Bytes that are written without waiting for the loop. It comes by once a second at the latest,
# so this is for a busy server only; a write() of this size costs little more than a small one.
FLUSH_SIZE: Final = 64 * 1024

# Bytes kept for a destination that takes nothing. Then lines are lost: better they than memory.
BUFFER_MAX: Final = 1024 * 1024

# What a pipe takes whole or not at all, so that workers that share one do not cut each other's
# lines. 512 is what POSIX promises.
_PIPE_BUF: Final[int] = getattr(select, "PIPE_BUF", 512)


class _File:
    """A descriptor of our own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)

    def write(self, data: bytes, start: int) -> int:
        """Write some of what comes after ``start``; return how much."""
        end = len(data) if self._is_regular else start + _PIPE_BUF
        if end < len(data):
            end = data.rfind(b"\n", start, end) + 1 or end  # whole lines, if one fits
        return os.write(self._descriptor, data[start:end])

    def close(self) -> None:
        try:
            os.close(self._descriptor)
        except OSError as error:
            logger.error("closing the access log: %s", error)


class _Stream:
    """A ``sys.stdout`` that is no file, as in tests and notebooks."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, data: bytes, start: int) -> int:
        try:
            self._stream.write(data[start:].decode("utf-8", "surrogateescape"))
            self._stream.flush()
        except Exception as error:  # whatever a program has put there
            raise OSError(str(error)) from error
        return len(data) - start

    def close(self) -> None:
        pass


def _open(path: str) -> _File | _Stream | None:
    """Where lines go; None, and said so, if there is no standard output."""
    if path != "-":
        return _File(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666))
    stream = sys.stdout
    try:
        stream.flush()  # what the program has written comes first
        # A copy: if somebody closes stdout, its number may become a connection's.
        return _File(os.dup(stream.fileno()))
    except (OSError, ValueError, AttributeError):
        if stream is not None and not getattr(stream, "closed", False):
            return _Stream(stream)
    logger.error("there is no standard output for the access log")
    return None


class AccessLog:
    """Lines on their way to a file. Any thread may call anything here.

    No method raises, but the constructor: OSError for the file, ValueError for the format. What
    becomes of a log that cannot be written is said once on ``quaich.error``; lines are kept up
    to :data:`BUFFER_MAX` in case it can be again (a full disk, a pipe that nobody reads), and
    then lost. A *blocking* pipe whose reader sleeps blocks whoever flushes: stdout's mode is
    not ours to change, since other processes share it.

    :meth:`reopen` and :meth:`close` are not for a signal handler: it may have interrupted the
    thread that holds a lock.
    """

    def __init__(self, path: str, format: str) -> None:
        """``path``: a file, to which lines are added, or ``-`` for stdout."""
        self._format = compile_format(format)
        self._path = path

        # Held while lines are written: one after another, in their order. Taken before _lock.
        self._writing = Lock()
        self._destination = _open(self._path)
        self._is_failing = False
        self._is_torn = False  # the first of _lines lacks its beginning, which is written

        # Held for a moment, over these three.
        self._lock = Lock()
        self._lines: list[str] = []
        self._size = 0
        self._lost = 0  # lines, since the last that was written

    def write(self, entry: Entry) -> None:
        """Take the line of a request. Writes only when there are :data:`FLUSH_SIZE` bytes."""
        if self._destination is None:
            return
        line = self._format(entry) + "\n"
        with self._lock:
            before = self._size
            if before >= BUFFER_MAX:
                self._lost += 1
                return
            self._lines.append(line)
            self._size = size = before + len(line)
        # Who gets past the mark writes; if that fails, the loop is to try again, not everyone.
        if before < FLUSH_SIZE <= size:
            self.flush()

    def flush(self) -> None:
        """Write what there is: to a file at once, elsewhere in parts that stay in one piece."""
        if self._lines:  # without the lock: a line that comes now is the next flush's
            with self._writing:
                self._flush()

    def reopen(self) -> None:
        """Open the path anew, after the file has been moved away. If that fails, lines still
        go to the old one."""
        with self._writing:
            self._flush()
            try:
                destination = _open(self._path)
            except OSError as error:
                logger.error("the access log %s cannot be opened anew: %s", self._path, error)
                return
            former, self._destination = self._destination, destination
            if former is not None:
                former.close()
            with self._lock:
                if self._is_torn:
                    # The rest of a line would pass for a line.
                    self._lines[0] = self._lines[0].partition("\n")[2]
                    self._is_torn = False
                    self._lost += 1
            self._flush()

    def close(self) -> None:
        """Write what there is; what comes later is dropped."""
        with self._writing:
            self._flush()
            former, self._destination = self._destination, None
            if former is None:
                return
            former.close()
            with self._lock:
                lost = self._lost + "".join(self._lines).count("\n")
                self._lines.clear()
        if lost:
            logger.warning("the access log %s is closed; lines lost: %d", self._path, lost)

    def _flush(self) -> None:
        """With ``_writing`` held."""
        destination = self._destination
        if destination is None:
            return
        with self._lock:
            data = "".join(self._lines).encode("utf-8", "surrogateescape")
            self._lines.clear()
            self._size = 0
            lost = self._lost
        start = 0
        try:
            while start < len(data):
                start += destination.write(data, start)
        except OSError as error:
            if start:
                self._is_torn = data[start - 1 : start] != b"\n"
            with self._lock:
                self._lines.insert(0, data[start:].decode("utf-8", "surrogateescape"))
                self._size += len(data) - start
            # EAGAIN, from a descriptor that is not to block, is nothing as long as lines fit.
            if not self._is_failing and (lost or not isinstance(error, BlockingIOError)):
                self._is_failing = True
                logger.error("the access log %s cannot be written: %s", self._path, error)
            return
        self._is_torn = False
        if self._is_failing or lost:
            self._is_failing = False
            with self._lock:
                self._lost -= lost
            logger.warning("the access log %s is written again; lines lost: %d", self._path, lost)
