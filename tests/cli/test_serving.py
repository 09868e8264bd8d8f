"""``quaich.serve`` and what the commands do with it: signals, words, logs."""

import contextlib
import http.client
import io
import json
import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

import quaich
from quaich.server import running
from quaich.server.stopping import Stopping
from quaich.settings import SettingError, settings

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("signal_handlers")]

MAIN = threading.main_thread().ident
assert MAIN is not None


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["SERVER_SOFTWARE"].encode()]


def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise LookupError("no such thing")


class Announcing(io.StringIO):
    """A stderr that tells when the lines ``Listening on …`` and ``Stopping; …`` are out."""

    def __init__(self) -> None:
        super().__init__()
        self.announced = threading.Event()
        self.stopping = threading.Event()

    def flush(self) -> None:
        super().flush()
        for line in self.getvalue().splitlines(keepends=True):
            if line.startswith("Listening on ") and line.endswith("\n"):
                self.announced.set()
            if line.startswith("Stopping; ") and line.endswith("\n"):
                self.stopping.set()

    def wait_port(self) -> int:
        """The port that is listened on."""
        assert self.announced.wait(10)
        return int(self.getvalue().partition("\n")[0].rpartition(":")[2])


@pytest.fixture
def stderr() -> Announcing:
    return Announcing()


def serve(
    application: Any,
    stderr: io.StringIO | None,
    *,
    configured: logging.Handler | None = None,
    **keywords: Any,
) -> None:
    """As ``quaich.serve``, in a process with that stderr, whose application has configured that
    handler of the log, or none."""
    root = logging.getLogger()
    pytests, root.handlers = root.handlers, [] if configured is None else [configured]
    try:
        with contextlib.redirect_stderr(stderr):
            quaich.serve(application, **{"bind": "127.0.0.1:0"} | keywords)
    finally:
        root.handlers = pytests


@contextlib.contextmanager
def client(port: int) -> Iterator[http.client.HTTPConnection]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as it:
        yield it


def get(port: int, target: str = "/") -> tuple[int, bytes]:
    with client(port) as connection:
        connection.request("GET", target)
        response = connection.getresponse()
        return response.status, response.read()


@contextlib.contextmanager
def beside(work: Callable[[], object], signum: int | None = signal.SIGTERM) -> Iterator[None]:
    """Do something on another thread meanwhile, and then send the main thread a signal."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            if signum is not None:
                signal.pthread_kill(MAIN or 0, signum)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()
    assert failures == []


# --- Signals, and what is said -----------------------------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_a_signal(stderr: Announcing, loggers: Any, signum: int) -> None:
    """A connection that stays, one name for the software, and a quiet end."""
    answers: list[tuple[bytes, str | None, Any]] = []
    before = signal.getsignal(signum)

    def visit() -> None:
        with client(stderr.wait_port()) as connection:
            for _ in range(2):
                connection.request("GET", "/")
                response = connection.getresponse()
                answers.append((response.read(), response.getheader("Server"), connection.sock))

    with beside(visit, signum):
        serve(app, stderr)
    assert [answer[:2] for answer in answers] == [(b"quaich", "quaich")] * 2
    assert answers[0][2] is answers[1][2]
    (line,) = stderr.getvalue().splitlines()
    assert line.startswith("Listening on http://127.0.0.1:")
    assert signal.getsignal(signum) is before


class Waiting:
    """An application whose requests wait until they may end."""

    def __init__(self, count: int) -> None:
        self.entered = threading.Barrier(count + 1, timeout=10)
        self.may_end = threading.Event()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.entered.wait()
        assert self.may_end.wait(10)
        return app(environ, start_response)


def run_with_requests(
    count: int, signum: int, stderr: Announcing, *, let_end: bool, **keywords: Any
) -> list[int]:
    """Let a server get a signal while it answers so many requests; the statuses that came."""
    waiting = Waiting(count)
    server = quaich.Server(waiting, bind="127.0.0.1:0", **keywords)
    statuses: list[int] = []

    def visit() -> None:
        with contextlib.suppress(ConnectionError, http.client.BadStatusLine):
            statuses.append(get(server.port)[0])

    def end() -> None:
        assert stderr.stopping.wait(10)
        waiting.may_end.set()

    def wait_until_all_are_counted() -> None:
        waiting.entered.wait()
        deadline = monotonic() + 10
        while server.requests_under_way < count:
            assert monotonic() < deadline

    others = [threading.Thread(target=visit) for _ in range(count)]
    others += [threading.Thread(target=end)] * let_end
    for thread in others:
        thread.start()
    with (
        beside(wait_until_all_are_counted, signum),
        contextlib.redirect_stderr(stderr),
        Stopping() as stopping,
    ):
        running.run(server, stopping)
    for thread in others:
        thread.join()
    waiting.may_end.set()
    return statuses


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_requests_under_way_end_in_time(
    stderr: Announcing, monkeypatch: pytest.MonkeyPatch, count: int, signum: int
) -> None:
    """What is waited for is said, and for how long: after Ctrl-C for less."""
    monkeypatch.setattr(running, "QUIET_TIME", 0.0)
    statuses = run_with_requests(count, signum, stderr, let_end=True, graceful_timeout=9)
    assert statuses == [200] * count
    requests = "1 request" if count == 1 else "2 requests"
    seconds = 2 if signum == signal.SIGINT else 9
    assert stderr.getvalue().splitlines()[1:] == [
        f"Stopping; waiting up to {seconds} s for {requests}, Ctrl-C again to quit now"
    ]


@pytest.mark.parametrize(
    ("signum", "setting"), [(signal.SIGINT, 30), (signal.SIGTERM, 0), (signal.SIGTERM, 0.1)]
)
@pytest.mark.parametrize("count", [1, 2])
def test_requests_that_take_too_long_are_cut_off(
    stderr: Announcing, monkeypatch: pytest.MonkeyPatch, count: int, signum: int, setting: float
) -> None:
    monkeypatch.setattr(running, "QUICK", 0.0)
    statuses = run_with_requests(count, signum, stderr, let_end=False, graceful_timeout=setting)
    assert statuses == []
    line = "1 request was cut off" if count == 1 else "2 requests were cut off"
    assert stderr.getvalue().splitlines()[1:] == [line]


def test_a_second_signal_has_its_default_action() -> None:
    with Stopping() as stopping:
        signal.raise_signal(signal.SIGTERM)
        assert stopping.is_noted
        assert not stopping.is_quick
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        stopping.wait()  # for the first one, which has been


def test_without_a_signal_the_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Stopping() as stopping:
        assert signal.getsignal(signal.SIGTERM) is not before
        assert not stopping.is_noted
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_ends_a_block_in_which_nothing_is_under_way() -> None:
    with Stopping() as stopping:
        with pytest.raises(KeyboardInterrupt), stopping.interrupting():
            signal.raise_signal(signal.SIGINT)
        assert stopping.is_quick
        with pytest.raises(KeyboardInterrupt), stopping.interrupting():
            pytest.fail("the block begins")


def test_outside_of_the_main_thread_it_cannot_be_called() -> None:
    caught: list[BaseException] = []

    def serve_there() -> None:
        try:
            quaich.serve(app, bind="127.0.0.1:0")
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=serve_there)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


class Broken(io.StringIO):
    """A stderr that nobody reads any more."""

    def write(self, text: str, /) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [None, Broken()])
def test_nobody_reads_what_is_said(
    stream: Any, loggers: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.redirect_stderr(stream), Stopping() as stopping:
        signal.raise_signal(signal.SIGTERM)
        running.serve_until(stopping, lambda: app, settings(bind="127.0.0.1:0"))
    assert capsys.readouterr() == ("", "")


# --- Settings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "line"),
    [
        ({"threads": 0}, "threads=0: it takes a whole number from 1 to 2147483647"),
        ({"thread": 1}, "thread=1: there is no such setting; did you mean threads?"),
        ({"access_logformat": "x"}, "access_logformat='x': 'x' is no name of an access log format"),
        ({"access_logfile": "no/log"}, "access_logfile: cannot write to 'no/log': No such file"),
        ({"error_logfile": "no/log"}, "error_logfile: cannot write to 'no/log': No such file"),
    ],
)
def test_a_wrong_setting(keywords: Any, line: str, loggers: Any) -> None:
    with pytest.raises(SettingError) as caught:
        quaich.serve(app, **{"bind": "127.0.0.1:0"} | keywords)
    assert str(caught.value).startswith(line)
    assert isinstance(caught.value, TypeError) == ("thread" in keywords)


# --- The error log -----------------------------------------------------------------------


def serve_a_failure(stderr: Announcing, **keywords: Any) -> None:
    def visit() -> None:
        assert get(stderr.wait_port(), "/there?secret")[0] == 500

    with beside(visit):
        serve(failing, stderr, **keywords)


def assert_matches(pattern: str, text: str) -> None:
    assert re.match(pattern, text), text


LINE = (
    r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[ERROR\] "
    r"GET /there from 127\.0\.0\.1:\d+: the application failed\nTraceback "
)


def test_errors_are_on_stderr(stderr: Announcing, loggers: Any) -> None:
    for logger in loggers.values():
        logger.disabled = True  # as logging.config leaves it
    serve_a_failure(stderr)
    _, _, log = stderr.getvalue().partition("\n")
    assert_matches(LINE, log)
    assert log.endswith("LookupError: no such thing\n")
    for logger in loggers.values():
        assert (logger.handlers, logger.propagate, logger.level) == ([], True, logging.NOTSET)


def test_errors_are_in_a_file(stderr: Announcing, loggers: Any, tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    path.write_text("before\n")
    serve_a_failure(stderr, error_logfile=str(path))
    assert stderr.getvalue().count("\n") == 1
    before, _, log = path.read_text().partition("\n")
    assert before == "before"
    assert_matches(LINE, log)


def test_errors_are_where_the_application_has_them(stderr: Announcing, loggers: Any) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    serve_a_failure(stderr, configured=handler)
    assert out.getvalue().startswith("quaich.error: GET /there from 127.0.0.1:")
    assert stderr.getvalue().count("\n") == 1


def test_a_file_that_was_asked_for_comes_before_that(
    stderr: Announcing, loggers: Any, tmp_path: Path
) -> None:
    out = io.StringIO()
    serve_a_failure(
        stderr, configured=logging.StreamHandler(out), error_logfile=str(tmp_path / "log")
    )
    assert out.getvalue() == ""
    assert_matches(LINE, (tmp_path / "log").read_text())


@pytest.mark.parametrize(("level", "is_written"), [("debug", True), ("info", False)])
def test_the_level(stderr: Announcing, loggers: Any, level: str, is_written: bool) -> None:
    """At ``debug``, it is said why a request was refused."""

    def visit() -> None:
        assert get(stderr.wait_port(), "/{x}")[0] == 400

    with beside(visit):
        serve(app, stderr, log_level=level)
    assert ("(H034)" in stderr.getvalue()) == is_written


def test_what_is_said_of_an_application_is_there_too(stderr: Announcing, loggers: Any) -> None:
    """The rules of start_response have a logger of their own."""

    def careless(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("", "nothing")])
        return []

    with beside(lambda: get(stderr.wait_port())):
        serve(careless, stderr)
    assert "[WARNING] A response header without a name was dropped\n" in stderr.getvalue()


# --- The access log ----------------------------------------------------------------------


def serve_with_access_log(stderr: Announcing, **keywords: Any) -> None:
    with beside(lambda: get(stderr.wait_port(), "/a?b")):
        serve(app, stderr, **keywords)


def test_there_is_none_unless_asked_for(
    stderr: Announcing, loggers: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    serve_with_access_log(stderr)
    assert stderr.getvalue().count("\n") == 1
    assert capsys.readouterr().out == ""


def test_the_access_log_is_on_stdout(
    stderr: Announcing, loggers: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    serve_with_access_log(stderr, access_logfile="-")
    line = r'127\.0\.0\.1 - - \[.*\] "GET /a\?b HTTP/1\.1" 200 6 "-" "-"\n'
    assert_matches(line, capfd.readouterr().out)


def test_the_access_log_is_in_a_file(stderr: Announcing, loggers: Any, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text("before\n")
    serve_with_access_log(stderr, access_logfile=str(path), access_logformat="%(m)s %(U)s %(s)s")
    assert path.read_text() == "before\nGET /a 200\n"


def test_the_access_log_is_json(stderr: Announcing, loggers: Any, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    serve_with_access_log(stderr, access_logfile=str(path), access_logformat="json")
    (entry,) = map(json.loads, path.read_text().splitlines())
    assert entry["method"] == "GET"
    assert entry["target"] == "/a?b"
    assert entry["status"] == 200
    assert entry["pid"] == os.getpid()
