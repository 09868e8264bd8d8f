"""What the server itself puts into the environ (D010, D011, D016, D046-D050, D056)."""

import re
import socketserver
from types import SimpleNamespace
from typing import Any

import pytest

from simple_server.client import HOST, Recorder
from support import exchange

DATA = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


def environ_of(wsgiref: SimpleNamespace, data: bytes = DATA, **options: Any) -> dict[str, Any]:
    app = Recorder()
    assert exchange(wsgiref, app, data, **options).status == "HTTP/1.0 200 OK"
    return app.environ


@pytest.mark.defect("D010")
def test_a_threading_server_is_multithread(wsgiref: SimpleNamespace) -> None:
    environ = environ_of(wsgiref, mixin=socketserver.ThreadingMixIn)
    assert environ["wsgi.multithread"] is True
    assert environ["wsgi.multiprocess"] is False


@pytest.mark.defect("D011")
@pytest.mark.skipif(not hasattr(socketserver, "ForkingMixIn"), reason="needs fork")
def test_a_forking_server_is_multiprocess(wsgiref: SimpleNamespace) -> None:
    environ = environ_of(wsgiref, mixin=socketserver.ForkingMixIn)
    assert environ["wsgi.multiprocess"] is True
    assert environ["wsgi.multithread"] is False


def test_a_plain_server_is_neither(wsgiref: SimpleNamespace) -> None:
    environ = environ_of(wsgiref)
    assert environ["wsgi.multithread"] is False
    assert environ["wsgi.multiprocess"] is False


def test_keys_that_programs_index_are_always_there(wsgiref: SimpleNamespace) -> None:
    """D046, D047, D048, kept."""
    environ = environ_of(wsgiref)
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert environ["CONTENT_LENGTH"] == ""
    assert environ["REMOTE_HOST"] == ""
    assert environ["SCRIPT_NAME"] == ""


def test_content_fields_have_variables_of_their_own(wsgiref: SimpleNamespace) -> None:
    fields = b"Content-Type: a/b; c=d\r\nContent-Length: 0\r\n"
    environ = environ_of(wsgiref, b"POST / HTTP/1.0\r\n" + fields + b"\r\n")
    assert environ["CONTENT_TYPE"] == "a/b; c=d"
    assert environ["CONTENT_LENGTH"] == "0"
    assert "HTTP_CONTENT_TYPE" not in environ
    assert "HTTP_CONTENT_LENGTH" not in environ


def test_an_unknown_minor_version_is_passed_on(wsgiref: SimpleNamespace) -> None:
    """D060, kept: it is the request's version."""
    environ = environ_of(wsgiref, DATA.replace(b"/1.1", b"/1.7"))
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.7"


@pytest.mark.defect("D049")
def test_the_port_of_the_client_is_there(wsgiref: SimpleNamespace) -> None:
    environ = environ_of(wsgiref, address=("::1", 4711, 0, 0))
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("::1", "4711")


@pytest.mark.parametrize("address", ["127.0.0.1", ["127.0.0.1"], ("127.0.0.1",)])
def test_a_client_address_without_a_port_is_taken(wsgiref: SimpleNamespace, address: Any) -> None:
    assert environ_of(wsgiref, address=address)["REMOTE_ADDR"] == address[0]


@pytest.mark.defect("D050")
def test_the_server_has_one_name(wsgiref: SimpleNamespace) -> None:
    app = Recorder()
    name = exchange(wsgiref, app).field("Server")
    assert app.environ["SERVER_SOFTWARE"] == name
    assert exchange(wsgiref, app, b"nonsense / HTTP/9.9\r\n\r\n").field("Server") == name


@pytest.mark.defect("D056")
def test_the_environment_of_the_process_is_not_shown(
    wsgiref: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"SECRET": "x", "HTTPS": "on", "HTTP_X": "fake"}
    monkeypatch.setattr(wsgiref.simple_server.SimpleHandler, "os_environ", secrets)
    environ = environ_of(wsgiref)
    assert not secrets.keys() & environ.keys()
    assert environ["wsgi.url_scheme"] == "http"


@pytest.mark.parametrize(
    ("data", "version"), [(b"GET /\r\n", "HTTP/0.9"), (b"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0")]
)
def test_the_environ_is_complete(wsgiref: SimpleNamespace, data: bytes, version: str) -> None:
    app = Recorder()
    exchange(wsgiref, app, data)
    environ = app.environ
    assert environ["SERVER_PROTOCOL"] == version
    assert environ["GATEWAY_INTERFACE"] == "CGI/1.1"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", "80")
    assert environ["QUERY_STRING"] == ""
    assert environ["wsgi.version"] == (1, 0)
    assert environ["wsgi.run_once"] is False
    strings = [value for key, value in environ.items() if re.match("[A-Z]", key)]
    assert all(type(value) is str for value in strings)


def test_the_request_handler_may_change_the_path(wsgiref: SimpleNamespace) -> None:
    """``get_environ()`` believes ``self.path``, not the request line."""
    base: Any = wsgiref.simple_server.WSGIRequestHandler

    def parse_request(self: Any) -> bool:
        parsed: bool = base.parse_request(self)
        self.path = "no target?a=b"
        return parsed

    environ = environ_of(wsgiref, parse_request=parse_request)
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("no target", "a=b")


def test_the_demo_application_lists_the_environ(wsgiref: SimpleNamespace) -> None:
    answer = exchange(wsgiref, wsgiref.simple_server.demo_app, DATA)
    assert answer.body.startswith(b"Hello world!\n\n")
    assert b"\nHTTP_HOST = 'example.test'\n" in answer.body
    assert answer.field("Content-Type") == "text/plain; charset=utf-8"


def test_the_module_has_the_names_that_programs_use(wsgiref: SimpleNamespace) -> None:
    module = wsgiref.simple_server
    assert module.server_version == "WSGIServer/0.2"
    assert module.software_version == f"{module.server_version} {module.sys_version}"
    assert module.ServerHandler.server_software == module.software_version
    with pytest.raises(AttributeError):
        module.no_such_name
