"""What the tests of the server share: a client that tells how a connection ended, and waiting.

Every operation of :class:`Client` has :data:`PATIENCE` seconds and no more.
"""

import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Literal, NamedTuple

PATIENCE = 10.0  # seconds

HOST = b"Host: example.test\r\n"

# For localhost, 127.0.0.1 and ::1, signed by itself, valid for a hundred years. Nothing's secret.
LOCALHOST = Path(__file__).parent.parent / "data" / "localhost.pem"


def get(target: str = "/", *fields: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """A request without content; ``fields`` as ``"Name: value"``."""
    lines = [f"{method} {target} {version}", "Host: example.test", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def post(content: bytes, target: str = "/", *fields: str, method: str = "POST") -> bytes:
    """A request with content of a known length."""
    return get(target, *fields, f"Content-Length: {len(content)}", method=method) + content


def chunks(*blocks: bytes) -> bytes:
    """Blocks in the chunked coding, with its end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(block), block) for block in (*blocks, b""))


def wait_until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    """Look again and again until ``condition()`` is true; fail after ``seconds``."""
    pause, deadline = threading.Event(), monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"in vain, waited for: {what}"
        pause.wait(0.002)


class Ending(Enum):
    """How the server has ended a connection."""

    CLEAN = "an end"
    RESET = "a reset"


class Truncated(EOFError):
    """A message has ended before its framing says so. ``content`` is what came of it."""

    def __init__(self, ending: Ending, head: bytes, content: bytes) -> None:
        super().__init__(f"{ending.value} after {len(content)} bytes of content behind {head!r}")
        self.ending = ending
        self.head = head
        self.content = content


Framing = Literal["none", "length", "chunked", "close"]


class Response(NamedTuple):
    """A response as it came over the wire."""

    version: str
    status: int
    reason: str
    fields: list[tuple[str, str]]
    content: bytes
    framing: Framing

    def field(self, name: str) -> str | None:
        """The value of the only field of that name, None if there is none."""
        values = self.values(name)
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    def values(self, name: str) -> list[str]:
        return [value for each, value in self.fields if each.lower() == name.lower()]

    @property
    def persists(self) -> bool:
        """The server does not say that it closes."""
        return self.field("Connection") != "close"


class Client:
    """A connection to a server, as bytes.

    ``receive_buffer``: bytes that the system takes for this client while it does not read.
    """

    def __init__(self, address: tuple[str, int], receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            # Before connecting: the window is agreed on there.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(address)
        except BaseException:
            self.socket.close()
            raise
        self.name: tuple[str, int] = self.socket.getsockname()
        self.secure()
        self.held = bytearray()  # what has come and was not asked for
        self.segments = 0  # receive operations that gave something
        self._ending: Ending | None = None

    def secure(self) -> None:
        """What is to be done before the first byte: nothing."""

    # --- Sending ----------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        self.socket.settimeout(PATIENCE)
        self.socket.sendall(data)

    def half_close(self) -> None:
        """Send no more; still read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection at once and not cleanly."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    # --- Reading ----------------------------------------------------------------------------

    def _more(self, deadline: float) -> bool:
        """Wait for more; False if the server has ended the connection."""
        if self._ending is not None:
            return False
        self.socket.settimeout(max(0.001, deadline - monotonic()))
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            self._ending = Ending.RESET
            return False
        if not data:
            self._ending = Ending.CLEAN
            return False
        self.segments += 1
        self.held += data
        return True

    @property
    def _ended(self) -> Ending:
        assert self._ending is not None
        return self._ending

    def receive(self, size: int) -> bytes:
        """The next ``size`` bytes; Truncated if the connection ends before."""
        deadline = monotonic() + PATIENCE
        while len(self.held) < size:
            if not self._more(deadline):
                raise Truncated(self._ended, b"", bytes(self.held))
        data = bytes(self.held[:size])
        del self.held[:size]
        return data

    def receive_until(self, mark: bytes) -> bytes:
        """All up to ``mark`` and with it."""
        deadline = monotonic() + PATIENCE
        while (found := self.held.find(mark)) < 0:
            if not self._more(deadline):
                raise Truncated(self._ended, b"", bytes(self.held))
        return self.receive(found + len(mark))

    def response(self, method: str = "GET") -> Response:
        """The next response to a request of that method, by its framing. A 100 (Continue) is
        one. Raises Truncated, also where the connection ends with no byte of a response."""
        try:
            head = self.receive_until(b"\r\n\r\n")
        except Truncated as error:
            raise Truncated(error.ending, error.content, b"") from None
        line, *lines = head[:-4].decode("latin-1").split("\r\n")
        version, status, reason = line.split(" ", 2)
        fields = [(name, value) for name, _, value in (each.partition(": ") for each in lines)]
        response = Response(version, int(status), reason, fields, b"", "none")
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            return response
        length, coding = response.field("Content-Length"), response.field("Transfer-Encoding")
        assert length is None or coding is None, "two framings in one head (H126)"
        if coding is not None:
            assert coding == "chunked"
            return response._replace(content=b"".join(self._chunks(head)), framing="chunked")
        if length is not None:
            try:
                content = self.receive(int(length))
            except Truncated as error:
                raise Truncated(error.ending, head, error.content) from None
            return response._replace(content=content, framing="length")
        assert not response.persists, "nothing but the connection's end shows the content's (H130)"
        content = self._all()
        if self._ended is Ending.RESET:
            raise Truncated(Ending.RESET, head, content)
        return response._replace(content=content, framing="close")

    def _chunks(self, head: bytes) -> list[bytes]:
        blocks: list[bytes] = []
        try:
            while size := int(self.receive_until(b"\r\n")[:-2], 16):
                blocks.append(self.receive(size))
                assert self.receive(2) == b"\r\n"
            assert self.receive(2) == b"\r\n", "a trailer section that nobody asked for"
        except Truncated as error:
            raise Truncated(error.ending, head, b"".join(blocks)) from None
        return blocks

    def chunk(self) -> bytes:
        """The next chunk of a response in the chunked coding; ``b""`` is the last one."""
        size = int(self.receive_until(b"\r\n")[:-2], 16)
        block = self.receive(size)
        assert self.receive(2) == b"\r\n"
        return block

    def head(self) -> Response:
        """The next response's head alone."""
        return self.response("HEAD")

    def _all(self) -> bytes:
        deadline = monotonic() + PATIENCE
        while self._more(deadline):
            pass
        data = bytes(self.held)
        self.held.clear()
        return data

    def rest(self) -> bytes:
        """All that comes until the server ends the connection, which it must do cleanly."""
        data = self._all()
        assert self._ended is Ending.CLEAN, f"a reset after {data!r}"
        return data

    def ending(self) -> Ending:
        """How the server ends the connection, on which nothing more may come."""
        data = self._all()
        assert data == b"", f"more came: {data[:200]!r}"
        return self._ended

    def wait_for_reset(self) -> None:
        """Wait, without reading, until the server has reset the connection."""
        poll = select.poll()
        poll.register(self.socket, 0)  # errors are reported all the same
        deadline = monotonic() + PATIENCE
        while not poll.poll(2000):
            assert monotonic() < deadline, "the server has not reset the connection"
            # A reset that comes when the window is closed may be dropped. What is sent to a
            # connection that is no more is answered with another one.
            with suppress(OSError):
                self.socket.send(b"\r\n")

    def is_open(self) -> bool:
        """The server has not ended the connection yet, and nothing has come."""
        self.socket.settimeout(0)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return not self.held
        except ConnectionError:
            pass
        return False

    def exchange(self, request: bytes, method: str = "GET") -> Response:
        """Send a request and read its response."""
        self.send(request)
        return self.response(method)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self.close()


class TlsClient(Client):
    """The same with TLS. An end that TLS does not know of is no clean one: to a client it is as
    a reset."""

    def __init__(
        self,
        address: tuple[str, int],
        receive_buffer: int | None = None,
        context: ssl.SSLContext | None = None,
        host: str = "localhost",
    ) -> None:
        self._lock = threading.Lock()
        self.context = context or ssl.create_default_context(cafile=LOCALHOST)
        self.host = host
        super().__init__(address, receive_buffer)

    @property
    def tls(self) -> ssl.SSLSocket:
        assert isinstance(self.socket, ssl.SSLSocket)
        return self.socket

    def secure(self) -> None:
        plain = self.socket
        try:
            self.socket = self.context.wrap_socket(
                plain, server_hostname=self.host, suppress_ragged_eofs=False
            )
            self.socket.settimeout(0)
        finally:
            plain.close()  # it is empty by now, or nobody has it any more

    def send_raw(self, data: bytes) -> None:
        """Bytes of TCP, past the encryption."""
        socket.socket.send(self.socket, data)

    def half_close(self) -> None:
        # Its own shutdown() would end the encryption of what still comes.
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    # One thread may send while another reads, as without TLS; but OpenSSL is in one thread at a
    # time. So nobody waits inside it.

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        deadline = monotonic() + PATIENCE
        while view:
            try:
                with self._lock:
                    view = view[self.socket.send(view[:65536]) :]
                deadline = monotonic() + PATIENCE
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                self._wait([], [self.socket], deadline)

    def _more(self, deadline: float) -> bool:
        while self._ending is None:
            try:
                with self._lock:
                    data = self.socket.recv(65536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self._wait([self.socket], [], deadline)
            except OSError:
                self._ending = Ending.RESET
            else:
                if data:
                    self.segments += 1
                    self.held += data
                    return True
                self._ending = Ending.CLEAN
        return False

    def _wait(self, reading: list[Any], writing: list[Any], deadline: float) -> None:
        ready = select.select(reading, writing, [], max(0.0, deadline - monotonic()))
        if not any(ready):
            raise TimeoutError("timed out")

    def is_open(self) -> bool:
        try:
            self._more(monotonic())
        except TimeoutError:
            return not self.held
        return False


class Gate:
    """An event that both sides wait for, each with bounded patience."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def open(self) -> None:
        self._event.set()

    def wait(self) -> None:
        assert self._event.wait(PATIENCE), "nobody opened the gate"

    @property
    def is_open(self) -> bool:
        return self._event.is_set()
