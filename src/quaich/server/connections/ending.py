"""How a response ends, and what becomes of its connection: the next request, or the end.

    Ending.settle         after a call: by how it ended (quaich.exchange.call.End)
      flush                 what is left is sent, as the peer takes it; then what follows
      drain                 what the application left of the content is read, within limits
      end                   the connection is closed, at once or
      discard                 once the client has read its response
    Ending.refuse         a request that breaks a rule, instead of a call
    Ending.expire         a connection whose deadline has passed

Called by the thread that owns the connection.
"""

import socket
from collections import deque
from time import monotonic
from typing import Final

from quaich.exchange.call import DRAIN_MAX, Call, End, PeerGone
from quaich.exchange.log import SafeLogger
from quaich.protocol.errors import ProtocolError
from quaich.server.clock import Clock
from quaich.server.connections import refusal
from quaich.server.connections.connection import CONTINUE, RECEIVE_MAX, Connection, State
from quaich.server.connections.registry import Connections
from quaich.server.poller import READ, Poller
from quaich.server.recording import Recorder
from quaich.settings import Timeouts

logger = SafeLogger("quaich.error")

RESUME: Final = 1 << 20
"""In the mask of an event: look at the buffer first, something is in it."""

LINGER: Final = 2.0
"""Seconds for which a connection that is closed over unread bytes is kept, so that the client
can read its response first (H110). nginx's lingering_timeout is 5, Apache's 2."""


class Ending:
    """See the module. ``ready``: the leader's events, to which this may add."""

    def __init__(
        self,
        connections: Connections,
        poller: Poller,
        timeouts: Timeouts,
        clock: Clock,
        recorder: Recorder,
        ready: deque[tuple[int, int]],
    ) -> None:
        self._connections = connections
        self._poller = poller
        self._timeouts = timeouts
        self._clock = clock
        self._recorder = recorder
        self._ready = ready

    def settle(self, connection: Connection, call: Call) -> bool:
        """What becomes of a connection after a call; whether its next request may be read."""
        if connection.state is State.CLOSED:
            return False  # the server has ended meanwhile, and cut this off
        connection.stop_holding()
        connection.drop_content()
        unread, connection.stream = connection.stream, None
        if unread is not None and unread.ended:
            connection.buffer, connection.start = unread.decoder.excess, 0
            unread = None
        end = call.end
        if end is End.ABORTED:
            connection.cut_off()
        linger = unread is not None or bool(connection.buffer)
        if end is End.REFUSED:
            self._apologise(connection, call, linger)
            return False
        if end is End.GONE or (end is End.ABORTED and not call.delimited):
            # Also of one that was given up: what it has of the response may look whole.
            self._connections.reset(connection)
            return False
        if unread is not None and unread.left > DRAIN_MAX:
            end = End.CLOSES
        if end is End.PERSISTS:
            connection.then = State.HEAD if unread is None else State.DRAINING
            connection.stream = unread
        else:
            # A response that is broken off ends before its length or its last chunk.
            connection.then = State.LINGERING if linger else State.CLOSED
        connection.state = State.FLUSHING
        self.flush(connection)
        return connection.state is State.HEAD

    def flush(self, connection: Connection) -> None:
        """Send what is left of a response; once that is done, what follows."""
        outbox = connection.outbox
        now = monotonic()
        try:
            if not connection.flush():
                self._poller.want_write(connection.fd)
                connection.deadline = now + self._timeouts.write_timeout
                connection.taken = outbox.total if outbox is not None else 0
                return
        except PeerGone:
            self._connections.close(connection)
            return
        connection.outbox = None
        then = connection.then
        if then is State.HEAD:
            connection.state = then
            connection.deadline = now + self._timeouts.keep_alive
        elif then is State.DRAINING:
            connection.state = then
            connection.deadline = now + LINGER
            connection.undrained = DRAIN_MAX
            connection.pending = True
        else:
            self.end(connection, linger=then is State.LINGERING)

    def unhold(self, connection: Connection) -> None:
        """Send the responses that were gathered, before something that may take long."""
        if connection.stop_holding():
            self.push(connection)

    def send_continue(self, connection: Connection) -> None:
        """100 (Continue), for content that the loop gathers. Never waits."""
        _append(connection, CONTINUE)
        self.push(connection)

    def push(self, connection: Connection) -> None:
        """Send what is left of the responses before, while the next request comes."""
        try:
            if not connection.flush():
                self._poller.want_write(connection.fd)
        except OSError:
            pass  # the next response finds out

    def release(self, connection: Connection) -> None:
        """Send the responses that were gathered; there are no more of them."""
        connection.stop_holding()
        connection.then = State.HEAD
        connection.state = State.FLUSHING
        self.flush(connection)

    def reply(self, connection: Connection, response: bytes, *, persists: bool) -> bool:
        """Send a whole response of the server's own, behind those that are still to be sent;
        whether the next request may be read. Never waits."""
        if not persists:
            self._send_last(connection, response, linger=bool(connection.buffer))
            return False
        _append(connection, response)
        self.release(connection)
        return connection.state is State.HEAD

    def end(self, connection: Connection, linger: bool) -> None:
        """Close a connection whose last response has been sent; with ``linger``, once the
        client has had a chance to read it (H110)."""
        # Closing over bytes that nobody has read is a reset.
        linger = linger or connection.has_unread()
        if not connection.farewell():
            connection.then = State.LINGERING if linger else State.CLOSED
            connection.state = State.FLUSHING
            self.flush(connection)
            return
        if linger:
            try:
                connection.socket.shutdown(socket.SHUT_WR)
            except OSError:
                linger = False
        if not linger:
            self._connections.close(connection)
            return
        connection.state = State.LINGERING
        connection.buffer = b""
        connection.deadline = monotonic() + LINGER
        connection.pending = True

    def leave(self, connection: Connection) -> None:
        """Close a connection that waits for nothing but another request."""
        connection.farewell()
        self._connections.close(connection)

    def refuse(self, connection: Connection, error: ProtocolError, head_only: bool) -> None:
        """Answer a request that breaks a rule; the connection ends with it (H109)."""
        logger.debug("%s: %s", connection, error)
        connection.drop_content()
        self._send_last(
            connection, refusal.refusal(error, self._clock.fields(), head_only=head_only), True
        )
        self._recorder.refused(connection, error)

    def _apologise(self, connection: Connection, call: Call, linger: bool) -> None:
        """Answer for an application that failed before it had answered."""
        head_only = call.request.method == "HEAD"
        fields = self._clock.fields()
        if call.refusal is not None:
            response = refusal.refusal(call.refusal, fields, head_only=head_only)
        else:
            response = refusal.failure(fields, head_only=head_only)
        self._send_last(connection, response, linger)

    def _send_last(self, connection: Connection, response: bytes, linger: bool) -> None:
        _append(connection, response)
        connection.then = State.LINGERING if linger else State.CLOSED
        connection.state = State.FLUSHING
        self.flush(connection)

    def expire(self, connection: Connection, now: float) -> None:
        """What becomes of a connection whose deadline has passed by ``now`` (monotonic)."""
        state = connection.state
        if (state is State.HEAD and connection.buffer) or state is State.CONTENT:
            what = "request" if state is State.CONTENT else "head"
            error = ProtocolError("H010", 408, f"the {what} was not complete in time")
            self.refuse(connection, error, head_only=False)
        elif state is State.FLUSHING and connection.outbox is not None:
            if connection.outbox.total == connection.taken:
                logger.debug("%s: the client reads nothing", connection)
                self._connections.reset(connection)
            else:
                connection.taken = connection.outbox.total
                connection.deadline = now + self._timeouts.write_timeout
        elif state is not State.HEAD or not connection.has_unread():
            self.leave(connection)

    def drain(self, connection: Connection) -> None:
        """Read what the application has not read of the content, up to a limit (H078)."""
        connection.pending = False
        if connection.stream is None:
            raise RuntimeError("there is no content to be drained")
        decoder = connection.stream.decoder
        data, connection.buffer, connection.start = connection.buffer, b"", 0
        try:
            data = data or connection.receive(RECEIVE_MAX)
            decoder.feed(data)
        except BlockingIOError:
            return
        except (OSError, ProtocolError):
            self.end(connection, linger=True)
            return
        connection.undrained -= len(data)
        if decoder.done and decoder.fault is None:
            connection.stream = None
            connection.buffer = decoder.excess
            connection.state = State.HEAD
            connection.deadline = monotonic() + self._timeouts.keep_alive
            self._ready.append((connection.fd, RESUME | READ))
        elif not data or connection.undrained < 0 or decoder.fault is not None:
            self.end(connection, linger=True)
        else:
            connection.pending = True

    def discard(self, connection: Connection) -> None:
        """Read and drop what a client still sends, until it has seen the end."""
        connection.pending = False
        try:
            if connection.receive(RECEIVE_MAX):
                connection.pending = True
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._connections.close(connection)


def _append(connection: Connection, data: bytes) -> None:
    """Put bytes behind what is still to be sent. Not by send(), which may make its caller wait for
    the client."""
    connection.stop_holding()
    connection.outbox = connection.outbox or connection.make_outbox()
    connection.outbox.put(data)
