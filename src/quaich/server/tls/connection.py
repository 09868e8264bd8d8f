"""A connection with TLS: what of it is otherwise than without.

    TlsConnection    its bytes go through a tunnel
    TlsOutbox        what it could not send yet, and seals as the peer takes it

The tunnel is that of quaich.server.tls.tunnel.
"""

import select
import socket
from collections.abc import Callable
from typing import Any, Final

from quaich.exchange.call import PeerGone
from quaich.exchange.tls_environ import tls_variables
from quaich.server.connections.connection import Connection, State
from quaich.server.connections.outbox import TURN_MAX, FileRange, Outbox
from quaich.server.connections.surroundings import LoopSide
from quaich.server.tls.tunnel import RECORD_MAX, Tunnel
from quaich.types import WSGIEnvironment

_SEAL_MAX: Final = 4 * RECORD_MAX
"""Bytes that are sealed before the socket has taken those before."""

_RDHUP: Final[int] = getattr(select, "POLLRDHUP", 0)


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
        begun = self.total
        while self._parts or self._parting or self._tunnel.has_unsent:
            if not self._send_some():
                return False
            if self.total - begun >= TURN_MAX and self._parts:
                return False  # as in the other outbox
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
                block: Any = first.read(room)
                if not first.size:
                    parts.popleft().close()
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

    def __init__(self, connection: socket.socket, peer: Any, loop: LoopSide, listener: Any) -> None:
        super().__init__(connection, peer, loop, listener)
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
