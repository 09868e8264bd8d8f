"""What becomes of an exception: the error page, the log, the connection (S89-S91; D096-D103)."""

import io
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from handlers.harness import TEXT, Blocks, Pipe, answer, make_handler, respond, run
from quaich import handlers as our_handlers
from quaich import simple_server as our_server
from support import connect, exchange, read_all

OURS = SimpleNamespace(handlers=our_handlers, simple_server=our_server)
GONE = [BrokenPipeError, ConnectionResetError, ConnectionAbortedError]


def failing(error: BaseException | type[BaseException]) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        raise error

    return app


# -- Before anything was sent -------------------------------------------------------------


@pytest.mark.parametrize(
    "app",
    [
        failing(ValueError("oops")),
        respond(Blocks(ValueError("oops"))),
        pytest.param(respond(Blocks(b"", ValueError("oops"))), marks=pytest.mark.defect("D084")),
        lambda environ, start_response: (_ for _ in ()).throw(ValueError("oops")),
    ],
    ids=["application", "first step", "after an empty block", "before start_response"],
)
def test_an_error_is_logged_and_answered(wsgiref: SimpleNamespace, app: Any) -> None:
    """S89, S66."""
    result = run(wsgiref, app)
    assert result.status == "HTTP/1.0 500 Internal Server Error"
    assert result.field("Content-Type") == "text/plain"
    assert result.body == b"A server error occurred.  Please contact the administrator."
    assert result.err.count("Traceback") == 1
    assert result.err.endswith("ValueError: oops\n")


def test_the_error_page_is_that_of_the_class(wsgiref: SimpleNamespace) -> None:
    """D095, kept."""
    result = run(
        wsgiref,
        failing(ValueError),
        error_status="503 Busy",
        error_headers=[("Retry-After", "5")],
        error_body=b"later",
    )
    assert result.status == "HTTP/1.0 503 Busy"
    assert result.field("Retry-After") == "5"
    assert result.field("Content-Length") == "5"
    assert result.body == b"later"


def test_what_the_application_had_started_is_not_sent(wsgiref: SimpleNamespace) -> None:
    """S68."""
    result = run(wsgiref, respond(Blocks(ValueError()), "200 OK", [("Set-Cookie", "a=b")]))
    assert result.field("Set-Cookie") is None


@pytest.mark.defect("D088")
def test_the_error_page_to_head_has_no_body(wsgiref: SimpleNamespace) -> None:
    result = run(wsgiref, failing(ValueError), {"REQUEST_METHOD": "HEAD"})
    assert result.status == "HTTP/1.0 500 Internal Server Error"
    assert result.body == b""


@pytest.mark.defect("D097")
@pytest.mark.parametrize("error", GONE)
@pytest.mark.parametrize("where", ["application", "iteration"])
def test_a_connection_error_of_the_application_is_its_own(
    wsgiref: SimpleNamespace, error: type[Exception], where: str
) -> None:
    """Its database went away and not the client."""
    app = (
        failing(error("database")) if where == "application" else respond(Blocks(error("database")))
    )
    result = run(wsgiref, app)
    assert result.status == "HTTP/1.0 500 Internal Server Error"
    assert f"{error.__name__}: database" in result.err


def test_it_is_so_on_a_handler_that_sends_files_by_itself() -> None:
    """Only where there is a file to be sent, its sendfile() can be meant."""
    handler = make_handler(OURS, sendfile=lambda self: True)
    handler.run(failing(ConnectionResetError("database")))
    assert "ConnectionResetError: database" in handler.stderr.getvalue()


@pytest.mark.parametrize("error", GONE)
@pytest.mark.parametrize("after", [0, 1])
def test_a_client_that_goes_away_is_no_error(
    wsgiref: SimpleNamespace, error: type[Exception], after: int
) -> None:
    """CPython's testClientConnectionTerminations; also midway, and from write()."""

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", TEXT[:])
        write(b"a")
        write(b"b")
        return [b"c"]

    for application in (app, respond(Blocks(b"a", b"b", b"c"))):
        handler = make_handler(wsgiref, stdout=Pipe(error(), after))
        handler.run(application)
        assert handler.stderr.getvalue() == ""


@pytest.mark.parametrize("error", GONE)
def test_nor_is_what_an_application_raises_over_it(error: type[Exception]) -> None:
    """D097: frameworks wrap what write() raises."""

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", TEXT[:])
        try:
            write(b"a")
        except OSError as reason:
            raise RuntimeError("could not stream") from reason
        return []

    handler = make_handler(OURS, stdout=Pipe(error()))
    handler.run(app)
    assert handler.stderr.getvalue() == ""


def test_an_error_that_is_declared_unrelated_is_logged() -> None:
    """D097: ``raise … from None``."""

    def app(environ: Any, start_response: Any) -> Any:
        try:
            start_response("200 OK", TEXT[:])(b"a")
        except OSError:
            raise KeyError("its own") from None
        return []

    handler = make_handler(OURS, stdout=Pipe(BrokenPipeError()))
    handler.run(app)
    assert "KeyError: 'its own'" in handler.stderr.getvalue()


def test_a_ring_of_causes_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert "500" in run(OURS, failing(one)).status


@pytest.mark.defect("D067")
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_error_over_a_body_that_broke_off_is_not_lost(
    wsgiref: SimpleNamespace, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The client's fault does not hide the application's."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if when == "after":
            start_response("200 OK", [])
        try:
            environ["wsgi.input"].read()
        except OSError:
            undefined_name  # type: ignore[name-defined]  # noqa: F821
        return []

    data = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"
    given = exchange(wsgiref, app, data)
    assert given.status.partition(" ")[2][:3] in ("400", "500")
    logged = given.err + caplog.text
    assert "Traceback" in logged
    assert "NameError: name 'undefined_name' is not defined" in logged


@pytest.mark.defect("D080")
@pytest.mark.parametrize("result", [[b"a"], Blocks(b"a", b"b"), []], ids=["one", "blocks", "none"])
def test_a_header_of_the_subclass_that_cannot_be_encoded_gives_the_error_page(
    wsgiref: SimpleNamespace, result: Any
) -> None:
    """An empty answer would tell nobody anything."""

    def cleanup_headers(self: Any) -> None:
        wsgiref.handlers.SimpleHandler.cleanup_headers(self)
        if self.status == "200 OK":
            self.headers["X-Price"] = "5 €"

    given = run(wsgiref, respond(result), cleanup_headers=cleanup_headers)
    assert given.status == "HTTP/1.0 500 Internal Server Error"
    assert given.field("X-Price") is None
    assert given.body.startswith(b"A server error occurred.")
    assert "Traceback" in given.err


# -- After the headers --------------------------------------------------------------------


def test_an_error_after_the_headers_adds_nothing(wsgiref: SimpleNamespace) -> None:
    """S91; CPython's testErrorAfterOutput."""
    handler = make_handler(wsgiref)
    handler.run(respond(Blocks(b"partial", ValueError("oops"))))
    assert answer(handler).body == b"partial"
    assert answer(handler).err.count("Traceback") == 1
    assert handler.headers_sent is True
    assert handler.status == "200 OK"
    assert handler.result is not None
    assert handler.environ is not None


@pytest.mark.defect("D096")
def test_an_error_after_the_headers_has_its_line_in_the_access_log(
    wsgiref: SimpleNamespace,
) -> None:
    """With what was sent; and once."""
    logged: list[tuple[Any, ...]] = []
    exchange(
        wsgiref,
        respond(Blocks(b"partial", ValueError("oops"))),
        log_request=lambda self, *args: logged.append(args),
    )
    assert logged == [("200", 7)]


@pytest.mark.parametrize(
    "app",
    [
        respond(Blocks(b"partial", ValueError("oops"))),
        respond(Blocks(b"partial", KeyboardInterrupt())),
        respond([b"partial"], headers=[("Content-Length", "10")]),
    ],
    ids=["error", "interrupt", "too short"],
)
def test_a_response_that_was_not_finished_is_aborted_once(app: Any) -> None:
    """S76, S91: a subclass learns of it, to end its connection."""
    aborts: list[str] = []
    handler = make_handler(OURS, abort=lambda self: aborts.append(self.status))
    try:
        handler.run(app)
    except KeyboardInterrupt:
        pass
    assert aborts == ["200 OK"]


@pytest.mark.parametrize("page", [b"page", b""])
def test_a_handle_error_that_fails_aborts_too(page: bytes) -> None:
    """S91: whatever fails, half a response must not look whole."""

    def handle_error(self: Any) -> None:
        raise LookupError("in handle_error")

    aborts: list[str] = []
    handler = make_handler(
        OURS, abort=lambda self: aborts.append(self.status), handle_error=handle_error
    )
    with pytest.raises(LookupError):
        handler.run(respond(Blocks(*[page] * bool(page), ValueError())))
    assert aborts == (["200 OK"] if page else [])
    assert handler.environ is None


def test_a_finished_response_is_not_aborted() -> None:
    aborts: list[str] = []
    handler = make_handler(OURS, abort=lambda self: aborts.append(self.status))
    handler.run(respond([b"a"]))
    handler.run(respond(Blocks(b"a", fails_to_close=ValueError())))
    handler.run(failing(ValueError))
    assert aborts == []


def test_an_error_after_a_close_by_the_subclass_sends_no_page() -> None:
    """A finish_response in the style of old wsgiref closes in ``finally``, errors or not."""

    def finish_response(self: Any) -> None:
        try:
            for data in self.result:
                self.write(data)
            self.finish_content()
        finally:
            self.close()

    handler = make_handler(OURS, finish_response=finish_response)
    handler.run(respond(Blocks(b"partial", ValueError("oops"))))
    assert answer(handler).body == b"partial"
    assert "ValueError: oops" in answer(handler).err


# -- What is not the application's error --------------------------------------------------


@pytest.mark.defect("D099")
@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("where", ["application", "iteration"])
def test_interrupts_go_on(wsgiref: SimpleNamespace, error: type[BaseException], where: str) -> None:
    """Ctrl-C during a request stops the server; no page, no traceback of ours."""
    handler = make_handler(wsgiref)
    with pytest.raises(error):
        handler.run(failing(error) if where == "application" else respond(Blocks(error())))
    assert answer(handler).out == b""
    assert answer(handler).err == ""
    assert handler.environ is None


@pytest.mark.defect("D099")
@pytest.mark.parametrize("many", [False, True], ids=["application", "iteration"])
def test_an_exit_is_answered_logged_and_goes_on(wsgiref: SimpleNamespace, many: bool) -> None:
    """It is meant for the process, but the client is owed an answer."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if many:
            start_response("200 OK", [])
            return Blocks(SystemExit("the database is gone"))
        raise SystemExit("the database is gone")

    handler = make_handler(wsgiref)
    with pytest.raises(SystemExit, match="the database is gone"):
        handler.run(app)
    given = answer(handler)
    assert given.status == "HTTP/1.0 500 Internal Server Error"
    assert given.body.startswith(b"A server error occurred.")
    assert given.err.count("Traceback") == 1
    assert given.err.endswith("SystemExit: the database is gone\n")


@pytest.mark.defect("D099")
def test_an_exit_after_the_headers_adds_nothing(wsgiref: SimpleNamespace) -> None:
    result = Blocks(b"a part", SystemExit("now"))
    handler = make_handler(wsgiref)
    with pytest.raises(SystemExit):
        handler.run(respond(result))
    given = answer(handler)
    assert given.body == b"a part"
    assert given.err.count("Traceback") == 1
    assert result.closed == 1


@pytest.mark.defect("D099")
@pytest.mark.live
def test_an_exit_reaches_the_client_of_a_server(wsgiref: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        raise SystemExit(3)

    with wsgiref.simple_server.make_server("127.0.0.1", 0, app) as server:
        server.timeout = 5
        with connect(server) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with mock.patch("sys.stderr", io.StringIO()) as err, pytest.raises(SystemExit):
                server.handle_request()
            assert read_all(client).startswith(b"HTTP/1.0 500 Internal Server Error\r\n")
    assert "SystemExit: 3" in err.getvalue()


# -- A second error -----------------------------------------------------------------------


@pytest.mark.defect("D101", raises=AttributeError)
def test_a_second_error_does_not_hide_the_first(wsgiref: SimpleNamespace) -> None:
    """Where the error page fails before start_response, what is raised is its error."""

    def error_output(self: Any, environ: Any, start_response: Any) -> Any:
        raise LookupError("in the page")

    class Handler(wsgiref.simple_server.ServerHandler):  # type: ignore[misc,name-defined]
        pass

    log: list[Any] = []
    handler = make_handler(wsgiref)
    Handler.error_output = error_output
    Handler.os_environ = {}
    server_handler = Handler(handler.stdin, handler.stdout, handler.stderr, handler.base_env)
    server_handler.request_handler = SimpleNamespace(
        log_request=lambda *args: log.append(args), close_connection=True
    )
    with pytest.raises(LookupError, match="in the page"):
        server_handler.run(failing(ValueError("first")))
    assert "ValueError: first" in handler.stderr.getvalue()
    assert log == [("-", 0)]


def test_an_error_in_handle_error_goes_on(wsgiref: SimpleNamespace) -> None:
    """The contract: run() closes and raises it, for the server to report."""
    blocks = Blocks(ValueError())

    def handle_error(self: Any) -> None:
        raise LookupError("in handle_error")

    handler = make_handler(wsgiref, handle_error=handle_error)
    with pytest.raises(LookupError):
        handler.run(respond(blocks))
    assert handler.environ is None
    assert blocks.closed >= 1


def test_the_close_of_such_a_subclass_cannot_hide_it() -> None:
    def fail(self: Any) -> None:
        raise LookupError("in handle_error")

    def close(self: Any) -> None:
        raise KeyError("in close")

    blocks = Blocks(ValueError())
    handler = make_handler(OURS, handle_error=fail, close=close)
    with pytest.raises(LookupError):
        handler.run(respond(blocks))
    assert blocks.closed == 1
    assert handler.environ is None


@pytest.mark.parametrize("where", ["error_output", "log_exception"])
def test_an_interrupt_during_an_error_closes_too(wsgiref: SimpleNamespace, where: str) -> None:
    """D099: Ctrl-C while the traceback is written."""

    def interrupted(self: Any, *args: Any) -> Any:
        raise KeyboardInterrupt

    attributes: dict[str, Any] = {where: interrupted}
    handler = make_handler(wsgiref, **attributes)
    with pytest.raises(KeyboardInterrupt):
        handler.run(failing(ValueError))
    assert handler.environ is None


def test_an_error_while_the_page_is_sent_goes_on(wsgiref: SimpleNamespace) -> None:
    handler = make_handler(wsgiref, stdout=Pipe(ValueError("no output")))
    with pytest.raises(ValueError, match="no output"):
        handler.run(failing(KeyError("first")))
    assert "KeyError: 'first'" in handler.stderr.getvalue()


def test_a_client_that_does_not_wait_for_the_page() -> None:
    """wsgiref raises this for the server to print; here it is nobody's error."""
    handler = make_handler(OURS, stdout=Pipe(BrokenPipeError()))
    handler.run(failing(KeyError("first")))
    assert handler.stderr.getvalue().count("Traceback") == 1
    assert handler.environ is None


# -- Applications that do not answer ------------------------------------------------------


@pytest.mark.defect("D102")
@pytest.mark.parametrize("result", [[], Blocks(), (b"",)])
def test_forgetting_start_response_is_named(wsgiref: SimpleNamespace, result: Any) -> None:
    err = run(wsgiref, lambda environ, start_response: result).err
    assert "AssertionError: the application returned without calling start_response" in err


def test_so_is_a_start_response_that_failed() -> None:
    """S70: an application that goes on after it has not forgotten anything."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        with pytest.raises(ValueError, match="Control characters"):
            start_response("200 O\nK", [])
        return []

    assert "returned without a successful call of start_response" in run(OURS, app).err


@pytest.mark.defect("D103")
@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "the application returned None; it must return an iterable of bytes"),
        ("text", "the application returned a str; it must return an iterable of bytes"),
        (b"bytes", "the application returned a bytes; it must return an iterable of bytes"),
    ],
)
def test_a_result_of_the_wrong_kind_is_named(
    wsgiref: SimpleNamespace, result: Any, message: str
) -> None:
    """A17; gh-110001."""
    answer = run(wsgiref, respond(result))
    assert f"TypeError: {message}" in answer.err
    assert answer.status == "HTTP/1.0 500 Internal Server Error"


@pytest.mark.parametrize("result", ["", b""])
def test_an_empty_string_passes(wsgiref: SimpleNamespace, result: Any) -> None:
    """It has no blocks; D103, kept."""
    assert run(wsgiref, respond(result)).status == "HTTP/1.0 200 OK"
