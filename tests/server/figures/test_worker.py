"""What a server counts and shows of what it does."""

import json
import threading
from math import inf
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from quaich import Server
from quaich.server.figures.board import Board, Slot
from quaich.server.figures.counters import BOUNDS, Tally
from quaich.server.figures.worker import client_of, describe, memory_in_use
from quaich.server.threads.predictor import SLOW
from server.applications import Environ, Held, answering, echo, hello
from server.conftest import Connect, Errors, Serve
from server.wire import Client, get, post, wait_until

ASKED = {"admin_bind": "127.0.0.1:0"}  # nobody serves it, but figures are counted


def published(server: Server) -> Slot:
    slot = Board(slots=1).begin(0, pid=1)
    server.figures.publish(slot)
    return slot


def tally_of(server: Server) -> Tally:
    return Tally(published(server).read_counters())


def ended(server: Server, count: int) -> Tally:
    """The figures once so many requests have ended: their clients know before."""
    wait_until(lambda: tally_of(server).ended == count, f"{count} requests are counted")
    return tally_of(server)


def waited_longer(tally: Tally, seconds: float) -> int:
    """How many waited longer than that, which is a bound of the histogram."""
    buckets = zip((*BOUNDS, inf), tally.queue_times.counts, strict=True)
    return sum(count for bound, count in buckets if bound > seconds)


@pytest.mark.live
def test_requests_are_counted_where_figures_are_asked_for(serve: Serve, connect: Connect) -> None:
    server = serve(echo, **ASKED)
    client = connect(server)
    client.exchange(post(b"twelve bytes"))
    client.exchange(get(method="HEAD"), "HEAD")
    client.send(get() * 3)
    for _ in range(3):
        client.response()
    tally = ended(server, 5)
    assert tally.by_method() == {("POST", "2xx"): 1, ("HEAD", "2xx"): 1, ("GET", "2xx"): 3}
    assert tally.content_bytes == len(b"twelve bytes")
    assert sum(tally.durations.counts) == sum(tally.queue_times.counts) == 5


@pytest.mark.live
def test_nothing_is_counted_where_nobody_asks(serve: Serve, connect: Connect) -> None:
    """But how many calls have begun: the threads know that anyway."""
    server = serve(hello)
    client = connect(server)
    for _ in range(3):
        client.exchange(get())
    assert server.figures.counters is None
    wait_until(lambda: published(server).in_flight == 0, "the last call has ended")
    slot = published(server)
    assert slot.requests == 3
    assert Tally(slot.read_counters()).ended == 0
    assert slot.text.read() == b""
    assert (slot.connections, slot.queued) == (1, 0)
    assert slot.threads >= 1
    assert slot.beat > 0


@pytest.mark.live
def test_all_calls_are_counted_whoever_makes_them(serve: Serve, connect: Connect) -> None:
    """The leader, a leader that was deposed, and threads that take from the queue."""
    app = Held()
    server = serve(app, threads=2, **ASKED)
    clients = [connect(server) for _ in range(6)]
    for client in clients:
        client.send(get("/wait"))
    wait_until(lambda: published(server).queued == 4, "four requests are queued")
    app.gate.open()
    for client in clients:
        client.response()
        client.exchange(get("/quick"))
    assert ended(server, 12).by_code() == {200: 12}
    assert published(server).requests == 12


@pytest.mark.live
def test_a_request_in_flight_is_shown_with_its_path_and_age(serve: Serve, connect: Connect) -> None:
    app = Held()
    server = serve(app, threads=2, **ASKED)
    clients = [connect(server) for _ in range(3)]
    for number, client in enumerate(clients):
        client.send(get(f"/wait/{number}?secret=1", method="PUT"))
    wait_until(lambda: len(app.calls) == 2, "two threads are inside")
    wait_until(lambda: published(server).queued == 1, "the third waits")
    slot = published(server)
    assert (slot.in_flight, slot.thread_limit) == (2, 2)
    shown = json.loads(slot.text.read())
    assert sorted(each["path"] for each in shown) == sorted(app.calls)
    for each in shown:
        assert (each["method"], each["client"]) == ("PUT", "127.0.0.1")
        assert 0 < each["since"] <= slot.beat
    app.gate.open()
    for client in clients:
        client.response()
    wait_until(lambda: published(server).in_flight == 0, "nothing is in flight")
    assert published(server).text.read() == b"[]"


@pytest.mark.live
def test_a_request_that_waits_for_a_thread_has_a_queue_time(serve: Serve, connect: Connect) -> None:
    """What was held up for at least so long is in no lower bucket."""
    app, pause = Held(), threading.Event()
    server = serve(app, threads=1, **ASKED)
    first, second = connect(server), connect(server)
    first.send(get("/wait"))
    wait_until(lambda: app.calls, "the only thread is inside")
    second.send(get())
    wait_until(lambda: published(server).queued == 1, "the other request waits")
    pause.wait(0.03)
    app.gate.open()
    first.response()
    second.response()
    tally = ended(server, 2)
    assert waited_longer(tally, 0.025) == 1
    assert tally.queue_times.total_seconds >= 0.03
    # The first one spent at least that time in the application.
    assert tally.durations.total_seconds >= 0.03


@pytest.mark.live
def test_requests_that_came_together_wait_for_each_other(serve: Serve, connect: Connect) -> None:
    """Also where one thread answers all of them, without a queue. It may be that another thread
    takes over, because this machine is busy; so they come again."""

    def busy(environ: Environ, start_response: Any) -> list[bytes]:
        end = monotonic() + SLOW / 2  # so quick that the thread which reads calls it
        while monotonic() < end:
            pass
        return hello(environ, start_response)

    server = serve(busy, **ASKED)
    client = connect(server)

    def has_waited() -> bool:
        client.send(get() * 30)
        for _ in range(30):
            client.response()
        return waited_longer(tally_of(server), 0.001) >= 10

    wait_until(has_waited, "the last of them have waited for the first")


@pytest.mark.live
def test_a_client_that_has_gone_is_an_abort(serve: Serve, connect: Connect) -> None:
    app = Held()

    def large(environ: Environ, start_response: Any) -> Any:
        app(environ, start_response)
        return iter([b"x" * 2**20] * 64)

    server = serve(large, response_buffer=1024, **ASKED)
    client = connect(server)
    client.send(get("/wait"))
    wait_until(lambda: app.calls, "the application is inside")
    client.reset()
    app.gate.open()
    tally = ended(server, 1)
    assert tally.aborts == 1


@pytest.mark.live
def test_what_the_server_refuses_is_counted_as_such(serve: Serve, connect: Connect) -> None:
    server = serve(hello, limit_request_body=10, **ASKED)
    connect(server).exchange(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    connect(server).exchange(post(b"x" * 11))
    tally = ended(server, 2)
    assert tally.by_code() == {400: 1, 413: 1}
    assert tally.refused == 2
    assert sum(tally.durations.counts) == 0


@pytest.mark.live
def test_a_failure_is_a_500(serve: Serve, connect: Connect, errors: Errors) -> None:
    def fail(environ: Environ, start_response: Any) -> list[bytes]:
        raise ValueError("no")

    server = serve(fail, **ASKED)
    assert connect(server).exchange(get()).status == 500
    assert ended(server, 1).by_code() == {500: 1}


@pytest.mark.live
def test_a_request_that_took_too_long_is_a_504(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    pause = threading.Event()

    def stuck(environ: Environ, start_response: Any) -> list[bytes]:
        while True:
            pause.wait(0.005)

    server = serve(stuck, timeout=0.05, **ASKED)
    assert connect(server).exchange(get()).status == 504
    assert ended(server, 1).by_code() == {504: 1}


@pytest.mark.live
def test_totals_are_exact_when_the_server_has_ended(serve: Serve) -> None:
    server = serve(answering([b"12345"]), threads=4, **ASKED)

    def ask() -> None:
        with Client(("127.0.0.1", server.port)) as client:
            for _ in range(50):
                client.exchange(get())

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.close()
    board = Board(slots=1)
    server.figures.publish(board.begin(0, pid=1))
    board.retire(0, "reload")
    totals = board.totals()
    tally = Tally(totals.counters)
    assert totals.requests == tally.ended == 300
    assert tally.by_code() == {200: 300}
    assert tally.content_bytes == 1500


# --- The text of what is in flight -------------------------------------------------------------


def a_call(path: str = "/", since: float = 1.0, peer: Any = ("::1", 1)) -> tuple[Any, float]:
    request = SimpleNamespace(method="GET")
    return SimpleNamespace(request=request, target=path, peer=peer), since


def test_those_that_take_the_longest_come_first() -> None:
    shown = json.loads(describe([a_call("/b", 2.0), a_call("/a", 1.0)], 1000))
    assert [each["path"] for each in shown] == ["/a", "/b"]
    assert shown[0] == {"method": "GET", "path": "/a", "client": "::1", "since": 1.0}


def test_no_more_are_shown_than_there_is_room_for() -> None:
    calls = [a_call(f"/{number}" + "x" * 300, number) for number in range(100)]
    text = describe(calls, 2000)
    assert 1500 < len(text) <= 2000
    shown = json.loads(text)
    assert [each["since"] for each in shown] == list(range(len(shown)))
    assert all(len(each["path"]) == 200 for each in shown)
    assert describe(calls, 10) == b"[]"


def test_a_call_that_ends_in_this_moment_is_left_out() -> None:
    gone, since = a_call()
    gone.request = None
    assert describe([(gone, since), a_call("/there")], 1000).count(b"path") == 1


def test_a_path_is_shown_in_ascii() -> None:
    assert describe([a_call('/caf\xe9"\n')], 1000).isascii()


def test_the_client_of_a_unix_socket_has_no_address() -> None:
    assert client_of("") == ""
    assert client_of(("127.0.0.1", 5000)) == "127.0.0.1"


def test_this_process_is_in_memory() -> None:
    held = bytearray(b"x") * 2**25
    assert memory_in_use() > len(held)


def test_a_method_as_long_as_a_path_hides_no_other_request() -> None:
    def call(method: str) -> Any:
        request = SimpleNamespace(method=method)
        return SimpleNamespace(request=request, target="/x?y", peer=("192.0.2.1", 1))

    text = describe([(call("M" * 100_000), 1.0), (call("GET"), 2.0)], 1000)
    assert [(each["method"], each["path"]) for each in json.loads(text)] == [
        ("M" * 40, "/x"),
        ("GET", "/x"),
    ]
