"""What subclasses may rely on: attributes, hooks, their order, and overriding each of them."""

import io
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.harness import GET, Blocks, answer, make_handler, respond, run
from quaich import handlers as our_handlers
from support import exchange

OURS = SimpleNamespace(handlers=our_handlers)

DEFAULTS = {
    "wsgi_version": (1, 0),
    "wsgi_multithread": True,
    "wsgi_multiprocess": True,
    "wsgi_run_once": False,
    "origin_server": True,
    "http_version": "1.0",
    "server_software": None,
    "traceback_limit": None,
    "error_status": "500 Internal Server Error",
    "error_headers": [("Content-Type", "text/plain")],
    "error_body": b"A server error occurred.  Please contact the administrator.",
    "status": None,
    "result": None,
    "headers": None,
    "headers_sent": False,
    "bytes_sent": 0,
}


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items(), ids=DEFAULTS)
def test_attributes_of_the_class(wsgiref: SimpleNamespace, name: str, value: Any) -> None:
    assert getattr(wsgiref.handlers.BaseHandler, name) == value


def test_collaborators_of_the_class(wsgiref: SimpleNamespace) -> None:
    assert wsgiref.handlers.BaseHandler.wsgi_file_wrapper is wsgiref.util.FileWrapper
    assert wsgiref.handlers.BaseHandler.headers_class is wsgiref.headers.Headers
    assert type(wsgiref.handlers.BaseHandler.os_environ) is dict


def test_environ_is_there_from_setup_environ_on(wsgiref: SimpleNamespace) -> None:
    handler = make_handler(wsgiref)
    assert not hasattr(handler, "environ")
    handler.setup_environ()
    assert handler.environ["REQUEST_METHOD"] == "GET"


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("_write", (b"x",)),
        ("_flush", ()),
        ("get_stdin", ()),
        ("get_stderr", ()),
        ("add_cgi_vars", ()),
    ],
)
def test_abstract_methods(wsgiref: SimpleNamespace, name: str, args: tuple[Any, ...]) -> None:
    """CPython's testAbstractMethods."""
    with pytest.raises(NotImplementedError):
        getattr(wsgiref.handlers.BaseHandler(), name)(*args)


def test_simple_handlers_attributes(wsgiref: SimpleNamespace) -> None:
    """D128: ``base_env``, and the flags by position or keyword."""
    environ: dict[str, str] = {}
    handler = wsgiref.handlers.SimpleHandler(1, 2, 3, environ, False, multiprocess=True)
    assert (handler.stdin, handler.stdout, handler.stderr) == (1, 2, 3)
    assert handler.base_env is environ
    assert handler.wsgi_multithread is False
    assert handler.wsgi_multiprocess is True


HOOKS = [
    "setup_environ",
    "add_cgi_vars",
    "get_stdin",
    "get_stderr",
    "get_scheme",
    "start_response",
    "finish_response",
    "result_is_file",
    "sendfile",
    "write",
    "send_headers",
    "cleanup_headers",
    "set_content_length",
    "client_is_modern",
    "send_preamble",
    "_write",
    "_flush",
    "finish_content",
    "close",
    "log_exception",
    "handle_error",
    "error_output",
]


def noting(wsgiref: SimpleNamespace, calls: list[str], base: str = "SimpleHandler") -> Any:
    """All hooks of a handler, overridden by ones that note the call and go on."""

    def hook(name: str) -> Any:
        def noted(self: Any, *args: Any) -> Any:
            calls.append(name)
            return getattr(getattr(wsgiref.handlers, base), name)(self, *args)

        return noted

    return {name: hook(name) for name in HOOKS}


def once(calls: list[str]) -> list[str]:
    """Without what is asked repeatedly, and how often is nobody's business. (wsgiref takes
    ``_flush`` off the path after its first call.)"""
    asked = {"client_is_modern", "result_is_file", "_flush"}
    kept = [call for call in calls if call not in asked]
    return [call for i, call in enumerate(kept) if i == 0 or call != kept[i - 1]]


SETUP = ["setup_environ", "add_cgi_vars", "get_stdin", "get_stderr", "get_scheme"]
HEAD = ["send_headers", "cleanup_headers", "set_content_length", "send_preamble", "_write"]


@pytest.mark.parametrize(
    ("result", "order"),
    [
        ([b"a"], ["finish_response", "write", *HEAD, "finish_content", "close"]),
        (
            Blocks(b"a", b"b"),
            ["finish_response", "write", *HEAD, "write", "_write", "finish_content", "close"],
        ),
    ],
    ids=["one block", "blocks"],
)
def test_the_order_of_the_hooks(wsgiref: SimpleNamespace, result: Any, order: list[str]) -> None:
    calls: list[str] = []
    run(wsgiref, respond(result), **noting(wsgiref, calls))
    assert once(calls) == [*SETUP, "start_response", *order]


def test_the_order_of_the_hooks_without_a_block(wsgiref: SimpleNamespace) -> None:
    calls: list[str] = []
    run(wsgiref, respond([]), **noting(wsgiref, calls))
    order = once(calls)
    assert order[:8] == [*SETUP, "start_response", "finish_response", "finish_content"]
    assert order[8:10] == ["send_headers", "cleanup_headers"]
    assert order[-1] == "close"
    assert order.index("send_preamble") < order.index("_write")


def test_the_order_of_the_hooks_for_an_error(wsgiref: SimpleNamespace) -> None:
    def fail(environ: Any, start_response: Any) -> Any:
        raise ValueError

    calls: list[str] = []
    run(wsgiref, fail, **noting(wsgiref, calls))
    assert [call for call in once(calls) if call != "get_stderr"][4:10] == [
        "handle_error",
        "log_exception",
        "error_output",
        "start_response",
        "finish_response",
        "write",
    ]
    assert calls[-1] == "close"


def test_every_hook_may_be_overridden_at_once(wsgiref: SimpleNamespace) -> None:
    """And what is sent is the same, byte for byte."""
    for result in ([b"a"], Blocks(b"a", b"b"), []):
        for base in ("SimpleHandler", "BaseCGIHandler"):
            fields = [("Date", "now"), ("Set-Cookie", "a"), ("Set-Cookie", "b")]
            app = respond(result, headers=fields)
            hooks = noting(wsgiref, [], base)
            assert run(wsgiref, app, base=base, **hooks).out == run(wsgiref, app, base=base).out


# -- Overriding ---------------------------------------------------------------------------


def test_cleanup_headers_may_add_what_an_application_may_not(wsgiref: SimpleNamespace) -> None:
    """Django and pytest-httpbin add Connection there; once, and as they wrote it."""

    def cleanup_headers(self: Any) -> None:
        wsgiref.handlers.SimpleHandler.cleanup_headers(self)
        self.headers["Connection"] = "Close"

    out = run(wsgiref, respond([b"a"]), cleanup_headers=cleanup_headers).out
    assert out.count(b"Connection: Close\r\n") == 1
    assert b"Content-Length: 1\r\n" in out


def test_cleanup_headers_may_replace_the_default(wsgiref: SimpleNamespace) -> None:
    out = run(wsgiref, respond([b"a"]), cleanup_headers=lambda self: None).out
    assert b"Content-Length" not in out


def test_set_content_length_may_be_replaced(wsgiref: SimpleNamespace) -> None:
    def set_content_length(self: Any) -> None:
        self.headers["Content-Length"] = "1"
        self.headers["X-Set"] = "yes"

    answer = run(wsgiref, respond(Blocks(b"a")), set_content_length=set_content_length)
    assert answer.field("Content-Length") == "1"
    assert answer.field("X-Set") == "yes"


def test_send_preamble_may_be_replaced(wsgiref: SimpleNamespace) -> None:
    def send_preamble(self: Any) -> None:
        self._write(b"RTSP/1.0 " + self.status.encode() + b"\r\n")

    out = run(wsgiref, respond([b"a"], headers=[("X", "1")]), send_preamble=send_preamble).out
    assert out == b"RTSP/1.0 200 OK\r\nX: 1\r\nContent-Length: 1\r\n\r\na"


def test_send_headers_may_be_replaced(wsgiref: SimpleNamespace) -> None:
    """In the way of wsgiref itself."""

    def send_headers(self: Any) -> None:
        self.cleanup_headers()
        self.headers_sent = True
        if not self.origin_server or self.client_is_modern():
            self.send_preamble()
            self._write(bytes(self.headers))

    plain = run(wsgiref, respond([b"a"], headers=[("Date", "now")]))
    assert (
        run(wsgiref, respond([b"a"], headers=[("Date", "now")]), send_headers=send_headers) == plain
    )
    old = {"SERVER_PROTOCOL": "HTTP/0.9"}
    assert run(wsgiref, respond([b"a"]), old, send_headers=send_headers).out == b"a"


def copied_write(self: Any, data: bytes) -> None:
    """wsgiref's own write(), as programs have copied it."""
    if not self.status:
        raise AssertionError("write() before start_response()")
    if not self.headers_sent:
        self.bytes_sent = len(data)
        self.send_headers()
    else:
        self.bytes_sent += len(data)
    self._write(data)
    self._flush()


@pytest.mark.parametrize("result", [[b"a"], Blocks(b"a", b"b")], ids=["one block", "blocks"])
def test_write_may_be_replaced(wsgiref: SimpleNamespace, result: Any) -> None:
    app = respond(result, headers=[("Date", "now")])
    assert run(wsgiref, app, write=copied_write) == run(wsgiref, app)


def test_a_write_of_its_own_is_not_announced_in_chunks() -> None:
    """S80: the bytes of such a write() are not chunks, and must not be taken for them."""
    environ = {"SERVER_PROTOCOL": "HTTP/1.1"}
    attributes = {"http_version": "1.1", "chunked_output": True, "write": copied_write}
    answer = run(OURS, respond(Blocks(b"a", b"b")), environ, **attributes)
    assert answer.field("Transfer-Encoding") is None
    assert answer.body == b"ab"


@pytest.mark.parametrize("hook", ["send_headers", "send_preamble"])
def test_a_hook_that_only_looks_on_does_not_prevent_chunks(hook: str) -> None:
    """S79."""
    environ = {"SERVER_PROTOCOL": "HTTP/1.1"}

    def look_on(self: Any) -> None:
        getattr(our_handlers.SimpleHandler, hook)(self)

    attributes = {"http_version": "1.1", "chunked_output": True, hook: look_on}
    answer = run(OURS, respond(Blocks(b"a", b"b")), environ, **attributes)
    assert answer.field("Transfer-Encoding") == "chunked"
    assert answer.body == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"


def test_a_client_that_goes_away_from_such_a_write(wsgiref: SimpleNamespace) -> None:
    """Its word is taken for it: it writes by itself."""

    def write(self: Any, data: bytes) -> None:
        raise ConnectionResetError

    handler = make_handler(wsgiref, write=write)
    handler.run(respond(Blocks(b"a")))
    assert answer(handler).err == ""


def test_finish_response_may_be_replaced(wsgiref: SimpleNamespace) -> None:
    """Asynchronous servers come back later; run() leaves the request open for them."""
    handler = make_handler(wsgiref, finish_response=lambda self: None)
    blocks = Blocks(b"a", b"b")
    handler.run(respond(blocks))
    assert handler.environ is not None
    assert blocks.closed == 0
    for block in handler.result:
        handler.write(block)
    handler.finish_content()
    handler.close()
    assert answer(handler).body == b"ab"
    assert blocks.closed == 1
    assert handler.environ is None


def test_error_output_may_be_replaced(wsgiref: SimpleNamespace) -> None:
    """It is an application of its own, with the environ of the request."""

    def error_output(self: Any, environ: Any, start_response: Any) -> Any:
        import sys

        start_response("503 Later", [("X-Path", environ["PATH_INFO"])], sys.exc_info())
        yield type(sys.exc_info()[1]).__name__.encode()

    def fail(environ: Any, start_response: Any) -> Any:
        raise LookupError

    answer = run(wsgiref, fail, {"PATH_INFO": "/p"}, error_output=error_output)
    assert answer.status == "HTTP/1.0 503 Later"
    assert answer.field("X-Path") == "/p"
    assert answer.body == b"LookupError"


def test_handle_error_may_be_replaced(wsgiref: SimpleNamespace) -> None:
    def handle_error(self: Any) -> None:
        self.result = self.error_output(self.environ, self.start_response)
        self.finish_response()

    def fail(environ: Any, start_response: Any) -> Any:
        raise LookupError

    answer = run(wsgiref, fail, handle_error=handle_error)
    assert answer.status == "HTTP/1.0 500 Internal Server Error"
    assert answer.err == ""


def test_server_handler_closes_with_a_log_line(wsgiref: SimpleNamespace) -> None:
    """ServerHandler.close logs before it forgets: code and size, as log_request takes them."""
    logged: list[tuple[Any, ...]] = []
    exchange(wsgiref, respond([b"body"]), log_request=lambda self, *args: logged.append(args))
    assert logged == [("200", 4)]


def test_a_handler_with_streams_of_its_own_kind(wsgiref: SimpleNamespace) -> None:
    """The five abstract methods are all that a transport must have; it may send at _flush."""
    kept: list[bytes] = []
    sent: list[bytes] = []
    broken: list[Exception] = []

    class Transport(wsgiref.handlers.BaseHandler):  # type: ignore[misc,name-defined]
        os_environ: dict[str, str] = {}

        def _write(self, data: bytes) -> None:
            kept.append(data)

        def _flush(self) -> None:
            if broken:
                raise broken.pop()
            sent.append(b"".join(kept))
            kept.clear()

        def get_stdin(self) -> Any:
            return io.BytesIO(b"body")

        def get_stderr(self) -> Any:
            return stderr

        def add_cgi_vars(self) -> None:
            self.environ.update(GET)

    stderr = io.StringIO()
    Transport().run(respond(Blocks(b"a", b"b")))
    assert sent[0].endswith(b"\r\n\r\na")
    assert b"".join(sent).endswith(b"\r\n\r\nab")
    assert not kept
    for result in ([b"a"], []):
        broken.append(BrokenPipeError())
        handler = Transport()
        handler.run(respond(result))
        handler.close()
        # In wsgiref, only write() flushes.
        assert not broken or not result
        broken.clear()
    assert stderr.getvalue() == ""


def test_the_check_for_strings_is_there_for_subclasses(wsgiref: SimpleNamespace) -> None:
    handler = wsgiref.handlers.BaseHandler()
    assert handler._convert_string_type("x", "Title") == "x"
    with pytest.raises(AssertionError, match=r"^Title must be of type str \(got b'x'\)$"):
        handler._convert_string_type(b"x", "Title")
