"""The environ that a handler makes (PEP 3333, environ Variables; D056-D060)."""

import json
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from handlers.harness import GET, make_handler, respond, run, run_python
from support import exchange


def environ_of(wsgiref: SimpleNamespace, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The environ that an application gets from a handler."""
    seen: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(dict(environ))
        start_response("200 OK", [])
        return []

    run(wsgiref, app, *args, **kwargs)
    (environ,) = seen
    return environ


SERVER = """
import io, json
from SUBJECT.simple_server import WSGIRequestHandler, WSGIServer
class Handler(WSGIRequestHandler):
    def setup(self): self.connection = self.request; self.rfile, self.wfile = self.request
    def finish(self): pass
    def log_message(self, *args): pass
server = WSGIServer(("127.0.0.1", 80), Handler, bind_and_activate=False)
server.server_name, server.server_port = "127.0.0.1", 80
server.setup_environ()
def app(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps(environ.get("NAME")).encode()]
server.set_app(app)
out = io.BytesIO()
server.finish_request((io.BytesIO(b"GET / HTTP/1.0\\r\\n\\r\\n"), out), ("127.0.0.1", 1))
print(out.getvalue().partition(b"\\r\\n\\r\\n")[2].decode())
"""


@pytest.mark.parametrize(
    ("name", "value", "given"),
    [
        pytest.param("SECRET", "s", None, marks=pytest.mark.defect("D056"), id="secret"),
        pytest.param("HTTP_X_SHELL", "1", None, marks=pytest.mark.defect("D056"), id="field"),
        pytest.param("HTTPS", "on", None, marks=pytest.mark.defect("D056"), id="HTTPS"),
        pytest.param("EURO", "\u20ac", None, marks=pytest.mark.defect("D057"), id="no octets"),
        pytest.param("wsgi.url_scheme", "", "http", id="scheme"),
    ],
)
def test_simple_server_keeps_the_processs_environment_to_itself(
    wsgiref: SimpleNamespace, name: str, value: str, given: str | None
) -> None:
    """S04, S31, S37: neither its secrets, nor HTTPS and HTTP_* of the shell are the request's;
    and it may hold what is not ISO-8859-1. It is captured at import, hence the process."""
    program = SERVER.replace("NAME", name)
    answer = run_python(wsgiref, program, environ={name: value, "PYTHONUTF8": "1"})
    assert json.loads(answer.out) == given


@pytest.mark.defect("D061")
def test_simple_server_does_not_pass_the_proxy_field_on(wsgiref: SimpleNamespace) -> None:
    """httpoxy, CVE-2016-1000110."""
    answer = exchange(
        wsgiref,
        lambda environ, start_response: (
            start_response("200 OK", []) and [repr(environ.get("HTTP_PROXY")).encode()]
        ),
        b"GET / HTTP/1.0\r\nProxy: x\r\n\r\n",
    )
    assert answer.body == b"None"


def test_os_environ_is_the_start_of_every_environ(wsgiref: SimpleNamespace) -> None:
    """D056, kept: so says the manual, and CPython's testEnviron."""
    environ = environ_of(wsgiref, os_environ={"LANG": "C", "PATH_INFO": "/ignored"})
    assert environ["LANG"] == "C"
    assert environ["PATH_INFO"] == "/"  # base_env comes behind it


def test_os_environ_is_the_environment_at_import(wsgiref: SimpleNamespace) -> None:
    """D058, kept."""
    with mock.patch.dict("os.environ", {"QUAICH_LATER": "1"}):
        assert "QUAICH_LATER" not in wsgiref.handlers.BaseHandler.os_environ
        assert wsgiref.handlers.read_environ()["QUAICH_LATER"] == "1"


@pytest.mark.parametrize(
    ("variables", "scheme"),
    [
        ({}, "http"),
        ({"HTTPS": "on"}, "https"),
        ({"HTTPS": "1"}, "https"),
        ({"HTTPS": "off"}, "http"),
        ({"REQUEST_SCHEME": "http"}, "http"),
        pytest.param({"REQUEST_SCHEME": "https"}, "https", marks=pytest.mark.defect("D059")),
    ],
)
def test_the_scheme_is_what_the_gateway_says(
    wsgiref: SimpleNamespace, variables: dict[str, str], scheme: str
) -> None:
    """S39."""
    environ = environ_of(wsgiref, variables, base="BaseCGIHandler")
    assert environ["wsgi.url_scheme"] == scheme


def test_server_protocol_is_the_requests(wsgiref: SimpleNamespace) -> None:
    """S30; D060, kept: a minor version that nobody knows is the request's all the same."""
    answer = exchange(
        wsgiref,
        lambda environ, start_response: (
            start_response("200 OK", []) and [environ["SERVER_PROTOCOL"].encode()]
        ),
        b"GET / HTTP/1.7\r\nHost: a\r\n\r\n",
    )
    assert answer.body == b"HTTP/1.7"


@pytest.mark.parametrize("flag", [True, False])
def test_the_wsgi_variables_are_those_of_the_handler(wsgiref: SimpleNamespace, flag: bool) -> None:
    """S38, S45-S47."""
    environ = environ_of(wsgiref, wsgi_version=(1, 0), wsgi_run_once=flag, wsgi_file_wrapper=None)
    assert environ["wsgi.version"] == (1, 0)
    assert environ["wsgi.run_once"] is flag
    assert environ["wsgi.multithread"] is True
    assert environ["wsgi.multiprocess"] is False
    assert "wsgi.file_wrapper" not in environ
    assert environ_of(wsgiref)["wsgi.file_wrapper"] is wsgiref.util.FileWrapper


def test_the_environ_is_a_plain_dict_and_the_handlers_own(wsgiref: SimpleNamespace) -> None:
    """S08; CPython's testEnviron: nothing but the wsgi.* variables is added."""
    handler = make_handler(wsgiref, base="BaseCGIHandler")
    handler.setup_environ()
    assert type(handler.environ) is dict
    assert {name for name in handler.environ if not name.startswith("wsgi.")} == set(GET)
    assert handler.environ["wsgi.errors"] is handler.get_stderr()


def test_server_software_is_filled_in_for_origin_servers(wsgiref: SimpleNamespace) -> None:
    """S32; what the transport gives goes first, and a gateway speaks for itself."""
    assert environ_of(wsgiref, server_software="S/1")["SERVER_SOFTWARE"] == "S/1"
    given = {"SERVER_SOFTWARE": "given"}
    assert environ_of(wsgiref, given, server_software="S/1")["SERVER_SOFTWARE"] == "given"
    gateway = environ_of(wsgiref, base="BaseCGIHandler", server_software="S/1")
    assert "SERVER_SOFTWARE" not in gateway


@pytest.mark.parametrize("path", ["/", "/x\x1b[31m"])
def test_an_application_may_empty_its_environ(wsgiref: SimpleNamespace, path: str) -> None:
    """S09, M28: the response does not depend on it (for a gateway, also not in wsgiref)."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ.clear()
        start_response("200 OK", [])
        return [b"body"]

    assert run(wsgiref, app, {"PATH_INFO": path}, base="BaseCGIHandler").body == b"body"


def test_an_application_cannot_change_how_the_response_is_sent() -> None:
    """S09: the method and version are those of the request, whatever becomes of the environ."""
    from quaich import handlers

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["REQUEST_METHOD"] = "HEAD"
        environ["SERVER_PROTOCOL"] = "HTTP/0.9"
        start_response("200 OK", [])
        return [b"body"]

    answer = run(SimpleNamespace(handlers=handlers), app)
    assert answer.status == "HTTP/1.0 200 OK"
    assert answer.body == b"body"


def test_an_application_gets_two_positional_arguments(wsgiref: SimpleNamespace) -> None:
    """S01, S07: any callable will do, and nothing else of it is used."""

    class Application:
        __slots__ = ()

        def __call__(self, *args: Any, **kwargs: Any) -> list[bytes]:
            environ, start_response = args
            assert not kwargs
            return respond([b"called"])(environ, start_response)  # type: ignore[no-any-return]

    assert run(wsgiref, Application()).body == b"called"


@pytest.mark.parametrize(
    ("name", "transcoded"),
    [
        ("PATH_INFO", True),
        ("HTTP_X", True),
        ("SSL_CLIENT_S_DN", True),
        ("REDIRECT_QUERY_STRING", True),
        ("REDIRECT_REDIRECT_HTTP_X", True),
        ("REMOTE_ADDR", False),
        ("LANG", False),
        ("REDIRECT_LANG", False),
    ],
)
def test_read_environ_gives_request_variables_as_octets(
    wsgiref: SimpleNamespace, name: str, transcoded: bool
) -> None:
    """PEP 3333, Unicode Issues: one code point an octet; other variables are as they were."""
    value = b"caf\xc3\xa9\xff".decode("utf-8", "surrogateescape")
    with (
        mock.patch("os.environ", {name: value}),
        mock.patch("sys.getfilesystemencoding", return_value="utf-8"),
    ):
        given = wsgiref.handlers.read_environ()[name]
    assert given == ("caf\u00c3\u00a9\u00ff" if transcoded else value)


@pytest.mark.parametrize(
    ("software", "value", "given"),
    [
        ("Apache/2.4", "\u00c3\u00a9", "\u00c3\u00a9"),
        ("Microsoft-IIS/10", "\u00e9", "\u00c3\u00a9"),
        ("SimpleHTTP/0.6 Python/3.11", "\u00e9", "\u00c3\u00a9"),
        ("SimpleHTTP/0.6 Python/2.7", "\u00e9", "\u00e9"),
        ("", "\u00e9\u20ac", "\u00e9?"),
    ],
)
def test_read_environ_on_windows_goes_by_the_servers_name(
    wsgiref: SimpleNamespace, software: str, value: str, given: str
) -> None:
    """D064, kept: nothing else tells the servers apart."""
    with (
        mock.patch("sys.platform", "win32"),
        mock.patch("sys.getfilesystemencoding", return_value="iso-8859-1"),
        mock.patch("os.environ", {"PATH_INFO": value, "SERVER_SOFTWARE": software}),
    ):
        assert wsgiref.handlers.read_environ()["PATH_INFO"] == given
