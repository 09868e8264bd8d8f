"""What the tests of simple_server share: a hostile client's tools, and some applications."""

import socket
import socketserver
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, BinaryIO, NamedTuple

from support import server_with

HOST = b"Host: example.test\r\n"


def threading_server(wsgiref: SimpleNamespace) -> Any:
    """A threading server of the subject's; the standard library has no class for it."""
    return server_with(wsgiref, socketserver.ThreadingMixIn)


def handler_with(wsgiref: SimpleNamespace, **attributes: Any) -> Any:
    """The subject's request handler class with these attributes."""
    return type("Handler", (wsgiref.simple_server.WSGIRequestHandler,), attributes)


class Recorder:
    """An application that keeps each environ and what it read, and answers ``ok``."""

    def __init__(self, *, read: bool = False) -> None:
        self.environs: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self._read = read

    @property
    def environ(self) -> dict[str, Any]:
        assert self.environs, "the application was not called"
        return self.environs[-1]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environs.append(dict(environ))
        if self._read:
            self.bodies.append(environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The request's body, and its path in a field."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Path", environ["PATH_INFO"])])
    return [body]


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """``hello``, without a look at the request."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def in_blocks(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    """Three blocks whose total the server cannot know."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield from (b"one ", b"two ", b"three")


class Response(NamedTuple):
    """A response as an HTTP/1.1 client sees it."""

    status: int
    version: str
    fields: dict[str, str]
    body: bytes


def read_response(stream: BinaryIO, method: str = "GET") -> Response:
    """The next response; the connection may hold more behind it.

    EOFError where the peer ends within it.
    """
    version, status, _ = _line(stream).split(" ", 2)
    fields: dict[str, str] = {}
    while line := _line(stream):
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    code = int(status)
    if method == "HEAD" or code in (204, 304) or code < 200:
        body = b""
    elif fields.get("transfer-encoding") == "chunked":
        body = _chunked(stream)
    elif "content-length" in fields:
        body = _exactly(stream, int(fields["content-length"]))
    else:
        body = stream.read()
    return Response(code, version, fields, body)


def _line(stream: BinaryIO) -> str:
    line = stream.readline(65536)
    if not line.endswith(b"\r\n"):
        raise EOFError(f"the stream ended in the line {line!r}")
    return line[:-2].decode("latin-1")


def _exactly(stream: BinaryIO, size: int) -> bytes:
    block = stream.read(size)
    if len(block) < size:
        raise EOFError(f"{size} bytes were announced and {len(block)} came")
    return block


def _chunked(stream: BinaryIO) -> bytes:
    blocks = []
    while size := int(_line(stream), 16):
        blocks.append(_exactly(stream, size))
        assert _line(stream) == ""
    assert _line(stream) == ""
    return b"".join(blocks)


def reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def send_in(connection: socket.socket, data: bytes, size: int | None) -> None:
    """Send the bytes ``size`` by ``size``, each in a packet if the kernel likes; None: whole."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    step = size or len(data)
    for start in range(0, len(data), step):
        connection.sendall(data[start : start + step])
