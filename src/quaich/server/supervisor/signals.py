"""Signals as bytes to be read: a handler may do next to nothing, so Python writes the number of
each signal to a socket, and the loop reads it when it has time.

gunicorn's are understood:

    TERM            stop when the requests under way have been answered
    INT, QUIT       stop soon
    HUP             reload: new workers in the place of the old ones
    USR1            open the logs anew
    USR2            start the program anew, over the same sockets
    TTIN, TTOU      one worker more, one less
    WINCH           no workers at all, until HUP or TTIN
"""

import contextlib
import signal
import socket
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, Final

TERM: Final = signal.SIGTERM
INT: Final = signal.SIGINT
# Windows has none of these; a number that no signal has stands for them.
QUIT, HUP, USR1, USR2, TTIN, TTOU, WINCH, CHLD = (
    getattr(signal, f"SIG{name}", -index)
    for index, name in enumerate(
        ("QUIT", "HUP", "USR1", "USR2", "TTIN", "TTOU", "WINCH", "CHLD"), start=1
    )
)

OF_SUPERVISOR: Final = (TERM, INT, QUIT, HUP, USR1, USR2, TTIN, TTOU, WINCH, CHLD)
OF_WORKER: Final = (TERM, INT, QUIT, USR1)


def _note(number: int, frame: FrameType | None) -> None:
    """Nothing: the number is on its way to the socket."""


class Signals:
    """A context in which signals are noted. In the main thread alone, which reads them."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = [number for number in numbers if number > 0]
        self._handlers: dict[int, Any] = {}
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._former = -1

    def __enter__(self) -> "Signals":
        self._former = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in self._numbers:
            self._handlers[number] = signal.getsignal(number)
            signal.signal(number, _note)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._handlers.items():
            # None: it was not Python that set it.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._former)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """Readable when there is a signal."""
        return self._reader.fileno()

    def read(self) -> list[int]:
        """The numbers of the signals that have come, in their order."""
        try:
            return list(self._reader.recv(4096))
        except BlockingIOError:
            return []

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """A block, around a fork, in which none comes: it would be the child's as well."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def forget(self) -> None:
        """In a child: nothing is read here any more. What ends or stops a process by default does
        so; the rest, which is meant for its parent, does nothing."""
        signal.set_wakeup_fd(-1)
        for number in self._numbers:
            if number not in (HUP, USR1, USR2):
                signal.signal(number, signal.SIG_DFL)
        self._reader.close()
        self._writer.close()


def name_of(number: int) -> str:
    """``SIGKILL`` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
