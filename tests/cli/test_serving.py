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
from quaich.cli.address import Address
from quaich.cli.serving import (
    IDLE_TIMEOUT,
    Server,
    configure_access_log,
    open_server,
    serve,
    stop_signals,
)

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


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_a_signal(
    server: Server,
    signum: signal.Signals,
    signal_handlers: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """HTTP/1.1 with connections that stay, one name for the software, and a quiet end."""
    answers: list[tuple[bytes, str | None, Any]] = []
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def visit() -> None:
        try:
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
    err = capsys.readouterr().err
    assert err.startswith(f"Listening on http://{server.address}\n")
    assert "Traceback" not in err


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
    access_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    access_logger.disabled = True  # as logging.config leaves it
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure_access_log(True, None)
    write()
    assert err.getvalue() == "192.0.2.1 - - [now] a line é\n"


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
