"""``wsgi.input`` as handlers give it (PEP 3333, Input and Error Streams; D065-D069)."""

import io
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.harness import GET, make_handler, run
from quaich import handlers as our_handlers
from quaich.protocol.errors import BodyError
from support import Answer, exchange

OURS = SimpleNamespace(handlers=our_handlers)


def reading(how: str, *args: Any) -> Any:
    """An application that answers with the repr of what a method of ``wsgi.input`` returns."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        data = getattr(environ["wsgi.input"], how)(*args)
        start_response("200 OK", [])
        return [repr(data).encode()]

    return app


def post(wsgiref: SimpleNamespace, app: Any, body: bytes, *fields: str, **kwargs: Any) -> Answer:
    """POST ``body`` to the subject's simple_server, with the next request behind it."""
    head = "\r\n".join(["POST / HTTP/1.1", "Host: a", *fields, "", ""]).encode()
    return exchange(wsgiref, app, head + body, **kwargs)


@pytest.mark.defect("D065")
@pytest.mark.parametrize(
    ("how", "args", "given"),
    [
        ("read", (), b"ab\ncde"),
        ("read", (-1,), b"ab\ncde"),
        ("read", (100,), b"ab\ncde"),
        ("readlines", (), [b"ab\n", b"cde"]),
    ],
)
def test_input_ends_where_content_length_says(
    wsgiref: SimpleNamespace, how: str, args: tuple[int, ...], given: object
) -> None:
    """S52, S53: what is behind the body is not the application's, though it is there to read."""
    answer = post(wsgiref, reading(how, *args), b"ab\ncdeGET /next", "Content-Length: 6")
    assert answer.body == repr(given).encode()


@pytest.mark.parametrize(
    ("how", "args", "given"),
    [
        ("read", (2,), b"ab"),
        ("read", (0,), b""),
        ("readline", (), b"ab\n"),
        ("readline", (2,), b"ab"),
        ("readlines", (1,), [b"ab\n"]),
        ("__next__", (), b"ab\n"),
    ],
)
def test_input_has_the_methods_of_a_file(
    wsgiref: SimpleNamespace, how: str, args: tuple[int, ...], given: object
) -> None:
    """S49, S51, S55, S58."""
    answer = post(wsgiref, reading(how, *args), b"ab\ncde", "Content-Length: 6")
    assert answer.body == repr(given).encode()


@pytest.mark.defect("D065")
def test_iteration_ends_with_the_body(wsgiref: SimpleNamespace) -> None:
    """S49, S52."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        lines = list(environ["wsgi.input"])
        start_response("200 OK", [])
        return [repr(lines).encode()]

    answer = post(wsgiref, app, b"a\nbGET /", "Content-Length: 3")
    assert answer.body == b"[b'a\\n', b'b']"


@pytest.mark.defect("D066")
@pytest.mark.parametrize(
    ("how", "args"), [("read", ()), ("read", (1,)), ("readline", ()), ("readlines", ())]
)
def test_without_content_length_the_body_is_empty(
    wsgiref: SimpleNamespace, how: str, args: tuple[int, ...]
) -> None:
    """S54: a read gives nothing, and reaches nothing of the connection."""
    answer = post(wsgiref, reading(how, *args), b"GET /next")
    assert answer.body in (b"b''", b"[]")


@pytest.mark.defect("D067")
def test_a_body_that_breaks_off_is_an_error(wsgiref: SimpleNamespace) -> None:
    """S52, H077: a short read would look like a whole body; 400 if the application lets it pass."""
    seen: list[BaseException] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            seen.append(error)
            raise
        start_response("200 OK", [])
        return [b"whole"]

    answer = post(wsgiref, app, b"abc", "Content-Length: 6")
    assert [type(error).__name__ for error in seen] == ["IncompleteBody"]
    assert "400 Bad Request" in answer.status
    assert b"3 bytes before its Content-Length" in answer.body
    assert "Traceback" not in answer.err


@pytest.mark.defect("D067")
def test_an_error_raised_over_a_broken_body_is_still_the_clients(wsgiref: SimpleNamespace) -> None:
    """Frameworks raise their own exception for it; that does not make it a 500."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            raise RuntimeError("unreadable post") from error
        start_response("200 OK", [])
        return [b"whole"]

    answer = post(wsgiref, app, b"abc", "Content-Length: 6")
    assert "400 Bad Request" in answer.status


def test_an_application_may_answer_a_broken_body_itself() -> None:
    """D067: then its answer stands."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with pytest.raises(BodyError):
            environ["wsgi.input"].read()
        with pytest.raises(BodyError):
            environ["wsgi.input"].read()  # it does not become whole by reading on
        start_response("422 Unprocessable Content", [])
        return [b"mine"]

    assert run(OURS, app, {"CONTENT_LENGTH": "6"}, b"abc").status.endswith(
        "422 Unprocessable Content"
    )


def test_another_error_of_the_application_is_its_own() -> None:
    """D097: that the body was broken too does not excuse it."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except BodyError:
            pass
        raise KeyError("its own")

    answer = run(OURS, app, {"CONTENT_LENGTH": "6"}, b"abc")
    assert "500 Internal" in answer.status
    assert "KeyError: 'its own'" in answer.err


@pytest.mark.defect("D068")
def test_an_application_cannot_close_the_connection_by_its_input(wsgiref: SimpleNamespace) -> None:
    """A32: close() does nothing to the server's stream, nor to reading on."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with environ["wsgi.input"] as stream:
            stream.read(1)
        environ["wsgi.input"].close()
        start_response("200 OK", [])
        return [environ["wsgi.input"].read(2)]

    assert post(wsgiref, app, b"abc", "Content-Length: 3").body == b"bc"


@pytest.mark.defect("D068")
@pytest.mark.parametrize("attribute", ["raw", "peek"])
def test_the_input_gives_nothing_of_the_server_away(
    wsgiref: SimpleNamespace, attribute: str
) -> None:
    """A31."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [str(hasattr(environ["wsgi.input"], attribute)).encode()]

    assert post(wsgiref, app, b"abc", "Content-Length: 3").body == b"False"


@pytest.mark.defect("D069")
def test_the_input_is_known_to_end(wsgiref: SimpleNamespace) -> None:
    """``wsgi.input_terminated`` is how Werkzeug and others ask for it."""
    app = lambda environ, start_response: (  # noqa: E731
        start_response("200 OK", []) and [repr(environ.get("wsgi.input_terminated")).encode()]
    )
    assert post(wsgiref, app, b"", "Content-Length: 0").body == b"True"


# -- SimpleHandler and BaseCGIHandler -----------------------------------------------------


@pytest.mark.parametrize("base", ["SimpleHandler", "BaseCGIHandler"])
@pytest.mark.defect("D065")
def test_handlers_bound_the_stream_they_are_given(wsgiref: SimpleNamespace, base: str) -> None:
    """S52, D062."""
    answer = run(wsgiref, reading("read"), {"CONTENT_LENGTH": "3"}, b"abcdef", base=base)
    assert answer.body == b"b'abc'"


@pytest.mark.parametrize("where", ["base_env", "os_environ", "add_cgi_vars"])
def test_the_body_is_found_wherever_its_length_is_said(
    wsgiref: SimpleNamespace, where: str
) -> None:
    """The environ decides: a subclass may have completed it."""
    attributes: dict[str, Any] = {}
    environ = {}
    if where == "base_env":
        environ["CONTENT_LENGTH"] = "3"
    elif where == "os_environ":
        attributes["os_environ"] = {"CONTENT_LENGTH": "3"}
    else:

        def add_cgi_vars(self: Any) -> None:
            wsgiref.handlers.SimpleHandler.add_cgi_vars(self)
            self.environ["CONTENT_LENGTH"] = "3"

        attributes["add_cgi_vars"] = add_cgi_vars
    answer = run(wsgiref, reading("read", 3), environ, b"abc", **attributes)
    assert answer.body == b"b'abc'"


def test_get_stdin_can_be_asked_for_before_the_request(wsgiref: SimpleNamespace) -> None:
    """By a subclass's constructor, say."""
    handler = make_handler(wsgiref, {"CONTENT_LENGTH": "3"}, b"abc")
    assert handler.get_stdin().read(3) == b"abc"


def test_a_subclass_may_give_an_input_of_its_own(wsgiref: SimpleNamespace) -> None:
    stream = io.BytesIO(b"own")
    answer = run(wsgiref, reading("read"), get_stdin=lambda self: stream)
    assert answer.body == b"b'own'"


def test_an_input_of_its_own_keeps_the_coding_that_says_how_to_read_it(
    wsgiref: SimpleNamespace,
) -> None:
    """S96: HTTP_TRANSFER_ENCODING goes when the body is decoded, and not before."""
    app = lambda environ, start_response: (  # noqa: E731
        start_response("200 OK", []) and [environ["HTTP_TRANSFER_ENCODING"].encode()]
    )
    answer = run(
        wsgiref,
        app,
        {"HTTP_TRANSFER_ENCODING": "chunked", "SERVER_PROTOCOL": "HTTP/1.1"},
        get_stdin=lambda self: self.stdin,
    )
    assert answer.body == b"chunked"


def test_chunked_bodies_are_decoded() -> None:
    """S96, D003."""
    seen: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ.get("HTTP_TRANSFER_ENCODING"))
        return reading("read")(environ, start_response)  # type: ignore[no-any-return]

    variables = {"HTTP_TRANSFER_ENCODING": "chunked", "SERVER_PROTOCOL": "HTTP/1.1"}
    answer = run(OURS, app, variables, b"3\r\nabc\r\n0\r\n\r\nGET /next")
    assert answer.body == b"b'abc'"
    assert seen == [None]


@pytest.mark.parametrize("length", ["", "3"])
def test_what_a_gateway_passes_on_is_decoded_already(length: str) -> None:
    """RFC 3875, section 4.2: without a length, its end is the stream's end."""
    variables = {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": length,
    }
    answer = run(OURS, reading("read"), variables, b"abc", base="BaseCGIHandler")
    assert answer.body == b"b'abc'"


@pytest.mark.parametrize("length", ["", "3"])
def test_a_stream_that_is_known_to_end_is_passed_on(length: str) -> None:
    """D069: ``wsgi.input_terminated`` from the transport."""
    handler = make_handler(OURS, {"wsgi.input_terminated": True, "CONTENT_LENGTH": length}, b"abc")
    assert handler.get_stdin() is handler.stdin


@pytest.mark.parametrize("length", ["x", "-1", "+3", "1_0", "٣"])
def test_a_content_length_that_is_no_number_is_refused(length: str) -> None:
    """H062, D040: nobody knows where the body ends."""
    called: list[object] = []
    handler = make_handler(OURS, {"CONTENT_LENGTH": length}, b"abc")
    handler.run(lambda *args: called.append(args))
    assert handler.stdout.getvalue().startswith(b"HTTP/1.0 400 Bad Request\r\n")
    assert not called


def test_no_stdin_is_an_empty_body() -> None:
    """D070: where the process has no stdin either."""
    handler = make_handler(OURS, {"HTTP_TRANSFER_ENCODING": "chunked"}, base="BaseCGIHandler")
    handler.stdin = None
    handler.run(reading("read"))
    assert handler.stdout.getvalue().endswith(b"b''")


@pytest.mark.parametrize("first", [b"", b"abc"], ids=["unread", "read"])
def test_a_handler_that_is_used_again_reads_the_next_body(
    wsgiref: SimpleNamespace, first: bytes
) -> None:
    """State of one request is not the next one's."""
    handler = make_handler(wsgiref, {"CONTENT_LENGTH": "3"}, b"abcdef")
    handler.run(reading("read", len(first)))
    handler.stdout.seek(0)
    handler.stdout.truncate()
    handler.run(reading("read", 3))
    assert handler.stdout.getvalue().endswith(b"b'def'" if first else b"b'abc'")


def test_environ_is_complete_when_the_input_is_made(wsgiref: SimpleNamespace) -> None:
    """The order of the hooks: add_cgi_vars, get_stdin, get_stderr, get_scheme."""
    calls: list[str] = []

    def noting(name: str) -> Any:
        def hook(self: Any) -> Any:
            calls.append(name)
            return getattr(wsgiref.handlers.SimpleHandler, name)(self)

        return hook

    names = ("add_cgi_vars", "get_stdin", "get_stderr", "get_scheme")
    handler = make_handler(wsgiref, **{name: noting(name) for name in names})
    handler.setup_environ()
    assert calls == list(names)
    assert handler.environ["REQUEST_METHOD"] == GET["REQUEST_METHOD"]


class Silent(io.RawIOBase):
    """A client that has sent its headers and then nothing, on a socket with a timeout."""

    def read1(self, size: int) -> bytes:
        raise TimeoutError("timed out")


def test_a_body_that_does_not_come_in_time_is_a_408() -> None:
    """D008: if the application lets it pass; a TimeoutError of its own is its own (D097)."""
    handler = make_handler(OURS, {"CONTENT_LENGTH": "3"})
    handler.stdin = Silent()
    handler.run(reading("read"))
    assert handler.stdout.getvalue().startswith(b"HTTP/1.0 408 Request Timeout\r\n")
    assert handler.stderr.getvalue() == ""

    def slow(environ: Any, start_response: Any) -> Any:
        raise TimeoutError("of its database")

    answer = run(OURS, slow)
    assert "500 Internal" in answer.status
    assert "TimeoutError: of its database" in answer.err
