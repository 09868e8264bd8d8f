"""Whatever a client sends: an answer with a status line or none, and never a traceback."""

import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from quaich import simple_server
from simple_server.client import HOST, echo, handler_with, read_response, reset, send_in
from support import connect, exchange, live_server, read_all

QUAICH = SimpleNamespace(simple_server=simple_server)

# Sound requests, which are then spoilt.
REQUESTS = [
    b"GET /path?query HTTP/1.1\r\n" + HOST + b"Connection: keep-alive\r\nX-A: b\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    b"5;a=b\r\nhello\r\n0\r\nX-T: y\r\n\r\n",
    b"GET http://example.test:80/ HTTP/1.1\r\n" + HOST + b"\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /\r\n",
]
PIECES = [
    *(bytes([octet]) for octet in range(256)),
    *(b"\r\n", b"\r\n\r\n", b": ", b"  ", b"HTTP/1.1", b"Host: x\r\n", b"*", b"://", b"[::1]:"),
    *(b"Content-Length: 7\r\n", b"Transfer-Encoding: chunked\r\n", b"-1", b"ffffffffffffffff"),
    *(b"Expect: 100-continue\r\n", b"a" * 5000, b"%", b"%00", b"\xff" * 100, b"close"),
]


def spoilt(seed: int) -> Iterator[bytes]:
    """Requests with bytes cut out, put in and replaced; the same ones for the same seed."""
    chance = random.Random(seed)
    for _ in range(40):
        data = b"".join(chance.choices(REQUESTS, k=chance.randint(1, 2)))
        for _ in range(chance.randint(1, 4)):
            start = chance.randrange(len(data))
            end = start + chance.choice([0, 0, 1, 2, 10])
            data = data[:start] + chance.choice(PIECES) + data[end:]
        yield data if chance.random() < 0.8 else data[: chance.randrange(len(data))]


def undated(out: bytes) -> list[bytes]:
    return [line for line in out.split(b"\r\n") if not line.startswith(b"Date: ")]


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize("seed", range(10))
def test_any_bytes_are_answered_or_dropped(seed: int, protocol: str) -> None:
    """In whatever pieces they come, the answer is the same."""
    for data in spoilt(seed):
        whole = exchange(QUAICH, echo, data, protocol_version=protocol)
        pieces = exchange(QUAICH, echo, data, size=3, protocol_version=protocol)
        assert whole.err == pieces.err == "", data
        assert undated(whole.out) == undated(pieces.out), data
        if b" HTTP/" in data.lstrip(b"\r\n").partition(b"\n")[0]:
            assert whole.out.startswith(b"HTTP/1."), data


SMUGGLED = [
    b"Content-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: 44\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: 44\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: 44\r\nTransfer_Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nX: a\rContent-Length: 0\r\nTransfer-Encoding: x\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 44\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\na\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
    b"Content-Length: 0\r\n Content-Length: 44\r\n\r\n",
    b"Content-Length: 0, 44\r\n\r\n",
    b"Content-Length: +0\r\n\r\n",
]


@pytest.mark.live
@pytest.mark.parametrize("attack", SMUGGLED)
@pytest.mark.parametrize("size", [None, 1])
def test_nothing_is_smuggled_behind_a_request(attack: bytes, size: int | None) -> None:
    """Framing that two readers could read differently is refused, and the connection ends."""
    paths: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        paths.append(environ["PATH_INFO"])
        return echo(environ, start_response)

    handler = handler_with(QUAICH, protocol_version="HTTP/1.1")
    options = {"server_class": simple_server.ThreadingWSGIServer, "handler_class": handler}
    with (
        live_server(QUAICH, app, **options) as server,
        connect(server) as client,
        client.makefile("rb") as stream,
    ):
        send_in(client, b"POST /first HTTP/1.1\r\n" + HOST + attack, size)
        send_in(client, b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", size)
        answer = read_response(stream)
        assert answer.status in (400, 501)
        assert answer.fields["connection"] == "close"
        assert stream.read() == b""
    assert "/smuggled" not in paths


@pytest.mark.live
def test_no_thread_outlives_its_connection(capsys: pytest.CaptureFixture[str]) -> None:
    before = set(threading.enumerate())
    handler = handler_with(QUAICH, protocol_version="HTTP/1.1")
    options = {"server_class": simple_server.ThreadingWSGIServer, "handler_class": handler}
    chance = random.Random(0)
    with live_server(QUAICH, echo, **options) as server:
        for data in spoilt(1):
            client = connect(server)
            client.sendall(data)
            match chance.randrange(3):
                case 0:
                    reset(client)
                case 1:
                    client.close()
                case _:
                    client.shutdown(socket.SHUT_WR)
                    with client, contextlib.suppress(ConnectionResetError):
                        read_all(client)
        with connect(server) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert read_all(client).startswith(b"HTTP/1.1 200 OK\r\n")
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.live
def test_a_slow_client_does_not_outlast_the_timeout_once_it_stops() -> None:
    handler = handler_with(QUAICH, timeout=0.1)
    with live_server(QUAICH, echo, handler_class=handler) as server, connect(server) as client:
        send_in(client, b"POST / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-", 1)
        assert read_all(client).startswith(b"HTTP/1.0 408 ")


@pytest.mark.parametrize("read", ["read", "readline", "readlines"])
def test_giant_numbers_in_a_body_are_not_believed(read: str) -> None:
    """A length is not allocated before its bytes have come."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        getattr(environ["wsgi.input"], read)()
        start_response("200 OK", [])
        return []

    post = b"POST / HTTP/1.1\r\n" + HOST
    for framing in (
        b"Content-Length: 99999999999999999999\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 10_000 + b"\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 10_000 + b"\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 101 + b"\r\n",
    ):
        answer = exchange(QUAICH, app, post + framing)
        assert answer.status.startswith(("HTTP/1.0 400 ", "HTTP/1.0 431 ")), framing[:50]
        assert answer.err == ""
