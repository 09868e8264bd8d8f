"""Connections that go on, where protocol_version is HTTP/1.1 (D001, D002, D003, D006)."""

import contextlib
import socketserver
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest

from simple_server.client import (
    HOST,
    Recorder,
    echo,
    handler_with,
    hello,
    in_blocks,
    read_response,
    send_in,
    threading_server,
)
from support import connect, exchange, live_server, read_all

REQUEST = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST %b HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SIZES = pytest.mark.parametrize("size", [None, 1, 11])


@contextlib.contextmanager
def persistent(wsgiref: SimpleNamespace, app: Any, **attributes: Any) -> Iterator[Any]:
    """A connection to a threading server that speaks HTTP/1.1: its socket and its file."""
    handler = handler_with(wsgiref, protocol_version="HTTP/1.1", **attributes)
    server_class = threading_server(wsgiref)
    with (
        live_server(wsgiref, app, server_class=server_class, handler_class=handler) as server,
        connect(server, timeout=5) as client,
        client.makefile("rb") as stream,
    ):
        yield client, stream


def echo_known(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """As ``echo``, for a server whose input does not end by itself."""
    length = environ["CONTENT_LENGTH"]
    body = b""
    if length or "wsgi.input_terminated" in environ:
        body = environ["wsgi.input"].read(int(length) if length else -1)
    start_response("200 OK", [("X-Path", environ["PATH_INFO"])])
    return [body]


def ended(stream: BinaryIO) -> bool:
    return stream.read() == b""


def test_one_handle_request_is_one_request(wsgiref: SimpleNamespace) -> None:
    """D001: as long as nobody asks for more, a connection serves one request."""
    app = Recorder()
    answer = exchange(wsgiref, app, REQUEST + REQUEST)
    assert answer.status == "HTTP/1.0 200 OK"
    assert len(app.environs) == 1


@pytest.mark.defect("D001")
@pytest.mark.live
@SIZES
def test_pipelined_requests_are_answered_in_order(
    wsgiref: SimpleNamespace, size: int | None
) -> None:
    with persistent(wsgiref, echo_known) as (client, stream):
        data = POST % b"/1" + b"Content-Length: 3\r\n\r\none" + REQUEST
        data += CHUNKED % b"/3" + b"3\r\ntwo\r\n0\r\n\r\n" + POST % b"/4" + b"\r\n"
        send_in(client, data, size)
        answers = [read_response(stream) for _ in range(4)]
    assert [answer.body for answer in answers] == [b"one", b"", b"two", b""]
    assert [answer.fields["x-path"] for answer in answers] == ["/1", "/", "/3", "/4"]
    assert {answer.version for answer in answers} == {"HTTP/1.1"}
    assert not any("connection" in answer.fields for answer in answers)


@pytest.mark.defect("D001")
@pytest.mark.live
@pytest.mark.parametrize(
    "last",
    [REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: x, Close\r\n\r\n"), b"GET / HTTP/1.0\r\n\r\n"],
)
def test_the_client_ends_the_connection(wsgiref: SimpleNamespace, last: bytes) -> None:
    with persistent(wsgiref, hello) as (client, stream):
        client.sendall(REQUEST + last + REQUEST)
        assert read_response(stream).status == 200
        assert read_response(stream).fields["connection"] == "close"
        assert ended(stream)


@pytest.mark.defect("D001")
@pytest.mark.live
def test_http_1_0_clients_can_keep_the_connection(wsgiref: SimpleNamespace) -> None:
    with persistent(wsgiref, hello) as (client, stream):
        for _ in range(2):
            client.sendall(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            answer = read_response(stream)
            assert answer.fields["connection"] == "keep-alive"
            assert answer.body == b"hello"


@pytest.mark.defect("D001", feature=True)
@pytest.mark.live
def test_the_library_has_a_threading_server(wsgiref: SimpleNamespace) -> None:
    server_class = wsgiref.simple_server.ThreadingWSGIServer
    assert server_class.daemon_threads
    assert issubclass(server_class, socketserver.ThreadingMixIn)
    app = Recorder()
    with live_server(wsgiref, app, server_class=server_class) as server:
        with connect(server) as client:
            client.sendall(REQUEST)
            assert read_all(client).endswith(b"ok")
        assert app.environ["wsgi.multithread"] is True


@pytest.mark.defect("D002")
@pytest.mark.live
def test_content_of_unknown_length_is_chunked(wsgiref: SimpleNamespace) -> None:
    with persistent(wsgiref, in_blocks) as (client, stream):
        client.sendall(REQUEST + REQUEST)
        for _ in range(2):
            answer = read_response(stream)
            assert answer.fields["transfer-encoding"] == "chunked"
            assert answer.body == b"one two three"


@pytest.mark.defect("D002")
@pytest.mark.live
def test_content_of_unknown_length_ends_with_the_connection_for_http_1_0(
    wsgiref: SimpleNamespace,
) -> None:
    with persistent(wsgiref, in_blocks) as (client, stream):
        client.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = read_response(stream)
    assert "transfer-encoding" not in answer.fields
    assert answer.fields["connection"] == "close"
    assert answer.body == b"one two three"


@pytest.mark.defect("D003")
@SIZES
@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_a_chunked_body_is_decoded(
    wsgiref: SimpleNamespace, protocol: str, size: int | None
) -> None:
    app = Recorder(read=True)
    data = CHUNKED % b"/" + b"3;x=y\r\none\r\n0A\r\n, two and \r\n1\r\n3\r\n0\r\nX: y\r\n\r\n"
    exchange(wsgiref, app, data, size=size, protocol_version=protocol)
    assert app.bodies == [b"one, two and 3"]
    assert "HTTP_TRANSFER_ENCODING" not in app.environ
    assert app.environ["CONTENT_LENGTH"] == "14"


@pytest.mark.defect("D003")
@pytest.mark.parametrize(
    "body", [b"x\r\n", b"-1\r\n", b"3\r\noneX\r\n", b"3\none\r\n0\r\n\r\n", b"3\r\none\r\n0\r\n"]
)
@SIZES
def test_a_chunked_body_that_is_broken_is_400(
    wsgiref: SimpleNamespace, body: bytes, size: int | None
) -> None:
    answer = exchange(wsgiref, echo, CHUNKED % b"/" + body, size=size)
    assert answer.status == "HTTP/1.0 400 Bad Request"
    assert answer.err == ""


@pytest.mark.defect("D088")
@pytest.mark.live
def test_head_has_the_head_of_get_and_no_content(wsgiref: SimpleNamespace) -> None:
    with persistent(wsgiref, hello) as (client, stream):
        client.sendall(REQUEST.replace(b"GET", b"HEAD") + REQUEST)
        answer = read_response(stream, "HEAD")
        assert answer.fields["content-length"] == "5"
        assert read_response(stream).body == b"hello"


@pytest.mark.defect("D089")
@pytest.mark.live
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_content_has_none(wsgiref: SimpleNamespace, status: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, [])
        return [b"content"]

    with persistent(wsgiref, app) as (client, stream):
        client.sendall(REQUEST + REQUEST)
        for _ in range(2):
            answer = read_response(stream)
            assert answer.status == int(status[:3])
            assert "transfer-encoding" not in answer.fields


@pytest.mark.defect("D001")
@pytest.mark.live
def test_a_refused_request_ends_the_connection(wsgiref: SimpleNamespace) -> None:
    with persistent(wsgiref, hello) as (client, stream):
        client.sendall(REQUEST + POST % b"/" + b"Content-Length: x\r\n\r\n" + REQUEST)
        assert read_response(stream).status == 200
        answer = read_response(stream)
        assert answer.status == 400
        assert answer.fields["connection"] == "close"
        assert ended(stream)


@pytest.mark.defect("D001")
@pytest.mark.live
def test_an_error_page_does_not_end_the_connection(wsgiref: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/broken":
            raise LookupError
        return hello(environ, start_response)

    with persistent(wsgiref, app) as (client, stream):
        client.sendall(REQUEST.replace(b"/ ", b"/broken ") + REQUEST)
        assert [read_response(stream).status for _ in range(2)] == [500, 200]


@pytest.mark.defect("D008")
@pytest.mark.live
def test_an_idle_persistent_connection_times_out_quietly(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with persistent(wsgiref, hello, timeout=0.1) as (client, stream):
        client.sendall(REQUEST)
        answer = read_response(stream)
        assert (answer.version, answer.body) == ("HTTP/1.1", b"hello")
        assert "connection" not in answer.fields
        assert ended(stream)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.defect("D006")
@pytest.mark.live
@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 26\r\n\r\nGET /smuggled HTTP/9.9\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n1a\r\nGET /smuggled HTTP/9.9\r\n\r\n\r\n0\r\n\r\n",
    ],
)
@SIZES
def test_an_unread_body_is_dropped(wsgiref: SimpleNamespace, body: bytes, size: int | None) -> None:
    with persistent(wsgiref, hello) as (client, stream):
        send_in(client, POST % b"/" + body + REQUEST, size)
        assert [read_response(stream)[0::3] for _ in range(2)] == [(200, b"hello")] * 2


@pytest.mark.defect("D006")
@pytest.mark.live
@pytest.mark.parametrize("limits", [{"drain_limit": 1000}, {"drain_timeout": 0.1}])
def test_an_unread_body_beyond_the_limits_ends_the_connection(
    wsgiref: SimpleNamespace, limits: dict[str, Any]
) -> None:
    with persistent(wsgiref, hello, **limits) as (client, stream):
        client.sendall(POST % b"/" + b"Content-Length: 9999999\r\n\r\n" + bytes(100_000))
        answer = read_response(stream)
        assert (answer.version, answer.body) == ("HTTP/1.1", b"hello")
        with contextlib.suppress(ConnectionResetError):
            assert ended(stream)


@pytest.mark.defect("D006")
@pytest.mark.live
def test_an_unread_body_that_is_broken_ends_the_connection(wsgiref: SimpleNamespace) -> None:
    with persistent(wsgiref, hello) as (client, stream):
        client.sendall(CHUNKED % b"/" + b"nonsense\r\n" + REQUEST)
        answer = read_response(stream)
        assert (answer.version, answer.status) == ("HTTP/1.1", 400)
        assert ended(stream)
