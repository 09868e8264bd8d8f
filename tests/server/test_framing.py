"""How responses are framed: what the head says of the content, and what follows it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from server.applications import PLAIN, Blocks, Environ, answering
from server.conftest import Connect, Errors, Serve
from server.wire import Ending, Truncated, get, wait_until

pytestmark = pytest.mark.live

versions = pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])


class Sized:
    """An iterable whose len() says so much."""

    def __init__(self, length: Any, *blocks: bytes) -> None:
        self._length = length
        self._blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._blocks)

    def __len__(self) -> int:
        if isinstance(self._length, BaseException):
            raise self._length
        assert isinstance(self._length, int)
        return self._length


# --- Which framing ----------------------------------------------------------------------------


@pytest.mark.rule("S17")
@pytest.mark.rule("S78")
@pytest.mark.rule("H128")
@versions
@pytest.mark.parametrize(
    ("result", "content"),
    [
        ([b"content"], b"content"),
        ([b"one", b"two"], b"onetwo"),
        ([b"", b"one", b"", b"two"], b"onetwo"),
        ((b"one", b"two"), b"onetwo"),
        ([], b""),
        ([b""], b""),
        ([b"", b""], b""),
        ((), b""),
        (Sized(1, b"content"), b"content"),
        (iter([]), b""),
        (b"", b""),
    ],
    ids=lambda value: repr(value).partition(" at 0x")[0],
)
def test_a_length_that_can_be_known_is_sent(
    serve: Serve, connect: Connect, result: Any, content: bytes, version: str
) -> None:
    response = connect(serve(answering(result))).exchange(get(version=version))
    assert (response.framing, response.content) == ("length", content)


@pytest.mark.rule("S79")
@pytest.mark.rule("H127")
@pytest.mark.rule("H129")
@pytest.mark.rule("H132")
@pytest.mark.parametrize(
    "make",
    [
        lambda: iter([b"one", b"two"]),
        lambda: iter([b"", b"one", b"", b"two", b""]),
        lambda: Blocks(b"onetwo"),
        lambda: Sized(2, b"one", b"two"),
        lambda: Sized(TypeError("no"), b"onetwo"),
        lambda: Sized(ValueError("no"), b"onetwo"),
        lambda: Sized(0, b"onetwo"),
    ],
)
def test_else_chunks_or_the_end_of_the_connection(
    serve: Serve, connect: Connect, make: Any
) -> None:
    client = connect(serve(answering(make)))
    for _ in range(2):
        response = client.exchange(get())
        assert (response.framing, response.content) == ("chunked", b"onetwo")
        assert response.persists
    response = client.exchange(get(version="HTTP/1.0"))
    assert (response.framing, response.content) == ("close", b"onetwo")
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("S80")
@pytest.mark.rule("H132")
def test_an_empty_block_is_no_chunk(serve: Serve, connect: Connect) -> None:
    client = connect(serve(answering(lambda: iter([b"", b"one", b"", b"", b"two", b""]))))
    client.send(get())
    assert client.head().status == 200
    assert [client.chunk() for _ in range(3)] == [b"one", b"two", b""]


@pytest.mark.rule("S62")
@versions
@pytest.mark.parametrize("name", ["Content-Length", "content-length", "CONTENT-LENGTH"])
def test_the_applications_own_length(
    serve: Serve, connect: Connect, name: str, version: str
) -> None:
    for result in ([b"onetwo"], [b"one", b"two"], Blocks(b"one", b"two")):
        client = connect(serve(answering(result, headers=[(name, "6")])))
        response = client.exchange(get(version=version))
        assert (response.framing, response.content) == ("length", b"onetwo")


@pytest.mark.rule("S77")
def test_a_length_that_len_of_a_list_gets_wrong(serve: Serve, connect: Connect) -> None:
    """The blocks count, whatever a subclass says of itself."""

    class Liar(list[bytes]):
        def __len__(self) -> int:
            return 1

    response = connect(serve(answering(Liar([b"one", b"two"])))).exchange(get())
    assert response.content in (b"onetwo", b"one")


# --- Too much and too little ------------------------------------------------------------------


@pytest.mark.rule("S73")
@pytest.mark.rule("S74")
@pytest.mark.rule("H131")
@versions
@pytest.mark.parametrize(
    "make",
    [
        lambda: [b"onetwo"],
        lambda: [b"one", b"two"],
        lambda: [b"on", b"e", b"two"],
        lambda: iter([b"o", b"netwo"]),
        lambda: Blocks(b"onetwo"),
    ],
)
def test_not_more_than_the_length_is_sent(
    serve: Serve, connect: Connect, errors: Errors, make: Any, version: str
) -> None:
    server = serve(answering(make, headers=[("Content-Length", "3")]))
    client = connect(server)
    request = get("/", "Connection: keep-alive", version=version)
    for _ in range(2):
        response = client.exchange(request)
        assert (response.framing, response.content) == ("length", b"one")
        assert response.field("Content-Length") == "3"
    for record in errors():
        assert "more content than its Content-Length" in record.getMessage()


@pytest.mark.rule("S75")
def test_not_more_than_the_length_is_written(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Length", "3")])
        write(b"on")
        write(b"etwo")
        write(b"three")
        return [b"four"]

    client = connect(serve(app))
    for _ in range(2):
        assert client.exchange(get()).content == b"one"
    assert errors()


@pytest.mark.rule("S76")
@pytest.mark.rule("H131")
@versions
@pytest.mark.parametrize(
    ("make", "content"),
    [
        (list, b""),
        (lambda: [b""], b""),
        (lambda: [b"one"], b"one"),
        (lambda: [b"one", b"two"], b"onetwo"),
        (lambda: iter([b"one", b"two"]), b"onetwo"),
    ],
)
def test_too_little_ends_the_connection_and_is_logged(
    serve: Serve, connect: Connect, errors: Errors, make: Any, content: bytes, version: str
) -> None:
    server = serve(answering(make, headers=[("Content-Length", "10")]))
    client = connect(server)
    client.send(get("/", "Connection: keep-alive", version=version) * 2)
    with pytest.raises(Truncated) as info:
        client.response()
    assert info.value.content == content
    wait_until(errors, "the error to be logged")
    (record,) = errors()
    assert f"{10 - len(content)} bytes less than its Content-Length" in record.getMessage()


# --- Where there is no content ----------------------------------------------------------------


@pytest.mark.rule("H120")
@pytest.mark.rule("H123")
@pytest.mark.rule("H137")
@versions
@pytest.mark.parametrize(
    ("make", "headers", "length"),
    [
        (lambda: [b"content"], [], "7"),
        (lambda: [b"one", b"two"], [], "6"),
        (list, [], None),
        (lambda: [b""], [], None),
        (list, [("Content-Length", "5")], "5"),
        (lambda: [b"content"], [("Content-Length", "7")], "7"),
        (lambda: iter([b"one", b"two"]), [], None),
    ],
)
def test_to_head_there_is_a_head_and_no_more(
    serve: Serve, connect: Connect, make: Any, headers: Any, length: str | None, version: str
) -> None:
    client = connect(serve(answering(make, headers=headers)))
    request = get("/", "Connection: keep-alive", method="HEAD", version=version)
    for _ in range(2):
        response = client.exchange(request, "HEAD")
        assert response.status == 200
        assert response.field("Content-Length") == length
        assert client.is_open()


@pytest.mark.rule("H120")
@pytest.mark.rule("H121")
@pytest.mark.rule("H122")
@pytest.mark.parametrize("headers", [[], [("Content-Length", "0")], [("content-length", "7")]])
@pytest.mark.parametrize("make", [list, lambda: [b"content"], lambda: iter([b"a", b"b"])])
def test_204_says_nothing_of_content(
    serve: Serve, connect: Connect, make: Any, headers: Any
) -> None:
    client = connect(serve(answering(make, "204 No Content", [("X", "1"), *headers])))
    for _ in range(2):
        response = client.exchange(get())
        assert response.status == 204
        assert response.field("X") == "1"
        assert response.field("Content-Length") is None
        assert response.field("Transfer-Encoding") is None
        assert client.is_open()


@pytest.mark.rule("H120")
@pytest.mark.rule("H123")
@pytest.mark.rule("H125")
@pytest.mark.parametrize("headers", [[], [("Content-Length", "7")]])
@pytest.mark.parametrize("make", [list, lambda: [b"content"], lambda: iter([b"a", b"b"])])
def test_304_says_only_what_the_application_said(
    serve: Serve, connect: Connect, make: Any, headers: Any
) -> None:
    fields = [("ETag", '"x"'), ("Vary", "Cookie"), *headers]
    client = connect(serve(answering(make, "304 Not Modified", fields)))
    for _ in range(2):
        response = client.exchange(get())
        assert response.status == 304
        assert response.fields[: len(fields)] == fields
        assert response.field("Content-Length") == ("7" if headers else None)
        assert response.field("Transfer-Encoding") is None
        assert client.is_open()


@pytest.mark.rule("H124")
@pytest.mark.parametrize("headers", [[], [("Content-Length", "7")]])
@pytest.mark.parametrize("make", [list, lambda: [b"content"], lambda: iter([b"a", b"b"])])
def test_205_has_no_content_and_says_so(
    serve: Serve, connect: Connect, make: Any, headers: Any
) -> None:
    client = connect(serve(answering(make, "205 Reset Content", headers)))
    for _ in range(2):
        response = client.exchange(get())
        assert (response.status, response.framing, response.content) == (205, "length", b"")
        assert client.is_open()


# --- The head ---------------------------------------------------------------------------------


@pytest.mark.rule("S61")
@pytest.mark.rule("H114")
@pytest.mark.rule("H115")
@pytest.mark.rule("H119")
@pytest.mark.rule("H133")
@pytest.mark.rule("H134")
@pytest.mark.rule("H135")
@versions
def test_the_bytes_of_a_head(serve: Serve, connect: Connect, version: str) -> None:
    client = connect(serve(answering([b"content"])))
    client.send(get("/", "Connection: close", version=version))
    data = client.rest()
    assert re.fullmatch(
        rb"HTTP/1\.1 200 OK\r\n"
        rb"Content-Type: text/plain\r\n"
        rb"Content-Length: 7\r\n"
        rb"Connection: close\r\n"
        rb"Server: quaich\r\n"
        rb"Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n"
        rb"\r\n"
        rb"content",
        data,
    ), data


@pytest.mark.rule("H114")
def test_the_reason_may_be_empty_and_its_space_may_not(serve: Serve, connect: Connect) -> None:
    client = connect(serve(answering([b"x"], "299 ")))
    client.send(get())
    assert client.receive_until(b"\r\n") == b"HTTP/1.1 299 \r\n"


@pytest.mark.rule("S61")
@pytest.mark.rule("S62")
@pytest.mark.rule("H133")
@pytest.mark.parametrize(
    "headers",
    [
        [("Date", "Thu, 01 Jan 1970 00:00:00 GMT")],
        [("dAtE", "Thu, 01 Jan 1970 00:00:00 GMT")],
        [("Server", "own")],
        [("sERVER", "own"), ("DATE", "Thu, 01 Jan 1970 00:00:00 GMT")],
    ],
)
def test_what_the_application_says_is_not_said_again(
    serve: Serve, connect: Connect, headers: list[tuple[str, str]]
) -> None:
    response = connect(serve(answering([b"x"], headers=headers))).exchange(get())
    assert len(response.values("Date")) == 1
    assert len(response.values("Server")) == 1
    for name, value in headers:
        assert response.field(name) == value


@pytest.mark.rule("S73")
def test_all_lengths_around_those_of_buffers(serve: Serve, connect: Connect) -> None:
    """Small blocks are joined with the head, large ones are not."""

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [b"x" * int(environ["QUERY_STRING"])]

    client = connect(serve(app))
    for power in (10, 12, 13, 14, 15, 16, 17, 20):
        for size in (2**power - 1, 2**power, 2**power + 1):
            assert len(client.exchange(get(f"/?{size}")).content) == size


@pytest.mark.rule("H120")
@pytest.mark.rule("H126")
@pytest.mark.parametrize("status", ["200 OK", "201 Created", "404 Not Found", "503 Later"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE", "OPTIONS"])
def test_every_status_with_every_method(
    serve: Serve, connect: Connect, status: str, method: str
) -> None:
    client = connect(serve(answering([b"content"], status)))
    for _ in range(2):
        response = client.exchange(get(method=method), method)
        assert response.status == int(status[:3])
        assert response.content == (b"" if method == "HEAD" else b"content")
        assert response.field("Content-Length") == "7"
