"""Many slow or idle clients, as a program of its own: ``crowd.py KIND PORT COUNT PAUSE``.

It prints ``ready`` once all have begun, goes on until its standard input ends, and prints how
many connections the server has ended meanwhile. Knows nothing but the standard library, so that
it can be run from anywhere.
"""

import contextlib
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

_HEAD = b"Host: example.test\r\n"
_LONG_HEAD = b"GET /echo?id=slow HTTP/1.1\r\n" + _HEAD + b"X-Long: " + b"x" * 8000
_BIG = b"GET /big?id=slow&size=300000 HTTP/1.1\r\n" + _HEAD + b"\r\n"
_POST = b"POST /echo?id=slow HTTP/1.1\r\n" + _HEAD + b"Content-Length: 1000000\r\n"
# More than the system takes for a client that does not read.
_HUGE = b"GET /big?id=slow&size=12000000 HTTP/1.1\r\n" + _HEAD + b"\r\n"
_STREAM = b"GET /stream?id=slow&blocks=1000&size=32768 HTTP/1.1\r\n" + _HEAD + b"\r\n"

# What each kind sends first, and then byte by byte; whether it reads byte by byte.
KINDS: dict[str, tuple[bytes, bytes, bool]] = {
    "silent": (b"", b"", False),
    "idle": (b"GET /echo?id=idle HTTP/1.1\r\n" + _HEAD + b"\r\n", b"", False),
    "head": (b"", _LONG_HEAD, False),
    "body": (_POST + b"\r\n", b"x" * 1_000_000, False),
    "expecting": (_POST + b"Expect: 100-continue\r\n\r\n", b"x" * 1_000_000, False),
    "reader": (_BIG, b"", True),
    "stuck": (_HUGE, b"", False),
    "stuck-stream": (_STREAM, b"", False),
}


class _Clients:
    def __init__(self, kind: str, port: int) -> None:
        self._kind = kind
        self._first, self._rest, self._reads = KINDS[kind]
        self._port = port
        self._open: dict[socket.socket, int] = {}
        self.ended = 0

    def begin(self) -> None:
        connection = socket.socket()
        if self._kind in ("reader", "stuck", "stuck-stream"):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", self._port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._first:
            connection.sendall(self._first)
        if self._kind == "idle":
            data = b""
            while not data.endswith(b"GET idle 0 0"):
                block = connection.recv(4096)
                if not block:
                    raise EOFError(f"the server ended a connection after {data!r}")
                data += block
        connection.setblocking(False)
        self._open[connection] = 0

    def step(self) -> None:
        """A byte by each."""
        for connection, sent in list(self._open.items()):
            try:
                if self._rest:
                    if sent < len(self._rest):
                        connection.send(self._rest[sent : sent + 1])
                        self._open[connection] = sent + 1
                    data = connection.recv(4096)
                elif self._reads:
                    data = connection.recv(1)
                elif self._kind.startswith("stuck"):
                    # Looks only whether the server has given it up.
                    if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                        raise ConnectionResetError
                    continue
                else:
                    data = connection.recv(4096)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self.ended += 1
                del self._open[connection]
                connection.close()

    def make_sure(self) -> None:
        """Of those that look alive, find those that are not: a reset may go astray where the
        window is closed, since Linux answers a dubious one only twice a second. Whatever is
        sent to a connection that is no more is answered with another."""
        if not self._kind.startswith("stuck"):
            return
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.send(b"x")
        deadline = time.monotonic() + 2.0
        while self._open and time.monotonic() < deadline:
            time.sleep(0.02)  # the interval of polling
            self.step()


def main(kind: str, port: int, count: int, pause: float) -> None:
    clients = _Clients(kind, port)
    for _ in range(count):
        clients.begin()
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], pause)[0]:
        clients.step()
    clients.step()
    clients.make_sure()
    print(clients.ended, flush=True)


class Crowd:
    """The program, run by another."""

    def __init__(self, kind: str, address: tuple[str, int], count: int, pause: float = 0.1) -> None:
        self._count = count
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), kind, str(address[1]), str(count), str(pause)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        try:
            line = self._process.stdout.readline()
            assert line == "ready\n", f"the crowd of {kind} said {line!r}"
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def end(self) -> int:
        """Let them go; how many the server had ended before."""
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        line = self._process.stdout.readline()
        self._process.wait(20)
        return int(line)

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
