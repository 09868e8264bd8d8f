"""--timeout and --slow-request-threshold: 504, the thread interrupted, and where it was."""

import logging
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from quaich.server.figures.counters import Tally
from quaich.server.logs.access_log import AccessLog
from server.applications import PLAIN, Environ, Held, answering
from server.conftest import Connect, Errors, Serve
from server.wire import Client, Ending, Gate, Truncated, get, wait_until

pytestmark = [pytest.mark.live, pytest.mark.rule("S82")]

LIMIT = 0.15  # seconds


class Spinning:
    """Runs in Python for ever, until something is raised in it. Paths but ``/spin`` end at once;
    ``/begin`` sends a block before it spins."""

    def __init__(self) -> None:
        self.raised: list[str] = []

    def _spin(self) -> None:
        try:
            while True:
                sleep(0.001)
        except BaseException as error:
            self.raised.append(type(error).__name__)
            raise

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/spin":
            self._spin()
        start_response("200 OK", PLAIN)
        return self._begun() if environ["PATH_INFO"] == "/begin" else [b"quick"]

    def _begun(self) -> Iterator[bytes]:
        yield b"first"
        self._spin()


def has_been_raised(app: Spinning, times: int) -> bool:
    return len(app.raised) == times


def messages(errors: Errors) -> list[str]:
    return [record.getMessage() for record in errors()]


@pytest.mark.parametrize("threads", [1, 4])
def test_a_thread_that_can_be_interrupted_is_of_use_again(
    serve: Serve, connect: Connect, errors: Errors, threads: int
) -> None:
    app = Spinning()
    server = serve(app, timeout=LIMIT, threads=threads)
    for number in range(1, 4):
        client = connect(server)
        response = client.exchange(get("/spin"))
        assert (response.status, response.field("Connection")) == (504, "close")
        assert b"no answer within 0.15 s" in response.content
        assert client.ending() is Ending.CLEAN
        wait_until(partial(has_been_raised, app, number), "it is interrupted")
        assert connect(server).exchange(get("/quick")).content == b"quick"
    assert app.raised == ["DeadlineExceeded"] * 3
    wait_until(lambda: len(errors()) == 3, "each is logged")


def test_the_log_says_which_request_and_where(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    connect(serve(Spinning(), timeout=LIMIT)).exchange(get("/spin?secret=1"))
    wait_until(errors, "it is logged")
    (line,) = messages(errors)
    assert line.startswith("GET /spin from 127.0.0.1:")
    assert "secret" not in line
    assert "--timeout" in line
    assert "in _spin\n" in line
    assert "src/quaich/exchange" not in line


def test_a_thread_that_cannot_is_answered_for(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    app = Held()  # it waits for a lock, in C
    server = serve(app, timeout=LIMIT)
    stuck = connect(server)
    assert stuck.exchange(get("/wait")).status == 504
    assert app.inside == 1
    assert connect(server).exchange(get("/other")).content == b"/other"
    app.gate.open()
    wait_until(lambda: not app.inside, "the thread is back")
    wait_until(lambda: not server.requests_under_way, "the connection is closed")
    assert stuck.ending() is Ending.CLEAN
    wait_until(lambda: len(errors()) == 1, "it is logged")


def test_head_is_answered_without_content(serve: Serve, connect: Connect, errors: Errors) -> None:
    client = connect(serve(Spinning(), timeout=LIMIT))
    client.send(get("/spin", method="HEAD"))
    assert client.response("HEAD").status == 504
    assert client.ending() is Ending.CLEAN
    wait_until(errors, "it is logged")


@pytest.mark.rule("S91")
def test_a_response_that_has_begun_is_broken_off(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    app = Spinning()
    client = connect(serve(app, timeout=LIMIT))
    with pytest.raises(Truncated) as info:
        client.exchange(get("/begin"))
    assert info.value.content == b"first"
    wait_until(partial(has_been_raised, app, 1), "it is interrupted")
    assert app.raised == ["DeadlineExceeded"]
    wait_until(errors, "it is logged")
    assert "the response is broken off" in messages(errors)[0]


def test_responses_before_it_in_a_pipeline_are_not_lost(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    client = connect(serve(Spinning(), timeout=LIMIT))
    client.send(get("/quick") + get("/spin") + get("/quick"))
    assert client.response().content == b"quick"
    assert client.response().status == 504
    assert client.ending() is Ending.CLEAN
    wait_until(errors, "it is logged")


def test_blocks_that_come_are_progress(serve: Serve, connect: Connect) -> None:
    def blocks() -> Iterator[bytes]:
        started = monotonic()
        pause = threading.Event()
        while monotonic() - started < 3 * LIMIT:
            yield b"block"
            pause.wait(LIMIT / 4)

    response = connect(serve(answering(blocks), timeout=LIMIT)).exchange(get())
    assert response.content.startswith(b"blockblock")


def test_content_that_comes_is_progress(serve: Serve, connect: Connect) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        content = environ["wsgi.input"].read()
        start_response("200 OK", PLAIN)
        return [content]

    client = connect(serve(app, timeout=LIMIT, stream_body=True))
    client.send(get("/", "Content-Length: 20", method="POST"))
    for _ in range(20):
        client.send(b"x")
        threading.Event().wait(LIMIT / 8)
    assert client.response().content == b"x" * 20


def test_a_client_that_takes_its_time_is_no_fault_of_the_application(
    serve: Serve, connect: Connect
) -> None:
    size = 8_000_000
    gate = Gate()

    def blocks() -> Iterator[bytes]:
        for _ in range(size // 100_000):
            yield b"x" * 100_000
        gate.open()

    server = serve(answering(blocks), timeout=LIMIT, response_buffer=100_000)
    with Client(("127.0.0.1", server.port), receive_buffer=4096) as client:
        client.send(get())
        client.head()
        started = monotonic()
        wait_until(lambda: monotonic() - started > 3 * LIMIT, "the deadline would be over")
        assert not gate.is_open
        received = 0
        while block := client.chunk():
            received += len(block)
        assert received == size


def test_an_application_that_catches_it_has_lost_its_turn(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    caught = Gate()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        try:
            while True:
                sleep(0.001)
        except BaseException:
            start_response("200 OK", PLAIN)
            caught.open()
            return [b"after all"]

    client = connect(serve(app, timeout=LIMIT))
    assert client.exchange(get()).status == 504
    caught.wait()
    assert client.ending() is Ending.CLEAN
    wait_until(lambda: len(errors()) == 1, "it is logged")


def test_who_waits_for_a_lock_does_not_take_it_along(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    """Raised between acquire() and try, the exception would leave the lock taken for ever. The
    module logging takes its own like that, up to Python 3.12."""
    lock = threading.Lock()
    spinning = Spinning()

    def app(environ: Environ, start_response: Any) -> Any:
        lock.acquire()
        try:
            return spinning(environ, start_response)
        finally:
            lock.release()

    with lock:
        clients = [connect(serve(app, timeout=LIMIT)) for _ in range(3)]
        for client in clients:
            client.send(get("/spin"))
        assert [client.response().status for client in clients] == [504] * 3
        wait_until(lambda: len(errors()) == 3, "each is logged")
    wait_until(partial(has_been_raised, spinning, 3), "each has the lock in its turn")
    wait_until(lambda: not lock.locked(), "nobody has the lock any more")


def test_the_access_log_has_what_the_client_got(
    serve: Serve, connect: Connect, errors: Errors, tmp_path: Path
) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        try:
            while True:
                sleep(0.001)
        except BaseException:
            start_response("200 OK", PLAIN)
            return [b"after all"]

    path = tmp_path / "log"
    server = serve(app, timeout=LIMIT, access_log=AccessLog(str(path), "%(s)s"))
    assert connect(server).exchange(get()).status == 504
    wait_until(path.read_text, "it is written")
    assert path.read_text() == "504\n"


def test_what_a_client_has_got_is_written_though_the_thread_stays(
    serve: Serve, connect: Connect, errors: Errors, tmp_path: Path
) -> None:
    """Once, and in the figures as well: else what never ends would be seen nowhere."""
    app = Held()
    path = tmp_path / "log"
    server = serve(
        app, timeout=LIMIT, admin_bind="127.0.0.1:0", access_log=AccessLog(str(path), "%(s)s %(U)s")
    )
    stuck, other = connect(server), connect(server)
    assert stuck.exchange(get("/wait")).status == 504
    assert other.exchange(get("/other")).status == 200
    both = ["200 /other", "504 /wait"]
    wait_until(lambda: sorted(path.read_text().splitlines()) == both, "both are written")
    assert app.inside == 1
    app.gate.open()
    wait_until(lambda: not server.requests_under_way, "the thread is back")
    assert other.exchange(get("/again")).status == 200
    wait_until(lambda: "/again" in path.read_text(), "the next is written")
    assert path.read_text().count("504") == 1
    counters = server.figures.counters
    assert counters is not None
    assert Tally(counters.values()).by_code() == {200: 2, 504: 1}


@pytest.mark.rule("S91")
@pytest.mark.parametrize("how", ["length", "chunks", "end"])
def test_a_client_hears_of_it_though_the_thread_stays(
    serve: Serve, connect: Connect, errors: Errors, how: str
) -> None:
    """And where only the end would show how long the response was, it is an error."""
    gate = Gate()

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "9")] if how == "length" else [])
        yield b"first"
        gate.wait()
        yield b"last"

    server = serve(app, timeout=LIMIT)
    client = connect(server)
    client.send(get(version="HTTP/1.0" if how == "end" else "HTTP/1.1"))
    with pytest.raises(Truncated) as info:
        client.response()
    assert info.value.content == b"first"
    assert server.requests_under_way == 1
    gate.open()
    wait_until(lambda: not server.requests_under_way, "the thread is back")


def test_who_reads_nothing_does_not_keep_an_application_from_its_time(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    """What waits for the client is the server, not the application."""
    gate = Gate()

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"x" * 20_000_000
        gate.wait()

    client = connect(serve(app, timeout=LIMIT, response_buffer=1000), receive_buffer=4096)
    client.send(get())
    wait_until(errors, "its time is over")
    assert "the response is broken off" in messages(errors)[0]
    gate.open()


def test_a_thread_that_does_not_end_is_reported(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    app = Held()
    server = serve(app, timeout=LIMIT, graceful_timeout=LIMIT)
    reported: list[str] = []
    server.on_stuck = reported.append
    assert connect(server).exchange(get("/wait")).status == 504
    wait_until(lambda: reported, "it is reported")
    app.gate.open()
    wait_until(lambda: not app.inside, "the thread is back")
    assert len(reported) == 1
    assert reported[0].startswith("GET /wait from 127.0.0.1:")
    wait_until(lambda: len(errors()) == 2, "both are logged")


def test_calls_that_end_at_the_deadline_are_answered_once(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    """Whole, or with 504: never both, and no thread is lost to an exception that came late."""
    limit = 0.03

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        until = monotonic() + float(environ["QUERY_STRING"])
        while monotonic() < until:
            sleep(0.0005)
        start_response("200 OK", PLAIN)
        return [b"whole"]

    server = serve(app, timeout=limit, threads=4)
    statuses: set[int] = set()

    def ask(number: int) -> None:
        for turn in range(30):
            seconds = limit + ((number * 30 + turn) % 40 - 12) / 1000
            with Client(("127.0.0.1", server.port)) as client:
                response = client.exchange(get(f"/?{seconds:.4f}"))
                statuses.add(response.status)
                assert response.status == 504 or response.content == b"whole"

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == {200, 504}
    assert connect(server).exchange(get("/?0")).content == b"whole"
    assert not [line for line in messages(errors) if "--timeout" not in line]


def test_a_slow_request_is_logged_with_where_it_is(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    app = Held()
    server = serve(app, slow_request_threshold=LIMIT)
    with caplog.at_level(logging.WARNING, "quaich.error"):
        client = connect(server)
        client.send(get("/wait"))
        wait_until(lambda: caplog.records, "it is slow")
        app.gate.open()
        assert client.response().content == b"/wait"
        wait_until(lambda: len(caplog.records) == 2, "it has ended")
        client.exchange(get("/quick"))
    slow, ended = [record.message for record in caplog.records]
    assert slow.startswith("GET /wait from 127.0.0.1:")
    assert "in __call__" in slow
    assert "has ended after" in ended


def test_there_is_no_thread_for_it_where_nobody_asks(serve: Serve) -> None:
    def names() -> set[str]:
        return {thread.name for thread in threading.enumerate()}

    serve(Held())
    assert "quaich-deadlines" not in names()
    serve(Held(), timeout=1)
    assert "quaich-deadlines" in names()
