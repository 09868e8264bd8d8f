"""The signals of a server that is one process."""

import contextlib
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

from quaich.types import WSGIApplication

_STOP: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGQUIT") if hasattr(signal, name)
)
_OTHERS: Final = tuple(
    getattr(signal, name) for name in ("SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
)


class Stopping:
    """A context in which the first SIGTERM, SIGINT or SIGQUIT is noted, and a second one ends the
    process at once. SIGHUP, SIGUSR1 and SIGUSR2 are noted too.

    SIGTERM needs a handler because process 1 of a container ignores it without one.
    """

    def __init__(self) -> None:
        self.is_noted = False
        self.is_quick = False  # it was not SIGTERM
        self._interrupts = False
        self._handlers: dict[int, Any] = {}
        self._others: deque[int] = deque()

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
            signal.signal(each, signal.SIG_DFL)
        self.is_noted = True
        self.is_quick = self.is_quick or number != signal.SIGTERM
        if self._interrupts:
            raise KeyboardInterrupt

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

    def wait(self, others: Callable[[int], bool] = lambda number: False) -> None:
        """Wait for the first signal. ``others`` is called with the number of one that does not
        stop, and says whether it does all the same."""
        while not self.is_noted:
            self._reader.recv(64)
            while self._others:
                if others(self._others.popleft()):
                    return


def has_terminal() -> bool:
    """Whether this process has a controlling terminal, which is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except (OSError, AttributeError):  # AttributeError: Windows has no such flags
        return False
    return True
