"""Listening sockets: resolving an address, binding it, and saying why that cannot be.

open_listeners      all that the settings ask for, or that systemd has opened
  open_listener       one: TCP, Unix (quaich.server.listeners.unix_sockets), or by its descriptor
own_listeners       a worker's own, on the same addresses (SO_REUSEPORT)
close_listeners     closed, and the paths of Unix sockets removed
"""

import errno
import ipaddress
import os
import socket
from collections.abc import Iterable, MutableMapping
from typing import Any

from quaich.exchange.log import SafeLogger
from quaich.server.listeners.activation import NotListening, adopt, take_activated
from quaich.server.listeners.unix_sockets import UnixListener, open_unix
from quaich.server.starting import CannotListen
from quaich.settings import Address, Listen, parse_address
from quaich.settings.address import AnyAddress, Descriptor, UnixAddress

__all__ = [
    "CannotListen",
    "address_of",
    "close_listeners",
    "open_listener",
    "open_listeners",
    "own_listeners",
]

logger = SafeLogger("quaich.error")


# --- All of them -------------------------------------------------------------------------


def open_listeners(
    listen: Listen,
    *,
    environ: MutableMapping[str, str] | None = os.environ,
    reserve: bool = False,
    owner: tuple[int, int] | None = None,
) -> list[socket.socket]:
    """The sockets that the server is to listen on, non-blocking.

    Sockets that systemd has opened (``LISTEN_FDS``, for this process) come instead of ``bind``, as
    with gunicorn; ``environ=None`` is without them. ``reserve``: TCP sockets are bound and do not
    listen, for :func:`own_listeners`. ``owner``: the user and group to which Unix sockets are
    given. Raises :class:`CannotListen`; nothing stays open then.
    """
    sockets = [] if environ is None else _activated(listen, environ)
    if sockets:
        return sockets
    try:
        for text in listen.bind:
            sockets.append(_open(parse_address(text), listen, reserve=reserve, owner=owner))
    except BaseException:
        close_listeners(sockets)
        raise
    return sockets


def close_listeners(sockets: Iterable[socket.socket]) -> None:
    """Close them, and remove the paths of Unix sockets that this process has made and that are
    still theirs. Not for sockets that a new program has taken over: the path goes on."""
    for listening in sockets:
        # The path first: whoever finds no socket there knows more than who is refused.
        if isinstance(listening, UnixListener):
            listening.remove_path()
        listening.close()


def own_listeners(sockets: list[socket.socket], backlog: int) -> list[socket.socket]:
    """A worker's own sockets on the addresses of ``sockets``, as :func:`open_listeners` has
    reserved them; those that cannot be had twice, such as Unix sockets, are the same ones.

    Before privileges are dropped: Linux shares a port among sockets of one user only. Raises
    :class:`CannotListen`.
    """
    own: list[socket.socket] = []
    try:
        for shared in sockets:
            if shared.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                own.append(shared)
                continue
            where: Any = shared.getsockname()
            address = Address(where[0], where[1])
            own.append(_open_tcp(address, shared.family, where, backlog, reuse_port=True))
    except BaseException:
        for listening in own:
            if listening not in sockets:
                listening.close()
        raise
    return own


def open_listener(address: AnyAddress, backlog: int) -> socket.socket:
    """A socket that listens on ``address``, non-blocking. Raises :class:`CannotListen`."""
    return _open(address, Listen(backlog=backlog))


def address_of(listening: socket.socket) -> Address | UnixAddress:
    """The address that is bound, with the real port."""
    name: Any = listening.getsockname()
    if isinstance(name, tuple):
        return Address(str(name[0]), int(name[1]))
    if isinstance(name, bytes):  # an abstract one
        return UnixAddress("@" + os.fsdecode(name.removeprefix(b"\0")))
    return UnixAddress(str(name))


def _open(
    address: AnyAddress,
    listen: Listen,
    *,
    reserve: bool = False,
    owner: tuple[int, int] | None = None,
) -> socket.socket:
    if isinstance(address, Descriptor):
        return _adopt(address.number, address)
    if isinstance(address, UnixAddress):
        return open_unix(address, listen, owner)
    family, where = _resolve(address)
    backlog = None if reserve else listen.backlog
    return _open_tcp(address, family, where, backlog, reuse_port=listen.reuse_port)


# --- Sockets that are there already ---------------------------------------------------------


def _activated(listen: Listen, environ: MutableMapping[str, str]) -> list[socket.socket]:
    meant_for = environ.get("LISTEN_PID")
    try:
        activated = take_activated(environ, os.getpid())
    except NotListening as error:
        raise CannotListen("the sockets of systemd", "", str(error)) from error
    if meant_for and meant_for != str(os.getpid()):
        logger.warning(
            "LISTEN_PID=%s is another process's, so the sockets of LISTEN_FDS are not used;"
            " whatever starts this one, %d, has to exec it",
            meant_for,
            os.getpid(),
        )
    sockets: list[socket.socket] = []
    try:
        sockets.extend(_adopt(each.fd, each) for each in activated)
    except BaseException:
        close_listeners(sockets)
        raise
    if sockets and listen.bind != Listen().bind:
        logger.warning(
            "the sockets that systemd has opened are used, and not bind=%s", ",".join(listen.bind)
        )
    return sockets


def _adopt(fd: int, address: object) -> socket.socket:
    try:
        adopted = adopt(fd)
    except NotListening as error:
        raise CannotListen(
            address, "", f"{error}; it has to be a stream socket that listens"
        ) from error
    if adopted.family != socket.AF_UNIX:
        _set_nodelay(adopted)
    return adopted


# --- TCP ------------------------------------------------------------------------------------


def _open_tcp(
    address: Address,
    family: int,
    where: Any,
    backlog: int | None,
    *,
    reuse_port: bool,
) -> socket.socket:
    """``where``: the numeric address, as bind() takes it. ``backlog`` None: bound only."""
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # On Windows the option would let a second server take the port as well.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            _set_reuse_port(listening)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _set_nodelay(listening)
        listening.bind(where)
        if backlog is not None:
            listening.listen(backlog)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise CannotListen(
            address, where[0], _reason(error, where[0], address.port), error.errno or 0
        ) from error
    return listening


def _set_nodelay(listening: socket.socket) -> None:
    """A response in two sends would wait for the client's delayed acknowledgement, 40 ms. Linux
    hands the option on to the connections."""
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _set_reuse_port(listening: socket.socket) -> None:
    if not hasattr(socket, "SO_REUSEPORT"):
        raise OSError(errno.ENOPROTOOPT, "this system has no SO_REUSEPORT, which reuse_port needs")
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _resolve(address: Address) -> tuple[socket.AddressFamily, Any]:
    """Family and numeric address of a host, with the port, as bind() takes them; of a name's
    several, the first IPv4 one."""
    try:
        found: list[Any] = socket.getaddrinfo(
            address.host or "0.0.0.0", address.port, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:  # UnicodeError: a label is too long for IDNA
        raise CannotListen(
            address, address.host, f"the host {address.host!r} has no known address"
        ) from error
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    return found[0][0], found[0][4]


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is taken"
    if error.errno == errno.EACCES:
        return f"no permission for port {port}; those below 1024 are as a rule the administrator's"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this host has no address {ipaddress.ip_address(host)}"
    return error.strerror or str(error)
