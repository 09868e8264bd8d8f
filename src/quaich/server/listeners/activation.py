"""Sockets that this process was started with: systemd's socket activation (sd_listen_fds(3)), and
descriptors by number.

Nothing here trusts a number: what is not a listening stream socket is refused with what it is.
"""

import os
import re
import socket
import stat
from collections.abc import MutableMapping
from typing import Final, NamedTuple

FIRST: Final = 3  # SD_LISTEN_FDS_START: those below are the standard streams

_MOST: Final = 1024  # more sockets than anybody has; a number beyond is a mistake
_VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")


class NotListening(ValueError):
    """A descriptor is not what it is said to be; the text says what it is."""


class Activated(NamedTuple):
    """A socket that the service manager has opened."""

    fd: int
    name: str  # that of the socket unit, or FileDescriptorName= in it; "" if it has none

    def __str__(self) -> str:
        name = f" ({self.name})" if self.name else ""
        return f"descriptor {self.fd}{name} of LISTEN_FDS"


def take_activated(environ: MutableMapping[str, str], pid: int) -> list[Activated]:
    """The sockets that are for this process, ``pid``.

    The variables are taken out of ``environ``, whomever they are for, so that no child takes the
    sockets for its own. Raises :class:`NotListening` for a LISTEN_FDS that is no number.
    """
    found = {name: environ.pop(name, "") for name in _VARIABLES}
    if not found["LISTEN_FDS"] or found["LISTEN_PID"] != str(pid):
        return []
    text = found["LISTEN_FDS"]
    if not re.fullmatch("[0-9]{1,4}", text) or int(text) > _MOST:
        raise NotListening(f"LISTEN_FDS={text[:20]} is not a number of sockets")
    names = found["LISTEN_FDNAMES"].split(":") if found["LISTEN_FDNAMES"] else []
    names += [""] * (int(text) - len(names))
    return [Activated(FIRST + index, names[index]) for index in range(int(text))]


def adopt(fd: int, *, listens: bool = True) -> socket.socket:
    """The listening stream socket that a descriptor is, non-blocking. Programs that the
    application starts do not inherit it. ``listens=False``: also one that is bound only. Raises
    :class:`NotListening`."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        raise NotListening("it is not open") from None
    if not stat.S_ISSOCK(mode):
        raise NotListening(f"it is {_kind(mode)}, not a socket")
    adopted = socket.socket(fileno=fd)
    try:
        _check(adopted, listens)
        adopted.set_inheritable(False)
        adopted.setblocking(False)
    except BaseException:
        adopted.detach()  # it is not ours to close
        raise
    return adopted


def _check(adopted: socket.socket, listens: bool) -> None:
    if adopted.type != socket.SOCK_STREAM:
        kinds = {socket.SOCK_DGRAM: "datagrams", socket.SOCK_SEQPACKET: "packets"}
        raise NotListening(f"it is a socket for {kinds.get(adopted.type, 'something else')}")
    if adopted.family not in (socket.AF_INET, socket.AF_INET6, getattr(socket, "AF_UNIX", None)):
        raise NotListening("it is neither a TCP nor a Unix socket")
    if listens and not adopted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        # listen() would do for a socket that is bound, but give one that is not any port.
        raise NotListening("it is a socket that does not listen")


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "a file"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a terminal or another device" if stat.S_ISCHR(mode) else "something else"
