"""An application that fails: its client is told, the log says why, the server goes on."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from server.applications import PLAIN, Blocks, Environ, answering
from server.conftest import Connect, Errors, Serve
from server.wire import Ending, Truncated, chunks, get, post, wait_until

pytestmark = pytest.mark.live

ERRORS = [ValueError("a secret"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()]


def raising(error: BaseException) -> Any:
    def app(environ: Environ, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/fine":
            start_response("200 OK", PLAIN)
            return [b"fine"]
        raise error

    return app


def partly(error: BaseException, headers: list[tuple[str, str]]) -> Any:
    """Fails behind its first block."""

    def app(environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", headers)
        return [b"fine"] if environ["PATH_INFO"] == "/fine" else Blocks(b"first", error)

    return app


# --- Before the head --------------------------------------------------------------------------


@pytest.mark.rule("S89")
@pytest.mark.rule("S06")
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_the_client_gets_500_and_the_log_the_traceback(
    serve: Serve, connect: Connect, errors: Errors, error: BaseException
) -> None:
    server = serve(raising(error))
    client = connect(server)
    response = client.exchange(get("/path?private=1"))
    assert (response.status, response.reason) == (500, "Internal Server Error")
    assert response.framing == "length"
    assert response.field("Content-Type") == "text/plain; charset=utf-8"
    assert response.field("Date")
    assert not response.persists
    assert b"secret" not in response.content
    assert b"path" not in response.content
    assert client.ending() is Ending.CLEAN
    wait_until(errors, "the error to be logged")
    (record,) = errors()
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert record.getMessage() == (
        f"GET /path from 127.0.0.1:{client.name[1]}: the application failed"
    )
    assert connect(server).exchange(get("/fine")).content == b"fine"


@pytest.mark.rule("S89")
@pytest.mark.parametrize("threads", [1, 32])
def test_the_server_survives_any_number_of_failures(
    serve: Serve, connect: Connect, errors: Errors, threads: int
) -> None:
    server = serve(raising(SystemExit(1)), threads=threads)
    for _ in range(40):
        assert connect(server).exchange(get()).status == 500
    assert connect(server).exchange(get("/fine")).content == b"fine"
    assert len(errors()) == 40


def test_a_head_gets_no_content(serve: Serve, connect: Connect, errors: Errors) -> None:
    client = connect(serve(raising(ValueError())))
    response = client.exchange(get(method="HEAD"), "HEAD")
    assert response.status == 500
    assert client.ending() is Ending.CLEAN
    assert len(errors()) == 1


def test_a_failure_after_start_response(serve: Serve, connect: Connect, errors: Errors) -> None:
    """Nothing of what it said goes out."""

    def app(environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", [("X-Secret", "yes")])
        raise ValueError

    response = connect(serve(app)).exchange(get())
    assert response.status == 500
    assert response.field("X-Secret") is None
    assert len(errors()) == 1


@pytest.mark.parametrize(
    "result", [None, b"bytes", "text", 5, object()], ids=["None", "bytes", "str", "int", "object"]
)
def test_what_is_no_iterable_of_bytes(
    serve: Serve, connect: Connect, errors: Errors, result: Any
) -> None:
    assert connect(serve(answering(result))).exchange(get()).status == 500
    (record,) = errors()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], TypeError)


@pytest.mark.rule("S88")
@pytest.mark.parametrize("block", ["text", bytearray(b"x"), memoryview(b"x"), 65, None])
def test_blocks_that_are_not_bytes(
    serve: Serve, connect: Connect, errors: Errors, block: Any
) -> None:
    server = serve(answering(lambda: iter([block])))
    assert connect(server).exchange(get()).status == 500
    server = serve(answering([block]))
    assert connect(server).exchange(get()).status == 500
    server = serve(answering([b"", block]))
    assert connect(server).exchange(get()).status == 500
    assert len(errors()) == 3


@pytest.mark.rule("S89")
def test_an_error_while_content_is_unread(serve: Serve, connect: Connect, errors: Errors) -> None:
    """The client can read the response though it still sends."""
    for settings in ({}, {"stream_body": True}):
        client = connect(serve(raising(ValueError()), **settings))
        client.send(post(b"x" * 2_000_000))
        assert client.response().status == 500
    assert len(errors()) == 2


def test_requests_behind_a_failed_one_are_not_answered(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    client = connect(serve(raising(ValueError())))
    client.send(get("/fine") + get("/fails") + get("/fine"))
    assert client.response().content == b"fine"
    assert client.response().status == 500
    assert client.ending() is Ending.CLEAN
    assert len(errors()) == 1


# --- After the head ---------------------------------------------------------------------------


@pytest.mark.rule("S91")
@pytest.mark.rule("H132")
@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("headers", [[], [("Content-Length", "100")]], ids=["", "length"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_no_client_takes_a_broken_response_for_whole(
    serve: Serve,
    connect: Connect,
    errors: Errors,
    headers: list[tuple[str, str]],
    version: str,
    error: BaseException,
) -> None:
    client = connect(serve(partly(error, headers)))
    client.send(get(version=version))
    with pytest.raises(Truncated) as info:
        client.response()
    if version == "HTTP/1.0" and not headers:
        # Only the connection's end would show the content's; so it must not be a clean one.
        assert info.value.ending is Ending.RESET
    else:
        assert info.value.content == b"first"
        assert info.value.ending is Ending.CLEAN
    wait_until(errors, "the error to be logged")
    (record,) = errors()
    assert record.exc_info is not None
    assert record.exc_info[1] is error


@pytest.mark.rule("S91")
@pytest.mark.parametrize("way", ["yield", "write", "write and raise"])
def test_a_failure_after_write(serve: Serve, connect: Connect, errors: Errors, way: str) -> None:
    def app(environ: Environ, start_response: Any) -> Any:
        write = start_response("200 OK", PLAIN)
        write(b"first")
        if way == "write":
            write("text")
        if way == "write and raise":
            raise ValueError
        return Blocks(ValueError())

    client = connect(serve(app))
    client.send(get())
    with pytest.raises(Truncated) as info:
        client.response()
    assert info.value.content == b"first"
    assert len(errors()) == 1


@pytest.mark.rule("S91")
def test_requests_behind_a_broken_response_are_not_answered(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    client = connect(serve(partly(ValueError(), [])))
    client.send(get("/fine") + get("/fails") + get("/fine"))
    assert client.response().content == b"fine"
    with pytest.raises(Truncated) as info:
        client.response()
    assert info.value.content == b"first"
    assert len(errors()) == 1


@pytest.mark.rule("S69")
def test_exc_info_after_the_head_breaks_off(serve: Serve, connect: Connect, errors: Errors) -> None:
    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"first"
        try:
            raise KeyError("its own")
        except KeyError as error:
            start_response("500 Oh", [], (type(error), error, error.__traceback__))
        yield b"never sent"

    client = connect(serve(app))
    client.send(get())
    with pytest.raises(Truncated) as info:
        client.response()
    assert info.value.content == b"first"
    (record,) = errors()
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError


def test_a_broken_response_that_waits_for_a_slow_reader(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    """What was made before the failure comes; the end still does not look like one."""
    size = 6_000_000
    server = serve(answering(lambda: Blocks(b"x" * size, ValueError())), response_buffer=2**24)
    client = connect(server, receive_buffer=65536)
    client.send(get())
    wait_until(errors, "the application to fail")
    with pytest.raises(Truncated) as info:
        client.response()
    assert len(info.value.content) == size


# --- The client's fault -----------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [False, True])
def test_a_client_that_breaks_off_its_content_is_no_error_of_the_application(
    serve: Serve, connect: Connect, errors: Errors, wrap: bool
) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            if wrap:
                raise ValueError("the framework's own") from error
            raise
        return []

    server = serve(app, stream_body=True)
    client = connect(server)
    client.send(post(b"content")[:-1])
    client.half_close()
    client._all()
    wait_until(lambda: not server.requests_under_way, "the request to end")
    assert errors() == []


def test_broken_chunks_are_refused_though_the_application_raises(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        return []

    client = connect(serve(app, stream_body=True))
    request = get("/", "Transfer-Encoding: chunked", method="POST")
    client.send(request + chunks(b"fine")[:-5] + b"nonsense\r\n\r\n")
    assert client.response().status == 400
    assert errors() == []


def test_an_error_of_its_own_after_a_fault_of_the_client_counts(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError:
            pass
        raise KeyError("its own")

    server = serve(app, stream_body=True)
    client = connect(server)
    client.send(post(b"content")[:-1])
    client.half_close()
    assert client.response().status == 500
    assert len(errors()) == 1


# --- The log ----------------------------------------------------------------------------------


class Raising(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise SystemExit("the handler fails")


def test_a_handler_that_fails_harms_nobody(
    serve: Serve, connect: Connect, errors: Errors, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("quaich.error")
    handler = Raising()
    logger.addHandler(handler)
    try:
        server = serve(raising(ValueError()))
        for _ in range(3):
            assert connect(server).exchange(get()).status == 500
        assert connect(server).exchange(get("/fine")).content == b"fine"
    finally:
        logger.removeHandler(handler)
    assert "a log handler failed" in capsys.readouterr().err


def test_the_log_line_names_no_query(serve: Serve, connect: Connect, errors: Errors) -> None:
    connect(serve(raising(ValueError()))).exchange(get("/login?password=1234"))
    wait_until(errors, "the error to be logged")
    assert "1234" not in errors()[0].getMessage()


def test_wsgi_errors_takes_any_text(
    serve: Serve, connect: Connect, capfd: pytest.CaptureFixture[str]
) -> None:
    """And has nothing of what it wrote changed."""

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        stream = environ["wsgi.errors"]
        stream.write("plain\n")
        stream.write("größe \N{SNOWMAN} \ud800\n")
        stream.writelines(["one\n", "two\n"])
        stream.flush()
        print("printed", file=stream)
        start_response("200 OK", PLAIN)
        return [b"written"]

    assert connect(serve(app)).exchange(get()).content == b"written"
    text = capfd.readouterr().err
    assert text.startswith("plain\ngröße ")
    assert text.endswith("\none\ntwo\nprinted\n")
