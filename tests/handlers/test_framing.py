"""How a response's body is delimited: Content-Length, HEAD, bodiless statuses (D085-D093)."""

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.harness import TEXT, Blocks, Pipe, answer, make_handler, respond, run
from quaich import handlers as our_handlers
from support import exchange

OURS = SimpleNamespace(handlers=our_handlers)

LENGTH_5 = [("Content-Length", "5")]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="quaich")


# -- More or less than was declared -------------------------------------------------------


@pytest.mark.defect("D085")
@pytest.mark.parametrize(
    "blocks", [[b"12345678"], [b"123", b"45678"], [b"12345", b"678"], [b"", b"12345", b"6"]]
)
def test_no_more_bytes_are_sent_than_content_length_says(
    wsgiref: SimpleNamespace, blocks: list[bytes]
) -> None:
    """S73: they would be taken for the next response."""
    for result in (blocks, Blocks(*blocks)):
        assert run(wsgiref, respond(result, headers=LENGTH_5)).body == b"12345"


@pytest.mark.defect("D085")
def test_iteration_stops_when_enough_was_sent(wsgiref: SimpleNamespace) -> None:
    """S74: and the result is closed."""
    result = Blocks(b"123", b"45", b"6", b"7")
    run(wsgiref, respond(result, headers=LENGTH_5))
    assert result.given == 2
    assert result.closed == 1


@pytest.mark.defect("D085")
def test_write_raises_for_bytes_beyond_content_length(wsgiref: SimpleNamespace) -> None:
    """S75: after what fits was sent."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", LENGTH_5[:])
        write(b"123")
        with pytest.raises(AssertionError, match="3 bytes more than the Content-Length"):
            write(b"45678")
        with pytest.raises(AssertionError, match="1 bytes more than the Content-Length"):
            write(b"6")
        write(b"")
        return []

    result = run(wsgiref, app)
    assert result.body == b"12345"
    assert result.err == ""


@pytest.mark.defect("D085")
def test_blocks_beyond_content_length_are_an_error_in_the_log(
    wsgiref: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    run(wsgiref, respond(Blocks(b"1234567"), headers=LENGTH_5), {"PATH_INFO": "/long"})
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "GET '/long'" in record.getMessage()
    assert "2 bytes more than the Content-Length" in record.getMessage()


@pytest.mark.defect("D086")
@pytest.mark.parametrize("result", [[b"123"], Blocks(b"1", b"23"), [], Blocks(), [b""]])
def test_fewer_bytes_are_an_error_in_the_log(
    wsgiref: SimpleNamespace, result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """S76."""
    run(wsgiref, respond(result, headers=LENGTH_5), {"PATH_INFO": "/short"})
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "GET '/short'" in record.getMessage()
    assert "declared a Content-Length of 5 and gave" in record.getMessage()


def test_fewer_bytes_end_the_connection() -> None:
    """S76: the client waits for the rest, which never comes."""
    from quaich import simple_server

    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(start_response.__self__.request_handler)
        start_response("200 OK", LENGTH_5[:])
        return [b"123"]

    exchange(
        SimpleNamespace(simple_server=simple_server),
        app,
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        protocol_version="HTTP/1.1",
        _is_concurrent=lambda self: True,
    )
    assert seen[0].close_connection


@pytest.mark.parametrize("result", [[b"12345"], [b"123", b"45"], Blocks(b"123", b"", b"45")])
def test_the_declared_length_is_sent_as_it_is(wsgiref: SimpleNamespace, result: Any) -> None:
    answer = run(wsgiref, respond(result, headers=[("content-length", "5"), *TEXT]))
    assert answer.head.lower().count(b"content-length") == 1
    assert answer.body == b"12345"
    assert answer.err == ""


# -- Without a body -----------------------------------------------------------------------


@pytest.mark.defect("D088")
@pytest.mark.parametrize("result", [[b"body"], Blocks(b"bo", b"dy")])
@pytest.mark.parametrize("headers", [[], [("Content-Length", "4")]])
def test_head_gets_the_headers_only(
    wsgiref: SimpleNamespace, result: Any, headers: list[tuple[str, str]]
) -> None:
    """H120; the Content-Length is what GET would get (H123)."""
    answer = run(wsgiref, respond(result, headers=headers), {"REQUEST_METHOD": "HEAD"})
    assert answer.body == b""
    known = bool(headers) or isinstance(result, list)
    assert answer.field("Content-Length") == ("4" if known else None)


@pytest.mark.defect("D088")
def test_head_gets_no_body_from_write_either(wsgiref: SimpleNamespace) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", LENGTH_5[:])
        write(b"123")
        write(b"45")
        write(b"678")  # more than declared: but then, nothing is sent
        return []

    answer = run(wsgiref, app, {"REQUEST_METHOD": "HEAD"})
    assert answer.out.endswith(b"\r\nContent-Length: 5\r\n\r\n")
    assert answer.err == ""


@pytest.mark.defect("D089")
@pytest.mark.parametrize("result", [[], [b"body"], Blocks(b"bo", b"dy")])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_204_and_304_have_no_body(wsgiref: SimpleNamespace, status: str, result: Any) -> None:
    """H120, H123: no bytes, and none are claimed."""
    answer = run(wsgiref, respond(result, status, headers=[]))
    assert answer.body == b""
    if status[0] == "2" or not isinstance(result, list) or not result:
        assert answer.field("Content-Length") is None


@pytest.mark.defect("D089")
def test_204_says_nothing_of_a_length(wsgiref: SimpleNamespace) -> None:
    """H121: not even what the application says."""
    answer = run(wsgiref, respond([], "204 No Content", [("Content-Length", "0"), *TEXT]))
    assert answer.field("Content-Length") is None
    assert answer.field("Content-Type") == "text/plain"


def test_304_keeps_the_applications_length(wsgiref: SimpleNamespace) -> None:
    """H123: it is the length of what 200 would have sent."""
    answer = run(wsgiref, respond([], "304 Not Modified", LENGTH_5))
    assert answer.field("Content-Length") == "5"
    assert answer.body == b""


@pytest.mark.defect("D089")
@pytest.mark.parametrize("headers", [[], LENGTH_5], ids=["undeclared", "declared"])
@pytest.mark.parametrize("result", [[b"12345"], Blocks(b"12345")])
def test_205_has_the_length_0(
    wsgiref: SimpleNamespace, headers: list[tuple[str, str]], result: Any
) -> None:
    """H124: unlike 204, its end is found by its fields, so those must say so."""
    answer = run(wsgiref, respond(result, "205 Reset Content", headers))
    assert answer.field("Content-Length") == "0"
    assert answer.head.lower().count(b"content-length") == 1
    assert answer.body == b""


@pytest.mark.defect("D089")
@pytest.mark.parametrize("headers", [[], LENGTH_5], ids=["undeclared", "declared"])
def test_a_tunnel_has_neither_length_nor_body(
    wsgiref: SimpleNamespace, headers: list[tuple[str, str]]
) -> None:
    """H121: 2xx to CONNECT."""
    answer = run(wsgiref, respond([b"12345"], headers=headers), {"REQUEST_METHOD": "CONNECT"})
    assert answer.field("Content-Length") is None
    assert answer.body == b""


@pytest.mark.defect("D090")
@pytest.mark.parametrize("result", [[], [b""], Blocks()])
def test_an_empty_answer_to_head_claims_no_length(wsgiref: SimpleNamespace, result: Any) -> None:
    """H123: GET would perhaps get more."""
    answer = run(wsgiref, respond(result), {"REQUEST_METHOD": "HEAD"})
    assert answer.field("Content-Length") is None


def test_an_empty_answer_to_head_keeps_the_applications_length(wsgiref: SimpleNamespace) -> None:
    """bpo-3839."""
    answer = run(wsgiref, respond([], headers=LENGTH_5), {"REQUEST_METHOD": "HEAD"})
    assert answer.field("Content-Length") == "5"


# -- A length that is not declared --------------------------------------------------------


class Sized(Blocks):
    """Blocks with a ``len()``; or with an error in its place."""

    def __init__(self, length: int | Exception, *blocks: bytes) -> None:
        super().__init__(*blocks)
        self.length = length

    def __len__(self) -> int:
        if isinstance(self.length, Exception):
            raise self.length
        return self.length


@pytest.mark.defect("D092")
@pytest.mark.parametrize("error", [ValueError(), RuntimeError(), OverflowError(), KeyError()])
def test_an_error_in_len_means_unknown(wsgiref: SimpleNamespace, error: Exception) -> None:
    """S17."""
    answer = run(wsgiref, respond(Sized(error, b"bo", b"dy")))
    assert answer.status == "HTTP/1.0 200 OK"
    assert answer.body == b"body"
    assert answer.field("Content-Length") is None


@pytest.mark.parametrize("error", [TypeError(), AttributeError(), NotImplementedError()])
def test_so_it_does_in_wsgiref_for_some_errors(wsgiref: SimpleNamespace, error: Exception) -> None:
    answer = run(wsgiref, respond(Sized(error, b"bo", b"dy")))
    assert answer.body == b"body"
    assert answer.field("Content-Length") is None


@pytest.mark.defect("D093")
@pytest.mark.parametrize("result", [[b"a", b"bc"], (b"a", b"", b"bc"), [b"", b"abc"]])
def test_a_list_of_blocks_has_a_known_length(wsgiref: SimpleNamespace, result: Any) -> None:
    """H128: what is known is said."""
    assert run(wsgiref, respond(result)).field("Content-Length") == "3"


@pytest.mark.parametrize(
    ("result", "length"),
    [
        ([b"abc"], "3"),
        ((b"abc",), "3"),
        ({b"abc"}, "3"),
        ({b"abc": 1}, "3"),
        (Sized(1, b"abc"), "3"),
        ([], "0"),
        (Blocks(), "0"),
        ([b""], "0"),
        (Sized(2, b"a", b"bc"), None),
        (Blocks(b"abc"), None),
        (iter([b"abc"]), None),
    ],
    ids=lambda value: repr(value).partition(" at 0x")[0],
)
def test_one_block_is_all_there_is(
    wsgiref: SimpleNamespace, result: Any, length: str | None
) -> None:
    """S17, S78, H128; otherwise the connection's end is the body's (S77)."""
    assert run(wsgiref, respond(result)).field("Content-Length") == length


def test_a_length_that_is_a_lie_cannot_put_bytes_behind_the_response() -> None:
    """A19, S73: len() said one block."""
    from quaich import handlers

    answer = run(SimpleNamespace(handlers=handlers), respond(Sized(1, b"abc", b"HTTP/1.1 200 OK")))
    assert answer.field("Content-Length") == "3"
    assert answer.body == b"abc"


def test_an_empty_first_block_of_one_is_not_all() -> None:
    """A19: the first block that is not empty is what counts, if len() says one."""
    from quaich import handlers

    answer = run(SimpleNamespace(handlers=handlers), respond(Sized(1, b"", b"abc")))
    assert answer.body == b"abc"


# -- The connection -----------------------------------------------------------------------


@pytest.mark.parametrize("result", [[b"body"], Blocks(b"body")])
def test_http_0_9_gets_the_body_only(wsgiref: SimpleNamespace, result: Any) -> None:
    """S77; there are no headers in HTTP/0.9."""
    assert run(wsgiref, respond(result), {"SERVER_PROTOCOL": "HTTP/0.9"}).out == b"body"
    assert run(wsgiref, respond([]), {"SERVER_PROTOCOL": "http/0.9"}).out == b""


def test_a_gateway_gets_headers_whatever_the_client_speaks(wsgiref: SimpleNamespace) -> None:
    environ = {"SERVER_PROTOCOL": "HTTP/0.9"}
    out = run(wsgiref, respond([b"body"]), environ, base="BaseCGIHandler").out
    assert out.startswith(b"Status: 200 OK\r\n")


CHUNKING: dict[str, Any] = {"http_version": "1.1", "chunked_output": True}


@pytest.mark.parametrize(
    ("result", "sent"),
    [
        (Blocks(b"abc", b"", b"x" * 26), b"3\r\nabc\r\n1a\r\n" + b"x" * 26 + b"\r\n0\r\n\r\n"),
        (iter([b"abc"]), b"3\r\nabc\r\n0\r\n\r\n"),
    ],
    ids=["blocks", "iterator"],
)
def test_output_of_unknown_length_may_be_chunked(result: Any, sent: bytes) -> None:
    """S79, S80: a chunk for each block, never an empty one, and the last at the end."""
    from quaich import handlers

    pipe = Pipe()
    handler = make_handler(
        SimpleNamespace(handlers=handlers),
        {"SERVER_PROTOCOL": "HTTP/1.1"},
        stdout=pipe,
        **CHUNKING,
    )
    handler.run(respond(result))
    assert answer(handler).field("Transfer-Encoding") == "chunked"
    assert answer(handler).field("Content-Length") is None
    assert answer(handler).body == sent


@pytest.mark.parametrize(
    ("environ", "result", "headers"),
    [
        ({"SERVER_PROTOCOL": "HTTP/1.0"}, Blocks(b"abc"), []),
        ({"SERVER_PROTOCOL": "HTTP/1.1"}, [b"abc"], []),
        ({"SERVER_PROTOCOL": "HTTP/1.1"}, Blocks(b"abc"), [("Content-Length", "3")]),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "HEAD"}, Blocks(b"abc"), []),
        ({"SERVER_PROTOCOL": "HTTP/1.1"}, Blocks(), []),
    ],
    ids=["HTTP/1.0", "list", "declared", "HEAD", "nothing"],
)
def test_other_output_is_not_chunked(environ: dict[str, str], result: Any, headers: Any) -> None:
    """H122, H126, H127."""
    from quaich import handlers

    answer = run(
        SimpleNamespace(handlers=handlers), respond(result, headers=headers), environ, **CHUNKING
    )
    assert answer.field("Transfer-Encoding") is None
    head = environ.get("REQUEST_METHOD") == "HEAD" or not getattr(result, "blocks", True)
    assert answer.body == (b"" if head else b"abc")


# -- How far the iterable is iterated -----------------------------------------------------


class Generator:
    """An application that is a generator, and notes how it ended."""

    def __init__(self, *headers: tuple[str, str]) -> None:
        self.headers = [*headers]
        self.notes: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", self.headers)
        try:
            yield b"he"
            yield b"llo"
            self.notes.append("behind the last block")
        finally:
            self.notes.append("closed")


@pytest.mark.parametrize("server", [False, True], ids=["handler", "server"])
def test_a_generator_is_exhausted(wsgiref: SimpleNamespace, server: bool) -> None:
    """Where its length is not known, nothing else says that it has ended."""
    app = Generator()
    given = exchange(wsgiref, app) if server else run(wsgiref, app)
    assert given.body == b"hello"
    assert app.notes == ["behind the last block", "closed"]


@pytest.mark.parametrize(
    ("environ", "headers"),
    [
        ({}, [("Content-Length", "5")]),
        ({}, [("Content-Length", "3")]),
        ({"REQUEST_METHOD": "HEAD"}, []),
        ({"REQUEST_METHOD": "HEAD"}, [("Content-Length", "5")]),
    ],
    ids=["length reached", "length exceeded", "HEAD", "HEAD with length"],
)
def test_a_generator_that_has_given_all_is_closed(
    environ: dict[str, str], headers: list[tuple[str, str]]
) -> None:
    """S74, D085, D088: nothing that it may still give could be sent, so it is closed and not
    exhausted. What must run belongs into ``finally`` or close(); in wsgiref what stands behind
    the last ``yield`` runs too."""
    app = Generator(*headers)
    run(OURS, app, environ)
    assert app.notes == ["closed"]
