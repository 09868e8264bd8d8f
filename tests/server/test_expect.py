"""Expect: 100-continue: the client is told to go on when the application reads, not before."""

from collections.abc import Iterator
from typing import Any

import pytest

from server.applications import PLAIN, Environ, Recorder, answering, echo, hello
from server.conftest import Connect, Errors, Serve
from server.wire import Ending, Gate, chunks, get, post

pytestmark = [pytest.mark.live, pytest.mark.rule("S92")]

EXPECT = "Expect: 100-continue"
CHUNKED = "Transfer-Encoding: chunked"

streamed = pytest.mark.parametrize("stream_body", [False, True])


def expecting(content: bytes, *fields: str, version: str = "HTTP/1.1") -> bytes:
    length = f"Content-Length: {len(content)}"
    return get("/", EXPECT, length, *fields, method="POST", version=version)


@pytest.mark.rule("H095")
@pytest.mark.rule("H097")
@streamed
def test_the_client_is_told_to_go_on(serve: Serve, connect: Connect, stream_body: bool) -> None:
    client = connect(serve(echo, stream_body=stream_body))
    for content in (b"one", b"x" * 3_000_000):
        interim = client.exchange(expecting(content))
        assert (interim.version, interim.status, interim.fields) == ("HTTP/1.1", 100, [])
        client.send(content)
        response = client.response()
        assert (response.status, response.content) == (200, content)
        assert response.persists


@pytest.mark.rule("S93")
def test_only_when_the_application_reads(serve: Serve, connect: Connect) -> None:
    reached, gate = Gate(), Gate()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        reached.open()
        gate.wait()
        return echo(environ, start_response)

    client = connect(serve(app))
    client.send(expecting(b"content"))
    reached.wait()
    assert client.is_open()
    gate.open()
    assert client.response().status == 100
    client.send(b"content")
    assert client.response().content == b"content"


@pytest.mark.rule("S93")
@pytest.mark.parametrize("operation", ["read", "readline", "readlines", "__next__"])
def test_whichever_way_it_reads_and_once(serve: Serve, connect: Connect, operation: str) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        getattr(environ["wsgi.input"], operation)()
        environ["wsgi.input"].read()
        return hello(environ, start_response)

    client = connect(serve(app))
    client.send(expecting(b"one\ntwo\n"))
    assert client.response().status == 100
    client.send(b"one\n")
    client.send(b"two\n")
    assert client.response().content == b"hello"
    assert client.is_open()


def test_with_chunks(serve: Serve, connect: Connect) -> None:
    client = connect(serve(echo))
    assert client.exchange(get("/", EXPECT, CHUNKED, method="POST")).status == 100
    client.send(chunks(b"one", b"two"))
    assert client.response().content == b"onetwo"
    assert client.exchange(get()).content == b""


@pytest.mark.rule("H093")
@pytest.mark.parametrize(
    "value", ["100-Continue", "100-CONTINUE", " 100-continue ", ", 100-continue"]
)
def test_the_value_is_a_list_without_case(serve: Serve, connect: Connect, value: str) -> None:
    client = connect(serve(echo))
    client.send(get("/", f"Expect: {value}", "Content-Length: 7", method="POST"))
    assert client.response().status == 100
    client.send(b"content")
    assert client.response().content == b"content"


@pytest.mark.rule("H093")
def test_another_expectation_is_refused(serve: Serve, connect: Connect) -> None:
    app = Recorder()
    client = connect(serve(app))
    response = client.exchange(get("/", "Expect: 200-ok"))
    assert response.status == 417
    assert client.ending() is Ending.CLEAN
    assert not app.environs


@pytest.mark.rule("S94")
@pytest.mark.rule("H094")
@pytest.mark.rule("H099")
@streamed
def test_http_1_0_is_told_nothing(serve: Serve, connect: Connect, stream_body: bool) -> None:
    client = connect(serve(echo, stream_body=stream_body))
    client.send(expecting(b"content", version="HTTP/1.0"))
    client.send(b"content")
    response = client.response()
    assert (response.status, response.content) == (200, b"content")


@pytest.mark.rule("H096")
@streamed
@pytest.mark.parametrize("sent", [b"c", b"content", b"content" + get()])
def test_who_sends_without_waiting_need_not_be_told(
    serve: Serve, connect: Connect, stream_body: bool, sent: bytes
) -> None:
    client = connect(serve(echo, stream_body=stream_body))
    client.send(expecting(b"content") + sent)
    client.send(b"content"[len(sent) :])
    response = client.response()
    assert (response.status, response.content) == (200, b"content")
    if len(sent) > 7:
        assert client.response().content == b""


@pytest.mark.rule("H096")
@streamed
@pytest.mark.parametrize("fields", [(), ("Content-Length: 0",)])
def test_without_content_there_is_nothing_to_go_on_with(
    serve: Serve, connect: Connect, stream_body: bool, fields: tuple[str, ...]
) -> None:
    client = connect(serve(echo, stream_body=stream_body))
    response = client.exchange(get("/", EXPECT, *fields, method="POST"))
    assert (response.status, response.content) == (200, b"")
    assert response.persists


# --- The final response first -----------------------------------------------------------------


@pytest.mark.rule("H095")
@pytest.mark.rule("H098")
@streamed
@pytest.mark.parametrize("sends", [False, True], ids=["", "sends all the same"])
def test_an_application_that_does_not_read_ends_the_connection(
    serve: Serve, connect: Connect, stream_body: bool, sends: bool
) -> None:
    """Whether the client sends its content after that, nobody knows."""
    client = connect(serve(hello, stream_body=stream_body))
    client.send(expecting(b"x" * 100_000))
    response = client.response()
    assert (response.status, response.content) == (200, b"hello")
    assert not response.persists
    if sends:
        client.send(b"x" * 100_000)
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H098")
def test_one_that_answers_and_then_reads(serve: Serve, connect: Connect) -> None:
    """The head has gone out, so 100 would come too late; the connection closes, and nobody
    waits for ever."""
    read: list[Any] = []

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"first"
        try:
            read.append(environ["wsgi.input"].read())
        except OSError as error:
            read.append(error)
        yield b"last"

    client = connect(serve(app, body_timeout=0.3))
    client.send(expecting(b"content"))
    response = client.head()
    assert response.status == 200
    assert not response.persists
    assert client.chunk() == b"first"
    client.send(b"content")
    assert client.chunk() == b"last"
    assert client.chunk() == b""
    assert read == [b"content"]


@pytest.mark.rule("H097")
def test_an_error_after_100_is_500(serve: Serve, connect: Connect, errors: Errors) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        raise ValueError

    client = connect(serve(app))
    assert client.exchange(expecting(b"content")).status == 100
    client.send(b"content")
    assert client.response().status == 500
    assert len(errors()) == 1


@pytest.mark.rule("H095")
def test_an_error_before_100_is_500_at_once(serve: Serve, connect: Connect, errors: Errors) -> None:
    client = connect(serve(answering(None)))
    response = client.exchange(expecting(b"content"))
    assert response.status == 500
    assert not response.persists
    assert client.ending() is Ending.CLEAN
    assert len(errors()) == 1


def test_a_client_that_never_sends_is_refused(serve: Serve, connect: Connect) -> None:
    client = connect(serve(echo, body_timeout=0.2))
    assert client.exchange(expecting(b"content")).status == 100
    assert client.response().status == 408
    assert client.ending() is Ending.CLEAN


def test_behind_another_request(serve: Serve, connect: Connect) -> None:
    client = connect(serve(echo))
    client.send(get() + post(b"one") + expecting(b"content"))
    assert client.response().content == b""
    assert client.response().content == b"one"
    assert client.response().status == 100
    client.send(b"content" + get())
    assert client.response().content == b"content"
    assert client.response().content == b""


def test_waiting_for_content_holds_up_nobody_else(serve: Serve, connect: Connect) -> None:
    server = serve(echo, threads=2)
    waiting = connect(server)
    assert waiting.exchange(expecting(b"content")).status == 100
    client = connect(server)
    for _ in range(5):
        assert client.exchange(post(b"other")).content == b"other"
    waiting.send(b"content")
    assert waiting.response().content == b"content"
