"""What programs in use do with simple_server, and what must go on working."""

import io
import socket
import socketserver
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simple_server.client import HOST, Recorder, echo, handler_with, hello
from support import connect, exchange, live_server, read_all

REQUEST = b"GET /path?query HTTP/1.1\r\n" + HOST + b"\r\n"


def copied_handler(wsgiref: SimpleNamespace, *, multithread: bool) -> Any:
    """A handler with the method handle() of CPython 3.8 to 3.13, as many programs have it."""
    module = wsgiref.simple_server
    options = {"multithread": False} if multithread else {}

    def handle(self: Any) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if len(self.raw_requestline) > 65536:
            self.requestline = ""
            self.request_version = ""
            self.command = ""
            self.send_error(414)
            return

        if not self.parse_request():  # An error code has been sent, just exit
            return

        handler = module.ServerHandler(
            self.rfile, self.wfile, self.get_stderr(), self.get_environ(), **options
        )
        handler.request_handler = self  # backpointer for logging
        handler.run(self.server.get_app())

    return handler_with(wsgiref, handle=handle)


@pytest.mark.live
@pytest.mark.parametrize("multithread", [False, True])
@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (REQUEST, 200, b""),
        (b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
        (b"GET /" + b"a" * 65600 + b" HTTP/1.0\r\n\r\n", 414, None),
        (b"GET / HTTP/x\r\n\r\n", 400, None),
    ],
)
def test_a_copied_handle_works(
    wsgiref: SimpleNamespace, multithread: bool, data: bytes, status: int, body: bytes | None
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
        start_response("200 OK", [])
        return [body]

    handler = copied_handler(wsgiref, multithread=multithread)
    with live_server(wsgiref, app, handler_class=handler) as server, connect(server) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = read_all(client)
    assert b" %d " % status in answer.partition(b"\r\n")[0]
    assert body is None or answer.endswith(b"\r\n\r\n" + body)


@pytest.mark.defect("D005")
@pytest.mark.live
def test_a_copied_handle_does_not_lose_responses(wsgiref: SimpleNamespace) -> None:
    handler = copied_handler(wsgiref, multithread=True)
    size = 8 * 1024 * 1024
    with live_server(wsgiref, hello, handler_class=handler) as server, connect(server) as client:
        client.sendall(b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
        assert read_all(client).endswith(b"hello")


@pytest.mark.live
def test_one_handle_request_is_one_request(wsgiref: SimpleNamespace) -> None:
    """google-auth-oauthlib waits for exactly one, from a browser that keeps connections."""
    app = Recorder()
    with wsgiref.simple_server.make_server("127.0.0.1", 0, app) as server:
        server.timeout = 5
        with connect(server) as client:
            client.sendall(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"))
            server.handle_request()
            assert len(app.environs) == 1
            assert read_all(client).endswith(b"ok")


@pytest.mark.live
def test_a_server_has_a_timeout_for_handle_request(wsgiref: SimpleNamespace) -> None:
    with wsgiref.simple_server.make_server("127.0.0.1", 0, hello) as server:
        server.timeout = 0.01
        server.handle_request()  # returns: nobody came


@pytest.mark.parametrize("address", ["127.0.0.1", ("127.0.0.1", 1)])
def test_a_server_may_be_a_stub(wsgiref: SimpleNamespace, address: Any) -> None:
    """Django's and dulwich's tests have neither a socket nor a server of socketserver's."""
    module = wsgiref.simple_server
    out = io.BytesIO()

    class Handler(module.WSGIRequestHandler):  # type: ignore[misc,name-defined]
        def setup(self) -> None:
            self.rfile, self.wfile = self.request

        def finish(self) -> None:
            pass

        def log_message(self, format: str, *args: Any) -> None:
            pass

    app = Recorder()
    stub = SimpleNamespace(base_environ={"SERVER_NAME": "stub"}, get_app=lambda: app)
    Handler((io.BytesIO(REQUEST), out), address, stub)
    assert out.getvalue().startswith(b"HTTP/1.0 200 OK\r\n")
    assert app.environ["SERVER_NAME"] == "stub"
    assert (app.environ["PATH_INFO"], app.environ["QUERY_STRING"]) == ("/path", "query")


@pytest.mark.parametrize(
    "data", [b"nonsense\r\n\r\n", b"POST / HTTP/1.0\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_a_handler_may_have_no_connection(wsgiref: SimpleNamespace, data: bytes) -> None:
    """A ``setup()`` that makes two files and no more is enough for ``finish()``."""
    module = wsgiref.simple_server
    out: list[bytes] = []

    class Output(io.BytesIO):
        def close(self) -> None:
            out.append(self.getvalue())
            super().close()

    class Handler(module.WSGIRequestHandler):  # type: ignore[misc,name-defined]
        def setup(self) -> None:
            self.rfile, self.wfile = io.BytesIO(data), Output()

    stub = SimpleNamespace(base_environ={}, get_app=lambda: hello)
    Handler(None, ("127.0.0.1", 1), stub)
    assert len(out) == 1
    assert out[0].endswith(b"hello") or b"400" in out[0]


@pytest.mark.live
@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_a_subclass_can_serve_a_unix_socket(wsgiref: SimpleNamespace, tmp_path: Path) -> None:
    class Server(wsgiref.simple_server.WSGIServer):  # type: ignore[misc,name-defined]
        address_family = socket.AF_UNIX

        def server_bind(self) -> None:
            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = "unix", 0
            self.setup_environ()

        def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
            request, _ = super().get_request()
            return request, ("local", 0)

    app = Recorder()
    path = str(tmp_path / "socket")
    with Server(path, wsgiref.simple_server.WSGIRequestHandler) as server:
        server.set_app(app)
        server.timeout = 5
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(path)
            client.sendall(REQUEST)
            server.handle_request()
            assert read_all(client).endswith(b"ok")
    assert app.environ["SERVER_NAME"] == "unix"
    assert app.environ["REMOTE_ADDR"] == "local"


@pytest.mark.live
def test_a_socket_can_be_adopted(wsgiref: SimpleNamespace) -> None:
    """D017: without binding, ``server.socket`` is the program's to set."""
    module = wsgiref.simple_server
    with socket.create_server(("127.0.0.1", 0)) as adopted:
        server = module.WSGIServer(
            adopted.getsockname(), module.WSGIRequestHandler, bind_and_activate=False
        )
        server.socket.close()
        server.socket = adopted
        server.server_name, server.server_port = adopted.getsockname()
        server.setup_environ()
        server.set_app(hello)
        server.timeout = 5
        with connect(server) as client:
            client.sendall(REQUEST)
            server.handle_request()
            assert read_all(client).endswith(b"hello")


def test_a_subclass_of_the_server_handler_can_close_by_itself(wsgiref: SimpleNamespace) -> None:
    """As Django's: ``http_version`` 1.1, and the field Connection is its own matter."""
    module = wsgiref.simple_server

    class Handler(module.ServerHandler):  # type: ignore[misc,name-defined]
        http_version = "1.1"

        def cleanup_headers(self) -> None:
            super().cleanup_headers()
            self.headers["Connection"] = "close"
            self.request_handler.close_connection = True

    def handle(self: Any) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        assert self.parse_request()
        handler = Handler(self.rfile, self.wfile, self.get_stderr(), self.get_environ())
        handler.request_handler = self
        handler.run(self.server.get_app())
        assert self.close_connection

    answer = exchange(wsgiref, hello, REQUEST, handle=handle, protocol_version="HTTP/1.1")
    assert answer.out.count(b"Connection: close\r\n") == 1
    assert answer.body == b"hello"


def test_the_headers_are_a_message(wsgiref: SimpleNamespace) -> None:
    """Subclasses read and change ``self.headers`` by the interface of email.message."""
    seen: list[Any] = []

    def get_environ(self: Any) -> Any:
        seen.extend([self.headers.get_all("X-A"), self.headers["x-b"], list(self.headers)])
        del self.headers["X-A"]
        return wsgiref.simple_server.WSGIRequestHandler.get_environ(self)

    app = Recorder()
    data = b"GET / HTTP/1.0\r\nX-A: 1\r\nX-B: \xe9\r\nX-A: 2\r\n\r\n"
    exchange(wsgiref, app, data, get_environ=get_environ)
    assert seen == [["1", "2"], "\xe9", ["X-A", "X-B", "X-A"]]
    assert "HTTP_X_A" not in app.environ
    assert app.environ["HTTP_X_B"] == "\xe9"


@pytest.mark.live
def test_a_forgotten_base_environ_is_an_error_of_the_program(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with live_server(wsgiref, echo) as server, connect(server) as client:
        del server.base_environ
        client.sendall(REQUEST)
        assert read_all(client) == b""
    assert "AttributeError" in capsys.readouterr().err
