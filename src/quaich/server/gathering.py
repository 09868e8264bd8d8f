"""A request's content on its way to the application: gathered first, as a rule, or left to be
read from the connection.

    Gathering.begin      behind a head: what of the content is there already
    Gathering.read       more of it has come

The leader's work; what has been gathered is :class:`~quaich.server.connections.content.Content`.
"""

from io import BytesIO
from typing import Any

from quaich.exchange.call import PeerGone
from quaich.exchange.log import SafeLogger
from quaich.protocol.body import Length
from quaich.protocol.errors import ProtocolError
from quaich.protocol.http1 import Request
from quaich.server.connections.connection import RECEIVE_MAX, Connection, State
from quaich.server.connections.content import Content, ContentInput
from quaich.server.connections.ending import Ending
from quaich.server.connections.registry import Connections
from quaich.server.threads.calling import Calling
from quaich.settings import Settings
from quaich.types import WSGIEnvironment

logger = SafeLogger("quaich.error")


class Gathering:
    """See the module."""

    def __init__(
        self, settings: Settings, connections: Connections, ending: Ending, calling: Calling
    ) -> None:
        self._bodies = settings.bodies
        self._timeouts = settings.timeouts
        self._connections = connections
        self._ending = ending
        self._calling = calling
        self._limit = settings.limits.limit_request_body
        # Content that may be taken as it is, if it is there.
        self._small = 0 if self._bodies.stream_body else self._bodies.body_buffer
        if self._limit:
            self._small = min(self._small, self._limit)
        # Connections whose content the application reads from the connection itself, for the
        # sake of 100 (Continue); some may have ended.
        self._expecting: set[Connection] = set()
        threads = settings.concurrency.threads
        self._expecting_max = min(threads - 1, max(1, threads // 4))

    def begin(self, connection: Connection, request: Request, environ: WSGIEnvironment) -> bool:
        """See to a request's content; whether the application can be called."""
        decoder: Any = request.decoder
        data = connection.buffer[connection.start :]
        connection.buffer, connection.start = b"", 0
        size = decoder.wanted
        if 0 < size <= len(data) and size <= self._small and type(decoder) is Length:
            # All of it came with the head: most forms, and calls of an API.
            environ["wsgi.input"] = BytesIO(data if size == len(data) else data[:size])
            connection.buffer = data[size:]
            return True
        try:
            expects = request.awaits_continue and not data
            # Of chunked content the length is not known (wanted is 0) before all is there, and
            # without CONTENT_LENGTH many frameworks take it that there is none.
            if self._bodies.stream_body or (
                expects and decoder.wanted and self._may_hold_a_thread(connection)
            ):
                connection.buffer = data
                connection.stream = environ["wsgi.input"] = ContentInput(
                    decoder,
                    connection.receive_content,
                    connection.send_continue if expects else None,
                    self._limit,
                )
                return True
            connection.environ = environ
            connection.content = Content(decoder, self._bodies.body_buffer, self._limit)
            if expects:
                self._ending.send_continue(connection)
            return self.take(connection, data)
        except ProtocolError as error:
            self._ending.refuse(connection, error, head_only=request.method == "HEAD")
            return False
        except PeerGone:
            self._connections.close(connection)
            return False

    def _may_hold_a_thread(self, connection: Connection) -> bool:
        """Whether the application may be called before the content of this request comes. Not
        for so many clients at once that the slow ones among them could take all threads: the
        others are told to go on, and their content is gathered."""
        waiting = self._expecting = {each for each in self._expecting if each.stream is not None}
        if len(waiting) >= self._expecting_max:
            return False
        waiting.add(connection)
        return True

    def take(self, connection: Connection, data: bytes) -> bool:
        """Add to the content; whether it is complete. Raises ProtocolError."""
        content = connection.content
        if content is None:
            raise RuntimeError("content has come, and nobody gathers it")
        try:
            stream = content.input() if content.feed(data) else None
        except ProtocolError:
            raise
        except OSError as error:
            logger.error("%s: content cannot be kept: %s", connection, error)
            raise ProtocolError("S40", 503, "the server has no room for the content") from error
        if stream is None:
            self._ending.unhold(connection)
            connection.state = State.CONTENT
            connection.deadline = self._calling.mark + self._timeouts.body_timeout
            return False
        environ, connection.environ = connection.environ, None
        environ["wsgi.input"] = stream
        environ["CONTENT_LENGTH"] = str(content.size)
        connection.buffer = content.decoder.excess
        connection.state = State.HEAD
        return True

    def read(self, connection: Connection) -> bool:
        """Take what has come of the content; whether the application can be called."""
        try:
            data = connection.receive(RECEIVE_MAX)
        except BlockingIOError:
            connection.ended = False
            return False
        except OSError:
            data = b""
        if not data:
            self._connections.close(connection)  # H077, H091
            return False
        if len(data) == RECEIVE_MAX:
            connection.pending = True
        try:
            return self.take(connection, data)
        except ProtocolError as error:
            head_only = connection.request.method == "HEAD"
            self._ending.refuse(connection, error, head_only=head_only)
            return False
