"""What only a real connection shows: how a response that was broken off ends (S76, S91)."""

import io
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from handlers.harness import Blocks, respond
from support import connect, live_server, read_all

pytestmark = pytest.mark.live


def fetch(wsgiref: SimpleNamespace, app: Any, head: bytes, **attributes: Any) -> bytes:
    """The answer of a live server to one request, until it ends the connection."""
    cls = type("Handler", (wsgiref.simple_server.WSGIRequestHandler,), attributes)
    with (
        mock.patch("sys.stderr", io.StringIO()),
        live_server(wsgiref, app, handler_class=cls) as server,
        connect(server) as connection,
    ):
        connection.sendall(head)
        return read_all(connection)


@pytest.mark.defect("D096")
def test_a_body_that_only_the_end_delimits_is_broken_off_by_a_reset(
    wsgiref: SimpleNamespace,
) -> None:
    """S91: an orderly end would make half a response a whole one."""
    app = respond(Blocks(b"partial", ValueError()))
    with pytest.raises(ConnectionResetError):
        fetch(wsgiref, app, b"GET / HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("result", [Blocks(b"a", ValueError()), Blocks(b"a")], ids=["error", "end"])
def test_with_a_length_an_orderly_end_will_do(wsgiref: SimpleNamespace, result: Any) -> None:
    """S76: the client sees by itself that something is missing."""
    app = respond(result, headers=[("Content-Length", "5")])
    answer = fetch(wsgiref, app, b"GET / HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\na")


def test_chunks_are_broken_off_without_the_last() -> None:
    """S91."""
    from quaich import simple_server

    app = respond(Blocks(b"a", ValueError()))
    answer = fetch(
        SimpleNamespace(simple_server=simple_server),
        app,
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        protocol_version="HTTP/1.1",
    )
    assert b"Transfer-Encoding: chunked" in answer
    assert answer.endswith(b"\r\n\r\n1\r\na\r\n")
