"""``wsgi.errors`` and the tracebacks that go there (D070, D071)."""

import io
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from handlers.harness import answer, make_handler, respond, run
from support import exchange


def failing(environ: Any, start_response: Any) -> list[bytes]:
    raise KeyError("of the application")


def complaining(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """S50: the three methods that PEP 3333 names."""
    stream = environ["wsgi.errors"]
    stream.write("one\n")
    stream.writelines(["two\n", "three\n"])
    stream.flush()
    start_response("200 OK", [])
    return [b"done"]


def test_wsgi_errors_is_the_stream_of_the_handler(wsgiref: SimpleNamespace) -> None:
    """S41, S50."""
    assert run(wsgiref, complaining).err == "one\ntwo\nthree\n"


@pytest.mark.defect("D070", raises=AttributeError)
@pytest.mark.parametrize("app", [complaining, failing])
def test_without_stderr_nothing_fails(wsgiref: SimpleNamespace, app: Any) -> None:
    """pythonw and some daemons have none: what is written there goes nowhere."""
    handler = make_handler(wsgiref)
    handler.stderr = None
    handler.run(app)
    status = b"HTTP/1.0 200 OK" if app is complaining else b"HTTP/1.0 500 Internal"
    assert handler.stdout.getvalue().startswith(status)


@pytest.mark.defect("D070", raises=AttributeError)
def test_without_stderr_simple_server_serves(wsgiref: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with mock.patch("sys.stderr", None):
            stream = environ["wsgi.errors"]
        stream.write("one")
        assert stream.writable()
        start_response("200 OK", [])
        return [b"done"]

    def get_stderr(self: Any) -> Any:
        with mock.patch("sys.stderr", None):
            return wsgiref.simple_server.WSGIRequestHandler.get_stderr(self)

    assert exchange(wsgiref, app, get_stderr=get_stderr).body == b"done"


def test_a_traceback_ends_with_the_exception(wsgiref: SimpleNamespace) -> None:
    """S89."""
    err = run(wsgiref, failing).err
    assert "Traceback (most recent call last)" in err
    assert err.endswith("KeyError: 'of the application'\n")


def test_traceback_limit_bounds_its_depth(wsgiref: SimpleNamespace) -> None:
    assert "in failing" in run(wsgiref, failing).err
    assert "in failing" not in run(wsgiref, failing, traceback_limit=1).err


@pytest.mark.defect("D071")
@pytest.mark.parametrize("variables", [{"REQUEST_URI": "/a?b"}, {"PATH_INFO": "/a?b"}])
def test_a_line_above_the_traceback_names_the_request(
    wsgiref: SimpleNamespace, variables: dict[str, str]
) -> None:
    err = run(wsgiref, failing, variables).err
    assert err.startswith("Exception while handling GET '/a?b'\nTraceback")


@pytest.mark.defect("D071")
def test_the_line_cannot_be_forged(wsgiref: SimpleNamespace) -> None:
    """PATH_INFO is decoded: it can hold anything that a client likes."""
    err = run(wsgiref, failing, {"PATH_INFO": "/\nTraceback\x1b[31m"}).err
    assert r"'/\nTraceback\x1b[31m'" in err
    assert "\x1b" not in err


@pytest.mark.parametrize("variables", [{}, {"CONTENT_LENGTH": "5"}], ids=["too much", "too little"])
def test_the_log_cannot_be_forged_either(
    variables: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """What goes through logging names the request in the same way."""
    from quaich import handlers

    def app(environ: Any, start_response: Any) -> list[bytes]:
        if variables:
            environ["wsgi.input"].read()  # breaks off
        start_response("200 OK", [("Content-Length", "2")])
        return [b"abc"]

    caplog.set_level("DEBUG", logger="quaich")
    target = {"PATH_INFO": "/\nGET '/forged': x\x1b[31m", **variables}
    run(SimpleNamespace(handlers=handlers), app, target)
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert "\n" not in message
    assert "\x1b" not in message
    assert "GET '/\\nGET" in message.replace('"', "'")


def test_log_exception_can_be_replaced(wsgiref: SimpleNamespace) -> None:
    """dulwich and Radicale do; it gets the triple of sys.exc_info()."""
    seen: list[Any] = []
    result = run(wsgiref, failing, log_exception=lambda self, exc_info: seen.append(exc_info))
    ((kind, error, traceback),) = seen
    assert kind is KeyError
    assert error.args == ("of the application",)
    assert traceback is error.__traceback__
    assert result.err == ""
    assert result.status == "HTTP/1.0 500 Internal Server Error"


def test_get_stderr_is_asked_each_time(wsgiref: SimpleNamespace) -> None:
    streams = [io.StringIO(), io.StringIO(), io.StringIO()]
    left = list(streams)
    run(wsgiref, failing, get_stderr=lambda self: left.pop(0))
    assert streams[0].getvalue() == ""  # wsgi.errors
    assert "KeyError" in streams[1].getvalue()


def test_nothing_is_logged_for_a_response(wsgiref: SimpleNamespace) -> None:
    handler = make_handler(wsgiref)
    handler.run(respond([b"a"]))
    assert answer(handler).err == ""
