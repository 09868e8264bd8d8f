"""What a fork does to an application that was loaded before it.

A fork copies memory, and one thread: others are gone in the child, with whatever they were doing.
Connections are shared by all, and what two workers send over one is mixed up.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Iterable
from typing import Any, Final

from quaich.exchange.log import SafeLogger

logger = SafeLogger("quaich.error")

_DESCRIPTORS: Final = "/proc/self/fd"
_NAMED_MAX: Final = 10


def warn(listeners: Iterable[socket.socket]) -> None:
    """Name the threads and the connections that are there before the first fork."""
    threads = alive_threads()
    if threads:
        logger.warning(
            "the application was loaded before the workers are made, and has started threads, "
            "which there will not be in the workers: %s",
            _listed(threads),
        )
    connections = open_connections({each.fileno() for each in listeners})
    if connections:
        logger.warning(
            "the application was loaded before the workers are made, and has opened sockets, "
            "which all workers will share: %s",
            _listed(connections),
        )


def alive_threads() -> list[str]:
    """The names of threads besides the one that asks."""
    for each in threading.enumerate():
        if isinstance(each, threading.Timer) and each.finished.is_set():
            each.join()  # it was cancelled, and is about to end
    current = threading.current_thread()
    return [each.name for each in threading.enumerate() if each is not current]


def open_connections(known: set[int]) -> list[str]:
    """The internet sockets of this process but those ``known``, in words. Nothing where /proc is
    not there."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - names are all that is needed
            fd = int(name)
            if fd > 2 and fd not in known:
                found += _described(fd)
    return found


def _described(fd: int) -> list[str]:
    try:
        if not os.readlink(f"{_DESCRIPTORS}/{fd}").startswith("socket:"):  # noqa: PTH115
            return []
        copy = socket.socket(fileno=os.dup(fd))
    except OSError:
        return []
    with copy:
        if copy.family not in (socket.AF_INET, socket.AF_INET6):
            return []
        try:
            peer: Any = copy.getpeername()
        except OSError:
            here: Any = copy.getsockname()
            return [f"one at {here[0]}:{here[1]}"]
        return [f"one to {peer[0]}:{peer[1]}"]


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED_MAX])
    return shown if len(names) <= _NAMED_MAX else f"{shown} and {len(names) - _NAMED_MAX} more"
