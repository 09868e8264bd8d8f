"""Who serves the pages: a process of their own beside workers, or threads beside the server.

run       in a process that the supervisor has forked for it
start     in the process that serves the application, where there are no workers
"""

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Final

from quaich.server.admin.application import application
from quaich.server.admin.looking import Facts, facts_of
from quaich.server.figures.board import Board
from quaich.server.listeners.listening import close_listeners, open_listeners
from quaich.server.server import Server
from quaich.server.system import process
from quaich.settings import Concurrency, Listen, Settings, Timeouts
from quaich.settings.address import Address, UnixAddress

PUBLISHING: Final = 0.25
"""Seconds between two publications of figures that somebody asked for. What is seen is at most so
old; more often would cost more than it tells."""

_THREADS: Final = 2  # pages are made in a millisecond, and few ask for them

_IDLE: Final = 0.3  # seconds for who has connected, at the end, to ask

_PARENT_LOOK: Final = 1.0  # seconds between two looks whether the supervisor is still there


def _settings() -> Settings:
    """Of the server of these pages: nothing that the application's was told."""
    return Settings(
        concurrency=Concurrency(threads=_THREADS),
        # Whoever asks is near. A probe of a container gives up after a second or a few.
        timeouts=Timeouts(graceful_timeout=1.0, header_timeout=5.0, body_timeout=5.0),
    )


def open_admin(settings: Settings) -> socket.socket | None:
    """The listening socket that ``admin_bind`` asks for, if it does. It is closed with
    ``close_listeners``. Raises :class:`~quaich.server.listeners.listening.CannotListen`."""
    address = settings.admin.admin_bind
    if address is None:
        return None
    listen = Listen(bind=(address,), uds_permissions=settings.listen.uds_permissions)
    uid, gid, _ = process.owner(settings.process)
    owner = None if gid is None else (-1 if uid is None else uid, gid)
    return open_listeners(listen, environ=None, owner=owner)[0]


# --- Beside workers ---------------------------------------------------------------------------


def run(
    board: Board,
    listener: socket.socket,
    settings: Settings,
    facts: Facts | None = None,
    *,
    parent: int | None = None,
    reopen: Callable[[], object] = lambda: None,
) -> None:
    """Serve the pages in this process until SIGTERM or SIGQUIT, or until its parent is no more.
    For the main thread of a process that was forked for it; other signals it ignores, since they
    are meant for the supervisor. ``parent``: its number, if the caller knows it from before the
    fork. ``reopen`` is called at SIGUSR1."""
    parent = os.getppid() if parent is None else parent
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1):
        signal.signal(number, _note)
    for number in (
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGUSR2,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGWINCH,
    ):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    pages = application(board, facts or facts_of(settings))
    server = Server(pages, settings=_settings(), sockets=[listener])
    with reader, writer, server:
        while os.getppid() == parent:
            if select.select([reader], [], [], _PARENT_LOOK)[0]:
                # The numbers of signals that have a handler; all others mean the end.
                numbers = reader.recv(64)
                if signal.SIGUSR1 in numbers:
                    reopen()
                if any(number != signal.SIGUSR1 for number in numbers):
                    break
        signal.set_wakeup_fd(-1)
        # Who has just connected, and is about to ask, gets an answer.
        server.stop(idle=_IDLE)
        server.wait_until_stopped(2 * _IDLE)


def _note(number: int, frame: FrameType | None) -> None:
    """Python writes the number to the descriptor; there is nothing more to do."""


# --- Beside the server --------------------------------------------------------------------------


class Beside:
    """The pages and the figures of one server, in its own process. Not started where nobody asked
    for them."""

    def __init__(self, server: Server, listener: socket.socket | None = None) -> None:
        self._server = server
        self._board = Board(slots=1)
        self._slot = self._board.begin(0, os.getpid())
        self._ended = threading.Event()
        self._listener = open_admin(server.settings) if listener is None else listener
        self._pages: Server | None = None
        if self._listener is not None:
            addresses = tuple(str(address) for address in server.addresses)
            facts = replace(facts_of(server.settings), addresses=addresses)
            pages = application(self._board, facts)
            self._pages = Server(pages, settings=_settings(), sockets=[self._listener])
        self._thread = threading.Thread(target=self._publish, name="quaich-figures", daemon=True)

    @property
    def address(self) -> Address | UnixAddress | None:
        """Where the pages are, if they are anywhere."""
        return self._pages.addresses[0] if self._pages is not None else None

    def start(self) -> None:
        """Begin."""
        self._slot.state = "ready"
        self._server.figures.publish(self._slot)
        if self._pages is not None:
            self._pages.start()
        self._thread.start()

    def _publish(self) -> None:
        while not self._ended.wait(PUBLISHING):
            if self._server.is_stopping:
                self._slot.state = "draining"
            self._server.figures.publish(self._slot)

    def close(self) -> None:
        """Publish the last figures, and end. To be called when the server has ended."""
        self._ended.set()
        self._thread.join()
        self._server.figures.publish(self._slot)
        self._server.figures.close()
        if self._pages is not None:
            self._pages.close()
        if self._listener is not None:
            close_listeners([self._listener])

    def __enter__(self) -> "Beside":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def start(
    server: Server, listener: socket.socket | None = None
) -> contextlib.AbstractContextManager[Beside | None]:
    """Begin to show what a server does, if its settings ask for that: a context, whose end is to
    come after the server's. ``listener``: what :func:`open_admin` gave, if it was opened before,
    as where privileges are dropped; it is closed in the end. Raises
    :class:`~quaich.server.listeners.listening.CannotListen`."""
    admin = server.settings.admin
    if admin.admin_bind is None and admin.statsd_host is None:
        return contextlib.nullcontext()
    beside = Beside(server, listener)
    beside.start()
    return beside
