"""The environ: exact types, what the request said and nothing else."""

import re
import socket
from typing import Any, get_args
from urllib.parse import quote

import pytest

from quaich.settings.groups import HeaderMap
from quaich.util import request_uri
from server.applications import Environ, Recorder
from server.conftest import Connect, Serve
from server.wire import Client, get, post

pytestmark = pytest.mark.live


@pytest.fixture
def app() -> Recorder:
    return Recorder()


@pytest.fixture
def client(serve: Serve, connect: Connect, app: Recorder) -> Client:
    return connect(serve(app))


FIELDS = ("X-One: 1", "Accept: */*", "Content-Type: text/plain", "Cookie: a=b", "X-B: gr\xfc\xdf")


# --- Types ------------------------------------------------------------------------------------


@pytest.mark.rule("S08")
def test_it_is_a_dict_of_its_own_class(serve: Serve, connect: Connect) -> None:
    types: list[type] = []

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        types.append(type(environ))
        start_response("200 OK", [])
        return []

    client = connect(serve(app))
    client.exchange(get())
    client.exchange(post(b"content"))
    client.exchange(get("/", "X: 1", "X: 2"))
    assert types == [dict, dict, dict]


@pytest.mark.rule("S03")
@pytest.mark.rule("S04")
@pytest.mark.rule("S36")
@pytest.mark.rule("S86")
def test_text_is_exactly_str_and_latin_1(client: Client, app: Recorder) -> None:
    for request in (get("/gr%C3%BC%DFe?q=%FF", *FIELDS), post(b"x", "/p", *FIELDS)):
        client.exchange(request)
        for name, value in app.environ.items():
            assert type(name) is str
            if "." not in name:
                assert type(value) is str, name
                assert max(map(ord, value), default=0) < 256, name
    assert app.environ["HTTP_X_B"] == "gr\xfc\xdf"


@pytest.mark.rule("S11")
@pytest.mark.rule("S48")
def test_names_of_extensions(client: Client, app: Recorder) -> None:
    client.exchange(get())
    for name in app.environ:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]*|(wsgi|quaich)\.[a-z0-9_.]+", name), name


@pytest.mark.rule("S07")
def test_the_application_is_called_with_two_positional_arguments(
    serve: Serve, connect: Connect
) -> None:
    calls: list[tuple[int, dict[str, Any]]] = []

    def app(*args: Any, **keywords: Any) -> list[bytes]:
        calls.append((len(args), keywords))
        args[1]("200 OK", [])
        return []

    connect(serve(app)).exchange(get())
    assert calls == [(2, {})]


@pytest.mark.rule("S01")
def test_any_callable_is_an_application(serve: Serve, connect: Connect, app: Recorder) -> None:
    from functools import partial

    class AsClass:
        def __init__(self, environ: Environ, start_response: Any) -> None:
            start_response("200 OK", [])

        def __iter__(self) -> Any:
            yield b"ok"

    for application in (app, app.__call__, partial(app), AsClass, lambda *args: app(*args)):
        assert connect(serve(application)).exchange(get()).content == b"ok"


# --- What is in it ----------------------------------------------------------------------------


@pytest.mark.rule("S10")
@pytest.mark.rule("S23")
@pytest.mark.rule("S24")
@pytest.mark.rule("S25")
@pytest.mark.rule("S26")
@pytest.mark.rule("S29")
@pytest.mark.rule("S32")
@pytest.mark.rule("S38")
@pytest.mark.rule("S39")
@pytest.mark.rule("S46")
@pytest.mark.rule("S47")
def test_a_small_request(serve: Serve, connect: Connect, app: Recorder) -> None:
    server = serve(app)
    client = connect(server)
    client.exchange(get("/path/x?a=b&c"))
    environ = dict(app.environ)
    for name in ("wsgi.input", "wsgi.errors", "wsgi.file_wrapper", "quaich.client_disconnected"):
        assert environ.pop(name) is not None
    assert environ == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/path/x",
        "QUERY_STRING": "a=b&c",
        "REQUEST_URI": "/path/x?a=b&c",
        "RAW_URI": "/path/x?a=b&c",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(server.port),
        "SERVER_SOFTWARE": "quaich",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(client.name[1]),
        "HTTP_HOST": "example.test",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


@pytest.mark.rule("S31")
@pytest.mark.rule("S35")
@pytest.mark.rule("S37")
def test_nothing_of_the_process_comes_in(
    client: Client, app: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_X_SECRET", "HTTPS", "REMOTE_USER", "AUTH_TYPE", "SCRIPT_NAME", "SECRET"):
        monkeypatch.setenv(name, "of the process")
    client.exchange(get())
    assert "of the process" not in app.environ.values()
    assert not {"HOME", "PATH", "HTTPS", "REMOTE_USER", "REMOTE_HOST"} & app.environ.keys()


@pytest.mark.rule("S31")
@pytest.mark.rule("S27")
@pytest.mark.rule("S28")
@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("X-One: 1",),
        ("X-One:",),
        ("x-one: 1", "ACCEPT: a", "If-None-Match: *"),
        ("Content-Type: a/b",),
        ("Connection: keep-alive", "Keep-Alive: 5", "TE: trailers"),
        ("Authorization: Basic x", "Cookie: a"),
    ],
)
def test_a_variable_for_each_field_that_was_sent_and_no_other(
    client: Client, app: Recorder, fields: tuple[str, ...]
) -> None:
    client.exchange(get("/", *fields))
    wanted = {"HTTP_HOST": "example.test"}
    for field in fields:
        name, _, value = field.partition(":")
        name = name.upper().replace("-", "_")
        wanted[name if name == "CONTENT_TYPE" else "HTTP_" + name] = value.strip()
    got = {
        name: value for name, value in app.environ.items() if name.startswith(("HTTP_", "CONTENT_"))
    }
    assert got == wanted


@pytest.mark.rule("S28")
def test_content_has_its_variables(client: Client, app: Recorder) -> None:
    client.exchange(post(b"content", "/", "Content-Type: text/x"))
    assert app.environ["CONTENT_LENGTH"] == "7"
    assert app.environ["CONTENT_TYPE"] == "text/x"
    assert not {"HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"} & app.environ.keys()


@pytest.mark.rule("S30")
@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_the_protocol_is_the_requests(client: Client, app: Recorder, version: str) -> None:
    client.exchange(get(version=version))
    assert app.environ["SERVER_PROTOCOL"] == version


@pytest.mark.rule("H042")
def test_http_1_0_needs_no_host(client: Client, app: Recorder) -> None:
    client.exchange(b"GET / HTTP/1.0\r\n\r\n")
    assert "HTTP_HOST" not in app.environ
    assert app.environ["SERVER_NAME"] == "127.0.0.1"


def test_each_connection_has_its_own_peer(serve: Serve, connect: Connect, app: Recorder) -> None:
    server = serve(app)
    clients = [connect(server) for _ in range(3)]
    for client in clients * 2:
        client.exchange(get())
        assert app.environ["REMOTE_PORT"] == str(client.name[1])


def test_over_ipv6(poller: str, app: Recorder) -> None:
    from quaich import Server
    from quaich.server.listeners.listening import CannotListen

    try:
        server = Server(app, bind="[::1]:0", poller=poller)
    except CannotListen:
        pytest.skip("this host has no IPv6")
    with server, socket.create_connection(("::1", server.port), 10) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while connection.recv(1000):
            pass
        assert server.url == f"http://[::1]:{server.port}"
    assert app.environ["SERVER_NAME"] == "::1"
    assert app.environ["REMOTE_ADDR"] == "::1"
    assert request_uri(app.environ) == f"http://[::1]:{server.port}/"


# --- Names with underscores, fields that came twice -------------------------------------------


@pytest.mark.rule("H057")
@pytest.mark.parametrize("header_map", get_args(HeaderMap))
def test_a_name_with_an_underscore(
    serve: Serve, connect: Connect, app: Recorder, header_map: str
) -> None:
    client = connect(serve(app, header_map=header_map))
    for _ in range(2):  # the second time its line has been seen before
        response = client.exchange(get("/", "X_Client: evil", "X-Real: 1"))
        if header_map == "refuse":
            assert response.status == 400
            return
        assert app.environ["HTTP_X_REAL"] == "1"
        value = "evil" if header_map == "dangerous" else None
        assert app.environ.get("HTTP_X_CLIENT") == value


@pytest.mark.rule("H057")
def test_it_does_not_stand_in_for_the_one_with_a_hyphen(client: Client, app: Recorder) -> None:
    client.exchange(get("/", "X_Name: evil", "X-Name: good", "Content_Length: 5"))
    assert app.environ["HTTP_X_NAME"] == "good"
    assert "CONTENT_LENGTH" not in app.environ


@pytest.mark.rule("H059")
def test_proxy_becomes_no_variable(client: Client, app: Recorder) -> None:
    client.exchange(get("/", "Proxy: http://evil.test"))
    assert "HTTP_PROXY" not in app.environ


@pytest.mark.rule("H053")
@pytest.mark.parametrize(
    "fields",
    [
        ("Host: example.test",),
        ("Content-Length: 0", "Content-Length: 0"),
        ("Content-Type: a/b", "Content-Type: a/b"),
        ("Authorization: a", "Authorization: b"),
    ],
    ids=lambda fields: fields[0].partition(":")[0],
)
def test_what_can_be_there_once_must_not_be_there_twice(
    client: Client, app: Recorder, fields: tuple[str, ...]
) -> None:
    assert client.exchange(get("/", *fields)).status == 400
    assert not app.environs


@pytest.mark.rule("H052")
@pytest.mark.rule("H053")
def test_fields_that_came_twice_are_joined(client: Client, app: Recorder) -> None:
    client.exchange(get("/", "X: 1", "Cookie: a=1", "x: 2", "Cookie: b=2", "X:3"))
    assert app.environ["HTTP_X"] == "1, 2, 3"
    assert app.environ["HTTP_COOKIE"] == "a=1; b=2"


# --- The target -------------------------------------------------------------------------------


@pytest.mark.rule("S25")
@pytest.mark.rule("S106")
@pytest.mark.parametrize(
    "target",
    [
        "/", "/a", "/a/", "/a//b", "//a", "/a%20b", "/%C3%BC", "/%FF", "/a;b=c,d", "/a?b=c", "/?",
        "/a?b=c?d=/e", "/%3Fx?y=%3F", "/a%2Fb", "/~a-b._", "/a:b@c", "/a+b%2B",
    ],
)  # fmt: skip
def test_the_url_can_be_put_together_again(client: Client, app: Recorder, target: str) -> None:
    client.exchange(get(target))
    environ = app.environ
    path, _, query = target.partition("?")
    assert environ["RAW_URI"] == target
    assert environ["QUERY_STRING"] == query
    url = request_uri(environ)
    assert url.startswith("http://example.test/")
    got, _, got_query = url.removeprefix("http://example.test").partition("?")
    from urllib.parse import unquote_to_bytes

    assert unquote_to_bytes(got) == unquote_to_bytes(path)
    assert got_query == query
    assert environ["PATH_INFO"].encode("latin-1") == unquote_to_bytes(path)
    assert quote(environ["PATH_INFO"], safe="/;=,:@+", encoding="latin-1")


@pytest.mark.rule("H027")
@pytest.mark.rule("H028")
@pytest.mark.rule("H029")
def test_absolute_form_names_the_host(client: Client, app: Recorder) -> None:
    client.exchange(get("http://other.test:81/a?b"))
    assert app.environ["HTTP_HOST"] == "other.test:81"
    assert request_uri(app.environ) == "http://other.test:81/a?b"
    client.exchange(get("http://other.test"))
    assert app.environ["PATH_INFO"] in ("", "/")


@pytest.mark.rule("H033")
def test_asterisk_form_has_no_path(client: Client, app: Recorder) -> None:
    assert client.exchange(get("*", method="OPTIONS")).status == 200
    assert app.environ["REQUEST_METHOD"] == "OPTIONS"
    assert app.environ["RAW_URI"] == "*"


@pytest.mark.rule("H018")
@pytest.mark.parametrize("method", ["GET", "QUERY", "get", "M-SEARCH", "TRACE", "X" * 64])
def test_the_method_is_handed_on_as_it_came(client: Client, app: Recorder, method: str) -> None:
    client.exchange(get(method=method))
    assert app.environ["REQUEST_METHOD"] == method


# --- wsgi.errors ------------------------------------------------------------------------------


@pytest.mark.rule("S41")
@pytest.mark.rule("S42")
@pytest.mark.rule("S50")
@pytest.mark.rule("S57")
def test_wsgi_errors_is_the_standard_error_of_the_moment(
    serve: Serve, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        stream = environ["wsgi.errors"]
        stream.write("one\n")
        stream.writelines(["two\n", "gr\xfc\xdfe \N{SNOWMAN} \ud800\n"])
        stream.flush()
        print("printed", file=stream)
        start_response("200 OK", [])
        return [b"written"]

    assert connect(serve(app)).exchange(get()).content == b"written"
    text = capsys.readouterr().err
    assert text.startswith("one\ntwo\n")
    assert text.endswith("\nprinted\n")


@pytest.mark.rule("S42")
@pytest.mark.parametrize("stream", [None, "closed"])
def test_wsgi_errors_never_fails(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, stream: Any
) -> None:
    import io
    import sys

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        with monkeypatch.context() as patch:
            broken: Any = None
            if stream == "closed":
                broken = io.StringIO()
                broken.close()
            patch.setattr(sys, "stderr", broken)
            environ["wsgi.errors"].write("lost\n")
            environ["wsgi.errors"].flush()
        start_response("200 OK", [])
        return [b"fine"]

    assert connect(serve(app)).exchange(get()).content == b"fine"
