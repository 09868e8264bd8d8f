"""A new program over the same sockets (SIGUSR2): what the old one hands on, and how.

The old process forks, and the child becomes the program that was started, with the arguments, the
directory and the environment of then. The listening sockets stay open in it; a variable says which
they are. Both serve until somebody ends one of them. That the old one is gone, the new one sees by
its parent, which is another process then.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from quaich.exchange.log import SafeLogger
from quaich.server.listeners.activation import NotListening, adopt
from quaich.server.listeners.unix_sockets import Node, UnixListener
from quaich.server.supervisor.fixed import Opened
from quaich.server.system.directory import working_directory

logger = SafeLogger("quaich.error")

VARIABLE: Final = "_QUAICH_SOCKETS"
"""Not QUAICH_…, which are settings."""

# Of the service manager, for the process that it has started.
_NOT_HANDED_ON: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")


@dataclass(frozen=True, slots=True)
class Start:
    """How this process was started. To be asked for before anything is changed. The directory has
    the name that the shell has for it, which may be a link and lead elsewhere one day."""

    executable: str
    arguments: list[str]
    directory: str
    environ: Mapping[str, str]

    @classmethod
    def of_this_process(cls) -> "Start":
        return cls(sys.executable, list(sys.orig_argv), working_directory(), dict(os.environ))


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a former process of the same program has handed on."""

    former: int  # its pid
    sockets: list[socket.socket]
    admin: socket.socket | None = None  # the one for an operator
    opened_for: Opened = field(default_factory=dict)  # the former one's settings of them

    def former_is_alive(self) -> bool:
        """Whether the former process is still there."""
        return os.getppid() == self.former


def become(
    start: Start,
    sockets: list[socket.socket],
    admin: socket.socket | None,
    opened_for: Opened,
) -> NoReturn:
    """Become that program, in a child of the process that has the sockets. OSError."""
    for each in [*sockets, *([] if admin is None else [admin])]:
        each.set_inheritable(True)
    environ = {name: value for name, value in start.environ.items() if name not in _NOT_HANDED_ON}
    environ[VARIABLE] = encode(os.getppid(), sockets, admin, opened_for)
    if "WATCHDOG_PID" in environ:
        environ["WATCHDOG_PID"] = str(os.getpid())
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.chdir(start.directory)
    os.execve(start.executable, [start.executable, *start.arguments[1:]], environ)


def encode(
    former: int, sockets: list[socket.socket], admin: socket.socket | None, opened_for: Opened
) -> str:
    """The variable's value: JSON of the pid, of the sockets, the last of which is the operator's or
    null, and of what they were opened for."""
    entries = [*map(_entry, sockets), None if admin is None else _entry(admin)]
    return json.dumps([former, entries, opened_for])


def _entry(listener: socket.socket) -> list[Any]:
    """Its number and, if a path was made for it, what removes that one day."""
    if isinstance(listener, UnixListener):
        return [listener.fileno(), listener.path, listener.node]
    return [listener.fileno(), None, None]


def take(environ: MutableMapping[str, str]) -> Inherited | None:
    """What was handed on to this process; None if nothing was. The variable is taken out."""
    value = environ.pop(VARIABLE, "")
    if not value:
        return None
    try:
        former, entries, *more = json.loads(value)
        opened_for = dict(more[0]) if more else {}  # a former version says no more
        *sockets, admin = [None if entry is None else _adopted(*entry) for entry in entries]
        given = [each for each in sockets if each is not None]
        return Inherited(int(former), given, admin, opened_for)
    except (ValueError, TypeError) as error:  # NotListening is one
        # Left from another process, which was no server.
        logger.warning("%s=%s is not used: %s", VARIABLE, value[:80], error)
        return None


def _adopted(fd: int, path: str | None, node: list[int] | None) -> socket.socket:
    adopted = adopt(fd, listens=False)  # not so where each worker has its own (reuse_port)
    if not _is_bound(adopted):
        adopted.detach()
        raise NotListening("it is a socket without an address")
    if path is None or node is None:
        return adopted
    listener = UnixListener(fileno=adopted.detach())
    listener.setblocking(False)
    listener.path, listener.node, listener.pid = path, Node(*node), os.getpid()
    return listener


def _is_bound(adopted: socket.socket) -> bool:
    name = adopted.getsockname()
    return bool(name[1] if isinstance(name, tuple) else name)
