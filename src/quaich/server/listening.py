"""Listening sockets: resolving an address, binding it, and saying why that cannot be."""

import errno
import ipaddress
import os
import socket
from typing import Any

from quaich.settings import Address


class CannotListen(OSError):
    """An address cannot be listened on; its text says why, in one line."""

    def __init__(self, address: Address, host: str, reason: str, number: int = 0) -> None:
        """``host`` is the numeric address, ``number`` the errno."""
        super().__init__(number, f"cannot listen on {address}: {reason}")
        self.address = address
        self.host = host

    def __str__(self) -> str:
        return str(self.args[1])

    @property
    def is_taken(self) -> bool:
        """Somebody else has the port."""
        return self.errno == errno.EADDRINUSE


def open_listener(address: Address, backlog: int) -> socket.socket:
    """A socket that listens on ``address``, non-blocking. Raises :class:`CannotListen`."""
    family, host = _resolve(address)
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # On Windows the option would let a second server take the port as well.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # A response in two sends would wait for the client's delayed acknowledgement, 40 ms.
        # Linux hands the option on to the connections.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((host, address.port))
        listening.listen(backlog)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise CannotListen(
            address, host, _reason(error, host, address.port), error.errno or 0
        ) from error
    return listening


def address_of(listening: socket.socket) -> Address:
    """The address that is bound, with the real port."""
    name: Any = listening.getsockname()
    return Address(str(name[0]), int(name[1]))


def _resolve(address: Address) -> tuple[socket.AddressFamily, str]:
    """Family and numeric address of a host; of a name's several, the first IPv4 one."""
    try:
        found: list[Any] = socket.getaddrinfo(
            address.host or "0.0.0.0", address.port, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:  # UnicodeError: a label is too long for IDNA
        raise CannotListen(
            address, address.host, f"the host {address.host!r} has no known address"
        ) from error
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    return found[0][0], str(found[0][4][0])


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is taken"
    if error.errno == errno.EACCES:
        return f"no permission for port {port}; those below 1024 are as a rule the administrator's"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this host has no address {ipaddress.ip_address(host)}"
    return error.strerror or str(error)
