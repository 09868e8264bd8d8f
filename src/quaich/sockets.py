"""Sockets, as far as ``http.server`` leaves them to us: how a connection ends, what TLS says."""

import logging
import socket
import struct
import sys
import time
from typing import Any, Final

from quaich.exchange.input import Input
from quaich.protocol.errors import BodyError

logger = logging.getLogger("quaich.simple_server")

# Seconds without a byte after which a client whose request made no sense is not waited for.
_SILENCE_MAX: Final = 1.0


def socket_of(handler: Any) -> socket.socket | None:
    """The connection of a request handler, if it is one: in tests of programs it may be a pair
    of files, or nothing at all."""
    connection = getattr(handler, "connection", None)
    return connection if isinstance(connection, socket.socket) else None


def make_close_a_reset(connection: socket.socket) -> None:
    """Let ``close()`` reset the connection: the peer's next read is an error, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def linger(connection: socket.socket, body: Input | None, limit: int, timeout: float) -> None:
    """Say that the response is over, and take what the client is still sending.

    Closing over unread bytes would reset the connection, and with that the client can lose
    the response (D005; RFC 9112, section 9.6; H110). ``body`` is what is left of the request,
    or None if nobody knows what that is. At most ``limit`` bytes and ``timeout`` seconds.
    """
    try:
        if is_tls(connection):
            body = None  # after this, the bytes come as they are: encrypted
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        return
    if body is not None and (
        drain(connection, body, limit, timeout) or not isinstance(body.fault, BodyError)
    ):
        return
    drain(connection, _Anything(connection), limit, timeout, silence=_SILENCE_MAX)


class _Anything:
    """What comes on a connection, whatever it is, up to the client's end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def discard(self) -> int | None:
        """As of an :class:`Input`."""
        return len(self._connection.recv(65536)) or None


def drain(
    connection: socket.socket | None,
    source: Input | _Anything,
    limit: int,
    timeout: float,
    silence: float | None = None,
) -> bool:
    """Drop what is left of ``source``.

    True if its end came within ``limit`` bytes and ``timeout`` seconds, and never ``silence``
    seconds without a byte. Changes the timeout of the connection, if there is one.
    """
    deadline = time.monotonic() + timeout
    try:
        while limit > 0 and (seconds := deadline - time.monotonic()) > 0:
            if connection is not None:
                connection.settimeout(seconds if silence is None else min(seconds, silence))
            size = source.discard()
            if size is None:
                return True
            limit -= size + 1  # bytes that hold no content (chunk sizes) count as well
    except (BodyError, OSError, ValueError):
        logger.debug("the rest of a request could not be read", exc_info=True)
    return False


def is_tls(connection: Any) -> bool:
    ssl = sys.modules.get("ssl")  # whoever made a TLS socket has imported it
    return ssl is not None and isinstance(connection, ssl.SSLSocket)


def tls_variables(connection: Any) -> dict[str, str]:
    """HTTPS and SSL_* under mod_ssl's names, if the connection is TLS (S33, D013)."""
    if not is_tls(connection):
        return {}
    variables = {"HTTPS": "on"}
    version, cipher = connection.version(), connection.cipher()
    if version is not None:
        variables["SSL_PROTOCOL"] = version
    if cipher is not None:
        variables["SSL_CIPHER"] = cipher[0]
        variables["SSL_CIPHER_USEKEYSIZE"] = str(cipher[2])
    return variables
