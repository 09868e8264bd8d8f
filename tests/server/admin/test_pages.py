"""The pages for an operator, as an application."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest

from quaich.server.admin import Facts, application
from quaich.server.figures.board import Board
from quaich.util import setup_testing_defaults
from quaich.validate import validator

FACTS = Facts(version="1.2", python="3.11", addresses=("127.0.0.1:8000",))


class Page(NamedTuple):
    status: str
    headers: dict[str, str]
    content: bytes


@pytest.fixture
def board() -> Board:
    board = Board(slots=4)
    slot = board.begin(1, pid=77, generation=3)
    slot.state = "ready"
    slot.requests, slot.in_flight = 5, 1
    slot.text.write(b'[{"method":"GET","path":"/slow","client":"10.0.0.1","since":0}]')
    board.begin(2, pid=78)
    board.retire(2, "crash")
    return board


def ask(board: Board, path: str, method: str = "GET") -> Page:
    environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": method, "SCRIPT_NAME": ""}
    setup_testing_defaults(environ)
    found: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        found.update(status=status, headers=dict(headers))
        return lambda data: None

    result: Iterable[bytes] = validator(application(board, FACTS))(environ, start_response)
    content = b"".join(result)
    result.close()  # type: ignore[attr-defined]
    return Page(found["status"], found["headers"], content)


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/status", "/metrics"])
def test_a_page_has_its_length_and_is_kept_by_nobody(board: Board, path: str) -> None:
    page = ask(board, path)
    assert page.status == "200 OK"
    assert page.headers["Content-Length"] == str(len(page.content))
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_healthz_says_that_the_process_lives(board: Board) -> None:
    for slots in (board, Board(slots=1)):
        page = ask(slots, "/healthz")
        assert (page.status, page.content) == ("200 OK", b"ok\n")


def test_readyz_says_in_a_line_why_not(board: Board) -> None:
    assert ask(board, "/readyz").content == b"ready\n"
    board.slot(1).queued = 1
    page = ask(board, "/readyz")
    assert page.status == "503 Service Unavailable"
    assert page.content == b"saturated: all threads are busy, and 1 request waits for one\n"
    board.slot(1).state = "draining"
    assert ask(board, "/readyz").content.startswith(b"draining")
    board.retire(1, "signal")
    assert ask(board, "/readyz").content == b"no worker is ready\n"


def test_status_is_json_of_what_goes_on(board: Board) -> None:
    page = ask(board, "/status")
    assert page.headers["Content-Type"] == "application/json"
    status = json.loads(page.content)
    assert (status["version"], status["addresses"]) == ("1.2", ["127.0.0.1:8000"])
    assert (status["ready"], status["reason"]) == (True, "ready")
    assert (status["requests"], status["in_flight"], status["queued"]) == (5, 1, 0)
    assert status["uptime"] >= 0
    (worker,) = status["workers"]
    assert (worker["pid"], worker["generation"], worker["state"]) == (77, 3, "ready")
    (call,) = worker["calls"]
    assert (call["method"], call["path"], call["client"]) == ("GET", "/slow", "10.0.0.1")
    assert call["age"] > 0
    assert status["restarts"]["by_reason"]["crash"] == 1
    (restart,) = status["restarts"]["last"]
    assert (restart["pid"], restart["reason"]) == (78, "crash")
    assert restart["time"].endswith("+00:00")


def test_metrics_have_the_type_that_prometheus_asks_for(board: Board) -> None:
    page = ask(board, "/metrics")
    assert page.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"quaich_requests_begun_total 5\n" in page.content


def test_the_index_names_the_pages(board: Board) -> None:
    content = ask(board, "/").content
    for name in (b"healthz", b"readyz", b"status", b"metrics"):
        assert b'<a href="' + name + b'">' in content


@pytest.mark.parametrize("path", ["/x", "/healthz/", "//status", "/Status"])
def test_there_is_no_other_page(board: Board, path: str) -> None:
    page = ask(board, path)
    assert page.status == "404 Not Found"
    assert b"/metrics" in page.content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_changed(board: Board, method: str) -> None:
    page = ask(board, "/status", method)
    assert page.status == "405 Method Not Allowed"
    assert page.headers["Allow"] == "GET, HEAD"
