"""What start_response accepts, and what a second call may do (D072-D083, D087, D091)."""

import gc
import sys
import traceback
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.harness import TEXT, Blocks, make_handler, respond, run


class NeedsArguments(Exception):
    """An exception that its type alone cannot make."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code


def refusal(wsgiref: SimpleNamespace, *args: Any) -> BaseException:
    """The exception that start_response raises for these arguments; nothing was sent (S64)."""
    handler = make_handler(wsgiref)
    handler.setup_environ()
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the caller looks at its type
        handler.start_response(*args)
    assert handler.stdout.getvalue() == b""
    return caught.value


# -- A second call ------------------------------------------------------------------------


@pytest.mark.defect("D072", "D073")
def test_exc_info_after_the_headers_is_raised_with_its_traceback(wsgiref: SimpleNamespace) -> None:
    """S69: the exception itself, also where none is being handled, and with its own traceback."""
    seen: list[BaseException | None] = []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT[:])(b"partial")
        try:
            raise NeedsArguments(418, "teapot")
        except NeedsArguments:
            exc_info = sys.exc_info()
        seen.append(exc_info[1])
        try:
            start_response("500 Sorry", TEXT[:], exc_info)
        except BaseException as error:
            seen.append(error)
            raise
        return []

    answer = run(wsgiref, app)
    given, raised = seen
    assert raised is given
    assert isinstance(raised, NeedsArguments)
    steps = traceback.extract_tb(raised.__traceback__)
    assert steps[-1].line == 'raise NeedsArguments(418, "teapot")'
    assert answer.body == b"partial"
    assert "NeedsArguments: 418 teapot" in answer.err


def test_exc_info_is_raised_where_it_is_being_handled(wsgiref: SimpleNamespace) -> None:
    """S69; before 3.11, wsgiref made a new instance of its class (D073)."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT[:])(b"partial")
        try:
            raise NeedsArguments(418, "teapot")
        except NeedsArguments:
            start_response("500 Sorry", TEXT[:], sys.exc_info())
        return []

    answer = run(wsgiref, app)
    assert answer.body == b"partial"
    assert "NeedsArguments: 418 teapot" in answer.err
    assert "RuntimeError" not in answer.err


def test_exc_info_before_the_headers_replaces_them(wsgiref: SimpleNamespace) -> None:
    """S68."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("X-First", "1")])
        try:
            raise ValueError
        except ValueError:
            start_response("503 Later", [("X-Second", "2")], sys.exc_info())
        return [b"body"]

    answer = run(wsgiref, app)
    assert answer.status == "HTTP/1.0 503 Later"
    assert answer.field("X-First") is None
    assert answer.field("X-Second") == "2"


@pytest.mark.parametrize("falsy", [None, (), 0])
def test_a_second_call_without_exc_info_is_refused(wsgiref: SimpleNamespace, falsy: Any) -> None:
    """S70, S72: what is false is no exc_info."""
    handler = make_handler(wsgiref)
    handler.setup_environ()
    handler.start_response("200 OK", TEXT[:], falsy)
    with pytest.raises(AssertionError, match="Headers already set!"):
        handler.start_response("200 OK", TEXT[:], falsy)


@pytest.mark.defect("D074")
@pytest.mark.parametrize("headers", [tuple(TEXT), 5])
def test_so_is_one_after_a_first_that_failed(wsgiref: SimpleNamespace, headers: Any) -> None:
    """S70: "even if the first call raised"."""
    handler = make_handler(wsgiref)
    handler.setup_environ()
    with pytest.raises(TypeError):
        handler.start_response("200 OK", headers)
    with pytest.raises(AssertionError, match="Headers already set!"):
        handler.start_response("200 OK", TEXT[:])


@pytest.mark.defect("D074")
@pytest.mark.parametrize("args", [("200 OK", [("Connection", "close")]), ("20", [*TEXT])])
def test_a_failed_first_call_does_not_send_anything(
    wsgiref: SimpleNamespace, args: tuple[Any, ...]
) -> None:
    """S70: an application that goes on after it gets a message, not half a response."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        with pytest.raises(AssertionError):
            start_response(*args)
        return [b"body"]

    answer = run(wsgiref, app)
    assert answer.status == "HTTP/1.0 500 Internal Server Error"
    assert "write() before start_response()" in answer.err


@pytest.mark.defect("D075")
@pytest.mark.parametrize(
    ("status", "headers"),
    [("501 New", tuple(TEXT)), ("501 New", [("Connection", "close")]), ("5", [("X-New", "1")])],
)
def test_a_failed_second_call_changes_nothing(
    wsgiref: SimpleNamespace, status: str, headers: Any
) -> None:
    """Status and headers belong together."""
    handler = make_handler(wsgiref)
    handler.setup_environ()
    handler.start_response("200 OK", [("X-Old", "1")])
    with pytest.raises((AssertionError, TypeError)):
        handler.start_response(status, headers, (ValueError, ValueError(), None))
    assert handler.status == "200 OK"
    assert handler.headers.items() == [("X-Old", "1")]


def test_an_exc_info_without_an_exception_is_named() -> None:
    """S69: ``sys.exc_info()`` outside an ``except`` block is a true value too."""
    from quaich.exchange.response import check_restart

    with pytest.raises(TypeError, match=r"what sys\.exc_info\(\) returns"):
        check_restart((None, None, None), called=True, headers_sent=True)
    check_restart((None, None, None), called=True, headers_sent=False)


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "unsent"])
def test_no_reference_to_exc_info_is_kept(wsgiref: SimpleNamespace, sent: bool) -> None:
    """S71: what the failed frames hold is freed with the request, without the collector."""

    class Local:
        pass

    alive: list[weakref.ref[Local]] = []

    def fail() -> None:
        local = Local()
        alive.append(weakref.ref(local))
        raise ValueError

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT[:])
        try:
            fail()
        except ValueError:
            if sent:
                start_response.__self__.headers_sent = True
            try:
                start_response("500 Sorry", TEXT[:], sys.exc_info())
            except ValueError:
                pass
        if sent:
            start_response.__self__.headers_sent = False
        return [b""]

    handler = make_handler(wsgiref)
    handler.setup_environ()
    gc.collect()
    gc.disable()
    try:
        app(handler.environ, handler.start_response)
        assert alive[0]() is None
    finally:
        gc.enable()


def test_start_response_sends_nothing(wsgiref: SimpleNamespace) -> None:
    """S65: also not with a Content-Length of zero (S67 would allow that)."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "0")])
        assert handler.stdout.getvalue() == b""
        return Blocks()

    handler = make_handler(wsgiref)
    handler.run(app)
    assert handler.stdout.getvalue().startswith(b"HTTP/1.0 200 OK")


def test_start_response_takes_positional_arguments_and_returns_write(
    wsgiref: SimpleNamespace,
) -> None:
    """S12, S13, S59."""
    handler = make_handler(wsgiref)
    handler.setup_environ()
    assert handler.start_response("200 OK", [], None) == handler.write


# -- The status ---------------------------------------------------------------------------


@pytest.mark.defect("D077", upstream="gh-144370")
@pytest.mark.parametrize(
    "status",
    [
        "200 OK\r\nX: y",
        "200 O\nK",
        "200 O\x00K",
        "200 \x7f",
        "200 O\tK",
        "\n200 OK",
        "\t",
        "200\tOK",
    ],
)
def test_control_characters_in_the_status_are_refused(
    wsgiref: SimpleNamespace, status: str
) -> None:
    """A06: also HTAB, and before anything else that is wrong with it, as in CPython."""
    assert type(refusal(wsgiref, status, [])) is ValueError


@pytest.mark.defect("D080")
@pytest.mark.parametrize(
    ("status", "headers"),
    [("200 \u20ac", []), ("200 OK", [("X", "\u20ac")]), ("200 OK", [("X", "\ud800")])],
)
def test_what_iso_8859_1_cannot_encode_is_refused(
    wsgiref: SimpleNamespace, status: str, headers: Any
) -> None:
    """S64, S87, A25: here and not after the status line was sent."""
    error = refusal(wsgiref, status, headers)
    assert type(error) is AssertionError
    assert "ISO-8859-1 cannot encode" in str(error)


def test_iso_8859_1_is_sent(wsgiref: SimpleNamespace) -> None:
    """A26."""
    out = run(wsgiref, respond([], "200 \u00e9t\u00e9", [("X", "\u00ff\tb")])).out
    assert out.startswith(b"HTTP/1.0 200 \xe9t\xe9\r\n")
    assert b"\r\nX: \xff\tb\r\n" in out


@pytest.mark.defect("D082")
@pytest.mark.parametrize(
    "status", ["\u0662\u0660\u0660 OK", "20\u0660 OK", "\u00b2\u00b2\u00b2 OK"]
)
def test_a_status_in_other_digits_is_refused(wsgiref: SimpleNamespace, status: str) -> None:
    """A05: isdigit() takes them."""
    error = refusal(wsgiref, status, [])
    assert str(error) == "Status message must begin w/3-digit code"


@pytest.mark.defect("D083")
@pytest.mark.parametrize("status", ["100 Continue", "199 Odd", "000 Zero", "099 Low"])
def test_an_interim_status_is_refused(wsgiref: SimpleNamespace, status: str) -> None:
    """H139: a response ends with a final status."""
    assert type(refusal(wsgiref, status, [])) is AssertionError


@pytest.mark.parametrize("status", ["600 Odd", "999 Odd", "200 ", "404 Not Found", "299 A  B"])
def test_an_odd_status_passes(wsgiref: SimpleNamespace, status: str) -> None:
    """D083, kept: programs use codes of their own."""
    assert run(wsgiref, respond([], status)).status == f"HTTP/1.0 {status}"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (b"200 OK", "Status must be of type str (got b'200 OK')"),
        (200, "Status must be of type str (got 200)"),
        (None, "Status must be of type str (got None)"),
        ("200", "Status must be at least 4 characters"),
        ("", "Status must be at least 4 characters"),
        ("2000 OK", "Status message must have a space after code"),
        ("20 OK", "Status message must begin w/3-digit code"),
        (" 200 OK", "Status message must begin w/3-digit code"),
        ("+20 OK", "Status message must begin w/3-digit code"),
    ],
)
def test_a_wrong_status_is_refused_in_wsgirefs_words(
    wsgiref: SimpleNamespace, status: Any, message: str
) -> None:
    """A05; CPython's test_status_validation_errors compares the texts."""
    error = refusal(wsgiref, status, [])
    assert type(error) is AssertionError
    assert str(error) == message


@pytest.mark.parametrize("kind", ["status", "name", "value"])
def test_subclasses_of_str_are_refused(wsgiref: SimpleNamespace, kind: str) -> None:
    """S03: exactly ``str``."""

    class Text(str):
        __slots__ = ()

    arguments = {
        "status": (Text("200 OK"), []),
        "name": ("200 OK", [(Text("X"), "1")]),
        "value": ("200 OK", [("X", Text("1"))]),
    }
    assert type(refusal(wsgiref, *arguments[kind])) is AssertionError


def test_the_hook_for_the_status_is_asked(wsgiref: SimpleNamespace) -> None:
    """A subclass of 3.12's handlers can refuse more."""

    def refuse(self: Any, status: str) -> None:
        raise AssertionError(f"not {status}")

    if not hasattr(wsgiref.handlers.BaseHandler, "_validate_status"):
        pytest.skip("the hook is new in Python 3.12")
    handler = make_handler(wsgiref, _validate_status=refuse)
    handler.setup_environ()
    with pytest.raises(AssertionError, match=r"^not 200 OK$"):
        handler.start_response("200 OK", [])
