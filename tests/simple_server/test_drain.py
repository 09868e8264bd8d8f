"""The end of a connection: 100 (Continue), unread bodies, resets (D004, D005, D096)."""

import contextlib
import itertools
import socket
from collections.abc import Iterator
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
    threading_server,
)
from support import connect, exchange, live_server, read_all

POST = b"POST / HTTP/1.1\r\n" + HOST
EXPECT = POST + b"Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PROTOCOLS = pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])


@pytest.mark.defect("D004")
@PROTOCOLS
def test_100_is_sent_when_the_application_reads(wsgiref: SimpleNamespace, protocol: str) -> None:
    sent: list[int] = []
    wfile: Any = None

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        stream = environ["wsgi.input"]
        sent.append(wfile.tell())
        body = stream.read(2) + stream.read()
        sent.append(wfile.tell())
        start_response("200 OK", [])
        return [body]

    def get_environ(self: Any) -> Any:
        nonlocal wfile
        wfile = self.wfile
        return wsgiref.simple_server.WSGIRequestHandler.get_environ(self)

    answer = exchange(
        wsgiref, app, EXPECT + b"hello", protocol_version=protocol, get_environ=get_environ
    )
    assert sent == [0, len(CONTINUE)]
    assert answer.out.startswith(CONTINUE + protocol.encode() + b" 200 OK\r\n")
    assert answer.out.endswith(b"\r\n\r\nhello")


@pytest.mark.defect("D004")
def test_100_is_not_sent_if_the_application_answers_first(wsgiref: SimpleNamespace) -> None:
    answer = exchange(wsgiref, hello, EXPECT, protocol_version="HTTP/1.1")
    assert answer.status == "HTTP/1.1 200 OK"
    assert answer.field("Connection") == "close"


@pytest.mark.parametrize(
    "head", [EXPECT.replace(b"HTTP/1.1", b"HTTP/1.0"), EXPECT.replace(b"100-C", b"200-C")]
)
def test_100_is_sent_to_those_only_who_expect_it(wsgiref: SimpleNamespace, head: bytes) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(5)
        start_response("200 OK", [])
        return [body]

    answer = exchange(wsgiref, app, head + b"hello")
    assert answer.status == "HTTP/1.0 200 OK"
    assert answer.body == b"hello"


@pytest.mark.parametrize("sends_error", [True, False])
def test_a_subclass_can_refuse_an_expectation(wsgiref: SimpleNamespace, sends_error: bool) -> None:
    def handle_expect_100(self: Any) -> bool:
        if sends_error:
            self.send_error(417)
        else:
            self.send_response(417)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return False

    app = Recorder()
    answer = exchange(
        wsgiref,
        app,
        EXPECT + b"GET /" + EXPECT,
        protocol_version="HTTP/1.1",
        handle_expect_100=handle_expect_100,
    )
    assert answer.status == "HTTP/1.1 417 Expectation Failed"
    assert answer.out.count(b"HTTP/1.1 ") == 1
    assert app.environs == []


@pytest.mark.defect("D004")
@pytest.mark.live
def test_a_client_can_wait_for_100(wsgiref: SimpleNamespace) -> None:
    with (
        live_server(wsgiref, echo) as server,
        connect(server, timeout=2) as client,
        client.makefile("rb") as stream,
    ):
        client.sendall(EXPECT)
        assert stream.read(len(CONTINUE)) == CONTINUE
        client.sendall(b"hello")
        assert read_response(stream).body == b"hello"


def send_large(server: Any, head: bytes, size: int) -> bytes:
    """The answer to a client that reads only when it has sent all."""
    with connect(server) as client:
        client.sendall(head)
        block = bytes(65536)
        for _ in range(size // len(block)):
            client.sendall(block)
        return read_all(client)


@pytest.mark.defect("D005")
@pytest.mark.live
@PROTOCOLS
def test_the_response_to_an_unread_upload_is_not_lost(
    wsgiref: SimpleNamespace, protocol: str
) -> None:
    size = 8 * 1024 * 1024
    handler = handler_with(wsgiref, protocol_version=protocol)
    with live_server(wsgiref, hello, handler_class=handler) as server:
        answer = send_large(server, POST + b"Content-Length: %d\r\n\r\n" % size, size)
    assert answer.endswith(b"\r\n\r\nhello")


@pytest.mark.defect("D005")
@pytest.mark.live
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET /" + b"a" * 66_000, 414),
        (POST + b"X: " + b"a" * 66_000, 431),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
def test_the_error_page_for_a_refused_upload_is_not_lost(
    wsgiref: SimpleNamespace, head: bytes, status: int
) -> None:
    with live_server(wsgiref, hello) as server:
        answer = send_large(server, head, 8 * 1024 * 1024)
    assert answer.startswith(b"HTTP/1.0 %d " % status)


@pytest.mark.defect("D005")
@pytest.mark.live
def test_the_error_page_for_a_broken_body_is_not_lost(wsgiref: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read(5)
        return hello(environ, start_response)

    head = POST + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n"
    with live_server(wsgiref, app) as server:
        answer = send_large(server, head, 8 * 1024 * 1024)
    assert answer.startswith(b"HTTP/1.0 400 ")


class Observed(socket.socket):
    """A server's side of a connection that notes what is read and how long that may take."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(fileno=accepted.detach())
        self.taken = 0
        self.timeouts: list[float | None] = []

    def settimeout(self, value: float | None, /) -> None:
        self.timeouts.append(value)
        super().settimeout(value)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        data = super().recv(bufsize, flags)
        self.taken += len(data)
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0, /) -> int:
        size = super().recv_into(buffer, nbytes, flags)
        self.taken += size
        return size


def observing(accepted: list[Observed]) -> Any:
    """Quaich's server, whose connections are put into the list."""
    from quaich import simple_server

    def get_request(self: Any) -> tuple[Observed, Any]:
        connection, address = simple_server.WSGIServer.get_request(self)
        accepted.append(Observed(connection))
        return accepted[-1], address

    return type("ObservingServer", (simple_server.WSGIServer,), {"get_request": get_request})


def serve_upload_without_end(**limits: Any) -> Observed:
    """Serve a client that sends until its connection is ended; the server's side of that."""
    from quaich import simple_server

    subject = SimpleNamespace(simple_server=simple_server)
    accepted: list[Observed] = []
    handler = handler_with(subject, **limits)
    with (
        live_server(
            subject, hello, server_class=observing(accepted), handler_class=handler
        ) as server,
        connect(server) as client,
    ):
        client.sendall(POST + b"Content-Length: 999999999999\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                client.sendall(bytes(65536))
    return accepted[0]


@pytest.mark.live
def test_a_refused_client_that_stays_is_not_waited_for() -> None:
    from quaich import simple_server

    subject = SimpleNamespace(simple_server=simple_server)
    accepted: list[Observed] = []
    handler = handler_with(subject, drain_timeout=0.05)
    with (
        live_server(
            subject, hello, server_class=observing(accepted), handler_class=handler
        ) as server,
        connect(server) as stays,
        connect(server) as client,
    ):
        stays.sendall(b"nonsense\r\n\r\n")
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_all(client).endswith(b"hello")
    waits = accepted[0].timeouts
    assert waits
    assert all(wait is not None and wait <= 0.05 for wait in waits)


@pytest.mark.live
def test_the_drain_takes_no_more_than_its_limit() -> None:
    connection = serve_upload_without_end(drain_limit=100_000, drain_timeout=60)
    # The head with what came beside it, the limit, and the block that goes beyond it.
    assert 100_000 <= connection.taken <= 100_000 + 3 * 65536


@pytest.mark.live
def test_the_drain_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second passes at each look at the clock."""
    from quaich import sockets

    seconds = itertools.count()
    monkeypatch.setattr(sockets, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    connection = serve_upload_without_end(drain_limit=1 << 40, drain_timeout=5)
    assert connection.taken <= 10 * 65536
    assert all(wait is not None and wait <= 5 for wait in connection.timeouts)


def test_without_a_socket_nothing_is_drained(wsgiref: SimpleNamespace) -> None:
    answer = exchange(wsgiref, hello, POST + b"Content-Length: 99\r\n\r\nabc")
    assert answer.body == b"hello"


def breaks_off(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b"a part"
    raise LookupError("a late error")


def breaks_off_known(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "100")])
    yield b"a part"
    raise LookupError("a late error")


@pytest.mark.defect("D096")
@pytest.mark.live
def test_a_late_error_resets_a_body_that_the_end_delimits(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with live_server(wsgiref, breaks_off) as server, connect(server) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            read_all(client)
    assert "LookupError: a late error" in capsys.readouterr().err


@pytest.mark.live
def test_a_late_error_within_a_known_length_ends_the_connection(
    wsgiref: SimpleNamespace,
) -> None:
    with live_server(wsgiref, breaks_off_known) as server, connect(server) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_all(client).endswith(b"\r\n\r\na part")


@pytest.mark.defect("D096")
@pytest.mark.live
def test_a_late_error_within_chunks_leaves_out_the_last_chunk(wsgiref: SimpleNamespace) -> None:
    handler = handler_with(wsgiref, protocol_version="HTTP/1.1")
    server_class = threading_server(wsgiref)
    options = {"server_class": server_class, "handler_class": handler}
    with live_server(wsgiref, breaks_off, **options) as server, connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert read_all(client).endswith(b"\r\n\r\n6\r\na part\r\n")


@pytest.mark.defect("D096")
@pytest.mark.live
def test_a_request_that_breaks_off_resets_a_response_that_has_begun(
    wsgiref: SimpleNamespace,
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a part"
        yield environ["wsgi.input"].read()

    handler = handler_with(wsgiref, timeout=0.1)
    with live_server(wsgiref, app, handler_class=handler) as server, connect(server) as client:
        client.sendall(POST + b"Content-Length: 99\r\n\r\nabc")
        with pytest.raises(ConnectionResetError):
            read_all(client)


@pytest.mark.live
@PROTOCOLS
def test_a_client_that_leaves_within_the_response_is_logged(
    protocol: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from quaich import simple_server

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        while True:
            yield bytes(65536)

    handler = handler_with(SimpleNamespace(simple_server=simple_server), protocol_version=protocol)
    with simple_server.make_server("127.0.0.1", 0, app, handler_class=handler) as server:
        server.timeout = 5
        client = connect(server)
        client.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        client.close()
        server.handle_request()
    assert "Traceback" not in capsys.readouterr().err
    lines = [record.getMessage() for record in caplog.records if record.name == "quaich.access"]
    assert len(lines) == 1
    assert '"GET / HTTP/1.1" 200 ' in lines[0]


@pytest.mark.live
def test_a_stream_of_blocks_reaches_an_http_1_0_client(wsgiref: SimpleNamespace) -> None:
    with live_server(wsgiref, in_blocks) as server, connect(server) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_all(client).endswith(b"\r\n\r\none two three")
