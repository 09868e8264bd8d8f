"""The server behind the commands, and its end."""

import contextlib
import http.client
import io
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quaich
from quaich import access_log
from quaich.cli import serving
from quaich.cli.serving import (
    IDLE_TIMEOUT,
    Server,
    configure_access_log,
    open_server,
    serve,
    stop_signals,
)
from quaich.settings import Address

pytestmark = pytest.mark.live


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["SERVER_SOFTWARE"].encode()]


@pytest.fixture
def server() -> Iterator[Server]:
    with open_server(app, Address("127.0.0.1", 0)) as server:
        yield server


@contextlib.contextmanager
def client(server: Server) -> Iterator[http.client.HTTPConnection]:
    with contextlib.closing(http.client.HTTPConnection(*server.address, timeout=10)) as connection:
        yield connection


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


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_a_signal(
    server: Server,
    signum: signal.Signals,
    signal_handlers: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HTTP/1.1 with connections that stay, one name for the software, and a quiet end."""
    answers: list[tuple[bytes, str | None, Any]] = []
    stderr = Announcing()
    monkeypatch.setattr(sys, "stderr", stderr)
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def visit() -> None:
        try:
            assert stderr.announced.wait(10)
            with client(server) as connection:
                for _ in range(2):
                    connection.request("GET", "/")
                    response = connection.getresponse()
                    answers.append((response.read(), response.getheader("Server"), connection.sock))
        finally:
            signal.pthread_kill(main_thread, signum)

    visitor = threading.Thread(target=visit)
    with stop_signals():
        visitor.start()
        serve(server)
    visitor.join()
    software = f"quaich/{quaich.__version__}"
    assert [answer[:2] for answer in answers] == [(software.encode(), software)] * 2
    assert answers[0][2] is answers[1][2]
    assert server.socket.fileno() == -1
    err = stderr.getvalue()
    assert err.startswith(f"Listening on http://{server.address}\n")
    assert "Traceback" not in err
    assert "Stopping" not in err


class Waiting:
    """An application whose requests wait until they may end."""

    def __init__(self, count: int) -> None:
        self.entered = threading.Barrier(count + 1, timeout=10)
        self.may_end = threading.Event()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.entered.wait()
        assert self.may_end.wait(10)
        return app(environ, start_response)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("in_time", [True, False])
def test_requests_under_way_at_the_end(
    server: Server,
    signal_handlers: None,
    access_logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    in_time: bool,
) -> None:
    """What is waited for is said, and what was in vain."""
    configure_access_log(False, None)
    stderr = Announcing()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(serving, "QUIET_TIME", 0.0)
    if not in_time:
        monkeypatch.setattr(serving, "DRAIN_TIMEOUT", 0.0)
    waiting = Waiting(count)
    server.set_app(waiting)
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    answers: list[int] = []

    def visit() -> None:
        with client(server) as connection:
            connection.request("GET", "/")
            answers.append(connection.getresponse().status)

    def watch() -> None:
        try:
            waiting.entered.wait()
            assert stderr.announced.wait(10)  # connections are accepted before that is told
        finally:
            signal.pthread_kill(main_thread, signal.SIGINT)
        assert stderr.stopping.wait(10)
        if in_time:
            waiting.may_end.set()

    threads = [threading.Thread(target=watch)]
    threads += [threading.Thread(target=visit) for _ in range(count)]
    with stop_signals():
        for thread in threads:
            thread.start()
        serve(server)
    waiting.may_end.set()
    for thread in threads:
        thread.join()
    assert answers == [200] * count
    requests = "1 request" if count == 1 else "2 requests"
    verb = "was" if count == 1 else "were"
    lines = stderr.getvalue().splitlines()[1:]
    seconds = 5 if in_time else 0
    assert lines == [
        f"Stopping; waiting up to {seconds} s for {requests}, Ctrl-C again to quit now",
        *([] if in_time else [f"{requests} {verb} cut off"]),
    ]


def test_an_error_page_names_the_same_software(
    server: Server, signal_handlers: None, access_logger: logging.Logger
) -> None:
    configure_access_log(False, None)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    with client(server) as connection:
        connection.putrequest("GET", "/", skip_host=True)  # 400
        connection.endheaders()
        response = connection.getresponse()
        assert response.status == 400
        assert response.getheader("Server") == f"quaich/{quaich.__version__}"
        response.read()
    thread.join()


def test_an_idle_connection_is_kept_longer_than_proxies_keep_it(server: Server) -> None:
    handler: Any = server.RequestHandlerClass
    assert handler.timeout == IDLE_TIMEOUT > 60


@pytest.mark.parametrize("fields", [{}, {"Content-Type": "a/b"}, {"Content-Length": "0"}])
def test_the_environ_has_nothing_that_the_request_has_not(
    server: Server, access_logger: logging.Logger, fields: dict[str, str]
) -> None:
    configure_access_log(False, None)
    seen: list[dict[str, Any]] = []

    def keep(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        return app(environ, start_response)

    server.set_app(keep)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    with client(server) as connection:
        connection.request("GET", "/", headers=fields)
        connection.getresponse().read()
    thread.join()
    names = ("CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_HOST")
    assert {name: seen[0][name] for name in names if name in seen[0]} == {
        name.upper().replace("-", "_"): value for name, value in fields.items()
    }


def test_a_name_is_bound_as_ipv4() -> None:
    with open_server(app, Address("localhost", 0)) as server:
        assert server.address.host == "127.0.0.1"


def test_no_host_is_all_of_them() -> None:
    with open_server(app, Address("", 0)) as server:
        assert server.address.host == "0.0.0.0"


def test_a_second_signal_has_its_default_action(signal_handlers: None) -> None:
    with stop_signals():
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("the block goes on")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL


def test_without_a_signal_the_handlers_are_put_back(signal_handlers: None) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


# --- The access log ----------------------------------------------------------------------


def write() -> None:
    access_log.write_line("192.0.2.1", "now", "a line é")


def test_the_access_log_is_on_stderr(
    access_logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    access_logger.disabled = True  # as logging.config leaves it
    configure_access_log(True, None)
    write()
    assert err.getvalue() == "192.0.2.1 - - [now] a line é\n"
    assert caplog.records == []  # what the root logger has is for the application's own lines


def test_the_access_log_is_where_the_application_has_it(
    access_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    access_logger.addHandler(handler)
    configure_access_log(True, None)
    write()
    assert out.getvalue() == "quaich.access: 192.0.2.1 - - [now] a line é\n"
    assert capsys.readouterr() == ("", "")
    assert access_logger.propagate


def test_the_access_log_is_off(
    access_logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    configure_access_log(False, "-")
    write()
    assert caplog.records == []


def test_the_access_log_is_on_stdout(
    access_logger: logging.Logger,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    configure_access_log(True, "-")
    write()
    assert capsys.readouterr() == ("192.0.2.1 - - [now] a line é\n", "")
    assert caplog.records == []


def test_the_access_log_is_in_a_file(access_logger: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text("before\n")
    configure_access_log(True, str(path))
    write()
    assert path.read_text("utf-8") == "before\n192.0.2.1 - - [now] a line é\n"
