"""What several test files share: a server over byte streams, and a live one.

Both take the subject (the fixture ``wsgiref``) as their first argument, so that one test runs
on Quaich and on the standard library.
"""

import contextlib
import io
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock


class Answer(NamedTuple):
    """What one request over byte streams gave: the bytes sent, and the text on stderr."""

    out: bytes
    err: str

    @property
    def status(self) -> str:
        return self.out.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def head(self) -> bytes:
        return self.out.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.out.partition(b"\r\n\r\n")[2]

    def field(self, name: str) -> str | None:
        """The first value of a response field, or None."""
        for line in self.head.split(b"\r\n")[1:]:
            field, _, value = line.partition(b":")
            if field.strip().lower() == name.lower().encode():
                return value.strip().decode("latin-1")
        return None


class Drip(io.RawIOBase):
    """A stream that gives at most ``size`` bytes at once."""

    def __init__(self, data: bytes, size: int) -> None:
        self._stream = io.BytesIO(data)
        self._size = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        block = self._stream.read(min(self._size, len(buffer)))
        buffer[: len(block)] = block
        return len(block)


def exchange(
    wsgiref: SimpleNamespace,
    app: Any,
    data: bytes = b"GET / HTTP/1.0\r\n\r\n",
    *,
    size: int | None = None,
    mixin: Any = None,
    address: Any = ("127.0.0.1", 4711),
    **attributes: Any,
) -> Answer:
    """Serve the bytes of one connection by the subject's simple_server, without a socket.

    They come ``size`` by ``size``, None: as they are asked for. ``mixin`` is one of
    socketserver's for the server, ``address`` is the client's. ``attributes`` are set on the
    request handler's class (``protocol_version`` …).
    """
    base: Any = wsgiref.simple_server.WSGIRequestHandler

    class Handler(base):  # type: ignore[misc]  # the subject's class is known at run time only
        def setup(self) -> None:
            self.connection = self.request
            self.rfile, self.wfile = self.request

        def finish(self) -> None:
            pass

    for name, value in attributes.items():
        setattr(Handler, name, value)
    server_class = server_with(wsgiref, mixin)
    server = server_class(("127.0.0.1", 80), Handler, bind_and_activate=False)
    server.server_name, server.server_port = "127.0.0.1", 80
    server.setup_environ()
    server.set_app(app)
    rfile = io.BufferedReader(io.BytesIO(data) if size is None else Drip(data, size))
    out = io.BytesIO()
    with mock.patch("sys.stderr", io.StringIO()) as err, contextlib.closing(server.socket):
        server.finish_request((rfile, out), address)
    return Answer(out.getvalue(), err.getvalue())


def server_with(wsgiref: SimpleNamespace, mixin: Any) -> Any:
    """The subject's server class, with a mix-in of socketserver's in front."""
    base: Any = wsgiref.simple_server.WSGIServer
    if mixin is None:
        return base
    name = mixin.__name__ + "WSGIServer"
    return type(name, (mixin, base), {"daemon_threads": True})


@contextlib.contextmanager
def live_server(
    wsgiref: SimpleNamespace, app: Any, *, host: str = "127.0.0.1", **kwargs: Any
) -> Iterator[Any]:
    """The subject's simple_server on a free port, served by a thread; yields the server.

    ``kwargs`` are those of ``make_server``.
    """
    with wsgiref.simple_server.make_server(host, 0, app, **kwargs) as server:
        # A short poll interval bounds shutdown(), it is not waited for otherwise.
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def connect(server: Any, timeout: float = 10.0) -> socket.socket:
    """A client connection to a live server; every operation is bounded by ``timeout`` seconds."""
    return socket.create_connection(server.server_address[:2], timeout=timeout)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the peer closes; a reset raises ConnectionResetError."""
    blocks = []
    while block := connection.recv(65536):
        blocks.append(block)
    return b"".join(blocks)
