"""Chunked bodies are read before the application is called, so that it learns their length."""

import io
from types import SimpleNamespace
from typing import Any

import pytest

from quaich import simple_server
from quaich.protocol.body import LAST_CHUNK, encode_chunk
from simple_server.client import HOST, Recorder
from support import exchange

HEAD = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n"
BODY = b"".join(map(encode_chunk, (b"one\n", b"two\n", b"three"))) + LAST_CHUNK


def _handler(**attributes: Any) -> Any:
    return type("Handler", (simple_server.ServerHandler,), attributes)


def _subject() -> SimpleNamespace:
    return SimpleNamespace(simple_server=simple_server)


@pytest.mark.defect("D003")
@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_the_application_learns_the_length(wsgiref: SimpleNamespace, protocol: str) -> None:
    """What Bottle, Django and Falcon do: they read as much as CONTENT_LENGTH says."""
    seen: list[bytes] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0)))
        start_response("200 OK", [])
        return []

    exchange(wsgiref, app, HEAD + b"\r\n" + BODY, protocol_version=protocol)
    assert seen == [b"one\ntwo\nthree"]


@pytest.mark.parametrize("memory", [1, 4, 1024])
def test_what_is_too_much_for_the_memory_is_in_a_file(memory: int) -> None:
    lines: list[list[bytes]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        stream = environ["wsgi.input"]
        lines.append([stream.readline(), stream.readline(2), *stream, stream.read()])
        start_response("200 OK", [])
        return []

    handler = _handler(spool_memory=memory)
    exchange(_subject(), app, HEAD + b"\r\n" + BODY, server_handler=handler)
    assert lines == [[b"one\n", b"tw", b"o\n", b"three", b""]]


@pytest.mark.rule("H076")
def test_more_than_the_limit_is_413() -> None:
    app = Recorder(read=True)
    handler = _handler(spool_limit=12)
    answer = exchange(_subject(), app, HEAD + b"\r\n" + BODY, server_handler=handler)
    assert answer.status == "HTTP/1.0 413 " + answer.status.split(" ", 2)[2]
    assert "12 bytes (H076)" in answer.body.decode()
    assert app.environs == []
    assert "Traceback" not in answer.err


@pytest.mark.rule("H080")
def test_a_broken_body_is_400_and_no_matter_of_the_application() -> None:
    app = Recorder()
    answer = exchange(_subject(), app, HEAD + b"\r\n3\r\none\r\nnonsense\r\n")
    assert answer.status == "HTTP/1.0 400 Bad Request"
    assert app.environs == []
    assert "Traceback" not in answer.err


@pytest.mark.rule("S92")
def test_who_waits_for_100_is_read_when_the_application_reads() -> None:
    app = Recorder(read=True)
    answer = exchange(_subject(), app, HEAD + b"Expect: 100-continue\r\n\r\n" + BODY)
    assert answer.out.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n")
    assert app.environ["CONTENT_LENGTH"] == ""
    assert app.bodies == [b"one\ntwo\nthree"]


def test_a_stdin_that_goes_by_content_length_does_not_hide_the_body() -> None:
    """Django's ServerHandler wraps its stdin so; a chunked body has no Content-Length."""

    class Limited(simple_server.ServerHandler):
        def __init__(self, stdin: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(io.BytesIO(), *args, **kwargs)

    app = Recorder(read=True)
    exchange(_subject(), app, HEAD + b"\r\n" + BODY, server_handler=Limited)
    assert app.bodies == [b"one\ntwo\nthree"]
