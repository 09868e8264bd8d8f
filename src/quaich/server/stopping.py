"""The signals of a server that is one process, or is not yet more; and its terminal."""

import contextlib
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from math import inf
from time import monotonic
from types import FrameType
from typing import Any, Final

from quaich.exchange.log import SafeLogger
from quaich.types import WSGIApplication

logger = SafeLogger("quaich.error")

_STOP: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGQUIT") if hasattr(signal, name)
)
_OTHERS: Final = tuple(
    getattr(signal, name) for name in ("SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
)

_LOOK: Final = 1.0  # seconds between two looks at the terminal, while there is one

FORGOTTEN: Final = 5.0
"""Seconds after which a terminal that is gone counts as none: SIGHUP would have come by then."""


class Stopping:
    """A context in which the first SIGTERM, SIGINT or SIGQUIT is noted, and a second one ends the
    process at once (:meth:`clearing`). SIGHUP, SIGUSR1 and SIGUSR2 are noted too.

    SIGTERM needs a handler because process 1 of a container ignores it without one.
    """

    def __init__(self) -> None:
        self.is_noted = False
        self.is_quick = False  # it was not SIGTERM
        self._interrupts = False
        self._handlers: dict[int, Any] = {}
        self._others: deque[int] = deque()
        self._clear: Callable[[], object] | None = None

    def __enter__(self) -> "Stopping":
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(
                "Python handles signals in the main thread, so serve() runs only there;"
                " quaich.Server does without"
            )
        # A thread that waits for a lock misses a signal that comes just before it does; and a
        # handler may not do much. So Python itself writes a byte here when one comes.
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._former = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in _STOP:
            self._handlers[number] = signal.getsignal(number)
            signal.signal(number, self._note)
        for number in _OTHERS:
            self._handlers[number] = signal.getsignal(number)
            signal.signal(number, self._note_other)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for each, handler in self._handlers.items():
            # None: it was not Python that set it.
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._former)
        self._reader.close()
        self._writer.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        for each in _STOP:
            signal.signal(each, signal.SIG_DFL if self._clear is None else self._end)
        self.is_noted = True
        self.is_quick = self.is_quick or number != signal.SIGTERM
        if self._interrupts:
            raise KeyboardInterrupt

    def _end(self, number: int, frame: FrameType | None) -> None:
        for each in _STOP:
            signal.signal(each, signal.SIG_DFL)
        if self._clear is not None:
            with contextlib.suppress(Exception):
                self._clear()
        end_by(number)

    @contextlib.contextmanager
    def clearing(self, clear: Callable[[], object]) -> Iterator[None]:
        """A block in which a second signal calls ``clear`` before it ends the process. Not for one
        in which the main thread may be where Python's handlers are not called."""
        self._clear = clear
        try:
            yield
        finally:
            self._clear = None

    def _note_other(self, number: int, frame: FrameType | None) -> None:
        self._others.append(number)

    def was_ignored(self, number: int) -> bool:
        """Whether the process was started so that it ignores this signal, as with nohup(1)."""
        return self._handlers.get(number) is signal.SIG_IGN

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """A block in which the signal is a KeyboardInterrupt: nothing is under way in it."""
        self._interrupts = True
        try:
            if self.is_noted:
                raise KeyboardInterrupt
            yield
        finally:
            self._interrupts = False

    def load(self, load: Callable[[], WSGIApplication]) -> WSGIApplication | None:
        """Load the application; None if a signal came before it was there."""
        try:
            with self.interrupting():
                application = load()
        except KeyboardInterrupt:
            if not self.is_noted:
                raise  # the application's own
        return None if self.is_noted else application

    def others(self) -> list[int]:
        """Those that were noted besides, in their order; each is given once."""
        return [self._others.popleft() for _ in range(len(self._others))]

    def wait(
        self,
        others: Callable[[int], bool] = lambda number: False,
        terminal: "Terminal | None" = None,
    ) -> None:
        """Wait for the first signal. ``others`` is called with the number of one that does not
        stop, and says whether it does all the same. ``terminal`` is looked at meanwhile."""
        while not self.is_noted:
            self._reader.settimeout(_LOOK if terminal is not None and terminal.counts else None)
            with contextlib.suppress(TimeoutError):
                self._reader.recv(64)
            while self._others:
                if others(self._others.popleft()):
                    return
            if terminal is not None:
                terminal.look(monotonic())


class Terminal:
    """The terminal that a process was started in. If it is closed, SIGHUP comes, and means the end;
    but a shell may have left the process behind when it ended, and then nothing comes, and a later
    SIGHUP is what it is else."""

    def __init__(self) -> None:
        self.counts = has_terminal()
        """Whether SIGHUP may come because it is closed."""
        self._gone_since = inf

    def look(self, now: float) -> None:
        """See whether it is there; to be done every second or so, when the signals that have come
        were heeded. ``now``: seconds of a clock that only goes forward."""
        if not self.counts:
            return
        if has_terminal():
            self._gone_since = inf
        elif now - self._gone_since >= FORGOTTEN:
            self.counts = False
            logger.info("the terminal is gone, and SIGHUP is not the end any more")
        else:
            self._gone_since = min(self._gone_since, now)

    def was_closed(self) -> bool:
        """Whether a SIGHUP that has come means that."""
        return self.counts and not has_terminal()


def end_by(number: int) -> None:
    """End this process by a signal, as if there were no handler."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # process 1 of a container does not die by a signal of its own


def has_terminal() -> bool:
    """Whether this process has a controlling terminal that is there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except (OSError, AttributeError):  # AttributeError: Windows has no such flags
        return False
    return True
