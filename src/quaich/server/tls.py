"""TLS: the bytes of a connection between the socket and the rest of the server.

    Tunnel           the state machine of one connection: plain bytes on one side, records on the
                     other
    TlsConnection    a connection whose bytes go through one
    TlsOutbox        what it could not send yet, and seals as the peer takes it

The records are kept in memory between OpenSSL and the socket (``ssl.MemoryBIO``). So each read is
one system call, a block is sealed while the socket takes the one before, what was read too far
behind a PROXY header is not lost, and OpenSSL never wants to write in order to read.

OpenSSL's state of a connection may be used by one thread at a time. Two threads have to do with
it: the owner, which reads and sends, and whoever flushes the outbox. So all is done under one
lock, :attr:`Tunnel.lock`, which is the outbox's too; nobody waits for the peer while holding it.
"""

import os
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, Final

from quaich.exchange.call import PeerGone
from quaich.exchange.tls_environ import Session, tls_variables
from quaich.server.connections.connection import RECEIVE_MAX, Connection, NotTls, State
from quaich.server.connections.outbox import FileRange, Outbox
from quaich.types import WSGIEnvironment

RECORD_MAX: Final = 16384  # bytes of content in one record (RFC 8446, section 5.1)

_SEAL_MAX: Final = 4 * RECORD_MAX
"""Bytes that are sealed before the socket has taken those before."""

_RESPONSES_MAX: Final = 64 * 1024
"""Bytes of records that a client may have made OpenSSL write without reading any: an answer to
each of its KeyUpdates."""

_HANDSHAKE: Final = 0x16  # the type of the first record (RFC 8446, section 5.1)

_RDHUP: Final[int] = getattr(select, "POLLRDHUP", 0)

Wrap = Callable[[ssl.MemoryBIO, ssl.MemoryBIO], ssl.SSLObject]


class Tunnel:
    """See the module. ``wrap`` makes OpenSSL's object of two buffers.

    What is said to hold the lock is called by who has it.
    """

    __slots__ = (
        "_has_begun",
        "_incoming",
        "_outgoing",
        "_unsent",
        "ended",
        "lock",
        "sent",
        "socket",
        "tls",
    )

    def __init__(self, connection: socket.socket, wrap: Wrap) -> None:
        self.socket = connection
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._unsent: bytes | memoryview = b""  # records; older than those in _outgoing
        self._has_begun = False
        self.ended = False  # the peer sends no more
        self.sent = 0  # bytes of records
        self.lock = threading.Lock()
        self.tls = wrap(self._incoming, self._outgoing)

    # --- The beginning ----------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Take bytes that have been read from the socket already. Raises :class:`NotTls`."""
        if data and not self._has_begun:
            if data[0] != _HANDSHAKE:
                raise NotTls(data)
            self._has_begun = True
        self._incoming.write(data)

    def shake_hands(self) -> bool:
        """Go on with the handshake; whether it is done, and all of it sent. Never waits. Raises
        OSError, and :class:`NotTls`."""
        with self.lock:
            try:
                data = self.socket.recv(RECEIVE_MAX)
            except BlockingIOError:
                pass
            else:
                if not data:
                    raise ConnectionAbortedError("the peer has gone within the handshake")
                self.feed(data)
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.push()
                return False
            except OSError:
                self._push_alert()
                raise
            return self.push()

    @property
    def has_begun(self) -> bool:
        return self._has_begun

    # --- Reading ----------------------------------------------------------------------------

    def read(self) -> tuple[bytes, bool]:
        """All that has come, as :meth:`socket.socket.recv`, and whether there may be more: no
        event will tell of that. BlockingIOError, if nothing has come; other OSErrors."""
        with self.lock:
            if self.ended:
                return b"", False
            has_more, sealed = False, b""
            try:
                sealed = self.socket.recv(RECEIVE_MAX)
            except BlockingIOError:
                if not self._incoming.pending:
                    raise
                # What there is has come with the end of the handshake.
            else:
                has_more = len(sealed) in (0, RECEIVE_MAX)
                if not sealed and not self._incoming.pending:
                    # Without a close_notify, which many clients do not send. No harm in that:
                    # the end of a request never depends on it.
                    self.ended = True
                    return b"", False
            data = self._open(sealed)
            if self._outgoing.pending:
                self._answer()
            if data or self.ended:
                return data, has_more or self.ended
            if has_more and not sealed:
                self.ended = True
                return b"", False
        raise BlockingIOError

    def _open(self, sealed: bytes) -> bytes:
        """What is in the records that have come whole, with these bytes of them. Holds the
        lock."""
        incoming, tls = self._incoming, self.tls
        blocks = []
        try:
            for start in range(0, len(sealed) or 1, RECORD_MAX):  # see seal()
                incoming.write(sealed[start : start + RECORD_MAX])
                try:
                    while incoming.pending or tls.pending():
                        # There is never more in records than they are long: no larger buffer is
                        # made.
                        block = tls.read(min(incoming.pending or RECORD_MAX, RECORD_MAX))
                        if not block:
                            self.ended = True
                            break
                        blocks.append(block)
                except ssl.SSLWantReadError:
                    pass
                if self.ended:
                    break
        except OSError:
            self._push_alert()
            raise
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def _answer(self) -> None:
        """Send what OpenSSL itself has to say, such as the answer to a KeyUpdate. Holds the
        lock."""
        if not self.push() and len(self._unsent) + self._outgoing.pending > _RESPONSES_MAX:
            raise ConnectionAbortedError("the client asks for answers and reads none")

    # --- Sending ----------------------------------------------------------------------------

    def send(self, *blocks: bytes) -> bool:
        """Seal blocks, and send what the peer takes of them; whether that is all. What is left is
        for :meth:`push`."""
        with self.lock:
            for block in blocks:
                self.seal(block)
            return self.push()

    def seal(self, block: Any) -> None:
        """Make records of a block. Holds the lock."""
        write = self.tls.write
        view = memoryview(block) if len(block) > RECORD_MAX else block
        sealed = write(view[:RECORD_MAX])
        if sealed == len(block):
            return
        # One after the other: a buffer of OpenSSL's stays as large as it once was, for as long as
        # the connection is there.
        records = [self._unsent, self._outgoing.read()]
        while sealed < len(block):
            sealed += write(view[sealed : sealed + RECORD_MAX])
            records.append(self._outgoing.read())
        self._unsent = b"".join(records)

    def push(self) -> bool:
        """Send what the peer takes of the records that are there; whether that is all. Holds the
        lock."""
        while True:
            records = self._unsent or self._outgoing.read()
            if not records:
                return True
            try:
                sent = self.socket.send(records)
            except BlockingIOError:
                self._unsent = records
                return False
            self.sent += sent
            self._unsent = memoryview(records)[sent:] if sent < len(records) else b""

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent) or self._outgoing.pending > 0

    def part(self) -> None:
        """Make the record that says that nothing more comes (close_notify): without it the peer
        knows that something is missing. Holds the lock."""
        try:
            self.tls.unwrap()
        except OSError:
            pass  # the peer's own is still to come; or nothing can be said any more

    def _push_alert(self) -> None:
        """Send what OpenSSL says of a fault, if it can be sent now. Holds the lock."""
        try:
            self.push()
        except OSError:
            pass

    # --- What is known of it ------------------------------------------------------------------

    def session(self) -> Session:
        tls = self.tls
        with self.lock:
            client = tls.getpeercert()
            der = tls.getpeercert(binary_form=True) if client else None
            return Session(
                protocol=tls.version() or "",
                cipher=tls.cipher() or ("", "", 0),
                is_resumed=bool(tls.session_reused),
                host=getattr(tls, "quaich_host", None),
                client=client,
                client_pem=ssl.DER_cert_to_PEM_cert(der) if der else "",
            )


class TlsOutbox(Outbox):
    """Bytes that are still to be sealed, and then to be sent.

    ``size`` counts those that are in records already, too, until all of these are sent.
    """

    __slots__ = ("_parting", "_sealed", "_tunnel")

    def __init__(self, tunnel: Tunnel, sealed: int = 0) -> None:
        """``sealed``: bytes that are in records of the tunnel."""
        super().__init__(tunnel.socket, tunnel.lock)
        self._tunnel = tunnel
        self._sealed = self.size = sealed
        self._parting = False

    def part(self) -> None:
        """Nothing will be added: the peer is to be told behind the last byte."""
        with self.lock:
            self._parting = True

    def _send_all(self) -> bool:
        while self._parts or self._parting or self._tunnel.has_unsent:
            if not self._send_some():
                return False
        return True

    def _send_some(self) -> bool:
        tunnel = self._tunnel
        if not tunnel.has_unsent:
            if self._parts:
                self._seal_some()
            elif self._parting:
                self._parting = False
                tunnel.part()
        before = tunnel.sent
        is_sent = tunnel.push()
        self.total += tunnel.sent - before
        if not is_sent:
            return False
        self.size -= self._sealed
        self._sealed = 0
        self._taken.notify_all()
        return True

    def _seal_some(self) -> None:
        """Make records of the first bytes, so many that a send is worth it."""
        parts, room = self._parts, _SEAL_MAX
        blocks: list[Any] = []
        while parts and room > 0:
            first = parts[0]
            if type(first) is FileRange:
                if blocks:
                    break  # reading may fail, and what stands before is to be sent
                block: Any = os.pread(first.fd, min(first.size, room), first.offset)
                if not block:
                    raise OSError("the file became shorter while it was sent")
                first.offset += len(block)
                first.size -= len(block)
                if not first.size:
                    os.close(parts.popleft().fd)
            elif len(first) <= room:
                block = parts.popleft()
            else:
                block, parts[0] = memoryview(first)[:room], memoryview(first)[room:]
            room -= len(block)
            blocks.append(block)
        # Together: each record costs, and small blocks would be one each.
        data = blocks[0] if len(blocks) == 1 else b"".join(blocks)
        self._sealed += len(data)
        self._tunnel.seal(data)


class TlsConnection(Connection):
    """A connection with TLS. Its handshake is a state of its own (``State.HANDSHAKE``)."""

    __slots__ = ("_may_part", "tunnel")

    def __init__(self, connection: socket.socket, peer: Any, owner: Any, listener: Any) -> None:
        super().__init__(connection, peer, owner, listener)
        self.tunnel = Tunnel(connection, listener.certificates.wrap)
        self.receive: Callable[[int], bytes] = self._receive
        self.state = State.HANDSHAKE
        self._may_part = False  # close_notify is still to be sent, at the end

    def begin(self, data: bytes) -> None:
        self.state = State.HANDSHAKE
        self.tunnel.feed(data)

    def shake_hands(self) -> bool:
        """As :meth:`Tunnel.shake_hands`; then the first request may come."""
        if not self.tunnel.shake_hands():
            return False
        self.state = State.HEAD
        self._may_part = True
        return True

    def first_environ(self) -> WSGIEnvironment:
        base = super().first_environ()
        base.update(tls_variables(self.tunnel.session()))
        return base

    def make_outbox(self) -> Outbox:
        return TlsOutbox(self.tunnel)

    def _receive(self, size: int) -> bytes:
        """As recv(), but for ``size``: all that has come, which may be some more."""
        data, has_more = self.tunnel.read()
        if has_more:
            self.pending = True
        return data

    def send(self, data: bytes, block: bytes = b"") -> None:
        if self.outbox is not None:
            super().send(data, block)
        elif len(block) > _SEAL_MAX or len(data) > _SEAL_MAX:
            # Not all at once: it would be there twice.
            self.outbox = self.make_outbox()
            super().send(data, block)
        else:
            try:
                # In one record, where there is room: each costs 22 bytes and more.
                if len(data) + len(block) <= RECORD_MAX:
                    is_sent = self.tunnel.send(data + block)
                else:
                    is_sent = self.tunnel.send(data, block) if block else self.tunnel.send(data)
            except OSError as error:
                self.gone = True
                raise PeerGone(str(error)) from error
            if not is_sent:
                self.outbox = TlsOutbox(self.tunnel, len(data) + len(block))
                self._ask_for_room()

    def cut_off(self) -> None:
        self._may_part = False

    def farewell(self) -> bool:
        if not self._may_part:
            return True
        self._may_part = False
        # What still comes is of no account, and OpenSSL takes no more.
        self.receive = self.socket.recv
        outbox = self.outbox = self.make_outbox()
        outbox.part()
        try:
            return outbox.flush()
        except PeerGone:
            return True

    def is_disconnected(self) -> bool:
        """As in the plain case; but that a client has gone shows behind bytes that nobody has
        read: they may be its close_notify, and nobody can look into them."""
        if self.tunnel.ended:
            return True
        if _RDHUP and not self.gone and self.state is not State.CLOSED:
            poll = select.poll()
            poll.register(self.fd, _RDHUP)
            return bool(poll.poll(0))
        return super().is_disconnected()
