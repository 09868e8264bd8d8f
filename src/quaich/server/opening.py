"""What comes on a connection before its first request: a header of the PROXY protocol, and the
handshake of TLS, in this order.

    Opening.go_on         something has come
      _read_preface         State.PREFACE
      _shake_hands          State.HANDSHAKE
        _answer_plain         HTTP where TLS is spoken

The leader's work. Whoever stays silent here, or sends what is neither, is nobody's concern: it
costs no thread and no line of the log above debug, and ends with the time for a head.
"""

import ipaddress
import re
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from quaich.exchange.log import SafeLogger
from quaich.protocol.errors import ProtocolError
from quaich.protocol.proxy import ProxyError, Version, parse_proxy
from quaich.server.clock import Clock
from quaich.server.connections import refusal
from quaich.server.connections.connection import RECEIVE_MAX, Connection, NotTls, State
from quaich.server.connections.ending import RESUME, Ending
from quaich.server.connections.registry import Connections
from quaich.server.poller import READ, Poller
from quaich.server.recording import Recorder

if TYPE_CHECKING:  # a server without TLS is not to load OpenSSL
    from quaich.server.tls.connection import TlsConnection

logger = SafeLogger("quaich.error")

# The beginning of a request line, as far as it has come.
_REQUEST = re.compile(rb"(?:\r\n)*[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}(?: |$)").match


class Preface:
    """What listeners with the PROXY protocol expect.

    ``allowed``: IP addresses, networks, or ``*``: the proxies that may connect.
    """

    def __init__(self, version: Version, allowed: Iterable[str]) -> None:
        allowed = [*allowed]
        self.version: Version = version
        self._all = "*" in allowed
        self._networks = [
            ipaddress.ip_network(each, strict=False) for each in allowed if each != "*"
        ]

    def admits(self, peer: Any) -> bool:
        """Whether a peer, as ``accept()`` gives it, may connect; those on Unix sockets may."""
        if self._all or not isinstance(peer, tuple):
            return True
        try:
            address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


class Opening:
    """See the module. ``ready``: the leader's events, to which this may add."""

    def __init__(
        self,
        connections: Connections,
        poller: Poller,
        ending: Ending,
        clock: Clock,
        recorder: Recorder,
        ready: deque[tuple[int, int]],
    ) -> None:
        self._connections = connections
        self._poller = poller
        self._ending = ending
        self._clock = clock
        self._recorder = recorder
        self._ready = ready

    def go_on(self, connection: Any) -> None:
        """Look at what has come for a connection in one of the two states."""
        try:
            if connection.state is State.PREFACE:
                self._read_preface(connection)
            if connection.state is State.HANDSHAKE:
                self._shake_hands(connection)
        except BlockingIOError:
            connection.ended = False
        except NotTls as error:
            self._answer_plain(connection, error.data)
        except ProxyError as error:
            logger.debug("%s: %s", connection, error)
            self._connections.close(connection)
        except OSError as error:
            # Also ssl.SSLError, of which there are as many as kinds of clients and scanners.
            logger.debug("%s: no TLS: %s", connection, error)
            self._connections.close(connection)

    def _read_preface(self, connection: Connection) -> None:
        data = connection.socket.recv(RECEIVE_MAX)
        if not data:
            raise ProxyError("the peer has gone before its PROXY header was complete")
        if len(data) == RECEIVE_MAX:
            connection.pending = True
        data = connection.buffer + data
        header = parse_proxy(data, connection.listener.preface.version)
        if header is None:
            connection.buffer = data
            return
        connection.buffer = b""
        if header.source is not None:
            host, port = header.source
            connection.peer = (host, port) if host else None
        connection.begin(data[header.size :])
        if connection.state is State.HEAD and connection.buffer:
            self._ready.append((connection.fd, RESUME | READ))

    def _shake_hands(self, connection: "TlsConnection") -> None:
        has_ended = connection.shake_hands()
        if connection.tunnel.has_begun:
            connection.has_begun = True
        if connection.tunnel.has_unsent:
            self._poller.want_write(connection.fd)
        if has_ended:
            # The first request may have come with the end of it, and no event will tell.
            connection.pending = True

    def _answer_plain(self, connection: "TlsConnection", data: bytes) -> None:
        """Tell a client that speaks HTTP that it should speak HTTPS; whoever speaks neither is
        told nothing."""
        if _REQUEST(data) is None:
            logger.debug("%s: what has come is not TLS", connection)
            self._connections.close(connection)
            return
        error = ProtocolError(
            "H037", 400, "this port speaks HTTPS: the URL has to begin with https://"
        )
        logger.debug("%s: %s", connection, error)
        try:
            # It fits: nothing has been sent before.
            head_only = data.startswith(b"HEAD ")
            connection.socket.send(
                refusal.refusal(error, self._clock.fields(), head_only=head_only)
            )
        except OSError:
            self._connections.close(connection)
            return
        self._recorder.refused(connection, error)
        connection.receive = connection.socket.recv
        self._ending.end(connection, linger=True)
