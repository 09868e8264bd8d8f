"""The contract with subclasses: any template method may be replaced, by any means, without super.

The first table holds every method with a replacement that does something visible of its own, and
what is then sent. It is the same on the standard library and on Quaich, wherever the replacement
stands: in a subclass, patched into the class, set on the instance, patched there, or in a class
put in place of ``simple_server.ServerHandler``.
"""

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from types import MethodType, SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import pytest

from handlers.harness import GET, Blocks, answer, make_handler, respond, run
from support import Answer, exchange

# -- The table ----------------------------------------------------------------------------

HEAD = "HTTP/1.0 200 OK\r\nDate: now\r\nX-A: 1\r\n"
PLAIN = HEAD + "{length}\r\nhello"
PAGE = "HTTP/1.0 500 Internal Server Error\r\nDate: now\r\nContent-Length: 4\r\n\r\npage"


class Replacement(NamedTuple):
    """A method that stands in for the library's.

    ``out``: what is sent; ``{length}`` in it is the Content-Length that the library adds for
    one block. ``err``: what stderr holds, "" nothing. ``content``: what the application sends,
    or raises. ``beside``: further attributes of the subclass.
    """

    method: Callable[..., Any]
    out: str = PLAIN
    err: str = ""
    content: Callable[[dict[str, Any]], bytes | Exception] = lambda environ: b"hello"
    beside: dict[str, Any] = {}


def failing(environ: dict[str, Any]) -> Exception:
    return LookupError("of the application")


def own_run(self: Any, application: Any) -> None:
    self.setup_environ()
    self.result = application(self.environ, self.start_response)
    self.finish_response()


def own_setup_environ(self: Any) -> None:
    self.environ = {
        **GET,
        **getattr(self, "base_env", {}),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "own": b"own environ",
    }


def own_finish_response(self: Any) -> None:
    for data in self.result:
        self.write(data.upper())
    self.finish_content()
    self.close()


def own_set_content_length(self: Any) -> None:
    self.headers["X-Set"] = "yes"


def own_cleanup_headers(self: Any) -> None:
    self.headers["X-Clean"] = "yes"


def own_start_response(self: Any, status: Any, headers: Any, exc_info: Any = None) -> Any:
    self.status = status
    self.headers = self.headers_class([*headers, ("X-Start", "yes")])
    return self.write


def own_send_preamble(self: Any) -> None:
    self._write(b"RTSP/1.0 " + self.status.encode() + b"\r\n")


def own_write(self: Any, data: bytes) -> None:
    if not self.headers_sent:
        self.bytes_sent = len(data)
        self.send_headers()
    else:
        self.bytes_sent += len(data)
    self._write(data.upper())
    self._flush()


def own_sendfile(self: Any) -> bool:
    self.headers["Content-Length"] = "13"
    self.send_headers()
    self._write(b"from sendfile")
    self._flush()
    return True


def own_finish_content(self: Any) -> None:
    self._write(b"|end")
    self._flush()


def own_send_headers(self: Any) -> None:
    self.cleanup_headers()
    self.headers_sent = True
    self._write(b"Own head\r\n" + bytes(self.headers))


def own_log_exception(self: Any, exc_info: Any) -> None:
    self.get_stderr().write(f"own line: {exc_info[1]}\n")


def own_handle_error(self: Any) -> None:
    self.result = self.error_output(self.environ, self.start_response)
    self.finish_response()


def own_error_output(self: Any, environ: Any, start_response: Any) -> list[bytes]:
    start_response("503 Later", [("Date", "now")], sys.exc_info())
    return [b"later"]


def own_write_out(self: Any, data: bytes) -> None:
    self.stdout.write(data.replace(b"l", b"L"))


def own_add_cgi_vars(self: Any) -> None:
    self.environ.update(GET, PATH_INFO="/own path")


def complaining(environ: dict[str, Any]) -> bytes:
    environ["wsgi.errors"].write("a complaint\n")
    return b"hello"


BY_SENDFILE = HEAD + "Content-Length: 13\r\n\r\nfrom sendfile"

REPLACEMENTS = {
    "run": Replacement(own_run),
    "setup_environ": Replacement(
        own_setup_environ, HEAD + "{length}\r\nown environ", content=lambda environ: environ["own"]
    ),
    "finish_response": Replacement(own_finish_response, HEAD + "{length}\r\nHELLO"),
    "get_scheme": Replacement(
        lambda self: "gopher",
        HEAD + "{length}\r\ngopher",
        content=lambda environ: environ["wsgi.url_scheme"].encode(),
    ),
    "set_content_length": Replacement(own_set_content_length, HEAD + "X-Set: yes\r\n\r\nhello"),
    "cleanup_headers": Replacement(own_cleanup_headers, HEAD + "X-Clean: yes\r\n\r\nhello"),
    "start_response": Replacement(own_start_response, HEAD + "X-Start: yes\r\n{length}\r\nhello"),
    "send_preamble": Replacement(own_send_preamble, PLAIN.replace("HTTP", "RTSP")),
    "write": Replacement(own_write, HEAD + "{length}\r\nHELLO"),
    "sendfile": Replacement(
        own_sendfile, BY_SENDFILE, beside={"result_is_file": lambda self: True}
    ),
    "finish_content": Replacement(own_finish_content, PLAIN + "|end"),
    "close": Replacement(lambda self: None),
    "send_headers": Replacement(
        own_send_headers, "Own head\r\nDate: now\r\nX-A: 1\r\n{length}\r\nhello"
    ),
    "result_is_file": Replacement(
        lambda self: True, BY_SENDFILE, beside={"sendfile": own_sendfile}
    ),
    "client_is_modern": Replacement(lambda self: False, "hello"),
    "log_exception": Replacement(
        own_log_exception, PAGE, "own line: of the application\n", failing
    ),
    "handle_error": Replacement(own_handle_error, PAGE, content=failing),
    "error_output": Replacement(
        own_error_output,
        "HTTP/1.0 503 Later\r\nDate: now\r\nContent-Length: 5\r\n\r\nlater",
        "LookupError: of the application\n",
        failing,
    ),
    "_write": Replacement(own_write_out, HEAD + "{length}\r\nheLLo"),
    "_flush": Replacement(lambda self: None),
    "get_stdin": Replacement(
        lambda self: io.BytesIO(b"own input"),
        HEAD + "{length}\r\nown input",
        content=lambda environ: environ["wsgi.input"].read(9),
    ),
    "get_stderr": Replacement(lambda self: io.StringIO(), content=complaining),
    "add_cgi_vars": Replacement(
        own_add_cgi_vars,
        HEAD + "{length}\r\n/own path",
        content=lambda environ: environ["PATH_INFO"].encode(),
    ),
}

# So that nothing that is sent changes from run to run.
STILL = {
    "server_software": None,
    "error_headers": [("Date", "now")],
    "error_body": b"page",
}

table = pytest.mark.parametrize("name", REPLACEMENTS)
blocks = pytest.mark.parametrize("many", [False, True], ids=["one block", "blocks"])


def application(row: Replacement, many: bool) -> Any:
    """Sends what the row says in one block or in several; or raises it, at once or in the
    iteration."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        content = row.content(environ)
        if isinstance(content, Exception) and not many:
            raise content
        start_response("200 OK", [("Date", "now"), ("X-A", "1")])
        if isinstance(content, Exception):
            return Blocks(content)
        return Blocks(content[:2], content[2:]) if many else [content]

    return app


def expected(row: Replacement, many: bool) -> bytes:
    size = len(row.out.rpartition("\r\n")[2].removesuffix("|end"))
    return row.out.format(length="" if many else f"Content-Length: {size}\r\n").encode()


def noting(row: Replacement, calls: list[str]) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append("called")
        return row.method(self, *args, **kwargs)

    return method


def check(row: Replacement, many: bool, given: Answer, calls: list[str]) -> None:
    assert given.out == expected(row, many)
    assert row.err in given.err
    assert calls


@contextlib.contextmanager
def in_subclass(wsgiref: SimpleNamespace, name: str, method: Any, beside: Any) -> Iterator[Any]:
    yield make_handler(wsgiref, **{**beside, name: method})


@contextlib.contextmanager
def patched_class(wsgiref: SimpleNamespace, name: str, method: Any, beside: Any) -> Iterator[Any]:
    with mock.patch.object(wsgiref.handlers.SimpleHandler, name, method):
        yield make_handler(wsgiref, **beside)


@contextlib.contextmanager
def patched_root(wsgiref: SimpleNamespace, name: str, method: Any, beside: Any) -> Iterator[Any]:
    abstract = ("_write", "_flush", "get_stdin", "get_stderr", "add_cgi_vars")
    base = "SimpleHandler" if name in abstract else "BaseHandler"
    with mock.patch.object(getattr(wsgiref.handlers, base), name, method):
        yield make_handler(wsgiref, **beside)


@contextlib.contextmanager
def on_instance(wsgiref: SimpleNamespace, name: str, method: Any, beside: Any) -> Iterator[Any]:
    handler = make_handler(wsgiref, **beside)
    setattr(handler, name, MethodType(method, handler))
    yield handler


@contextlib.contextmanager
def function_on_instance(
    wsgiref: SimpleNamespace, name: str, method: Any, beside: Any
) -> Iterator[Any]:
    handler = make_handler(wsgiref, **beside)
    setattr(handler, name, lambda *args, **kwargs: method(handler, *args, **kwargs))
    yield handler


@contextlib.contextmanager
def patched_instance(
    wsgiref: SimpleNamespace, name: str, method: Any, beside: Any
) -> Iterator[Any]:
    handler = make_handler(wsgiref, **beside)
    with mock.patch.object(handler, name, side_effect=MethodType(method, handler)):
        yield handler


PLACES = [
    in_subclass,
    patched_class,
    patched_root,
    on_instance,
    function_on_instance,
    patched_instance,
]


@table
@blocks
@pytest.mark.parametrize("place", PLACES)
def test_a_replacement_is_honoured(
    wsgiref: SimpleNamespace, name: str, many: bool, place: Any
) -> None:
    row = REPLACEMENTS[name]
    calls: list[str] = []
    with place(wsgiref, name, noting(row, calls), {**STILL, **row.beside}) as handler:
        handler.run(application(row, many))
    check(row, many, answer(handler), calls)
    if not row.err:
        assert answer(handler).err == ""


@table
@blocks
def test_a_replacement_is_honoured_by_simple_server(
    wsgiref: SimpleNamespace, name: str, many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = REPLACEMENTS[name]
    calls: list[str] = []
    server = wsgiref.simple_server
    attributes = {**STILL, "os_environ": {}, **row.beside, name: noting(row, calls)}
    monkeypatch.setattr(server, "ServerHandler", type("Own", (server.ServerHandler,), attributes))
    given = exchange(wsgiref, application(row, many), log_request=lambda self, *args: None)
    check(row, many, given, calls)


def test_every_method_has_its_row(wsgiref: SimpleNamespace) -> None:
    methods = {
        name
        for name, value in vars(wsgiref.handlers.BaseHandler).items()
        if callable(value) and not name.startswith("_") and not isinstance(value, type)
    }
    assert methods - {"abort"} <= REPLACEMENTS.keys()


def test_a_close_of_its_own_decides_what_is_closed(wsgiref: SimpleNamespace) -> None:
    result = Blocks(b"a")
    handler = make_handler(wsgiref, close=lambda self: None)
    handler.run(respond(result))
    assert result.closed == 0
    assert handler.status == "200 OK"
    assert handler.headers_sent
    assert handler.environ is not None


def test_a_flush_of_its_own_comes_behind_each_block(wsgiref: SimpleNamespace) -> None:
    """A transport may send there what it was given before."""
    sizes: list[int] = []

    def flush(self: Any) -> None:
        sizes.append(len(self.stdout.getvalue().partition(b"\r\n\r\n")[2]))

    run(wsgiref, respond(Blocks(b"a", b"bc")), _flush=flush)
    assert sizes[:2] == [1, 3]


# -- Constructors and setup_environ without super -----------------------------------------


def copied_run(self: Any, application: Any) -> None:
    """wsgiref's own run(), as programs have copied it."""
    try:
        self.setup_environ()
        self.result = application(self.environ, self.start_response)
        self.finish_response()
    except Exception:
        try:
            self.handle_error()
        except BaseException:
            self.close()
            raise


RUNS = pytest.mark.parametrize("attributes", [{}, {"run": copied_run}], ids=["run", "own run"])


def reading(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application that answers with the request's body."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [])
    return [body]


def broken(environ: dict[str, Any], start_response: Any) -> Any:
    raise LookupError("of the application")


def used_again(handler: Any, application: Any) -> Answer:
    """What the handler sends when it is run once more."""
    handler.stdout.seek(0)
    handler.stdout.truncate()
    handler.run(application)
    return answer(handler)


def independent(wsgiref: SimpleNamespace, attributes: dict[str, Any]) -> Any:
    """A handler whose class calls none of SimpleHandler's constructor and add_cgi_vars."""
    base: Any = wsgiref.handlers.SimpleHandler

    class Independent(base):  # type: ignore[misc]  # the subject's class is known at run time only
        os_environ: dict[str, str] = {}

        def __init__(self) -> None:
            self.stdout = io.BytesIO()
            self.stderr = io.StringIO()
            self.receive(b"first")

        def receive(self, body: bytes) -> None:
            self.stdin = io.BytesIO(body)
            self.variables = {**GET, "REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body))}

        def add_cgi_vars(self) -> None:
            self.environ.update(self.variables)

    for name, value in attributes.items():
        setattr(Independent, name, value)
    return Independent()


@RUNS
def test_simple_handlers_constructor_may_be_replaced(
    wsgiref: SimpleNamespace, attributes: dict[str, Any]
) -> None:
    handler = independent(wsgiref, attributes)
    handler.run(reading)
    assert answer(handler).body == b"first"
    assert answer(handler).err == ""


@RUNS
def test_each_request_of_such_a_handler_has_its_own_body(
    wsgiref: SimpleNamespace, attributes: dict[str, Any]
) -> None:
    handler = independent(wsgiref, attributes)
    handler.run(reading)
    for body in (b"the second one", b"3"):
        handler.receive(body)
        assert used_again(handler, reading).body == body


@RUNS
def test_each_request_of_a_handler_has_its_own_body(
    wsgiref: SimpleNamespace, attributes: dict[str, Any]
) -> None:
    handler = make_handler(wsgiref, {"CONTENT_LENGTH": "5"}, b"first", **attributes)
    handler.run(reading)
    handler.stdin = io.BytesIO(b"secnd")
    assert used_again(handler, reading).body == b"secnd"


@RUNS
def test_an_error_of_such_a_handlers_application_is_answered(
    wsgiref: SimpleNamespace, attributes: dict[str, Any]
) -> None:
    handler = independent(wsgiref, attributes)
    handler.run(broken)
    assert answer(handler).status == "HTTP/1.0 500 Internal Server Error"
    assert "LookupError: of the application" in answer(handler).err


OWN_SETUPS = pytest.mark.parametrize(
    "attributes",
    [
        {"setup_environ": own_setup_environ},
        {"run": copied_run},
        {"run": copied_run, "setup_environ": own_setup_environ},
    ],
    ids=["setup_environ", "run", "both"],
)


@pytest.mark.defect("D088")
@OWN_SETUPS
@pytest.mark.parametrize("result", [[b"hello"], Blocks(b"he", b"llo")], ids=["list", "blocks"])
def test_head_has_no_body_without_the_librarys_setup(
    wsgiref: SimpleNamespace, attributes: dict[str, Any], result: Any
) -> None:
    given = run(wsgiref, respond(result), {"REQUEST_METHOD": "HEAD"}, **attributes)
    assert given.status == "HTTP/1.0 200 OK"
    assert given.body == b""


@OWN_SETUPS
def test_the_method_is_that_of_each_request(
    wsgiref: SimpleNamespace, attributes: dict[str, Any]
) -> None:
    handler = make_handler(wsgiref, {"REQUEST_METHOD": "HEAD"}, **attributes)
    handler.run(respond([b"hello"]))
    handler.base_env["REQUEST_METHOD"] = "GET"
    assert used_again(handler, respond([b"hello"])).body == b"hello"


@OWN_SETUPS
def test_the_version_is_that_of_each_request(
    wsgiref: SimpleNamespace, attributes: dict[str, Any]
) -> None:
    handler = make_handler(wsgiref, {"SERVER_PROTOCOL": "HTTP/0.9"}, **attributes)
    handler.run(respond([b"hello"]))
    assert answer(handler).out == b"hello"
    handler.base_env["SERVER_PROTOCOL"] = "HTTP/1.0"
    assert used_again(handler, respond([b"hello"])).status == "HTTP/1.0 200 OK"
    handler.base_env["SERVER_PROTOCOL"] = "HTTP/0.9"
    assert used_again(handler, respond([b"hello"])).out == b"hello"


@OWN_SETUPS
def test_an_error_after_a_request_that_went_well_is_answered(
    wsgiref: SimpleNamespace, attributes: dict[str, Any]
) -> None:
    handler = make_handler(wsgiref, **attributes)
    handler.run(respond([b"hello"]))
    given = used_again(handler, broken)
    assert given.status == "HTTP/1.0 500 Internal Server Error"
    assert "LookupError: of the application" in given.err


def test_a_content_length_that_is_a_number_counts(wsgiref: SimpleNamespace) -> None:
    """Against PEP 3333, and yet what some programs put into ``base_env``."""
    variables = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": 5}
    given = run(wsgiref, reading, variables, b"hello, and more")
    assert given.body == b"hello"
    assert given.err == ""


# -- Files --------------------------------------------------------------------------------


def test_file_wrappers_constructor_may_be_replaced(wsgiref: SimpleNamespace) -> None:
    """The two attributes that the manual names are all that iteration needs."""
    base: Any = wsgiref.util.FileWrapper

    class Wrapper(base):  # type: ignore[misc]  # the subject's class is known at run time only
        def __init__(self, filelike: Any, blksize: int = 3) -> None:
            self.filelike = filelike
            self.blksize = blksize

    assert list(Wrapper(io.BytesIO(b"abcdefgh"))) == [b"abc", b"def", b"gh"]

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"abcdefgh"))

    given = run(wsgiref, app, wsgi_file_wrapper=Wrapper)
    assert given.body == b"abcdefgh"
    assert given.err == ""


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_what_counts_as_a_file_is_the_subclasss_matter(wsgiref: SimpleNamespace, kind: Any) -> None:
    """A list of blocks can be sent by a sendfile() too: writev() takes one."""
    sent: list[Any] = []

    def sendfile(self: Any) -> bool:
        sent.append(self.result)
        return own_sendfile(self)

    result = kind([b"a", b"b"])
    attributes = {"result_is_file": lambda self: True, "sendfile": sendfile}
    given = run(wsgiref, respond(result), **attributes)
    assert sent == [result]
    assert given.body == b"from sendfile"
