"""The access log (D054, D126, D127), and what the package says of itself (D128-D130)."""

import importlib
import inspect
import io
import logging
import re
import sys
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from handlers.harness import run_python
from simple_server.client import HOST, hello
from support import exchange

TIME = r"\[\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d\]"


def unconfigured() -> Any:
    """No handler is configured: pytest's own are out of the way, for a ``with`` block."""
    return mock.patch.object(logging.getLogger(), "handlers", [])


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"GET /a?b HTTP/1.0\r\n\r\n", '"GET /a?b HTTP/1.0" 200 5'),
        (b"GET /a HTTP/x\r\n\r\n", '"GET /a HTTP/x" 400 -'),
        (b"GET /" + b"a" * 70_000, '"" 414 -'),
    ],
)
def test_the_log_is_on_stderr_where_nobody_configures_it(
    wsgiref: SimpleNamespace, data: bytes, line: str
) -> None:
    with unconfigured():
        lines = exchange(wsgiref, hello, data).err.splitlines()
    assert re.fullmatch(rf"127\.0\.0\.1 - - {TIME} {re.escape(line)}", lines[-1])
    if len(lines) == 2:  # an error has a line of its own
        assert re.fullmatch(rf"127\.0\.0\.1 - - {TIME} code 4.., message .*", lines[0])


def test_the_log_names_the_address_only(wsgiref: SimpleNamespace) -> None:
    """D127, kept: neither port nor scope."""
    with unconfigured():
        answer = exchange(wsgiref, hello, b"GET / HTTP/1.0\r\n\r\n", address=("fe80::1", 1, 0, 7))
    assert answer.err.startswith("fe80::1 - - [")


def test_control_characters_are_escaped(wsgiref: SimpleNamespace) -> None:
    """D054, kept: what a client sends does not reach the terminal."""
    with unconfigured():
        err = exchange(wsgiref, hello, b"GET /\x1b[2J\x00\x9b\\\x7f HTTP/1.0\r\n\r\n").err
    assert r"GET /\x1b[2J\x00\x9b\\\x7f HTTP/1.0" in err
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", err)
    assert all(line.startswith("127.0.0.1 - - [") for line in err.splitlines())


@pytest.mark.defect("D126")
def test_the_log_goes_through_logging(
    wsgiref: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    answer = exchange(wsgiref, hello, b"GET / HTTP/1.0\r\n\r\n")
    (record,) = [record for record in caplog.records if record.name == "quaich.access"]
    assert record.levelno == logging.INFO
    assert re.fullmatch(rf'127\.0\.0\.1 - - {TIME} "GET / HTTP/1.0" 200 5', record.getMessage())
    assert answer.err == ""


@pytest.mark.defect("D126")
def test_a_handler_of_the_logger_itself_gets_the_log(
    wsgiref: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("quaich.access")
    stream = io.StringIO()
    monkeypatch.setattr(logger, "handlers", [*logger.handlers, logging.StreamHandler(stream)])
    with unconfigured():
        assert exchange(wsgiref, hello, b"GET / HTTP/1.0\r\n\r\n").err == ""
    assert '"GET / HTTP/1.0" 200 5\n' in stream.getvalue()


@pytest.mark.defect("D126")
def test_the_log_can_be_switched_off(
    wsgiref: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("quaich.access"), "disabled", True)
    assert exchange(wsgiref, hello, b"GET / HTTP/1.0\r\n\r\n").err == ""
    assert caplog.records == []


def test_a_logger_that_does_not_propagate_has_no_handlers_above(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from quaich import simple_server

    monkeypatch.setattr(logging.getLogger("quaich.access"), "propagate", False)
    subject = SimpleNamespace(simple_server=simple_server)
    assert exchange(subject, hello, b"GET / HTTP/1.0\r\n\r\n").err.endswith('" 200 5\n')


LOGGING = """
import logging.config
BEFORE
logging.config.dictConfig({"version": 1})
from SUBJECT.simple_server import WSGIRequestHandler

handler = WSGIRequestHandler.__new__(WSGIRequestHandler)
handler.client_address = ("127.0.0.1", 4711)
handler.requestline = "GET / HTTP/1.0"
handler.log_request(200, 5)
"""


@pytest.mark.parametrize("before", ["", "import SUBJECT.simple_server"])
def test_configuring_logging_does_not_silence_the_access_log(
    wsgiref: SimpleNamespace, before: str
) -> None:
    """``disable_existing_loggers`` is true by default, and meant for other loggers."""
    err = run_python(wsgiref, LOGGING.replace("BEFORE", before)).err
    assert err.startswith("127.0.0.1 - - [")
    assert err.endswith('] "GET / HTTP/1.0" 200 5\n')


class Unread(io.StringIO):
    """A pipe that nobody reads."""

    def write(self, s: str, /) -> int:
        raise BrokenPipeError


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "stderr",
    [
        pytest.param(None, marks=pytest.mark.defect("D126", raises=AttributeError)),
        pytest.param(closed(), marks=pytest.mark.defect("D126", raises=AttributeError)),
        Unread(),
    ],
)
def test_a_request_does_not_fail_for_want_of_stderr(
    wsgiref: SimpleNamespace, stderr: io.StringIO | None
) -> None:
    base: Any = wsgiref.simple_server.WSGIRequestHandler

    def handle(self: Any) -> None:
        with mock.patch.object(sys, "stderr", stderr), unconfigured():
            base.handle(self)
        self.wfile.write(b" world")

    answer = exchange(wsgiref, hello, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", handle=handle)
    assert answer.body == b"hello world"


def test_programs_can_override_log_message(wsgiref: SimpleNamespace) -> None:
    """Django's override indexes the arguments: request line, code, size."""
    calls: list[tuple[Any, ...]] = []

    def log_message(self: Any, format: str, *args: Any) -> None:
        calls.append((format, *args))

    answer = exchange(wsgiref, hello, b"GET / HTTP/1.0\r\n\r\n", log_message=log_message)
    assert answer.err == ""
    assert calls == [('"%s" %s %s', "GET / HTTP/1.0", "200", "5")]


@pytest.mark.defect("D128")
def test_the_attribute_base_env_is_documented(wsgiref: SimpleNamespace) -> None:
    assert "base_env" in (inspect.getdoc(wsgiref.handlers.SimpleHandler) or "")


@pytest.mark.defect("D129")
@pytest.mark.parametrize("name", ["make_server", "WSGIServer.set_app", "ServerHandler.run"])
def test_the_public_functions_are_typed(wsgiref: SimpleNamespace, name: str) -> None:
    function: Any = wsgiref.simple_server
    for part in name.split("."):
        function = getattr(function, part)
    signature = inspect.signature(function)
    parameters = [each for each in signature.parameters.values() if each.name != "self"]
    assert all(each.annotation is not inspect.Parameter.empty for each in parameters)
    assert signature.return_annotation is not inspect.Signature.empty


@pytest.mark.defect("D130")
def test_the_package_lists_no_work_left(wsgiref: SimpleNamespace) -> None:
    package = importlib.import_module(wsgiref.util.__name__.rpartition(".")[0])
    assert "To-Do" not in (package.__doc__ or "")
