"""TLS, as programs add it: by wrapping ``server.socket`` after construction (D013)."""

import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simple_server.client import HOST, Recorder, handler_with, hello, reset, threading_server
from support import connect, live_server, read_all

pytestmark = pytest.mark.live

REQUEST = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
# For localhost and 127.0.0.1, signed by itself, valid for a hundred years. Nothing's secret.
PEM = Path(__file__).parent.parent / "data" / "localhost.pem"


def tls_server(wsgiref: SimpleNamespace, *, threads: bool = False) -> Callable[..., Any]:
    """What make_server() takes for a class: a server with a wrapped socket."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)

    def make(address: Any, handler_class: Any) -> Any:
        base = threading_server(wsgiref) if threads else wsgiref.simple_server.WSGIServer
        server = base(address, handler_class)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        return server

    return make


def connect_tls(server: Any) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=PEM)
    return context.wrap_socket(connect(server), server_hostname="localhost")


@pytest.mark.defect("D013")
def test_a_tls_connection_is_https(wsgiref: SimpleNamespace) -> None:
    app = Recorder()
    server_class = tls_server(wsgiref)
    with (
        live_server(wsgiref, app, server_class=server_class) as server,
        connect_tls(server) as client,
    ):
        version, cipher = client.version(), client.cipher()
        client.sendall(REQUEST)
        assert read_all(client).endswith(b"ok")
    assert cipher is not None
    assert app.environ["wsgi.url_scheme"] == "https"
    assert app.environ["HTTPS"] == "on"
    assert app.environ["SSL_PROTOCOL"] == version
    assert app.environ["SSL_CIPHER"] == cipher[0]
    assert app.environ["SSL_CIPHER_USEKEYSIZE"] == str(cipher[2])


def test_a_connection_without_tls_is_http(wsgiref: SimpleNamespace) -> None:
    app = Recorder()
    with live_server(wsgiref, app) as server, connect(server) as client:
        client.sendall(REQUEST)
        read_all(client)
    assert app.environ["wsgi.url_scheme"] == "http"
    assert not app.environ.keys() & {"HTTPS", "SSL_PROTOCOL", "SSL_CIPHER"}


@pytest.mark.defect("D005")
@pytest.mark.parametrize("head", [b"Content-Length: 4194304\r\n", b"Content-Length: x\r\n"])
def test_the_response_to_an_unread_upload_is_not_lost(
    wsgiref: SimpleNamespace, head: bytes
) -> None:
    server_class = tls_server(wsgiref)
    with (
        live_server(wsgiref, hello, server_class=server_class) as server,
        connect_tls(server) as client,
    ):
        client.sendall(b"POST / HTTP/1.1\r\n" + HOST + head + b"\r\n" + bytes(4 * 1024 * 1024))
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.0 200 " if b"x" not in head else b"HTTP/1.0 400 ")


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\x00\x00\x00"]
)
def test_a_client_that_speaks_no_tls_does_no_harm(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str], threads: bool, data: bytes
) -> None:
    server_class = tls_server(wsgiref, threads=threads)
    with live_server(wsgiref, hello, server_class=server_class) as server:
        with connect(server) as client, contextlib.suppress(OSError):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            assert b"hello" not in read_all(client)
        with connect_tls(server) as client:
            client.sendall(REQUEST)
            assert read_all(client).endswith(b"hello")
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.defect("D019")
@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHos"])
def test_a_broken_record_prints_no_traceback(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str], start: bytes
) -> None:
    server_class = tls_server(wsgiref)
    with (
        live_server(wsgiref, hello, server_class=server_class) as server,
        connect_tls(server) as client,
        contextlib.suppress(OSError),
    ):
        client.sendall(start)
        socket.socket.sendall(client, b"\x17\x03\x03\x00\x05hello")  # past the encryption
        read_all(client)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("end", [reset, ssl.SSLSocket.close])
@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_a_client_that_leaves_within_the_response_does_no_harm(
    capsys: pytest.CaptureFixture[str], protocol: str, end: Any
) -> None:
    from quaich import simple_server

    subject = SimpleNamespace(simple_server=simple_server)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"the first block"
        while True:
            yield bytes(65536)

    handler = handler_with(subject, protocol_version=protocol)
    server_class = tls_server(subject)
    with live_server(subject, app, server_class=server_class, handler_class=handler) as server:
        client = connect_tls(server)
        client.sendall(REQUEST)
        assert client.recv(100).startswith(protocol.encode())
        end(client)
    assert "Traceback" not in capsys.readouterr().err
