"""CGI programs: real processes with an environment, a body on stdin, a response on stdout."""

import sys
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from handlers.harness import run_python
from support import Answer

# What a web server tells a CGI program of a POST.
REQUEST = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "/app",
    "PATH_INFO": "/path",
    "QUERY_STRING": "q=1",
    "CONTENT_LENGTH": "3",
    "SERVER_NAME": "example.org",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_X_FIELD": "value",
}

PROGRAM = """
from SUBJECT.handlers import HANDLER
def app(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(EXPRESSION).encode()]
HANDLER().run(app)
"""


def evaluate(
    wsgiref: SimpleNamespace,
    expression: str,
    environ: dict[str, str] | None = None,
    *options: str,
    handler: str = "CGIHandler",
    without: tuple[str, ...] = (),
) -> Answer:
    """Run a CGI program that answers with the value of an expression; the body is ``abc``, and
    behind it comes more."""
    variables = {**REQUEST, **(environ or {})}
    program = PROGRAM.replace("HANDLER", handler).replace("EXPRESSION", expression)
    return run_python(
        wsgiref,
        program,
        *options,
        environ={name: value for name, value in variables.items() if name not in without},
        stdin=b"abcdef",
    )


@pytest.mark.parametrize("options", [(), ("-O",)], ids=["plain", "optimized"])
def test_a_cgi_program_answers(wsgiref: SimpleNamespace, options: tuple[str, ...]) -> None:
    """A Status field in place of the status line, and no Date nor Server (RFC 3875)."""
    answer = evaluate(wsgiref, "environ['wsgi.input'].read(3)", {}, *options)
    assert answer.out == (
        b"Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nb'abc'"
    )
    assert answer.err == ""


def test_it_knows_what_it_is(wsgiref: SimpleNamespace) -> None:
    """S45-S47: a process for each request."""
    flags = "[environ['wsgi.' + x] for x in ('run_once', 'multiprocess', 'multithread')]"
    assert evaluate(wsgiref, flags).body == b"[True, True, False]"


def test_its_variables_are_those_of_the_request(wsgiref: SimpleNamespace) -> None:
    names = [*REQUEST, "wsgi.url_scheme"]
    answer = evaluate(wsgiref, f"[environ[name] for name in {names!r}]")
    assert answer.body == repr([*REQUEST.values(), "http"]).encode()
    assert evaluate(wsgiref, "environ['wsgi.url_scheme']", {"HTTPS": "on"}).body == b"'https'"


@pytest.mark.skipif(sys.platform == "win32", reason="the environment there is Unicode")
@pytest.mark.parametrize("utf8", ["0", "1"])
def test_its_variables_are_octets(wsgiref: SimpleNamespace, utf8: str) -> None:
    """S86, Unicode Issues: whatever the locale, one code point an octet."""
    variables = {"PATH_INFO": "/\u20ac", "PYTHONUTF8": utf8}
    answer = evaluate(wsgiref, "[ord(x) for x in environ['PATH_INFO']]", variables)
    assert answer.body == repr(list("/\u20ac".encode())).encode()


@pytest.mark.defect("D061")
@pytest.mark.parametrize("handler", ["CGIHandler", "IISCGIHandler"])
def test_the_proxy_field_is_not_passed_on(wsgiref: SimpleNamespace, handler: str) -> None:
    """httpoxy, CVE-2016-1000110: HTTP clients in the program take it for their configuration."""
    answer = evaluate(wsgiref, "environ.get('HTTP_PROXY')", {"HTTP_PROXY": "x"}, handler=handler)
    assert answer.body == b"None"


@pytest.mark.defect("D062", "D065")
@pytest.mark.parametrize("method", ["read()", "read(100)", "readline()", "readlines()[0]"])
def test_its_input_ends_with_the_body(wsgiref: SimpleNamespace, method: str) -> None:
    """S52: a server may leave the pipe open."""
    assert evaluate(wsgiref, f"environ['wsgi.input'].{method}").body == b"b'abc'"


@pytest.mark.defect("D066")
def test_without_a_length_its_input_is_empty(wsgiref: SimpleNamespace) -> None:
    """S54."""
    expression = "environ['wsgi.input'].read()"
    assert evaluate(wsgiref, expression, without=("CONTENT_LENGTH",)).body == b"b''"


@pytest.mark.defect("D063")
@pytest.mark.parametrize("name", ["PATH_INFO", "SCRIPT_NAME", "QUERY_STRING"])
@pytest.mark.parametrize("handler", ["CGIHandler", "IISCGIHandler"])
def test_what_a_server_may_leave_out_is_empty(
    wsgiref: SimpleNamespace, name: str, handler: str
) -> None:
    """S24-S26: servers may, but programs index them."""
    answer = evaluate(wsgiref, f"environ[{name!r}]", without=(name,), handler=handler)
    assert answer.body == b"''"


STREAMS = """
import io, sys
from SUBJECT.handlers import CGIHandler
class Text:  # as IDLE and some embedded interpreters have it
    def __init__(self, stream): self.stream = stream
    def __getattr__(self, name):
        if name == "buffer": raise AttributeError(name)
        return getattr(self.stream, name)
    def __iter__(self): return iter(self.stream)
out = io.BytesIO()
sys.stdin, sys.stdout, saved = Text(io.BytesIO(b"abcdef")), Text(out), sys.stdout
def app(environ, start_response):
    start_response("200 OK", [])
    return [environ["wsgi.input"].read(3)]
CGIHandler().run(app)
sys.stdout = saved
print(out.getvalue())
"""


@pytest.mark.defect("D062")
def test_it_runs_where_the_streams_have_no_buffer(wsgiref: SimpleNamespace) -> None:
    """bottle's issue 950."""
    answer = run_python(wsgiref, STREAMS, environ=REQUEST)
    assert answer.out.strip().endswith(b"\\r\\n\\r\\nabc'")
    assert answer.err == ""


@pytest.mark.parametrize(
    ("script", "path", "rest"),
    [
        ("/app", "/app/path", "/path"),
        ("/app", "/app", ""),
        ("/app", "/application", "/application"),
        ("/app", "/path", "/path"),
        ("", "/path", "/path"),
        ("/a/b", "/a/b/c", "/c"),
    ],
)
def test_iis_repeats_the_script_name(
    wsgiref: SimpleNamespace, script: str, path: str, rest: str
) -> None:
    """Only whole segments are taken off."""
    with mock.patch.dict("os.environ", {"SCRIPT_NAME": script, "PATH_INFO": path}, clear=True):
        assert wsgiref.handlers.IISCGIHandler().base_env["PATH_INFO"] == rest
        assert wsgiref.handlers.CGIHandler().base_env["PATH_INFO"] == path


def test_each_instance_reads_the_environment_anew(wsgiref: SimpleNamespace) -> None:
    """bpo-7250: some gateways run many requests in one process."""
    for value in ("1", "2"):
        with mock.patch.dict("os.environ", {"PATH_INFO": value}):
            handler = wsgiref.handlers.CGIHandler()
        assert handler.base_env["PATH_INFO"] == value
        assert handler.os_environ == {}


FAILING = """
from SUBJECT.handlers import CGIHandler
def app(environ, start_response):
    BODY
CGIHandler().run(app)
"""


def fail(wsgiref: SimpleNamespace, body: str, *options: str) -> Answer:
    return run_python(wsgiref, FAILING.replace("BODY", body), *options, environ=REQUEST)


@pytest.mark.parametrize("options", [(), ("-O",)], ids=["plain", "optimized"])
def test_an_error_is_a_page_and_a_traceback(
    wsgiref: SimpleNamespace, options: tuple[str, ...]
) -> None:
    answer = fail(wsgiref, "raise KeyError('oops')", *options)
    assert answer.out.startswith(b"Status: 500 Internal Server Error\r\n")
    assert "KeyError: 'oops'" in answer.err


@pytest.mark.defect("D099")
def test_an_exit_ends_the_program(wsgiref: SimpleNamespace) -> None:
    """sys.exit() ends the program; who asked gets the error page all the same."""
    answer = fail(wsgiref, "raise SystemExit('bye')")
    assert answer.status == "Status: 500 Internal Server Error"
    assert "SystemExit: bye\n" in answer.err
    assert answer.err.splitlines()[-1] == "bye"


@pytest.mark.defect("D070")
def test_it_needs_no_stderr(wsgiref: SimpleNamespace) -> None:
    answer = run_python(
        wsgiref,
        "import sys; sys.stderr = None\n" + FAILING.replace("BODY", "raise KeyError"),
        environ=REQUEST,
    )
    assert answer.out.startswith(b"Status: 500 Internal Server Error\r\n")


def test_a_body_that_breaks_off_is_a_400() -> None:
    """D067, for a program whose server lost the client."""
    from quaich import handlers

    subject: Any = SimpleNamespace(handlers=handlers)
    answer = fail(subject, "start_response('200 OK', []); return [environ['wsgi.input'].read()]")
    assert answer.out.startswith(b"Status: 400 Bad Request\r\n")
    assert answer.err == ""


def test_what_was_declared_wrongly_is_told_on_stderr() -> None:
    """S76: without a logging configuration too."""
    from quaich import handlers

    subject: Any = SimpleNamespace(handlers=handlers)
    answer = fail(subject, "start_response('200 OK', [('Content-Length', '9')]); return [b'1']")
    assert "POST '/path': the application declared a Content-Length of 9" in answer.err
