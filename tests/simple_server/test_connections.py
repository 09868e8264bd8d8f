"""Binding, accepting, timeouts, and clients that go away (D007-D019)."""

import io
import os
import socket
import socketserver
from types import SimpleNamespace
from typing import Any

import pytest

from simple_server.client import (
    HOST,
    Recorder,
    echo,
    handler_with,
    hello,
    in_blocks,
    read_response,
    reset,
    threading_server,
)
from support import connect, exchange, live_server, read_all, server_with

REQUEST = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.mark.defect("D007")
@pytest.mark.live
@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="Linux only")
def test_an_idle_connection_does_not_block_the_others(wsgiref: SimpleNamespace) -> None:
    with (
        live_server(wsgiref, hello) as server,
        connect(server) as _idle,
        connect(server, timeout=2) as client,
    ):
        client.sendall(REQUEST)
        assert read_all(client).endswith(b"hello")


@pytest.mark.defect("D031", upstream="gh-139492")
@pytest.mark.live
def test_an_http_0_9_request_is_answered_at_once(wsgiref: SimpleNamespace) -> None:
    with live_server(wsgiref, hello) as server, connect(server, timeout=2) as client:
        client.sendall(b"GET /\r\n")
        assert read_all(client) == b"hello"


@pytest.mark.defect("D008")
@pytest.mark.live
@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nHos", b"GET / HTTP/1.1\r\n", b"\r\n"])
def test_a_head_that_does_not_come_in_time_is_408(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str], start: bytes
) -> None:
    handler = handler_with(wsgiref, timeout=0.1)
    with live_server(wsgiref, hello, handler_class=handler) as server, connect(server) as client:
        client.sendall(start)
        assert b" 408 " in read_all(client)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.defect("D008")
@pytest.mark.live
@pytest.mark.parametrize("start", [b"", b"GET / HT"])
def test_a_connection_that_is_idle_is_closed_quietly(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str], start: bytes
) -> None:
    handler = handler_with(wsgiref, timeout=0.1)
    server_class = threading_server(wsgiref)
    server_class.defer_accept = 0
    with (
        live_server(wsgiref, hello, server_class=server_class, handler_class=handler) as server,
        connect(server) as client,
    ):
        client.sendall(start)
        assert read_all(client) == b""
    assert capsys.readouterr().err == ""


@pytest.mark.defect("D008")
@pytest.mark.live
def test_a_body_that_does_not_come_in_time_is_408(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = handler_with(wsgiref, timeout=0.1)
    with live_server(wsgiref, echo, handler_class=handler) as server, connect(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nab")
        assert b" 408 " in read_all(client)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.defect("D008")
@pytest.mark.live
def test_a_client_that_does_not_read_is_given_up(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [bytes(32 * 1024 * 1024)]

    handler = handler_with(wsgiref, timeout=0.1)
    with wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=handler) as server:
        server.timeout = 5
        with connect(server) as client:
            client.sendall(REQUEST)
            server.handle_request()
    assert "Traceback" not in capsys.readouterr().err


class NeverFlushed(io.BytesIO):
    """A buffer in front of a client that does not read."""

    def flush(self) -> None:
        raise TimeoutError("timed out")


@pytest.mark.defect("D008")
@pytest.mark.parametrize("app", [hello, in_blocks])
@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_a_timeout_in_flush_is_no_error_of_the_application(
    wsgiref: SimpleNamespace, app: Any, protocol: str
) -> None:
    def setup(self: Any) -> None:
        self.connection = self.request
        self.rfile, _ = self.request
        self.wfile = NeverFlushed()

    given = exchange(wsgiref, app, REQUEST, setup=setup, protocol_version=protocol)
    assert "Traceback" not in given.err


@pytest.mark.defect("D008")
@pytest.mark.live
def test_nor_is_it_with_a_buffer_before_the_socket(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    size = 32 * 1024 * 1024

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [bytes(size)]

    def finish(self: Any) -> None:
        try:
            wsgiref.simple_server.WSGIRequestHandler.finish(self)
        finally:
            self.rfile.close()  # socketserver does not get to it

    handler = handler_with(wsgiref, timeout=0.1, wbufsize=2 * size, finish=finish)
    with wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=handler) as server:
        server.timeout = 5
        with connect(server) as client:
            client.sendall(REQUEST)
            server.handle_request()
    assert "Traceback" not in capsys.readouterr().err


def looping(wsgiref: SimpleNamespace) -> Any:
    """A request handler that speaks HTTP/1.1 and serves all requests of a connection.

    The standard library's serves one unless a subclass has a loop: this is the subclass.
    """
    base: Any = wsgiref.simple_server.WSGIRequestHandler

    def handle(self: Any) -> None:
        self.close_connection = True
        base.handle(self)
        while not self.close_connection:
            base.handle(self)

    return handler_with(wsgiref, protocol_version="HTTP/1.1", handle=handle)


@pytest.mark.defect("D009")
@pytest.mark.live
def test_a_single_threaded_server_keeps_no_connection(wsgiref: SimpleNamespace) -> None:
    with (
        live_server(wsgiref, hello, handler_class=looping(wsgiref)) as server,
        connect(server, timeout=2) as client,
    ):
        client.sendall(REQUEST)
        assert b"connection: close\r\n" in read_all(client).lower()


@pytest.mark.defect("D006")
@pytest.mark.live
def test_an_unread_body_is_not_the_next_request(wsgiref: SimpleNamespace) -> None:
    with (
        live_server(
            wsgiref,
            hello,
            server_class=threading_server(wsgiref),
            handler_class=looping(wsgiref),
        ) as server,
        connect(server, timeout=2) as client,
        client.makefile("rb") as stream,
    ):
        client.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 30\r\n\r\n")
        client.sendall(b"GET /smuggled HTTP/9.9\r\n\r\n1234" + REQUEST)
        assert read_response(stream)[0::3] == (200, b"hello")
        assert read_response(stream)[0::3] == (200, b"hello")


@pytest.mark.defect("D012")
def test_the_class_that_runs_the_application_can_be_chosen(wsgiref: SimpleNamespace) -> None:
    base: Any = wsgiref.simple_server.ServerHandler
    chosen = type("Handler", (base,), {"server_software": "Chosen/1"})
    assert exchange(wsgiref, hello, server_handler=chosen).field("Server") == "Chosen/1"


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.defect("D014")
@pytest.mark.live
@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6")
def test_an_ipv6_address_makes_an_ipv6_server(wsgiref: SimpleNamespace) -> None:
    app = Recorder()
    with live_server(wsgiref, app, host="::1") as server, connect(server) as client:
        client.sendall(REQUEST)
        assert read_all(client).endswith(b"ok")
    assert app.environ["REMOTE_ADDR"] == app.environ["SERVER_NAME"] == "::1"
    assert app.environ["SERVER_PORT"] == str(server.server_port)


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were looked up; each look-up says ``looked-up.test``."""
    asked: list[str] = []

    def getfqdn(name: str = "") -> str:
        asked.append(name)
        return "looked-up.test"

    monkeypatch.setattr(socket, "getfqdn", getfqdn)
    return asked


@pytest.mark.defect("D015")
@pytest.mark.live
@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_binding_looks_nothing_up(wsgiref: SimpleNamespace, lookups: list[str], host: str) -> None:
    with wsgiref.simple_server.make_server(host, 0, hello):
        assert lookups == []


@pytest.mark.defect("D016")
@pytest.mark.live
@pytest.mark.usefixtures("lookups")
def test_the_name_of_the_server_is_the_address_bound(wsgiref: SimpleNamespace) -> None:
    with wsgiref.simple_server.make_server("127.0.0.1", 0, hello) as server:
        assert server.base_environ["SERVER_NAME"] == server.server_name == "127.0.0.1"


@pytest.mark.defect("D016")
@pytest.mark.live
@pytest.mark.usefixtures("lookups")
def test_the_name_of_a_server_for_all_addresses_is_the_hosts(wsgiref: SimpleNamespace) -> None:
    with wsgiref.simple_server.make_server("", 0, hello) as server:
        assert server.base_environ["SERVER_NAME"] == socket.gethostname()


@pytest.mark.defect("D018")
def test_the_backlog_takes_a_browsers_connections(wsgiref: SimpleNamespace) -> None:
    assert wsgiref.simple_server.WSGIServer.request_queue_size >= 100


@pytest.mark.live
def test_a_kernel_without_deferred_accept_will_do(
    wsgiref: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An option that no kernel knows.
    monkeypatch.setattr(socket, "TCP_DEFER_ACCEPT", 9999, raising=False)
    with live_server(wsgiref, hello) as server, connect(server) as client:
        client.sendall(REQUEST)
        assert read_all(client).endswith(b"hello")


PHASES = [
    b"G",
    b"GET / HTTP/1.1\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"nonsense\r\n\r\n",
]
EXPECT = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"


def handle_one(
    wsgiref: SimpleNamespace, app: Any, start: bytes, end: Any, **attributes: Any
) -> None:
    """Serve a client that sends ``start``, ends the connection, and is gone by then."""
    handler = handler_with(wsgiref, **attributes)
    with wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=handler) as server:
        server.timeout = 5
        client = connect(server)
        client.sendall(start)
        end(client)
        server.handle_request()


@pytest.mark.defect("D019")
@pytest.mark.live
@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_reset_within_the_head_prints_no_traceback(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str], start: bytes
) -> None:
    handle_one(wsgiref, hello, start, reset)
    assert capsys.readouterr().err == ""


@pytest.mark.live
@pytest.mark.parametrize("end", [reset, socket.socket.close])
@pytest.mark.parametrize("app", [hello, echo])
@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize("start", [*PHASES, EXPECT])
def test_no_end_of_a_client_prints_a_traceback(
    capsys: pytest.CaptureFixture[str], start: bytes, protocol: str, app: Any, end: Any
) -> None:
    from quaich import simple_server

    subject = SimpleNamespace(simple_server=simple_server)
    handle_one(subject, app, start, end, protocol_version=protocol)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.live
@pytest.mark.parametrize("start", PHASES)
def test_a_client_that_has_ended_its_side_gets_its_answer(start: bytes) -> None:
    """Half-closed connections are answered: also with what was wrong."""
    from quaich import simple_server

    subject = SimpleNamespace(simple_server=simple_server)
    with live_server(subject, echo) as server, connect(server) as client:
        client.sendall(start)
        client.shutdown(socket.SHUT_WR)
        answer = read_all(client)
    # Without Host a 400; a head that ends with the stream is served (D055c).
    whole = b"Host" in start and start.startswith(b"GET")
    assert answer.startswith(b"HTTP/1.0 %d " % (200 if whole else 400))


def test_an_error_of_the_handler_itself_is_printed(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    server = wsgiref.simple_server.WSGIServer(("127.0.0.1", 0), None, False)
    with server.socket:
        try:
            raise LookupError("a bug")
        except LookupError:
            server.handle_error(None, ("127.0.0.1", 1))
    assert "LookupError: a bug" in capsys.readouterr().err


@pytest.mark.live
@pytest.mark.parametrize("error", [ConnectionRefusedError, FileNotFoundError, LookupError])
def test_an_error_of_get_environ_is_printed(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str], error: type[Exception]
) -> None:
    """A server that it asks may refuse a connection; that is not the client's going away."""

    def get_environ(self: Any) -> Any:
        raise error("of the directory")

    handler = handler_with(wsgiref, get_environ=get_environ)
    with live_server(wsgiref, hello, handler_class=handler) as server, connect(server) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        read_all(client)
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert f"{error.__name__}: of the directory" in err


@pytest.mark.live
@pytest.mark.skipif(not hasattr(socketserver, "ForkingMixIn"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forking_server_serves(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"%d" % os.getpid()]

    server_class = server_with(wsgiref, socketserver.ForkingMixIn)
    make = wsgiref.simple_server.make_server
    with make("127.0.0.1", 0, app, server_class=server_class) as server:
        server.timeout = 5
        with connect(server) as client:
            client.sendall(REQUEST)
            server.handle_request()
            body = read_all(client).partition(b"\r\n\r\n")[2]
    assert int(body) != os.getpid()
