"""What a connection could not send yet.

It is there only while there is something in it, or while several responses are gathered for one
send. Two threads may use it at once: the one that answers adds to it, the leader sends from it.
So it has a lock, and nothing else of a connection has one.
"""

import errno
import os
import socket
import threading
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from quaich.exchange.call import PeerGone
from quaich.exchange.files import Piece

_PARTS_MAX: Final = 64
"""Blocks for one sendmsg(); the system takes 1024 (IOV_MAX)."""

TURN_MAX: Final = 2 * 1024 * 1024
"""Bytes of files for one flush, after which others get their turn: to a client that reads as fast
as they come, it would go on for gigabytes. nginx has the same (sendfile_max_chunk)."""

_READ_MAX: Final = 65536  # bytes of a file that are read for one send()

# What sendfile() says of a file that it cannot send, on some file systems.
_CANNOT: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})

_Part = Any  # bytes, memoryview or FileRange


class OpenFile:
    """A descriptor of our own, so that the application may close its. Closed with the last of the
    ranges that use it; under the lock of the outbox that has them."""

    __slots__ = ("fd", "users")

    def __init__(self, fd: int) -> None:
        self.fd = os.dup(fd)
        self.users = 0

    def release(self) -> None:
        self.users -= 1
        if not self.users:
            os.close(self.fd)


class FileRange:
    """Bytes of a file that are still to be sent."""

    __slots__ = ("_file", "offset", "size", "unsendable")

    def __init__(self, file: OpenFile, offset: int, size: int) -> None:
        file.users += 1
        self._file = file
        self.offset = offset
        self.size = size
        self.unsendable = False  # by the system; so it is read here

    def __len__(self) -> int:
        return self.size

    def send(self, connection: socket.socket) -> int:
        """Send what the peer takes now; how many bytes. OSError, if the file has become
        shorter."""
        if not self.unsendable:
            try:
                sent = os.sendfile(
                    connection.fileno(), self._file.fd, self.offset, min(self.size, TURN_MAX)
                )
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
                self.unsendable = True
            else:
                return self._some(sent)
        data = os.pread(self._file.fd, min(self.size, _READ_MAX), self.offset)
        return connection.send(data) if self._some(len(data)) else 0

    def read(self, most: int) -> bytes:
        """The next bytes, so many at most; they count as sent. OSError as with :meth:`send`."""
        data = os.pread(self._file.fd, min(self.size, most), self.offset)
        self.skip(self._some(len(data)))
        return data

    def skip(self, sent: int) -> None:
        """So many bytes have been sent."""
        self.offset += sent
        self.size -= sent

    def close(self) -> None:
        """To be called once, by who takes it out of the outbox."""
        self._file.release()

    @staticmethod
    def _some(count: int) -> int:
        if not count:
            raise OSError("the file became shorter while it was sent")
        return count


class Outbox:
    """Bytes that wait for the peer to take them, in their order.

    ``size``: how many. ``broken``: why they never will be taken, once that is so.
    """

    __slots__ = ("_parts", "_socket", "_taken", "broken", "lock", "size", "total")

    def __init__(self, connection: socket.socket, lock: "threading.Lock | None" = None) -> None:
        """``lock``: one that the connection has already for its sending."""
        self._socket = connection
        self._parts: deque[_Part] = deque()
        self.size = 0
        self.total = 0  # bytes taken so far: progress, for the timeout
        self.broken: OSError | None = None
        self.lock = lock or threading.Lock()
        self._taken = threading.Condition(self.lock)

    def put(self, data: Any) -> None:
        """Add bytes."""
        with self.lock:
            self.add(data)

    def add(self, data: Any) -> None:
        """As :meth:`put`, for a caller that holds the lock."""
        if data:  # the peer would never take an empty part
            self._parts.append(data)
            self.size += len(data)

    def put_file(self, fd: int, pieces: Iterable[Piece]) -> None:
        """Add pieces of an open file, at least one of them of the file. OSError, if the system has
        no descriptor to give."""
        file = OpenFile(fd)
        with self.lock:
            for piece in pieces:
                self.add(piece if isinstance(piece, bytes) else FileRange(file, *piece))

    def part(self) -> None:
        """Nothing will be added. With TLS, the peer is told so behind the last byte."""

    def flush(self) -> bool:
        """Send what the peer takes now; whether it took all. Raises :class:`PeerGone`."""
        with self.lock:
            if self.broken is not None:
                raise PeerGone(str(self.broken)) from self.broken
            try:
                return self._send_all()
            except OSError as error:
                self._break(error)
                raise PeerGone(str(error)) from error

    def _send_all(self) -> bool:
        """Holds the lock."""
        begun = self.total
        while self._parts:
            if not self._send_some():
                return False
            if self.total - begun >= TURN_MAX and self._parts:
                return False  # who asks for room then is told at once, behind the others
        return True

    def _send_some(self) -> bool:
        """One system call; False if the peer took nothing more for now. Holds the lock."""
        first = self._parts[0]
        try:
            if type(first) is FileRange:
                sent = first.send(self._socket)
            elif len(self._parts) == 1:
                sent = self._socket.send(first)
            else:
                sent = self._socket.sendmsg(self._first_parts())
        except BlockingIOError:
            return False
        self.size -= sent
        self.total += sent
        while sent:
            first = self._parts[0]
            if sent < len(first):
                if type(first) is FileRange:
                    first.skip(sent)
                else:
                    self._parts[0] = memoryview(first)[sent:]
                break
            sent -= len(first)
            if type(self._parts.popleft()) is FileRange:
                first.close()
        self._taken.notify_all()
        return True

    def _first_parts(self) -> list[Any]:
        parts: list[Any] = []
        for part in self._parts:
            if type(part) is FileRange or len(parts) == _PARTS_MAX:
                break
            parts.append(part)
        return parts

    def wait_for_room(self, limit: int, timeout: float) -> None:
        """Wait until no more than ``limit`` bytes are left. Raises :class:`PeerGone`, also if the
        peer takes none for ``timeout`` seconds."""
        with self.lock:
            while self.size > limit and self.broken is None:
                before = self.total
                if not self._taken.wait(timeout) and self.total == before:
                    self._break(TimeoutError(f"the client has read nothing for {timeout:g} s"))
            if self.broken is not None:
                raise PeerGone(str(self.broken)) from self.broken

    def fail(self, error: OSError) -> None:
        """The peer will take no more; who waits for it is told."""
        with self.lock:
            self._break(error)

    def _break(self, error: OSError) -> None:
        # Its traceback would keep the blocks of the response, by the frames of the call.
        self.broken = self.broken or error.with_traceback(None)
        for part in self._parts:
            if type(part) is FileRange:
                part.close()
        self._parts.clear()
        self.size = 0
        self._taken.notify_all()
