"""New connections: accepting them, and what to do when there is no room for more."""

import errno
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from quaich.exchange.log import SafeLogger
from quaich.server.connection import Connection
from quaich.server.poller import Poller
from quaich.server.registry import Connections
from quaich.types import WSGIEnvironment

logger = SafeLogger("quaich.error")

_AT_ONCE: Final = 64
"""Connections accepted before those that are there get their turn again."""

_PAUSE: Final = 0.5
"""Seconds for which nothing is accepted where there is no room at all."""

# The process, the system or the kernel's memory has no descriptor to give.
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listener:
    """A listening socket, and what the environ of its requests has in common."""

    def __init__(self, listening: socket.socket, environ: WSGIEnvironment) -> None:
        self.socket = listening
        self.fd = listening.fileno()
        self.environ = environ


class Acceptor:
    """Accepts for all listeners. The leader's alone."""

    def __init__(
        self,
        listeners: list[Listener],
        connections: Connections,
        poller: Poller,
        most: int,
        on_room: Callable[[], None],
    ) -> None:
        """``on_room`` is called when a pause is over early; :meth:`maybe_resume` is due then."""
        self.listeners = {listener.fd: listener for listener in listeners}
        self._connections = connections
        self._poller = poller
        self._most = most
        self._on_room = on_room
        self._paused_until = 0.0
        for fd in self.listeners:
            poller.add_listener(fd)

    def accept(self, listener: Listener, owner: Any, deadline: float) -> None:
        """Accept those that wait; ``deadline`` is when they must have begun a request."""
        has_made_room = False
        for number in range(_AT_ONCE):
            if len(self._connections) >= self._most:
                if number:
                    return  # if somebody else waits, that will be reported
                if not self._make_room():
                    self._pause(f"all {self._most} connections are in use")
                    return
            try:
                accepted, peer = listener.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _FULL:
                    # The client went while it waited, or its network failed (accept(2)).
                    logger.debug("a connection was lost before it was accepted: %s", error)
                    continue
                # If that did not help, it is not for the sake of these connections.
                if has_made_room or not self._make_room():
                    self._pause(str(error))
                    return
                has_made_room = True
                continue
            has_made_room = False
            try:
                accepted.setblocking(False)
                if accepted.family != socket.AF_UNIX and not _INHERITS_NODELAY:
                    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                accepted.close()
                continue
            connection = Connection(accepted, peer, owner, listener)
            connection.deadline = deadline
            self._connections.add(connection)

    def _make_room(self) -> bool:
        """Close the connection that loses least by it."""
        expendable = self._connections.expendable()
        if expendable is None:
            return False
        self._connections.close(expendable)
        return True

    def _pause(self, reason: str) -> None:
        logger.warning("no new connections for a moment: %s", reason)
        self._paused_until = monotonic() + _PAUSE
        self._connections.on_room = self._on_room
        for fd in self.listeners:
            self._poller.remove(fd)

    @property
    def is_paused(self) -> bool:
        return self._paused_until > 0

    def maybe_resume(self, now: float) -> None:
        """Accept again after a pause, if it is over, or a connection has ended meanwhile."""
        if self._paused_until and (now >= self._paused_until or self._connections.on_room is None):
            self._connections.on_room = None
            self._paused_until = 0.0
            for fd in self.listeners:
                self._poller.add_listener(fd)

    def close(self) -> None:
        """Accept no more."""
        for listener in self.listeners.values():
            self._poller.remove(listener.fd)
            listener.socket.close()
        self.listeners.clear()
        self._paused_until = 0.0


# Linux lets accepted sockets have the option of their listener.
_INHERITS_NODELAY: Final = hasattr(socket, "TCP_DEFER_ACCEPT")
