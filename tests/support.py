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


def exchange(
    wsgiref: SimpleNamespace, app: Any, data: bytes = b"GET / HTTP/1.0\r\n\r\n", **attributes: Any
) -> Answer:
    """Serve the bytes of one connection by the subject's simple_server, without a socket.

    ``attributes`` are set on the request handler's class (``protocol_version`` …).
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
    server = wsgiref.simple_server.WSGIServer(("127.0.0.1", 80), Handler, bind_and_activate=False)
    server.server_name, server.server_port = "127.0.0.1", 80
    server.setup_environ()
    server.set_app(app)
    out = io.BytesIO()
    with mock.patch("sys.stderr", io.StringIO()) as err, contextlib.closing(server.socket):
        server.finish_request((io.BufferedReader(io.BytesIO(data)), out), ("127.0.0.1", 4711))
    return Answer(out.getvalue(), err.getvalue())


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
