"""The pages over HTTP: beside the server in its process, and in a process of their own."""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from quaich import Server
from quaich.server import admin
from quaich.server.figures.board import Board
from quaich.server.listeners.listening import CannotListen
from quaich.settings import Address, Settings, settings
from server.applications import Held, answering, hello
from server.wire import Client, Response, get, wait_until

pytestmark = pytest.mark.live

Ask = Callable[[str], Response]


@contextmanager
def beside(app: Any, **keywords: Any) -> Iterator[tuple[Server, Ask]]:
    """A server with pages beside it, and how to ask for one."""
    server = Server(app, bind="127.0.0.1:0", admin_bind="127.0.0.1:0", **keywords)
    with admin.start(server) as started:
        assert started is not None
        server.start()
        try:
            yield server, asking(started.address)
        finally:
            server.close(0.0)


def asking(address: Any) -> Ask:
    def ask(path: str) -> Response:
        with Client((address.host, address.port)) as client:
            return client.exchange(get(path))

    return ask


def figure(ask: Ask, name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(ask("/metrics").content.decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return 0.0


def test_a_server_is_seen_at_work() -> None:
    app = Held()
    with beside(app, threads=1) as (server, ask):
        assert ask("/healthz").content == b"ok\n"
        assert (ask("/readyz").status, ask("/readyz").content) == (200, b"ready\n")
        with Client(("127.0.0.1", server.port)) as one, Client(("127.0.0.1", server.port)) as two:
            one.send(get("/wait/here?with=query", method="PUT"))
            wait_until(lambda: app.calls, "the only thread is inside")
            two.send(get("/next"))
            # All threads are busy, and still it answers.
            wait_until(lambda: ask("/readyz").status == 503, "it is saturated")
            assert ask("/readyz").content.startswith(b"saturated: ")
            status = json.loads(ask("/status").content)
            assert (status["in_flight"], status["queued"], status["connections"]) == (1, 1, 2)
            (worker,) = status["workers"]
            assert (worker["pid"], worker["state"]) == (os.getpid(), "ready")
            (call,) = worker["calls"]
            assert (call["method"], call["path"]) == ("PUT", "/wait/here")
            assert figure(ask, "quaich_requests_queued") == 1
            app.gate.open()
            one.response()
            two.response()
        done = {"method": "GET", "status": "2xx"}
        wait_until(lambda: figure(ask, "quaich_requests_total", **done) == 1, "it is counted")
        assert figure(ask, "quaich_requests_begun_total") == 2
        assert figure(ask, "quaich_request_duration_seconds_count") == 2
        assert ask("/readyz").status == 200


def test_a_server_that_finishes_what_it_has_is_draining() -> None:
    app = Held()
    with beside(app, threads=2) as (server, ask), Client(("127.0.0.1", server.port)) as client:
        client.send(get("/wait"))
        wait_until(lambda: app.calls, "a request is under way")
        server.stop()
        wait_until(lambda: ask("/readyz").status == 503, "it is not ready")
        assert ask("/readyz").content.startswith(b"draining")
        assert ask("/healthz").status == 200
        app.gate.open()
        assert client.response().status == 200


def test_pages_are_read_only() -> None:
    with beside(hello) as (_, ask):
        assert ask("/").status == 200
        assert ask("/nothing").status == 404


def test_a_unix_socket_will_do_and_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "admin"
    server = Server(hello, bind="127.0.0.1:0", admin_bind=f"unix:{path}")
    with admin.start(server):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(get("/healthz", "Connection: close"))
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        assert answer.endswith(b"\r\n\r\nok\n")
    server.close()
    assert not path.exists()


def test_an_address_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server(hello, bind="127.0.0.1:0", admin_bind=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(CannotListen):
            admin.start(server)
        server.close()


def test_a_socket_that_was_opened_before_is_taken() -> None:
    server = Server(hello, bind="127.0.0.1:0", admin_bind="127.0.0.1:0")
    listener = admin.open_admin(server.settings)
    assert listener is not None
    port = listener.getsockname()[1]
    with admin.start(server, listener) as started:
        assert started is not None
        assert started.address == Address("127.0.0.1", port)
        assert asking(started.address)("/healthz").status == 200
    server.close()


def test_nothing_is_started_where_nobody_asks() -> None:
    server = Server(hello, bind="127.0.0.1:0")
    with admin.start(server) as started:
        assert started is None
    server.close()
    assert admin.open_admin(Settings()) is None


def test_statsd_alone_needs_no_pages() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        host = f"127.0.0.1:{receiver.getsockname()[1]}"
        server = Server(answering([b"x"]), bind="127.0.0.1:0", statsd_host=host)
        with admin.start(server) as started:
            assert started is not None
            assert started.address is None
            server.start()
            with Client(("127.0.0.1", server.port)) as client:
                client.exchange(get())
            server.close()
        sent = 0
        receiver.setblocking(False)
        try:
            while True:
                lines = receiver.recv(65536).decode().split("\n")
                sent += "gunicorn.requests:1|c" in lines
        except BlockingIOError:
            pass
        assert sent == 1


# --- In a process of its own ---------------------------------------------------------------


@contextmanager
def own_process(board: Board, given: Settings) -> Iterator[tuple[int, Ask]]:
    """A process that runs the pages, and how to ask for one. It is ended and waited for."""
    listener = admin.open_admin(given)
    assert listener is not None
    pid = os.fork()
    if not pid:
        try:
            admin.run(board, listener, given)
        except BaseException:
            os._exit(1)
        os._exit(0)
    host, port = listener.getsockname()
    listener.close()
    try:
        yield pid, asking(type("Where", (), {"host": host, "port": port}))
    finally:
        os.kill(pid, signal.SIGTERM)
        assert os.waitpid(pid, 0)[1] == 0


GIVEN = settings(admin_bind="127.0.0.1:0", workers=2)


def test_a_process_of_its_own_shows_what_others_write_on_the_board() -> None:
    board = Board(slots=4)
    with own_process(board, GIVEN) as (pid, ask):
        assert ask("/readyz").content == b"no worker is ready\n"
        slot = board.begin(3, pid=os.getpid())
        slot.state = "ready"
        slot.requests = 41
        assert ask("/readyz").content == b"ready\n"
        assert figure(ask, "quaich_requests_begun_total") == 41
        board.retire(3, "reload")
        assert ask("/readyz").status == 503
        assert figure(ask, "quaich_requests_begun_total") == 41
        assert figure(ask, "quaich_worker_restarts_total", reason="reload") == 1
        # Meant for the supervisor, and sent to all by a terminal.
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGWINCH, signal.SIGUSR1):
            os.kill(pid, number)
        assert ask("/healthz").status == 200


def test_a_process_whose_parent_is_no_more_ends() -> None:
    board = Board(slots=1)
    listener = admin.open_admin(GIVEN)
    assert listener is not None
    pid = os.fork()
    if not pid:
        admin.run(board, listener, GIVEN, parent=1)  # as if this one had ended
        os._exit(7)
    listener.close()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
