"""The processes that a supervisor has forked: made, listened to, and waited for."""

import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final

from quaich.server.supervisor import worker
from quaich.server.supervisor.channel import Channel
from quaich.server.supervisor.signals import Signals, name_of

_PAUSE: Final = 0.01  # seconds between two looks for the ends of workers


@dataclass(slots=True)
class Child:
    """A process that the supervisor has forked."""

    pid: int
    index: int = -1  # of a worker's slot
    channel: Channel | None = None  # a worker's
    began: float = 0.0
    is_slow: bool = False  # to begin, and that was said
    has_hung_up: bool = False  # nothing more will be heard of it

    def tell(self, message: bytes) -> None:
        """Say something to a worker."""
        if self.channel is not None:
            self.channel.send(message)

    def send_signal(self, number: int) -> None:
        """Send it a signal; nothing, if it has ended."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass  # and it has not been reaped


class Children:
    """All of them, by pid. ``signals`` are those of this process."""

    def __init__(self, signals: Signals) -> None:
        self.by_pid: dict[int, Child] = {}
        self._by_fd: dict[int, Child] = {}
        self._signals = signals
        self._poll = select.poll()

    def workers(self) -> list[Child]:
        """Those that are workers."""
        return [child for child in self.by_pid.values() if child.channel is not None]

    def fork(self, run: Callable[[], int], channel: Channel | None = None) -> Child:
        """Fork; the child runs it and ends with the exit code that it gives. ``channel`` is this
        process's end of the one to a worker. OSError."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                    stream.flush()
        with self._signals.held_back():
            pid = os.fork()
            if pid == 0:
                self._signals.forget()
        if pid == 0:
            worker.leave(lambda: self._be_child(run, channel))
        child = self.by_pid[pid] = Child(pid, channel=channel)
        if channel is not None:
            self._by_fd[channel.fileno()] = child
            self._poll.register(channel.fileno(), select.POLLIN)
        return child

    def _be_child(self, run: Callable[[], int], own: Channel | None) -> int:
        # While a worker has another's channel, that one would not see the supervisor's end.
        for channel in [own, *(child.channel for child in self.by_pid.values())]:
            if channel is not None:
                channel.close()
        return run()

    def watch_signals(self) -> None:
        """Let :meth:`wait` end when there is a signal."""
        self._poll.register(self._signals.fileno(), select.POLLIN)

    def wait(self, seconds: float) -> list[Child]:
        """Wait for something to happen, at most so long: the workers that have said something,
        or have ended."""
        events = self._poll.poll(round(seconds * 1000))
        return [self._by_fd[fd] for fd, _ in events if fd in self._by_fd]

    def hear(self, child: Child) -> bytes:
        """The messages of a worker that have come."""
        if child.channel is None:
            return b""
        said, has_ended = child.channel.receive()
        if has_ended:
            child.has_hung_up = True
            self._hang_up(child.channel)
        return said

    def _hang_up(self, channel: Channel) -> None:
        if self._by_fd.pop(channel.fileno(), None) is not None:
            self._poll.unregister(channel.fileno())

    def forget(self, child: Child) -> None:
        """It has ended, and all that it has said was heard."""
        if child.channel is not None:
            self._hang_up(child.channel)
            child.channel.close()

    def reap(self) -> Iterator[tuple[Child, int]]:
        """Those that have ended, each with its status (as of waitpid). They are no more here."""
        for pid in list(self.by_pid):
            found, status = wait_for(pid)
            if found:
                yield self.by_pid.pop(pid), status
        if os.getpid() == 1:
            # The first process of a container is given all orphans. How they ended is nothing to
            # it: only of its own children that means anything.
            while (ended := wait_for(-1))[0]:
                child = self.by_pid.pop(ended[0], None)
                if child is not None:
                    yield child, ended[1]

    def tell_workers(self, message: bytes) -> None:
        """Say something to all workers."""
        for child in self.workers():
            child.tell(message)

    def kill_workers(self) -> None:
        """No worker goes on."""
        for child in self.workers():
            child.send_signal(signal.SIGKILL)

    def wait_for_workers(self, seconds: float) -> None:
        """Wait until all of them have ended, and kill those that have not by then. For the case
        that nobody goes on to look after them."""
        deadline = monotonic() + seconds
        while self.workers():
            if monotonic() >= deadline:
                self.kill_workers()
            for child, _ in self.reap():
                self.forget(child)
            sleep(_PAUSE)


def wait_for(pid: int) -> tuple[int, int]:
    """A child that has ended, and how; 0 if there is none. -1 is any."""
    try:
        return os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        # Somebody else has waited for it, or SIGCHLD is ignored.
        return (pid, 0) if pid > 0 else (0, 0)


def how(status: int) -> str:
    """How a process ended, in words."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        dumped = " (core dumped)" if os.WCOREDUMP(status) else ""
        return f"was killed by {name_of(-code)}{dumped}"
    return f"has ended with exit code {code}"
