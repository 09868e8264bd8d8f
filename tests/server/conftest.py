"""Servers for the tests, each on every poller that this platform has, and clients of them."""

import logging
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from quaich import Server
from server.wire import LOCALHOST, PATIENCE, Client, TlsClient

Serve = Callable[..., Server]
Connect = Callable[..., Client]
Errors = Callable[[], list[logging.LogRecord]]

POLLERS = ["epoll", "selectors"] if hasattr(select, "epoll") else ["selectors"]


def _threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("quaich-")]


OVER_TLS = {
    "test_content",
    "test_expect",
    "test_files",
    "test_framing",
    "test_input",
    "test_persistence",
    "test_pipelining",
    "test_streaming",
}
"""Tests of what TLS does in its own way: they are done over it once more."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    has_its_own = any(
        mark.args[0] == "poller" for mark in metafunc.definition.iter_markers("parametrize")
    )
    if "poller" in metafunc.fixturenames and not has_its_own:
        has_tls = metafunc.module.__name__.rpartition(".")[2] in OVER_TLS
        metafunc.parametrize("poller", [*POLLERS, "tls"] if has_tls else POLLERS, indirect=True)


@pytest.fixture
def poller(request: pytest.FixtureRequest) -> str:
    """What the servers of the test wait with; ``tls`` is TLS with any."""
    name: str = request.param
    return name


on_one_poller = pytest.mark.parametrize("poller", ["auto"], indirect=True)
"""For tests that take long and would find the same on each."""


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        # Now, as each handler that writes does: what the arguments stand for may change.
        self.format(record)
        record.msg, record.args = record.message, None
        self.records.append(record)

    def __call__(self) -> list[logging.LogRecord]:
        return self.records


@pytest.fixture
def error_log() -> Iterator[_Log]:
    """What is logged as an error, whether or not it is expected."""
    log = _Log()
    logger = logging.getLogger("quaich.error")
    logger.addHandler(log)
    yield log
    logger.removeHandler(log)


@pytest.fixture
def errors(error_log: _Log) -> Errors:
    """``errors()`` is what has been logged as an error so far. A test that does not ask for
    this fails if anything is."""
    return error_log


@pytest.fixture
def serve(request: pytest.FixtureRequest, poller: str, error_log: _Log) -> Iterator[Serve]:
    """``serve(app, **settings)`` is a running server on a free port. They end with the test,
    and so do their threads."""
    with ExitStack() as stack:

        def start(app: Any, **settings: Any) -> Server:
            if poller == "tls":
                settings = {"certfile": LOCALHOST, **settings}
            else:
                settings = {"poller": poller, **settings}
            server = Server(app, bind="127.0.0.1:0", **settings)
            # Nothing is under way when a test is over, or what is can be cut off.
            stack.callback(server.close, 0.0)
            server.start()
            return server

        yield start
    for thread in _threads():
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"{thread.name} has not ended"
    texts = [record.getMessage() + (record.exc_text or "") for record in error_log()]
    assert [text for text in texts if "server failed" in text] == []
    if "errors" not in request.fixturenames:
        assert texts == []


@pytest.fixture
def connect() -> Iterator[Connect]:
    """``connect(server)`` is a client of it."""
    with ExitStack() as stack:

        def to(server: Server, **options: Any) -> Client:
            kind = Client if server.scheme == "http" else TlsClient
            return stack.enter_context(kind(("127.0.0.1", server.port), **options))

        yield to
