"""How a server stops: it accepts no more, and each connection ends after its present request.

    Retiring.begin      from now on, each response says that it is the last
    Retiring.go_on      those that wait are accepted, idle connections are closed, and those that
                        only begin something have a few seconds for it

The leader's work, but for the first.
"""

from collections import deque
from typing import Final

from quaich.server.connections.accepting import Acceptor
from quaich.server.connections.connection import Connection, State
from quaich.server.connections.ending import Ending
from quaich.server.connections.registry import Connections
from quaich.server.connections.surroundings import LoopSide
from quaich.server.poller import READ
from quaich.settings import Timeouts

_LOOK: Final = 0.05  # seconds between two looks at idle connections

_UNFINISHED: Final = 5.0
"""Seconds for what has begun, a handshake or a head, to become a request. A client that means it
needs a few round trips; one that drips would hold up the end until ``graceful_timeout``."""

_BEGINNING: Final = frozenset({State.PREFACE, State.HANDSHAKE, State.HEAD})


class Retiring:
    """See the module. ``ready``: the leader's events, to which this may add."""

    def __init__(
        self,
        connections: Connections,
        acceptor: Acceptor,
        ending: Ending,
        timeouts: Timeouts,
        ready: deque[tuple[int, int]],
    ) -> None:
        self._connections = connections
        self._acceptor = acceptor
        self._ending = ending
        self._timeouts = timeouts
        self._ready = ready
        self._next_look = 0.0
        self.idle = 0.0
        """Seconds that a connection without a request has to have been idle before it is closed. A
        client that is about to send gets its answer then, which says that it is the last; else
        its request could meet the close, and would be lost."""

    def begin(self) -> None:
        """Let the present response of each connection be its last. Any thread may call this."""
        for connection in list(self._connections.by_fd.values()):
            connection.is_closing = True

    def go_on(self, loop: LoopSide, now: float) -> None:
        """See to what is left. ``loop``: that of new connections, ``now``: monotonic."""
        if self._acceptor.listeners:
            self._acceptor.close(loop, now + self._timeouts.header_timeout)
            self.begin()  # also those that have come since
        if now >= self._next_look:
            self._next_look = now + _LOOK
            for connection in list(self._connections.by_fd.values()):
                if connection.busy:
                    continue
                if connection.is_idle():
                    self._close_idle(connection, now)
                elif connection.state in _BEGINNING:
                    connection.deadline = min(connection.deadline, now + _UNFINISHED)

    def _close_idle(self, connection: Connection, now: float) -> None:
        """Close a connection that has been idle for long enough, in two looks: a request that has
        come meanwhile is answered."""
        idle = self.idle
        if not connection.is_leaving:
            if idle and now - self._connections.idle_since(connection) < idle:
                return
            connection.deadline = max(connection.deadline, now + 1.0)  # see Ending.expire
            connection.is_leaving = True
            self._ready.append((connection.fd, READ))
            self._next_look = 0.0
        elif idle:
            # The client sees the end, and what it sends before that is no reason for a reset.
            self._ending.end(connection, linger=True)
            connection.deadline = now + idle
        else:
            self._ending.leave(connection)
