"""One connection: its socket, what has come and is not used yet, and what is to be sent.

A connection has one owner at any moment. Mostly that is the leader; while ``busy`` it is the
thread that answers its request. Only :attr:`Connection.outbox` is used by both, and has a lock.
"""

import os
import select
import socket
import struct
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from quaich.exchange.call import PeerGone
from quaich.exchange.files import Piece
from quaich.exchange.forwarded import Rewriter
from quaich.protocol.body import LAST_CHUNK
from quaich.protocol.errors import BodyError
from quaich.protocol.http1 import Repetition
from quaich.server.connections.content import COPY_MAX, Content, ContentInput
from quaich.server.connections.outbox import Outbox
from quaich.server.connections.surroundings import LoopSide
from quaich.types import WSGIEnvironment

RECEIVE_MAX: Final = 65536  # bytes for one recv()

_READABLE: Final = getattr(select, "POLLIN", 1)
_WRITABLE: Final = getattr(select, "POLLOUT", 4)

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

# Up to here, copying a block behind its head costs less than sending two parts.
_JOIN_MAX: Final = 32 * 1024


class State(Enum):
    """What a connection that the leader owns waits for."""

    PREFACE = "a header of the PROXY protocol, or the rest of it"
    HANDSHAKE = "the rest of the TLS handshake"
    HEAD = "a request, or the rest of its head"
    CONTENT = "the rest of a request's content"
    FLUSHING = "the peer, to take what is left of a response"
    DRAINING = "the rest of content that the application has not read"
    LINGERING = "the peer's end, so that closing does not lose the response (H110)"
    CLOSED = "nothing"


class NotTls(ValueError):
    """The peer of a TLS connection has begun with something else, most likely with HTTP:
    ``data``."""

    def __init__(self, data: bytes) -> None:
        super().__init__("this is not TLS")
        self.data = data


class Connection:
    """See the module."""

    __slots__ = (
        "_send",
        "base",
        "buffer",
        "busy",
        "content",
        "deadline",
        "ended",
        "environ",
        "fd",
        "gone",
        "has_begun",
        "holding",
        "is_closing",
        "is_leaving",
        "is_proxied",
        "is_waiting",
        "listener",
        "loop",
        "origin_fields",
        "outbox",
        "peer",
        "pending",
        "receive",
        "repetition",
        "request",
        "rewrite",
        "socket",
        "start",
        "state",
        "stream",
        "taken",
        "target",
        "then",
        "undrained",
    )

    def __init__(self, connection: socket.socket, peer: Any, loop: LoopSide, listener: Any) -> None:
        # For the connection's life.
        self.socket = connection
        self.fd = connection.fileno()
        # As accept() gives it; or as a PROXY header says, None if it tells no address.
        self.peer = peer
        self.loop = loop
        self.listener = listener
        self.receive: Callable[[int], bytes] = connection.recv
        self._send = connection.send
        self.origin_fields: Callable[[bool, bool], str] = loop.origin_fields
        self.base: WSGIEnvironment | None = None  # made with the first request
        self.repetition: Repetition | None = None  # with the same
        # With the same: whether the peer is a proxy of our own, and what it says of the client.
        self.is_proxied = False
        self.rewrite: Rewriter | None = None
        # What it is doing. Under the mutex of the crew: busy, and pending while busy.
        self.state = State.HEAD
        self.busy = False
        self.pending = False  # something has come that nobody has looked at
        self.ended = False  # the peer's end is behind the bytes that have come
        self.deadline = 0.0  # when the state ends for want of progress (monotonic)
        self.buffer = b""  # bytes that have come; those before start are done with
        self.start = 0
        self.outbox: Outbox | None = None
        self.holding = False  # responses are gathered in the outbox for one send
        self.gone = False  # the peer takes no more
        self.is_waiting = False  # its thread waits for room in the outbox
        self.is_closing = False  # the server is stopping: this response is the last
        self.taken = 0  # FLUSHING: bytes of the outbox, when the deadline was set
        self.undrained = 0  # DRAINING: bytes that may still be read and dropped
        self.has_begun = False  # PREFACE, HANDSHAKE: something has come
        self.is_leaving = False  # idle, and about to be closed because the server stops
        # Of the present request.
        self.request: Any = None  # Request
        self.target = ""  # as sent
        self.content: Content | None = None  # what the loop gathers, until it has been read
        self.stream: ContentInput | None = None  # content that the application reads itself
        self.environ: Any = None  # while the content comes
        self.then = State.HEAD  # what follows FLUSHING

    def __str__(self) -> str:
        """For the log: the request line, without the query, and the client."""
        request, peer = self.request, self.peer
        if isinstance(peer, tuple) and len(peer) >= 2:
            host = f"[{peer[0]}]" if ":" in str(peer[0]) else peer[0]
            who = f"{host}:{peer[1]}"
        else:
            who = "a local client"
        if request is None:
            return who
        return f"{request.method} {self.target.partition('?')[0]} from {who}"

    # --- Sending: the Channel of a Call -----------------------------------------------------

    def send(self, data: bytes, block: bytes = b"") -> None:
        """Send both now, or what the peer takes of them; the rest waits in the outbox. If too
        much waits there already, whoever produces it waits first: so it never waits with the
        last block, and what is left then is the loop's (S82)."""
        if self.outbox is None:
            try:
                if not block:
                    sent = self._send(data)
                elif len(block) <= _JOIN_MAX:
                    data += block
                    sent = self._send(data)
                else:
                    sent = self._send_parts(data, block)
                    if sent >= len(data):
                        sent, data = sent - len(data), block
                    else:
                        data, sent = data[sent:] + block, 0
            except BlockingIOError:
                sent = 0
                if len(block) > _JOIN_MAX:
                    data += block
            except OSError as error:
                self.gone = True
                raise PeerGone(str(error)) from error
            if sent == len(data):
                return
            self.outbox = self.make_outbox()
            self.outbox.put(memoryview(data)[sent:])
        else:
            outbox = self.outbox
            if outbox.size > self.loop.bodies.response_buffer and data != LAST_CHUNK:
                self._wait_for_room(outbox)
            # One step, so that nothing is held once holding has ended (see stop_holding).
            with outbox.lock:
                outbox.add(data)
                outbox.add(block)
                if self.holding and outbox.size < COPY_MAX:
                    return
            self.flush()
        self._ask_for_room()

    def send_more(self, data: bytes) -> None:
        """Send a block behind the first. If the leader answers this request, the blocks that
        follow each other quickly go out together: the watcher sends them if the application
        takes its time over the next (S82)."""
        if self.outbox is None and self.loop.is_watched(self):
            self.outbox = self.make_outbox()
            self.holding = True
            # If the watcher has come between these lines, it has found nothing to send.
            if not self.loop.is_watched(self):
                self.stop_holding()
        self.send(data)

    def stop_holding(self) -> bool:
        """Gather no more responses in the outbox; whether some were. They are still to be
        flushed. Any thread may call this."""
        outbox = self.outbox
        if outbox is None or not self.holding:
            self.holding = False
            return False
        with outbox.lock:
            self.holding = False
        return True

    def _send_parts(self, data: bytes, block: bytes) -> int:
        return self.socket.sendmsg([data, block])

    def send_file(self, file: Any, pieces: list[Piece]) -> None:
        """Let the system send a file's bytes (sendfile), where it can."""
        outbox = self.outbox or self.make_outbox()
        try:
            outbox.put_file(file.fileno(), pieces)
        except OSError:  # there is no descriptor left
            for piece in pieces:
                if isinstance(piece, bytes):
                    self.send(piece)
                else:
                    self._send_copy(file, *piece)
            return
        self.outbox = outbox
        self.flush()
        self._ask_for_room()

    def _send_copy(self, file: Any, offset: int, size: int) -> None:
        file.seek(offset)
        while size:
            block = file.read(min(size, COPY_MAX))
            if not block:
                raise OSError("the file became shorter while it was sent")
            size -= len(block)
            self.send(block)

    def answer_for(self, response: bytes) -> None:
        """The last response, by another thread than that which has this connection: it has no
        right to send any more. Never waits."""
        self.stop_holding()
        outbox = self.outbox = self.outbox or self.make_outbox()
        outbox.put(response)
        outbox.part()
        try:
            if outbox.flush():
                self.socket.shutdown(socket.SHUT_WR)
            else:
                self._ask_for_room()
        except OSError:
            pass  # it has gone
        self.gone = True

    def break_off(self, *, is_delimited: bool) -> None:
        """The end of a response that is not whole, by another thread than that which has this
        connection, and still has to close it. If only the end would show how long it was, the
        client is to see an error instead (S91)."""
        self.interrupt()
        try:
            if is_delimited:
                self.socket.shutdown(socket.SHUT_RDWR)
                return
            self.reset_when_closed()
            with socket.socket() as unconnected:
                # Closes what was there. The number stays taken, so that what the other thread
                # still sends goes nowhere.
                os.dup2(unconnected.fileno(), self.fd, inheritable=False)
        except OSError:
            pass  # it has gone; or this is Windows, where sockets are no descriptors

    def reset_when_closed(self) -> None:
        """Let the peer see an error, and not an end, when this is closed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def make_outbox(self) -> Outbox:
        """An outbox for what cannot be sent now."""
        return Outbox(self.socket)

    def flush(self) -> bool:
        """Send of the outbox what the peer takes; whether that was all."""
        outbox = self.outbox
        if outbox is None:
            return True
        try:
            return outbox.flush()
        except PeerGone:
            self.gone = True
            raise

    def _ask_for_room(self) -> None:
        """If something is left in the outbox, see to it that it is sent."""
        if self.outbox is not None and self.outbox.size:
            self.loop.poller.want_write(self.fd)

    def _wait_for_room(self, outbox: Outbox) -> None:
        limit = self.loop.bodies.response_buffer
        timeout = self.loop.timeouts.write_timeout
        self.is_waiting = True
        try:
            leads = self.loop.about_to_wait()
            if self.gone:
                raise PeerGone("the server has ended")  # see interrupt()
            if leads:
                outbox.wait_for_room(limit, timeout)
                return
            # Nobody else leads, so this thread has to send.
            while outbox.size > limit:
                if not self._wait_for(_WRITABLE, timeout):
                    outbox.fail(TimeoutError(f"the client has read nothing for {timeout:g} s"))
                outbox.flush()
        except PeerGone:
            self.gone = True
            raise
        finally:
            self.is_waiting = False

    # --- Its beginning and its end, which are other ones with TLS -------------------------------

    def is_idle(self) -> bool:
        """Whether nothing has come for the next request; of one that the leader owns."""
        if self.state is State.HEAD:
            return not self.buffer
        # Of a handshake that has begun, a request is likely to follow.
        is_new = self.state is State.PREFACE or self.state is State.HANDSHAKE
        return is_new and not self.buffer and not self.has_begun

    def begin(self, data: bytes) -> None:
        """A PROXY header has been read, and ``data`` behind it."""
        self.state = State.HEAD
        self.buffer = data

    def cut_off(self) -> None:
        """The response is not whole, and no farewell is to let it look so."""

    def farewell(self) -> bool:
        """Tell the peer that nothing more comes; whether that has gone out. If not, it is in the
        outbox. More calls do nothing."""
        return True

    def first_environ(self) -> WSGIEnvironment:
        """The variables that all requests of this connection have in common."""
        base: WSGIEnvironment = self.listener.environ.copy()
        peer = self.peer
        if isinstance(peer, tuple):
            base["REMOTE_ADDR"], base["REMOTE_PORT"] = str(peer[0]), str(peer[1])
        else:
            del base["REMOTE_ADDR"], base["REMOTE_PORT"]  # S35
        base["quaich.client_disconnected"] = self.is_disconnected
        self.base = base
        self.repetition = Repetition(base)
        self.is_proxied = self.loop.forwarding.believes(peer)
        self.rewrite = self.loop.forwarding.rewriter(peer)
        return base

    # --- Receiving, for the thread that answers -----------------------------------------------

    def receive_content(self, size: int) -> bytes:
        """The next bytes, for a decoder that takes any number; waits for them. For an
        application that reads the content itself."""
        if self.buffer:
            data, self.buffer = self.buffer, b""
            return data
        while True:
            try:
                return self.receive(RECEIVE_MAX)
            except BlockingIOError:
                self.loop.about_to_wait()
                seconds = self.loop.timeouts.body_timeout
                if not self._wait_for(_READABLE, seconds):
                    error = BodyError("H010", 408, f"no content came for {seconds:g} s")
                    raise error from None

    def take_buffer(self) -> tuple[bytes, int]:
        """What is in the buffer, and where it begins; the buffer is empty then."""
        data, start = self.buffer, self.start
        self.buffer, self.start = b"", 0
        return data, start

    def drop_content(self) -> None:
        """Nobody reads the gathered content any more."""
        if self.content is not None:
            self.content.close()
            self.content = None

    def send_continue(self) -> None:
        """100 (Continue), when the application first reads and not before (S92, H095)."""
        self.send(CONTINUE)

    def _wait_for(self, event: int, seconds: float) -> bool:
        """Wait until the socket is readable or writable, at most so many seconds; whether it is."""
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self.fd, event)
            return bool(poll.poll(seconds * 1000))
        fds = [self.fd]
        if event == _READABLE:
            return bool(select.select(fds, [], [], seconds)[0])
        return bool(select.select([], fds, [], seconds)[1])

    def has_unread(self) -> bool:
        """Whether bytes have come that nobody has read."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def interrupt(self) -> None:
        """The server ends: whoever waits for the peer waits no longer. Any thread may call
        this."""
        self.gone = True
        outbox = self.outbox
        if outbox is not None:
            outbox.fail(ConnectionAbortedError("the server has ended"))
        try:
            self.socket.shutdown(socket.SHUT_RD)
        except OSError:
            pass

    def is_disconnected(self) -> bool:
        """Whether the client has closed its side of the connection. ``environ`` has it as
        ``quaich.client_disconnected``; a client that only ends its sending side counts too."""
        if self.gone or self.state is State.CLOSED:
            return True
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
