"""The state machine of one connection with TLS: plain bytes on one side, records on the other.

The records are kept in memory between OpenSSL and the socket (``ssl.MemoryBIO``). So each read is
one system call, a block is sealed while the socket takes the one before, what was read too far
behind a PROXY header is not lost, and OpenSSL never wants to write in order to read.

OpenSSL's state of a connection may be used by one thread at a time. Two threads have to do with
it: the owner, which reads and sends, and whoever flushes the outbox. So all is done under one
lock, :attr:`Tunnel.lock`, which is the outbox's too; nobody waits for the peer while holding it.
"""

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, Final

from quaich.exchange.tls_environ import Session
from quaich.server.connections.connection import RECEIVE_MAX, NotTls

RECORD_MAX: Final = 16384  # bytes of content in one record (RFC 8446, section 5.1)

_RESPONSES_MAX: Final = 64 * 1024
"""Bytes of records that a client may have made OpenSSL write without reading any: an answer to
each of its KeyUpdates."""

_HANDSHAKE: Final = 0x16  # the type of the first record (RFC 8446, section 5.1)

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
            while True:
                data = b""
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
                    if len(data) < RECEIVE_MAX:
                        return False
                    # A client's certificates can be many; no event tells of what was there before.
                except OSError:
                    self._push_alert()
                    raise
                else:
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
                        # made. What has been opened already may be more than what is sealed.
                        size = max(incoming.pending, tls.pending()) or RECORD_MAX
                        block = tls.read(min(size, RECORD_MAX))
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
