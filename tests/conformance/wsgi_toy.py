"""A small WSGI server in this process, whose steps can be overridden: a correct one, from which
broken ones are made."""

import contextlib
import io
import socket
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes

from quaich.conformance.probe.application import application

serve: Any = application

HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers"),
    *("transfer-encoding", "upgrade"),
}


class Wrapper:
    """wsgi.file_wrapper."""

    def __init__(self, file: Any, size: int = 8192) -> None:
        self.file = file
        self.size = size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.file.read(self.size), b"")


class Input(io.RawIOBase):
    """The content: asks for it at the first read, and ends where it ends."""

    def __init__(self, exchange: "Exchange") -> None:
        self.exchange = exchange
        self.left = exchange.length
        self.chunked = exchange.has_chunks

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.exchange.continue_if_expected()
        if self.chunked and not self.left:
            self.left = int(self.exchange.file.readline().split(b";")[0], 16)
            if not self.left:
                self.chunked = False
                self.exchange.file.readline()
        data = self.exchange.file.read(min(len(buffer), self.left))
        self.left -= len(data)
        if self.chunked and not self.left:
            self.exchange.file.readline()
        buffer[: len(data)] = data
        return len(data)


class Exchange:
    """A request and its response. Each method is a step that a broken server does otherwise."""

    version = "HTTP/1.1"

    def __init__(self, sock: socket.socket, file: Any) -> None:
        self.sock = sock
        self.file = file
        self.head: tuple[str, list[tuple[str, str]]] | None = None
        self.was_called = False  # start_response
        self.is_sent = False  # the head
        self.left: int | None = None
        self.sends_chunks = False
        self.keeps = True
        self.expects = False

    # --- The request ---------------------------------------------------------------------------

    def read(self) -> bool:
        line = self.file.readline().decode("latin-1")
        if not line.strip():
            return False
        self.method, self.target, self.protocol = line.split()
        self.fields: dict[str, str] = {}
        while line := self.file.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            self.fields[name.lower()] = value.strip()
        self.length = int(self.fields.get("content-length", 0))
        self.has_chunks = "transfer-encoding" in self.fields
        self.keeps = self.protocol == "HTTP/1.1" and self.fields.get("connection") != "close"
        self.expects = "expect" in self.fields and self.protocol == "HTTP/1.1"
        return True

    def continue_if_expected(self) -> None:
        if self.expects and not self.is_sent:
            self.expects = False
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def decoded(self, path: str) -> str:
        return unquote_to_bytes(path).decode("latin-1")

    def environ(self) -> Any:
        path, _, query = self.target.partition("?")
        address = self.sock.getsockname()
        environ: dict[Any, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": self.decoded(path),
            "QUERY_STRING": query,
            "SERVER_NAME": address[0],
            "SERVER_PORT": str(address[1]),
            "SERVER_PROTOCOL": self.protocol,
            "SERVER_SOFTWARE": "toy",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "REMOTE_ADDR": self.sock.getpeername()[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": self.input(),
            "wsgi.errors": self.errors(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": Wrapper,
        }
        for name, value in self.fields.items():
            key = name.upper().replace("-", "_")
            is_content = key in ("CONTENT_TYPE", "CONTENT_LENGTH")
            if key != "TRANSFER_ENCODING":
                environ[key if is_content else f"HTTP_{key}"] = value
        return environ

    def input(self) -> Any:
        return io.BufferedReader(Input(self))

    def errors(self) -> Any:
        return io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")

    # --- The response --------------------------------------------------------------------------

    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        try:
            if exc_info:
                if self.is_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            elif self.was_called:
                raise AssertionError("start_response was called before")
            self.was_called = True
            self.check(status, headers)
            self.head = (status, list(headers))
        finally:
            exc_info = None
        return self.write

    def check(self, status: Any, headers: Any) -> None:
        if type(status) is not str or type(headers) is not list or not status[:3].isdigit():
            raise TypeError("status and headers")
        texts = [status]
        for header in headers:
            if type(header) is not tuple:
                raise TypeError("no tuple")
            name, value = header
            if type(name) is not str or type(value) is not str:
                raise TypeError("no str")
            if ":" in name or name.lower() in HOP_BY_HOP:
                raise ValueError(name)
            texts += header
        text = "".join(texts)
        text.encode("latin-1")
        if any(ord(letter) < 32 for letter in text):
            raise ValueError("control characters")

    def write(self, data: Any) -> None:
        self.count(data)
        self.send(data)

    def count(self, data: bytes) -> None:
        allowed = self.allowed()
        if allowed is not None and len(data) > (allowed if self.left is None else self.left):
            raise ValueError("beyond the Content-Length")

    def allowed(self) -> int | None:
        headers = self.head[1] if self.head else []
        return next(
            (int(value) for name, value in headers if name.lower() == "content-length"), None
        )

    def send(self, data: Any, size: int | None = None) -> None:
        """Send a block, and the head before it."""
        if type(data) is not bytes:
            raise TypeError("a block that is not bytes")
        if not self.is_sent:
            self.send_head(size)
        if self.left is not None:
            data = data[: self.left]
            self.left -= len(data)
        if data and self.method != "HEAD":
            chunk = b"%x\r\n%s\r\n" % (len(data), data)
            self.sock.sendall(chunk if self.sends_chunks else data)

    def send_head(self, size: int | None = None) -> None:
        if self.head is None:
            raise AssertionError("start_response was not called")
        status, headers = self.head
        headers = list(headers)
        names = {name.lower() for name, _ in headers}
        self.left = self.allowed()
        if self.left is None and size is not None:
            self.left = size
            headers.append(("Content-Length", str(size)))
        if self.left is None:
            self.sends_chunks = self.protocol == "HTTP/1.1"
            self.keeps = self.keeps and self.sends_chunks
            if self.sends_chunks:
                headers.append(("Transfer-Encoding", "chunked"))
        if "date" not in names:
            headers.append(("Date", formatdate(usegmt=True)))
        if not self.keeps:
            headers.append(("Connection", "close"))
        lines = [f"{self.version} {status}", *(f"{name}: {value}" for name, value in headers)]
        self.is_sent = True
        self.sock.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1"))

    def call(self, environ: Any) -> Any:
        return serve(environ, self.start_response)

    def send_result(self, result: Any) -> None:
        size = None
        with contextlib.suppress(TypeError):
            if len(result) == 1 and not self.is_sent:
                size = len(next(iter(result)))
        for block in result:
            if block or type(block) is not bytes:
                self.send(block, size)
            if self.left == 0:
                break
        self.send(b"", 0)

    def close(self, result: Any) -> None:
        if hasattr(result, "close"):
            result.close()

    def end(self) -> None:
        if self.sends_chunks and self.method != "HEAD":
            self.sock.sendall(b"0\r\n\r\n")
        elif self.left and self.method != "HEAD":
            self.keeps = False

    def fail(self) -> None:
        """Answer an exception, or break off."""
        self.keeps = False
        if not self.is_sent:
            self.head = ("500 Error", [("Content-Length", "0")])
            self.send(b"")
        else:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def run(self) -> bool:
        """Take a request; whether the connection is kept."""
        if not self.read():
            return False
        try:
            result = self.call(self.environ())
            try:
                self.send_result(result)
            finally:
                self.close(result)
            self.end()
        except Exception:
            self.fail()
        return self.keeps


Kind = Callable[[socket.socket, Any], Exchange]


@contextlib.contextmanager
def serving(kind: Kind) -> Iterator[int]:
    """Serve, each connection in a thread; gives the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        threading.Thread(target=_accept, args=(listener, kind), daemon=True).start()
        yield listener.getsockname()[1]
        # What blocks in accept() is woken by a connection.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, kind: Kind) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_connection, args=(sock, kind), daemon=True).start()


def _connection(sock: socket.socket, kind: Kind) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock, sock.makefile("rb") as file, contextlib.suppress(OSError, ValueError):
        while kind(sock, file).run():
            pass
