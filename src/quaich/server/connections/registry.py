"""All connections of the process: how they begin, how they end, and which are overdue."""

from collections.abc import Callable, Iterator
from typing import Final

from quaich.exchange.call import PeerGone
from quaich.server.connections.connection import Connection, State
from quaich.server.poller import Poller
from quaich.settings import Timeouts

_WAITING: Final = frozenset({State.HEAD, State.HANDSHAKE, State.PREFACE})
"""What connections wait in for a request."""

_BEGUN_MAX: Final = 64
"""Connections that are found at once where all have begun a request."""


class Connections:
    """The connections, by descriptor. The leader adds; whoever owns one ends it."""

    def __init__(self, poller: Poller, timeouts: Timeouts) -> None:
        self._poller = poller
        self._timeouts = timeouts
        self.by_fd: dict[int, Connection] = {}
        self._oldest: list[tuple[float, Connection]] = []  # idle ones, the oldest last
        self.on_room: Callable[[], None] | None = None
        """Called once, when a connection ends, by its owner."""

    def __len__(self) -> int:
        return len(self.by_fd)

    def add(self, connection: Connection) -> None:
        """Watch a new connection."""
        self.by_fd[connection.fd] = connection
        try:
            self._poller.add(connection.fd)
        except OSError:
            del self.by_fd[connection.fd]
            connection.state = State.CLOSED
            connection.socket.close()

    def close(self, connection: Connection) -> None:
        """End a connection. Its owner calls this; once is enough, twice does no harm."""
        if connection.state is State.CLOSED:
            return
        connection.state = State.CLOSED
        connection.gone = True
        # In this order: the number of the descriptor may belong to another at once.
        self.by_fd.pop(connection.fd, None)
        self._poller.remove(connection.fd)
        if connection.outbox is not None:
            connection.outbox.fail(PeerGone("the connection is closed"))
        connection.drop_content()
        connection.request = connection.base = connection.repetition = connection.stream = None
        connection.buffer = b""
        try:
            connection.socket.close()
        except OSError:
            pass
        if self.on_room is not None:
            on_room, self.on_room = self.on_room, None
            if on_room is not None:  # another thread was not quicker
                on_room()

    def reset(self, connection: Connection) -> None:
        """End a connection so that the peer sees an error, not an end (S91)."""
        try:
            connection.reset_when_closed()
        except OSError:
            pass
        self.close(connection)

    def overdue(self, now: float) -> Iterator[Connection]:
        """Those that the leader owns and whose deadline has passed."""
        for connection in list(self.by_fd.values()):
            if connection.deadline < now and not connection.busy:
                yield connection

    def expendable(self) -> Connection | None:
        """The one that loses least if it is closed for a new one: that which has been idle the
        longest; where none is, that which has been sending its head the longest. None of which
        something has come that has not been read: it may well be a request."""
        for _ in range(2):
            while self._oldest:
                deadline, connection = self._oldest.pop()
                if (
                    connection.state in _WAITING
                    and not connection.busy
                    and connection.deadline == deadline
                    and not connection.has_unread()
                ):
                    return connection
            self._oldest = self._find_expendable()
        return None

    def _find_expendable(self) -> list[tuple[float, Connection]]:
        idle: list[tuple[float, Connection]] = []
        begun: list[tuple[float, Connection]] = []
        for each in self.by_fd.values():
            if each.state in _WAITING and not each.busy:
                (idle if each.is_idle() else begun).append((each.deadline, each))
        if idle:
            return sorted(idle, key=lambda item: self.idle_since(item[1]), reverse=True)
        # Not all: others may be idle again before their turn comes.
        return sorted(begun, key=_deadline)[:_BEGUN_MAX][::-1]

    def idle_since(self, connection: Connection) -> float:
        """When a connection without a request began to be idle (monotonic)."""
        # One that has sent no request yet has less time for it.
        is_new = connection.request is None
        times = self._timeouts
        return connection.deadline - (times.header_timeout if is_new else times.keep_alive)


def _deadline(item: tuple[float, Connection]) -> float:
    return item[0]
