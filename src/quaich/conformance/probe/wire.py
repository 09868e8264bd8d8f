"""A client of raw bytes: sends what it is told, and keeps what comes.

Lenient where it reads, since it is to see what a server does wrong: nothing is refused, and what
cannot be made out is left empty. Every wait is bounded.
"""

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

PATIENCE: Final = 3.0
"""Seconds that an answer may take. A server that waits for more bytes gives none."""

QUIET: Final = 0.35
"""Seconds without a byte after which nothing more is expected where there should be nothing."""

_SHOWN_MAX: Final = 1500  # bytes of a conversation that are kept to be shown
_HEAD_MAX: Final = 1 << 20  # of a head that does not end
_DIGITS_MAX: Final = 18  # of a length; int() refuses what has thousands
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;.*)?", re.DOTALL)


@dataclass(frozen=True)
class Response:
    """A response as it came. ``complete``: its end was seen, by its own framing."""

    raw: bytes
    version: bytes = b""
    status: int = 0
    reason: bytes = b""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    content: bytes = b""
    chunks: tuple[bytes, ...] = ()  # as framed, if it came in chunks
    complete: bool = False
    framing: str = ""  # "length", "chunked", "close", "none"

    def values(self, name: str) -> list[bytes]:
        """The values of a field, one for each line."""
        wanted = name.lower().encode()
        return [value for key, value in self.fields if key.lower() == wanted]

    def value(self, name: str) -> bytes | None:
        """The value of a field's first line, or None."""
        return next(iter(self.values(name)), None)

    @property
    def closes(self) -> bool:
        """It says that the connection ends with it."""
        options = b",".join(self.values("connection")).lower()
        return b"close" in [each.strip() for each in options.split(b",")]

    def __bool__(self) -> bool:
        return self.status > 0


NOTHING: Final = Response(b"")


@dataclass
class Talk:
    """What was said on one connection, for the report."""

    sent: bytes = b""
    received: bytes = b""

    def as_text(self) -> tuple[str, str]:
        """Both sides as text that shows each byte."""
        return show_bytes(self.sent), show_bytes(self.received)


def show_bytes(data: bytes) -> str:
    """Bytes for a report: as in a Python literal, cut if they are many."""
    text = repr(data[:_SHOWN_MAX])[2:-1]
    return text + ("…" if len(data) > _SHOWN_MAX else "")


class Connection:
    """One connection. Use :meth:`Client.connect` for one that is closed at the end."""

    def __init__(self, sock: socket.socket, talk: Talk) -> None:
        self._socket = sock
        self.talk = talk
        self._buffer = b""  # came, and has not been read
        self.ended = False  # the server has closed its side
        self.was_reset = False

    def send(self, data: bytes) -> None:
        """Send all of it. That the server has gone is noted, not raised: what it has said
        before may still be read."""
        self.talk.sent += data
        try:
            self._socket.settimeout(PATIENCE)
            self._socket.sendall(data)
        except TimeoutError:
            pass  # it reads no more, which is neither an end nor a reset
        except OSError:
            self.was_reset = True

    def finish(self) -> None:
        """End the sending side."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close at once, with a reset."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
            )
            self._socket.close()

    def read_some(self, seconds: float = PATIENCE) -> bytes:
        """What comes next; nothing at the end, or if nothing comes in time. Without time left,
        nothing either: a server that never stops would keep a loop with a deadline alive."""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        if self.ended or seconds <= 0:
            return b""
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return b""
        except OSError:
            self.ended = self.was_reset = True
            return b""
        if not data:
            self.ended = True
        if len(self.talk.received) <= _SHOWN_MAX:  # of megabytes, no more can be shown
            self.talk.received += data
        return data

    def unread(self, data: bytes) -> None:
        """Put bytes back in front."""
        self._buffer = data + self._buffer

    def read_until_quiet(self, seconds: float = QUIET) -> bytes:
        """All that comes until nothing has come for a while, or the end; or, of a server that
        does not stop, what comes within the patience."""
        deadline = time.monotonic() + PATIENCE
        parts = []
        while data := self.read_some(min(seconds, deadline - time.monotonic())):
            parts.append(data)
        return b"".join(parts)

    def read_all(self, seconds: float = PATIENCE) -> bytes:
        """All that comes until the server ends, at most for so long."""
        deadline = time.monotonic() + seconds
        parts = []
        while not self.ended and (left := deadline - time.monotonic()) > 0:
            parts.append(self.read_some(left))
        return b"".join(parts)

    def is_closed(self, seconds: float = PATIENCE) -> bool:
        """Whether the server closes the connection in time; drops what it sends before."""
        deadline = time.monotonic() + seconds
        while not self.ended and (left := deadline - time.monotonic()) > 0:
            self.read_some(left)
        return self.ended

    def response(
        self, method: str = "GET", seconds: float = PATIENCE, *, interim: bool = False
    ) -> Response:
        """The next final response (with ``interim``: the next of any kind), read to the end that
        its framing says; what is behind it stays for the next call."""
        deadline = time.monotonic() + seconds
        data = b""
        while True:
            head, end = _split_head(data)
            if end:
                response = _parse_head(head)
                if response.status // 100 == 1 and response.status != 101 and not interim:
                    data = data[end:]
                    continue
                return self._content(response, data[end:], method, deadline)
            more = b"" if len(data) > _HEAD_MAX else self.read_some(deadline - time.monotonic())
            if not more:
                return _parse_head(data)
            data += more

    def _content(self, response: Response, data: bytes, method: str, deadline: float) -> Response:
        def more() -> bool:
            nonlocal data
            piece = self.read_some(deadline - time.monotonic())
            data += piece
            return bool(piece)

        raw, chunks, complete = response.raw, [], False
        coding = b",".join(response.values("transfer-encoding")).lower()
        lengths = response.values("content-length")
        if method == "HEAD" or response.status in (204, 304) or response.status // 100 == 1:
            framing, size, complete = "none", 0, True
        elif b"chunked" in coding:
            framing = "chunked"
            size, complete = 0, False
            while True:
                parsed = _parse_chunk(data[size:])
                if parsed is None:
                    if not more():
                        break
                    continue
                block, used = parsed
                size += used
                if block is None:
                    complete = True
                    break
                chunks.append(block)
        elif lengths and lengths[0].isdigit():
            framing, size = "length", int(lengths[0][:_DIGITS_MAX])
            while len(data) < size and more():
                pass
            complete = len(data) >= size
        else:
            framing = "close"
            while more():
                pass
            size, complete = len(data), self.ended and not self.was_reset
        content = b"".join(chunks) if framing == "chunked" else data[:size]
        self.unread(data[size:])
        return Response(
            raw + data[:size],
            response.version,
            response.status,
            response.reason,
            response.fields,
            content,
            tuple(chunks),
            complete,
            framing,
        )

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(OSError):
            self._socket.close()


@dataclass
class Client:
    """Connects to one server. ``talks`` of the present trial are kept for the report."""

    host: str
    port: int
    authority: bytes = b""  # for the Host field
    talks: list[Talk] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.authority:
            host = f"[{self.host}]" if ":" in self.host else self.host
            self.authority = f"{host}:{self.port}".encode()

    @contextlib.contextmanager
    def connect(self) -> Iterator[Connection]:
        """A fresh connection. Raises OSError if there is none to be had."""
        sock = socket.create_connection((self.host, self.port), PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talk = Talk()
        self.talks.append(talk)
        connection = Connection(sock, talk)
        try:
            yield connection
        finally:
            connection.close()

    def head(
        self, method: str = "GET", target: str = "/", *lines: bytes, version: str = "1.1"
    ) -> bytes:
        """A request's head; Host is in it unless one of ``lines`` is."""
        return self.head_of(f"{method} {target} HTTP/{version}".encode(), *lines)

    def head_of(self, line: bytes, *lines: bytes) -> bytes:
        """The same from a whole request line."""
        fields = list(lines)
        if not any(each.lower().startswith(b"host:") for each in lines):
            fields.insert(0, b"Host: " + self.authority)
        return b"\r\n".join([line, *fields, b"", b""])

    def ask(self, data: bytes, method: str = "GET", seconds: float = PATIENCE) -> Response:
        """One request on a fresh connection, and its response."""
        with self.connect() as connection:
            connection.send(data)
            return connection.response(method, seconds)

    def get(self, target: str = "/", *lines: bytes, method: str = "GET") -> Response:
        """An ordinary request without content."""
        return self.ask(self.head(method, target, *lines), method)

    def post(self, target: str, content: bytes, *lines: bytes) -> Response:
        """An ordinary request with content of a length."""
        length = b"Content-Length: %d" % len(content)
        return self.ask(self.head("POST", target, *lines, length) + content, "POST")


# --- Reading what came ------------------------------------------------------------------------


def _split_head(data: bytes) -> tuple[bytes, int]:
    """The head and where it ends; 0 if it has not ended. Takes bare LF too."""
    ends = [
        (position, size)
        for mark, size in ((b"\r\n\r\n", 4), (b"\n\n", 2))
        if (position := data.find(mark)) >= 0
    ]
    if not ends:
        return b"", 0
    position, size = min(ends)
    return data[: position + size], position + size


def _parse_head(head: bytes) -> Response:
    lines = head.replace(b"\r\n", b"\n").split(b"\n")
    version, _, rest = lines[0].partition(b" ")
    code, _, reason = rest.partition(b" ")
    if not version.startswith(b"HTTP/") or not code.isdigit():
        return Response(head)
    fields = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            fields.append((name, value.strip(b" \t")))
    return Response(head, version, int(code[:3]), reason, tuple(fields))


def _parse_chunk(data: bytes) -> tuple[bytes | None, int] | None:
    """The first chunk and how many bytes it takes; None for the chunk behind the last, with its
    trailers; None altogether if it has not come yet, or is none."""
    line_end = data.find(b"\r\n")
    match = _CHUNK_SIZE.fullmatch(data, 0, line_end) if line_end >= 0 else None
    if match is None:
        return None
    if size := int(match[1], 16):
        end = line_end + 2 + size + 2
        is_whole = len(data) >= end and data[end - 2 : end] == b"\r\n"
        return (data[line_end + 2 : end - 2], end) if is_whole else None
    end = data.find(b"\r\n\r\n", line_end)
    return (None, end + 4) if end >= 0 else None
