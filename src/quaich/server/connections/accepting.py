"""New connections: accepting them, and what to do when there is no room for more."""

import errno
import socket
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from quaich.exchange.log import SafeLogger
from quaich.server.connections.connection import Connection, State
from quaich.server.connections.registry import Connections
from quaich.server.connections.surroundings import LoopSide
from quaich.server.opening import Preface
from quaich.server.poller import Poller
from quaich.types import WSGIEnvironment

if TYPE_CHECKING:  # a server without TLS is not to load OpenSSL
    from quaich.server.tls.certificates import Certificates

logger = SafeLogger("quaich.error")

_AT_ONCE: Final = 64
"""Connections accepted before those that are there get their turn again."""

_AT_ONCE_SHARED: Final = 8
"""The same where other processes accept from the same listeners: they are to get some."""

_AT_THE_END: Final = 4096
"""Connections that are still accepted when no more are to come: those that waited already."""

_PAUSE: Final = 0.5
"""Seconds for which nothing is accepted where there is no room at all."""

# The process, the system or the kernel's memory has no descriptor to give.
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listener:
    """A listening socket, what the environ of its requests has in common, and what comes before
    the first request of a connection: a header of the PROXY protocol, a TLS handshake, both, or
    nothing."""

    def __init__(
        self,
        listening: socket.socket,
        environ: WSGIEnvironment,
        certificates: "Certificates | None" = None,
        preface: Preface | None = None,
    ) -> None:
        self.socket = listening
        self.fd = listening.fileno()
        self.environ = environ
        self.certificates = certificates
        self.preface = preface
        self._kind = Connection if certificates is None else certificates.connection

    def connection(self, accepted: socket.socket, peer: Any, loop: LoopSide) -> Connection | None:
        """The connection of a socket; None if it is refused."""
        preface = self.preface
        if preface is not None and not preface.admits(peer):
            logger.debug("%s may not connect: proxy_allow_from does not name it", peer[0])
            return None
        connection = self._kind(accepted, peer, loop, self)
        if preface is not None:
            connection.state = State.PREFACE
        return connection


class Acceptor:
    """Accepts for all listeners. The leader's alone."""

    def __init__(
        self,
        listeners: list[Listener],
        connections: Connections,
        poller: Poller,
        most: int,
        on_room: Callable[[], None],
        *,
        is_shared: bool = False,
    ) -> None:
        """``on_room`` is called when a pause is over early; :meth:`maybe_resume` is due then.
        ``is_shared``: other processes accept from the same listeners."""
        self.listeners = {listener.fd: listener for listener in listeners}
        self._connections = connections
        self._poller = poller
        self._most = most
        self._on_room = on_room
        self._paused_until = 0.0
        self._is_shared = is_shared
        self._at_once = _AT_ONCE_SHARED if is_shared else _AT_ONCE
        for fd in self.listeners:
            poller.add_listener(fd)

    def accept(self, listener: Listener, loop: LoopSide, deadline: float) -> None:
        """Accept those that wait; ``deadline`` is when they must have begun a request
        (monotonic). ``loop`` is that of new connections."""
        before = len(self._connections)
        self._accept(listener, loop, deadline, self._at_once)
        if self._is_shared and len(self._connections) > before and not self._paused_until:
            # The kernel wakes the first that waits in a queue which never turns; whoever has got
            # a connection goes to its end, or one process would get them all.
            self._poller.remove(listener.fd)
            self._poller.add_listener(listener.fd)

    def _accept(self, listener: Listener, loop: LoopSide, deadline: float, most: int) -> None:
        has_made_room = False
        for number in range(most):
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
                connection = listener.connection(accepted, peer, loop)
            except OSError:
                connection = None
            if connection is None:
                accepted.close()
                continue
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

    def look_again(self, loop: LoopSide, deadline: float) -> None:
        """Accept those that wait, also those for which another process was woken that has died
        since: nobody is told of them again."""
        if not self._paused_until:
            for listener in list(self.listeners.values()):
                self.accept(listener, loop, deadline)

    def close(self, loop: LoopSide, deadline: float) -> None:
        """Accept those that wait already, and then no more.

        Where the listener is this process's alone, the system would reset those. Where it is
        shared, this process may have been woken for one, and then nobody else is.
        """
        for listener in list(self.listeners.values()):
            self._poller.remove(listener.fd)  # first: who comes later, wakes others
            self._accept(listener, loop, deadline, _AT_THE_END)
        self.drop()

    def drop(self) -> None:
        """Accept no more, not even those that wait."""
        for listener in self.listeners.values():
            self._poller.remove(listener.fd)
            listener.socket.close()
        self.listeners.clear()
        self._paused_until = 0.0


# Linux lets accepted sockets have the option of their listener.
_INHERITS_NODELAY: Final = hasattr(socket, "TCP_DEFER_ACCEPT")
