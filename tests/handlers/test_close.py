"""close() of the result: once, whatever ends the request (S18-S20; D098, D100)."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.harness import TEXT, Blocks, Pipe, answer, make_handler, respond, run
from support import exchange

GONE = [BrokenPipeError, ConnectionResetError, ConnectionAbortedError]


@pytest.mark.parametrize(
    ("result", "environ", "headers"),
    [
        (lambda: Blocks(b"a", b"b"), {}, TEXT),
        (lambda: Blocks(), {}, TEXT),
        (lambda: Blocks(b""), {}, TEXT),
        (lambda: Blocks(ValueError()), {}, TEXT),
        (lambda: Blocks(b"a", ValueError()), {}, TEXT),
        (lambda: Blocks("text"), {}, TEXT),
        (lambda: Blocks(b"a", "text"), {}, TEXT),
        (lambda: Blocks(b"a"), {"REQUEST_METHOD": "HEAD"}, TEXT),
        (lambda: Blocks(b"a", b"b", b"c"), {}, [("Content-Length", "1")]),
        (lambda: Blocks(b"a"), {}, [("Content-Length", "2")]),
        (lambda: Blocks(b"a"), {"SERVER_PROTOCOL": "HTTP/0.9"}, TEXT),
    ],
    ids=[
        "some",
        "none",
        "empty",
        "error first",
        "error midway",
        "text first",
        "text midway",
        "HEAD",
        "too long",
        "too short",
        "HTTP/0.9",
    ],
)
def test_close_is_called_once(
    wsgiref: SimpleNamespace,
    result: Callable[[], Blocks],
    environ: dict[str, str],
    headers: list[tuple[str, str]],
) -> None:
    """S18: at the end, on an error of the application, and where iteration stops early (S20)."""
    blocks = result()
    run(wsgiref, respond(blocks, headers=headers), environ)
    assert blocks.closed == 1


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("error", GONE)
def test_close_is_called_once_when_the_client_goes_away(
    wsgiref: SimpleNamespace, error: type[Exception], after: int
) -> None:
    """S18: client disconnect."""
    blocks = Blocks(b"a", b"b", b"c")
    handler = make_handler(wsgiref, stdout=Pipe(error(), after))
    handler.run(respond(blocks))
    assert blocks.closed == 1
    assert handler.stderr.getvalue() == ""


@pytest.mark.defect("D098")
@pytest.mark.parametrize("error", GONE)
def test_it_is_so_where_the_result_has_not_been_iterated_over(
    wsgiref: SimpleNamespace, error: type[Exception]
) -> None:
    """A subclass sends the headers at once, and that fails."""

    def finish_response(self: Any) -> None:
        self.send_headers()
        wsgiref.handlers.SimpleHandler.finish_response(self)

    blocks = Blocks(b"a")
    pipe = Pipe(error())
    make_handler(wsgiref, stdout=pipe, finish_response=finish_response).run(respond(blocks))
    assert blocks.given == 0
    assert blocks.closed == 1


@pytest.mark.defect("D098")
@pytest.mark.parametrize("error", GONE)
def test_the_request_is_logged_when_the_client_goes_away(
    wsgiref: SimpleNamespace, error: type[Exception]
) -> None:
    """By an access log that knows what was sent."""
    logged: list[Any] = []
    pipe = Pipe(error(), after=1)

    class Handler(wsgiref.simple_server.WSGIRequestHandler):  # type: ignore[misc,name-defined]
        pass

    def log_request(self: Any, code: Any = "-", size: Any = "-") -> None:
        logged.append((code, size))

    def setup(self: Any) -> None:
        self.connection = self.request
        self.rfile, self.wfile = self.request[0], pipe

    exchange(wsgiref, respond(Blocks(b"abc", b"def")), log_request=log_request, setup=setup)
    assert logged == [("200", 6)]


@pytest.mark.defect("D099")
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("blocks", [(), (b"a",)], ids=["first", "midway"])
def test_close_is_called_once_on_the_way_out(
    wsgiref: SimpleNamespace, error: type[BaseException], blocks: tuple[bytes, ...]
) -> None:
    """S18: server shutdown."""
    result = Blocks(*blocks, error())
    handler = make_handler(wsgiref)
    with pytest.raises(error):
        handler.run(respond(result))
    assert result.closed == 1
    assert handler.environ is None


def test_it_is_the_result_that_is_closed_and_not_its_iterator(wsgiref: SimpleNamespace) -> None:
    """S19."""
    calls: list[str] = []

    class Iterator:
        def __next__(self) -> bytes:
            raise StopIteration

        def __iter__(self) -> Any:
            return self

        def close(self) -> None:
            calls.append("iterator")

    class Result:
        def __iter__(self) -> Any:
            return Iterator()

        def close(self) -> None:
            calls.append("result")

    run(wsgiref, respond(Result()))
    assert calls == ["result"]


def test_a_generator_is_closed_where_iteration_stops() -> None:
    """S74, S18: its ``finally`` runs."""
    from quaich import handlers

    steps: list[str] = []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "1")])
        try:
            yield b"a"
            steps.append("went on")
        finally:
            steps.append("closed")

    run(SimpleNamespace(handlers=handlers), app)
    assert steps == ["closed"]


def test_a_result_without_close(wsgiref: SimpleNamespace) -> None:
    assert run(wsgiref, respond((b"a", b"b"))).body == b"ab"


def test_close_is_found_on_subclasses_of_list(wsgiref: SimpleNamespace) -> None:
    """What only looks like a list of blocks may have something to close."""
    closed: list[bool] = []

    class Response(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    assert run(wsgiref, respond(Response([b"a"]))).body == b"a"
    assert closed == [True]


def test_the_error_page_is_closed_too(wsgiref: SimpleNamespace) -> None:
    """S18: error_output is an application."""
    result, page = Blocks(ValueError()), Blocks(b"page")

    def error_output(self: Any, environ: Any, start_response: Any) -> Any:
        start_response("500 Sorry", [], (ValueError, ValueError(), None))
        return page

    assert run(wsgiref, respond(result), error_output=error_output).body == b"page"
    assert (result.closed, page.closed) == (1, 1)


# -- close() that fails -------------------------------------------------------------------


@pytest.mark.defect("D100")
def test_an_error_in_close_is_logged_and_nothing_else(wsgiref: SimpleNamespace) -> None:
    """The response is out: it is neither a 500 nor the next request's problem."""
    result = Blocks(b"body", fails_to_close=ValueError("in close"))
    answer = run(wsgiref, respond(result))
    assert answer.out.startswith(b"HTTP/1.0 200 OK")
    assert answer.body == b"body"
    assert answer.err.count("Traceback") == 1
    assert answer.err.endswith("ValueError: in close\n")
    assert result.closed == 1


@pytest.mark.defect("D100")
def test_it_is_no_second_line_in_the_access_log(wsgiref: SimpleNamespace) -> None:
    logged: list[tuple[Any, ...]] = []
    answer = exchange(
        wsgiref,
        respond(Blocks(b"body", fails_to_close=ValueError("in close"))),
        log_request=lambda self, *args: logged.append(args),
    )
    assert logged == [("200", 4)]
    assert answer.body == b"body"


@pytest.mark.defect("D100")
def test_an_error_in_close_does_not_hide_the_applications(wsgiref: SimpleNamespace) -> None:
    """D101: it has its traceback, and its error page."""
    result = Blocks(ValueError("of the application"), fails_to_close=KeyError("in close"))
    answer = run(wsgiref, respond(result))
    assert answer.status == "HTTP/1.0 500 Internal Server Error"
    assert "KeyError: 'in close'" in answer.err
    assert answer.err.endswith("ValueError: of the application\n")
    assert result.closed == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_close_goes_on(error: type[BaseException]) -> None:
    """D099."""
    from quaich import handlers

    result = Blocks(b"body", fails_to_close=error())
    handler = make_handler(SimpleNamespace(handlers=handlers))
    with pytest.raises(error):
        handler.run(respond(result))
    assert answer(handler).body == b"body"
    assert result.closed == 1


def test_so_does_one_after_the_client_has_gone() -> None:
    """D099: that the client went away does not swallow it."""
    from quaich import handlers

    result = Blocks(b"body", fails_to_close=KeyboardInterrupt())
    handler = make_handler(SimpleNamespace(handlers=handlers), stdout=Pipe(BrokenPipeError()))
    with pytest.raises(KeyboardInterrupt):
        handler.run(respond(result))
    assert result.closed == 1
    assert handler.environ is None


# -- The handler's own close() ------------------------------------------------------------


def test_close_forgets_the_request(wsgiref: SimpleNamespace) -> None:
    """D108, kept: and no reference keeps the response alive."""
    handler = make_handler(wsgiref)
    handler.run(respond([b"body"]))
    assert handler.result is handler.headers is handler.status is handler.environ is None
    assert handler.bytes_sent == 0
    assert handler.headers_sent is False
    handler.close()  # again: nothing is left to close


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_error_in_a_handlers_close_sends_nothing_more(
    wsgiref: SimpleNamespace, when: str
) -> None:
    """A subclass's close() fails, or a log_request() that it calls: the response is out, and an
    error page behind it would be taken for the next response."""

    def close(self: Any) -> None:
        if when == "before":
            raise ValueError("in the handler's close")
        wsgiref.handlers.SimpleHandler.close(self)
        raise ValueError("in the handler's close")

    handler = make_handler(wsgiref, close=close)
    try:
        handler.run(respond([b"body"]))
    except (ValueError, TypeError):
        pass  # from wsgiref, whose error page failed
    assert answer(handler).body == b"body"
    assert "ValueError: in the handler's close" in answer(handler).err


def test_so_it_is_with_an_access_log_that_fails(wsgiref: SimpleNamespace) -> None:
    blocks = Blocks(b"body")

    def log_request(self: Any, *args: Any) -> None:
        raise ValueError("in the log")

    try:
        answer = exchange(wsgiref, respond(blocks), log_request=log_request)
    except (ValueError, TypeError, AttributeError):
        assert wsgiref.simple_server.__name__.startswith("wsgiref")
    else:
        assert answer.body == b"body"
        assert answer.err.count("ValueError: in the log") == 1
    assert blocks.closed == 1


def test_a_close_that_reads_a_broken_body_is_no_error() -> None:
    """Django's close() reads what is left of the body, which may break off: the response is out,
    the result is closed, and nobody has made an error."""
    from quaich import handlers

    def close(self: Any) -> None:
        self.get_stdin().read()
        handlers.SimpleHandler.close(self)

    blocks = Blocks(b"body")
    handler = make_handler(
        SimpleNamespace(handlers=handlers), {"CONTENT_LENGTH": "5"}, b"abc", close=close
    )
    handler.run(respond(blocks))
    assert answer(handler).body == b"body"
    assert answer(handler).err == ""
    assert blocks.closed == 1
    assert handler.environ is None
