"""Waiting for sockets: one interface over epoll, edge-triggered, and over ``selectors``.

A poller tells which descriptors may be read or written. It may say so where it is not so, and
whoever is told reads until there is no more. So level and edge are alike to the caller, but
for :meth:`Poller.mute`.

Only :meth:`Poller.wait` is the leader's alone; the rest may be called by any thread.
"""

import contextlib
import io
import os
import select
import selectors
import socket
import sys
import threading
from typing import Final, Protocol

READ: Final = 1  # = EPOLLIN
WRITE: Final = 4  # = EPOLLOUT
ENDED: Final = 0x2000  # = EPOLLRDHUP: the peer has closed its side, or all of it

_ONE: Final = (1).to_bytes(8, sys.byteorder)  # what an eventfd takes

_EXCLUSIVE: Final[int] = getattr(select, "EPOLLEXCLUSIVE", 0)  # Linux 4.5

Event = tuple[int, int]
"""A descriptor and READ, WRITE and ENDED as bits."""


class Poller(Protocol):
    """What the server waits with."""

    name: str

    def add(self, fd: int) -> None:
        """Watch a connection for reading."""

    def add_listener(self, fd: int) -> None:
        """Watch a listener: it is reported as long as somebody waits to be accepted."""

    def remove(self, fd: int) -> None:
        """Watch it no more; to be called before it is closed."""

    def want_write(self, fd: int) -> None:
        """Report when the descriptor takes bytes again; once."""

    def mute(self, fd: int) -> None:
        """Nobody will read from this connection for now: do not report it again and again."""

    def unmute(self, fd: int) -> None:
        """Undo :meth:`mute`. What came meanwhile need not be reported: try to read."""

    def wait(self, seconds: float | None) -> list[Event]:
        """What has happened, waiting for it at most so long; empty after :meth:`wake`."""

    def wake(self) -> None:
        """Let a :meth:`wait` return, the present one or the next."""

    def close(self) -> None:
        """Wait no more. What threads that end later ask of it, does nothing."""


class EpollPoller:
    """Linux. A connection is registered once, for its life: no system call per request."""

    name = "epoll"

    def __init__(self) -> None:
        self._epoll = select.epoll()
        # As a file: once it is closed, a late wake() finds that out, and not a descriptor that has
        # got its number.
        self._wake = io.FileIO(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC), "r+")
        self._wake_fd = self._wake.fileno()
        self._epoll.register(self._wake_fd, select.EPOLLIN)

    def add(self, fd: int) -> None:
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)

    def add_listener(self, fd: int) -> None:
        # Of the processes that wait for the same listener, the kernel wakes one (or a few), and
        # not all. Adding reports also what has waited before.
        self._epoll.register(fd, select.EPOLLIN | _EXCLUSIVE)

    def remove(self, fd: int) -> None:
        with contextlib.suppress(OSError, ValueError):  # of an epoll that has been closed
            self._epoll.unregister(fd)

    def want_write(self, fd: int) -> None:
        # Modifying re-arms: if it takes bytes by now, that is reported.
        with contextlib.suppress(ValueError):
            self._epoll.modify(
                fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
            )

    def mute(self, fd: int) -> None:
        pass  # an edge is reported once

    def unmute(self, fd: int) -> None:
        pass

    def wait(self, seconds: float | None) -> list[Event]:
        events = self._epoll.poll(seconds, 256)
        for index, (fd, _) in enumerate(events):
            if fd == self._wake_fd:
                del events[index]
                self._wake.read(8)
                break
        return events

    def wake(self) -> None:
        with contextlib.suppress(ValueError):
            self._wake.write(_ONE)

    def close(self) -> None:
        self._epoll.close()
        self._wake.close()


class SelectorPoller:
    """Any platform, by the best of ``selectors``. Levels: what is there is reported until it
    has been read. Other threads' wishes are done by the one that waits."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.name = type(self._selector).__name__
        self._changed = threading.Lock()
        self._interest: dict[int, int] = {}  # what each descriptor is watched for
        self._applied: dict[int, int] = {}  # the same, as the selector knows it
        self._dirty: set[int] = set()
        self._waiting = False
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._selector.register(self._reader, selectors.EVENT_READ)

    def _set(self, fd: int, more: int, less: int = 0) -> None:
        with self._changed:
            interest = self._interest.get(fd)
            if interest is None:
                return  # it has been removed since
            self._interest[fd] = (interest | more) & ~less
            self._dirty.add(fd)
            waiting = self._waiting
        if waiting:
            self.wake()

    def add(self, fd: int) -> None:
        with self._changed:
            self._interest[fd] = 0
        self._set(fd, READ)

    add_listener = add

    def remove(self, fd: int) -> None:
        # At once, and not by whoever waits: the number may belong to another socket soon.
        with self._changed:
            self._interest.pop(fd, None)
            self._dirty.discard(fd)
            if self._applied.pop(fd, 0):
                with contextlib.suppress(KeyError, ValueError, OSError):
                    self._selector.unregister(fd)

    def want_write(self, fd: int) -> None:
        self._set(fd, WRITE)

    def mute(self, fd: int) -> None:
        self._set(fd, 0, READ)

    def unmute(self, fd: int) -> None:
        self._set(fd, READ)

    def _apply(self) -> None:
        """Tell the selector what has changed. The caller holds the lock."""
        for fd in self._dirty:
            wanted, applied = self._interest.get(fd, 0), self._applied.get(fd, 0)
            if wanted == applied:
                continue
            events = (selectors.EVENT_READ if wanted & READ else 0) | (
                selectors.EVENT_WRITE if wanted & WRITE else 0
            )
            with contextlib.suppress(KeyError, ValueError, OSError):
                if not events:
                    self._selector.unregister(fd)
                elif applied:
                    self._selector.modify(fd, events)
                else:
                    self._selector.register(fd, events)
            self._applied[fd] = wanted
        self._dirty.clear()

    def wait(self, seconds: float | None) -> list[Event]:
        with self._changed:
            self._apply()
            self._waiting = True
        try:
            found = self._selector.select(seconds)
        except OSError:  # a descriptor was closed meanwhile
            found = []
        events: list[Event] = []
        with self._changed:
            self._waiting = False
            for key, ready in found:
                if key.fd == self._reader.fileno():
                    with contextlib.suppress(BlockingIOError):
                        self._reader.recv(4096)
                    continue
                mask = (READ if ready & selectors.EVENT_READ else 0) | (
                    WRITE if ready & selectors.EVENT_WRITE else 0
                )
                events.append((key.fd, mask))
                if mask & WRITE and key.fd in self._interest:
                    self._interest[key.fd] &= ~WRITE
                    self._dirty.add(key.fd)
        return events

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # it is full; or closed
            self._writer.send(b"\0")

    def close(self) -> None:
        self._selector.close()
        self._reader.close()
        self._writer.close()


def open_poller(name: str = "auto") -> Poller:
    """The poller of that name: ``epoll``, ``selectors``, or ``auto`` for the best there is."""
    if name == "epoll" or (name == "auto" and hasattr(select, "epoll")):
        return EpollPoller()
    return SelectorPoller()
