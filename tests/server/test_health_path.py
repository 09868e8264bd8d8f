"""--health-path: an answer that no thread of the application is asked for."""

import pytest

from quaich.server.figures.board import Board
from quaich.server.figures.counters import Tally
from server.applications import Held, Recorder, echo, hello
from server.conftest import Connect, Serve
from server.wire import Ending, get, post, wait_until

pytestmark = pytest.mark.live

PATH = {"health_path": "/health"}


def test_the_server_answers_and_the_application_is_not_called(
    serve: Serve, connect: Connect
) -> None:
    app = Recorder()
    client = connect(serve(app, **PATH))
    response = client.exchange(get("/health"))
    assert (response.status, response.content, response.framing) == (200, b"ready\n", "length")
    assert response.field("Content-Type") == "text/plain; charset=utf-8"
    assert response.field("Cache-Control") == "no-store"
    assert response.field("Date")
    assert response.persists
    assert client.exchange(get("/health?x=1")).content == b"ready\n"
    head = client.exchange(get("/health", method="HEAD"), "HEAD")
    assert (head.status, head.field("Content-Length")) == (200, "6")
    assert app.environs == []
    assert client.exchange(get("/healthy")).content == b"ok"
    assert app.environ["PATH_INFO"] == "/healthy"


def test_without_the_setting_the_path_is_the_applications(serve: Serve, connect: Connect) -> None:
    assert connect(serve(hello)).exchange(get("/health")).content == b"hello"


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE"])
def test_another_method_is_the_applications(serve: Serve, connect: Connect, method: str) -> None:
    client = connect(serve(echo, **PATH))
    assert client.exchange(get("/health", method=method)).field("X-Path") == "/health"


def test_a_request_with_content_is_the_applications(serve: Serve, connect: Connect) -> None:
    """Whose content it is, and nobody else reads it."""
    client = connect(serve(echo, **PATH))
    assert client.exchange(post(b"content", "/health", method="GET")).content == b"content"


def test_it_is_answered_while_all_threads_are_busy(serve: Serve, connect: Connect) -> None:
    app = Held()
    server = serve(app, threads=1, **PATH)
    busy, probe = connect(server), connect(server)
    busy.send(get("/wait"))
    wait_until(lambda: app.calls, "the only thread is inside")
    assert probe.exchange(get("/health")).status == 200
    waiting = connect(server)
    waiting.send(get("/next"))
    wait_until(lambda: probe.exchange(get("/health")).status == 503, "it is saturated")
    response = probe.exchange(get("/health"))
    assert response.content == b"saturated: all threads are busy, and 1 request waits for one\n"
    assert response.persists
    app.gate.open()
    busy.response()
    waiting.response()
    wait_until(lambda: probe.exchange(get("/health")).status == 200, "it is ready again")


def test_a_server_that_is_about_to_end_is_not_ready(serve: Serve, connect: Connect) -> None:
    app = Held()
    server = serve(app, threads=2, **PATH)
    busy, probe = connect(server), connect(server)
    assert probe.exchange(get("/health")).status == 200
    probe.send(get("/health")[:10])  # so that its connection is not closed as an idle one
    busy.send(get("/wait"))
    wait_until(lambda: app.calls, "a request is under way")
    wait_until(lambda: server.requests_under_way == 2, "the beginning is there")
    server.stop()
    probe.send(get("/health")[10:])
    response = probe.response()
    assert response.status == 503
    assert response.content.startswith(b"draining")
    assert not response.persists
    assert probe.ending() is Ending.CLEAN
    app.gate.open()
    assert busy.response().status == 200


def test_it_keeps_its_place_among_pipelined_requests(serve: Serve, connect: Connect) -> None:
    client = connect(serve(echo, **PATH))
    client.send(
        get("/a") + get("/health") + post(b"b") + get("/health") + get("/health") + get("/c")
    )
    answers = [client.response() for _ in range(6)]
    assert [each.content for each in answers] == [
        b"",
        b"ready\n",
        b"b",
        b"ready\n",
        b"ready\n",
        b"",
    ]
    assert [each.field("X-Path") for each in answers] == ["/a", None, "/", None, None, "/c"]


def test_a_client_that_wants_to_close_is_obeyed(serve: Serve, connect: Connect) -> None:
    client = connect(serve(hello, **PATH))
    response = client.exchange(get("/health", "Connection: close"))
    assert not response.persists
    assert client.ending() is Ending.CLEAN


def test_http_1_0_is_answered_as_it_asks(serve: Serve, connect: Connect) -> None:
    server = serve(hello, **PATH)
    client = connect(server)
    request = get("/health", "Connection: keep-alive", version="HTTP/1.0")
    assert client.exchange(request).field("Connection") == "keep-alive"
    assert client.exchange(request).status == 200
    once = connect(server)
    assert once.exchange(get("/health", version="HTTP/1.0")).content == b"ready\n"
    assert once.ending() is Ending.CLEAN


def test_it_is_not_counted(serve: Serve, connect: Connect) -> None:
    server = serve(hello, admin_bind="127.0.0.1:0", **PATH)
    client = connect(server)
    client.exchange(get("/health"))
    client.exchange(get("/one"))
    slot = Board(slots=1).begin(0, pid=1)

    def ended() -> int:
        server.figures.publish(slot)
        return Tally(slot.read_counters()).ended

    wait_until(lambda: ended() == 1, "the other request is counted")
    assert slot.requests == 1


def test_a_client_that_does_not_read_its_answers_holds_up_nobody(
    serve: Serve, connect: Connect
) -> None:
    server = serve(hello, response_buffer=0, **PATH)
    client, other = connect(server, receive_buffer=4096), connect(server)
    requests = get("/health") * 2000
    client.socket.setblocking(False)
    sent = 0
    while sent < 50 * len(requests):
        try:
            sent += client.socket.send(requests)
        except BlockingIOError:
            break
        assert other.exchange(get()).content == b"hello"
    assert other.exchange(get()).content == b"hello"
