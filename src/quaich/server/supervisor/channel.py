"""What a supervisor and a worker say to each other: bytes over a pair of sockets.

One byte is one message; a failure to start is followed by what has gone wrong, up to the end. The
end itself is a message too: the other one is no more.
"""

import contextlib
import json
import socket
from typing import Final

from quaich.server.starting import CannotStart

# To a worker.
RETIRE: Final = b"r"  # finish what there is, and end
QUICK: Final = b"q"  # the same, and do not wait for long
REOPEN: Final = b"l"  # open the logs anew
LOOK: Final = b"a"  # look at the listeners: another worker has died, perhaps with an event

# From a worker.
READY: Final = b"R"  # it serves
FAILED: Final = b"F"  # it cannot; CannotStart follows
STUCK: Final = b"S"  # replace me: a thread does not come back
SIGNALLED: Final = b"T"  # replace me: somebody has sent SIGTERM
CLOSED: Final = b"D"  # it accepts no more
CERTIFICATE: Final = b"C"  # there is a new certificate, and only the supervisor may read it

_REPORT_MAX: Final = 1 << 20  # bytes of a failure that are listened to


def encode(failure: CannotStart) -> bytes:
    """For the channel, behind FAILED."""
    return json.dumps([str(failure), failure.report, failure.exit_code]).encode()


def decode(data: bytes) -> CannotStart:
    """What :func:`encode` made; what came of it, if that is not all."""
    try:
        line, report, exit_code = json.loads(data)
        return CannotStart(str(line), str(report), int(exit_code))
    except (ValueError, TypeError):
        return CannotStart("the worker could not say why it does not start")


class Channel:
    """One end. Only its main thread reads; any thread may send."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.setblocking(False)
        self.failure: bytearray | None = None  # what has come behind FAILED

    @classmethod
    def pair(cls) -> tuple["Channel", "Channel"]:
        """The supervisor's end and the worker's."""
        one, other = socket.socketpair()
        return cls(one), cls(other)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: bytes) -> None:
        """Say it, if the other one is there. Nobody waits: what does not fit in is not said."""
        with contextlib.suppress(OSError):
            self._socket.send(message)

    def send_failure(self, failure: CannotStart) -> None:
        """Say why it cannot be, and wait until that is taken."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(10)
            self._socket.sendall(FAILED + encode(failure))

    def receive(self) -> tuple[bytes, bool]:
        """The messages that have come, and whether the end is behind them."""
        messages = bytearray()
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return bytes(messages), False
            except OSError:
                data = b""
            if not data:
                return bytes(messages), True
            if self.failure is None:
                before, failed, data = data.partition(FAILED)
                messages += before
                if not failed:
                    continue
                messages += failed
                self.failure = bytearray()
            if len(self.failure) < _REPORT_MAX:
                self.failure += data

    def close(self) -> None:
        self._socket.close()
